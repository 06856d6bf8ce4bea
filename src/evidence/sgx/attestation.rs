//! The verification of a node's SGX evidence: every rule by name, over the bytes as they stand.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;

use super::collateral::{Collateral, CollateralError, Period, QeIdentity, Signed, TcbInfo};
use super::platform::{self, Platform};
use super::quote::{Evidence, NODE_CLAIM};
use super::trust::{self, Chain};
use crate::check::{Checks, Verdict};
use crate::digest::{MrEnclave, MrSigner, sha256};
use crate::id::NodeId;

/// What the evidence should say; `None` and empty lists mean that it is not known.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The node that it should be about.
    pub node_id: Option<NodeId>,
    /// The enclaves that are admitted.
    pub mrenclave: Vec<MrEnclave>,
    /// The signer.
    pub mrsigner: Option<MrSigner>,
    /// The product number.
    pub isvprodid: Option<u16>,
    /// The least security version.
    pub minimum_isvsvn: Option<u16>,
}

/// Whom to trust, and when.
#[derive(Clone, Copy, Debug)]
pub struct Trust {
    /// SHA-256 of the root certificate's DER.
    pub root: [u8; 32],
    /// The moment for which dates are judged.
    pub at: OffsetDateTime,
}

impl Trust {
    /// Intel's root, at this moment.
    pub fn intel(at: OffsetDateTime) -> Self {
        Self { root: trust::INTEL_ROOT, at }
    }
}

/// Verifies evidence with its endorsements. Without endorsements the result is never a pass.
pub fn verify(evidence: &Evidence<'_>, endorsements: Option<&[u8]>, expected: &Expected, trust: &Trust) -> Checks {
    let mut checks = Checks::new();
    let platform = check_quote(evidence, trust, &mut checks);
    match endorsements.map(Collateral::parse) {
        None => {
            checks.incomplete("endorsements", "there are none: revocation and the platform's state cannot be judged")
        }
        Some(Err(error)) => checks.fail("endorsements", text_of(&error)),
        Some(Ok(collateral)) => {
            checks.pass("endorsements", "Open Enclave endorsements, version 1");
            check_revocation(evidence, &collateral, trust, &mut checks);
            check_tcb(platform.as_ref(), &collateral, trust, &mut checks);
            check_qe(evidence, &collateral, trust, &mut checks);
        }
    }
    check_claims(evidence, expected, &mut checks);
    check_enclave(evidence, expected, &mut checks);
    checks
}

/// The chain of signatures from the root to the report; gives what the platform's certificate says.
fn check_quote(evidence: &Evidence<'_>, trust: &Trust, checks: &mut Checks) -> Option<Platform> {
    let mut signed_by = |name, key: &[u8], message: &[u8], signature: &[u8], what: &str| {
        let valid = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature).is_ok();
        let detail = if valid { what.into() } else { format!("{what}: the signature is not valid") };
        checks.require(name, valid, detail);
    };
    let key = [&[4][..], &evidence.key].concat();
    signed_by("quote-signature", &key, evidence.signed, &evidence.signature, "the attestation key signed the report");
    let chain = Chain::parse(evidence.certificates);
    if let Ok(chain) = &chain {
        let leaf = chain.with_leaf(|leaf| leaf.public_key().subject_public_key.data.to_vec());
        signed_by(
            "qe-report-signature",
            &leaf,
            &evidence.qe_report.raw,
            &evidence.qe_signature,
            "the platform's key signed the quoting enclave's report",
        );
    }
    let bound = sha256(&[&evidence.key[..], evidence.qe_auth].concat());
    let rest_is_zero = evidence.qe_report.report_data[32..].iter().all(|b| *b == 0);
    checks.require(
        "qe-report-data",
        evidence.qe_report.report_data[..32] == bound && rest_is_zero,
        "the quoting enclave's report names the attestation key",
    );
    let chain = trust::check_chain("pck-chain", chain, trust, checks)?;
    let platform = chain.with_leaf(platform::platform);
    if platform.is_none() {
        checks.fail("pck-extension", "the platform's certificate lacks what Intel writes of the platform");
    }
    platform
}

