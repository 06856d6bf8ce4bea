//! What nodes run on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What nodes run on.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Intel SGX enclaves, up to CCF 5.
    Sgx,
    /// AMD SEV-SNP.
    Snp,
    /// No protection at all, for tests.
    Virtual,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sgx => "sgx",
            Self::Snp => "snp",
            Self::Virtual => "virtual",
        })
    }
}
