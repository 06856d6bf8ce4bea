//! `measure snp`: what a security policy, a UVM endorsement, a launch, or a whole security context come to.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine};
use clap::Args;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::launch;
use super::register::Register;
use super::table;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::certificate;
use ccf_gov::check::{Checks, Conclusion, Verdict};
use ccf_gov::digest::{HostData, SnpMeasurement};
use ccf_gov::evidence::policy::Review;
use ccf_gov::evidence::policy::deployment::{self, FoundPolicy};
use ccf_gov::evidence::snp::uvm::{Form, UvmEndorsement};
use ccf_gov::evidence::snp::{HASH_ENVELOPE_FILE, POLICY_FILE, Roots, SecurityContext};
use ccf_gov::files;
use ccf_gov::platform::Platform;
use ccf_gov::proposal::{MeasuredValue, MeasuredValues};

/// Host data of a security policy, the values of a UVM endorsement, the launch digest of a guest
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov measure snp --policy template.json
  ccf-gov measure snp --policy policy.rego --uvm reference-info-base64 --proposal register.json
  ccf-gov measure snp --context /security-context-…
  ccf-gov measure snp --ovmf OVMF.fd --kernel vmlinuz --initrd initrd --append console=ttyS0 \\
    --vcpus 4 --vcpu-type EPYC-Milan
  ccf-gov measure snp --igvm guest.igvm

Exit code 3 if a check fails or cannot be made. A launch digest alone has none: its verdict is incomplete, and its exit code 0.")]
pub struct Snp {
    /// A security policy: Rego, its base64, an ARM template or its parameters, a container group's YAML, a Kubernetes manifest
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A UVM endorsement: reference-info-base64 or hash-envelope-reference-info-base64, as it is or decoded
    #[arg(long, value_name = "FILE")]
    uvm: Option<PathBuf>,
    /// A security context directory: policy, UVM endorsements and AMD's certificates, checked together
    #[arg(long, value_name = "DIR", conflicts_with_all = ["policy", "uvm"])]
    context: Option<PathBuf>,
    #[command(flatten)]
    launch: launch::LaunchArgs,
    #[command(flatten)]
    register: Register,
}

/// What was found, gathered part by part.
#[derive(Default)]
struct Results {
    host_data: Option<HostData>,
    groups: Option<Vec<Group>>,
    uvm: Option<Uvm>,
    uvm_hash_envelope: Option<Uvm>,
    measurement: Option<SnpMeasurement>,
    rows: Vec<(&'static str, String)>,
    checks: Checks,
    values: MeasuredValues,
    refusal: Option<String>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured<'a> {
    platform: Platform,
    /// There if the file has one policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_data: Option<HostData>,
    /// There with `--policy` or `--context`: one for each policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<&'a [Group]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uvm: Option<&'a Uvm>,
    /// Of a security context with both files.
    #[serde(skip_serializing_if = "Option::is_none")]
    uvm_hash_envelope: Option<&'a Uvm>,
    /// The launch digest (`--ovmf`, `--igvm`).
    #[serde(skip_serializing_if = "Option::is_none")]
    measurement: Option<SnpMeasurement>,
    /// `incomplete` where there was nothing to check, as for a launch digest alone.
    verdict: Conclusion,
    checks: &'a Checks,
}

/// A container group with a policy of its own.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Group {
    name: Option<String>,
    host_data: HostData,
    remark: Option<String>,
}

/// What a UVM endorsement says.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Uvm {
    /// The issuer, a did:x509.
    did: String,
    feed: String,
    /// Decimal digits.
    svn: String,
    measurement: SnpMeasurement,
    form: Form,
    /// The signer's certificate, RFC 3339; null if it cannot be read.
    not_before: Option<String>,
    not_after: Option<String>,
}

impl Snp {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.policy.is_none() && self.uvm.is_none() && self.context.is_none() && !self.launch.is_given() {
            return Err(CliError::usage("choose what to measure: --policy, --uvm, --context, --ovmf or --igvm")
                .hint("`ccf-gov measure snp --help` explains each"));
        }
        let mut results = Results::default();
        results.rows.push(("platform", "snp".into()));
        if let Some(path) = &self.policy {
            results.policy(path)?;
        }
        if let Some(path) = &self.uvm {
            results.uvm(path)?;
        }
        if let Some(folder) = &self.context {
            results.context(folder)?;
        }
        if let Some(measured) = self.launch.measure()? {
            results.measurement = Some(measured.measurement);
            results.rows.push(("measurement", measured.measurement.to_string()));
            results.rows.extend(measured.rows);
            results.values.add(MeasuredValue::SnpMeasurement(measured.measurement));
            results.checks.append(measured.checks);
        }
        let verdict = results.checks.verdict();
        // What a guest is launched with is measured, and there is nothing to check it against.
        let nothing_checked = results.checks.iter().next().is_none();
        let passed = nothing_checked || verdict == Conclusion::Pass;
        if !passed {
            results.refusal.get_or_insert("not every check passed".into());
        }
        if !self.register.to_stdout() {
            context.output.result(&results.measured(), || {
                let checks = if results.checks.iter().next().is_some() {
                    format!("\n{}", checks::lines(&results.checks))
                } else {
                    String::new()
                };
                format!("{}{checks}", table(&results.rows))
            })?;
        }
        self.register.write(context, &results.values, results.refusal.as_deref())?;
        Ok(if passed { Exit::Done } else { Exit::No })
    }
}

