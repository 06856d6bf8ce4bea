//! Whether the rules in force pass the proposals of a forecast: each is tried on the service's state, in its order.
//!
//! A node that does not run yet has a stand-in: a row that waits to be trusted, and whose attestation is empty.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use super::network::named;
use super::{Forecast, Turn};
use crate::check::{Checks, Verdict};
use crate::constitution::decide::Failure;
use crate::id::{MemberId, NodeId};
use crate::kv::row::{read, write};
use crate::kv::table;
use crate::platform::Platform;
use crate::proposal::Proposal;
use crate::review::simulate::{Outcome, PLACEHOLDER_CSR, SimulateError, Simulation, Simulator, Trial, Validity};
use crate::review::state::State;
use crate::text::visible;
use crate::upgrade::preconditions::CONSTITUTION;
use crate::upgrade::{Intended, Observed, Plan};

/// What is not known whole, and no rule about votes or nodes decides by: of nodes, the tables hold what a service tells; from which
/// transaction the newest ledger secret holds is only written down.
const IMMATERIAL: [&str; 2] = [table::NODE_INFO, "ledger secret"];
/// With more active members than this, of the proposals that trust nodes, and of those that retire nodes, the first and the last are tried.
const MANY: usize = 100;
/// Where whoever comes first proposes, so many members of different kinds are tried as proposers.
const MOST_PROPOSERS: usize = 8;

impl Forecast {
    /// Tries every proposal in its order on `state`, under the rules in force: whether it is valid, some votes pass it, it is applied,
    /// and no planned proposal that is open already is dropped by it. Of proposals of one kind, each finding is told once; with many
    /// members, of those that trust nodes and of those that retire nodes, the first and the last are tried.
    pub fn simulate(&self, plan: &Plan, seen: &Observed, state: &State) -> Checks {
        let mut course =
            Course { plan, seen, simulator: state.simulator(), found: Checks::new(), told: HashSet::new() };
        let few = course.simulator.active_members().len() <= MANY;
        for (at, turn) in self.turns.iter().enumerate() {
            let (before, later) =
                (self.turns.get(..at).unwrap_or_default(), self.turns.get(at + 1..).unwrap_or_default());
            if let (Turn::Propose(intended, _), false) = (turn, few)
                && [before, later].iter().all(|turns| turns.iter().any(|other| other.is_like(intended)))
            {
                course.assume(intended);
                continue;
            }
            if let Err(error) = course.turn(turn, later) {
                course.found.fail(CONSTITUTION, format!("nothing can be tried: {error}"));
                break;
            }
        }
        let mut found = Checks::new();
        for check in &course.found {
            found.push(check.name, check.verdict, named(&self.names, &check.detail));
        }
        found
    }
}

impl Turn {
    /// Whether it trusts or retires other nodes, as this does.
    fn is_like(&self, intended: &Intended) -> bool {
        matches!(
            (self, intended),
            (Self::Propose(Intended::Trust { .. }, _), Intended::Trust { .. })
                | (Self::Propose(Intended::Retire(_), _), Intended::Retire(_))
        )
    }
}

struct Course<'a> {
    plan: &'a Plan,
    seen: &'a Observed,
    simulator: Simulator,
    found: Checks,
    /// The kinds of proposals, and what was found of each.
    told: HashSet<(BTreeSet<String>, Verdict)>,
}

