//! What nodes run on.

use serde::{Deserialize, Serialize};

/// What nodes run on.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
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
