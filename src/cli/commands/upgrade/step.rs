//! `upgrade step`: the one command that everybody repeats.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::planned::{File, HeldTo, Planned};
use super::start_nodes::write_configuration;
use super::waiting::{Waited, waited};
use super::watch::{ASK, until_changed};
use crate::cli::common::Context;
use crate::cli::error::{CliError, Kind};
use crate::cli::exit::Exit;
use crate::cli::interrupt::unless_interrupted;
use crate::cli::sign_and_submit::{sent, sign};
use ccf_gov::cose::Beside;
use ccf_gov::files;
use ccf_gov::id::ProposalId;
use ccf_gov::service::Service;
use ccf_gov::signer::Signer;
use ccf_gov::upgrade::{Act, Did, Doing, Observed, Phase, Stepped, Walk, Way, Who, was_outrun};

/// Do what is yours to do now in an upgrade, or say whom it waits for
///
/// Looks at the service, and does what the plan needs and you can do: proposes what is next if nobody has, votes for an open
/// proposal if it is exactly what the plan needs, and withdraws a proposal of yours that is not needed. Nothing else is signed:
/// other open proposals are named, and get no vote. Every member repeats this command, in any order and as often as they like;
/// the service alone says how far the upgrade is.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the upgrade is done; 3 nothing can be done before something is put right; 6 it waits for somebody else.

Examples:
  ccf-gov upgrade step -f upgrade.toml --key alice_privk.pem --cert alice_cert.pem
  ccf-gov upgrade step -f upgrade.toml --operate
  ccf-gov upgrade step -f upgrade.toml --key alice_privk.pem --cert alice_cert.pem --yes --watch"
)]
pub struct Step {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    held_to: HeldTo,
    /// Do the operator's part as well: delete nodes whose retirement is committed, say which to start and to stop
    #[arg(long)]
    operate: bool,
    /// The folder for the configuration that new nodes join with [default: where the upgrade.toml is]
    #[arg(long, value_name = "DIR", requires = "operate")]
    join_config: Option<PathBuf>,
    /// Go on until the upgrade is done
    #[arg(long)]
    watch: bool,
}

/// Walk back, while old nodes live: do what is yours to do now, or say whom it waits for
///
/// Works as `upgrade step` does, on the way back: nodes with the old code are to run, those with the new code are retired under
/// the same guard and deleted, and the new code is deregistered. Constitution and application stay as they are. Members vote for
/// nothing else, so all of them have to want it: whoever goes on with `upgrade step` votes for the way forward.
/// What you have proposed on that way and is still open is withdrawn; what others have is named.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the service runs the old code alone; 3 nothing can be done before something is put right, or no old node
lives; 6 it waits for somebody else.

Example:
  ccf-gov upgrade rollback -f upgrade.toml --key alice_privk.pem --cert alice_cert.pem"
)]
pub struct Rollback {
    #[command(flatten)]
    step: Step,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Taken<'a> {
    /// What was done, in this order.
    did: &'a [Did],
    /// Whom it waits for, and for what.
    waiting_for: &'a [Waited],
    /// Why nothing can be done before something is put right.
    blocked: &'a [String],
    /// The configuration with which nodes that are to be started join: but for their own addresses, which are placeholders.
    join_configuration: Option<PathBuf>,
    /// Open proposals that are not part of the plan now, and get no vote.
    refused: Vec<Refused<'a>>,
    /// Nodes that still wait when the upgrade is done, in a sentence; null without any.
    leftover: Option<String>,
    /// The phase that the upgrade is in.
    phase: Phase,
    /// Whether the upgrade is done.
    done: bool,
    /// What is neither new nor old, and stays.
    #[serde(skip)]
    untouched: Vec<String>,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    /// The plan's digest, which everybody must share.
    plan: String,
}

/// An open proposal that gets no vote.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Refused<'a> {
    proposal_id: ProposalId,
    why: &'a str,
}

impl Rollback {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        self.step.walk(context, Way::Back).await
    }
}

impl Step {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        self.walk(context, Way::Forward).await
    }

    async fn walk(self, context: &Context, way: Way) -> Result<Exit, CliError> {
        let mut planned = self.file.plan()?;
        planned.held_to = self.held_to.read()?;
        if way == Way::Back && planned.held_to.is_some() {
            return Err(
                CliError::usage("the way back is another plan than the one in the plan file").hint("leave --plan out")
            );
        }
        let signer = match &context.key {
            Some(_) => Some(context.signer().await?),
            None => None,
        };
        if signer.is_none() && !self.operate {
            context.output.note("Neither --key nor --operate is given: nothing can be done here, only looked at.");
        }
        let service = planned.connect(context).await?;
        if way == Way::Back {
            planned.turn(&service).await?;
        }
        if let Some(meaning) = planned.meaning() {
            context.output.note(planned.mark(meaning));
        }
        let who = Who { member: signer.as_ref().map(|s| s.certificate().member_id()), operator: self.operate };
        let hands = Hands { context, planned: &planned, service: &service, signer: signer.as_deref(), who };
        let mut did = Vec::new();
        loop {
            let before = if self.watch { service.commit().await.ok() } else { None };
            let mut stepped = match hands.step().await {
                Err(error) if self.watch && error.kind == Kind::Unreachable => {
                    context.output.note(format!("{}; trying again.", error.message));
                    tokio::time::sleep(ASK).await;
                    continue;
                }
                stepped => stepped?,
            };
            did.append(&mut stepped.did);
            planned.remember(context, &service);
            let folder = self.join_config.as_deref();
            let configuration =
                if self.operate { write_configuration(context, &planned, &stepped, folder)? } else { None };
            if !self.watch || !matches!(stepped.next.doing, Doing::Wait(_)) {
                return hands.print(&did, &stepped, configuration);
            }
            hands.note(&stepped, configuration.as_deref());
            until_changed(&service, before, &stepped).await;
        }
    }
}

