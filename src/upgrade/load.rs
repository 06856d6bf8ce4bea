//! From `upgrade.toml` and its artefacts to a plan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::intent::{Intent, IntentError, NewIntent, OldIntent, UvmIntent};
use super::{Code, CodeValue, Named, Plan};
use crate::ccf_version::{CcfVersion, VersionError};
use crate::certificate::{self, CertificateError};
use crate::check::{Checks, Conclusion, Verdict};
use crate::digest::{HexError, HostData, MrEnclave, SnpMeasurement, sha256};
use crate::evidence::hash;
use crate::evidence::node::Trust;
use crate::evidence::recognise::{self, EvidenceError, EvidenceKind};
use crate::evidence::virt::MEASUREMENT;
use crate::files::{self, FileError};
use crate::platform::Platform;
use crate::proposal::catalogue::Catalogue;
use crate::proposal::{NewError, Setting, ValueSource, from_template};
use crate::proposal::{Proposal, Registration};
use crate::review::{Application, check_script};

/// The largest certificate file, in bytes.
const MAX_CERTIFICATE: u64 = 64 << 10;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// `upgrade.toml` itself.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// A file that it names.
    #[error(transparent)]
    File(#[from] FileError),
    /// The service's certificate.
    #[error("cannot use the service certificate {file}")]
    Certificate {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// An artefact cannot be read.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// An artefact is not what its key says, or is unsound.
    #[error("{key} in upgrade.toml: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The constitution or the application.
    #[error("{key} in upgrade.toml cannot be proposed")]
    Rules {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: NewError,
    },
}

impl Plan {
    /// The plan that an `upgrade.toml` makes of its artefacts. `trust` says under whose roots UVM endorsements are judged.
    ///
    /// # Errors
    /// [`LoadError`]: something cannot be read, is unsound, or does not fit together.
    pub fn load(path: &Path, trust: &Trust, now: OffsetDateTime) -> Result<(Intent, Self), LoadError> {
        let intent = Intent::read(path)?;
        let mut plan = Self::of(code(&intent.new, trust)?, intent.new.nodes);
        plan.service = service(&intent.service.cert)?;
        if intent.new.nodes == 0 {
            return Err(value("[new] nodes", "there must be at least one node"));
        }
        let version = intent.new.version.as_deref().map(str::parse::<CcfVersion>).transpose();
        plan.version = version.map_err(|error: VersionError| value("[new] version", error))?;
        plan.old = intent.old.as_ref().map(|old| named(old, plan.new.platform)).transpose()?;
        let rules = &intent.rules;
        plan.minimum_f = rules.minimum_fault_tolerance;
        plan.validity_days = rules.validity_days;
        if rules.validity_days == 0 {
            return Err(value("[rules] validity_days", "a certificate is valid for at least one day"));
        }
        let proposer = rules.proposer.as_deref().map(str::parse).transpose();
        plan.proposer = proposer.map_err(|error| value("[rules] proposer", error))?;
        if !rules.constitution.is_empty() {
            let made = propose("set_constitution", "[rules] constitution", "constitution", &rules.constitution, now)?;
            plan.constitution = made.actions().first().and_then(|a| a.text("constitution")).map(str::to_owned);
        }
        if let Some(bundle) = &rules.application {
            let key = "[rules] application";
            let made = propose("set_js_app", key, "bundle", std::slice::from_ref(bundle), now)?;
            let bundle = made.actions().first().and_then(|action| action.arg("bundle")).cloned();
            if bundle.as_ref().and_then(Application::of_bundle).is_none() {
                return Err(value(
                    key,
                    "a bundle is {metadata: {endpoints}, modules: [{name, module}]} and nothing else",
                ));
            }
            plan.application = bundle;
        }
        plan.waived = intent.waive.clone();
        for (key, path) in artefacts(&intent.new) {
            let digest = hash::sha256_file(path).map_err(|source| FileError::Read { path: path.clone(), source })?;
            plan.artefacts.insert(key.into(), digest);
        }
        Ok((intent, plan))
    }
}

fn value(key: &str, reason: impl ToString) -> LoadError {
    LoadError::Value { key: key.into(), reason: reason.to_string() }
}

fn service(path: &Path) -> Result<[u8; 32], LoadError> {
    let pem = files::read(path, MAX_CERTIFICATE)?;
    let failed = |source| LoadError::Certificate { file: files::shown(path).into_owned(), source };
    let chain = certificate::from_pem(&pem).map_err(failed)?;
    match chain.as_slice() {
        [one] => Ok(sha256(one)),
        _ => Err(value("[service] cert", "the file holds several certificates, and a service has one")),
    }
}

fn artefacts(new: &NewIntent) -> Vec<(&'static str, &PathBuf)> {
    let uvm = match &new.uvm {
        Some(UvmIntent::File(path)) => Some(path),
        _ => None,
    };
    let all = [
        ("package", new.package.as_ref()),
        ("policy", new.policy.as_ref()),
        ("uvm", uvm),
        ("igvm", new.igvm.as_ref()),
        ("enclave", new.enclave.as_ref()),
    ];
    all.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
}

/// The new code, by its artefacts or its values.
fn code(new: &NewIntent, trust: &Trust) -> Result<Code, LoadError> {
    check_keys(new)?;
    let mut code = Code { platform: new.platform, values: Vec::new() };
    let mut add = |kind, args| code.values.push(CodeValue { kind, args });
    match new.platform {
        Platform::Virtual => {
            let measurement = new.measurement.as_deref().unwrap_or(MEASUREMENT);
            add(Registration::VirtualMeasurement, json!({ "measurement": measurement }));
            let host_data = match &new.package {
                Some(path) => {
                    HostData(hash::sha256_file(path).map_err(|source| FileError::Read { path: path.clone(), source })?)
                }
                None => hex::<HostData>("[new] host_data", new.host_data.as_deref())?,
            };
            add(Registration::VirtualHostData, json!({ "host_data": host_data }));
        }
        Platform::Snp => {
            for (cpuid, tcb) in &new.minimum_tcb {
                let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                if cpuid.len() != 8 || tcb.len() != 16 || !digits(cpuid) || !digits(tcb) {
                    return Err(value(
                        "[new] minimum_tcb",
                        "8 lowercase hexadecimal digits of a CPUID = 16 of a TCB version",
                    ));
                }
                add(Registration::SnpMinimumTcb, json!({ "cpuid": cpuid, "tcb_version": tcb }));
            }
            match &new.uvm {
                Some(UvmIntent::File(path)) => add(Registration::SnpUvmEndorsement, uvm(path, trust)?),
                Some(UvmIntent::Values(uvm)) => {
                    if uvm.svn.is_empty() || !uvm.svn.bytes().all(|b| b.is_ascii_digit()) {
                        return Err(value("[new] uvm", "svn is decimal digits, in quotes"));
                    }
                    let args = json!({"did": uvm.did, "feed": uvm.feed, "svn": uvm.svn});
                    add(Registration::SnpUvmEndorsement, args);
                }
                None => {}
            }
            if let Some(path) = &new.igvm {
                add(Registration::SnpMeasurement, json!({ "measurement": igvm(path, trust)? }));
            } else if new.measurement.is_some() {
                let measurement = hex::<SnpMeasurement>("[new] measurement", new.measurement.as_deref())?;
                add(Registration::SnpMeasurement, json!({ "measurement": measurement }));
            }
            match &new.policy {
                Some(path) => add(Registration::SnpHostData, policy(path, trust)?),
                None => {
                    let host_data = hex::<HostData>("[new] host_data", new.host_data.as_deref())?;
                    add(Registration::SnpHostData, json!({ "host_data": host_data, "security_policy": "" }));
                }
            }
        }
        Platform::Sgx => {
            let code_id = match &new.enclave {
                Some(path) => enclave(path, trust)?,
                None => hex::<MrEnclave>("[new] code_id", new.code_id.as_deref())?,
            };
            add(Registration::SgxCode, json!({ "code_id": code_id }));
        }
    }
    Ok(code)
}

/// Every key is of its platform, and values come with a reason.
fn check_keys(new: &NewIntent) -> Result<(), LoadError> {
    let given = [
        ("package", new.package.is_some(), &[Platform::Virtual][..]),
        ("policy", new.policy.is_some(), &[Platform::Snp]),
        ("uvm", new.uvm.is_some(), &[Platform::Snp]),
        ("igvm", new.igvm.is_some(), &[Platform::Snp]),
        ("minimum_tcb", !new.minimum_tcb.is_empty(), &[Platform::Snp]),
        ("measurement", new.measurement.is_some(), &[Platform::Snp, Platform::Virtual]),
        ("enclave", new.enclave.is_some(), &[Platform::Sgx]),
        ("host_data", new.host_data.is_some(), &[Platform::Snp, Platform::Virtual]),
        ("code_id", new.code_id.is_some(), &[Platform::Sgx]),
    ];
    for (key, given, platforms) in given {
        if given && !platforms.contains(&new.platform) {
            let why = format!("nodes of the platform {} have none", new.platform);
            return Err(value(&format!("[new] {key}"), why));
        }
    }
    let (artefact, by_value) = match new.platform {
        Platform::Virtual => (("package", new.package.is_some()), ("host_data", new.host_data.is_some())),
        Platform::Snp => (("policy", new.policy.is_some()), ("host_data", new.host_data.is_some())),
        Platform::Sgx => (("enclave", new.enclave.is_some()), ("code_id", new.code_id.is_some())),
    };
    if artefact.1 == by_value.1 {
        let why = format!("give either {} (an artefact, which is measured) or {} (a value)", artefact.0, by_value.0);
        return Err(value("[new]", why));
    }
    let values = by_value.1 || new.measurement.is_some() || matches!(new.uvm, Some(UvmIntent::Values(_)));
    match new.without_artefact.as_deref().map(str::trim) {
        None | Some("") if values => Err(value(
            "[new] without_artefact",
            "a value is given instead of an artefact, and nothing here can check it: state why no artefact is at hand",
        )),
        Some(_) if !values => Err(value("[new] without_artefact", "every value comes from an artefact: remove it")),
        _ => Ok(()),
    }
}

fn hex<T: std::str::FromStr<Err = HexError>>(key: &str, text: Option<&str>) -> Result<T, LoadError> {
    text.unwrap_or_default().parse().map_err(|error| value(key, error))
}

/// What a file is evidence of, and that it is the kind that its key says.
fn evidence(path: &PathBuf, trust: &Trust) -> Result<Vec<EvidenceKind>, LoadError> {
    let found = recognise::read(std::slice::from_ref(path), None, trust)?;
    Ok(found.into_iter().map(|evidence| evidence.kind).collect())
}

fn wrong(key: &str, path: &Path, what: &str) -> LoadError {
    value(key, format!("{} is not {what}", files::shown(path)))
}

/// What failed is said; what was only warned of is for `measure` and `policy show` to say.
fn sound(key: &str, checks: &Checks) -> Result<(), LoadError> {
    if checks.verdict() == Conclusion::Fail {
        let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail);
        let reasons: Vec<String> = failed.map(|check| format!("{}: {}", check.name, check.detail)).collect();
        return Err(value(key, reasons.join("; ")));
    }
    Ok(())
}