impl Course<'_> {
    fn turn(&mut self, turn: &Turn, later: &[Turn]) -> Result<(), SimulateError> {
        match turn {
            Turn::Start(nodes) => nodes.iter().for_each(|id| self.stand_in(*id)),
            Turn::Delete(nodes) => nodes.iter().for_each(|id| self.delete(*id)),
            Turn::Propose(intended, proposal) => {
                let simulation = self.propose(intended, proposal)?;
                let (verdict, detail) = judge(&simulation);
                let dropped = || self.dropped(&simulation, later);
                let (verdict, detail) = match (verdict, dropped()) {
                    (Verdict::Pass | Verdict::Warn, Some(dropped)) => (Verdict::Fail, dropped),
                    _ => (verdict, detail),
                };
                let kind = proposal.actions().iter().map(|action| action.name.clone()).collect::<BTreeSet<_>>();
                if self.told.insert((kind, verdict)) {
                    self.found.push(CONSTITUTION, verdict, format!("{}: {detail}", intended.title(self.plan)));
                }
            }
        }
        Ok(())
    }

    /// What a proposal that is not tried does to the nodes.
    fn assume(&mut self, intended: &Intended) {
        let (nodes, status) = match intended {
            Intended::Trust { nodes, most } => (nodes.get(..*most).unwrap_or(nodes), "Trusted"),
            Intended::Retire(nodes) => (nodes.get(..1).unwrap_or(nodes), "Retired"),
            _ => return,
        };
        for id in nodes.iter().map(NodeId::to_string) {
            if let Some(mut row) = read(self.simulator.tables(), table::NODE_INFO, &id) {
                row["status"] = status.into();
                write(self.simulator.tables_mut(), table::NODE_INFO, &id, &row);
            }
        }
    }

    fn stand_in(&mut self, id: NodeId) {
        let row = json!({
            "certificate_signing_request": PLACEHOLDER_CSR,
            "node_data": null,
            "quote_info": {"format": format(self.plan.new.platform), "quote": ""},
            "retired_committed": false,
            "rpc_interfaces": {},
            "status": "Pending",
        });
        write(self.simulator.tables_mut(), table::NODE_INFO, &id.to_string(), &row);
    }

    fn delete(&mut self, id: NodeId) {
        for name in [table::NODE_INFO, table::NODE_ENDORSED_CERTS] {
            self.simulator.tables_mut().remove(name, id.to_string().as_bytes());
        }
    }

    /// One that is open already is tried with the ballots that it has; of the others, whoever may propose it does.
    fn propose(&mut self, intended: &Intended, proposal: &Proposal) -> Result<Simulation, SimulateError> {
        if let Some(trial) = self.open(intended) {
            return self.simulator.run(&trial);
        }
        let text = String::from_utf8_lossy(proposal.bytes());
        let mut first = None;
        for proposer in self.proposers() {
            let (simulation, simulator) = self.proposed_by(proposer, &text)?;
            let passes = simulation.passes();
            if passes || first.is_none() {
                first = Some((simulation, simulator));
            }
            if passes {
                break;
            }
        }
        let (simulation, simulator) = first.ok_or(SimulateError::NobodyActive)?;
        self.simulator = simulator;
        Ok(simulation)
    }

    /// A new proposal on a copy of the tables. Of many members, first a majority votes yes, and then all of them; which votes suffice is
    /// looked for where those do not.
    fn proposed_by(&self, proposer: MemberId, text: &str) -> Result<(Simulation, Simulator), SimulateError> {
        let trial = Trial::new(text, proposer);
        let active = self.simulator.active_members();
        let counts = [active.len() / 2 + 1, active.len()];
        for count in counts.into_iter().filter(|_| active.len() > MANY) {
            let mut simulator = self.simulator.clone();
            let voting = active.iter().take(count).fold(trial.clone(), |trial, member| trial.with_vote(*member, true));
            let simulation = simulator.run(&voting)?;
            let is_given = simulation.passing.as_ref().is_some_and(|passing| passing.fewest == Some(0));
            if simulation.passes() && is_given {
                return Ok((simulation, simulator));
            }
        }
        let mut simulator = self.simulator.clone();
        Ok((simulator.run(&trial)?, simulator))
    }

    /// The open proposal that is what is intended, if there is one.
    fn open(&self, intended: &Intended) -> Option<Trial> {
        let open = self.simulator.open_proposals().into_iter().filter_map(|id| self.simulator.open_proposal(id).ok());
        open.into_iter().find(|trial| {
            Proposal::parse(trial.text().as_bytes()).is_ok_and(|p| intended.check(self.plan, self.seen.at, &p).is_ok())
        })
    }

    /// Who proposes: whom the plan names; otherwise the first active member, and then one of each kind.
    fn proposers(&self) -> Vec<MemberId> {
        if let Ok(Some(id)) = self.plan.proposing(self.seen) {
            return vec![id];
        }
        let mut kinds = BTreeSet::new();
        let mut kind = |id: &MemberId| {
            let row = read(self.simulator.tables(), table::MEMBER_INFO, &id.to_string()).unwrap_or(Value::Null);
            kinds.insert(row["member_data"].to_string())
        };
        self.simulator.active_members().into_iter().filter(|id| kind(id)).take(MOST_PROPOSERS).collect()
    }

    /// Which planned proposal that is open already is dropped.
    fn dropped(&self, simulation: &Simulation, later: &[Turn]) -> Option<String> {
        let open = simulation.drops.iter().filter_map(|id| Some((id, self.seen.proposals.get(id)?.proposal.as_ref()?)));
        let is_planned = |proposal: &Proposal| {
            later.iter().find_map(|turn| match turn {
                Turn::Propose(intended, _) => intended.check(self.plan, self.seen.at, proposal).ok().map(|()| intended),
                _ => None,
            })
        };
        open.into_iter().find_map(|(id, proposal)| {
            let planned = is_planned(proposal)?.title(self.plan);
            Some(format!("it drops the open proposal {}, which the plan needs later: {planned}", id.short()))
        })
    }
}

