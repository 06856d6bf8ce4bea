//! The rules, run locally: the governance tables, QuickJS, and the `ccf` global that constitutions and ballots call.
//!
//! - [`Tables`]: the service's key-value tables; a clone is a cheap snapshot.
//! - [`Constitution`]: validate, vote, resolve, apply, as a CCF node runs them.
//! - [`check_constitution`], [`check_join_policy`] and [`check_modules`]: scripts that a proposal would put in force.
//! - [`Effect`] and [`Host`]: what applying a proposal asks of the node around it.

mod check;
mod default;
mod effect;
mod endpoint;
mod engine;
mod globals;
mod modules;
mod script;
mod tables;

pub use check::{ScriptFault, check_constitution, check_join_policy};
pub use default::DEFAULT;
pub use effect::{Effect, Host};
pub use endpoint::call_endpoint;
pub use engine::{Constitution, ConstitutionError, Proposal, Resolution, ScriptError, Stage, Validation};
pub use modules::{ModuleFault, check_modules};
pub use tables::{Change, SINGLETON, Tables, table};

#[cfg(test)]
mod tests;
