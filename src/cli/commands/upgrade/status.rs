//! `upgrade status`: where the service stands in the plan, on one screen.

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::planned::{File, HeldTo, Planned};
use super::waiting::{Waited, waited};
use super::watch::until_changed;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::topology;
use ccf_gov::service::Service;
use ccf_gov::upgrade::{Doing, Phase, Progress, Stepped, Topology, Waiver, Who, next, observe, waivers_now};

/// Show where the service stands in an upgrade
///
/// Nothing is signed and nothing is changed.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the upgrade is done; 3 nothing can be done before something is put right; 6 it waits for somebody.

Example:
  ccf-gov upgrade status -f upgrade.toml"
)]
pub struct Status {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    held_to: HeldTo,
    /// Show it again whenever it has changed, until the upgrade is done; with --output json an object each time
    #[arg(long)]
    watch: bool,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standing {
    /// The phase that the upgrade is in.
    phase: Phase,
    /// Every phase, and how far it is.
    phases: Vec<Progress>,
    #[serde(flatten)]
    topology: Topology,
    /// Whom it waits for, and for what.
    waiting_for: Vec<Waited>,
    /// Why nothing can be done before something is put right.
    blocked: Vec<String>,
    /// What is waived, and what the checks say today without that.
    waived: Vec<Waiver>,
    /// Nodes that still wait when the upgrade is done, in a sentence; null without any.
    leftover: Option<String>,
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

impl Status {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut planned = self.file.plan()?;
        planned.held_to = self.held_to.read()?;
        let service = planned.connect(context).await?;
        let mut shown = None;
        loop {
            let before = if self.watch { service.commit().await.ok() } else { None };
            let stepped = look(&planned, &service).await?;
            let standing = stand(&planned, &stepped);
            let text = planned.mark(text(&standing, &planned));
            if shown.as_ref() != Some(&text) {
                context.output.result(&standing, || text.clone())?;
                shown = Some(text);
            }
            if !self.watch || standing.done {
                return Ok(standing.exit());
            }
            until_changed(&service, before, &stepped).await;
        }
    }
}

/// How the service stands now, for somebody who does nothing.
async fn look(planned: &Planned, service: &Service) -> Result<Stepped, CliError> {
    let plan = &planned.plan;
    let seen = observe(service, plan, &planned.verification, OffsetDateTime::now_utc(), None).await?;
    let next = next(plan, &seen, Who::default());
    Ok(Stepped { did: Vec::new(), seen, next })
}

fn stand(planned: &Planned, stepped: &Stepped) -> Standing {
    let plan = &planned.plan;
    Standing {
        phase: stepped.next.phase(),
        phases: Progress::of(stepped.next.phase()),
        topology: Topology::of(plan, &stepped.seen),
        waiting_for: waited(planned, stepped),
        blocked: match &stepped.next.doing {
            Doing::Blocked(reasons) => reasons.clone(),
            _ => planned.changes(&stepped.seen),
        },
        waived: waivers_now(plan, &stepped.seen, &stepped.next.wanted),
        leftover: stepped.leftover(),
        done: matches!(stepped.next.doing, Doing::Done),
        untouched: plan.untouched(&stepped.seen),
        rehearsal: planned.is_rehearsal(),
        plan: plan.digest().to_string(),
    }
}

impl Standing {
    fn exit(&self) -> Exit {
        match (self.done, self.blocked.is_empty()) {
            (true, _) => Exit::Done,
            (false, false) => Exit::No,
            (false, true) => Exit::Waiting,
        }
    }
}

fn text(standing: &Standing, planned: &Planned) -> String {
    let mut text = format!("Plan {}\n", standing.plan);
    for phase in &standing.phases {
        text += &format!("  {:22} {}\n", phase.name.to_string(), phase.state);
    }
    text += &topology::lines(&standing.topology);
    for reason in &standing.blocked {
        text += &format!("Stopped  {reason}\n");
    }
    for waited in &standing.waiting_for {
        text += &format!("Waiting  for {waited}\n");
    }
    standing.waived.iter().for_each(|waiver| text += &format!("{waiver}\n"));
    standing.leftover.iter().for_each(|leftover| text += &format!("{leftover}\n"));
    if standing.done {
        text += &planned.end("The", &standing.untouched);
    }
    text
}
