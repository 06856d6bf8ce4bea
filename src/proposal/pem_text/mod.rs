//! PEM in proposals: certificates and public keys, and never a private key.

use crate::der::significant;
use crate::text::clip;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};
use x509_parser::public_key::PublicKey;

use super::private_key;
use crate::digest::sha256;

/// Why a text is not the PEM that a parameter takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// A private key: proposals are public.
    #[error("this is a private key, and a proposal is public: give the certificate or the public key")]
    PrivateKey,
    /// No block of the kind that belongs here.
    #[error("this is not {0} in PEM form")]
    None(&'static str),
    /// A block of another kind.
    #[error("this holds a PEM block {found:?}, where {wanted} belongs")]
    Other {
        /// The label found.
        found: String,
        /// What belongs there.
        wanted: &'static str,
    },
    /// The block's content is malformed.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Recovery shares are encrypted by RSA-OAEP with SHA-256.
    #[error("this RSA key has {0} bits, and recovery shares are encrypted to keys of at least 2048")]
    Weak(usize),
    /// Recovery shares are encrypted with RSA.
    #[error("this public key is not RSA, and recovery shares are encrypted to RSA keys")]
    NotRsa,
}

/// Checks that `text` is one or more certificates; returns it as it is.
pub fn certificates(text: String) -> Result<String, PemError> {
    for der in blocks(&text, "CERTIFICATE", "a certificate")? {
        match X509Certificate::from_der(&der) {
            Ok(([], _)) => {}
            _ => return Err(PemError::Malformed("the certificate")),
        }
    }
    Ok(text)
}

/// Checks that `text` is one RSA public key of at least 2048 bits; returns it as it is.
pub fn rsa_public_key(text: String) -> Result<String, PemError> {
    let keys = blocks(&text, "PUBLIC KEY", "a public key")?;
    let Ok((_, key)) = SubjectPublicKeyInfo::from_der(&keys[0]) else {
        return Err(PemError::Malformed("the public key"));
    };
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => {
            let modulus = significant(rsa.modulus);
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            if modulus.len() < 256 { Err(PemError::Weak(bits)) } else { Ok(text) }
        }
        _ if key.algorithm.algorithm.to_id_string() != "1.2.840.113549.1.1.1" => Err(PemError::NotRsa),
        _ => Err(PemError::Malformed("the public key")),
    }
}

/// Whether anything but white space is outside of the PEM blocks of `text`.
pub fn is_outside(text: &str) -> bool {
    let mut inside = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        match (line.starts_with("-----BEGIN "), line.starts_with("-----END ")) {
            (true, _) => inside = true,
            (_, true) if inside => inside = false,
            _ if !inside => return true,
            _ => {}
        }
    }
    false
}

/// The id that CCF gives to whoever has this certificate: SHA-256 of the DER of the first one in `text`.
pub fn id(text: &str) -> Option<String> {
    blocks(text, "CERTIFICATE", "").ok()?.first().map(|der| hex::encode(sha256(der)))
}

/// Every certificate's subject and id, for a person; `None` if `text` holds anything else: other blocks, one that is not
/// closed, words around them, or another layout than [`pem`] writes.
pub fn describe(text: &str) -> Option<Vec<String>> {
    let ders = blocks(text, "CERTIFICATE", "").ok()?;
    let written: String = ders.iter().map(|der| written(der)).collect();
    if text.trim_end_matches(['\r', '\n']).replace("\r\n", "\n") != written.trim_end() {
        return None;
    }
    let describe = |der: Vec<u8>| {
        let (_, certificate) = X509Certificate::from_der(&der).ok().filter(|(rest, _)| rest.is_empty())?;
        let subject = clip(&certificate.subject().to_string(), 300);
        Some(format!("certificate of {subject:?}, id {}", hex::encode(sha256(&der))))
    };
    ders.into_iter().map(describe).collect()
}

/// A certificate as tools write it.
fn written(der: &[u8]) -> String {
    let block = pem::Pem::new("CERTIFICATE", der);
    pem::encode_config(&block, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

/// The common names of the certificates' subjects, where there are any.
pub fn common_names(text: &str) -> Vec<String> {
    let name = |der: Vec<u8>| {
        let (_, certificate) = X509Certificate::from_der(&der).ok()?;
        Some(certificate.subject().iter_common_name().next()?.as_str().ok()?.to_owned())
    };
    blocks(text, "CERTIFICATE", "").unwrap_or_default().into_iter().filter_map(name).collect()
}

fn blocks(text: &str, label: &'static str, wanted: &'static str) -> Result<Vec<Vec<u8>>, PemError> {
    if private_key::in_text(text) {
        return Err(PemError::PrivateKey);
    }
    let blocks = pem::parse_many(text).map_err(|_| PemError::None(wanted))?;
    if !blocks.is_empty() && text.matches("-----BEGIN ").count() != blocks.len() {
        return Err(PemError::Malformed("one of its blocks"));
    }
    if blocks.is_empty() {
        return Err(PemError::None(wanted));
    }
    match blocks.iter().find(|b| b.tag() != label) {
        Some(other) => Err(PemError::Other { found: other.tag().into(), wanted }),
        None => Ok(blocks.into_iter().map(pem::Pem::into_contents).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proposal::catalogue::Catalogue;

    fn example(template: &str, name: &str) -> String {
        Catalogue::builtin().find(template).unwrap().example[name].as_str().unwrap().into()
    }

    #[test]
    fn certificates_and_keys_are_told_apart() {
        let certificate = example("set_member", "cert");
        let key = example("set_member", "encryption_pub_key");
        assert_eq!(certificates(certificate.clone()).unwrap(), certificate);
        assert_eq!(rsa_public_key(key.clone()).unwrap(), key);
        assert!(matches!(certificates(key), Err(PemError::Other { .. })));
        assert!(matches!(rsa_public_key(certificate.clone()), Err(PemError::Other { .. })));
        assert_eq!(certificates("x".into()), Err(PemError::None("a certificate")));
        assert_eq!(certificates(certificate.replace("MII", "NII")), Err(PemError::Malformed("the certificate")));
        let private = certificate.replace("CERTIFICATE", "PRIVATE KEY");
        assert_eq!(certificates(private), Err(PemError::PrivateKey));
        assert!(describe(&certificate).unwrap()[0].contains("CN=example"));
        assert_eq!(describe(&certificate.repeat(2)).unwrap().len(), 2);
        assert_eq!(describe(&certificate.replace('\n', "\r\n")).unwrap().len(), 1);
        let begin = "-----BEGIN CERTIFICATE-----";
        let unclosed = format!("{begin}\naGlk");
        for more in
            ["x", "-----BEGIN X-----", "-----END CERTIFICATE-----", "Comment: x", "    ", begin, unclosed.as_str()]
        {
            assert_eq!(describe(&format!("{certificate}{more}\n{certificate}")), None, "{more}");
            assert_eq!(describe(&format!("{more}\n{certificate}")), None, "{more}");
            assert_eq!(describe(&format!("{certificate}{more}\n")), None, "{more}");
        }
        assert_eq!(describe(&certificate.replace("MII", "Comment: x\n\nMII")), None);
        assert_eq!(describe(&certificate.replace("MII", "MII\n")), None);
    }
}
