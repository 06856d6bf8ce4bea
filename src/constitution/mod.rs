//! The rules, run locally: QuickJS, the `ccf` global that constitutions and ballots call, and how proposals are decided.
//!
//! - [`Constitution`]: validate, vote, resolve, apply, as a CCF node runs them.
//! - [`decide`]: ballots, resolve, apply, and what follows, in one transaction.
//! - [`check_constitution`], [`check_join_policy`] and [`check_modules`]: scripts that a proposal would put in force.
//! - [`Effect`] and [`Host`]: what applying a proposal asks of the node around it.

mod ballots;
mod check;
pub mod decide;
mod default;
mod effect;
mod endpoint;
mod engine;
mod globals;
mod modules;
mod script;
mod touched;

pub use check::{ScriptFault, check_constitution, check_join_policy};
pub use default::DEFAULT;
pub use effect::{Effect, Host};
pub use endpoint::call_endpoint;
pub use engine::{Constitution, ConstitutionError, Proposal, Resolution, ScriptError, Stage, Validation};
pub use modules::{ModuleFault, check_modules};
pub use touched::Touched;

#[cfg(test)]
mod tests;
