//! Which tables scripts have read.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// A notebook that several scripts write into: the tables that they read, and those of which they asked when a row was written.
///
/// Tables that were rebuilt from what a service tells are not whole; what a script answered that read more than there is, is uncertain.
#[derive(Clone, Debug, Default)]
pub struct Touched(Arc<Mutex<BTreeSet<(String, bool)>>>);

impl Touched {
    /// The tables whose rows were read.
    pub fn tables(&self) -> BTreeSet<String> {
        self.noted(false)
    }

    /// The tables of which a script asked for the version of a previous write.
    pub fn versions(&self) -> BTreeSet<String> {
        self.noted(true)
    }

    pub(super) fn note(&self, table: &str, version: bool) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A script may invent names without end.
        if notes.len() < 1000 && !notes.contains(&(table.to_owned(), version)) {
            notes.insert((table.to_owned(), version));
        }
    }

    fn noted(&self, version: bool) -> BTreeSet<String> {
        let notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().filter(|(_, of)| *of == version).map(|(table, _)| table.clone()).collect()
    }
}
