//! What is judged before something is signed.
//!
//! - [`vain`]: signatures that the service would refuse, or holds already.
//! - [`Subject`]: a proposal that the service holds, with the votes on it.
//! - [`ServiceView`] and [`notes()`]: what the actions of a proposal mean to a service.
//! - [`ObservedNode`]: a node as its operator needs to see it.
//! - [`Diff`] and [`Application`]: what changes in its rules and in its application.

mod application;
pub mod backing;
mod diff;
pub mod lint;
mod notes;
mod observed_node;
mod script;
mod service_view;
mod subject;
pub mod vain;

pub use application::Application;
pub use diff::Diff;
pub use notes::notes;
pub use observed_node::{NodeDetails, ObservedNode, RunningCode};
pub use script::check_script;
pub use service_view::ServiceView;
pub use subject::{Subject, proposed};
