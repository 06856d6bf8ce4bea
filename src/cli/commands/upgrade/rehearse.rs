//! `upgrade rehearse`: the whole walk on the embedded sandbox.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::topology;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::files;
use ccf_gov::id::MemberId;
use ccf_gov::signer::Signer;
use ccf_gov::upgrade::{Rehearsal, RehearsedStep, Signing, Topology, UpgradeError, example_signers, rehearse};

/// Rehearse a whole code upgrade on the embedded sandbox
///
/// Starts a service of three old nodes in this process; then each of the members and an operator repeat `upgrade step`, as they
/// do on a real service, until nobody has anything to do: the new code is registered, new nodes join and are trusted, the old
/// ones are retired with the primary last, stopped and deleted, constitution and application are set, and the old code is
/// removed. Every proposal and ballot is signed and sent over TLS. In the end a node with the old code is started, and must be
/// refused. Needs no network and no files: the members are the public example ones, unless others' keys are given.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov upgrade rehearse
  ccf-gov upgrade rehearse --output json | jq '.steps[].did[].what'
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
    steps: &'a [RehearsedStep],
    /// Their ids.
    members: &'a [MemberId],
    /// As the last step left it.
    #[serde(flatten)]
    topology: Option<&'a Topology>,
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
        let mut report = |step: &RehearsedStep| {
            number += 1;
            if !output.is_json() {
                // A reader that went away does not end a rehearsal.
                let _ = output.bytes(transcript(number, step, &members).as_bytes());
            }
        };
        let rehearsal = Rehearsal { signers, signing, progress: Some(progress) };
        let steps = rehearse(rehearsal, &mut report).await.map_err(failed)?;
        let topology = steps.last().map(|step| &step.topology);
        let json = Rehearsed { steps: &steps, members: &members, topology, done: true };
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
fn transcript(number: usize, step: &RehearsedStep, members: &[MemberId]) -> String {
    let who = step.member.map_or_else(|| "the operator".into(), |id| member(id, members));
    let mut text = format!("{number}. {}: {who}\n", step.phase);
    for did in &step.did {
        let at = did.transaction_id.map_or_else(String::new, |at| format!("; committed in {at}"));
        text += &format!("     did       {}{at}\n", did.what);
    }
    text + &topology::lines(&step.topology) + "\n"
}

fn member(id: MemberId, members: &[MemberId]) -> String {
    match members.iter().position(|m| *m == id) {
        Some(at) => format!("member {at} ({})", id.short()),
        None => id.short(),
    }
}
