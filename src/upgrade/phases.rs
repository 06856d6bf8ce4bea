//! The phases, each with the check of what it claims.

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::macros::format_description;

use super::code::removal;
use super::operator::OperatorError;
use super::quorum::Change;
use super::walk::{check_node, claim};
use super::{Code, Phase, Step, Upgrade, UpgradeError};
use crate::id::NodeId;
use crate::proposal::Action;
use crate::service::{NodeStatus, Replication, ServiceStatus};

impl Upgrade<'_> {
    /// One merged proposal with every value: a second one would drop the first.
    pub(super) async fn register(&mut self, steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        let missing = self.new.registration(&*self.service.join_policy().await?);
        if missing.is_empty() {
            return self.done(steps, Phase::Register, "the new code is registered already", None).await;
        }
        let passed = self.pass(missing).await?;
        if !self.new.is_admitted(&*self.service.join_policy().await?) {
            return Err(claim("the registration was accepted, and the join policy does not admit the new code"));
        }
        self.done(steps, Phase::Register, "the join policy admits the new code beside the old", Some(passed)).await
    }

    /// New nodes are trusted one after the other, each caught up before the next: the others stay a majority.
    pub(super) async fn join_and_trust(&mut self, steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        for number in 1..=self.nodes {
            let id = self.operator.start(&self.new).await?;
            let joined = self.wait(format!("node {id} has joined"), async || Ok(self.service.node(id).await?)).await?;
            if let Some(transaction) = joined.transaction {
                // From then on a node that is dead is behind, and seen to be.
                self.service.wait_transaction(transaction).await?;
            }
            let node = joined.value;
            if node.status != NodeStatus::Pending {
                return Err(claim(format!("node {id} joined, and is {} instead of Pending", node.status)));
            }
            check_node(&self.new, &node).map_err(|reason| UpgradeError::Attestation { node: id, reason })?;
            self.guard(|s| s.check(&Change::adding([id]), 0).map(|a| a.after)).await?;
            let valid_from = OffsetDateTime::now_utc()
                .format(format_description!("[year repr:last_two][month][day][hour][minute][second]Z"))
                .map_err(|e| claim(format!("the time cannot be written: {e}")))?;
            let args = json!({"node_id": id, "valid_from": valid_from, "validity_period_days": self.validity_days});
            let passed = self.pass(vec![Action::new("transition_node_to_trusted", Some(args))]).await?;
            self.wait(format!("node {id} has caught up"), async || {
                let replication = Replication::take(self.service).await?;
                Ok(replication.filter(|s| s.settled && s.caught_up.contains(&id)))
            })
            .await?;
            let title = format!("new node {number} of {} ({}) is trusted and caught up", self.nodes, id.short());
            self.service.refresh().await;
            self.done(steps, Phase::JoinAndTrust, title, Some(passed)).await?;
        }
        Ok(())
    }

    /// Backups first; the primary last, for its removal is an election.
    pub(super) async fn retire(&mut self, old: &[NodeId], steps: &mut Vec<Step>) -> Result<Vec<NodeId>, UpgradeError> {
        let mut left = old.to_vec();
        let mut retired = Vec::new();
        while !left.is_empty() {
            let replication = self.replication().await?;
            let at = left.iter().position(|id| *id != replication.primary).unwrap_or(0);
            let id = left.remove(at);
            let was_primary = id == replication.primary;
            self.guard(|s| s.check(&Change::removing([id]), 0).map(|a| a.after)).await?;
            let passed = self.pass(vec![Action::new("remove_node", Some(json!({ "node_id": id })))]).await?;
            self.wait(format!("the retirement of node {id} is committed"), async || {
                let node = self.service.node(id).await?;
                Ok(node.filter(|n| n.status == NodeStatus::Retired && n.retired_committed))
            })
            .await?;
            self.wait(format!("the network goes on without node {id}"), async || {
                let replication = Replication::take(self.service).await?;
                Ok(replication.filter(|s| s.settled && !s.configured.contains(&id)))
            })
            .await?;
            retired.push(id);
            let what = if was_primary { "the primary, as the last old node" } else { "an old backup" };
            self.done(steps, Phase::Retire, format!("{what} ({}) is retired", id.short()), Some(passed)).await?;
        }
        Ok(retired)
    }

    /// A retired node's process ends when its retirement is committed, and then the service forgets it.
    pub(super) async fn delete(&mut self, retired: &[NodeId], steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        for id in retired {
            self.wait(format!("node {id} is removable"), async || {
                let removable = self.service.removable_nodes().await?;
                Ok(removable.iter().any(|n| n.node_id == *id).then_some(()))
            })
            .await?;
            self.operator.stop(*id).await?;
            self.service.refresh().await;
            self.service.delete_node(*id).await?;
            if self.service.node(*id).await?.is_some() {
                return Err(claim(format!("node {id} was deleted, and the service still has it")));
            }
            self.done(steps, Phase::Delete, format!("old node {} is stopped and deleted", id.short()), None).await?;
        }
        Ok(())
    }

    /// Constitution and application in one proposal, if they are not as wanted already.
    pub(super) async fn set_rules(&mut self, steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        let mut actions = Vec::new();
        if let Some(constitution) = self.rules.constitution.clone()
            && self.service.constitution().await? != constitution
        {
            actions.push(Action::new("set_constitution", Some(json!({ "constitution": constitution }))));
        }
        if let Some(bundle) = self.rules.application.clone()
            && self.application_differs(&bundle).await?.is_some()
        {
            actions.push(Action::new("set_js_app", Some(json!({ "bundle": bundle }))));
        }
        if actions.is_empty() {
            return self.done(steps, Phase::Rules, "constitution and application are as wanted already", None).await;
        }
        let passed = self.pass(actions).await?;
        if let Some(constitution) = &self.rules.constitution
            && self.service.constitution().await? != *constitution
        {
            return Err(claim("the constitution was accepted, and the service shows another one"));
        }
        if let Some(bundle) = &self.rules.application
            && let Some(difference) = self.application_differs(bundle).await?
        {
            return Err(claim(format!(
                "the application was accepted, and the service shows another one: {difference}"
            )));
        }
        self.done(steps, Phase::Rules, "constitution and application are set", Some(passed)).await
    }

    /// What in the service's application is not as in `bundle`: its modules' text, or its endpoints' names.
    async fn application_differs(&self, bundle: &Value) -> Result<Option<String>, UpgradeError> {
        let wanted = bundle.get("modules").and_then(Value::as_array).cloned().unwrap_or_default();
        let held = self.service.modules().await?;
        if held.len() != wanted.len() {
            return Ok(Some(format!("{} modules instead of {}", held.len(), wanted.len())));
        }
        for module in &wanted {
            let name = module.get("name").and_then(Value::as_str).unwrap_or_default();
            // A service keeps module names with a leading slash.
            let name = format!("/{}", name.trim_start_matches('/'));
            if !held.contains(&name) {
                return Ok(Some(format!("there is no module {name}")));
            }
            if module.get("module").and_then(Value::as_str) != Some(&self.service.module(&name).await?) {
                return Ok(Some(format!("module {name} has another text")));
            }
        }
        let names = |endpoints: Option<&Value>| -> Vec<String> {
            let paths = endpoints.and_then(Value::as_object).into_iter().flatten();
            let one = |(path, methods): (&String, &Value)| {
                let methods = methods.as_object().into_iter().flatten();
                methods.map(|(method, _)| format!("{} {path}", method.to_uppercase())).collect::<Vec<_>>()
            };
            let mut names: Vec<String> = paths.flat_map(one).collect();
            names.sort();
            names
        };
        let held = self.service.application().await?;
        let (held, wanted) = (names(held.raw.get("endpoints")), names(bundle.pointer("/metadata/endpoints")));
        Ok((held != wanted).then(|| format!("endpoints {held:?} instead of {wanted:?}")))
    }

    /// The join policy admits nothing but the new code.
    pub(super) async fn deregister(&mut self, steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        let surplus: Vec<_> = self
            .new
            .others(&*self.service.join_policy().await?)
            .iter()
            .map(|(kind, key)| removal(*kind, key))
            .collect();
        if surplus.is_empty() {
            return self.done(steps, Phase::Deregister, "no other code is registered", None).await;
        }
        let passed = self.pass(surplus).await?;
        let policy = self.service.join_policy().await?;
        if !self.new.is_admitted(&policy) || !self.new.others(&policy).is_empty() {
            return Err(claim("the old code was removed, and the join policy is not the new code alone"));
        }
        self.done(steps, Phase::Deregister, "the old code is no longer admitted", Some(passed)).await
    }

    /// Only new code runs, and only new code is let in: a node with the old code is started, and refused.
    pub(super) async fn check(&mut self, old: &[NodeId], steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        let nodes = self.service.nodes().await?.value;
        for node in &nodes {
            if old.contains(&node.node_id) {
                return Err(claim(format!("old node {} is still there", node.node_id)));
            }
            check_node(&self.new, node).map_err(|reason| UpgradeError::Attestation { node: node.node_id, reason })?;
        }
        let trusted = nodes.iter().filter(|n| n.status == NodeStatus::Trusted).count();
        if trusted != self.nodes || nodes.len() != trusted {
            return Err(claim(format!(
                "{trusted} of {} nodes are trusted, and {} are wanted",
                nodes.len(),
                self.nodes
            )));
        }
        let status = self.service.info().await?.value.status;
        if status != ServiceStatus::Open {
            return Err(claim(format!("the service is {:?} instead of Open", status.to_string())));
        }
        self.done(steps, Phase::Check, "every node runs the new code, and the service is open", None).await
    }

    /// Starts a node with `code`, which must be refused.
    pub async fn check_refused(&mut self, code: &Code, steps: &mut Vec<Step>) -> Result<(), UpgradeError> {
        match self.operator.start(code).await {
            Err(OperatorError::Refused(reason)) => {
                let title = format!("a node with the old code was started and refused: {reason}");
                self.done(steps, Phase::Check, title, None).await
            }
            Err(error) => Err(error.into()),
            Ok(id) => Err(claim(format!("node {id} with the old code was let in"))),
        }
    }
}
