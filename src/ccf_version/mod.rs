//! What depends on the version of CCF that a service runs: versions, their order, and one table of features.
//!
//! Ask [`CcfVersion::has`] for a [`Feature`]. The table ends at [`NEWEST`]; what it cannot answer is an
//! [`Support::Unknown`] with its reason, never a guess.

mod attestation;
mod feature;
mod line;
mod support;
mod version;

pub use attestation::SvnOrder;
pub use feature::Feature;
pub use support::{Doubt, NEWEST, Support};
pub use version::{CcfVersion, Stage, VersionError};
