//! What depends on the version of CCF that a service runs: versions, their order, and one table of features.
//!
//! Ask [`CcfVersion::has`] for a [`Feature`]. The table ends at [`NEWEST`]; what it cannot answer is an
//! [`Answer::Unknown`] with its reason, never a guess.

mod answer;
mod attestation;
mod feature;
mod line;
mod version;

pub use answer::{Answer, Doubt, NEWEST};
pub use attestation::SvnOrder;
pub use feature::Feature;
pub use version::{CcfVersion, Stage, VersionError};
