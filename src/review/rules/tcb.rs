//! Minimum TCBs: whether some node can meet them, and what they admit.

use serde_json::Value;

use super::evidence::{Proof, names};
use super::{Finding, Subject};
use crate::ccf_version::{CcfVersion, Feature, Support};
use crate::check::Verdict::{self, Fail, Incomplete, Warn};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::evidence::snp::Report;
use crate::processor::{Cpuid, Product};
use crate::proposal::Action;
use crate::tcb::MinimumTcb;
use crate::tcb::{Tcb, TcbVersion};
use crate::text::clip;

const SET: &[&str] = &["set_snp_minimum_tcb_version", "set_snp_minimum_tcb_version_hex"];

/// Minimum firmware versions that some node can meet.
pub(super) fn tcb(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(SET, |action, found| {
        let Some(Ok(cpuid)) = action.text("cpuid").map(str::parse::<Cpuid>) else { return };
        let Some(product) = cpuid.product() else {
            let reversed = Cpuid(cpuid.0.swap_bytes());
            let known = reversed.product();
            let hint = known.map(|product| format!("; its bytes are in reverse order: {reversed} is a {product}"));
            let (family, model, hint) = (cpuid.family(), cpuid.model(), hint.unwrap_or_default());
            let text = format!("cpuid {cpuid} is family {family:#x} model {model:#x}, which CCF does not know{hint}");
            return found(Fail, text);
        };
        if product == Product::Turin {
            turin(cpuid, subject.version, found);
        }
        match minimum(action, product) {
            // Digits that cannot be read are reported elsewhere.
            None => {}
            Some(Err(error)) => found(Fail, error),
            Some(Ok((minimum, written))) => {
                faults(&minimum, written, product).into_iter().for_each(|fault| found(Fail, fault));
                looks(&minimum, product).into_iter().for_each(|look| found(Warn, look));
            }
        }
    })
}

/// Which versions of CCF let a Turin processor join, and by which CPUID.
fn turin(cpuid: Cpuid, ccf: Option<CcfVersion>, found: &mut dyn FnMut(Verdict, String)) {
    if !cpuid.is_turin_of_ccf() {
        let text = format!(
            "no node matches cpuid {cpuid}: CCF knows Turin as 00b00f21 (nodes of CCF before 7.0.0-dev13 registered this)"
        );
        return found(Fail, text);
    }
    let since = Feature::SnpTurin.since().unwrap_or_default();
    match ccf.map(|ccf| (ccf, ccf.has(Feature::SnpTurin))) {
        Some((_, Support::Yes)) => {}
        Some((ccf, Support::No)) => {
            found(Fail, format!("CCF {ccf} lets no Turin processor join: it trusts no root for them"));
        }
        Some((_, Support::Unknown(doubt))) => {
            found(Incomplete, format!("whether a Turin processor can join is not known: {doubt}"));
        }
        None => found(Warn, format!("Turin processors can join from CCF {since} on")),
    }
}

/// The minimum that an action sets, and the digits in which it is written, if it is; `None` if it is not of the action's
/// type.
fn minimum(action: &Action, product: Product) -> Option<Result<(MinimumTcb, Option<TcbVersion>), String>> {
    match action.arg("tcb_version")? {
        Value::String(digits) if action.name.ends_with("_hex") => {
            let version = TcbVersion::from_hex(digits)?;
            Some(Ok((MinimumTcb::of(version.components(product)), Some(version))))
        }
        value if !action.name.ends_with("_hex") => {
            let minimum = MinimumTcb::from_json(value).map_err(|error| error.to_string());
            Some(minimum.map(|minimum| (minimum, None)))
        }
        _ => None,
    }
}

