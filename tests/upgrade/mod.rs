//! `upgrade step` on the sandbox, when something is not as it should be.

mod join_configuration;
mod model;
mod stage;
mod walk;
