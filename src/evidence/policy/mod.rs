//! Security policies of Azure confidential containers: found in deployments, read, and looked at.
//!
//! - [`deployment`]: the policies in an ARM template, a container group's YAML or a Kubernetes manifest.
//! - [`rego`]: the part of Rego that such policies are written in. [`Container`]: what they list, with each
//!   [`EnvironmentRule`] of a container, and each [`Fragment`].
//! - [`Version`]: for which version of the platform one is written.
//! - [`Review`]: what one admits, with each [`Warning`]. [`compare_images`]: whether its containers are images that were built.
//!   [`difference`](difference()): in what two differ.

mod contents;
pub mod deployment;
mod difference;
mod environment;
mod fragment;
mod images;
pub mod rego;
mod review;
mod version;

pub use contents::{Container, Mount, PAUSE_LAYER, PlatformRules, USUAL_CAPABILITIES, command_line};
pub use difference::difference;
pub use environment::EnvironmentRule;
pub use fragment::Fragment;
pub use images::{compare_all_images, compare_images};
pub use review::{MAX_POLICY, Remark, Review, Warning};
pub use version::{Version, VersionError};
