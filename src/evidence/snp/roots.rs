//! AMD's pinned roots.

use crate::digest::parse_hex;
use crate::processor::Product;

/// AMD's roots, by product: what a chain must end in.
///
/// The command line always uses [`Roots::amd`]; tests inject their own.
#[derive(Clone, Debug)]
pub struct Roots(Vec<Root>);

/// One pinned root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Root {
    /// The product whose chips it vouches for.
    pub product: Product,
    /// SHA-256 of the ARK's SubjectPublicKeyInfo, DER.
    pub spki_sha256: [u8; 32],
}

impl Roots {
    /// AMD's own, as published by its key distribution service: Milan, Genoa, Turin.
    pub fn amd() -> Self {
        let pinned = [
            (Product::Milan, "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"),
            (Product::Genoa, "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"),
            (Product::Turin, "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"),
        ];
        Self(
            pinned
                .into_iter()
                .filter_map(|(product, hex)| {
                    let spki_sha256 = parse_hex("root digest", hex).ok()?;
                    Some(Root { product, spki_sha256 })
                })
                .collect(),
        )
    }

    /// These roots and no others.
    pub fn new(roots: Vec<Root>) -> Self {
        Self(roots)
    }

    /// One after the other.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Root> {
        self.0.iter()
    }
}
