//! A node's SEV-SNP attestation, checked whole: CCF's own rules, and what a person would want to know besides.

use serde::Serialize;
use time::OffsetDateTime;

use super::admission::Admission;
use super::endorsements::Endorsements;
use super::report::{NEWEST_VERSION, Report};
use super::roots::Roots;
use super::uvm::UvmEndorsement;
use super::vcek::Vcek;
use crate::ccf_version::{CcfVersion, Feature, Support};
use crate::check::Checks;
use crate::digest::{HostData, SnpMeasurement};
use crate::evidence::RevocationList;
use crate::id::NodeId;
use crate::processor::{Cpuid, Product};
use crate::tcb::MinimumTcb;
use crate::tcb::{Tcb, TcbVersion};

/// What a node (or its operator) shows.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The report.
    pub report: &'a Report,
    /// The certificates that endorse it; without them nothing about it is proved.
    pub endorsements: Option<&'a Endorsements>,
    /// The UVM endorsements: a node shows one, and its host has it in two forms.
    pub uvm: &'a [UvmEndorsement],
    /// The `endorsed_tcb` that the node sent along, if it did.
    pub endorsed_tcb: Option<TcbVersion>,
    /// Lists of what AMD revoked, if any were given; no node shows one.
    pub revocations: &'a [RevocationList],
}

/// What the evidence is compared with; whatever is absent is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The version of CCF that the service runs; without it the rules of the newest one hold.
    pub ccf: Option<CcfVersion>,
    /// The measurement.
    pub measurement: Option<SnpMeasurement>,
    /// The host data.
    pub host_data: Option<HostData>,
    /// The node.
    pub node_id: Option<NodeId>,
    /// The least TCB, read by the report's product.
    pub minimum_tcb: Option<TcbVersion>,
    /// A service's join policy.
    pub policy: Option<Admission>,
}

/// What a report says, for people and for JSON output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Values {
    /// The report's version.
    pub report_version: u32,
    /// The processor, if known.
    pub product: Option<Product>,
    /// Family, model and stepping as CCF's tables spell them; from version 3.
    pub cpuid: Option<String>,
    /// The launch measurement.
    pub measurement: SnpMeasurement,
    /// The host data.
    pub host_data: HostData,
    /// The first 32 bytes of the report data.
    pub node_id: NodeId,
    /// The TCB, hexadecimal.
    pub reported_tcb: String,
    /// Its components, if the product is known.
    pub tcb: Option<Tcb>,
    /// Whether the host can read the guest's memory.
    pub debug: bool,
}

/// Checks `evidence` against every rule, the chain against `roots`, at the time `now`.
///
/// Every rule stands in the answer with its verdict; a signature that could not be checked is never a pass.
pub fn verify(evidence: &Evidence<'_>, expected: &Expected, roots: &Roots, now: OffsetDateTime) -> (Checks, Values) {
    let mut checks = Checks::new();
    let report = evidence.report;
    check_version(report, expected.ccf, &mut checks);
    let vcek = match evidence.endorsements {
        Some(endorsements) => endorsements.check(report.product(), roots, now, evidence.revocations, &mut checks),
        None => {
            checks.incomplete("certificate-count", "no endorsements were given, so nothing of the report is proved");
            None
        }
    };
    check_report_signature(report, vcek.as_ref(), evidence.endorsements.is_some(), &mut checks);
    check_contents(report, &mut checks);
    check_tcb(evidence, vcek.as_ref(), expected.ccf, &mut checks);
    let product = report.product().or(vcek.as_ref().map(|v| v.product));
    let shown = check_uvm(evidence, expected.ccf, now, &mut checks);
    check_expected(evidence, expected, product, &mut checks);
    if let Some(policy) = &expected.policy {
        policy.check(report, &shown, product, expected.ccf, &mut checks);
    }
    let values = Values {
        report_version: report.version(),
        product,
        cpuid: report.cpuid().map(|c| c.to_string()),
        measurement: report.measurement(),
        host_data: report.host_data(),
        node_id: report.node_id(),
        reported_tcb: report.reported_tcb().to_string(),
        tcb: product.map(|p| report.reported_tcb().components(p)),
        debug: report.policy().debug(),
    };
    (checks, values)
}

/// Checks every UVM endorsement; those that the service can read, or may, are what the node can show it.
fn check_uvm<'a>(
    evidence: &Evidence<'a>,
    ccf: Option<CcfVersion>,
    now: OffsetDateTime,
    checks: &mut Checks,
) -> Vec<&'a UvmEndorsement> {
    let readable = |uvm: &UvmEndorsement| uvm.check_form(ccf, &mut Checks::new()).is_yes();
    let any = evidence.uvm.iter().any(readable);
    let mut shown = Vec::new();
    for uvm in evidence.uvm {
        let mut own = Checks::new();
        if any && !readable(uvm) {
            let detail =
                format!("{}: the service cannot read this one, and the node can show the other", uvm.describe());
            own.warn("uvm-form", detail);
        } else {
            uvm.check_form(ccf, &mut own);
            shown.push(uvm);
        }
        uvm.check_signature(now, &mut own);
        uvm.check_contents(&mut own);
        uvm.check_measurement(&evidence.report.measurement(), &mut own);
        checks.append(if evidence.uvm.len() > 1 { own.about(uvm.describe()) } else { own });
    }
    shown
}

