//! What a proposal would do on a service, under the service's own rules, before anybody signs it.
//!
//! A [`Simulator`] holds a service's tables and runs proposals on them, one after the other: `validate`, `resolve` with no votes and
//! vote by vote until it is decided, `apply`. It decides by `constitution/decide`, as the sandbox does.

mod ballot_test;
mod change;
mod constitution_change;
mod host;
mod passing;
mod simulated;
mod simulation;
mod told;
mod trial;
mod words;

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::ccf_version::CcfVersion;
use crate::constitution::decide::{self, Failure, ProposalInfo};
use crate::constitution::{Constitution, ConstitutionError, Proposal, ScriptError, Stage, Touched};
use crate::id::{MemberId, ProposalId};
use crate::kv::row::{read, read_one, rows};
use crate::kv::{Change, SINGLETON, Tables, table};
use crate::proposal::ballot;
use host::SimulatedHost;

pub use ballot_test::{BallotTest, NotAsMeant, reads_proposal_only};
pub use change::{shown_key, shown_value};
pub use constitution_change::{Again, ConstitutionChange, again};
pub use host::{PLACEHOLDER_CSR, placeholder_csr};
pub use passing::{Group, Passing};
pub use simulated::{Simulated, who};
pub use simulation::{BallotAnswer, BallotRun, Outcome, Simulation, Uncertain, Validity};
pub use told::{Told, ToldBallot, ToldChange, ToldRules, ToldUncertain};
pub use trial::Trial;
pub use words::{changes_in_words, effect_in_words, name_of};

/// A service's tables, on which proposals are tried one after the other.
#[derive(Clone, Debug)]
pub struct Simulator {
    tables: Tables,
    version: Option<CcfVersion>,
    why_not_known: fn(&str) -> Option<&'static str>,
}

/// Why nothing can be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The constitution table is empty.
    #[error("the service has no constitution, so nothing can be decided on it")]
    NoConstitution,
    /// What is in the constitution table cannot be run.
    #[error("the constitution cannot be run")]
    Constitution(#[from] ConstitutionError),
    /// There is no such open proposal.
    #[error("there is no open proposal {0}")]
    NotOpen(ProposalId),
    /// Nobody could propose.
    #[error("the service has no active member, so nobody can propose or vote")]
    NobodyActive,
}

impl Simulator {
    /// On these tables, of a service of `version`; of the newest version that is known without one.
    pub fn new(tables: Tables, version: Option<CcfVersion>) -> Self {
        Self { tables, version, why_not_known: |_| None }
    }

    /// With what the tables lack: for a table that is not whole, the reason.
    pub fn lacking(self, why_not_known: fn(&str) -> Option<&'static str>) -> Self {
        Self { why_not_known, ..self }
    }

    /// Judges by these rules instead of those in force.
    ///
    /// # Errors
    /// They are no constitution.
    pub fn under(mut self, constitution: &str) -> Result<Self, ConstitutionError> {
        Constitution::new(constitution)?;
        self.tables.put(table::CONSTITUTION, &SINGLETON, Value::from(constitution).to_string());
        Ok(self)
    }

    /// The tables now: after what was simulated.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The same, to change them: what happens on a service beside proposals.
    pub fn tables_mut(&mut self) -> &mut Tables {
        &mut self.tables
    }

    /// The members who may vote, by id.
    pub fn active_members(&self) -> Vec<MemberId> {
        active(&self.tables)
    }

    /// Every member with the name in its certificate, by id.
    pub fn members(&self) -> Vec<(MemberId, Option<String>)> {
        let ids = rows(&self.tables, table::MEMBER_INFO).filter_map(|(id, _)| id.parse::<MemberId>().ok());
        ids.map(|id| (id, name_of(&id.to_string(), &self.tables))).collect()
    }

    /// The proposals that are open, by id.
    pub fn open_proposals(&self) -> Vec<ProposalId> {
        let open = rows(&self.tables, table::PROPOSALS_INFO).filter(|(_, row)| row["state"] == "Open");
        open.filter_map(|(id, _)| id.parse().ok()).collect()
    }

