//! `upgrade report`: what was planned, what was done, and the proof of what came of it.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::planned::File;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::files::{self, Readers};
use ccf_gov::upgrade::{Report as Made, observe, record};

/// Write the report of an upgrade: one page of HTML
///
/// Looks at the service, and proves from it that only the new code is admitted, that only the new code runs, and that all of it is
/// committed. A service forgets its proposals, so `upgrade step` keeps a record beside upgrade.toml (upgrade.record); what others
/// did is in theirs: name all of them with --record. Nothing is loaded by the page, and nothing in it runs.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 the upgrade is done, and that is proven; 3 it is not, or cannot be proven.

Examples:
  ccf-gov upgrade report -f upgrade.toml -o report.html
  ccf-gov upgrade report -f upgrade.toml --record alice.record --record bob.record -o report.html")]
pub struct Report {
    #[command(flatten)]
    file: File,
    /// Where to write the page
    #[arg(short, long, value_name = "FILE")]
    out: PathBuf,
    /// The record of somebody who took steps; repeat for several [default: the one beside upgrade.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    record: Vec<PathBuf>,
    /// Replace the page if it exists
    #[arg(long)]
    force: bool,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Reported<'a> {
    /// The file.
    file: String,
    verdict: Conclusion,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    /// The proof, in parts.
    checks: &'a Checks,
    /// The plan's digest, which everybody must share.
    plan: &'a str,
}

impl Report {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        files::refuse_existing(&self.out, self.force)?;
        let planned = self.file.plan()?;
        let plan = &planned.plan;
        let mut records = self.record;
        if records.is_empty() && planned.record_file().exists() {
            records.push(planned.record_file());
        }
        let (mut entries, mut unreadable) = (Vec::new(), 0);
        for path in records {
            let (more, bad) = record::read(&path, &plan.digest().to_string())?;
            entries.extend(more);
            unreadable += bad;
        }
        let service = planned.connect(context).await?;
        let seen = observe(&service, plan, &planned.verification, OffsetDateTime::now_utc(), None).await?;
        let made = Made::of(plan, &seen, entries, unreadable, planned.preface());
        context.output.file(&self.out, made.to_html().as_bytes(), Readers::Shared, self.force)?;
        let file = files::shown(&self.out).into_owned();
        let (verdict, rehearsal) = (made.verdict, made.rehearsal);
        let reported = Reported { file, verdict, rehearsal, checks: &made.proof, plan: &made.digest };
        context.output.result(&reported, || checks::lines(&made.proof))?;
        Ok(checks::exit(&made.proof))
    }
}