fn check_version(report: &Report, ccf: Option<CcfVersion>, checks: &mut Checks) {
    let version = report.version();
    let (service, newest) = match ccf {
        Some(ccf) => (format!("CCF {ccf}"), ccf),
        None => ("CCF since 6.0.12".to_owned(), CcfVersion::new(7, 0, 0)),
    };
    match newest.accepts_report(version) {
        Support::Yes => checks.pass("report-version", format!("version {version}, which {service} accepts")),
        Support::No => checks.fail("report-version", format!("version {version}, which {service} refuses")),
        Support::Unknown(_) => checks.incomplete(
            "report-version",
            format!("version {version}; which versions {service} accepts depends on its patch level"),
        ),
    }
    if version > NEWEST_VERSION {
        let detail = format!("version {version} is newer than {NEWEST_VERSION}: what it has added is not looked at");
        checks.incomplete("report-version", detail);
    }
    if version < 3 {
        return;
    }
    match report.product().zip(report.cpuid()) {
        Some((Product::Turin, cpuid)) => check_turin(cpuid, ccf, checks),
        Some((product, cpuid)) => checks.pass("product", format!("{product} (cpuid {cpuid})")),
        None => checks.fail("product", "the report's family and model are of no processor that CCF knows"),
    }
}

fn check_turin(cpuid: Cpuid, ccf: Option<CcfVersion>, checks: &mut Checks) {
    const NAME: &str = "product";
    let turin = format!("Turin (cpuid {cpuid})");
    let since = Feature::SnpTurin.since().unwrap_or_default();
    let answer = ccf.map(|ccf| (ccf, ccf.has(Feature::SnpTurin)));
    match answer {
        _ if !cpuid.is_turin_of_ccf() => checks.fail(NAME, format!("{turin}; CCF knows Turin by 00b00f2x alone")),
        Some((_, Support::Yes)) => checks.pass(NAME, turin),
        Some((ccf, Support::No)) => {
            checks.fail(NAME, format!("{turin}; CCF {ccf} trusts no root for Turin, so it cannot join"));
        }
        Some((_, Support::Unknown(doubt))) => checks.incomplete(NAME, format!("{turin}: {doubt}")),
        None => checks.warn(NAME, format!("{turin}; it can join from CCF {since} on: give the service's version")),
    }
}

fn check_report_signature(report: &Report, vcek: Option<&Vcek>, given: bool, checks: &mut Checks) {
    match (vcek.map(|vcek| report.verify_signature(&vcek.public_key)), given) {
        (Some(Ok(())), _) => checks.pass("report-signature", "the chip's key signed the report's bytes"),
        (Some(Err(e)), _) => checks.fail("report-signature", e.to_string()),
        (None, true) => {
            checks.fail("report-signature", "not checked: the endorsements are not a complete chain to the chip's key")
        }
        (None, false) => checks.incomplete("report-signature", "there is no certificate to check it with"),
    }
}

fn check_contents(report: &Report, checks: &mut Checks) {
    let policy = report.policy();
    let key = match report.signing_key() {
        0 => "VCEK",
        1 => "VLEK, a cloud provider's key",
        7 => "none",
        _ => "unknown",
    };
    checks.require("signing-key", report.signing_key() == 0, format!("signed with: {key}; CCF accepts VCEK alone"));
    checks.require("mask-chip-key", !report.mask_chip_key(), "the host must not mask the chip");
    checks.require("vmpl", report.vmpl() <= 3, format!("VMPL {}; above 3 the host made the report", report.vmpl()));
    let debug = if policy.debug() { "the host can read the guest's memory" } else { "the guest cannot be debugged" };
    checks.require("debug", !policy.debug(), debug);
    checks.require("migration", !policy.migrate_ma(), "no migration agent may copy the guest");
    checks.require("policy-reserved", policy.reserved_one(), "bit 17 of the guest policy is always one");
    checks.require("report-padding", report.padding_is_zero(), "what follows the signature is zero");
    if report.report_data() == [0; 64] {
        checks.warn("report-data", "the report data are zero: the report belongs to no node");
    } else if report.report_data()[32..] != [0; 32] {
        checks.warn("report-data", "the report data go on after the node id, which CCF does not look at");
    } else {
        checks.pass("report-data", format!("node {}", report.node_id()));
    }
}

