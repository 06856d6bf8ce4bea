//! `upgrade rehearse`: the whole walk on the embedded sandbox.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;

use super::planned::File;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::state_source::{StateSource, fetch_from};
use crate::cli::topology;
use crate::cli::trust::TrustArgs;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::files;
use ccf_gov::id::MemberId;
use ccf_gov::signer::Signer;
use ccf_gov::text::visible;
use ccf_gov::upgrade::{
    End, Event, Fault, FaultError, Rehearsal, Rehearsed as Walked, RehearsedFault, RehearsedStep, RehearsedWait,
    Signing, Topology, UpgradeError, example_signers, rehearse,
};

/// Rehearse a whole code upgrade on the embedded sandbox
///
/// Starts a service in this process; then each of the members and an operator repeat `upgrade step`, as they do on a real service,
/// until nobody has anything to do. Every proposal and ballot is signed and sent over TLS. With -f, the plan in upgrade.toml is walked
/// on a copy of the service that it is for: members under throw-away keys, nodes, constitution, join policy and application as
/// --state holds them or, without it, as the service shows them. Without -f, three made-up nodes get other code, constitution and
/// application, which needs no network and no files. In the end a node with the old code is started, and must be refused.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 the upgrade is done; 3 something has to be put right first; 6 it waits for somebody.

Faults, and when they come unless @PHASE says otherwise: primary-dies@retire, node-dies@retire, election@join-and-trust,
slow-join@join-and-trust, dropped-proposal@register, member-absent@register. Phases: register, join-and-trust, retire, delete, rules,
deregister.

Examples:
  ccf-gov upgrade rehearse
  ccf-gov upgrade rehearse -f upgrade.toml --state state.json
  ccf-gov upgrade rehearse -f upgrade.toml --fault primary-dies@retire --fault member-absent
  ccf-gov upgrade rehearse --output json | jq '.steps[].did[].what'
  ccf-gov upgrade rehearse --member-key 'pkcs11:token=alice;object=key?module-path=/usr/lib/softhsm/libsofthsm2.so' \\
    --member-cert alice_cert.pem"
)]
pub struct Rehearse {
    /// Rehearse this plan on a copy of its service, instead of a made-up one
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["member_key", "member_cert"])]
    file: Option<PathBuf>,
    /// Copy this state, as `state export` wrote it, instead of asking the service
    #[arg(long, value_name = "FILE", requires = "file")]
    state: Option<PathBuf>,
    /// Let something go wrong when a phase begins; repeat for several
    #[arg(long, value_name = "FAULT[@PHASE]")]
    fault: Vec<String>,
    #[command(flatten)]
    trust: TrustArgs,
    /// A member's key, a file or a key URI, instead of the example members'; repeat for several
    #[arg(long, value_name = "KEY-URI")]
    member_key: Vec<String>,
    /// The certificate of each --member-key, in the same order
    #[arg(long, value_name = "FILE")]
    member_cert: Vec<PathBuf>,
    /// Make every signature through a prepared request
    #[arg(long)]
    prepare_and_finish: bool,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rehearsed<'a> {
    /// The plan's digest; null for the made-up one.
    plan: Option<&'a str>,
    /// What was copied of the service.
    copied: &'a [String],
    /// What could not be copied, and why.
    not_copied: &'a [String],
    steps: &'a [RehearsedStep],
    /// What went wrong, as it was asked for.
    faults: &'a [RehearsedFault],
    /// The ids of those who took steps.
    members: &'a [MemberId],
    /// As the last step left it.
    #[serde(flatten)]
    topology: Option<&'a Topology>,
    /// Who is waited for in the end.
    waiting_for: &'a [RehearsedWait],
    /// Why nothing can be done before something is put right.
    blocked: &'a [String],
    done: bool,
}

