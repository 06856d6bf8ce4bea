//! `-f upgrade.toml`: the plan, and the service that it is for.

use std::path::{Path, PathBuf};

use clap::Args;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::reports;
use crate::cli::trust::TrustArgs;
use ccf_gov::check::Checks;
use ccf_gov::files::{self, Readers};
use ccf_gov::id::MemberId;
use ccf_gov::service::{NodeAddress, Service};
use ccf_gov::upgrade::record::{self, Entry};
use ccf_gov::upgrade::{
    Act, Did, Intent, MAX_PLAN_FILE, Observed, Plan, PlanFile, Topology, Verification, Way, observe, wanted,
};

/// How many bytes of addresses are read.
const MAX_ADDRESSES: u64 = 64 << 10;

/// Which upgrade.
#[derive(Args)]
pub struct File {
    /// What is wanted: docs/upgrade.md explains every key
    #[arg(short, long, value_name = "FILE", default_value = "upgrade.toml")]
    file: PathBuf,
    #[command(flatten)]
    trust: TrustArgs,
    /// What an operator provided of one node: a file or folder with its report, endorsements and UVM endorsement; repeat for several nodes
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
}

/// The plan that a file makes of its artefacts.
pub struct Planned {
    pub file: PathBuf,
    pub intent: Intent,
    pub plan: Plan,
    pub verification: Verification,
    /// The flag of a rehearsal, as everybody repeats it.
    roots: String,
    /// The plan file that was made before, if the walk is held to one.
    pub held_to: Option<PlanFile>,
}

/// What a walk is held to.
#[derive(Args)]
pub struct HeldTo {
    /// Stop if upgrade.toml or the service has changed in a way that matters since `upgrade plan -o` wrote this file
    #[arg(long, value_name = "PLAN.json")]
    plan: Option<PathBuf>,
}

impl HeldTo {
    /// Reads the plan file, if one is given.
    pub fn read(&self) -> Result<Option<PlanFile>, CliError> {
        let Some(path) = &self.plan else { return Ok(None) };
        let file = PlanFile::parse(&files::read(path, MAX_PLAN_FILE)?);
        let failed = |error| CliError::usage(format!("cannot use the plan file {}", files::shown(path))).because(error);
        file.map(Some).map_err(failed)
    }
}

impl File {
    /// This file, judged under these roots.
    pub fn named(file: PathBuf, trust: TrustArgs) -> Self {
        Self { file, trust, report: Vec::new() }
    }

    /// Reads the file and measures the artefacts that it names.
    pub fn plan(self) -> Result<Planned, CliError> {
        let now = OffsetDateTime::now_utc();
        let trust = self.trust.trust()?;
        let (intent, plan) = Plan::load(&self.file, &trust, now)?;
        let roots = self.trust.again();
        let verification = Verification { trust, reports: reports::read(&self.report)? };
        Ok(Planned { file: self.file, intent, plan, verification, roots, held_to: None })
    }
}

impl Planned {
    /// What checks begin with: in a rehearsal, that it is one.
    pub fn preface(&self) -> Checks {
        self.verification.trust.preface()
    }

    /// Whether made-up roots are trusted.
    pub fn is_rehearsal(&self) -> bool {
        self.preface().is_rehearsal()
    }

    /// Text that says in each of its lines if it is about a rehearsal.
    pub fn mark(&self, text: String) -> String {
        checks::mark(text, self.is_rehearsal())
    }

    /// What has changed in a way that matters since the plan file was made, if the walk is held to one.
    pub fn changes(&self, seen: &Observed) -> Vec<String> {
        self.held_to.as_ref().map(|file| file.changes(&self.plan, seen)).unwrap_or_default()
    }

