//! UVM endorsements: issuer, feed and the least security version.

use serde_json::Value;

use super::evidence::{Proof, names};
use super::{Finding, Subject};
use crate::ccf_version::{CcfVersion, Support, SvnOrder};
use crate::check::Verdict::{self, Fail, Warn};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::evidence::snp::did_x509;
use crate::evidence::snp::uvm::{KNOWN_ISSUERS, UvmEndorsement};
use crate::proposal::Action;
use crate::text::clip;

const ADD: &[&str] = &["add_snp_uvm_endorsement"];
const ALL: &[&str] = &["add_snp_uvm_endorsement", "remove_snp_uvm_endorsement"];

/// The svn's type, digits and order.
pub(super) fn svn(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ADD, |action, found| {
        let as_number = subject.version.map(CcfVersion::svn_is_integer_in_action);
        let Some((digits, is_number)) = written_svn(action) else {
            return found(Fail, "svn is text of decimal digits".into());
        };
        match (is_number, as_number) {
            (true, Some(false)) => found(Fail, format!("svn is a number; since CCF 5 it is text: \"{digits}\"")),
            (true, None) => found(Fail, format!("svn is a number, which only CCF 4 takes; later it is text: \"{digits}\"")),
            (false, Some(true)) => found(Fail, format!("svn is text; CCF 4 takes a number: {digits}")),
            _ => {}
        }
        if !is_decimal(&digits) {
            return found(Fail, format!("svn is decimal digits, and this is {:?}", clip(&digits, 60)));
        }
        if digits.len() > 1 && digits.starts_with('0') {
            found(Warn, format!("svn {digits} begins with a zero, which matters where it is compared as text"));
        }
        if subject.version.map(CcfVersion::svn_order) == Some(SvnOrder::Text) {
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
pub(super) fn did(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ALL, |action, found| {
        let Some(did) = action.text("did") else { return };
        if let Err(error) = did_x509::check_syntax(did) {
            found(grave(action), format!("did is not a did:x509: {error}"));
        } else if !KNOWN_ISSUERS.iter().any(|issuer| issuer.did == did) {
            found(Warn, "the issuer is not one that Microsoft is known to use".into());
        }
    })
}

/// Whether issuer and feed belong together.
pub(super) fn feed(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    subject.each(ALL, |action, found| {
        let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else { return };
        // What says which feed an issuer signs for is the key usage at the end of its DID.
        let usage = |did: &str| did.rsplit(':').next().unwrap_or_default().to_string();
        let of_did = KNOWN_ISSUERS.iter().find(|issuer| usage(issuer.did) == usage(did));
        let of_feed = KNOWN_ISSUERS.iter().find(|issuer| issuer.feed == feed);
        match (of_did, of_feed) {
            (Some(issuer), _) if issuer.feed != feed => {
                let feed = clip(feed, 60);
                found(
                    grave(action),
                    format!("the issuer's key usage is that of {}, and the feed is {feed:?}", issuer.feed),
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

/// What evidence says of an entry of issuer, feed and svn.
pub(super) fn proof(action: &Action, evidence: &[Evidence], ccf: Option<CcfVersion>) -> Proof {
    let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else {
        return Proof::malformed("", "it has no texts did and feed");
    };
    let known = evidence.iter().filter_map(|e| match &e.kind {
        EvidenceKind::Uvm { uvm, valid: true } => Some(&**uvm),
        _ => None,
    });
    let known: Vec<&UvmEndorsement> = known.collect();
    let unproved = || {
        let only = names(
            evidence,
            |kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: false } if uvm.did == did && uvm.feed == feed),
        );
        Some(format!("only {} has it, whose issuer or signature do not hold", only.first()?))
    };
    if action.name.starts_with("remove_") {
        let backed = names(
            evidence,
            |kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if uvm.did == did && uvm.feed == feed),
        );
        let mistake = known.iter().find_map(|uvm| wrong_pair(uvm, did, feed)).or_else(unproved);
        return Proof::new(format!("{feed} of {did}"), backed, mistake);
    }
    let Some((svn, _)) = written_svn(action).filter(|(digits, _)| is_decimal(digits)) else {
        return Proof::new(format!("{feed} of {did}"), Vec::new(), None);
    };
    let order = ccf.map_or(SvnOrder::Integer, CcfVersion::svn_order);
    let (known, unreadable) = readable(known, did, feed, ccf);
    let can_read = |uvm: &UvmEndorsement| ccf.is_none_or(|ccf| !uvm.is_readable_by(ccf).is_no());
    let backs = |uvm: &UvmEndorsement| {
        can_read(uvm) && uvm.did == did && uvm.feed == feed && order.compare(&svn, &uvm.svn).is_le()
    };
    let mistake = known.iter().find_map(|uvm| {
        if let Some(mistake) = wrong_pair(uvm, did, feed) {
            Some(mistake)
        } else if uvm.did == did && !backs(uvm) {
            let how = if order == SvnOrder::Text { " (this version of CCF compares svn as text)" } else { "" };
            Some(format!("svn {svn} is above the endorsement's {}, so nodes with it could not join{how}", uvm.svn))
        } else {
            None
        }
    });
    let backed = names(evidence, |kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if backs(uvm)));
    let mut proof = Proof::new(format!("{feed} svn {svn} of {did}"), backed, mistake.or(unreadable).or_else(unproved));
    for uvm in known.iter().filter(|uvm| backs(uvm)) {
        if let Some(Support::Unknown(doubt)) = ccf.map(|ccf| uvm.is_readable_by(ccf)) {
            proof.further.incomplete("uvm-form", format!("the endorsement is {}: {doubt}", uvm.describe()));
        }
    }
    let same = |uvm: &UvmEndorsement| SvnOrder::Integer.compare(&svn, &uvm.svn).is_eq();
    if known.iter().any(|uvm| backs(uvm)) && !known.iter().any(|uvm| backs(uvm) && same(uvm)) {
        let detail = format!("{feed}: svn {svn} is below the endorsement's: older images are admitted too");
        proof.further.warn("uvm-svn", detail);
    }
    proof
}

/// The svn as it is written, and whether that is a number.
fn written_svn(action: &Action) -> Option<(String, bool)> {
    match action.arg("svn")? {
        Value::String(text) => Some((text.clone(), false)),
        Value::Number(number) => Some((number.to_string(), true)),
        _ => None,
    }
}

fn is_decimal(digits: &str) -> bool {
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// The endorsements that the service can read, and why others of this pair admit nobody there. Of one of which that is
/// not known, nothing is passed.
fn readable<'e>(
    known: Vec<&'e UvmEndorsement>,
    did: &str,
    feed: &str,
    ccf: Option<CcfVersion>,
) -> (Vec<&'e UvmEndorsement>, Option<String>) {
    let Some(ccf) = ccf else { return (known, None) };
    let (readable, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|uvm| !uvm.is_readable_by(ccf).is_no());
    let other = others.into_iter().find(|uvm| uvm.did == did && uvm.feed == feed);
    let why = other.map(|uvm| {
        format!("the endorsement is {}, which CCF {ccf} cannot read: no node can join by it", uvm.describe())
    });
    (readable, why)
}

/// What is wrong where an endorsement has one of the two, and not the other.
fn wrong_pair(uvm: &UvmEndorsement, did: &str, feed: &str) -> Option<String> {
    match (uvm.did == did, uvm.feed == feed) {
        (true, false) => Some(format!("wrong feed: the endorsement's is {}", uvm.feed)),
        (false, true) => Some(format!("wrong issuer: the endorsement's is {}", uvm.did)),
        _ => None,
    }
}
