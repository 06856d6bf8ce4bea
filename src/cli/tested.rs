//! A ballot is run before it is signed: what it answers is shown, and one that would not vote as it is meant is refused.

use std::path::PathBuf;

use clap::Args;
use tokio::sync::OnceCell;

use super::common::Context;
use super::error::CliError;
use super::guard::Guard;
use super::state_source::{StateSource, fetch_from};
use ccf_gov::cose::{Message, MessageType};
use ccf_gov::id::MemberId;
use ccf_gov::proposal::ballot::Ballot;
use ccf_gov::review::Subject;
use ccf_gov::review::simulate::{BallotTest, Trial, reads_proposal_only};
use ccf_gov::review::state::State;
use ccf_gov::service::Service;

/// Whether the refusal of a ballot that would not vote as it is meant counts.
#[derive(Args)]
pub struct Tested {
    /// Sign a ballot although it throws, does not load, votes no where it is written to vote yes, or could not be run
    #[arg(long)]
    anyway: bool,
    /// The service's state, once it was read.
    #[arg(skip)]
    state: OnceCell<State>,
}

/// What is looked at before a request is signed for later, and what is signed all the same.
#[derive(Args)]
pub struct Precautions {
    #[command(flatten)]
    pub guard: Guard,
    #[command(flatten)]
    pub tested: Tested,
    /// Run a ballot on this state before it is signed, as `state export` wrote it, instead of on the service's
    #[arg(long, value_name = "FILE")]
    pub state: Option<PathBuf>,
}

impl Tested {
    /// Runs a ballot on what the service holds; the lines that are shown of it.
    pub async fn at(
        &self,
        context: &Context,
        service: &Service,
        subject: &Subject,
        member: MemberId,
        ballot: &Ballot,
    ) -> Result<Vec<String>, CliError> {
        let proposal = &subject.proposal;
        let test = if reads_proposal_only(ballot.kind()) {
            let text = subject.content.raw.to_string();
            let trial = Trial::submitted(proposal.proposal_id, &text, proposal.proposer_id);
            BallotTest::on_proposal(&trial, member, ballot.script()).map_err(CliError::from)
        } else {
            let state = self.state.get_or_try_init(|| fetch_from(context, service)).await;
            state.and_then(|state| Ok(state.test_ballot(proposal.proposal_id, member, ballot.script())?))
        };
        self.judge(context, ballot, test)
    }

    /// The lines that are shown of a test, unless it refuses the ballot.
    fn judge(
        &self,
        context: &Context,
        ballot: &Ballot,
        test: Result<BallotTest, CliError>,
    ) -> Result<Vec<String>, CliError> {
        let test = match test {
            Ok(test) => test,
            Err(error) if self.anyway => {
                context.output.warn(format!("the ballot was not run: {}", error.message));
                return Ok(Vec::new());
            }
            Err(error) => return Err(error.doing("nothing was signed: the ballot could not be run")),
        };
        if let Err(refused) = test.check(ballot.kind()) {
            if !self.anyway {
                context.output.note(format!("The ballot, run:\n  {}", test.lines().join("\n  ")));
                return Err(CliError::from(refused).unsigned());
            }
            context.output.warn(refused);
        }
        let head = ["when run"].into_iter().chain(std::iter::repeat(""));
        Ok(head.zip(test.lines()).map(|(head, line)| format!("{head:11} {line}")).collect())
    }
}

impl Precautions {
    /// Runs a ballot on the state that --state names, if it does; the lines that are shown of it.
    pub async fn on_state(
        &self,
        context: &Context,
        message: &Message,
        member: MemberId,
    ) -> Result<Vec<String>, CliError> {
        let (Some(_), MessageType::Ballot, Some(id)) = (&self.state, message.kind(), message.proposal_id()) else {
            return Ok(Vec::new());
        };
        let ballot = Ballot::parse(message.payload())?;
        let source = StateSource { state: self.state.clone() };
        let state = self.tested.state.get_or_try_init(|| source.read(context)).await?;
        let test = state.test_ballot(id, member, ballot.script());
        self.tested.judge(context, &ballot, test.map_err(CliError::from))
    }
}
