//! A proposal against what is registered now: what it would lower, leave empty, or deregister without its being there.

use serde_json::Value;

use crate::ccf_version::{CcfVersion, SvnOrder};
use crate::check::Checks;
use crate::processor::{Cpuid, Product};
use crate::proposal::{Action, Proposal, Registration};
use crate::service::JoinPolicy;
use crate::tcb::MinimumTcb;
use crate::tcb::TcbVersion;

/// Compares every action with what is registered now.
pub fn against_registered(proposal: &Proposal, policy: &JoinPolicy, ccf: Option<CcfVersion>) -> Checks {
    let mut found = Checks::new();
    for action in proposal.actions() {
        match action.name.as_str() {
            "add_snp_uvm_endorsement" => svn(action, policy, ccf, &mut found),
            "set_snp_minimum_tcb_version" | "set_snp_minimum_tcb_version_hex" => minimum(action, policy, &mut found),
            _ => {}
        }
    }
    // Whether there is a script, the policy does not say.
    for kind in Registration::ALL.into_iter().filter(|kind| *kind != Registration::JoinPolicyScript) {
        leaves(kind, policy, proposal, &mut found);
    }
    found
}

/// `add_` overwrites the svn that is there.
fn svn(action: &Action, policy: &JoinPolicy, ccf: Option<CcfVersion>, found: &mut Checks) {
    let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else { return };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let entry = policy.snp.uvm_endorsements.iter().find(|entry| entry.did == did && entry.feed == feed);
    let (Some(now), Some(new)) = (entry.and_then(|e| e.svn.clone()), action.arg("svn").map(text)) else { return };
    let order = ccf.map_or(SvnOrder::Integer, CcfVersion::svn_order);
    if SvnOrder::Integer.compare(&new, &now).is_lt() {
        found.warn("uvm-lowered", format!("{feed}: svn {now} is registered, and {new} would admit older images again"));
    } else if order.compare(&new, &now).is_lt() {
        let detail = format!("{feed}: this version of CCF compares svn as text, in which {new} is below {now}");
        found.warn("uvm-lowered", detail);
    }
}

fn minimum(action: &Action, policy: &JoinPolicy, found: &mut Checks) {
    let Some(cpuid) = action.text("cpuid") else { return };
    let Some(product) = cpuid.parse::<Cpuid>().ok().and_then(Cpuid::product) else { return };
    let read = |value: &Value| read_minimum(value, product);
    let now = policy
        .snp
        .tcb_versions
        .get(cpuid)
        .and_then(|entry| read(&entry.written))
        .and_then(|minimum| minimum.version(product));
    let new = action.arg("tcb_version").and_then(read).and_then(|minimum| minimum.version(product));
    let (Some(now), Some(new)) = (now, new) else { return };
    let lower = new.components(product).below(&now.components(product));
    if !lower.is_empty() {
        let detail = format!("{cpuid}: {now} is registered, and {new} lowers {}", lower.join(", "));
        found.warn("tcb-lowered", detail);
    }
}

fn read_minimum(value: &Value, product: Product) -> Option<MinimumTcb> {
    match value {
        Value::String(text) => TcbVersion::from_hex(text).map(|version| MinimumTcb::of(version.components(product))),
        object => MinimumTcb::from_json(object).ok(),
    }
}

/// What stays registered of a kind after the proposal, and whether what it removes is there.
fn leaves(kind: Registration, policy: &JoinPolicy, proposal: &Proposal, found: &mut Checks) {
    let (name, mut values, mut removed) = (kind.name(), policy.keys(kind), false);
    for action in proposal.actions() {
        let Some(value) = kind.key(action) else { continue };
        if kind.adds().contains(&action.name.as_str()) {
            values.push(value);
        } else if action.name == kind.remove() {
            removed = true;
            if !values.contains(&value) {
                found.warn("not-registered", format!("{name}: {value} is not registered, so nothing is removed"));
            }
            values.retain(|other| *other != value);
        }
    }
    if removed && values.is_empty() {
        found.warn("last-value", format!("no {name} stays registered: no node that needs one can join any more"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DID: &str = "did:x509:0:sha256:AA::eku:1.2";

    fn told(name: &str, args: Value, ccf: Option<&str>) -> Vec<&'static str> {
        let policy = json!({
            "snp": {
                "hostData": {"aa": ""},
                "measurements": ["ee"],
                "uvmEndorsements": {DID: {"f": {"svn": "101"}}},
                "tcbVersions": {"00a00f11": {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}},
            },
            "virtual": {"hostData": ["bb", "cc"]},
        });
        let policy: JoinPolicy = serde_json::from_value(policy).unwrap();
        let proposal = Proposal::of(vec![Action::new(name, Some(args))]);
        against_registered(&proposal, &policy, ccf.map(|v| v.parse().unwrap())).iter().map(|c| c.name).collect()
    }

    #[test]
    fn what_is_lowered_or_left_empty_is_told() {
        let uvm = |svn: &str| json!({"did": DID, "feed": "f", "svn": svn});
        assert_eq!(told("add_snp_uvm_endorsement", uvm("100"), None), ["uvm-lowered"]);
        assert!(told("add_snp_uvm_endorsement", uvm("101"), None).is_empty());
        assert!(told("add_snp_uvm_endorsement", uvm("1000"), Some("7.0.0")).is_empty());
        assert_eq!(told("add_snp_uvm_endorsement", uvm("1000"), Some("6.0.13")), ["uvm-lowered"]);
        let tcb = |value: Value| json!({"cpuid": "00a00f11", "tcb_version": value});
        assert_eq!(told("set_snp_minimum_tcb_version_hex", tcb(json!("db17000000000004")), None), ["tcb-lowered"]);
        assert!(told("set_snp_minimum_tcb_version_hex", tcb(json!("db18000000000004")), None).is_empty());
        let lower = json!({"boot_loader": 3, "tee": 0, "snp": 24, "microcode": 219});
        assert_eq!(told("set_snp_minimum_tcb_version", tcb(lower), None), ["tcb-lowered"]);
        assert_eq!(told("remove_snp_host_data", json!({"host_data": "aa"}), None), ["last-value"]);
        assert_eq!(told("remove_virtual_host_data", json!({"host_data": "dd"}), None), ["not-registered"]);
        assert!(told("remove_virtual_host_data", json!({"host_data": "bb"}), None).is_empty());
        assert_eq!(told("remove_snp_measurement", json!({"measurement": "dd"}), None), ["not-registered"]);
        assert_eq!(told("remove_snp_measurement", json!({"measurement": "ee"}), None), ["last-value"]);
        assert_eq!(told("remove_snp_uvm_endorsement", json!({"did": DID, "feed": "g"}), None), ["not-registered"]);
        assert_eq!(told("remove_snp_uvm_endorsement", json!({"did": DID, "feed": "f"}), None), ["last-value"]);
        let cpuid = |cpuid: &str| json!({"cpuid": cpuid});
        assert_eq!(told("remove_snp_minimum_tcb_version", cpuid("00a10f11"), None), ["not-registered"]);
        assert_eq!(told("remove_snp_minimum_tcb_version", cpuid("00a00f11"), None), ["last-value"]);
    }
}
