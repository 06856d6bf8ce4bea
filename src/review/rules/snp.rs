//! Rules about SEV-SNP values: host data, UVM endorsements, firmware versions.

use serde_json::Value;

use super::{Finding, Subject};
use crate::ccf_version::{Answer, CcfVersion, Feature, SvnOrder};
use crate::check::Verdict::{self, Fail, Incomplete, Warn};
use crate::digest::{HostData, sha256};
use crate::evidence::policy::review::Review;
use crate::evidence::snp::did_x509;
use crate::evidence::snp::uvm::KNOWN_ISSUERS;
use crate::host_data::{decode, explain_mismatch, of_policy};
use crate::processor::{Cpuid, Product};
use crate::proposal::Action;
use crate::tcb::minimum::MinimumTcb;
use crate::tcb::{Tcb, TcbVersion};

const ADD_HOST_DATA: &[&str] = &["add_snp_host_data"];
const ADD_UVM: &[&str] = &["add_snp_uvm_endorsement"];
const UVM: &[&str] = &["add_snp_uvm_endorsement", "remove_snp_uvm_endorsement"];

/// Host data against its policy, with the known mistakes by name.
pub fn host_data(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ADD_HOST_DATA, |action, found| {
        let (Some(policy), Some(given)) = (action.text("security_policy"), action.text("host_data")) else { return };
        if policy.is_empty() {
            found(Incomplete, "security_policy is empty: nobody can tell what this host data lets run".into());
            return;
        }
        // Digits that cannot be read have a rule of their own.
        let Ok(given) = given.to_ascii_lowercase().parse::<HostData>() else { return };
        if let Some(decoded) = decode(policy.as_bytes()) {
            let decoded = of_policy(&decoded);
            let which = if given.0 == sha256(policy.as_bytes()) {
                format!("host_data is the hash of that text, which no node has; nodes with this policy have {decoded}")
            } else if given == decoded {
                "host_data is right, and the constitution will refuse the pair".into()
            } else {
                format!("nodes with this policy have {decoded}")
            };
            found(Fail, format!("security_policy is base64, and must be the raw policy; {which}"));
            return;
        }
        let right = of_policy(policy.as_bytes());
        if given != right {
            let mistake = explain_mismatch(&given, policy.as_bytes());
            let mistake = mistake.map(|m| format!(": {m}")).unwrap_or_default();
            found(Fail, format!("the policy's SHA-256 is {right}, and host_data is {given}{mistake}"));
        }
    })
}

/// What the policy lets run, as far as its text shows.
pub fn security_policy(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ADD_HOST_DATA, |action, found| {
        let Some(policy) = action.text("security_policy") else { return };
        if policy.is_empty() {
            return found(Incomplete, "it is empty, so there is nothing to look at".into());
        }
        if decode(policy.as_bytes()).is_some() {
            found(Fail, "it is base64, not Rego".into());
            return;
        }
        for warning in Review::of(policy.as_bytes()).warnings {
            // What no platform reads as its policy is nobody's host data; all else a person may mean.
            let verdict = if warning.name == "package" { Fail } else { Warn };
            found(verdict, format!("{}: {}", warning.name, warning.detail));
        }
    })
}

/// The svn's type, digits and order.
pub fn uvm_svn(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ADD_UVM, |action, found| {
        let as_number = subject.version.map(|v| v.svn_is_integer_in_action());
        let (digits, is_number) = match action.arg("svn") {
            Some(Value::String(text)) => (text.clone(), false),
            Some(Value::Number(number)) => (number.to_string(), true),
            _ => return found(Fail, "svn is text of decimal digits".into()),
        };
        match (is_number, as_number) {
            (true, Some(false)) => found(Fail, format!("svn is a number; since CCF 5 it is text: \"{digits}\"")),
            (true, None) => found(Fail, format!("svn is a number, which only CCF 4 takes; later it is text: \"{digits}\"")),
            (false, Some(true)) => found(Fail, format!("svn is text; CCF 4 takes a number: {digits}")),
            _ => {}
        }
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return found(Fail, format!("svn is decimal digits, and this is {:?}", shorten(&digits)));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            found(Warn, format!("svn {digits} begins with a zero, which matters where it is compared as text"));
        }
        if subject.version.map(|v| v.svn_order()) == Some(SvnOrder::Text) {
            found(
                Warn,
                format!("this version compares svn as text: every svn above {digits} must have as many digits, or it counts as lower"),
            );
        }
        let first = KNOWN_ISSUERS.iter().filter(|issuer| Some(issuer.feed) == action.text("feed"));
        if let Some(first) = first.filter_map(|issuer| issuer.first_svn).next()
            && SvnOrder::Integer.compare(&digits, &first.to_string()).is_lt()
        {
            found(Fail, format!("svn {digits} is below {first}, where production utility VMs of this feed begin"));
        }
    })
}

/// What must not be registered may have been, and is removed by its exact text.
fn grave(action: &Action) -> Verdict {
    if action.name.starts_with("remove_") { Warn } else { Fail }
}

/// How the issuer is written, and whether it is known.
pub fn uvm_did(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(UVM, |action, found| {
        let Some(did) = action.text("did") else { return };
        if let Err(error) = did_x509::check_syntax(did) {
            found(grave(action), format!("did is not a did:x509: {error}"));
        } else if !KNOWN_ISSUERS.iter().any(|issuer| issuer.did == did) {
            found(Warn, "the issuer is none of those that Microsoft is known to use".into());
        }
    })
}