/// Why no node of this product can meet the minimum, or it cannot be meant.
fn faults(minimum: &MinimumTcb, written: Option<TcbVersion>, product: Product) -> Vec<String> {
    let newest = Tcb { fmc: product.has_fmc().then_some(255), boot_loader: 255, tee: 255, snp: 255, microcode: 255 };
    let mut faults: Vec<_> =
        minimum.refusals(&newest).into_iter().map(|refusal| format!("{product}: {refusal}")).collect();
    let Some(version) = written.or(minimum.version(product)) else { return faults };
    if let Some(meant) = version.meant(product) {
        let (is, would_be) = (version.components(product), meant.components(product));
        faults.push(format!("its bytes are in reverse order: {version} is {is}; was {meant} meant, {would_be}?"));
    } else if version.sets_reserved(product) {
        faults.push(format!("{version} has values where a {product} has no component"));
    }
    faults
}

/// What a person should look at in a minimum.
fn looks(minimum: &MinimumTcb, product: Product) -> Vec<String> {
    let mut looks = Vec::new();
    if [minimum.boot_loader, minimum.tee, minimum.snp, minimum.microcode].iter().all(|value| *value == Some(0)) {
        looks.push("every component is 0: any firmware is admitted".into());
    }
    let mut unreachable = minimum.unreachable();
    unreachable.retain(|name| *name != "fmc" || product.has_fmc());
    if !unreachable.is_empty() {
        looks.push(format!(
            "{} at 255, and no firmware is known that has it: no {product} node could join until the minimum is lowered, not \
             even one that is restarted",
            unreachable.join(", ")
        ));
    }
    looks
}

/// A text beside the components that says something else.
pub(super) fn hexstring(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let found = subject.each(SET, |action, found| {
        let product = action.text("cpuid").and_then(|text| text.parse::<Cpuid>().ok()).and_then(Cpuid::product);
        let Some((product, Ok((minimum, _)))) = product.and_then(|p| Some((p, minimum(action, p)?))) else { return };
        let (Some(version), Some(text)) = (minimum.version(product), minimum.hexstring.as_deref()) else { return };
        if TcbVersion::from_hex(text) != Some(version) {
            let text = clip(text, 40);
            found(Warn, format!("hexstring says {text:?} and the components {version}; CCF compares the components"));
        }
    });
    found.filter(|found| !found.is_empty())
}

/// Entries without which no node of a processor can join.
pub(super) fn removed(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(&["remove_snp_minimum_tcb_version"], |action, found| {
        let Some(cpuid) = action.text("cpuid").and_then(|text| text.parse::<Cpuid>().ok()) else { return };
        let Some(product) = cpuid.product() else { return };
        let text = format!("without an entry no {product} of cpuid {cpuid} can join; CCF 6 and later have no default");
        found(Warn, text);
    })
}

/// What the reports of nodes that are to go on running say of a minimum.
pub(super) fn proof(action: &Action, evidence: &[Evidence]) -> Proof {
    let (cpuid, product) = match cpuid(action) {
        Ok(known) => known,
        Err(proof) => return proof,
    };
    let null = Value::Null;
    let written = action.arg("tcb_version").unwrap_or(&null);
    let value = format!("{cpuid} ({product}) {written}");
    if action.name.ends_with("_hex") {
        let why = match written.as_str() {
            None => Some("its tcb_version is not text; the action without _hex takes an object"),
            Some(text) if TcbVersion::from_hex(text).is_none() => {
                Some("its tcb_version is not 16 hexadecimal digits, the highest byte first")
            }
            Some(text) if text.bytes().any(|b| b.is_ascii_uppercase()) => {
                Some("its tcb_version has uppercase digits, and the constitution takes lowercase ones")
            }
            Some(_) => None,
        };
        if let Some(why) = why {
            return Proof::malformed(&value, why);
        }
    }
    let Some(Ok((minimum, digits))) = minimum(action, product) else { return Proof::new(value, Vec::new(), None) };
    if !faults(&minimum, digits, product).is_empty() {
        return Proof::new(value, Vec::new(), None);
    }
    match met(&minimum, digits.or(minimum.version(product)), cpuid, product, evidence) {
        Err(mistake) => Proof::new(value, Vec::new(), Some(mistake)),
        Ok(backed) => {
            let mut proof = Proof::new(value, backed, None);
            if let Some(below) = below_reports(&minimum, cpuid, product, evidence) {
                proof.further.warn("tcb-below-report", below);
            }
            proof
        }
    }
}

