//! What one ballot answers, found out before it is signed.

use super::{BallotAnswer, SimulateError, Simulator, Trial, Uncertain};
use crate::constitution::{DEFAULT, Proposal, Touched};
use crate::id::MemberId;
use crate::kv::Tables;
use crate::proposal::ballot::BallotKind;
use crate::text::visible;

/// What one ballot answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BallotTest {
    /// What it answers.
    pub answer: BallotAnswer,
    /// What the answer rests on and is not known here. Empty: certain, as far as this engine is CCF's.
    pub uncertain: Vec<Uncertain>,
}

/// Why a ballot is not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAsMeant {
    /// It would count for nothing.
    #[error("the ballot throws, so it gives no vote: {0}")]
    Throws(String),
    /// A service refuses it.
    #[error("the ballot does not load, and a service refuses it: {0}")]
    DoesNotLoad(String),
    /// It is written to vote yes, and votes no.
    #[error("the ballot is written to vote yes, and it votes no on this proposal in this state of the service")]
    VotesNo,
}

impl Simulator {
    /// Runs the ballot `script` of `member` on tables that hold the proposal, this ballot, and the others that were cast. The others
    /// are not run.
    ///
    /// # Errors
    /// There are no rules to judge by.
    pub fn test_ballot(&self, trial: &Trial, member: MemberId, script: &str) -> Result<BallotTest, SimulateError> {
        let touched = Touched::default();
        let constitution = self.constitution()?.watched(touched.clone());
        let (tables, _) = self.proposed(&trial.clone().with_ballot(member, script));
        let proposal = Proposal { text: trial.text(), id: trial.id(), proposer: trial.proposer() };
        let answer = BallotAnswer::of(constitution.vote(&tables, &proposal, member, script));
        Ok(BallotTest { answer, uncertain: self.uncertain(&touched) })
    }
}

impl BallotTest {
    /// Runs a ballot of a kind that looks at nothing but the proposal ([`reads_proposal_only`]).
    ///
    /// # Errors
    /// None is known.
    pub fn on_proposal(trial: &Trial, member: MemberId, script: &str) -> Result<Self, SimulateError> {
        Simulator::new(Tables::new(), None).under(DEFAULT)?.test_ballot(trial, member, script)
    }

    /// Refuses a ballot that gives no vote, and one of a kind that is written to vote yes if it votes no. What this engine cannot
    /// run is not refused.
    ///
    /// # Errors
    /// [`NotAsMeant`]
    pub fn check(&self, kind: BallotKind) -> Result<(), NotAsMeant> {
        let is_yes_meant = matches!(kind, BallotKind::Accept | BallotKind::Exact | BallotKind::Guarded);
        match &self.answer {
            BallotAnswer::Threw(failure) => Err(NotAsMeant::Throws(visible(&failure.reason))),
            BallotAnswer::DoesNotLoad(reason) => Err(NotAsMeant::DoesNotLoad(visible(reason))),
            BallotAnswer::No if is_yes_meant => Err(NotAsMeant::VotesNo),
            BallotAnswer::No | BallotAnswer::Yes | BallotAnswer::Unknown(_) => Ok(()),
        }
    }

    /// The answer, where in the script it throws, and what it rests on that is not known. Nothing in the lines can move a terminal's
    /// cursor or hide text.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.answer.describe().lines().map(visible).collect();
        lines.iter_mut().skip(1).for_each(|line| line.insert_str(0, "  "));
        let rests = |unknown: &Uncertain| format!("rests on {}: {}", visible(&unknown.what), visible(&unknown.why));
        lines.extend(self.uncertain.iter().map(rests));
        lines
    }
}

