//! The ledger: transactions in order, the tables after each, and how far they are committed.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};

use crate::id::TransactionId;
use crate::kv::Tables;

/// The most snapshots that are kept for nodes that lag behind.
const MAX_ENTRIES: usize = 4096;

/// What a service knows of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Unknown,
    Pending,
    Committed,
    Invalid,
}

impl Status {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::Committed => "Committed",
            Self::Invalid => "Invalid",
        }
    }
}

/// One transaction and the tables after it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) id: TransactionId,
    pub(super) tables: Tables,
    pub(super) root: [u8; 32],
    pub(super) signature: bool,
}

/// The transactions from the oldest that somebody may still read to the newest.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    entries: VecDeque<Entry>,
    /// The view, and the first seqno, of each view that wrote anything.
    views: Vec<TransactionId>,
    /// The last signed seqno before the oldest entry.
    signed_before: u64,
    commit: u64,
}

impl Ledger {
    /// A ledger that begins with one transaction.
    pub(super) fn new(id: TransactionId, tables: Tables, root: [u8; 32]) -> Self {
        let entry = Entry { id, tables, root, signature: false };
        Self { entries: [entry].into(), views: vec![id], signed_before: 0, commit: 0 }
    }

    /// A ledger that goes on after everything before `id`, which is committed.
    pub(super) fn resume(id: TransactionId, views: Vec<TransactionId>, tables: Tables, root: [u8; 32]) -> Self {
        let entry = Entry { id, tables, root, signature: true };
        Self { entries: [entry].into(), views, signed_before: 0, commit: id.seqno }
    }

    /// The newest transaction.
    pub(super) fn head(&self) -> &Entry {
        // There is always one: `new` puts it there, and `rollback` and `forget` keep it.
        &self.entries[self.entries.len() - 1]
    }

    /// The transaction at `seqno`, or the nearest that is still kept.
    pub(super) fn at(&self, seqno: u64) -> &Entry {
        let first = self.entries[0].id.seqno;
        let index = usize::try_from(seqno.saturating_sub(first)).unwrap_or(usize::MAX);
        &self.entries[index.min(self.entries.len() - 1)]
    }

    /// Appends a transaction in `view`; `digest` stands for what it wrote.
    pub(super) fn append(&mut self, view: u64, tables: Tables, digest: &[u8], signature: bool) -> TransactionId {
        let head = self.head();
        let id = TransactionId { view, seqno: head.id.seqno + 1 };
        let root = Sha256::new().chain_update(head.root).chain_update(digest).finalize().into();
        if self.views.last().is_none_or(|last| last.view != view) {
            self.views.push(id);
        }
        self.entries.push_back(Entry { id, tables, root, signature });
        id
    }

    /// Discards every transaction after `seqno`.
    pub(super) fn rollback(&mut self, seqno: u64) {
        while self.entries.len() > 1 && self.head().id.seqno > seqno {
            self.entries.pop_back();
        }
        let head = self.head().id.seqno;
        self.views.retain(|view| view.seqno <= head);
    }

    /// Drops snapshots before `seqno` that nobody reads.
    pub(super) fn forget(&mut self, seqno: u64) {
        while self.entries.len() > 1 && (self.entries[0].id.seqno < seqno || self.entries.len() > MAX_ENTRIES) {
            if let Some(entry) = self.entries.pop_front()
                && entry.signature
            {
                self.signed_before = entry.id.seqno;
            }
        }
    }

    /// The seqno of the last signature at or before `seqno`; what is after it is lost in an election.
    pub(super) fn last_signature(&self, seqno: u64) -> u64 {
        let found = self.entries.iter().rev().find(|e| e.signature && e.id.seqno <= seqno);
        found.map_or(self.signed_before, |e| e.id.seqno)
    }

    /// The seqno up to which everything is durable.
    pub(super) fn commit(&self) -> u64 {
        self.commit
    }

    pub(super) fn set_commit(&mut self, seqno: u64) {
        self.commit = seqno;
    }

    /// The view in which `seqno` was written; `None` if it was not.
    pub(super) fn view_at(&self, seqno: u64) -> Option<u64> {
        if seqno > self.head().id.seqno {
            return None;
        }
        self.views.iter().rev().find(|view| view.seqno <= seqno).map(|view| view.view)
    }

    /// The first transaction of each view.
    pub(super) fn views(&self) -> &[TransactionId] {
        &self.views
    }

    /// What a node that has everything up to `last`, and knows that `commit` is durable, says of `id`.
    pub(super) fn status(&self, id: TransactionId, last: u64, commit: u64) -> Status {
        let local = if id.seqno <= last { self.view_at(id.seqno) } else { None };
        let same = local == Some(id.view);
        match (commit >= id.seqno, same) {
            (true, true) => Status::Committed,
            (true, false) => Status::Invalid,
            (false, true) => Status::Pending,
            (false, false) if self.view_at(commit).is_some_and(|view| view > id.view) => Status::Invalid,
            (false, false) => Status::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(view: u64, seqno: u64) -> TransactionId {
        TransactionId { view, seqno }
    }

    #[test]
    fn what_an_election_discards_becomes_unknown_and_then_invalid() {
        let mut ledger = Ledger::new(id(2, 1), Tables::new(), [0; 32]);
        let signed = ledger.append(2, Tables::new(), b"", true);
        ledger.set_commit(signed.seqno);
        let lost = ledger.append(2, Tables::new(), b"x", false);
        assert_eq!(ledger.status(lost, 3, 2), Status::Pending);
        assert_eq!(ledger.status(lost, 2, 2), Status::Unknown, "a node that has not got it yet");
        ledger.rollback(ledger.last_signature(3));
        assert_eq!(ledger.status(lost, 2, 2), Status::Unknown);
        ledger.append(3, Tables::new(), b"", true);
        assert_eq!(ledger.status(lost, 3, 2), Status::Unknown);
        ledger.set_commit(3);
        assert_eq!(ledger.status(lost, 3, 3), Status::Invalid);
        assert_eq!(ledger.status(id(3, 3), 3, 3), Status::Committed);
        assert_eq!(ledger.status(id(2, 9), 3, 3), Status::Invalid);
        assert_eq!(ledger.status(id(9, 99_999), 3, 3), Status::Unknown);
        assert_eq!((ledger.view_at(2), ledger.view_at(3)), (Some(2), Some(3)));
    }
}