fn uvm(path: &PathBuf, trust: &Trust) -> Result<Value, LoadError> {
    const KEY: &str = "[new] uvm";
    match evidence(path, trust)?.as_slice() {
        [EvidenceKind::Uvm { uvm, valid: true }] => Ok(json!({"did": uvm.did, "feed": uvm.feed, "svn": uvm.svn})),
        [EvidenceKind::Uvm { .. }] => {
            Err(value(KEY, format!("the signature or the issuer of {} does not hold", files::shown(path))))
        }
        _ => Err(wrong(KEY, path, "the endorsement of a utility VM")),
    }
}

fn igvm(path: &PathBuf, trust: &Trust) -> Result<SnpMeasurement, LoadError> {
    const KEY: &str = "[new] igvm";
    match evidence(path, trust)?.as_slice() {
        [EvidenceKind::Guest(guest)] => {
            sound(KEY, &guest.checks())?;
            Ok(guest.measurement)
        }
        _ => Err(wrong(KEY, path, "an IGVM file")),
    }
}

fn policy(path: &PathBuf, trust: &Trust) -> Result<Value, LoadError> {
    const KEY: &str = "[new] policy";
    match evidence(path, trust)?.as_slice() {
        [EvidenceKind::Policies(policies)] => match policies.as_slice() {
            [policy] => {
                let text = String::from_utf8(policy.found.policy.clone())
                    .map_err(|_| value(KEY, "the policy is not UTF-8, so no proposal can carry it"))?;
                Ok(json!({ "host_data": policy.host_data(), "security_policy": text }))
            }
            several => {
                Err(value(KEY, format!("the file holds {} security policies, and nodes have one", several.len())))
            }
        },
        _ => Err(wrong(KEY, path, "a security policy, or a deployment that holds one")),
    }
}

