//! The walk of a code upgrade.
