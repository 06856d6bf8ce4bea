//! The tables at one moment, and what changed between two.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::entries::{Entries, Entry};

/// The tables of a service at one moment.
///
/// A clone is a cheap snapshot: tables are shared until one of the two is written. Names are
/// CCF's (`public:ccf.gov.…`), keys and values are bytes; a table without entries does not exist.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    tables: Arc<BTreeMap<Arc<str>, Arc<Entries>>>,
    seqno: u64,
}

/// One key whose value differs between two snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The table's name.
    pub table: String,
    /// The key's bytes.
    pub key: Vec<u8>,
    /// The value before, `None` if there was none.
    pub before: Option<Vec<u8>>,
    /// The value after, `None` if it was removed.
    pub after: Option<Vec<u8>>,
}

impl Tables {
    /// No tables at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`.
    pub fn get(&self, table: &str, key: &[u8]) -> Option<&[u8]> {
        self.tables.get(table)?.get(key).map(|entry| entry.value.as_slice())
    }

    /// Whether `key` has a value.
    pub fn has(&self, table: &str, key: &[u8]) -> bool {
        self.get(table, key).is_some()
    }

    /// Writes `value`, stamped with the seqno last given to [`begin`](Self::begin).
    pub fn put(&mut self, table: &str, key: &[u8], value: impl Into<Vec<u8>>) {
        let entry = Entry { key: key.into(), value: value.into(), written_at: self.seqno };
        let known = self.tables.get(table).and_then(|entries| entries.get(key));
        if known.is_some_and(|known| known.written_at == entry.written_at && known.value == entry.value) {
            return;
        }
        let tables = Arc::make_mut(&mut self.tables);
        let entries = match tables.get_mut(table) {
            Some(entries) => entries,
            None => tables.entry(table.into()).or_default(),
        };
        Arc::make_mut(entries).put(entry);
    }

    /// Removes `key`; returns whether it had a value.
    pub fn remove(&mut self, table: &str, key: &[u8]) -> bool {
        if !self.has(table, key) {
            return false;
        }
        if self.len(table) == 1 {
            self.clear(table);
        } else if let Some(entries) = Arc::make_mut(&mut self.tables).get_mut(table) {
            Arc::make_mut(entries).remove(key);
        }
        true
    }

    /// Removes every entry of `table`.
    pub fn clear(&mut self, table: &str) {
        if !self.is_empty(table) {
            Arc::make_mut(&mut self.tables).remove(table);
        }
    }

    /// The number of entries of `table`.
    pub fn len(&self, table: &str) -> usize {
        self.tables.get(table).map_or(0, |entries| entries.len())
    }

    /// Whether `table` has no entries.
    pub fn is_empty(&self, table: &str) -> bool {
        !self.tables.contains_key(table)
    }

    /// The entries of `table` in the order of their keys' bytes.
    pub fn iter(&self, table: &str) -> impl Iterator<Item = (&[u8], &[u8])> {
        let entries = self.tables.get(table).into_iter().flat_map(|entries| entries.iter());
        entries.map(|entry| (&*entry.key, entry.value.as_slice()))
    }

    /// The names of the tables that have entries, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tables.keys().map(|name| &**name)
    }

    /// From now on, writes are stamped with `seqno`: the transaction that they belong to.
    pub fn begin(&mut self, seqno: u64) {
        self.seqno = seqno;
    }

    /// The seqno with which writes are stamped.
    pub fn seqno(&self) -> u64 {
        self.seqno
    }

    /// The seqno of the transaction that wrote `key` last; `None` if it has no value.
    pub fn version_of_previous_write(&self, table: &str, key: &[u8]) -> Option<u64> {
        self.tables.get(table)?.get(key).map(|entry| entry.written_at)
    }

    /// Every key whose value differs from `before`, by table and key; stamps do not count.
    pub fn changes_since(&self, before: &Tables) -> Vec<Change> {
        let mut changes = Vec::new();
        let nothing = Arc::default();
        for (name, (old, new)) in side_by_side(before.tables.iter(), self.tables.iter()) {
            let (old, new) = (old.unwrap_or(&nothing), new.unwrap_or(&nothing));
            if Arc::ptr_eq(old, new) {
                continue;
            }
            let (old, new) = old.apart(new);
            for (key, (old, new)) in side_by_side(old.map(Entry::by_key), new.map(Entry::by_key)) {
                let same = match (old, new) {
                    (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old.value == new.value,
                    _ => false,
                };
                if !same {
                    let value = |entry: Option<&Arc<Entry>>| entry.map(|entry| entry.value.clone());
                    let (table, key) = (name.to_string(), key.to_vec());
                    changes.push(Change { table, key, before: value(old), after: value(new) });
                }
            }
        }
        changes
    }
}

/// Every key that one of two sides has, in order, with what each of them has there. Both are in order.
fn side_by_side<K: Ord, V>(
    left: impl Iterator<Item = (K, V)>,
    right: impl Iterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, (Option<V>, Option<V>))> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    std::iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((one, _)), Some((other, _))) => one.cmp(other),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        let from_left = if order.is_le() { left.next() } else { None };
        let from_right = if order.is_ge() { right.next() } else { None };
        match (from_left, from_right) {
            (Some((key, old)), new) => Some((key, (Some(old), new.map(|(_, new)| new)))),
            (None, new) => new.map(|(key, new)| (key, (None, Some(new)))),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::SINGLETON;
    use super::*;

    #[test]
    fn a_snapshot_does_not_see_later_writes() {
        let mut tables = Tables::new();
        tables.begin(3);
        tables.put("a", b"x", "1");
        let snapshot = tables.clone();
        tables.begin(4);
        tables.put("a", b"x", "2");
        tables.put("a", b"y", "3");
        assert_eq!(snapshot.get("a", b"x"), Some(&b"1"[..]));
        assert_eq!(snapshot.len("a"), 1);
        assert_eq!(snapshot.version_of_previous_write("a", b"x"), Some(3));
        assert_eq!(tables.version_of_previous_write("a", b"x"), Some(4));
        assert_eq!(tables.version_of_previous_write("a", b"z"), None);
    }

    #[test]
    fn changes_name_every_key_that_differs() {
        let mut before = Tables::new();
        before.put("a", b"same", "1");
        before.put("a", b"gone", "1");
        before.put("b", b"k", "1");
        let mut after = before.clone();
        after.begin(9);
        after.put("a", b"same", "1");
        assert!(after.remove("a", b"gone"));
        assert!(!after.remove("a", b"gone"));
        after.put("c", &SINGLETON, "2");
        after.clear("b");
        let change = |table: &str, key: &[u8], before: Option<&str>, after: Option<&str>| Change {
            table: table.into(),
            key: key.into(),
            before: before.map(Into::into),
            after: after.map(Into::into),
        };
        assert_eq!(
            after.changes_since(&before),
            [
                change("a", b"gone", Some("1"), None),
                change("b", b"k", Some("1"), None),
                change("c", &SINGLETON, None, Some("2")),
            ]
        );
        assert!(after.changes_since(&after.clone()).is_empty());
        assert_eq!(after.names().collect::<Vec<_>>(), ["a", "c"]);
    }
}
