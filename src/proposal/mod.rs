//! What members say: actions, templates, lint, ballots.
