//! The roots that chains end in: AMD's, which are pinned, or those of a rehearsal.

use crate::certificate::{self, CertificateError};
use crate::digest::{parse_hex, sha256};
use crate::processor::Product;

/// Roots by product: what a chain must end in. AMD's, except in a rehearsal on a sandbox and in tests.
#[derive(Clone, Debug)]
pub struct Roots {
    roots: Vec<Root>,
    rehearsal: bool,
}

/// One pinned root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The product whose chips it vouches for.
    pub product: Product,
    /// SHA-256 of the ARK's SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
}

/// Why a file holds no roots for a rehearsal.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// Not certificates in PEM.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// A certificate of another kind.
    #[error("a root is called ARK-Milan, ARK-Genoa or ARK-Turin, and a certificate in it {0:?}")]
    Name(String),
    /// A root that is not made up.
    #[error("its root for {0} is AMD's own, which real attestations are judged by: nothing about it is a rehearsal")]
    Amd(Product),
    /// No certificate at all.
    #[error("there is no certificate in it")]
    None,
}

impl Roots {
    /// AMD's own, as published by its key distribution service: Milan, Genoa, Turin.
    pub fn amd() -> Self {
        let pinned = [
            (Product::Milan, "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"),
            (Product::Genoa, "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"),
            (Product::Turin, "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"),
        ];
        let root = |(product, hex)| Some(Root { product, spki_sha256: parse_hex("root digest", hex).ok()? });
        Self::new(pinned.into_iter().filter_map(root).collect())
    }

    /// These roots and no others.
    pub fn new(roots: Vec<Root>) -> Self {
        Self { roots, rehearsal: false }
    }

    /// The made-up roots of a rehearsal, and no others: whatever is judged by them says that it is one.
    pub fn rehearsal(roots: Vec<Root>) -> Self {
        Self { roots, rehearsal: true }
    }

    /// Reads the roots of a rehearsal: certificates, PEM, each named ARK-PRODUCT as AMD's are.
    ///
    /// # Errors
    /// [`RootsError`]: there is none, one is of no product, or is AMD's own.
    pub fn rehearsal_from_pem(pem: &[u8]) -> Result<Self, RootsError> {
        let mut roots = Vec::new();
        for der in certificate::from_pem(pem)? {
            let certificate = certificate::parse(&der)?;
            let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
            let name = name.unwrap_or_default();
            let product = Product::ALL.into_iter().find(|product| name.strip_prefix("ARK-") == Some(product.name()));
            let product = product.ok_or_else(|| RootsError::Name(name.to_owned()))?;
            let spki_sha256 = sha256(certificate.public_key().raw);
            if Self::amd().iter().any(|root| root.spki_sha256 == spki_sha256) {
                return Err(RootsError::Amd(product));
            }
            roots.push(Root { product, spki_sha256 });
        }
        if roots.is_empty() { Err(RootsError::None) } else { Ok(Self::rehearsal(roots)) }
    }

    /// Whether these are made up, for a rehearsal.
    pub fn is_rehearsal(&self) -> bool {
        self.rehearsal
    }

    /// Who vouches for a chain that ends in one of these.
    pub(super) fn whose(&self) -> &'static str {
        if self.rehearsal { "a sandbox's, and not AMD's," } else { "AMD's" }
    }

    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Root> {
        self.roots.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::snp::testing::lab;

    fn pem(certificates: &[Vec<u8>]) -> Vec<u8> {
        let text = |der: &Vec<u8>| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()));
        certificates.iter().map(text).collect::<String>().into_bytes()
    }

    #[test]
    fn a_file_of_roots_holds_made_up_roots_and_nothing_else() {
        let lab = lab();
        let roots = Roots::rehearsal_from_pem(&pem(&[lab.ark_certificate()])).unwrap();
        let root = Root { product: Product::Milan, spki_sha256: sha256(&lab.ark.spki()) };
        assert!(roots.is_rehearsal() && roots.iter().eq([&root]));
        let read = |certificates: &[Vec<u8>]| Roots::rehearsal_from_pem(&pem(certificates));
        let ask = read(&[lab.ark_certificate(), lab.ask_certificate()]).unwrap_err();
        assert!(matches!(ask, RootsError::Name(name) if name == "SEV-Milan"));
        assert!(Roots::rehearsal_from_pem(b"").is_err());
        let Some(folder) = crate::skip::fixtures() else { return };
        let chain = std::fs::read(folder.join("snp/ccf/milan_endorsements.pem")).unwrap();
        let ark = certificate::from_pem(&chain).unwrap().pop().unwrap();
        assert!(matches!(read(&[ark]).unwrap_err(), RootsError::Amd(Product::Milan)));
    }
}
