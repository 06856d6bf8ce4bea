//! How a proposal ended.

use super::{Answer, Proposal};

/// What is known of a proposal that somebody waited for.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is resolved, and committed so.
    Resolved(Answer<Proposal>),
    /// It was seen, and then it was gone: resolved or withdrawn, and removed when another one was resolved.
    Purged {
        /// How it stood when it was last seen.
        last_seen: Option<Box<Answer<Proposal>>>,
    },
    /// It is still open, or resolved and not committed so, and the time is over.
    StillOpen(Answer<Proposal>),
}
