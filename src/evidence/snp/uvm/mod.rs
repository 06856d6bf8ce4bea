//! UVM endorsements (`reference-info-base64`): Microsoft's signed statement of which launch measurement is which
//! utility VM, a tagged COSE_Sign1 (RFC 9052) that names its signer by did:x509.

mod claims;
mod issuers;

use std::cmp::Ordering;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::did_x509;
use crate::cbor::{CborError, Value};
use crate::ccf_version::{CcfVersion, Feature, NEWEST, Support, SvnOrder};
use crate::certificate::{self, Scheme};
use crate::check::Checks;
use crate::cose::sig_structure;
use crate::digest::SnpMeasurement;
use crate::host_data;
use crate::json;

use claims::Claims;
pub use issuers::{KNOWN_ISSUERS, KnownIssuer, TrustedUvm};

/// The largest endorsement that is read: 256 KiB. Real ones are below 10 KiB.
pub const MAX_UVM: usize = 256 << 10;

/// Why bytes are no UVM endorsement.
#[derive(Debug, thiserror::Error)]
pub enum UvmError {
    /// Larger than such a thing can be.
    #[error("a UVM endorsement is at most {MAX_UVM} bytes, and this is {0}")]
    TooLarge(usize),
    /// Not CBOR as COSE wants it.
    #[error("not a tagged COSE_Sign1: {0}")]
    Cose(&'static str),
    /// Not CBOR, or not as it is read here.
    #[error("not a tagged COSE_Sign1")]
    Cbor(#[from] CborError),
    /// A header that is missing, or of another type.
    #[error("the protected header {0} is missing, or not what it should be")]
    Header(&'static str),
    /// Parameters that a reader must know, which neither this one nor CCF does.
    #[error("its protected header has critical parameters (crit), which CCF does not know")]
    Critical,
    /// The legacy payload is not JSON.
    #[error("cannot read the payload")]
    Json(#[from] json::JsonError),
    /// A payload without what it should say.
    #[error("the payload's {0} is missing, or not what it should be")]
    Payload(&'static str),
}

/// The two ways in which an endorsement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Issuer and feed as text headers, the measurement in JSON.
    Legacy,
    /// Issuer, feed and svn as CWT claims, the measurement as the raw payload (ContainerPlat 0.2.10 and later).
    Cwt,
}

/// Whether the svn was written as text or as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SvnType {
    /// A JSON string.
    Text,
    /// An integer.
    Integer,
}

/// What a hash envelope says that its payload is the digest of: programs want one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentType {
    /// `application/json`.
    Json,
    /// `application/octet-stream`.
    OctetStream,
}

/// A UVM endorsement. What it says is trusted only after [`UvmEndorsement::check_signature`].
#[derive(Clone, Debug)]
pub struct UvmEndorsement {
    /// How it is written.
    pub form: Form,
    /// The content type: of a legacy endorsement always JSON.
    pub content_type: ContentType,
    /// COSE algorithm number.
    pub algorithm: i64,
    /// The issuer, a did:x509.
    pub did: String,
    /// What kind of utility VM this is, for example `ContainerPlat-AMD-UVM`.
    pub feed: String,
    /// Security version number, decimal digits.
    pub svn: String,
    /// How the svn was written.
    pub svn_type: SvnType,
    /// A second svn in the payload (`x-ms-sevsnpvm-guestsvn-int`), where one stands.
    pub svn_int: Option<u64>,
    /// The launch measurement that is endorsed.
    pub measurement: SnpMeasurement,
    /// When it was signed, in seconds since 1970, if it says so.
    pub signed_at: Option<i64>,
    /// The certificates of the signer, DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

impl UvmEndorsement {
    /// Reads an endorsement, raw or as base64 text; checks no signature.
    ///
    /// # Errors
    /// Anything that is not one endorsement in one of its two forms, with nothing after it.
    pub fn parse(bytes: &[u8]) -> Result<Self, UvmError> {
        if bytes.len() > MAX_UVM {
            return Err(UvmError::TooLarge(bytes.len()));
        }
        match host_data::decode(bytes) {
            Some(decoded) => Self::parse_cose(&decoded),
            None => Self::parse_cose(bytes),
        }
    }

    fn parse_cose(bytes: &[u8]) -> Result<Self, UvmError> {
        let cose = Value::parse(bytes)?;
        let Value::Tag(18, message) = cose else { return Err(UvmError::Cose("the tag 18 is missing")) };
        let Value::Array(parts) = *message else { return Err(UvmError::Cose("it is not an array")) };
        let [Value::Bytes(protected), Value::Map(_), Value::Bytes(payload), Value::Bytes(signature)] = parts[..] else {
            return Err(UvmError::Cose("it is not protected header, unprotected header, payload and signature"));
        };
        let headers = Value::parse(protected)?;
        if headers.get(2).is_some() {
            return Err(UvmError::Critical);
        }
        let algorithm = headers.get(1).and_then(Value::as_integer).and_then(|n| i64::try_from(n).ok());
        let chain = match headers.get(33) {
            Some(Value::Bytes(one)) => vec![one.to_vec()],
            Some(Value::Array(certificates)) => {
                let chain: Option<Vec<_>> = certificates.iter().map(|c| c.as_bytes().map(<[u8]>::to_vec)).collect();
                chain.filter(|c| !c.is_empty()).ok_or(UvmError::Header("33 (x5chain)"))?
            }
            _ => return Err(UvmError::Header("33 (x5chain)")),
        };
        let says = match headers.get(15) {
            Some(claims) => Claims::of_claims(&headers, claims, payload)?,
            None => Claims::of_legacy(&headers, payload)?,
        };
        Ok(Self {
            form: says.form,
            content_type: says.content_type,
            algorithm: algorithm.ok_or(UvmError::Header("1 (alg)"))?,
            did: says.did.to_owned(),
            feed: says.feed.to_owned(),
            svn: says.svn,
            svn_type: says.svn_type,
            svn_int: says.svn_int,
            measurement: says.measurement,
            signed_at: says.signed_at.and_then(|n| i64::try_from(n).ok()),
            chain,
            signed: sig_structure(protected, payload),
            signature: signature.to_vec(),
        })
    }

    /// Whether these are the same endorsement.
    pub fn is_same(&self, other: &Self) -> bool {
        self.signed == other.signed && self.signature == other.signature
    }

    /// Whether a service of version `ccf` can read it: its form, and the type of its svn.
    pub fn is_readable_by(&self, ccf: CcfVersion) -> Support {
        match (self.form, self.content_type, self.svn_type) {
            (Form::Cwt, ContentType::OctetStream, _) => ccf.has(Feature::UvmHashEnvelope),
            (Form::Cwt, ContentType::Json, _) => ccf.has(Feature::UvmHashEnvelopeJson),
            (Form::Legacy, _, SvnType::Integer) => ccf.has(Feature::UvmSvnIntegerEndorsed),
            (Form::Legacy, _, SvnType::Text) => Support::Yes,
        }
    }

    /// Checks that a service of version `ccf` (the newest, if that is not known) can read it.
    pub fn check_form(&self, ccf: Option<CcfVersion>, checks: &mut Checks) -> Support {
        const NAME: &str = "uvm-form";
        let form = self.describe();
        let [_, newest] = NEWEST;
        let answer = self.is_readable_by(ccf.unwrap_or(newest));
        match (&answer, ccf) {
            (Support::Yes, None) if self.form == Form::Cwt => {
                let since = Feature::UvmHashEnvelope.since().unwrap_or_default();
                checks.warn(NAME, format!("{form}: CCF before {since} cannot read it; give the service's version"));
            }
            (Support::Yes, _) => checks.pass(NAME, form),
            (Support::No, ccf) => {
                checks.fail(NAME, format!("{form}, which CCF {} cannot read: it refuses it", ccf.unwrap_or(newest)));
            }
            (Support::Unknown(doubt), _) => checks.incomplete(NAME, format!("{form}: {doubt}")),
        }
        answer
    }

    /// Its form, in words.
    pub fn describe(&self) -> &'static str {
        match (self.form, self.content_type, self.svn_type) {
            (Form::Legacy, _, SvnType::Text) => "the legacy form, with svn as text",
            (Form::Legacy, _, SvnType::Integer) => "the legacy form, with svn as a number",
            (Form::Cwt, ContentType::OctetStream, _) => "a hash envelope (application/octet-stream) with CWT claims",
            (Form::Cwt, ContentType::Json, _) => "a hash envelope (application/json) with CWT claims",
        }
    }

    /// Checks the issuer (did:x509 against the certificates; dates only reported) and the signature.
    ///
    /// Returns whether both hold.
    pub fn check_signature(&self, now: OffsetDateTime, checks: &mut Checks) -> bool {
        let Some(scheme) = Scheme::of_cose(self.algorithm) else {
            checks.fail("uvm-algorithm", format!("COSE algorithm {}; CCF takes ES and PS alone", self.algorithm));
            return false;
        };
        checks.pass("uvm-algorithm", format!("COSE algorithm {}", self.algorithm));
        let chain = match did_x509::verify(&self.did, &self.chain) {
            Ok(chain) => chain,
            Err(e) => {
                checks.fail("uvm-issuer", e.to_string());
                return false;
            }
        };
        checks.pass("uvm-issuer", self.did.clone());
        let leaf = &chain[0];
        if !matches!(did_x509::uses(leaf), Ok((true, _))) {
            checks.fail("uvm-signature", "the leaf of its certificates may not sign (key usage)");
            return false;
        }
        if let Err(e) = scheme.verify(leaf.public_key(), &self.signed, &self.signature) {
            checks.fail("uvm-signature", e.to_string());
            return false;
        }
        checks.pass("uvm-signature", "the leaf of its certificates signed it");
        let (from, to) = certificate::dates(leaf);
        let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
        let detail = format!("the signer's certificate is valid from {} to {}", text(from), text(to));
        let signed_at = self.signed_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
        if let Some(at) = signed_at.filter(|at| self.form == Form::Cwt && !(from..=to).contains(at)) {
            let detail = format!("{detail}, and it was signed at {}: newer versions of CCF refuse that", text(at));
            checks.fail("uvm-certificate-dates", detail);
        } else if (from..=to).contains(&now) {
            checks.pass("uvm-certificate-dates", detail);
        } else {
            checks.warn("uvm-certificate-dates", format!("{detail}: not now; CCF does not look at these dates"));
        }
        true
    }

    /// Checks what it says against the mistakes that are known: svn, feed and issuer.
    pub fn check_contents(&self, checks: &mut Checks) {
        match KNOWN_ISSUERS.iter().find(|issuer| issuer.did == self.did) {
            Some(issuer) if issuer.feed == self.feed => {
                checks.pass("uvm-known-issuer", format!("Microsoft's issuer of {}", issuer.feed));
            }
            Some(issuer) => checks.fail(
                "uvm-known-issuer",
                format!("the issuer is the one of the feed {}, and the feed is {}", issuer.feed, self.feed),
            ),
            None => checks.warn(
                "uvm-known-issuer",
                "the issuer is not one that Microsoft is known to use: the holder of its key decides what it endorses",
            ),
        }
        match self.svn_int {
            Some(int) if SvnOrder::Integer.compare(&int.to_string(), &self.svn) != Ordering::Equal => {
                checks.fail("uvm-svn", format!("it states two svn: {} and {int}", self.svn));
            }
            _ => match self.first_svn() {
                Some(first) if SvnOrder::Integer.compare(&self.svn, &first.to_string()) == Ordering::Less => {
                    checks.warn("uvm-svn", format!("svn {}, and production releases start at {first}", self.svn));
                }
                _ => checks.pass("uvm-svn", format!("svn {}", self.svn)),
            },
        }
    }

    /// Checks that `other`, which stands beside it in another form, is about the same.
    pub fn check_same(&self, other: &Self, checks: &mut Checks) {
        let same = self.measurement == other.measurement;
        let detail = format!("both forms are to endorse one measurement: {}, {}", self.measurement, other.measurement);
        checks.require("uvm-measurement", same, detail);
        if (&self.did, &self.feed, &self.svn) != (&other.did, &other.feed, &other.svn) {
            let says = |uvm: &Self| format!("{} svn {} of {}", uvm.feed, uvm.svn, uvm.did);
            checks.warn("uvm-forms", format!("the two forms differ: {}; {}", says(self), says(other)));
        }
    }

    fn first_svn(&self) -> Option<u64> {
        KNOWN_ISSUERS.iter().find(|issuer| issuer.did == self.did && issuer.feed == self.feed)?.first_svn
    }

    /// Checks that it endorses `measurement`.
    pub fn check_measurement(&self, measurement: &SnpMeasurement, checks: &mut Checks) {
        let detail = if self.measurement == *measurement {
            format!("{measurement}")
        } else {
            format!("it endorses {}, and the report's measurement is {measurement}", self.measurement)
        };
        checks.require("uvm-measurement", self.measurement == *measurement, detail);
    }

    /// Checks that one of `trusted` has the same issuer and feed, and an svn that is not above this one's.
    pub fn check_trusted(&self, trusted: &[TrustedUvm], order: SvnOrder, checks: &mut Checks) {
        let same: Vec<_> = trusted.iter().filter(|t| t.did == self.did && t.feed == self.feed).collect();
        let admits = |t: &&&TrustedUvm| is_decimal(&t.svn) && order.compare(&t.svn, &self.svn) != Ordering::Greater;
        match (same.iter().find(admits), same.first()) {
            (Some(entry), _) => {
                checks.pass("uvm-trusted", format!("{} svn {} admits svn {}", entry.feed, entry.svn, self.svn));
            }
            (None, Some(entry)) if !is_decimal(&entry.svn) => {
                let detail =
                    format!("the service's entry for {} has no svn in decimal digits: it admits no node", entry.feed);
                checks.fail("uvm-trusted", detail);
            }
            (None, Some(entry)) => {
                let how = if order == SvnOrder::Text { ", compared as text by this version of CCF" } else { "" };
                let detail = format!("the service wants svn {} or above, and this is {}{how}", entry.svn, self.svn);
                checks.fail("uvm-trusted", detail);
            }
            (None, None) => {
                let wrong_feed = trusted.iter().find(|t| t.did == self.did);
                let detail = match wrong_feed {
                    Some(t) => {
                        format!("the service trusts this issuer for the feed {}, and this is {}", t.feed, self.feed)
                    }
                    None => "the service does not trust this issuer".to_owned(),
                };
                checks.fail("uvm-trusted", detail);
            }
        }
    }
}

fn is_decimal(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u64>().is_ok()
}

#[cfg(test)]
mod tests;
