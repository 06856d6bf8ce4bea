//! `upgrade plan`: what an upgrade will be, before anybody takes a step.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::planned::File;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::state_source::fetch_from;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::files::Readers;
use ccf_gov::proposal;
use ccf_gov::text::visible;
use ccf_gov::upgrade::quorum::Quorum;
use ccf_gov::upgrade::{
    Forecast, ForecastPhase, ForecastStep, Phase, PlanFile, Topology, Waiver, drawing, forecast, mermaid, observe,
    plan_checks, plan_waivers,
};

/// Show what an upgrade will be: its phases, every proposal, and how many nodes may fail meanwhile
///
/// Reads the service, measures the artefacts that upgrade.toml names, and tries every proposal under the service's own constitution;
/// nothing is signed and nothing is changed. Everybody with
/// the same upgrade.toml and artefacts gets the same digest: compare it before the first step. What is to come is a forecast:
/// each step is decided anew when it is taken.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the upgrade can be walked; 3 a precondition fails and is not waived, or something stands in the way.

With --output mermaid the nodes are drawn, phase by phase, as a Mermaid flowchart.

Examples:
  ccf-gov upgrade plan -f upgrade.toml
  ccf-gov upgrade plan -f upgrade.toml -o PLAN.json
  ccf-gov upgrade plan -f upgrade.toml --output mermaid > upgrade.mmd
  ccf-gov upgrade plan -f upgrade.toml --output json | jq -r .plan"
)]
pub struct PlanCommand {
    #[command(flatten)]
    file: File,
    /// Also write the plan, with every proposal and what it was decided from; - for standard output
    #[arg(short, long = "out", value_name = "PLAN.json")]
    out: Option<PathBuf>,
    /// Replace PLAN.json if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Foretold {
    /// The phase that the upgrade is in.
    phase: Phase,
    /// Every phase, how far it is, and what it still needs.
    phases: Vec<ForecastPhase>,
    #[serde(flatten)]
    topology: Topology,
    /// The preconditions. A waived one is a warning, with the reason.
    checks: Checks,
    /// What is waived, and what the checks say today without that.
    waived: Vec<Waiver>,
    /// `fail` if one of them fails and is not waived.
    verdict: Conclusion,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    /// Why the walk does not reach its end as things stand; null if it does.
    stops: Option<String>,
    /// SHA-256 of each artefact, by its key in upgrade.toml.
    artefacts: BTreeMap<String, String>,
    /// Why the new code, or a part of it, is given by values that nobody can measure again; null if all of it was measured.
    without_artefact: Option<String>,
    /// The plan's digest, which everybody must share: short enough to read out.
    plan: String,
    /// The whole of it.
    digest: String,
}

impl PlanCommand {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let planned = self.file.plan()?;
        let service = planned.connect(context).await?;
        let plan = &planned.plan;
        let seen = observe(&service, plan, &planned.verification, OffsetDateTime::now_utc(), None).await?;
        let state = fetch_from(context, &service).await?;
        let forecast = forecast(plan, &seen);
        let tried = forecast.simulate(plan, &seen, &state);
        let mut checks = planned.preface();
        checks.append(plan_checks(plan, &seen, &tried));
        let hex = |digest: &[u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let foretold = Foretold {
            phase: forecast.current(),
            phases: forecast.phases(),
            topology: Topology::of(plan, &seen),
            waived: plan_waivers(plan, &seen, &tried),
            verdict: checks.verdict(),
            rehearsal: planned.is_rehearsal(),
            stops: forecast.stops.clone(),
            artefacts: plan.artefacts.iter().map(|(key, digest)| (key.clone(), hex(digest))).collect(),
            without_artefact: plan.without_artefact.clone(),
            plan: plan.digest().to_string(),
            digest: plan.digest().hex(),
            checks,
        };
        let to_stdout = self.out.as_ref().is_some_and(|path| path.as_os_str() == "-");
        match (to_stdout, context.output.is_mermaid()) {
            (true, _) => {}
            (false, true) => {
                let title = if foretold.rehearsal { "---\ntitle: REHEARSAL\n---\n" } else { "" };
                context.output.bytes(format!("{title}{}", mermaid(&forecast)).as_bytes())?;
            }
            (false, false) => context.output.result(&foretold, || {
                planned.mark(text(&foretold, &forecast, &planned.end("Then the", &forecast.untouched)))
            })?,
        }
        if let Some(path) = &self.out {
            let file = PlanFile::of(plan, &seen).write(plan, &forecast, &foretold.checks, foretold.rehearsal);
            context.output.file(path, format!("{file:#}\n").as_bytes(), Readers::Shared, self.force)?;
        }
        let refused = foretold.verdict != Conclusion::Pass || foretold.stops.is_some();
        Ok(if refused { Exit::No } else { Exit::Done })
    }
}

fn text(foretold: &Foretold, forecast: &Forecast, end: &str) -> String {
    let mut text = format!("Plan {}  (whole: {})\n", foretold.plan, foretold.digest);
    for (key, digest) in &foretold.artefacts {
        text += &format!("  {key:12} sha256 {digest}\n");
    }
    if let Some(reason) = &foretold.without_artefact {
        text += &format!("  values are given instead of artefacts: {}\n", visible(reason));
    }
    text += "\nPreconditions\n";
    text += &checks::lines(&foretold.checks);
    foretold.waived.iter().for_each(|waiver| text += &format!("{waiver}\n"));
    text += &format!("\nNow: {}\n  {}\n", quorum(forecast.quorum), drawing(&forecast.nodes));
    for phase in &foretold.phases {
        text += &format!("\n{}: {}\n", phase.progress.name, phase.progress.state);
        phase.steps.iter().for_each(|one| text += &step(one));
        if let Some(last) = phase.steps.last() {
            text += &format!("  {}\n", drawing(&last.nodes));
        }
    }
    text += "\n[trusted]  (pending)  ~retired~  * primary\n";
    match &foretold.stops {
        Some(reason) => text += &format!("It goes no further: {reason}\n"),
        None if forecast.steps.is_empty() => text += "Nothing is left to be done.\n",
        None => text += end,
    }
    text
}

fn step(step: &ForecastStep) -> String {
    let who = match step.proposal {
        Some(_) => "members ",
        None => "operator",
    };
    let mut text = format!("  {:2}. {who}  {}\n", step.number, step.what);
    if let Some(written) = &step.proposal {
        text += &format!("               {}\n", proposal::title(written, |_| None));
    }
    if step.before != step.after {
        text += &format!("               from {} to {}\n", quorum(step.before), quorum(step.after));
    }
    if let Some(pause) = &step.pause {
        text += &format!("               {pause}\n");
    }
    text
}

fn quorum(Quorum { n, majority, f }: Quorum) -> String {
    format!("n {n}, majority {majority}, f {f}")
}