/// What CCF calls the attestation of a platform.
fn format(platform: Platform) -> &'static str {
    match platform {
        Platform::Virtual => "Insecure_Virtual",
        Platform::Snp => "AMD_SEV_SNP_v1",
        Platform::Sgx => "OE_SGX_v1",
    }
}

fn judge(simulation: &Simulation) -> (Verdict, String) {
    let passing = simulation.passing.as_ref();
    match (simulation.outcome, &simulation.validity) {
        (Outcome::NotValid, Validity::Threw(failure)) => {
            (Verdict::Fail, format!("validate throws: {}", describe(failure)))
        }
        (Outcome::NotValid, validity) => {
            let reason = visible(validity.reason().unwrap_or_default());
            (Verdict::Fail, format!("the constitution refuses it: {reason}"))
        }
        (Outcome::Failed, _) => {
            let reason = simulation.failure.as_ref().map(describe).unwrap_or_default();
            (Verdict::Fail, format!("no service carries it out: {reason}"))
        }
        (Outcome::Unknown, _) => {
            let reason = simulation.uncertain.last().map(|one| visible(&one.why)).unwrap_or_default();
            (Verdict::Warn, format!("not tried: {reason}"))
        }
        (Outcome::Open | Outcome::Rejected, _) => {
            let voters = passing.map_or(0, |passing| passing.voters);
            (Verdict::Fail, format!("no votes of the {voters} active members who have not voted pass it"))
        }
        (Outcome::Accepted, _) => {
            let given = passing.map_or(0, |passing| passing.given);
            let votes = match passing.and_then(|passing| Some((passing.fewest?, passing.most, passing.voters))) {
                Some((0, _, others)) if given > MANY / 2 => {
                    format!("valid, and passes with {given} of {} votes", given + others)
                }
                None | Some((0, ..)) => "valid, and the votes that it has pass it".to_owned(),
                Some((fewest, most, voters)) if most == Some(fewest) => {
                    format!("valid, and passes with {fewest} of {voters} votes")
                }
                Some((fewest, _, voters)) => format!("valid, and passes with {fewest} of {voters} votes at the fewest"),
            };
            match simulation.uncertain.iter().find(|one| !IMMATERIAL.contains(&one.what.as_str())) {
                None => (Verdict::Pass, votes),
                Some(one) => (
                    Verdict::Warn,
                    format!("{votes}; it rests on {}, which is not known: {}", visible(&one.what), visible(&one.why)),
                ),
            }
        }
    }
}

/// The reason, with the place where it was thrown.
fn describe(failure: &Failure) -> String {
    let place = failure.trace.as_deref().and_then(|trace| trace.lines().map(str::trim).find(|line| !line.is_empty()));
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    visible(&format!("{}{place}", failure.reason))
}

#[cfg(test)]
mod tests;