fn check_tcb(evidence: &Evidence<'_>, vcek: Option<&Vcek>, ccf: Option<CcfVersion>, checks: &mut Checks) {
    let report = evidence.report;
    let reported = report.reported_tcb();
    let Some(vcek) = vcek else { return };
    let tcb = reported.components(vcek.product);
    let below = tcb.below(&vcek.tcb);
    let detail = match below[..] {
        [] => format!("{reported} ({tcb})"),
        _ => format!("the report's {} below the certificate's: {tcb} against {}", below.join(", "), vcek.tcb),
    };
    checks.require("reported-tcb", below.is_empty(), detail);

    let chip_id = report.chip_id();
    let (chip, beyond) = chip_id.split_at(vcek.hardware_id.len().min(64));
    let same = chip == vcek.hardware_id && beyond.iter().all(|&b| b == 0);
    let length = vcek.hardware_id.len() == if vcek.product == Product::Turin { 8 } else { 64 };
    if !vcek.hardware_id.is_empty() {
        checks.require(
            "chip-id",
            same && length,
            if same { "report and certificate are of the same chip" } else { "the certificate is of another chip" },
        );
    }

    if let Some(host) = evidence.endorsements.and_then(Endorsements::tcbm) {
        checks.require("host-tcb", host == reported, endorsed_for(host, reported));
    }
    if let Some(endorsed) = evidence.endorsed_tcb {
        check_endorsed_tcb(endorsed, reported, ccf, checks);
    }

    let committed = report.committed_tcb().components(vcek.product);
    match committed.below(&tcb)[..] {
        [] => checks.pass("committed-tcb", "the platform cannot go back below the reported TCB"),
        ref below => checks.warn(
            "committed-tcb",
            format!("the platform can still go back in {}: {committed} is committed", below.join(", ")),
        ),
    }
}

/// Checks the TCB that a node sends along. Up to CCF 5 its text had the bytes of memory, lowest first; since 6.0.9 it
/// certainly has the highest first.
fn check_endorsed_tcb(endorsed: TcbVersion, reported: TcbVersion, ccf: Option<CcfVersion>, checks: &mut Checks) {
    const NAME: &str = "endorsed-tcb";
    let lowest_first = endorsed != reported && endorsed.reversed() == reported;
    let highest = ccf.map(|ccf| ccf.has(Feature::SnpMinimumTcbHex).is_yes());
    let lowest = ccf.map(|ccf| ccf.has(Feature::SnpMinimumTcb).is_no());
    let detail = endorsed_for(endorsed, reported);
    match (highest, lowest) {
        (_, Some(true)) if endorsed == reported && endorsed.reversed() != reported => {
            checks.fail(NAME, format!("{endorsed}: this version of CCF reads the lowest byte first, and refuses it"));
        }
        (_, Some(true)) if lowest_first => checks.pass(NAME, format!("{endorsed}, the lowest byte first")),
        (Some(false), _) if endorsed == reported || lowest_first => {
            checks.warn(NAME, format!("{detail}; in which order this version of CCF reads the bytes is not known"));
        }
        (None, _) if lowest_first => checks.warn(NAME, format!("{detail}, as only early versions of CCF write it")),
        _ => {
            checks.require(NAME, endorsed == reported, detail);
        }
    }
}

/// What a TCB that goes with a report is to the reported one.
fn endorsed_for(endorsed: TcbVersion, reported: TcbVersion) -> String {
    if endorsed == reported {
        format!("{endorsed}")
    } else if endorsed.reversed() == reported {
        format!("{endorsed} is the reported {reported} with its bytes in reverse order")
    } else {
        format!("endorsed for {endorsed}, and the report says {reported}")
    }
}

fn check_expected(evidence: &Evidence<'_>, expected: &Expected, product: Option<Product>, checks: &mut Checks) {
    let report = evidence.report;
    if let Some(measurement) = expected.measurement {
        let found = report.measurement();
        checks.require("measurement", found == measurement, compare(&found, &measurement));
    }
    if let Some(host_data) = expected.host_data {
        let found = report.host_data();
        checks.require("host-data", found == host_data, compare(&found, &host_data));
    }
    if let Some(node_id) = expected.node_id {
        let found = report.node_id();
        checks.require("node-id", found == node_id, compare(&found, &node_id));
    }
    match (expected.minimum_tcb, product) {
        (Some(minimum), Some(product)) if minimum.meant(product).is_some() => {
            let meant = minimum.reversed();
            checks.fail("minimum-tcb", format!("{minimum} can only be {meant} with its bytes in reverse order"));
        }
        (Some(minimum), Some(product)) if minimum.sets_reserved(product) => {
            checks.fail("minimum-tcb", format!("{minimum} has values where a {product} has no component"));
        }
        (Some(minimum), Some(product)) => {
            let minimum = MinimumTcb::of(minimum.components(product));
            minimum.check("minimum-tcb", &report.reported_tcb().components(product), checks);
        }
        (Some(_), None) => checks.incomplete("minimum-tcb", "the product is not known, so the TCB cannot be read"),
        (None, _) => {}
    }
}

fn compare<T: PartialEq + std::fmt::Display>(found: &T, expected: &T) -> String {
    if found == expected { found.to_string() } else { format!("expected {expected}, found {found}") }
}

#[cfg(test)]
mod tests;
