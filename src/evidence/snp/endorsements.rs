//! What endorses a report: the certificate of the chip's key, and AMD's two above it.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::certificate::X509Certificate;

use super::roots::Roots;
use super::vcek::{Vcek, is_vlek, leaf_name};
use crate::certificate::{self, CertificateError, Hash, Scheme};
use crate::check::Checks;
use crate::digest::sha256;
use crate::evidence::RevocationList;
use crate::host_data;
use crate::json;
use crate::processor::Product;
use crate::tcb::TcbVersion;

/// The largest endorsements that are read: 256 KiB. Real ones are below 8 KiB.
pub const MAX_ENDORSEMENTS: usize = 256 << 10;

/// Why bytes are not endorsements.
#[derive(Debug, thiserror::Error)]
pub enum EndorsementsError {
    /// Larger than such a thing can be.
    #[error("endorsements are at most {MAX_ENDORSEMENTS} bytes, and these are {0}")]
    TooLarge(usize),
    /// Neither PEM, nor JSON, nor the base64 of one of them.
    #[error("endorsements are PEM certificates, or host-amd-cert-base64 (base64 or JSON), and this is neither")]
    Unknown,
    /// PEM that is not certificates throughout.
    #[error(transparent)]
    Pem(#[from] CertificateError),
    /// Not JSON.
    #[error("cannot read the AMD certificates")]
    Json(#[from] json::JsonError),
    /// JSON of another shape.
    #[error("the AMD certificates are an object with the texts vcekCert, certificateChain and tcbm: {0}")]
    Shape(String),
    /// `tcbm` is no TCB.
    #[error("tcbm is 16 hexadecimal digits, and this is {0:?}")]
    Tcbm(String),
}

/// The certificates that came with a report, unverified, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsements {
    certificates: Vec<Vec<u8>>,
    tcbm: Option<TcbVersion>,
}

impl Endorsements {
    /// Reads PEM (VCEK, ASK, ARK), or what a container group finds in `host-amd-cert-base64`: base64 of JSON.
    ///
    /// # Errors
    /// Anything else. How many certificates there are is a check, not a matter of reading.
    pub fn parse(bytes: &[u8]) -> Result<Self, EndorsementsError> {
        if bytes.len() > MAX_ENDORSEMENTS {
            return Err(EndorsementsError::TooLarge(bytes.len()));
        }
        let text = bytes.trim_ascii();
        if text.starts_with(b"{") {
            return Self::parse_json(text);
        }
        if certificate::is_pem(text, "") {
            return Ok(Self { certificates: certificate::from_pem(text)?, tcbm: None });
        }
        let decoded = host_data::decode(text).ok_or(EndorsementsError::Unknown)?;
        match decoded.trim_ascii() {
            json if json.starts_with(b"{") => Self::parse_json(json),
            text if certificate::is_pem(text, "") => {
                Ok(Self { certificates: certificate::from_pem(text)?, tcbm: None })
            }
            _ => Err(EndorsementsError::Unknown),
        }
    }

    fn parse_json(bytes: &[u8]) -> Result<Self, EndorsementsError> {
        let value = json::parse(bytes)?;
        let object = value.as_object().ok_or_else(|| EndorsementsError::Shape("it is not an object".into()))?;
        let text = |key: &str| {
            let text = object.get(key).and_then(|v| v.as_str());
            text.ok_or_else(|| EndorsementsError::Shape(format!("{key} is missing, or no text")))
        };
        let mut certificates = certificate::from_pem(text("vcekCert")?.as_bytes())?;
        certificates.extend(certificate::from_pem(text("certificateChain")?.as_bytes())?);
        let tcbm = text("tcbm")?;
        let tcbm = TcbVersion::from_hex(tcbm).ok_or_else(|| EndorsementsError::Tcbm(tcbm.to_owned()))?;
        Ok(Self { certificates, tcbm: Some(tcbm) })
    }

    /// Endorsements made of these certificates (DER), with the TCB that came beside them if one did.
    pub fn new(certificates: Vec<Vec<u8>>, tcbm: Option<TcbVersion>) -> Self {
        Self { certificates, tcbm }
    }