struct Hands<'a> {
    context: &'a Context,
    planned: &'a Planned,
    service: &'a Service,
    signer: Option<&'a dyn Signer>,
    who: Who,
}

impl Hands<'_> {
    async fn step(&self) -> Result<Stepped, CliError> {
        let Planned { plan, verification, .. } = self.planned;
        let walk = Walk { service: self.service, plan, verification, who: self.who };
        walk.step(async |seen: &Observed, act: &Act| self.perform(seen, act).await).await
    }

    /// Shows, signs and sends one act, and keeps a record of it; `None` if somebody was faster.
    async fn perform(&self, seen: &Observed, act: &Act) -> Result<Option<Did>, CliError> {
        let changes = self.planned.changes(seen);
        if !changes.is_empty() {
            return Err(CliError::no(format!(
                "cannot {}: this has changed since the plan file was made: {}",
                act.title(&self.planned.plan),
                changes.join("; ")
            ))
            .hint("look at `ccf-gov upgrade plan`, agree on it anew, and write a new plan file"));
        }
        let did = self.send(seen, act).await?;
        if let Some(did) = &did {
            let member = act.request(&self.planned.plan, seen)?.and(self.who.member);
            self.planned.record(self.context, seen, act, member, did);
        }
        Ok(did)
    }

    async fn send(&self, seen: &Observed, act: &Act) -> Result<Option<Did>, CliError> {
        self.context.output.note(self.planned.mark(format!("Next: {}.", act.title(&self.planned.plan))));
        if let Act::Delete(id) = act {
            return match self.service.delete_node(*id).await {
                Ok(transaction) => Ok(Some(Did::unsigned(act.outcome(&self.planned.plan), transaction))),
                Err(error) if was_outrun(&error) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        let (Some(request), Some(signer)) = (act.request(&self.planned.plan, seen)?, self.signer) else {
            return Ok(None);
        };
        let beside = Beside { script: self.context.verbose, ..Beside::default() };
        let envelope = sign(self.context, signer, request.kind, request.proposal, request.payload, &beside).await?;
        let submission = match unless_interrupted(self.service.submit(&envelope)).await {
            Some(Err(error)) if was_outrun(&error) => return Ok(None),
            result => sent(self.context, &envelope, result)?,
        };
        Ok(Some(Did::signed(act.title(&self.planned.plan), &submission)))
    }

    fn note(&self, stepped: &Stepped, configuration: Option<&Path>) {
        for waited in waited(self.planned, stepped) {
            self.context.output.note(self.planned.mark(format!("Waiting for {waited}.")));
        }
        if let Some(path) = configuration {
            self.context.output.note(self.planned.mark(format!("New nodes join with {}.", files::shown(path))));
        }
    }

    fn print(&self, did: &[Did], stepped: &Stepped, join_configuration: Option<PathBuf>) -> Result<Exit, CliError> {
        let waiting = waited(self.planned, stepped);
        let blocked = match &stepped.next.doing {
            Doing::Blocked(reasons) => reasons.as_slice(),
            _ => &[],
        };
        let done = matches!(stepped.next.doing, Doing::Done);
        let result = Taken {
            did,
            waiting_for: &waiting,
            blocked,
            join_configuration,
            refused: stepped.next.refused.iter().map(|(id, why)| Refused { proposal_id: *id, why }).collect(),
            leftover: stepped.leftover(),
            phase: stepped.next.phase(),
            done,
            untouched: self.planned.plan.untouched(&stepped.seen),
            rehearsal: self.planned.is_rehearsal(),
            plan: self.planned.plan.digest().to_string(),
        };
        self.context.output.result(&result, || self.planned.mark(text(&result, self.planned)))?;
        Ok(match (done, blocked.is_empty()) {
            (true, _) => Exit::Done,
            (false, false) => Exit::No,
            (false, true) => Exit::Waiting,
        })
    }
}

fn text(result: &Taken<'_>, planned: &Planned) -> String {
    let mut text = format!("Plan {}, phase: {}\n", result.plan, result.phase);
    text.extend(planned.meaning().map(|meaning| format!("{meaning}\n")));
    for did in result.did {
        text += &format!("Did      {}\n", did.what);
    }
    for refused in &result.refused {
        text += &format!(
            "Not part of the plan, and not voted on: proposal {}: {}\n",
            refused.proposal_id.short(),
            refused.why
        );
    }
    for reason in result.blocked {
        text += &format!("Stopped  {reason}\n");
    }
    for waited in result.waiting_for {
        text += &format!("Waiting  for {waited}\n");
        if let Some(command) = &waited.command {
            text += &format!("           {command}\n");
        }
    }
    if let Some(path) = &result.join_configuration {
        text += &format!("New nodes join with {}, once their own addresses are in it.\n", files::shown(path));
    }
    result.leftover.iter().for_each(|leftover| text += &format!("Note     {leftover}\n"));
    if result.done {
        text += &planned.end("The", &result.untouched);
    }
    text
}
