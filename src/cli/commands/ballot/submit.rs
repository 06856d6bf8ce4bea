//! `ballot submit`: see what is voted on, sign a ballot, send it.

use std::path::PathBuf;

use clap::Args;

use crate::cli::commands::ballot::guards::Guards;
use crate::cli::commands::ballot::verified::Basis;
use crate::cli::commands::proposal::{ProposalSource, not_held};
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::guard::Guard;
use crate::cli::sign_and_submit;
use crate::cli::tested::Tested;
use ccf_gov::cose::MessageType;
use ccf_gov::files;
use ccf_gov::id::ProposalId;
use ccf_gov::proposal::Proposal;
use ccf_gov::proposal::ballot::{self, Ballot, MAX_BALLOT};
use ccf_gov::review::vain::Effect;
use ccf_gov::review::{Subject, votable};
use ccf_gov::service::Reference;
use ccf_gov::upgrade::may_accept;

/// Sign a ballot on a proposal and send it, after showing what is voted on; prints the proposal
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov ballot submit 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 --accept
  ccf-gov ballot submit 71af4505250701568dae25e5f7b47ae51810ade7248446c2c18d4ed31cbff965 --exact register.json
  ccf-gov ballot submit 71af4505 --guarded register.json
  ccf-gov ballot submit 71af4505 --verified --evidence js_generic --also remove_node")]
pub struct Submit {
    /// The proposal: its id, or the first digits of it; without it, the only open one
    #[arg(value_name = "ID")]
    id: Option<Reference<ProposalId>>,
    #[command(flatten)]
    vote: Vote,
    #[command(flatten)]
    guards: Guards,
    #[command(flatten)]
    basis: Basis,
    #[command(flatten)]
    guard: Guard,
    #[command(flatten)]
    tested: Tested,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Vote {
    /// Vote yes
    #[arg(long)]
    accept: bool,
    /// Vote no
    #[arg(long)]
    reject: bool,
    /// This ballot, as `ballot new` writes it
    #[arg(long, value_name = "FILE")]
    ballot: Option<PathBuf>,
    /// Vote yes if the service holds exactly this proposal, by a ballot that votes no on any other; sign nothing if it holds
    /// another one. A file, or what `proposal show --output json` printed
    #[arg(long, value_name = "PROPOSAL-FILE")]
    exact: Option<ProposalSource>,
    /// As --exact, and only while the service is as it is now: by a ballot that votes no if the certificate, the constitution, or
    /// what the actions touch changes before the proposal is resolved (`ballot new --help`)
    #[arg(long, value_name = "PROPOSAL-FILE")]
    guarded: Option<ProposalSource>,
    /// Vote yes, exactly, if the evidence backs what the service holds, as `verify proposal` finds it; else sign nothing
    #[arg(long, requires = "evidence")]
    verified: bool,
}

impl Submit {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.vote.guarded.is_none() && !self.guards.is_empty() {
            return Err(CliError::usage("only a guarded ballot has guards").hint("use --guarded, or omit --guard"));
        }
        let given = self.vote.read(context).await?;
        let service = context.connect().await?;
        let id = context.proposal_to_sign(&service, self.id.as_ref()).await?;
        let read = async || Subject::read(&service, id).await?.ok_or_else(|| not_held(id));
        let (subject, committed) = context.read(&service, read).await?;
        let (ballot, expected) = match (given, &self.vote.guarded) {
            (Some(given), _) => given,
            (None, Some(source)) => {
                let proposal = source.read(context).await?;
                (self.guards.ballot(context, &service, &proposal).await?, Some(proposal))
            }
            (None, None) => exactly(self.basis.backed(context, &service, &subject).await?)?,
        };
        votable(id, expected.as_ref(), &subject.content.raw).map_err(|why| {
            context.output.note(format!("Proposal {id}:\n{}", context.subject_actions(&subject)));
            CliError::from(why).unsigned()
        })?;
        let signer = context.signer().await?;
        let member = signer.certificate().member_id();
        // What is not committed may still be undone: then the same ballot is signed once more, which is harmless.
        let effect = subject.ballot(member, ballot.script())?;
        if effect == Effect::Held && committed {
            sign_and_submit::print_held(context, &subject.proposal, "same-ballot", "you have voted this way already")?;
            return Ok(Exit::Done);
        }
        let answer = match effect {
            Effect::New => self.tested.at(context, &service, &subject, member, &ballot).await?,
            Effect::Held => Vec::new(),
        };
        let (kind, payload) = (MessageType::Ballot, ballot.payload());
        let guard = match may_accept(&payload) {
            true => self.guard.judge(context, &service, &subject.content.raw, &subject.view).await,
            false => Ok(None),
        };
        let guard = guard.map_err(CliError::unsigned)?;
        let mut beside = context.beside_subject(&subject, member, guard.as_ref());
        beside.lines.extend(answer);
        let submission =
            sign_and_submit::sign_and_submit(context, &service, &*signer, kind, Some(id), payload, &beside).await?;
        sign_and_submit::print(context, Some(id), &submission, guard.as_ref())?;
        Ok(Exit::Done)
    }
}

impl Vote {
    /// The ballot, and the proposal that it is for if it is for one; `None` if the service is to be asked for it.
    async fn read(&self, context: &Context) -> Result<Option<(Ballot, Option<Proposal>)>, CliError> {
        if self.verified || self.guarded.is_some() {
            return Ok(None);
        }
        if let Some(source) = &self.exact {
            return exactly(source.read(context).await?).map(Some);
        }
        let Some(path) = &self.ballot else {
            return Ok(Some((if self.accept { ballot::accept() } else { ballot::reject() }, None)));
        };
        let ballot = Ballot::parse(&files::read(path, MAX_BALLOT)?)
            .map_err(|e| CliError::from(e).doing(format!("{} is not a ballot", path.display())))?;
        let expected = ballot::one_proposal(ballot.script());
        Ok(Some((ballot, expected)))
    }
}

fn exactly(proposal: Proposal) -> Result<(Ballot, Option<Proposal>), CliError> {
    let ballot = ballot::exact(&proposal).map_err(|e| CliError::from(e).doing("cannot make an exact ballot"))?;
    Ok((ballot, Some(proposal)))
}