/// Whether anything in the chain was revoked.
fn check_revocation(evidence: &Evidence<'_>, collateral: &Collateral<'_>, trust: &Trust, checks: &mut Checks) {
    let issuers = trust::check_chain("crl-chain", Chain::parse(collateral.crl_chain), trust, checks);
    let (Some(issuers), Ok(pck)) = (issuers, Chain::parse(evidence.certificates)) else { return };
    let tcb = Chain::parse(collateral.tcb_chain).ok();
    let qe = Chain::parse(collateral.qe_chain).ok();
    // The list must be of whoever issued this platform's certificate: another authority's names no platform of it.
    trust::check_crl("pck-crl", collateral.pck_crl, pck.certificates().get(1), &[&pck], trust, checks);
    let all = [Some(&pck), tcb.as_ref(), qe.as_ref(), Some(&issuers)];
    let all: Vec<&Chain> = all.into_iter().flatten().collect();
    trust::check_crl("root-crl", collateral.root_crl, issuers.certificates().last(), &all, trust, checks);
}

/// What Intel thinks of the platform.
fn check_tcb(platform: Option<&Platform>, collateral: &Collateral<'_>, trust: &Trust, checks: &mut Checks) {
    let info = Signed::<TcbInfo>::tcb_info(collateral.tcb_info);
    let Some(info) = check_signed("tcb-info", info, collateral.tcb_chain, trust, checks) else { return };
    check_period("tcb-info-dates", info.period, trust, checks);
    let Some(platform) = platform else { return };
    let (fmspc, pceid) = (hex::encode(platform.fmspc), hex::encode(platform.pceid));
    checks.require(
        "tcb-info-platform",
        info.fmspc == fmspc && info.pceid == pceid,
        format!("about platforms {}, PCE {}; the certificate is of {fmspc}, {pceid}", info.fmspc, info.pceid),
    );
    let reached = info.levels.iter().find(|level| {
        let each = platform.components.iter().zip(level.components);
        each.clone().all(|(has, needs)| *has >= needs) && platform.pcesvn >= level.pcesvn
    });
    check_status("tcb-status", reached.map(|l| l.status.as_str()), "the platform", checks);
}

/// Whether the quoting enclave is Intel's.
fn check_qe(evidence: &Evidence<'_>, collateral: &Collateral<'_>, trust: &Trust, checks: &mut Checks) {
    let identity = Signed::<QeIdentity>::qe_identity(collateral.qe_identity);
    let Some(identity) = check_signed("qe-identity", identity, collateral.qe_chain, trust, checks) else { return };
    check_period("qe-identity-dates", identity.period, trust, checks);
    let qe = &evidence.qe_report;
    let masked = |value: &[u8; 16]| std::array::from_fn::<u8, 16, _>(|i| value[i] & identity.attributes.1[i]);
    let fits = qe.mrsigner.0 == identity.mrsigner
        && qe.isvprodid == identity.isvprodid
        && qe.miscselect & identity.miscselect.1 == identity.miscselect.0 & identity.miscselect.1
        && masked(&qe.attributes) == masked(&identity.attributes.0);
    checks.require("qe-is-intels", fits, format!("the quoting enclave's signer is {}", qe.mrsigner));
    let reached = identity.levels.iter().find(|(isvsvn, _)| qe.isvsvn >= *isvsvn);
    check_status("qe-status", reached.map(|(_, status)| status.as_str()), "the quoting enclave", checks);
}

