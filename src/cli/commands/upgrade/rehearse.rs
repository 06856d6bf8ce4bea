//! `upgrade rehearse`: the whole walk on the embedded sandbox.

use ccf_gov::text::clip;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::files;
use ccf_gov::id::MemberId;
use ccf_gov::signer::Signer;
use ccf_gov::upgrade::quorum::Quorum;
use ccf_gov::upgrade::{NodeLine, Passed, Rehearsal, Signing, Step, UpgradeError, example_signers, rehearse};

/// Rehearse a whole code upgrade on the embedded sandbox
///
/// Starts a service of three old nodes in this process and walks the upgrade as it is walked on a real one: the
/// new code is registered, new nodes join and are trusted one by one, the old ones are retired with the primary
/// last, stopped and deleted, constitution and application are set, and the old code is removed. Every proposal
/// and ballot is signed and sent over TLS. Fails if any step does not do what it claims. Needs no network and no
/// files: the members are the public example ones, unless others' keys are given.
/// What it says of f holds for nodes of one version of CCF: those of 6 and of 7 cannot elect a primary together
/// (docs/service.md).
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov upgrade rehearse
  ccf-gov upgrade rehearse --output json | jq '.steps[].title'
  ccf-gov upgrade rehearse --member-key 'pkcs11:token=alice;object=key?module-path=/usr/lib/softhsm/libsofthsm2.so' \\
    --member-cert alice_cert.pem")]
pub struct Rehearse {
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
    steps: &'a [Step],
    /// Their ids, the proposer first.
    members: &'a [MemberId],
    /// As the last step left them.
    nodes: &'a [NodeLine],
    #[serde(flatten)]
    quorum: Quorum,
    done: bool,
}

impl Rehearse {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let signers = self.signers(context).await?;
        let members: Vec<MemberId> = signers.iter().map(|s| s.certificate().member_id()).collect();
        let signing = if self.prepare_and_finish { Signing::PrepareAndFinish } else { Signing::Direct };
        let output = context.output;
        let progress: ccf_gov::service::Progress = std::sync::Arc::new(move |text: &str| output.note(text));
        let mut number = 0;
        let mut report = |step: &Step| {
            number += 1;
            if !output.is_json() {
                // A reader that went away does not end a rehearsal.
                let _ = output.bytes(transcript(number, step, &members).as_bytes());
            }
        };
        let rehearsal = Rehearsal { signers, signing, progress: Some(progress) };
        let steps = rehearse(rehearsal, &mut report).await.map_err(failed)?;
        let last = steps.last();
        let (nodes, quorum) = last.map_or((&[][..], Quorum::of(0)), |s| (&s.nodes, s.quorum));
        let json = Rehearsed { steps: &steps, members: &members, nodes, quorum, done: true };
        let text = "Every step did what it claims: only the new code runs, and only the new code is let in.";
        context.output.result(&json, || text.into())?;
        Ok(Exit::Done)
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

/// A step for people.
fn transcript(number: usize, step: &Step, members: &[MemberId]) -> String {
    let mut text = format!("{number}. {}: {}\n", step.phase, step.title);
    if let Some(passed) = &step.proposal {
        text += &proposal(passed, members);
    }
    for node in &step.nodes {
        let mut notes = vec![node.code];
        notes.extend(node.primary.then_some("primary"));
        notes.extend(node.caught_up.then_some("caught up"));
        notes.extend(node.removable.then_some("can be deleted"));
        text +=
            &format!("     node      {}  {:8} {}\n", node.node_id.short(), node.status.to_string(), notes.join(", "));
    }
    let view = step.view.map_or_else(String::new, |v| format!(", view {v}"));
    let quorum = step.quorum;
    text + &format!("     network   n {}, majority {}, f {}{view}\n\n", quorum.n, quorum.majority, quorum.f)
}

fn proposal(passed: &Passed, members: &[MemberId]) -> String {
    let mut text = format!("     proposal  {} by {}\n", passed.proposal_id.short(), member(passed.proposer, members));
    for action in &passed.actions {
        let name = action.get("name").and_then(|n| n.as_str()).unwrap_or_default();
        text += &format!("     action    {name}{}\n", arguments(action));
    }
    let voters: Vec<String> = passed.voters.iter().map(|v| member(*v, members)).collect();
    text + &format!("     votes     yes by {}; accepted, committed in {}\n", voters.join(" and "), passed.transaction)
}

/// The arguments that fit into a line.
fn arguments(action: &serde_json::Value) -> String {
    let args = action.get("args").and_then(|a| a.as_object());
    let one = |(name, value): (&String, &serde_json::Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        match text.len() {
            0..=20 => format!(" {name}={text}"),
            21..=64 => format!(" {name}={}…", clip(&text, 16)),
            bytes => format!(" {name} ({bytes} bytes)"),
        }
    };
    args.into_iter().flatten().map(one).collect()
}

fn member(id: MemberId, members: &[MemberId]) -> String {
    match members.iter().position(|m| *m == id) {
        Some(at) => format!("member {at} ({})", id.short()),
        None => id.short(),
    }
}
