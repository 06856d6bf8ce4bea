//! The service that all nodes share: reads on one node, writes through the primary.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::SandboxError;
use super::consensus::State;
use super::identity::{Key, valid_from};
use super::ledger::Status;
use super::options::Options;
use super::reply::Fault;
use super::snp::Hardware;
use crate::constitution::{Constitution, Host};
use crate::id::{NodeId, TransactionId};
use crate::kv::row::read_one;
use crate::kv::{SINGLETON, Tables, table};

/// One service, its nodes and its ledger.
pub(super) struct Network {
    pub(super) options: Options,
    pub(super) key: Key,
    /// Made when the first SNP node needs it.
    hardware: OnceLock<Hardware>,
    state: Mutex<State>,
    /// Held while a transaction is executed; always taken before `state`.
    writer: Mutex<()>,
    /// The last constitution that ran, with its row as it stands in the table.
    constitution: Mutex<Option<(Vec<u8>, Arc<Constitution>)>>,
    /// How long a node that was trusted takes to catch up.
    pub(super) catch_up: Mutex<Duration>,
    /// How many requests its nodes were sent.
    pub(super) requests: AtomicU64,
}

/// What one node sees at one moment.
pub(super) struct Vantage {
    pub(super) node: NodeId,
    /// The tables after the newest transaction that the node has.
    pub(super) tables: Tables,
    /// That transaction.
    pub(super) id: TransactionId,
    /// The tables as far as the node knows them to be committed.
    pub(super) durable: Tables,
    pub(super) commit: TransactionId,
    pub(super) view: u64,
    pub(super) primary: Option<NodeId>,
}

/// The state from which a transaction starts.
pub(super) struct Base {
    pub(super) root: [u8; 32],
}

impl Network {
    pub(super) fn new(options: Options, key: Key, hardware: Option<Hardware>, state: State) -> Self {
        Self {
            catch_up: Mutex::new(options.catch_up),
            options,
            key,
            hardware: hardware.map(OnceLock::from).unwrap_or_default(),
            state: Mutex::new(state),
            writer: Mutex::new(()),
            constitution: Mutex::new(None),
            requests: AtomicU64::new(0),
        }
    }

    /// What signs for SNP nodes, if there has been one.
    pub(super) fn known_hardware(&self) -> Option<&Hardware> {
        self.hardware.get()
    }

    /// What signs for SNP nodes.
    pub(super) fn hardware(&self) -> Result<&Hardware, SandboxError> {
        match self.hardware.get() {
            Some(hardware) => Ok(hardware),
            None => {
                let made = Hardware::generate()?;
                Ok(self.hardware.get_or_init(|| made))
            }
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass once.
    pub(super) fn tick(&self, now: Instant) {
        let writer = self.writer.try_lock();
        self.state().tick(now, &self.options, writer.is_ok());
    }

    /// What node `id` sees now.
    pub(super) fn vantage(&self, id: NodeId) -> Option<Vantage> {
        let state = self.state();
        let node = state.nodes.get(&id)?;
        let tables = state.tables_of(node);
        let (view, primary, commit, last) = match &node.belief {
            Some(belief) => (belief.view, belief.primary, belief.commit, node.matched),
            None if state.primary == Some(id) => (state.view, state.primary, node.commit, state.ledger.head().id.seqno),
            None => (state.view, state.primary, node.commit, node.matched),
        };
        let at = |seqno| TransactionId { view: state.ledger.view_at(seqno).unwrap_or(0), seqno };
        Some(Vantage {
            node: id,
            id: at(last),
            durable: state.ledger.at(commit).tables.clone(),
            commit: at(commit),
            tables,
            view,
            primary,
        })
    }

    /// What node `id` knows of a transaction.
    pub(super) fn status(&self, id: NodeId, transaction: TransactionId) -> Status {
        let state = self.state();
        let Some(node) = state.nodes.get(&id) else { return Status::Unknown };
        let last = if state.primary == Some(id) { state.ledger.head().id.seqno } else { node.matched };
        state.ledger.status(transaction, last, node.commit)
    }

    /// Executes a transaction on node `on`, which has to be the primary. Nothing is written if `change` fails.
    pub(super) fn write<T>(
        &self,
        on: NodeId,
        change: impl FnOnce(&mut Tables, &Base) -> Result<T, Fault>,
    ) -> Result<(T, TransactionId), Fault> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = || Fault::new(503, "TransactionReplicationFailed", "The transaction could not be replicated.");
        let (before, base, head, view) = {
            let state = self.state();
            if state.primary != Some(on) {
                return Err(lost());
            }
            let head = state.ledger.head();
            (head.tables.clone(), Base { root: head.root }, head.id, state.view)
        };
        let mut tables = before.clone();
        tables.begin(head.seqno + 1);
        let result = change(&mut tables, &base)?;
        let changes = tables.changes_since(&before);
        if changes.is_empty() {
            return Ok((result, head));
        }
        let mut digest = Sha256::new();
        for change in &changes {
            for part in [change.table.as_bytes(), &change.key, change.after.as_deref().unwrap_or(b"\0")] {
                digest.update((part.len() as u64).to_le_bytes());
                digest.update(part);
            }
        }
        let mut state = self.state();
        if state.primary != Some(on) || state.view != view || state.ledger.head().id != head {
            return Err(lost());
        }
        let id = state.ledger.append(view, tables, &digest.finalize(), false);
        let now = Instant::now();
        state.unsigned_since.get_or_insert(now);
        if changes.iter().any(|change| change.table == table::NODE_INFO) {
            state.reconfigure(now, *self.catch_up.lock().unwrap_or_else(PoisonError::into_inner));
        }
        Ok((result, id))
    }

    /// The constitution that `tables` hold, ready to run.
    pub(super) fn constitution(&self, tables: &Tables) -> Result<Arc<Constitution>, Fault> {
        let row = tables.get(table::CONSTITUTION, &SINGLETON).unwrap_or_default();
        let mut kept = self.constitution.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, constitution)) = kept.as_ref().filter(|(known, _)| known == row) {
            return Ok(constitution.clone());
        }
        let source = read_one(tables, table::CONSTITUTION);
        let source = source.as_ref().and_then(|s| s.as_str()).ok_or_else(|| {
            Fault::internal("The service has no constitution, so proposals and ballots cannot be evaluated.")
        })?;
        let constitution = Arc::new(Constitution::new(source).map_err(|e| Fault::internal(e.to_string()))?);
        *kept = Some((row.to_vec(), constitution.clone()));
        Ok(constitution)
    }
}

/// What a constitution asks of the service while it applies a proposal.
pub(super) struct Endorser<'n> {
    pub(super) key: &'n Key,
    pub(super) ledger_secret_seqno: u64,
}

impl std::fmt::Debug for Endorser<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Endorser")
    }
}

impl Host for Endorser<'_> {
    fn endorse(&self, csr_pem: &str, from: &str, validity_days: u64) -> Result<String, String> {
        let from = valid_from(from)?;
        self.key.endorse(csr_pem, from, validity_days).map_err(|e| describe(&e))
    }

    fn network_certificate(&self, from: &str, validity_days: u64) -> Result<String, String> {
        let from = valid_from(from)?;
        self.key.service_certificate(from, validity_days).map_err(|e| describe(&e))
    }

    fn latest_ledger_secret_seqno(&self) -> u64 {
        self.ledger_secret_seqno
    }
}

fn describe(error: &SandboxError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A moment `ago` before now.
pub(super) fn ago(ago: Duration) -> OffsetDateTime {
    OffsetDateTime::now_utc() - ago
}