impl Rehearse {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let faults = self.fault.iter().map(|fault| fault.parse()).collect::<Result<Vec<Fault>, FaultError>>();
        let faults = faults.map_err(|error| CliError::usage(error).doing("cannot use the value of --fault"))?;
        let signing = if self.prepare_and_finish { Signing::PrepareAndFinish } else { Signing::Direct };
        let output = context.output;
        let progress: ccf_gov::service::Progress = std::sync::Arc::new(move |text: &str| output.note(text));
        let (mut rehearsal, plan, head, marked) = match self.file.clone() {
            None => (Rehearsal::example(self.signers(context).await?), None, String::new(), false),
            Some(file) => self.copy(file, context).await?,
        };
        (rehearsal.signing, rehearsal.faults, rehearsal.progress) = (signing, faults, Some(progress));
        let members = rehearsal.members();
        let (copied, not_copied) = (rehearsal.copied.clone(), rehearsal.not_copied.clone());
        // A reader that went away does not end a rehearsal.
        let say = |text: String| {
            if !output.is_json() {
                let _ = output.bytes(checks::mark(text, marked).as_bytes());
            }
        };
        if !head.is_empty() {
            say(head);
        }
        let mut number = 0;
        let mut report = |event: Event<'_>| match event {
            Event::Step(step) => {
                number += 1;
                say(transcript(number, step, &members, plan.is_some()));
            }
            Event::Fault(fault) => say(format!("Fault {}: {}\n\n", fault.fault, visible(&fault.what))),
        };
        let walked = rehearse(rehearsal, &mut report).await.map_err(failed)?;
        let ids: Vec<MemberId> = members.iter().map(|(id, _)| *id).collect();
        let (waiting_for, blocked) = match &walked.end {
            End::Done => (&[][..], &[][..]),
            End::Waiting(waiting) => (&waiting[..], &[][..]),
            End::Stopped(reasons) => (&[][..], &reasons[..]),
        };
        let json = Rehearsed {
            plan: plan.as_deref(),
            copied: &copied,
            not_copied: &not_copied,
            steps: &walked.steps,
            faults: &walked.faults,
            members: &ids,
            topology: walked.steps.last().map(|step| &step.topology),
            waiting_for,
            blocked,
            done: walked.end == End::Done,
        };
        output.result(&json, || checks::mark(ending(&walked, plan.is_some()), marked))?;
        Ok(match walked.end {
            End::Done => Exit::Done,
            End::Waiting(_) => Exit::Waiting,
            End::Stopped(_) => Exit::No,
        })
    }

    /// The plan on a copy of its service, the plan's digest, what is said at the top, and whether made-up roots are trusted.
    async fn copy(
        &self,
        file: PathBuf,
        context: &Context,
    ) -> Result<(Rehearsal, Option<String>, String, bool), CliError> {
        let planned = File::named(file, self.trust.clone()).plan()?;
        let state = match &self.state {
            Some(path) => StateSource { state: Some(path.clone()) }.read(context).await?,
            None => fetch_from(context, &planned.connect(context).await?).await?,
        };
        let rehearsal = Rehearsal::of(&planned.plan, &state)
            .map_err(|error| CliError::usage(error).doing("cannot rehearse on a copy of the service"))?;
        let digest = planned.plan.digest().to_string();
        let age = state.age(OffsetDateTime::now_utc());
        let mut head = format!("Rehearsal of plan {digest} on a copy of the service, {age}\n\nCopied\n");
        rehearsal.copied.iter().for_each(|what| head += &format!("  {}\n", visible(what)));
        head += "Not copied\n";
        rehearsal.not_copied.iter().for_each(|what| head += &format!("  {}\n", visible(what)));
        head += "\n";
        Ok((rehearsal, Some(digest), head, planned.is_rehearsal()))
    }

    async fn signers(&self, context: &Context) -> Result<Vec<Box<dyn Signer>>, CliError> {
        if self.member_key.len() < self.member_cert.len() {
            return Err(CliError::usage("there are more --member-cert than --member-key")
                .hint("give one --member-cert for each --member-key, in the same order"));
        }
        if self.member_key.is_empty() {
            return example_signers().map_err(|e| CliError::failed("the example keys cannot be used", e));
        }
        let mut signers = Vec::new();
        for (at, key) in self.member_key.iter().enumerate() {
            let uri = key.parse().map_err(|e| CliError::from(e).doing("cannot use the value of --member-key"))?;
            let certificate = self.member_cert.get(at).map(|path| read_certificate(path)).transpose()?;
            let signer = context.open(&uri, certificate).await;
            signers.push(signer.map_err(|e| CliError::from(e).doing(format!("cannot use the key {uri}")))?);
        }
        Ok(signers)
    }
}

fn read_certificate(path: &Path) -> Result<MemberCertificate, CliError> {
    let pem = files::read(path, 64 << 10)?;
    MemberCertificate::from_pem(&pem)
        .map_err(|e| CliError::from(e).doing(format!("cannot use the certificate {}", path.display())))
}

fn failed(error: UpgradeError) -> CliError {
    let doing = "the rehearsal failed";
    match error {
        UpgradeError::Service(error) => CliError::from(error).prefixed(doing),
        other => CliError::from(other).doing(doing),
    }
}

/// A step for people. Copies of members are called by their names.
fn transcript(number: usize, step: &RehearsedStep, members: &[(MemberId, String)], named: bool) -> String {
    let who = step.member.map_or_else(|| "the operator".into(), |id| member(id, members, named));
    let mut text = format!("{number}. {}: {who}\n", step.phase);
    for did in &step.did {
        let at = did.transaction_id.map_or_else(String::new, |at| format!("; committed in {at}"));
        text += &format!("     did       {}{at}\n", did.what);
    }
    text + &topology::lines(&step.topology) + "\n"
}

fn member(id: MemberId, members: &[(MemberId, String)], named: bool) -> String {
    match members.iter().position(|(member, _)| *member == id).and_then(|at| Some((at, members.get(at)?))) {
        Some((_, (_, name))) if named => format!("{name} ({})", id.short()),
        Some((at, _)) => format!("member {at} ({})", id.short()),
        None => id.short(),
    }
}

/// What came of the faults, and of the walk.
fn ending(walked: &Walked, copy: bool) -> String {
    let mut text = String::new();
    for fault in &walked.faults {
        let after = fault.after_step.map_or_else(String::new, |step| format!("after step {step}, "));
        let then = match (&fault.recovery, fault.after_step) {
            (Some(recovery), _) => format!("; {}", visible(recovery)),
            (None, Some(_)) => "; the walk did not go on".into(),
            (None, None) => String::new(),
        };
        text += &format!("Fault     {}: {after}{}{then}\n", fault.fault, visible(&fault.what));
    }
    match &walked.end {
        End::Done if copy => text += "Every step did what it claims, and the upgrade is done.",
        End::Done => text += "Every step did what it claims: only the new code runs, and only the new code is let in.",
        End::Waiting(waiting) => {
            for RehearsedWait { whom, what } in waiting {
                text += &format!("Waiting   for {}: {}\n", visible(whom), visible(what));
            }
        }
        End::Stopped(reasons) => {
            reasons.iter().for_each(|reason| text += &format!("Stopped   {}\n", visible(reason)));
        }
    }
    text
}
