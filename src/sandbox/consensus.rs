//! Who leads, what is durable, and what happens when nodes come, go and die.
//!
//! The rules are CCF's: a transaction is committed when a signature at or after it has reached a
//! majority of every active configuration; a primary that does not hear a majority steps down; a new
//! primary has the newest signature among those that can be elected, and what follows it is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::ledger::Ledger;
use super::node::{Belief, Node, NodeState};
use super::options::Options;
use super::tables::{NodeRow, nodes};
use crate::id::NodeId;
use crate::kv::{Tables, table};

/// The nodes that take part from a transaction on.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) seqno: u64,
    pub(super) nodes: BTreeSet<NodeId>,
}

/// Everything that changes.
pub(super) struct State {
    pub(super) ledger: Ledger,
    pub(super) nodes: BTreeMap<NodeId, Node>,
    pub(super) view: u64,
    pub(super) primary: Option<NodeId>,
    /// The committed configuration, and those that wait to be.
    pub(super) configurations: Vec<Configuration>,
    /// Since when the primary is not heard of, or hears no majority.
    pub(super) lost_since: Option<Instant>,
    /// When the next election is held, while there is no primary.
    pub(super) election_at: Option<Instant>,
    /// When the first write was made that no signature covers.
    pub(super) unsigned_since: Option<Instant>,
    /// The newest and the newest committed transaction when retirements were last looked at.
    pub(super) examined: (u64, u64),
}

impl State {
    /// Lets time pass. Nothing is written into the ledger, elections aside, unless `may_write`.
    pub(super) fn tick(&mut self, now: Instant, options: &Options, may_write: bool) {
        if self.leader(now).is_some() {
            if may_write {
                self.sign(now, options);
            }
            self.replicate(now);
            self.commit();
            let newest = (self.ledger.head().id.seqno, self.ledger.commit());
            if may_write && self.examined != newest {
                self.examined = newest;
                self.mark_retired(now);
                self.part_from_retired(now);
            }
        }
        self.watch_primary(now, options.election_timeout);
        self.elect(now, options.election_timeout);
        let needed = self.nodes.values().filter(|n| n.takes_part(now) && n.matched > 0).map(|n| n.matched).min();
        self.ledger.forget(needed.unwrap_or(u64::MAX).min(self.ledger.commit()));
    }

    /// The primary, if it hears the others.
    fn leader(&self, now: Instant) -> Option<NodeId> {
        self.primary.filter(|id| self.nodes.get(id).is_some_and(|n| n.takes_part(now)))
    }

    /// Takes note of what the newest transaction changed in the set of nodes.
    pub(super) fn reconfigure(&mut self, now: Instant, catch_up: Duration) {
        let head = self.ledger.head();
        let trusted: BTreeSet<NodeId> =
            nodes(&head.tables).filter(|(_, row)| row.status == "Trusted").map(|(id, _)| id).collect();
        if self.configurations.last().is_some_and(|c| c.nodes == trusted) {
            return;
        }
        for id in &trusted {
            if let Some(node) = self.nodes.get_mut(id)
                && node.ready_at.is_none()
            {
                node.ready_at = Some(now + catch_up);
                node.heard = now;
            }
        }
        self.configurations.push(Configuration { seqno: head.id.seqno, nodes: trusted });
    }

    /// Signs what was written, once it is due and the committed configuration is heard.
    fn sign(&mut self, now: Instant, options: &Options) {
        let due = self.unsigned_since.is_some_and(|since| now >= since + options.signature_interval);
        if due && self.configurations.first().is_some_and(|c| self.majority_takes_part(c, now)) {
            self.write_signature();
        }
    }

    pub(super) fn write_signature(&mut self) {
        let head = self.ledger.head();
        let mut tables = head.tables.clone();
        tables.begin(head.id.seqno + 1);
        super::tables::put_signature(&mut tables, head.id.seqno + 1, &head.root);
        self.ledger.append(self.view, tables, b"signature", true);
        self.unsigned_since = None;
    }

    fn replicate(&mut self, now: Instant) {
        let (head, commit) = (self.ledger.head().id.seqno, self.ledger.commit());
        for node in self.nodes.values_mut().filter(|n| n.takes_part(now)) {
            node.matched = head;
            node.commit = commit;
            node.heard = now;
        }
    }

