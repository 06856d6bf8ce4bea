//! What is judged before something is signed.
//!
//! - [`vain`]: signatures that the service would refuse, or holds already.
//! - [`Subject`]: a proposal that the service holds, with the votes on it.
//! - [`Standing`] and [`notes()`]: what the actions of a proposal mean to a service.
//! - [`Diff`] and [`Application`]: what changes in its rules and in its application.

mod application;
pub mod backing;
mod diff;
pub mod lint;
mod notes;
mod script;
mod standing;
mod subject;
pub mod vain;

pub use application::Application;
pub use diff::Diff;
pub use notes::notes;
pub use script::check_script;
pub use standing::Standing;
pub use subject::{Subject, proposed};
