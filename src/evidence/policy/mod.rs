//! Security policies of Azure confidential containers: found in deployments, read, and looked at.
//!
//! - [`deployment`]: the policies in an ARM template, a container group's YAML or a Kubernetes manifest.
//! - [`rego`]: the part of Rego that such policies are written in. [`contents`]: what they list, with the
//!   rules of a container's [`environment`], and each [`fragment`].
//! - [`version`]: for which version of the platform one is written.
//! - [`review`]: what one admits, with warnings. [`images`]: whether its containers are images that were built.

pub mod contents;
pub mod deployment;
pub mod environment;
pub mod fragment;
pub mod images;
pub mod rego;
pub mod review;
pub mod version;
