//! Why an archive's images cannot be measured.

use std::io;

use super::super::{LayerError, Sha256};
use crate::json::JsonError;

/// Why an archive's images cannot be measured.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It could not be read.
    #[error("cannot read the archive")]
    Read(#[from] io::Error),
    /// A part that another one names is not there.
    #[error("the archive has no {0}: save the image anew, with all of its layers")]
    Missing(String),
    /// A part is not what it should be.
    #[error("{name}: {what}")]
    Malformed {
        /// The part.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// A part that should be JSON is not.
    #[error("{name} cannot be read")]
    Json {
        /// The part.
        name: String,
        /// Why.
        #[source]
        source: JsonError,
    },
    /// A part is not the one that its name or the image's configuration says.
    #[error("{name} is another file than it should be: its SHA-256 is {found}, and {stated} is wanted")]
    Digest {
        /// The part.
        name: String,
        /// What it should be.
        stated: Sha256,
        /// What it is.
        found: Sha256,
    },
    /// A layer cannot be measured.
    #[error("the layer {name} cannot be measured")]
    Layer {
        /// The layer.
        name: String,
        /// Why.
        #[source]
        source: LayerError,
    },
}

impl ImageError {
    pub(super) fn malformed(name: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Malformed { name: name.into(), what: what.into() }
    }
}
