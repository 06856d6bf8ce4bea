//! `upgrade step` on the sandbox, when something is not as it should be.

mod model;
mod walk;
