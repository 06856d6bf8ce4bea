//! `proposal review`: everything that a member needs before a vote, on one page.

use std::path::{Path, PathBuf};

use clap::Args;
use time::OffsetDateTime;

use crate::cli::commands::measure::LaunchArgs;
use crate::cli::commands::proposal::ProposalSource;
use crate::cli::commands::verify::proposal::also;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::members::Members;
use crate::cli::state_source::{StateSource, fetch_from};
use crate::cli::{evidence, pasted, trials};
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::Conclusion;
use ccf_gov::files::{self, Readers};
use ccf_gov::id::ProposalId;
use ccf_gov::json;
use ccf_gov::proposal::{Note, Proposal, ProposalError};
use ccf_gov::review::report::{Commands, Parts, Review as Made};
use ccf_gov::review::rules::{self, Terms};
use ccf_gov::review::simulate::{Simulator, Trial};
use ccf_gov::review::state::State;
use ccf_gov::review::{ServiceView, notes};

/// So many lines of each long part are shown at the terminal, unless all are asked for.
const FEW_LINES: usize = 40;
/// So many lines of each text that changes are part of what an action says, unless all are asked for.
const NOTED_LINES: usize = 20;

/// Put everything about a proposal on one page, for a member who is about to vote
///
/// What its actions say, what lint finds, what evidence backs, what the simulation shows, who voted, what changed since, and the
/// ballot to sign, ready as a command. Nothing is signed and nothing is sent. A proposal in a file is reviewed without a service,
/// too, as far as that goes, and it is said what is missing. Nothing is loaded by the page, and nothing in it runs.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 nothing was found that speaks against it; 3 something does, or could not be checked.

Examples:
  ccf-gov proposal review 71af4505 -o review.html
  ccf-gov proposal review 71af4505 --evidence js_generic --ballot-out ballot.json
  ccf-gov proposal review 71af4505 --since last-week.json
  ccf-gov proposal review register.json --state state.json"
)]
pub struct Review {
    /// The proposal: a file (- for standard input), or the id of an open one (its first digits suffice)
    #[arg(value_name = "FILE|ID")]
    proposal: ProposalSource,
    /// Write the page, HTML, to this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the ballot to this file: for exactly what was reviewed, and guarded by the state that was
    #[arg(long, value_name = "FILE")]
    ballot_out: Option<PathBuf>,
    /// Replace the files if they exist
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    state: StateSource,
    /// A state that was exported before, as `state export` wrote it: say what changed since
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// The artefacts that back what it registers; repeat, or give several
    #[arg(long, num_args = 1.., value_name = "FILE")]
    evidence: Vec<PathBuf>,
    #[command(flatten, next_help_heading = "A guest's launch, as an artefact")]
    launch: LaunchArgs,
    /// With evidence: an action that the proposal may hold although no evidence can back it, such as remove_node; repeat
    #[arg(long, value_name = "ACTION", value_delimiter = ',', value_parser = also)]
    also: Vec<String>,
    /// The version of CCF whose rules count; by default the one that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
}

