//! What artefacts and attestations prove.