    /// These and `other` together, where neither is a chain by itself: the certificates of one chain out of several
    /// files, which are then put in order. What is there already adds nothing. `None` if they are more than a chain.
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let more: Vec<_> = other.certificates.iter().filter(|der| !self.certificates.contains(der)).cloned().collect();
        if more.is_empty() && (other.tcbm.is_none() || other.tcbm == self.tcbm) {
            return Some(self.clone());
        }
        if self.certificates.iter().all(|der| other.certificates.contains(der)) && self.tcbm.is_none() {
            return Some(other.clone());
        }
        if self.tcbm.is_some() || other.tcbm.is_some() || self.certificates.len() + more.len() > 3 {
            return None;
        }
        let mut certificates = [self.certificates.as_slice(), &more].concat();
        certificates.sort_by_key(|der| place(der));
        Some(Self { certificates, tcbm: None })
    }

    /// The certificates' DER, in the order in which they came.
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The TCB for which the host fetched the VCEK, if it says so.
    pub fn tcbm(&self) -> Option<TcbVersion> {
        self.tcbm
    }

    /// Checks the chain from a pinned root to the VCEK, and what the VCEK says; adds one check for each rule.
    ///
    /// `reported` is the product that the report states, if it does (from version 3). Returns the chip's
    /// certificate only if it can be used to check a signature, that is, if every certificate could be read.
    pub fn check(
        &self,
        reported: Option<Product>,
        roots: &Roots,
        now: OffsetDateTime,
        revocations: &[RevocationList],
        checks: &mut Checks,
    ) -> Option<Vcek> {
        let count = self.certificates.len();
        let product = reported.map_or("PRODUCT", Product::name);
        let missing = if count < 3 {
            format!(". AMD gives the two above a chip's at https://kdsintf.amd.com/vcek/v1/{product}/cert_chain")
        } else {
            String::new()
        };
        let detail = format!("{count} of exactly three that CCF wants: VCEK, ASK, ARK{missing}");
        if !checks.require("certificate-count", count == 3, detail) && count < 3 {
            return None;
        }
        let mut parsed = Vec::new();
        for (der, role) in self.certificates.iter().zip(ROLES) {
            match certificate::parse(der) {
                Ok(certificate) => parsed.push(certificate),
                Err(e) => {
                    checks.fail("certificate-format", format!("the {role}: {e}"));
                    return None;
                }
            }
        }
        let [vcek, ask, ark] = <[X509Certificate<'_>; 3]>::try_from(parsed).ok()?;
        if is_vlek(&vcek) {
            checks.fail("vcek", "the leaf is a VLEK (a cloud provider's key); CCF accepts reports of a VCEK alone");
        }
        let ordered = is_self_issued(&ark) && !is_self_issued(&ask) && !is_self_issued(&vcek);
        let linked =
            vcek.issuer().as_raw() == ask.subject().as_raw() && ask.issuer().as_raw() == ark.subject().as_raw();
        let names = [&vcek, &ask, &ark].map(|c| common_name(c).unwrap_or("unnamed"));
        checks.require(
            "certificate-order",
            ordered && linked,
            format!("{}; CCF wants VCEK, ASK, ARK", names.join(", ")),
        );

        let digest = sha256(ark.public_key().raw);
        let known = || roots.iter().filter(|root| root.spki_sha256 == digest);
        let root = known().find(|root| reported == Some(root.product)).or_else(|| known().next());
        match root {
            Some(root) if reported.is_none_or(|product| product == root.product) => {
                checks.pass("ark-pinned", format!("the root is {} for {}", roots.whose(), root.product));
            }
            Some(root) => {
                let reported = reported.map_or("unknown product", Product::name);
                let detail =
                    format!("the root is {} for {}, and the report is of a {reported}", roots.whose(), root.product);
                checks.fail("ark-pinned", detail);
            }
            None if roots.is_rehearsal() => {
                checks.fail("ark-pinned", "the root's public key is not one of the rehearsal's");
            }
            None => checks.fail("ark-pinned", "the root's public key is not one of AMD's (Milan, Genoa, Turin)"),
        }
        check_signature("ark-self-signed", &ark, &ark, checks);
        check_signature("ask-signature", &ask, &ark, checks);
        check_signature("vcek-signature", &vcek, &ask, checks);
        let authorities = is_authority(&ask) && is_authority(&ark);
        checks.require("certificate-authority", authorities, "ASK and ARK may issue certificates");
        check_dates([&vcek, &ask, &ark], now, checks);
        check_revocation([&vcek, &ask, &ark], revocations, now, checks);

        let product = root.map(|r| r.product).or(reported);
        Vcek::read(&vcek, product, checks)
    }
}

/// Where in a chain a certificate belongs by what it says.
fn place(der: &[u8]) -> usize {
    match certificate::parse(der) {
        Ok(certificate) if is_authority(&certificate) => 1 + usize::from(is_self_issued(&certificate)),
        _ => 0,
    }
}

const ROLES: [&str; 3] = ["VCEK", "ASK", "ARK"];

fn check_signature(name: &'static str, signed: &X509Certificate<'_>, by: &X509Certificate<'_>, checks: &mut Checks) {
    let result = match Scheme::of(&signed.signature_algorithm) {
        Ok(Scheme::RsaPss(Hash::Sha384)) => certificate::check_issued(signed, by),
        Ok(other) => Err(CertificateError::Unsupported(format!("{other:?}"))),
        Err(e) => Err(e),
    };
    match result {
        Ok(()) => checks.pass(name, "RSA-PSS with SHA-384 over the certificate's bytes"),
        Err(e) => checks.fail(name, e.to_string()),
    }
}

/// CCF verifies the chain at the present time, so a node with an expired certificate cannot join.
fn check_dates(chain: [&X509Certificate<'_>; 3], now: OffsetDateTime, checks: &mut Checks) {
    let text = |time: OffsetDateTime| time.format(&Rfc3339).unwrap_or_else(|_| time.to_string());
    let leaf = leaf_name(chain[0]);
    for (certificate, role) in chain.into_iter().zip([leaf, ROLES[1], ROLES[2]]) {
        let (from, to) = certificate::dates(certificate);
        if now < from || now > to {
            let detail = format!("the {role} is valid from {} to {}; CCF refuses it now", text(from), text(to));
            return checks.fail("certificate-dates", detail);
        }
    }
    let (_, to) = certificate::dates(chain[0]);
    checks.pass("certificate-dates", format!("all are in date; the {leaf} until {}", text(to)));
}

/// What AMD (or the ASK) has revoked, as far as lists of it were given. CCF does not look at any.
fn check_revocation(
    chain: [&X509Certificate<'_>; 3],
    lists: &[RevocationList],
    now: OffsetDateTime,
    checks: &mut Checks,
) {
    const NAME: &str = "revocation";
    let [vcek, ask, ark] = chain;
    if lists.is_empty() {
        return checks.warn(NAME, "not checked: no revocation list was given; AMD publishes one for each product");
    }
    let mut looked_at = false;
    for list in lists {
        let Some(issuer) = [ark, ask].into_iter().find(|issuer| list.is_of(issuer)) else { continue };
        looked_at = true;
        let name = common_name(issuer).unwrap_or("unnamed");
        if !list.is_signed_by(issuer) {
            checks.fail(NAME, format!("the list is not signed by {name}, whom it names as its issuer"));
            continue;
        }
        if let Some(revoked) = [vcek, ask, ark].into_iter().find(|certificate| list.revokes(certificate)) {
            let whose = common_name(revoked).unwrap_or("unnamed");
            checks.fail(NAME, format!("the certificate of {whose} is revoked by {name}"));
            continue;
        }
        match list.dates() {
            Some((issued, _)) if issued > now => {
                checks.fail(NAME, format!("the list of {name} is of {}, which is in the future", issued.date()));
            }
            Some((_, Some(next))) if next < now => {
                checks.warn(
                    NAME,
                    format!("{name} has revoked none of them; stale: its next list was due {}", next.date()),
                );
            }
            _ => checks.pass(NAME, format!("{name} has revoked none of them")),
        }
    }
    if !looked_at {
        let issuers: Vec<_> = lists.iter().map(RevocationList::issuer).collect();
        checks.incomplete(NAME, format!("the lists are of other authorities: {}", issuers.join("; ")));
    }
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.issuer().as_raw() == certificate.subject().as_raw()
}

fn is_authority(certificate: &X509Certificate<'_>) -> bool {
    let constraints = certificate.basic_constraints().ok().flatten();
    let usage = certificate.key_usage();
    constraints.is_some_and(|c| c.value.ca) && usage.is_ok_and(|u| u.is_none_or(|u| u.value.key_cert_sign()))
}

fn common_name<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a str> {
    certificate.subject().iter_common_name().next()?.as_str().ok()
}
