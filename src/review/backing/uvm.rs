//! UVM endorsements: issuer, feed and the least security version.

use serde_json::Value;

use super::comparison::Comparison;
use crate::ccf_version::{Answer, CcfVersion, SvnOrder};
use crate::evidence::recognise::{Evidence, EvidenceKind};
use crate::evidence::snp::did_x509;
use crate::evidence::snp::uvm::{KNOWN_ISSUERS, UvmEndorsement};
use crate::proposal::Action;

impl Comparison<'_> {
    pub(super) fn snp_uvm(&mut self, action: &Action, adds: bool) {
        let (Some(did), Some(feed)) = (action.text("did"), action.text("feed")) else {
            return self.malformed(action, "", "it has no texts did and feed".into());
        };
        let known: Vec<&UvmEndorsement> = self
            .evidence
            .iter()
            .filter_map(|e| match &e.kind {
                EvidenceKind::Uvm { uvm, valid: true } => Some(&**uvm),
                _ => None,
            })
            .collect();
        if let Err(error) = did_x509::check_syntax(did) {
            return self.malformed(action, did, format!("did is no did:x509: {error}"));
        }
        if !adds {
            let backed = self.backing(
                |kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if uvm.did == did && uvm.feed == feed),
            );
            let mistake =
                known.iter().find_map(|uvm| wrong_pair(uvm, did, feed)).or_else(|| self.unproved_uvm(did, feed));
            self.settle(action, format!("{feed} of {did}"), backed, mistake);
            return;
        }
        let Some(svn) = self.svn(action) else { return };
        let order = self.ccf.map_or(SvnOrder::Integer, CcfVersion::svn_order);
        let (known, unreadable) = self.readable(known, did, feed);
        let can_read = |uvm: &UvmEndorsement| self.ccf.is_none_or(|ccf| !uvm.is_readable_by(ccf).is_no());
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
        let mistake = mistake.or(unreadable).or_else(|| self.unproved_uvm(did, feed));
        let mut doubts = Vec::new();
        let same = |uvm: &UvmEndorsement| SvnOrder::Integer.compare(&svn, &uvm.svn).is_eq();
        for uvm in known.iter().filter(|uvm| backs(uvm)) {
            if let Some(Answer::Unknown(doubt)) = self.ccf.map(|ccf| uvm.is_readable_by(ccf)) {
                doubts.push(format!("the endorsement is {}: {doubt}", uvm.describe()));
            }
        }
        let lower = known.iter().any(|uvm| backs(uvm)) && known.iter().all(|uvm| !backs(uvm) || !same(uvm));
        let backed = self.backing(|kind| matches!(kind, EvidenceKind::Uvm { uvm, valid: true } if backs(uvm)));
        self.settle(action, format!("{feed} svn {svn} of {did}"), backed, mistake);
        for doubt in doubts {
            self.checks.incomplete("uvm-form", doubt);
        }
        if lower {
            self.checks.warn(
                "uvm-svn",
                format!("{feed}: svn {svn} is below the endorsement's: older images are admitted too"),
            );
        }
        self.uvm_contents(did, feed, &svn, order);
    }

    /// The endorsements that the service can read, and why others of this pair admit nobody there. Of one of which that
    /// is not known, nothing is passed.
    fn readable<'e>(
        &self,
        known: Vec<&'e UvmEndorsement>,
        did: &str,
        feed: &str,
    ) -> (Vec<&'e UvmEndorsement>, Option<String>) {
        let Some(ccf) = self.ccf else { return (known, None) };
        let (readable, others): (Vec<_>, Vec<_>) = known.into_iter().partition(|uvm| !uvm.is_readable_by(ccf).is_no());
        let other = others.into_iter().find(|uvm| uvm.did == did && uvm.feed == feed);
        let why = other.map(|uvm| {
            format!("the endorsement is {}, which CCF {ccf} can't read: no node can join by it", uvm.describe())
        });
        (readable, why)
    }

    /// An endorsement that has the pair, and is not to be believed.
    fn unproved_uvm(&self, did: &str, feed: &str) -> Option<String> {
        let named = |e: &&Evidence| matches!(&e.kind, EvidenceKind::Uvm { uvm, valid: false } if uvm.did == did && uvm.feed == feed);
        let item = self.evidence.iter().find(named)?;
        Some(format!("only {} has it, whose issuer or signature do not hold", item.name))
    }

    /// The svn, whose type depends on the version of CCF.
    fn svn(&mut self, action: &Action) -> Option<String> {
        let (svn, integer) = match action.arg("svn") {
            Some(Value::String(text)) if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) => {
                (text.clone(), false)
            }
            Some(Value::Number(number)) if number.is_u64() => (number.to_string(), true),
            _ => {
                self.malformed(action, "", "its svn is no decimal number".into());
                return None;
            }
        };
        let wants_integer = self.ccf.map(CcfVersion::svn_is_integer_in_action);
        match (integer, wants_integer) {
            (true, Some(true)) | (false, Some(false)) => {}
            (true, _) => self.checks.fail("svn-type", "svn is a number; from CCF 5 on the action wants text"),
            (false, Some(true)) => self.checks.fail("svn-type", "svn is text; CCF 4 wants a number"),
            (false, None) => {}
        }
        Some(svn)
    }

    fn uvm_contents(&mut self, did: &str, feed: &str, svn: &str, order: SvnOrder) {
        match KNOWN_ISSUERS.iter().find(|issuer| issuer.did == did) {
            Some(issuer) if issuer.feed != feed => self
                .checks
                .fail("uvm-feed", format!("this issuer's feed is {}, and the proposal says {feed}", issuer.feed)),
            Some(issuer) => {
                let first = issuer.first_svn.unwrap_or(0);
                if SvnOrder::Integer.compare(svn, &first.to_string()).is_lt() {
                    self.checks.fail(
                        "uvm-svn",
                        format!("{feed}: production releases begin at svn {first}, and this admits {svn}"),
                    );
                }
            }
            None => self.checks.warn("uvm-issuer", "the issuer is none of those that Microsoft is known to use"),
        }
        if order == SvnOrder::Text {
            self.checks.warn(
                "svn-order",
                format!("this version of CCF compares svn as text: with {svn} registered, an endorsement of another number of digits may be refused or admitted wrongly"),
            );
        }
    }
}

/// What is wrong where an endorsement has one of the two, and not the other.
fn wrong_pair(uvm: &UvmEndorsement, did: &str, feed: &str) -> Option<String> {
    match (uvm.did == did, uvm.feed == feed) {
        (true, false) => Some(format!("wrong feed: the endorsement's is {}", uvm.feed)),
        (false, true) => Some(format!("wrong issuer: the endorsement's is {}", uvm.did)),
        _ => None,
    }
}