    /// The service: by the addresses that are given or that the file names, and by those of its nodes that were found before.
    pub async fn connect(&self, context: &Context) -> Result<Service, CliError> {
        let mut addresses = Vec::new();
        for url in context.service.iter().chain(self.intent.service.url.all()) {
            let address: NodeAddress = url.parse().map_err(|error| {
                CliError::usage(error)
                    .doing("cannot use an address of the service")
                    .hint("for example https://127.0.0.1:8000")
            })?;
            addresses.push(address);
        }
        let found = self.found();
        // Those that were found last are the likeliest to be there.
        let all: Vec<NodeAddress> =
            found.iter().chain(addresses.iter().filter(|a| !found.contains(a))).cloned().collect();
        // The plan is for the service with this certificate, whatever other one is configured here.
        let certificate = &self.intent.service.cert;
        // Two are enough to contradict each other; the others are asked if that leads nowhere.
        let service = match all.get(..2) {
            Some(first) if all.len() > 2 => match context.connect_to(first, certificate).await {
                Ok(service) => service,
                Err(_) => context.connect_to(&all, certificate).await?,
            },
            _ => context.connect_to(&all, certificate).await?,
        };
        self.remember(context, &service);
        Ok(service)
    }

    /// Turns the plan round: what the service runs besides the new code is to run.
    pub async fn turn(&mut self, service: &Service) -> Result<(), CliError> {
        let seen = observe(service, &self.plan, &self.verification, OffsetDateTime::now_utc(), None).await?;
        self.plan = self.plan.back(&seen)?;
        Ok(())
    }

    /// Remembers where the service's nodes listen: those that the file names may all be retired by it.
    pub fn remember(&self, context: &Context, service: &Service) {
        let listed = service.published();
        // The primary comes first.
        let mut published = service.addresses();
        published.retain(|address| listed.contains(address));
        if published.is_empty() || published == self.found() {
            return;
        }
        let text: String = published.iter().map(|address| format!("{address}\n")).collect();
        let path = self.addresses();
        if let Err(error) = files::write(&path, text.as_bytes(), Readers::Shared, true) {
            let shown = files::shown(&path).into_owned();
            context.output.warn(format!("the addresses of the service's nodes are not kept in {shown}: {error}"));
        }
    }

    fn found(&self) -> Vec<NodeAddress> {
        let text = files::read_text(&self.addresses(), MAX_ADDRESSES).unwrap_or_default();
        text.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// Keeps a record of what was done: the service forgets its proposals.
    pub fn record(&self, context: &Context, seen: &Observed, act: &Act, member: Option<MemberId>, did: &Did) {
        let entry = Entry {
            at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
            plan: self.plan.digest().to_string(),
            phase: act.phase().unwrap_or_else(|| wanted(&self.plan, seen).phase),
            member,
            did: did.clone(),
            before: Topology::of(&self.plan, seen),
        };
        let path = self.record_file();
        if let Err(error) = record::append(&path, &entry) {
            let shown = files::shown(&path).into_owned();
            context.output.warn(format!("what was done is not kept in {shown} for the report: {error}"));
        }
    }

    /// Where what was done is kept.
    pub fn record_file(&self) -> PathBuf {
        self.file.with_extension("record")
    }

    fn addresses(&self) -> PathBuf {
        self.file.with_extension("addresses")
    }

    /// That this is the way back, and where to.
    pub fn meaning(&self) -> Option<String> {
        let back = || format!("This is the way back, to {}.", self.plan.wanted_code());
        (self.plan.way == Way::Back).then(back)
    }

    /// What is said at the end, after `begins`; `untouched` is what is neither new nor old, and stays.
    pub fn end(&self, begins: &str, untouched: &[String]) -> String {
        let code = self.plan.wanted_code();
        let what = match self.plan.way {
            Way::Forward => "upgrade",
            Way::Back => "way back",
        };
        match untouched {
            [] => format!("{begins} {what} is done: only {code} runs, and only {code} is let in.\n"),
            some => format!("{begins} {what} is done. Neither new nor old, and left as it is: {}.\n", some.join("; ")),
        }
    }

    /// The command by which everybody goes on, up to the options that differ.
    pub fn command(&self) -> String {
        let verb = match self.plan.way {
            Way::Forward => "step",
            Way::Back => "rollback",
        };
        format!("ccf-gov upgrade {verb} -f {}{}", files::shown(Path::new(&self.file)), self.roots)
    }
}