fn enclave(path: &PathBuf, trust: &Trust) -> Result<MrEnclave, LoadError> {
    const KEY: &str = "[new] enclave";
    match evidence(path, trust)?.as_slice() {
        [EvidenceKind::Enclave(enclave)] => {
            sound(KEY, &enclave.checks)?;
            if enclave.debug == Some(true) {
                return Err(value(KEY, "it is a debug enclave, whose memory its host can read"));
            }
            Ok(enclave.mrenclave)
        }
        _ => Err(wrong(KEY, path, "an enclave")),
    }
}

fn propose(
    template: &str,
    key: &'static str,
    parameter: &str,
    files: &[PathBuf],
    now: OffsetDateTime,
) -> Result<Proposal, LoadError> {
    let setting = |path: &PathBuf| Setting { name: parameter.into(), source: ValueSource::File(path.clone()) };
    let settings: Vec<Setting> = files.iter().map(setting).collect();
    from_template(Catalogue::builtin(), template, &settings, now, check_script)
        .map_err(|source| LoadError::Rules { key, source })
}

fn named(old: &OldIntent, platform: Platform) -> Result<Named, LoadError> {
    let mut values = BTreeSet::new();
    let (host_data, measurement) = match platform {
        Platform::Snp => (Some(Registration::SnpHostData), Some(Registration::SnpMeasurement)),
        Platform::Virtual => (Some(Registration::VirtualHostData), Some(Registration::VirtualMeasurement)),
        Platform::Sgx => (None, None),
    };
    let code_id = (platform == Platform::Sgx).then_some(Registration::SgxCode);
    let given = [
        ("host_data", host_data, &old.host_data),
        ("measurement", measurement, &old.measurement),
        ("code_id", code_id, &old.code_id),
    ];
    for (key, kind, list) in given {
        for text in list {
            let key = format!("[old] {key}");
            let Some(kind) = kind else {
                return Err(value(&key, format!("nodes of the platform {platform} have none")));
            };
            match kind {
                Registration::VirtualMeasurement => {}
                Registration::SnpMeasurement => drop(hex::<SnpMeasurement>(&key, Some(text))?),
                Registration::SgxCode => drop(hex::<MrEnclave>(&key, Some(text))?),
                _ => drop(hex::<HostData>(&key, Some(text))?),
            }
            values.insert((kind, text.clone()));
        }
    }
    if !old.uvm.is_empty() && platform != Platform::Snp {
        return Err(value("[old] uvm", format!("nodes of the platform {platform} have none")));
    }
    values.extend(old.uvm.iter().map(|uvm| (Registration::SnpUvmEndorsement, format!("{} {}", uvm.did, uvm.feed))));
    let nodes = old.nodes.iter().map(|id| id.parse().map_err(|error| value("[old] nodes", error)));
    Ok(Named { values, nodes: nodes.collect::<Result<_, LoadError>>()? })
}
