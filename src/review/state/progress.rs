//! How far reading a service has come.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts requests and says so.
pub struct Reading<'a> {
    done: AtomicUsize,
    say: &'a (dyn Fn(&str, usize) + Sync),
}

impl<'a> Reading<'a> {
    /// Says what was read, and how many answers there are, by `say`.
    pub fn new(say: &'a (dyn Fn(&str, usize) + Sync)) -> Self {
        Self { done: AtomicUsize::new(0), say }
    }

    pub(super) fn did(&self, what: &str) {
        (self.say)(what, self.done.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

impl std::fmt::Debug for Reading<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reading").field(&self.done).finish()
    }
}