    fn commit(&mut self) {
        let mut durable = self.ledger.last_signature(self.ledger.head().id.seqno);
        while durable > self.ledger.commit() {
            let bound = self.configurations.iter().filter(|c| c.seqno <= durable);
            let stalled = bound.filter(|c| !self.reached(c, durable)).map(|c| c.seqno).min();
            match stalled {
                // What comes before a configuration that is not caught up does not need it.
                Some(seqno) => durable = self.ledger.last_signature(seqno.saturating_sub(1)),
                None => break,
            }
        }
        if durable <= self.ledger.commit() {
            return;
        }
        self.ledger.set_commit(durable);
        if let Some(current) = self.configurations.iter().rposition(|c| c.seqno <= durable) {
            self.configurations.drain(..current);
        }
        if let Some(primary) = self.primary.and_then(|id| self.nodes.get_mut(&id)) {
            primary.commit = durable;
        }
    }

    fn reached(&self, configuration: &Configuration, seqno: u64) -> bool {
        let count = configuration.nodes.iter().filter(|id| self.nodes.get(id).is_some_and(|n| n.matched >= seqno));
        count.count() > configuration.nodes.len() / 2
    }

    fn majority_takes_part(&self, configuration: &Configuration, now: Instant) -> bool {
        let count = configuration.nodes.iter().filter(|id| self.nodes.get(id).is_some_and(|n| n.takes_part(now)));
        count.count() > configuration.nodes.len() / 2
    }

    /// Writes `retired_committed` for nodes whose retirement is durable.
    fn mark_retired(&mut self, now: Instant) {
        let head = self.ledger.head();
        let durable = &self.ledger.at(self.ledger.commit()).tables;
        let retired = |row: &NodeRow| row.status == "Retired";
        let done: Vec<NodeId> = nodes(&head.tables)
            .filter(|(_, row)| retired(row) && !row.retired_committed)
            .filter(|(id, _)| NodeRow::of(durable, *id).as_ref().is_some_and(retired))
            .map(|(id, _)| id)
            .collect();
        if done.is_empty() {
            return;
        }
        let mut tables = head.tables.clone();
        tables.begin(head.id.seqno + 1);
        for id in done {
            super::tables::update_node(&mut tables, id, |row| row["retired_committed"] = true.into());
        }
        self.ledger.append(self.view, tables, b"retired", false);
        self.unsigned_since.get_or_insert(now);
    }

    /// Cuts off nodes of which everybody knows that they are retired. A retired primary hands over.
    fn part_from_retired(&mut self, now: Instant) {
        let durable = self.ledger.at(self.ledger.commit()).tables.clone();
        let newest = &self.ledger.head().tables;
        // A node whose join is not committed yet is not in the durable tables either, and is not gone.
        let is_gone = |id| match NodeRow::of(&durable, id) {
            Some(row) => row.status == "Retired" && row.retired_committed,
            None => NodeRow::of(newest, id).is_none(),
        };
        let gone: Vec<NodeId> = self
            .nodes
            .values()
            .filter(|n| n.belief.is_none() && n.ready_at.is_some())
            .filter(|n| is_gone(n.id))
            .map(|n| n.id)
            .collect();
        for id in gone {
            self.cut_off(id);
            if self.primary == Some(id) {
                self.primary = None;
                self.lost_since = None;
                self.election_at = Some(now + Duration::from_millis(20));
            }
        }
    }

    /// From now on node `id` believes what it believes now.
    pub(super) fn cut_off(&mut self, id: NodeId) {
        let (view, primary) = (self.view, self.primary);
        if let Some(node) = self.nodes.get_mut(&id) {
            let tables = self.ledger.at(node.matched).tables.clone();
            node.belief = Some(Belief { view, primary, tables, commit: node.commit });
        }
    }

