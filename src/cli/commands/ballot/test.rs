//! `ballot test`: what a ballot answers on the service as it is.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::commands::proposal::ProposalSource;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::members::Members;
use crate::cli::state_source::StateSource;
use crate::cli::trials;
use ccf_gov::files;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::proposal::ballot::{Ballot, BallotKind, MAX_BALLOT};
use ccf_gov::review::simulate::{BallotAnswer, BallotTest, Trial};
use ccf_gov::text::visible;

/// Run a ballot on the service as it is, and say what it answers
///
/// Nothing is signed and nothing is sent. Exits with 0 if it votes yes, 3 if no, and 1 if it gives no vote.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov ballot test ballot.json --proposal 71af4505
  ccf-gov ballot test ballot.json --proposal proposal.json --state state.json")]
pub struct Test {
    /// The ballot, as `ballot new` writes it
    #[arg(value_name = "FILE")]
    ballot: PathBuf,
    /// What is voted on: a file, or an open proposal's id or the first digits of it
    #[arg(long, value_name = "FILE|ID")]
    proposal: ProposalSource,
    /// Who votes, and proposes what is in a file: a name, an id, or the first digits of it; without it, whose certificate --cert
    /// names, or else the first active member
    #[arg(long, value_name = "MEMBER")]
    member: Option<String>,
    #[command(flatten)]
    state: StateSource,
}

/// What is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Tested {
    /// Null if it is not submitted.
    proposal_id: Option<ProposalId>,
    /// Whose ballot it is.
    member_id: MemberId,
    kind: BallotKind,
    answer: Answer,
    /// Why it gives no vote.
    reason: Option<String>,
    /// Where it throws: its calls, with their lines.
    trace: Option<String>,
    /// What the answer rests on and is not known here.
    uncertain: Vec<Unknown>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
enum Answer {
    Yes,
    No,
    Throws,
    DoesNotLoad,
    Unknown,
}

/// Something that is not known.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Unknown {
    what: String,
    why: String,
}

impl Test {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let ballot = Ballot::parse(&files::read(&self.ballot, MAX_BALLOT)?)
            .map_err(|e| CliError::from(e).doing(format!("{} is not a ballot", files::shown(&self.ballot))))?;
        let state = self.state.read(context).await?;
        let simulator = state.simulator();
        let member = Members::of(&simulator).proposer(context, self.member.as_deref())?;
        let trial = trials::trial(&self.proposal, &simulator, || Ok(member))?;
        let test = simulator.test_ballot(&trial, member, ballot.script())?;
        context
            .output
            .result(&Tested::of(&test, &trial, member, &ballot), || self.text(&test, &trial, member, &ballot))?;
        Ok(match test.answer {
            BallotAnswer::Yes => Exit::Done,
            BallotAnswer::No => Exit::No,
            BallotAnswer::Threw(_) | BallotAnswer::DoesNotLoad(_) | BallotAnswer::Unknown(_) => Exit::Failed,
        })
    }

    fn text(&self, test: &BallotTest, trial: &Trial, member: MemberId, ballot: &Ballot) -> String {
        let proposal = match trial.is_held() {
            true => trial.id().to_string(),
            false => format!("{}, which is not submitted", visible(&self.proposal.to_string())),
        };
        let answer = test.lines().join("\n          ");
        format!("Proposal  {proposal}\nMember    {member}\nBallot    {}\nAnswers   {answer}\n", ballot.kind().words())
    }
}

impl Tested {
    fn of(test: &BallotTest, trial: &Trial, member: MemberId, ballot: &Ballot) -> Self {
        let (answer, reason, trace) = match &test.answer {
            BallotAnswer::Yes => (Answer::Yes, None, None),
            BallotAnswer::No => (Answer::No, None, None),
            BallotAnswer::Threw(failure) => (Answer::Throws, Some(&failure.reason), failure.trace.clone()),
            BallotAnswer::DoesNotLoad(reason) => (Answer::DoesNotLoad, Some(reason), None),
            BallotAnswer::Unknown(reason) => (Answer::Unknown, Some(reason), None),
        };
        let unknown = test.uncertain.iter().map(|one| Unknown { what: one.what.clone(), why: one.why.clone() });
        Self {
            proposal_id: trial.is_held().then(|| trial.id()),
            member_id: member,
            kind: ballot.kind(),
            answer,
            reason: reason.cloned(),
            trace,
            uncertain: unknown.collect(),
        }
    }
}