    /// The open proposal `id`, with the ballots that were cast on it.
    ///
    /// # Errors
    /// There is no such proposal, or it is no longer open.
    pub fn open_proposal(&self, id: ProposalId) -> Result<Trial, SimulateError> {
        let name = id.to_string();
        let info = ProposalInfo::read(&self.tables, &name).filter(|info| info.state == "Open");
        let text = self.tables.get(table::PROPOSALS, name.as_bytes());
        match (info, text) {
            (Some(info), Some(text)) => Ok(Trial::held(id, &String::from_utf8_lossy(text), info)),
            _ => Err(SimulateError::NotOpen(id)),
        }
    }

    /// What would become of `trial` if every active member voted yes who has not voted. The tables are what they would be then; if it
    /// would not be decided, it stays open in them.
    ///
    /// # Errors
    /// There are no rules to judge by.
    pub fn run(&mut self, trial: &Trial) -> Result<Simulation, SimulateError> {
        let touched = Touched::default();
        let constitution = self.constitution()?.watched(touched.clone());
        let before = self.tables.clone();
        let validity = match trial.is_held() {
            true => Validity::Valid,
            false => validate(&constitution, &before, trial.text()),
        };
        let mut simulation = Simulation::of(trial, validity);
        if simulation.validity == Validity::Valid {
            self.decide(&constitution, trial, &before, &mut simulation);
        }
        simulation.uncertain.extend(self.uncertain(&touched));
        Ok(simulation)
    }

    /// Runs the ballots of `trial` only, on tables that hold the proposal.
    ///
    /// # Errors
    /// There are no rules to judge by.
    pub fn run_ballots(&self, trial: &Trial) -> Result<(Vec<BallotRun>, Vec<Uncertain>), SimulateError> {
        let touched = Touched::default();
        let constitution = self.constitution()?.watched(touched.clone());
        let (tables, _) = self.proposed(trial);
        Ok((run_ballots(&constitution, &tables, trial), self.uncertain(&touched)))
    }

    fn constitution(&self) -> Result<Constitution, SimulateError> {
        let source = read_one(&self.tables, table::CONSTITUTION);
        let source = source.as_ref().and_then(Value::as_str).ok_or(SimulateError::NoConstitution)?;
        let constitution = Constitution::new(source)?;
        Ok(match self.version {
            Some(version) => constitution.on(version),
            None => constitution,
        })
    }

    /// The tables with the proposal in them, as after it was created.
    fn proposed(&self, trial: &Trial) -> (Tables, ProposalInfo) {
        let mut tables = self.tables.clone();
        tables.begin(tables.seqno() + 1);
        let info = trial.info();
        tables.put(table::PROPOSALS, trial.id().to_string().as_bytes(), trial.text());
        info.write(&mut tables, trial.id());
        (tables, info)
    }

    fn decide(&mut self, constitution: &Constitution, trial: &Trial, before: &Tables, simulation: &mut Simulation) {
        let (tables, mut info) = self.proposed(trial);
        simulation.ballots = run_ballots(constitution, &tables, trial);
        if let Some(run) = simulation.ballots.iter().find(|run| run.answer.ends_request()) {
            let reason = format!("the ballot of {} does not load, and a service refuses the whole request", run.member);
            simulation.uncertain.push(Uncertain::new("ballots", reason));
        }
        let proposal = Proposal { text: trial.text(), id: trial.id(), proposer: trial.proposer() };
        let mut given = trial.votes().clone();
        given.extend(simulation.ballots.iter().filter_map(|run| Some((run.member, run.answer.vote()?))));
        let resolve = |votes: &[(MemberId, bool)]| constitution.resolve(&tables, &proposal, votes);
        let passing = passing::passing(&tables, &active(&tables), &given, resolve);
        let deciding = match passing {
            Ok(passing) => {
                let deciding = passing.deciding.clone();
                simulation.passing = Some(passing);
                deciding
            }
            Err(error) => return simulation.note_failure("resolve", error),
        };
        // The votes that are given come first, and then the missing ones until it is decided.
        for (member, vote) in given.iter().map(|(m, v)| (*m, *v)).chain(deciding.iter().map(|m| (*m, true))) {
            let script = if vote { ballot::accept() } else { ballot::reject() };
            info.ballots.entry(member.to_string()).or_insert_with(|| script.script().to_owned());
        }
        let (mut after, host) = (tables.clone(), SimulatedHost::default());
        match decide::decide(constitution, &mut after, trial.id(), trial.text(), &mut info, &host) {
            Err(error) => return simulation.note_failure("decide", error),
            Ok(effects) => simulation.effects = effects,
        }
        simulation.uncertain.extend(host.uncertain());
        if let Some(failure) = info.failure.take() {
            simulation.outcome = Outcome::Failed;
            simulation.failure = Some(failure);
            self.tables = tables;
            return;
        }
        simulation.outcome = Outcome::of(&info.state);
        simulation.changes = changes(&after, before, trial.id());
        simulation.drops = dropped(&after, before, trial.id());
        self.tables = after;
    }