/// What evidence says of a removed entry: it is about the nodes with that processor, which a report shows.
pub(super) fn removal(action: &Action, evidence: &[Evidence]) -> Proof {
    match cpuid(action) {
        Ok((cpuid, product)) => {
            let is = |kind: &EvidenceKind| reported(kind).is_some_and(|report| report.cpuid() == Some(cpuid));
            Proof::new(format!("{cpuid} ({product})"), names(evidence, is), None)
        }
        Err(proof) => proof,
    }
}

fn cpuid(action: &Action) -> Result<(Cpuid, Product), Proof> {
    let written = action.text("cpuid").ok_or_else(|| Proof::malformed("", "it has no text cpuid"))?;
    let cpuid: Cpuid = written.parse().map_err(|error| Proof::malformed(written, error))?;
    let product =
        cpuid.product().ok_or_else(|| Proof::malformed(written, "no processor that CCF knows has this cpuid"))?;
    Ok((cpuid, product))
}

/// The reports that meet a minimum.
///
/// # Errors
/// The mistake in it that they show.
fn met(
    minimum: &MinimumTcb,
    version: Option<TcbVersion>,
    cpuid: Cpuid,
    product: Product,
    evidence: &[Evidence],
) -> Result<Vec<String>, String> {
    let (mut backed, mut mistake) = (Vec::new(), None);
    for (name, report) in evidence.iter().filter_map(|e| reported(&e.kind).map(|report| (&e.name, report))) {
        let tcb = report.reported_tcb();
        let refusals = minimum.refusals(&tcb.components(product));
        match report.cpuid() {
            Some(own) if own == cpuid && refusals.is_empty() => backed.push(name.clone()),
            Some(own) if own == cpuid => {
                let reversed = version.is_some_and(|version| version.reversed() == tcb);
                let why = if reversed { "its bytes are in reverse order".into() } else { refusals.join("; ") };
                return Err(format!("the node of {name} reports {tcb} and would be refused: {why}"));
            }
            Some(own) if own.product() == Some(product) => {
                mistake = Some(format!("the report {name} is of cpuid {own}: CCF wants an entry for exactly that"));
            }
            _ => {}
        }
    }
    mistake.filter(|_| backed.is_empty()).map_or(Ok(backed), Err)
}

/// What lies between the minimum and the oldest node that is known: firmware that no node runs, and that may join.
fn below_reports(minimum: &MinimumTcb, cpuid: Cpuid, product: Product, evidence: &[Evidence]) -> Option<String> {
    let known = evidence.iter().filter_map(|e| reported(&e.kind)).filter(|r| r.cpuid() == Some(cpuid));
    let known: Vec<Tcb> = known.map(|report| report.reported_tcb().components(product)).collect();
    let component = |of: fn(&Tcb) -> Option<u8>| known.iter().filter_map(of).min();
    let components = [
        ("fmc", component(|t| t.fmc), minimum.fmc),
        ("boot_loader", component(|t| Some(t.boot_loader)), minimum.boot_loader),
        ("tee", component(|t| Some(t.tee)), minimum.tee),
        ("snp", component(|t| Some(t.snp)), minimum.snp),
        ("microcode", component(|t| Some(t.microcode)), minimum.microcode),
    ];
    let below = components.into_iter().filter_map(|(name, reported, minimum)| {
        let (reported, minimum) = reported.zip(minimum).filter(|(reported, minimum)| minimum < reported)?;
        Some(format!("{name} {minimum} where the nodes report {reported}"))
    });
    let below: Vec<String> = below.collect();
    (!below.is_empty())
        .then(|| format!("{cpuid}: older firmware than that of the reports may join: {}", below.join(", ")))
}

fn reported(kind: &EvidenceKind) -> Option<&Report> {
    match kind {
        EvidenceKind::Report { report, valid: true, .. } => Some(report),
        _ => None,
    }
}
