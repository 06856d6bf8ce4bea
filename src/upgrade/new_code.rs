//! `[new]`: the code that nodes are to run, measured from its artefacts or given by values.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::artefacts::Artefacts;
use super::intent::{MeasurementIntent, NewIntent, TcbIntent, UvmIntent};
use super::load::{LoadError, hex, value};
use super::{Code, CodeValue, new_launch};
use crate::check::{Checks, Conclusion, Verdict};
use crate::digest::{HostData, MrEnclave, SnpMeasurement, sha256};
use crate::evidence::recognise::EvidenceKind;
use crate::evidence::virt::MEASUREMENT;
use crate::files;
use crate::platform::Platform;
use crate::processor::Cpuid;
use crate::proposal::Registration;
use crate::tcb::{MinimumTcb, TcbVersion};

/// The new code, by its artefacts or its values.
pub(super) fn code(new: &NewIntent, artefacts: &mut Artefacts<'_>) -> Result<Code, LoadError> {
    check_keys(new)?;
    let values = match new.platform {
        Platform::Virtual => virtual_code(new, artefacts)?,
        Platform::Snp => snp_code(new, artefacts)?,
        Platform::Sgx => {
            let code_id = match &new.enclave {
                Some(path) => enclave(path, artefacts)?,
                None => hex::<MrEnclave>("[new] code_id", new.code_id.as_deref())?,
            };
            vec![(Registration::SgxCode, json!({ "code_id": code_id }))]
        }
    };
    let values = values.into_iter().map(|(kind, args)| CodeValue { kind, args }).collect();
    Ok(Code { platform: new.platform, values })
}

fn virtual_code(new: &NewIntent, artefacts: &mut Artefacts<'_>) -> Result<Vec<(Registration, Value)>, LoadError> {
    let host_data = match &new.package {
        Some(path) => match artefacts.digest("[new] package", path)? {
            nothing if nothing == sha256(b"") => {
                return Err(value("[new] package", "the file is empty: no node runs it"));
            }
            digest => HostData(digest),
        },
        None => hex::<HostData>("[new] host_data", new.host_data.as_deref())?,
    };
    Ok(vec![
        (Registration::VirtualMeasurement, json!({ "measurement": MEASUREMENT })),
        (Registration::VirtualHostData, json!({ "host_data": host_data })),
    ])
}

fn snp_code(new: &NewIntent, artefacts: &mut Artefacts<'_>) -> Result<Vec<(Registration, Value)>, LoadError> {
    let mut values = Vec::new();
    for (cpuid, tcb) in &new.minimum_tcb {
        values.push((Registration::SnpMinimumTcb, minimum_tcb(cpuid, tcb)?));
    }
    match &new.uvm {
        Some(UvmIntent::File(path)) => values.push((Registration::SnpUvmEndorsement, uvm(path, artefacts)?)),
        Some(UvmIntent::Values(uvm)) => {
            if uvm.svn.parse::<u64>().is_err() || !uvm.svn.bytes().all(|b| b.is_ascii_digit()) {
                return Err(value("[new] uvm", "svn is decimal digits, in quotes"));
            }
            let args = json!({"did": uvm.did, "feed": uvm.feed, "svn": uvm.svn});
            values.push((Registration::SnpUvmEndorsement, args));
        }
        None => {}
    }
    let measurement = match &new.measurement {
        Some(MeasurementIntent::Launch(launch)) => Some(new_launch::measure(launch, artefacts)?),
        Some(MeasurementIntent::Value(text)) => Some(hex::<SnpMeasurement>("[new] measurement", Some(text))?),
        None => None,
    };
    values.extend(measurement.map(|value| (Registration::SnpMeasurement, json!({ "measurement": value }))));
    if new.uvm.is_none() && measurement.is_none() {
        return Err(value(
            "[new]",
            "a node joins by its UVM endorsement or by its launch measurement: give uvm or measurement",
        ));
    }
    let policy = match &new.policy {
        Some(path) => policy(path, artefacts)?,
        None => {
            let host_data = hex::<HostData>("[new] host_data", new.host_data.as_deref())?;
            json!({ "host_data": host_data, "security_policy": "" })
        }
    };
    values.push((Registration::SnpHostData, policy));
    Ok(values)
}

