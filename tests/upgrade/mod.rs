//! `upgrade step` on the sandbox, when something is not as it should be.

mod join_configuration;
mod model;
mod schedules;
mod stage;
mod walk;