impl Review {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        for path in [&self.out, &self.ballot_out].into_iter().flatten().filter(|path| *path != Path::new("-")) {
            files::refuse_existing(path, self.force)?;
        }
        let (state, service) = match (&self.state.state, context.service.is_empty()) {
            (Some(_), _) => (Some(self.state.read(context).await?), None),
            (None, false) => {
                let service = context.connect().await?;
                (Some(fetch_from(context, &service).await?), Some(service))
            }
            (None, true) => (None, None),
        };
        let (text, id, proposer) = match &state {
            Some(state) => {
                let simulator = state.simulator();
                let proposer = || Members::of(&simulator).proposer(context, None);
                let trial = trials::trial(&self.proposal, &simulator, proposer)?;
                let id = if trial.is_held() { Some(trial.id()) } else { submitted(&trial, &simulator) };
                (trial.text().to_owned(), id, Some(trial.proposer()))
            }
            None => match &self.proposal {
                ProposalSource::File(path) => (trials::text(path)?, None, None),
                // It says that there is no service.
                ProposalSource::Id(_) => return context.connect().await.map(|_| Exit::Failed),
            },
        };
        let proposal = match Proposal::parse(text.as_bytes()) {
            Err(error) if id.is_none() && ProposalError::is_no_proposal(&error) => {
                return Err(self.proposal.not_a_proposal(error));
            }
            proposal => proposal.ok(),
        };
        let since = self.since(state.as_ref())?;
        let version = self.ccf_version.or_else(|| state.as_ref().and_then(|state| state.version));
        let noted: Vec<Note> = match (&service, json::parse(text.as_bytes())) {
            (Some(service), Ok(content)) => {
                let limit = if context.verbose { usize::MAX } else { NOTED_LINES };
                notes(&content, &ServiceView::read(service, &content).await?, limit)
            }
            _ => Vec::new(),
        };
        let made = Made::of(Parts {
            source: self.proposal.to_string(),
            text: &text,
            id,
            proposer,
            notes: noted,
            evidence: self.verified(context, proposal.as_ref(), state.as_ref(), version)?,
            state: state.as_ref(),
            since: since.as_ref(),
            me: context.cert.is_some().then(|| context.member()).transpose()?,
            catalogue: &context.catalogue,
            version,
            now: OffsetDateTime::now_utc(),
            commands: self.commands(),
        });
        let made = made.map_err(|error| CliError::usage(error).doing(format!("cannot review {}", self.proposal)))?;
        self.write(context, &made)?;
        Ok(if made.verdict == Conclusion::Pass { Exit::Done } else { Exit::No })
    }

    fn since(&self, state: Option<&State>) -> Result<Option<State>, CliError> {
        let Some(path) = &self.since else { return Ok(None) };
        if state.is_none() {
            return Err(CliError::usage("--since is compared with the service as it is, and there is none to ask")
                .hint("give --service and --service-cert, or --state FILE"));
        }
        crate::cli::state_source::file(path).map(Some)
    }

    fn verified(
        &self,
        context: &Context,
        proposal: Option<&Proposal>,
        state: Option<&State>,
        ccf: Option<CcfVersion>,
    ) -> Result<Option<rules::Verified>, CliError> {
        let mut given = evidence::read(&self.evidence, ccf)?;
        given.extend(evidence::launch(&self.launch)?);
        let Some(proposal) = proposal.filter(|_| !given.is_empty()) else { return Ok(None) };
        let terms = Terms { ccf, also: self.also.iter().cloned().collect(), catalogue: context.catalogue.clone() };
        let policy = state.and_then(State::join_policy);
        Ok(Some(rules::verify(proposal, &given, &terms, policy.as_ref())))
    }

    fn commands(&self) -> Commands {
        let shell = |path: &Path| pasted::word(&path.to_string_lossy());
        let file = match &self.proposal {
            ProposalSource::File(path) if path != Path::new("-") => Some(shell(path)),
            ProposalSource::File(_) | ProposalSource::Id(_) => None,
        };
        let ballot = self.ballot_out.as_deref().filter(|path| *path != Path::new("-")).map(shell);
        Commands { file, ballot, options: pasted::common_options() }
    }

    fn write(&self, context: &Context, made: &Made) -> Result<(), CliError> {
        if let Some(path) = &self.ballot_out {
            match made.ballot.ballot() {
                Some(ballot) => context.output.file(path, &ballot.payload(), Readers::Shared, self.force)?,
                None => context.output.warn(format!("no ballot was written: {}", made.ballot.why)),
            }
        }
        if let Some(path) = &self.out {
            context.output.file(path, made.to_html().as_bytes(), Readers::Shared, self.force)?;
        }
        let most = if context.verbose { usize::MAX } else { FEW_LINES };
        context.output.result(made, || made.lines(most).join("\n"))
    }
}

/// The one open proposal that a file is a copy of.
fn submitted(trial: &Trial, simulator: &Simulator) -> Option<ProposalId> {
    let wanted = json::parse(trial.text().as_bytes()).ok()?;
    let same = |id: &ProposalId| {
        let held = simulator.open_proposal(*id).ok();
        let held = held.and_then(|held| json::parse(held.text().as_bytes()).ok());
        held.is_some_and(|held| json::same(&held, &wanted))
    };
    let open: Vec<ProposalId> = simulator.open_proposals().into_iter().filter(same).collect();
    match open[..] {
        [id] => Some(id),
        _ => None,
    }
}
