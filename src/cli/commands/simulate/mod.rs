//! `simulate`: what proposals would do, under the rules in force.

pub mod shown;

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::proposal::ProposalSource;
use crate::cli::common::Context;
use crate::cli::constitution_files::joined;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::members::Members;
use crate::cli::state_source::StateSource;
use crate::cli::trials;
use ccf_gov::files;
use ccf_gov::json;
use ccf_gov::proposal::ballot::{Ballot, MAX_BALLOT};
use ccf_gov::review::simulate::{Again, Outcome, Simulated, Simulator, Trial};
use shown::{Shown, human};

/// How many lines of a changed text are shown, unless all are asked for.
const FEW_LINES: usize = 20;
/// The largest file of ballots, in bytes.
const MAX_BALLOTS: u64 = 64 << 20;

/// Run proposals on a copy of the service's governance state, under its own constitution: valid? accepted when? what would change?
///
/// Nothing is signed and nothing is sent. Several proposals are tried one after the other, each on what the one before left. Members who
/// have not voted are taken to vote yes, one by one, until it is decided. Exits with 3 if a proposal is not valid, cannot pass, or
/// fails to apply.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov simulate register.json
  ccf-gov simulate 71af4505 --votes alice=yes,bob=no
  ccf-gov simulate register.json trust.json retire.json --state state.json
  ccf-gov simulate register.json --constitution actions.js,validate.js,resolve.js,apply.js")]
pub struct Simulate {
    /// A proposal: a file, or the id of an open one (its first digits suffice)
    #[arg(value_name = "PROPOSAL", required = true)]
    proposals: Vec<ProposalSource>,
    /// Votes that are given, by member: a name in a certificate, or an id (its first digits suffice)
    #[arg(long, value_name = "MEMBER=yes|no", value_delimiter = ',')]
    votes: Vec<String>,
    /// The ballot of a member, as `ballot new` writes it; it is run
    #[arg(long, value_name = "MEMBER=FILE")]
    ballot: Vec<String>,
    /// The ballots of many members: a JSON object of scripts, by member
    #[arg(long, value_name = "FILE")]
    ballots: Option<PathBuf>,
    /// Who proposes what is not submitted yet; without it, whose certificate --cert names, or the first active member
    #[arg(long, value_name = "MEMBER")]
    proposer: Option<String>,
    /// Judge under these rules instead of those in force; several files are joined in this order
    #[arg(long, value_name = "FILE", value_delimiter = ',')]
    constitution: Vec<PathBuf>,
    #[command(flatten)]
    state: StateSource,
}

impl Simulate {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let state = self.state.read(context).await?;
        let mut simulator = state.simulator();
        if !self.constitution.is_empty() {
            simulator = simulator
                .under(&joined(&self.constitution)?)
                .map_err(|error| CliError::usage(error).doing("cannot judge under these rules"))?;
        }
        let mut each = Vec::new();
        for source in &self.proposals {
            let trial = self.trial(context, source, &simulator)?;
            let tried = Simulated::run(&mut simulator, source.to_string(), &trial)
                .map_err(|error| CliError::usage(error).doing(format!("cannot simulate {source}")))?;
            each.push(tried);
        }
        let shown = Shown::of(&state, &each);
        let limit = if context.verbose { usize::MAX } else { FEW_LINES };
        context.output.result(&shown, || human(&state, &each, limit))?;
        Ok(exit(&each))
    }

    fn trial(&self, context: &Context, source: &ProposalSource, simulator: &Simulator) -> Result<Trial, CliError> {
        let members = Members::of(simulator);
        let proposer = || members.proposer(context, self.proposer.as_deref());
        let mut trial = trials::trial(source, simulator, proposer)?;
        if let Some(path) = &self.ballots {
            let refuse = |what: String| CliError::usage(what).doing(format!("cannot use {}", files::shown(path)));
            let file = json::parse(&files::read(path, MAX_BALLOTS)?).map_err(|error| refuse(error.to_string()))?;
            let by_member =
                file.as_object().ok_or_else(|| refuse("it is no JSON object of ballots by member".into()))?;
            for (name, ballot) in by_member {
                let script = ballot.as_str().or_else(|| ballot.get("ballot")?.as_str());
                let script = script.ok_or_else(|| refuse(format!("the ballot of {name:?} is no script")))?;
                trial = trial.with_ballot(members.voter(name)?, script);
            }
        }
        for given in &self.ballot {
            let (name, path) = pair(given, "--ballot alice=ballot.json")?;
            let path = PathBuf::from(path);
            let ballot = Ballot::parse(&files::read(&path, MAX_BALLOT)?)
                .map_err(|error| CliError::from(error).doing(format!("{} is not a ballot", files::shown(&path))))?;
            trial = trial.with_ballot(members.voter(name)?, ballot.script());
        }
        for given in &self.votes {
            let (name, vote) = pair(given, "--votes alice=yes,bob=no")?;
            let vote = match vote {
                "yes" => true,
                "no" => false,
                _ => {
                    return Err(CliError::usage(format!("the vote {given:?} is neither yes nor no"))
                        .hint("for example --votes alice=yes,bob=no"));
                }
            };
            trial = trial.with_vote(members.voter(name)?, vote);
        }
        Ok(trial)
    }
}

fn pair<'g>(given: &'g str, example: &str) -> Result<(&'g str, &'g str), CliError> {
    let usage =
        || CliError::usage(format!("{given:?} names no member and value")).hint(format!("for example {example}"));
    given.split_once('=').ok_or_else(usage)
}

fn exit(each: &[Simulated]) -> Exit {
    let unknown = |one: &Simulated| {
        one.simulation.outcome == Outcome::Unknown
            || one.simulation.passes()
                && one.rules.as_ref().is_some_and(|rules| matches!(rules.again, Again::Unknown(_)))
    };
    let fine =
        |one: &Simulated| one.simulation.passes() && one.rules.as_ref().is_none_or(|rules| rules.again == Again::Yes);
    match () {
        () if each.iter().all(fine) => Exit::Done,
        () if each.iter().all(|one| fine(one) || unknown(one)) => Exit::Failed,
        () => Exit::No,
    }
}
