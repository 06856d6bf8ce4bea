//! The rows of one table, in order, shared with every snapshot that has the same.

use std::sync::Arc;

/// A row, and the seqno of the transaction that wrote it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: Box<[u8]>,
    pub(super) value: Vec<u8>,
    pub(super) written_at: u64,
}

impl Entry {
    /// The row with its key.
    pub(super) fn by_key(self: &Arc<Self>) -> (&[u8], &Arc<Self>) {
        (&self.key, self)
    }
}

/// Rows by key, in short sorted chunks: a clone shares them all, and a write copies the one that it changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Entries(Vec<Chunk>);

/// Between one and [`LONGEST`] rows.
type Chunk = Arc<Vec<Arc<Entry>>>;

const LONGEST: usize = 32;

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(|chunk| chunk.len()).sum()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Entry> {
        let chunk = self.0.get(self.chunk_of(key))?;
        chunk.get(position(chunk, key).ok()?).map(|entry| &**entry)
    }

    /// Adds a row, or puts it in the place of the one with its key.
    pub(super) fn put(&mut self, entry: Entry) {
        let at = self.chunk_of(&entry.key);
        let Some(chunk) = self.0.get_mut(at) else {
            self.0.push(Arc::new(vec![Arc::new(entry)]));
            return;
        };
        let chunk = Arc::make_mut(chunk);
        match position(chunk, &entry.key) {
            Ok(found) => chunk[found] = Arc::new(entry),
            Err(place) => chunk.insert(place, Arc::new(entry)),
        }
        if chunk.len() > LONGEST {
            let second = chunk.split_off(LONGEST / 2);
            self.0.insert(at + 1, Arc::new(second));
        }
    }

    /// Removes the row of `key`, if there is one.
    pub(super) fn remove(&mut self, key: &[u8]) {
        let at = self.chunk_of(key);
        let Some(chunk) = self.0.get_mut(at) else { return };
        if let Ok(found) = position(chunk, key) {
            Arc::make_mut(chunk).remove(found);
            if self.0[at].is_empty() {
                self.0.remove(at);
            }
        }
    }

    /// The rows of both, but for the chunks at the beginning and at the end that they share.
    pub(super) fn apart<'e>(
        &'e self,
        other: &'e Self,
    ) -> (impl Iterator<Item = &'e Arc<Entry>>, impl Iterator<Item = &'e Arc<Entry>>) {
        let shared = |(one, two): &(&Chunk, &Chunk)| Arc::ptr_eq(one, two);
        let front = self.0.iter().zip(&other.0).take_while(shared).count();
        let (one, two) = (&self.0[front..], &other.0[front..]);
        let back = one.iter().rev().zip(two.iter().rev()).take_while(shared).count();
        let (one, two) = (&one[..one.len() - back], &two[..two.len() - back]);
        (one.iter().flat_map(|chunk| chunk.iter()), two.iter().flat_map(|chunk| chunk.iter()))
    }

    /// The last chunk that begins at or before `key`, or the first.
    fn chunk_of(&self, key: &[u8]) -> usize {
        self.0.partition_point(|chunk| &*chunk[0].key <= key).saturating_sub(1)
    }
}

fn position(chunk: &[Arc<Entry>], key: &[u8]) -> Result<usize, usize> {
    chunk.binary_search_by(|entry| (*entry.key).cmp(key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn rows(entries: &Entries) -> Vec<(Vec<u8>, u64)> {
        entries.iter().map(|entry| (entry.key.to_vec(), entry.written_at)).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// What a sorted map does, in every snapshot; and what two have in common is left out, and nothing else.
        #[test]
        fn rows_are_those_of_a_sorted_map(steps in proptest::collection::vec((any::<bool>(), 0_u8..200), 0..600)) {
            let (mut entries, mut expected) = (Entries::default(), BTreeMap::new());
            let mut snapshots = Vec::new();
            for (n, (removes, key)) in steps.into_iter().enumerate() {
                if n % 50 == 0 {
                    snapshots.push((entries.clone(), rows(&entries)));
                }
                let (key, written_at) = (vec![key], n as u64);
                if removes && n % 3 == 0 {
                    entries.remove(&key);
                    expected.remove(&key);
                } else {
                    entries.put(Entry { key: key.clone().into(), value: Vec::new(), written_at });
                    expected.insert(key.clone(), written_at);
                }
                prop_assert_eq!(entries.get(&key).map(|entry| entry.written_at), expected.get(&key).copied());
            }
            prop_assert_eq!(rows(&entries), Vec::from_iter(expected));
            prop_assert_eq!(entries.len(), rows(&entries).len());
            prop_assert!(entries.0.iter().all(|chunk| (1..=LONGEST).contains(&chunk.len())));
            for (snapshot, before) in &snapshots {
                prop_assert_eq!(&rows(snapshot), before);
                let (one, two) = snapshot.apart(&entries);
                let (mut one, mut two) = (Vec::from_iter(one), Vec::from_iter(two));
                one.retain(|entry| !two.iter().any(|other| Arc::ptr_eq(entry, other)));
                two.retain(|entry| !snapshot.iter().any(|other| Arc::ptr_eq(entry, other)));
                let missing = |these: &Entries, those: &Entries| {
                    let other = |entry: &&Arc<Entry>| !those.iter().any(|other| Arc::ptr_eq(entry, other));
                    these.iter().filter(other).count()
                };
                prop_assert_eq!((one.len(), two.len()), (missing(snapshot, &entries), missing(&entries, snapshot)));
            }
        }
    }

    #[test]
    fn a_write_copies_one_chunk() {
        let mut entries = Entries::default();
        let entry = |n: u16| Entry { key: n.to_be_bytes().into(), value: Vec::new(), written_at: 0 };
        (0..1000).for_each(|n| entries.put(entry(n)));
        let mut after = entries.clone();
        after.put(entry(500));
        let apart = entries.apart(&after);
        assert!((1..=LONGEST).contains(&apart.0.count()) && (1..=LONGEST).contains(&apart.1.count()));
    }
}