/// Whether a ballot of this kind looks at nothing of a service but the proposal.
pub fn reads_proposal_only(kind: BallotKind) -> bool {
    match kind {
        BallotKind::Accept | BallotKind::Reject | BallotKind::Exact => true,
        BallotKind::Guarded | BallotKind::Other => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::constitution::decide::ProposalInfo;
    use crate::id::ProposalId;
    use crate::kv::{SINGLETON, table};
    use crate::proposal::Proposal;
    use crate::proposal::ballot::{self, kind};

    const ME: MemberId = MemberId::from_bytes([1; 32]);
    const OTHER: MemberId = MemberId::from_bytes([2; 32]);
    const ID: ProposalId = ProposalId::from_bytes([9; 32]);

    /// A service that holds one proposal, on which somebody has voted by a ballot that never ends.
    fn simulator() -> (Simulator, Trial) {
        let mut tables = Tables::new();
        tables.begin(10);
        tables.put(table::CONSTITUTION, &SINGLETON, json!(DEFAULT).to_string());
        tables.put(table::MEMBER_INFO, ME.to_string().as_bytes(), json!({"status": "Active"}).to_string());
        tables.put(table::PROPOSALS, ID.to_string().as_bytes(), r#"{ "actions": [{"name": "x"}] }"#);
        let mut info = ProposalInfo::new(OTHER);
        info.ballots.insert(OTHER.to_string(), "export function vote() { for (;;) {} }".into());
        info.write(&mut tables, ID);
        let simulator = Simulator::new(tables, None);
        let trial = simulator.open_proposal(ID).unwrap();
        (simulator, trial)
    }

    fn test(script: &str) -> BallotTest {
        let (simulator, trial) = simulator();
        simulator.test_ballot(&trial, ME, script).unwrap()
    }

    fn vote(body: &str) -> String {
        format!("export function vote(proposal, proposerId) {{\n  {body}\n}}")
    }

    #[test]
    fn a_ballot_is_run_on_the_proposal_as_it_was_signed_and_on_the_tables() {
        let reads = [
            r#"return proposal === '{ "actions": [{"name": "x"}] }';"#.to_owned(),
            format!("return proposerId === '{OTHER}';"),
            format!(
                "return ccf.bufToJsonCompatible(ccf.kv['{}'].get(ccf.strToBuf('{ME}'))).status === 'Active';",
                table::MEMBER_INFO
            ),
            // Both ballots are in the proposal's row, and the other one is not run.
            format!(
                "return Object.keys(ccf.bufToJsonCompatible(ccf.kv['{}'].get(ccf.strToBuf('{ID}'))).ballots).length === 2;",
                table::PROPOSALS_INFO
            ),
        ];
        for body in reads {
            assert_eq!(test(&vote(&body)), BallotTest { answer: BallotAnswer::Yes, uncertain: vec![] }, "{body}");
        }
        assert_eq!(test(&vote("return 0;")).answer, BallotAnswer::No, "a vote is what JavaScript takes for true");
    }

    #[test]
    fn what_throws_names_the_line_and_what_does_not_load_says_why() {
        let thrown = test(&vote("const x = 1;\n  return x.y.z;"));
        let lines = thrown.lines();
        assert!(lines[0].starts_with("it throws, so it gives no vote: TypeError"), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(":3")), "{lines:?}");
        for script in ["export function vote( {", "export function ballot() { return true; }", ""] {
            let answer = test(script);
            assert!(matches!(answer.check(kind(script)), Err(NotAsMeant::DoesNotLoad(_))), "{answer:?}");
        }
        let hostile = test(&vote("throw new Error('\\u001b[2J\\nthis ballot yes');"));
        assert!(hostile.lines().iter().all(|line| !line.contains('\u{1b}') && !line.starts_with("this ballot")));
        assert!(matches!(hostile.check(BallotKind::Other), Err(NotAsMeant::Throws(_))));
    }

    #[test]
    fn a_no_is_refused_only_where_yes_is_meant() {
        let other = Proposal::parse(br#"{"actions": [{"name": "y"}]}"#).unwrap();
        let exact = ballot::exact(&other).unwrap();
        assert_eq!(test(exact.script()).check(exact.kind()), Err(NotAsMeant::VotesNo));
        for no in [ballot::reject().script().to_owned(), vote("return proposal === '';")] {
            assert_eq!(test(&no).check(kind(&no)), Ok(()), "{no}");
        }
        assert_eq!(test(ballot::accept().script()).check(BallotKind::Accept), Ok(()));
    }

    #[test]
    fn a_ballot_that_reads_only_the_proposal_needs_no_state() {
        let same = Proposal::parse(br#"{"actions": [{"name": "x"}]}"#).unwrap();
        let trial = Trial::submitted(ID, r#"{"actions":[{"name":"x"}]}"#, OTHER);
        let answer = |ballot: &ballot::Ballot| {
            assert!(reads_proposal_only(ballot.kind()));
            BallotTest::on_proposal(&trial, ME, ballot.script()).unwrap().answer
        };
        assert_eq!(answer(&ballot::exact(&same).unwrap()), BallotAnswer::Yes);
        assert_eq!(answer(&ballot::accept()), BallotAnswer::Yes);
        assert_eq!(answer(&ballot::reject()), BallotAnswer::No);
        assert!(!reads_proposal_only(kind(&vote("return ccf.kv.size > 0;"))));
    }

    #[test]
    fn what_the_answer_rests_on_and_is_not_known_is_named() {
        let (simulator, trial) = simulator();
        let simulator = simulator.lacking(|name| (name == table::USER_INFO).then_some("made up"));
        let reads = vote(&format!("return ccf.kv['{}'].size === 0;", table::USER_INFO));
        let tested = simulator.test_ballot(&trial, ME, &reads).unwrap();
        assert_eq!(tested.answer, BallotAnswer::Yes);
        assert_eq!(tested.lines()[1], format!("rests on {}: made up", table::USER_INFO));
        assert!(simulator.open_proposal(ProposalId::from_bytes([8; 32])).is_err());
    }
}