/// Whether issuer and feed belong together.
pub fn uvm_feed(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(UVM, |action, found| {
        let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else { return };
        // What says which feed an issuer signs for is the key usage at the end of its DID.
        let usage = |did: &str| did.rsplit(':').next().unwrap_or_default().to_string();
        let of_did = KNOWN_ISSUERS.iter().find(|issuer| usage(issuer.did) == usage(did));
        let of_feed = KNOWN_ISSUERS.iter().find(|issuer| issuer.feed == feed);
        match (of_did, of_feed) {
            (Some(issuer), _) if issuer.feed != feed => {
                found(
                    grave(action),
                    format!("the issuer's key usage is that of {}, and the feed is {:?}", issuer.feed, shorten(feed)),
                );
            }
            (None, Some(issuer)) => {
                found(
                    grave(action),
                    format!("{feed} is signed with the key usage {}, which the did does not name", usage(issuer.did)),
                );
            }
            (None, None) => found(Warn, "neither the issuer nor the feed is known".into()),
            _ => {}
        }
    })
}

/// Measurements beside UVM endorsements.
pub fn measurement(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let endorsed = subject.named(ADD_UVM).next().is_some();
    subject.each(&["add_snp_measurement"], |_, found| {
        if endorsed {
            found(Warn, "not consulted for nodes that present a UVM endorsement, and the proposal admits those".into());
        }
    })
}

/// Minimum firmware versions that some node can meet.
pub fn tcb(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let names = &["set_snp_minimum_tcb_version", "set_snp_minimum_tcb_version_hex"];
    subject.each(names, |action, found| {
        let Some(Ok(cpuid)) = action.text("cpuid").map(str::parse::<Cpuid>) else { return };
        let Some(product) = cpuid.product() else {
            return found(
                Fail,
                format!(
                    "cpuid {cpuid} is family {:#x} model {:#x}, which CCF does not know",
                    cpuid.family(),
                    cpuid.model()
                ),
            );
        };
        if product == Product::Turin {
            turin(cpuid, subject.version, found);
        }
        match action.arg("tcb_version") {
            // Digits that cannot be read have a rule of their own.
            Some(Value::String(hex)) if action.name.ends_with("_hex") => {
                if let Some(version) = TcbVersion::from_hex(hex) {
                    hex_version(version, product, found);
                }
            }
            Some(value) if !action.name.ends_with("_hex") => minimum(value, product, found),
            _ => {}
        }
    })
}

/// Which versions of CCF let a Turin processor join, and by which CPUID.
fn turin(cpuid: Cpuid, ccf: Option<CcfVersion>, found: &mut dyn FnMut(Verdict, String)) {
    if !cpuid.is_turin_of_ccf() {
        found(Warn, format!("no node matches cpuid {cpuid}: CCF knows Turin as 00b00f21"));
    }
    let since = Feature::SnpTurin.since().unwrap_or_default();
    match ccf.map(|ccf| (ccf, ccf.has(Feature::SnpTurin))) {
        Some((_, Answer::Yes)) => {}
        Some((ccf, Answer::No)) => found(Warn, format!("CCF {ccf} lets no Turin processor join")),
        Some((_, Answer::Unknown(doubt))) => {
            found(Warn, format!("whether a Turin processor can join is not known: {doubt}"))
        }
        None => found(Warn, format!("Turin processors can join from CCF {since} on")),
    }
}

fn minimum(value: &Value, product: Product, found: &mut dyn FnMut(Verdict, String)) {
    let minimum = match MinimumTcb::from_json(value) {
        Ok(minimum) => minimum,
        Err(error) => return found(Fail, error.to_string()),
    };
    let newest = Tcb { fmc: product.has_fmc().then_some(255), boot_loader: 255, tee: 255, snp: 255, microcode: 255 };
    for refusal in minimum.refusals(&newest) {
        found(Fail, format!("{product}: {refusal}"));
    }
    let components = [
        ("boot_loader", minimum.boot_loader),
        ("tee", minimum.tee),
        ("snp", minimum.snp),
        ("microcode", minimum.microcode),
        ("fmc", minimum.fmc.filter(|_| product.has_fmc())),
    ];
    if components[..4].iter().all(|(_, value)| *value == Some(0)) {
        found(Warn, "every component is 0: any firmware is admitted".into());
    }
    unreachable(components.into_iter().filter_map(|(name, value)| Some((name, value?))), product, found);
}

/// A component at the largest number that it can be: no firmware is known that has it.
fn unreachable(
    components: impl Iterator<Item = (&'static str, u8)>,
    product: Product,
    found: &mut dyn FnMut(Verdict, String),
) {
    let largest: Vec<_> = components.filter(|(_, value)| *value == u8::MAX).map(|(name, _)| name).collect();
    if !largest.is_empty() {
        let text = format!(
            "{} at 255, and no firmware is known that has it: no {product} node could join until the minimum is lowered, not \
             even one that is restarted",
            largest.join(", ")
        );
        found(Warn, text);
    }
}

fn hex_version(version: TcbVersion, product: Product, found: &mut dyn FnMut(Verdict, String)) {
    let components = version.components(product);
    if let Some(meant) = version.meant(product) {
        found(
            Fail,
            format!(
                "its bytes stand in reverse order: {version} is {components}; was {meant} meant, {}?",
                meant.components(product)
            ),
        );
    } else if version.sets_reserved(product) {
        found(Fail, format!("{version} has digits where {product} has reserved bytes"));
    } else if version.0 == 0 {
        found(Warn, "every component is 0: any firmware is admitted".into());
    }
    let Tcb { fmc, boot_loader, tee, snp, microcode } = components;
    let named = [("boot_loader", boot_loader), ("tee", tee), ("snp", snp), ("microcode", microcode)];
    unreachable(named.into_iter().chain(fmc.map(|fmc| ("fmc", fmc))), product, found);
}

fn shorten(text: &str) -> String {
    text.chars().take(60).collect()
}
