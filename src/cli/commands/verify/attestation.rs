//! `verify attestation`: a node's attestation, from its files.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::checks;
use crate::cli::commands::measure::table;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::trust::TrustArgs;
use ccf_gov::ccf_version::CcfVersion;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::digest::{HostData, MrSigner};
use ccf_gov::evidence::node::{self, Expected, NotCompared};
use ccf_gov::id::NodeId;
use ccf_gov::platform::Platform;
use ccf_gov::tcb::TcbVersion;

/// Verify a node's attestation from its files, against AMD's and Intel's pinned roots. No network is used
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov verify attestation report.bin host-amd-cert-base64 reference-info-base64 --node-id ID
  ccf-gov verify attestation report.bin /security-context-… --ccf-version 7.0.21
  ccf-gov verify attestation quote.bin endorsements.bin --measurement MRENCLAVE

The kind of each file is recognised by its contents. Exit code 3 unless every rule holds and could be checked; \
a warning (outdated collateral, for instance) is not a failure.")]
pub struct Attestation {
    /// Report or quote, endorsements, UVM endorsement; JSON that holds them; or folders of these
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The measurement that it must have
    #[arg(long, value_name = "HEX")]
    measurement: Option<String>,
    /// The host data that it must have
    #[arg(long, value_name = "HEX")]
    host_data: Option<HostData>,
    /// The node that it must be about
    #[arg(long, value_name = "ID")]
    node_id: Option<NodeId>,
    /// SNP: the minimum TCB, 16 hexadecimal digits, highest byte first
    #[arg(long, value_name = "HEX", value_parser = parse_tcb)]
    minimum_tcb: Option<TcbVersion>,
    /// SGX: the signer that the enclave must have
    #[arg(long, value_name = "HEX")]
    mrsigner: Option<MrSigner>,
    /// SGX: the product number that the enclave must have
    #[arg(long, value_name = "NUMBER")]
    isvprodid: Option<u16>,
    /// SGX: the minimum security version
    #[arg(long, value_name = "NUMBER")]
    minimum_isvsvn: Option<u16>,
    /// The version of CCF that the service runs
    #[arg(long, value_name = "VERSION")]
    ccf_version: Option<CcfVersion>,
    #[command(flatten)]
    trust: TrustArgs,
}

pub fn parse_tcb(text: &str) -> Result<TcbVersion, String> {
    TcbVersion::from_hex(text).ok_or_else(|| "a TCB is 16 hexadecimal digits, the highest byte first".to_owned())
}

impl Attestation {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut attestation = node::Attestation::of(self.node_id);
        let passed_over = add(&mut attestation, &self.files)?;
        let expected = Expected {
            node_id: self.node_id,
            measurement: self.measurement,
            host_data: self.host_data,
            minimum_tcb: self.minimum_tcb,
            mrsigner: self.mrsigner,
            isvprodid: self.isvprodid,
            minimum_isvsvn: self.minimum_isvsvn,
            ccf: self.ccf_version,
            policy: None,
        };
        let mut outcome = attestation
            .verify(&expected, &self.trust.trust()?)
            .map_err(|e| CliError::from(e).doing("cannot verify this attestation"))?;
        if let Some(open) = not_compared(&expected.not_compared(&outcome)) {
            outcome.checks.warn("not-compared", open);
        }
        outcome.checks.append(passed_over);
        show(context, &outcome)?;
        Ok(checks::exit(&outcome.checks))
    }
}

/// Adds files, and folders of them; says what of a folder was passed over.
pub fn add(attestation: &mut node::Attestation, paths: &[PathBuf]) -> Result<Checks, CliError> {
    let mut passed_over = Checks::new();
    for path in paths {
        for file in attestation.add_path(path)? {
            passed_over.warn("not-used", format!("{} is not part of an attestation", file.display()));
        }
    }
    Ok(passed_over)
}

/// What was compared with nothing, each with the option that would give it a value.
fn not_compared(open: &[NotCompared]) -> Option<String> {
    let name = |what: &NotCompared| match what {
        NotCompared::Measurement => "the measurement (--measurement)",
        NotCompared::HostData => "the host data (--host-data)",
        NotCompared::Node => "the node (--node-id)",
    };
    let (last, others) = open.split_last()?;
    let others: Vec<_> = others.iter().map(name).collect();
    let last = name(last);
    let names = if others.is_empty() { last.to_owned() } else { format!("{} and {last}", others.join(", ")) };
    Some(format!("{names}: not compared, as no expected value was given"))
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verified<'a> {
    verdict: Conclusion,
    /// Whether made-up roots were trusted, with --rehearsal-roots.
    rehearsal: bool,
    platform: Platform,
    node_id: Option<NodeId>,
    measurement: &'a str,
    /// Null for SGX, which has none.
    host_data: Option<HostData>,
    #[serde(flatten)]
    values: &'a node::Values,
    checks: &'a Checks,
}

/// Prints what an attestation says and how its checks went.
pub fn show(context: &Context, outcome: &node::Outcome) -> Result<(), CliError> {
    let result = Verified {
        verdict: outcome.checks.verdict(),
        rehearsal: outcome.checks.is_rehearsal(),
        platform: outcome.platform,
        node_id: outcome.node_id,
        measurement: &outcome.measurement,
        host_data: outcome.host_data,
        values: &outcome.values,
        checks: &outcome.checks,
    };
    context.output.result(&result, || {
        let mut rows = vec![("platform", outcome.platform.to_string())];
        rows.extend(outcome.node_id.map(|id| ("node", id.to_string())));
        rows.push(("measurement", outcome.measurement.clone()));
        rows.extend(outcome.host_data.map(|h| ("host data", h.to_string())));
        checks::report(&table(&rows), &outcome.checks)
    })
}