    /// Notices that the primary is gone, or that it hears no majority.
    fn watch_primary(&mut self, now: Instant, timeout: Duration) {
        let Some(primary) = self.primary else { return };
        let healthy = self.leader(now).is_some() && self.configurations.iter().all(|c| self.hears(c, now, timeout));
        if healthy {
            self.lost_since = None;
            return;
        }
        // A primary that is alone steps down when it has heard nobody for the timeout; `hears` has waited already.
        let alone = self.leader(now).is_some();
        let since = *self.lost_since.get_or_insert(now);
        if !alone && now < since + timeout {
            return;
        }
        if self.nodes.get(&primary).is_some_and(|n| n.state == NodeState::Paused) {
            self.cut_off(primary);
            if let Some(belief) = self.nodes.get_mut(&primary).and_then(|n| n.belief.as_mut()) {
                belief.primary = None;
            }
        }
        self.primary = None;
        self.lost_since = None;
        self.roll_back(self.ledger.last_signature(self.ledger.head().id.seqno));
        self.election_at = Some(now + timeout / 10);
    }

    fn hears(&self, configuration: &Configuration, now: Instant, timeout: Duration) -> bool {
        let heard =
            |id: &&NodeId| self.primary == Some(**id) || self.nodes.get(id).is_some_and(|n| now < n.heard + timeout);
        configuration.nodes.iter().filter(heard).count() > configuration.nodes.len() / 2
    }

    fn roll_back(&mut self, seqno: u64) {
        self.ledger.rollback(seqno);
        self.configurations.retain(|c| c.seqno <= seqno);
        self.unsigned_since = None;
        for node in self.nodes.values_mut() {
            node.matched = node.matched.min(seqno);
        }
    }

    /// Holds the election that is due.
    fn elect(&mut self, now: Instant, timeout: Duration) {
        if self.primary.is_some() || self.election_at.is_none_or(|at| now < at) {
            return;
        }
        let quorum = self.configurations.iter().all(|c| self.majority_takes_part(c, now));
        let latest = self.configurations.last().map(|c| &c.nodes);
        let candidates = self.nodes.values().filter(|n| n.takes_part(now) && latest.is_some_and(|c| c.contains(&n.id)));
        let newest = |n: &&Node| (self.ledger.last_signature(n.matched), std::cmp::Reverse(n.id));
        let Some(winner) = candidates.max_by_key(newest).filter(|_| quorum).map(|n| n.id) else {
            self.election_at = Some(now + timeout / 2);
            return;
        };
        let matched = self.nodes.get(&winner).map_or(0, |n| n.matched);
        self.roll_back(self.ledger.last_signature(matched));
        self.view += 1;
        self.primary = Some(winner);
        self.election_at = None;
        for node in self.nodes.values_mut() {
            node.heard = now;
        }
        self.write_signature();
    }

    /// The tables that node `id` reads.
    pub(super) fn tables_of(&self, node: &Node) -> Tables {
        match &node.belief {
            Some(belief) => belief.tables.clone(),
            None if self.primary == Some(node.id) => self.ledger.head().tables.clone(),
            None => self.ledger.at(node.matched).tables.clone(),
        }
    }

    /// The certificate that the service endorsed for `node`, once the node knows of it.
    pub(super) fn certificate_of(&self, node: &Node, now: Instant) -> Option<(u64, String)> {
        if node.ready_at.is_none_or(|at| now < at) {
            return None;
        }
        let tables = self.tables_of(node);
        let key = node.id.to_string();
        let seqno = tables.version_of_previous_write(table::NODE_ENDORSED_CERTS, key.as_bytes())?;
        let pem = tables.get(table::NODE_ENDORSED_CERTS, key.as_bytes())?;
        Some((seqno, String::from_utf8_lossy(pem).into_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tables::update_node;
    use super::super::{NodeCode, Sandbox, example_members};
    use super::*;
    use crate::constitution::DEFAULT;

    #[tokio::test]
    async fn a_node_that_is_trusted_before_its_join_is_committed_takes_part() {
        let mut options = Options::new(example_members(), DEFAULT.into(), vec![NodeCode::named("old")]);
        // Nothing is signed any more, so nothing more is committed.
        options.signature_interval = Duration::from_secs(3600);
        let sandbox = Sandbox::start(options).await.unwrap();
        let id = sandbox.join(NodeCode::named("old")).await.unwrap();
        sandbox.write(|tables| update_node(tables, id, |row| row["status"] = "Trusted".into()));
        sandbox.network.tick(Instant::now());
        let state = sandbox.network.state();
        assert!(NodeRow::of(&state.ledger.at(state.ledger.commit()).tables, id).is_none(), "it is not committed");
        assert!(state.nodes[&id].ready_at.is_some() && state.nodes[&id].belief.is_none(), "it was cut off");
    }
}
