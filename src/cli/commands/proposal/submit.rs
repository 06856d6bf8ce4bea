//! `proposal submit`: sign a proposal and send it.

use clap::Args;
use time::OffsetDateTime;

use crate::cli::commands::proposal::ProposalSource;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::guard::Guard;
use crate::cli::private_keys;
use crate::cli::sign_and_submit;
use ccf_gov::check::{Check, Checks, Verdict};
use ccf_gov::cose::MessageType;
use ccf_gov::review::node::running_version;
use ccf_gov::review::{ServiceView, proposed, rules, vain};
use ccf_gov::text::visible;

/// Sign and send a proposal; prints the proposal that the service created
///
/// What `proposal lint` finds is shown first, and a proposal that fails is not sent; the service's own constitution has
/// the last word. A proposal with the same actions that is open already, or was accepted, is not made a second time unless
/// --again is given.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov proposal submit register.json --key alice_privk.pem --cert alice_cert.pem
  ccf-gov proposal submit register.json --yes --output json | jq -r .proposalId")]
pub struct Submit {
    /// The proposal: a file (- for standard input), what `proposal show --output json` printed, or an id, to propose it again
    #[arg(value_name = "FILE|ID")]
    file: ProposalSource,
    /// Propose it although the service holds a proposal with the same actions that is open or was accepted
    #[arg(long)]
    again: bool,
    /// Send it although `proposal lint` fails; a private key is never sent
    #[arg(long)]
    although_lint_fails: bool,
    #[command(flatten)]
    guard: Guard,
}

impl Submit {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let proposal = self.file.read(context).await?;
        private_keys::refuse(&self.file, MessageType::Proposal, proposal.bytes())?;
        let found = rules::lint_proposal(&proposal, &context.catalogue, None, OffsetDateTime::now_utc());
        let failing = rules::keeps_back(&found);
        if let Some(check) = failing {
            show(context, &found);
            if !self.although_lint_fails {
                return Err(refused(&self.file, check));
            }
        }
        let shown = failing.is_some();
        let signer = context.signer().await?;
        let service = context.connect().await?;
        let ccf = running_version(None, &service).await?;
        let found = rules::lint_proposal(&proposal, &context.catalogue, ccf, OffsetDateTime::now_utc());
        if !shown {
            show(context, &found);
        }
        if let (Some(check), false) = (rules::keeps_back(&found), self.although_lint_fails) {
            return Err(refused(&self.file, check));
        }
        vain::active(&service.members().await?, signer.certificate().member_id())?;
        if !self.again {
            vain::proposal(proposal.value(), &proposed(&service).await?)?;
        }
        let view = ServiceView::read(&service, proposal.value()).await?;
        let guard = self.guard.judge(context, &service, proposal.value(), &view).await.map_err(CliError::unsigned)?;
        let beside = context.beside_proposal(proposal.value(), &view, guard.as_ref());
        let (kind, payload) = (MessageType::Proposal, proposal.bytes().to_vec());
        let submission =
            sign_and_submit::sign_and_submit(context, &service, &*signer, kind, None, payload, &beside).await?;
        sign_and_submit::print(context, None, &submission, guard.as_ref())?;
        Ok(Exit::Done)
    }
}

/// Whatever lint found, as warnings.
fn show(context: &Context, found: &Checks) {
    for finding in found.iter().filter(|c| c.verdict != Verdict::Pass) {
        context.output.warn(format!("{} ({}): {}", finding.name, finding.verdict, visible(&finding.detail)));
    }
}

/// The error for a proposal that fails.
fn refused(file: &ProposalSource, check: &Check) -> CliError {
    let first = format!("{}: {}", check.name, visible(&check.detail));
    let doing = format!("{file} is neither signed nor sent: `ccf-gov proposal lint` fails");
    CliError::no(doing)
        .because(first)
        .hint("correct it; if it is intended, and the service's constitution accepts it, give --although-lint-fails")
}