    /// What scripts have read that the tables do not hold whole.
    fn uncertain(&self, touched: &Touched) -> Vec<Uncertain> {
        let lacks = |name: &String| Some(Uncertain::new(name, (self.why_not_known)(name)?));
        let versions = touched.versions();
        let version = |name: &String| Uncertain::new(name, "a script asked when a row was written, which is not known");
        touched.tables().iter().filter_map(lacks).chain(versions.iter().map(version)).collect()
    }
}

fn validate(constitution: &Constitution, tables: &Tables, text: &str) -> Validity {
    match constitution.validate(tables, text) {
        Ok(answer) if answer.valid => Validity::Valid,
        Ok(answer) => Validity::Invalid(answer.description),
        Err(ScriptError { stage: Stage::Engine, reason, .. }) => Validity::Unknown(reason),
        Err(error) => Validity::Threw(Failure { reason: error.reason, trace: error.trace }),
    }
}

fn run_ballots(constitution: &Constitution, tables: &Tables, trial: &Trial) -> Vec<BallotRun> {
    let proposal = Proposal { text: trial.text(), id: trial.id(), proposer: trial.proposer() };
    let ballots: Vec<_> = trial.ballots().iter().map(|(member, script)| (*member, script.as_str())).collect();
    let answers = constitution.vote_all(tables, &proposal, &ballots).into_iter().map(BallotAnswer::of);
    ballots.iter().zip(answers).map(|((member, _), answer)| BallotRun { member: *member, answer }).collect()
}

fn active(tables: &Tables) -> Vec<MemberId> {
    let active = rows(tables, table::MEMBER_INFO).filter(|(_, row)| row["status"] == "Active");
    active.filter_map(|(id, _)| id.parse().ok()).collect()
}

/// What differs, but for the proposal itself and those that were no longer open and are purged. A row whose JSON is the same in another
/// order is not different: an API does not tell the order in which a row was written.
fn changes(after: &Tables, before: &Tables, id: ProposalId) -> Vec<Change> {
    let id = id.to_string();
    let is_own = |change: &Change| {
        let of_proposals = [table::PROPOSALS, table::PROPOSALS_INFO].contains(&change.table.as_str());
        of_proposals && (change.key == id.as_bytes() || change.after.is_none())
    };
    let is_same = |change: &Change| match (&change.before, &change.after) {
        (Some(before), Some(after)) => shown_value(before) == shown_value(after),
        _ => false,
    };
    after.changes_since(before).into_iter().filter(|change| !is_own(change) && !is_same(change)).collect()
}

/// The other proposals that were open and are not any more.
fn dropped(after: &Tables, before: &Tables, id: ProposalId) -> Vec<ProposalId> {
    let open = rows(before, table::PROPOSALS_INFO).filter(|(_, row)| row["state"] == "Open");
    let others = open.filter_map(|(name, _)| name.parse::<ProposalId>().ok()).filter(|other| *other != id);
    let is_open = |other: &ProposalId| {
        read(after, table::PROPOSALS_INFO, &other.to_string()).is_some_and(|row| row["state"] == "Open")
    };
    others.filter(|other| !is_open(other)).collect()
}
