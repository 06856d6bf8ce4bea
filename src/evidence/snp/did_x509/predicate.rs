//! What a did:x509 says of its leaf certificate, and whether it is so.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::x509::X509Name;

use super::DidError;

/// The parts of a certificate that a predicate can name.
pub(super) struct Model {
    subject: Vec<(String, String)>,
    eku: Option<Vec<String>>,
    /// Kind (`email`, `dns`, `uri`) and value; directory names cannot be named by a predicate.
    san: Vec<(&'static str, String)>,
    fulcio_issuer: Option<String>,
}

/// The certificate extension in which Fulcio states the OIDC issuer, as raw text.
const FULCIO_ISSUER: &str = "1.3.6.1.4.1.57264.1.1";

impl Model {
    /// Reads a certificate's; refuses names that have an attribute twice, and other kinds of alternative names.
    pub(super) fn of(certificate: &X509Certificate<'_>) -> Result<Self, DidError> {
        let malformed = |e: x509_parser::error::X509Error| DidError::Malformed(e.to_string());
        names(certificate.issuer())?;
        let subject = names(certificate.subject())?;
        let mut san = Vec::new();
        let alternative = certificate.subject_alternative_name().map_err(malformed)?;
        for name in alternative.map_or(&[][..], |n| &n.value.general_names) {
            match name {
                GeneralName::RFC822Name(value) => san.push(("email", (*value).to_owned())),
                GeneralName::DNSName(value) => san.push(("dns", (*value).to_owned())),
                GeneralName::URI(value) => san.push(("uri", (*value).to_owned())),
                GeneralName::DirectoryName(name) => {
                    names(name)?;
                }
                _ => return Err(DidError::UnsupportedSan),
            }
        }
        let eku = certificate.extended_key_usage().map_err(malformed)?.map(|usage| {
            let usage = usage.value;
            let standard = [
                (usage.any, "2.5.29.37.0"),
                (usage.server_auth, "1.3.6.1.5.5.7.3.1"),
                (usage.client_auth, "1.3.6.1.5.5.7.3.2"),
                (usage.code_signing, "1.3.6.1.5.5.7.3.3"),
                (usage.email_protection, "1.3.6.1.5.5.7.3.4"),
                (usage.time_stamping, "1.3.6.1.5.5.7.3.8"),
                (usage.ocsp_signing, "1.3.6.1.5.5.7.3.9"),
            ];
            let standard = standard.into_iter().filter(|(is, _)| *is).map(|(_, oid)| oid.to_owned());
            standard.chain(usage.other.iter().map(|oid| oid.to_id_string())).collect()
        });
        let fulcio = certificate.extensions().iter().find(|e| e.oid.to_id_string() == FULCIO_ISSUER);
        let fulcio_issuer = match fulcio.map(|e| std::str::from_utf8(e.value)) {
            None => None,
            Some(Ok(text)) => Some(text.to_owned()),
            Some(Err(_)) => return Err(DidError::Malformed("the Fulcio issuer is not UTF-8".into())),
        };
        Ok(Self { subject, eku, san, fulcio_issuer })
    }

    /// Checks one predicate.
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), DidError> {
        match name {
            "subject" => self.check_subject(value),
            "san" => self.check_san(value),
            "eku" => match &self.eku {
                None => Err(DidError::Predicate("Certificate does not contain an EKU extension.")),
                Some(eku) if eku.iter().any(|oid| oid == value) => Ok(()),
                Some(_) => Err(DidError::Predicate("EKU predicate does not match the certificate.")),
            },
            "fulcio-issuer" => {
                let issuer = format!("https://{}", decode(value)?);
                match &self.fulcio_issuer {
                    None => Err(DidError::Predicate("Certificate does not contain a Fulcio issuer extension.")),
                    Some(found) if *found == issuer => Ok(()),
                    Some(_) => Err(DidError::Predicate("Fulcio issuer predicate does not match the certificate.")),
                }
            }
            _ => Err(DidError::UnknownPredicate),
        }
    }

    fn check_subject(&self, value: &str) -> Result<(), DidError> {
        let items: Vec<&str> = value.split(':').collect();
        if !items.len().is_multiple_of(2) {
            return Err(DidError::Predicate("Subject predicate requires key-value pairs."));
        }
        let pairs: Vec<(&str, &str)> = items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        for (i, (key, _)) in pairs.iter().enumerate() {
            if pairs[..i].iter().any(|(before, _)| before == key) {
                return Err(DidError::Predicate("Subject predicate contains duplicate fields."));
            }
        }
        for (key, value) in pairs {
            let Some((_, found)) = self.subject.iter().find(|(name, _)| name == key) else {
                return Err(DidError::Predicate("Subject predicate contains an unknown key."));
            };
            if *found != decode(value)? {
                return Err(DidError::Predicate("Subject predicate does not match the certificate."));
            }
        }
        Ok(())
    }

    fn check_san(&self, value: &str) -> Result<(), DidError> {
        match value.split(':').collect::<Vec<_>>()[..] {
            [kind, value] => {
                let value = decode(value)?;
                let found = self.san.iter().any(|(k, v)| *k == kind && *v == value);
                if found { Ok(()) } else { Err(DidError::Predicate("SAN predicate does not match the certificate.")) }
            }
            _ => Err(DidError::Predicate("SAN predicate requires exactly one type and value.")),
        }
    }
}

/// A name's attributes by RFC 4514 label, else by dotted OID.
fn names(name: &X509Name<'_>) -> Result<Vec<(String, String)>, DidError> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    for attribute in name.iter_attributes() {
        let oid = attribute.attr_type().to_id_string();
        let key = match oid.as_str() {
            "2.5.4.3" => "CN",
            "2.5.4.6" => "C",
            "2.5.4.7" => "L",
            "2.5.4.8" => "ST",
            "2.5.4.9" => "STREET",
            "2.5.4.10" => "O",
            "2.5.4.11" => "OU",
            other => other,
        }
        .to_owned();
        if attributes.iter().any(|(before, _)| *before == key) {
            return Err(DidError::DuplicateAttributes);
        }
        // BMPString and the like: no issuer uses them, and what they match is not well defined.
        let value = attribute.as_str().map_err(|_| DidError::Malformed(format!("the attribute {key} is not text")))?;
        attributes.push((key, value.to_owned()));
    }
    Ok(attributes)
}

/// Undoes percent-encoding; the result is UTF-8.
fn decode(text: &str) -> Result<String, DidError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|d| std::str::from_utf8(d).ok()).ok_or(DidError::Syntax)?;
        if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(DidError::Syntax);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| DidError::Syntax)?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| DidError::Syntax)
}