/// By components, which every version with minimum TCBs understands.
fn minimum_tcb(cpuid: &str, tcb: &TcbIntent) -> Result<Value, LoadError> {
    let refused = |reason: String| value("[new] minimum_tcb", format!("{}: {reason}", crate::text::clip(cpuid, 40)));
    let id: Cpuid = cpuid.parse().map_err(|error: crate::digest::HexError| refused(error.to_string()))?;
    let product = id.product().ok_or_else(|| refused("no processor that CCF knows has this CPUID".into()))?;
    let components: Map<String, Value> = match tcb {
        TcbIntent::Components(written) => written.iter().map(|(name, n)| (name.clone(), json!(n))).collect(),
        TcbIntent::Hex(text) => {
            let version = TcbVersion::from_hex(text)
                .ok_or_else(|| refused("a TCB version is 16 hexadecimal digits, highest byte first".into()))?;
            if let Some(meant) = version.meant(product) {
                return Err(refused(format!("{version} has its bytes in reverse order: write {meant}")));
            }
            if version.sets_reserved(product) {
                return Err(refused(format!("{version} sets bytes that {product} processors do not use")));
            }
            let tcb = version.components(product);
            let fmc = tcb.fmc.map(|fmc| ("fmc", fmc));
            let rest =
                [("boot_loader", tcb.boot_loader), ("tee", tcb.tee), ("snp", tcb.snp), ("microcode", tcb.microcode)];
            fmc.into_iter().chain(rest).map(|(name, n)| (name.to_owned(), json!(n))).collect()
        }
    };
    let components = Value::Object(components);
    let minimum = MinimumTcb::from_json(&components).map_err(|error| refused(error.to_string()))?;
    match (product.has_fmc(), minimum.fmc.is_some()) {
        (true, false) => Err(refused(format!("{product} processors have the component fmc, and it is missing"))),
        (false, true) => Err(refused(format!("{product} processors have no component fmc: it locks every node out"))),
        _ => Ok(json!({ "cpuid": cpuid, "tcb_version": components })),
    }
}

/// Every key is of its platform, and values come with a reason.
fn check_keys(new: &NewIntent) -> Result<(), LoadError> {
    let given = [
        ("package", new.package.is_some(), &[Platform::Virtual][..]),
        ("policy", new.policy.is_some(), &[Platform::Snp]),
        ("uvm", new.uvm.is_some(), &[Platform::Snp]),
        ("minimum_tcb", !new.minimum_tcb.is_empty(), &[Platform::Snp]),
        ("measurement", new.measurement.is_some(), &[Platform::Snp]),
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
    let values = by_value.1
        || matches!(new.measurement, Some(MeasurementIntent::Value(_)))
        || matches!(new.uvm, Some(UvmIntent::Values(_)));
    match new.without_artefact.as_deref().map(str::trim) {
        None | Some("") if values => Err(value(
            "[new] without_artefact",
            "a value is given instead of an artefact, and nothing here can check it: state why no artefact is at hand",
        )),
        Some(_) if !values => Err(value("[new] without_artefact", "every value comes from an artefact: remove it")),
        _ => Ok(()),
    }
}

fn wrong(key: &str, path: &Path, what: &str) -> LoadError {
    value(key, format!("{} is not {what}", files::shown(path)))
}

/// What failed is said; what was only warned of is for `measure` and `policy show` to say.
pub(super) fn sound(key: &str, checks: &Checks) -> Result<(), LoadError> {
    if checks.verdict() == Conclusion::Fail {
        let failed = checks.iter().filter(|check| check.verdict == Verdict::Fail);
        let reasons: Vec<String> = failed.map(|check| format!("{}: {}", check.name, check.detail)).collect();
        return Err(value(key, reasons.join("; ")));
    }
    Ok(())
}

fn uvm(path: &PathBuf, artefacts: &mut Artefacts<'_>) -> Result<Value, LoadError> {
    const KEY: &str = "[new] uvm";
    match artefacts.evidence(KEY, path)? {
        Some(EvidenceKind::Uvm { uvm, valid: true }) => Ok(json!({"did": uvm.did, "feed": uvm.feed, "svn": uvm.svn})),
        Some(EvidenceKind::Uvm { .. }) => {
            Err(value(KEY, format!("the signature or the issuer of {} does not hold", files::shown(path))))
        }
        _ => Err(wrong(KEY, path, "the endorsement of a utility VM")),
    }
}

fn policy(path: &PathBuf, artefacts: &mut Artefacts<'_>) -> Result<Value, LoadError> {
    const KEY: &str = "[new] policy";
    match artefacts.evidence(KEY, path)? {
        Some(EvidenceKind::Policies(policies)) => match policies.as_slice() {
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

fn enclave(path: &PathBuf, artefacts: &mut Artefacts<'_>) -> Result<MrEnclave, LoadError> {
    const KEY: &str = "[new] enclave";
    match artefacts.evidence(KEY, path)? {
        Some(EvidenceKind::Enclave(enclave)) => {
            sound(KEY, &enclave.checks)?;
            if enclave.debug == Some(true) {
                return Err(value(KEY, "it is a debug enclave, whose memory its host can read"));
            }
            Ok(enclave.mrenclave)
        }
        _ => Err(wrong(KEY, path, "an enclave")),
    }
}