/// A document's signature and its signer's chain; gives what the document says if it can be read.
fn check_signed<T>(
    name: &'static str,
    document: Result<Signed<'_, T>, CollateralError>,
    chain: &[u8],
    trust: &Trust,
    checks: &mut Checks,
) -> Option<T> {
    let chain_name = if name == "tcb-info" { "tcb-chain" } else { "qe-chain" };
    let chain = trust::check_chain(chain_name, Chain::parse(chain), trust, checks);
    let document = match document {
        Ok(document) => document,
        Err(error) => {
            checks.fail(name, text_of(&error));
            return None;
        }
    };
    let valid = chain.is_some_and(|chain| {
        let key = chain.with_leaf(|leaf: &X509Certificate<'_>| leaf.public_key().subject_public_key.data.to_vec());
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(document.signed, &document.signature).is_ok()
    });
    checks.require(name, valid, if valid { "Intel's signature is valid" } else { "the signature is not valid" });
    Some(document.body)
}

fn check_period(name: &'static str, period: Period, trust: &Trust, checks: &mut Checks) {
    let (issued, next) = (period.issued.date(), period.next.date());
    if period.issued > trust.at {
        checks.fail(name, format!("issued {issued}, which is in the future"));
    } else if period.next < trust.at {
        checks.warn(name, format!("stale: issued {issued}, the next one was due {next}"));
    } else {
        checks.pass(name, format!("issued {issued}, the next one is due {next}"));
    }
}

fn check_status(name: &'static str, status: Option<&str>, who: &str, checks: &mut Checks) {
    match status {
        Some("UpToDate") => checks.pass(name, format!("{who} is up to date")),
        Some("Revoked") => checks.fail(name, format!("{who}'s security version is revoked")),
        Some(
            other @ ("OutOfDate"
            | "OutOfDateConfigurationNeeded"
            | "ConfigurationNeeded"
            | "SWHardeningNeeded"
            | "ConfigurationAndSWHardeningNeeded"),
        ) => checks.warn(name, format!("{who} is {other}")),
        Some(other) => checks.fail(name, format!("{who}'s status is {other:?}, which is not known")),
        None => checks.fail(name, format!("{who}'s security versions are below every known level")),
    }
}

/// The claims, and the node that they name.
fn check_claims(evidence: &Evidence<'_>, expected: &Expected, checks: &mut Checks) {
    if evidence.claims_bytes.is_empty() {
        checks.fail("claims-digest", "there are no claims behind the quote, so it names no node");
        return;
    }
    let data = &evidence.report.report_data;
    checks.require(
        "claims-digest",
        data[..32] == sha256(evidence.claims_bytes) && data[32..].iter().all(|b| *b == 0),
        "the report data are SHA-256 of the claims",
    );
    let Some(node) = evidence.node_id() else {
        checks.fail("node-id", format!("there is no claim {NODE_CLAIM} of 32 bytes"));
        return;
    };
    match expected.node_id {
        Some(id) => drop(checks.require("node-id", id == node, format!("the claim is {node}, the node is {id}"))),
        None => checks.pass("node-id", format!("the claim is {node}")),
    }
}

/// The enclave itself.
fn check_enclave(evidence: &Evidence<'_>, expected: &Expected, checks: &mut Checks) {
    let report = &evidence.report;
    let debug = report.debug();
    let detail = if debug { "the enclave runs in debug mode: its host reads its memory" } else { "not in debug mode" };
    checks.push("debug", if debug { Verdict::Fail } else { Verdict::Pass }, detail);
    if !expected.mrenclave.is_empty() {
        let list = expected.mrenclave.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        let known = expected.mrenclave.contains(&report.mrenclave);
        checks.require("measurement", known, format!("is {}, expected {list}", report.mrenclave));
    }
    if let Some(signer) = expected.mrsigner {
        checks.require("mrsigner", signer == report.mrsigner, format!("is {}, expected {signer}", report.mrsigner));
    }
    if let Some(product) = expected.isvprodid {
        let holds = product == report.isvprodid;
        checks.require("isvprodid", holds, format!("is {}, expected {product}", report.isvprodid));
    }
    if let Some(least) = expected.minimum_isvsvn {
        checks.require("isvsvn", report.isvsvn >= least, format!("is {}, at least {least} expected", report.isvsvn));
    }
}

/// An error with its causes, on one line.
fn text_of(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", text_of(source)),
        None => error.to_string(),
    }
}