impl Results {
    fn measured(&self) -> Measured<'_> {
        Measured {
            platform: Platform::Snp,
            host_data: self.host_data,
            groups: self.groups.as_deref(),
            uvm: self.uvm.as_ref(),
            uvm_hash_envelope: self.uvm_hash_envelope.as_ref(),
            measurement: self.measurement,
            verdict: self.checks.verdict(),
            checks: &self.checks,
        }
    }

    fn policy(&mut self, path: &Path) -> Result<(), CliError> {
        self.policy_bytes(path, &files::read(path, deployment::MAX_FILE as u64)?)
    }

    fn policy_bytes(&mut self, path: &Path, bytes: &[u8]) -> Result<(), CliError> {
        let groups = deployment::find(bytes)
            .map_err(|e| CliError::from(e).doing(format!("cannot find a security policy in {}", path.display())))?;
        let mut listed = Vec::new();
        for FoundPolicy { name, policy, remark } in &groups {
            let found = FoundPolicy { name: name.clone(), policy: policy.clone(), remark: remark.clone() };
            let host_data = found.host_data();
            match name {
                Some(name) => self.rows.push(("host data", format!("{host_data}  ({name})"))),
                None => self.rows.push(("host data", host_data.to_string())),
            }
            // Of several groups each is told by its name.
            let who = name.as_ref().filter(|_| groups.len() > 1).map_or_else(String::new, |name| format!("{name}: "));
            if let Some(remark) = remark {
                self.checks.warn("policy-source", format!("{who}{remark}"));
            }
            let review = Review::of(policy);
            let warnings = &review.warnings;
            if let Some(worst) = review.gravest() {
                let others = match warnings.len() - 1 {
                    0 => String::new(),
                    n => format!(", and {n} more to look at"),
                };
                let detail = format!("{who}{}: {}{others}: see `ccf-gov policy show`", worst.name, worst.detail);
                let verdict = if review.is_policy() { Verdict::Warn } else { Verdict::Fail };
                self.checks.push("policy-contents", verdict, detail);
            }
            listed.push(Group { name: name.clone(), host_data, remark: remark.clone() });
            match String::from_utf8(policy.clone()) {
                Ok(policy) => self.values.add(MeasuredValue::SnpHostData { host_data, policy }),
                Err(_) => self.refusal = Some("the policy is not UTF-8, so no proposal can carry it".into()),
            }
        }
        if let [only] = &groups[..] {
            self.host_data = Some(only.host_data());
        }
        self.groups = Some(listed);
        Ok(())
    }

    /// A whole folder: its parts by themselves, and against one another.
    fn context(&mut self, folder: &Path) -> Result<(), CliError> {
        let context = SecurityContext::read(folder)
            .map_err(|e| CliError::from(e).doing(format!("cannot read the security context {}", folder.display())))?;
        let mut checks = context.check(&Roots::amd(), OffsetDateTime::now_utc());
        if let Some(policy) = &context.policy {
            self.policy_bytes(&folder.join(POLICY_FILE), BASE64_STANDARD.encode(&policy.bytes).as_bytes())?;
        }
        for (name, uvm) in context.uvm {
            let values = Some(self.uvm_values(uvm));
            match name == HASH_ENVELOPE_FILE {
                true => self.uvm_hash_envelope = values,
                false => self.uvm = values,
            }
        }
        std::mem::swap(&mut self.checks, &mut checks);
        self.checks.append(checks);
        Ok(())
    }

    fn uvm(&mut self, path: &Path) -> Result<(), CliError> {
        let bytes = files::read(path, 4 << 20)?;
        let uvm = UvmEndorsement::parse(&bytes)
            .map_err(|e| CliError::from(e).doing(format!("cannot read the UVM endorsement {}", path.display())))?;
        uvm.check_signature(OffsetDateTime::now_utc(), &mut self.checks);
        uvm.check_contents(&mut self.checks);
        self.uvm = Some(self.uvm_values(uvm));
        Ok(())
    }

    fn uvm_values(&mut self, uvm: UvmEndorsement) -> Uvm {
        let date = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_default();
        let dates = uvm.chain.first().and_then(|leaf| certificate::parse(leaf).ok()).map(|c| certificate::dates(&c));
        let values = Uvm {
            did: uvm.did.clone(),
            feed: uvm.feed.clone(),
            svn: uvm.svn.clone(),
            measurement: uvm.measurement,
            form: uvm.form,
            not_before: dates.map(|d| date(d.0)),
            not_after: dates.map(|d| date(d.1)),
        };
        self.rows.extend([
            ("UVM did", uvm.did.clone()),
            ("UVM feed", uvm.feed.clone()),
            ("UVM svn", uvm.svn.clone()),
            ("UVM measurement", uvm.measurement.to_string()),
        ]);
        if let Some((from, to)) = dates {
            self.rows.push(("UVM certificate", format!("{} to {}", date(from), date(to))));
        }
        self.values.add(MeasuredValue::SnpUvm { did: uvm.did, feed: uvm.feed, svn: uvm.svn });
        values
    }
}
