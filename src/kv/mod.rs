//! The key-value tables of governance: their names, their rows, and what changed.
//!
//! - [`Tables`]: a service's tables at one moment; a clone is a cheap snapshot.
//! - [`table`]: their names, as CCF has them.
//! - [`row`]: rows as JSON or text, by identifier.

mod entries;
pub mod row;
pub mod table;
mod tables;

pub use tables::{Change, Tables};

/// The key of a table that holds a single value: eight zero bytes.
pub const SINGLETON: [u8; 8] = [0; 8];
