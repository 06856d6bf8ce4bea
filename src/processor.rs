//! AMD's processors that attest with SEV-SNP: their products and CPUIDs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::{HexError, parse_hex};

/// An AMD EPYC generation that attests with SEV-SNP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub enum Product {
    /// Family 19h, models 00h–0Fh (Zen 3).
    Milan,
    /// Family 19h, models 10h–1Fh and A0h–AFh (Zen 4).
    Genoa,
    /// Family 1Ah, models 00h–1Fh (Zen 5).
    Turin,
}

impl Product {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::Milan, Self::Genoa, Self::Turin];

    /// The product of a CPUID family and model as an attestation report states them, if it is one that CCF knows.
    pub fn of(family: u8, model: u8) -> Option<Self> {
        match (family, model) {
            (0x19, 0x01) => Some(Self::Milan),
            (0x19, 0x11) => Some(Self::Genoa),
            (0x1a, 0x01 | 0x02) => Some(Self::Turin),
            _ => None,
        }
    }

    /// The name as it stands in AMD's certificates.
    pub fn name(self) -> &'static str {
        match self {
            Self::Milan => "Milan",
            Self::Genoa => "Genoa",
            Self::Turin => "Turin",
        }
    }

    /// Whether this product's TCB has an `fmc` component.
    pub fn has_fmc(self) -> bool {
        self == Self::Turin
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A processor's family, model and stepping: EAX of CPUID leaf 1, the key under which CCF stores a minimum TCB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cpuid(pub u32);

impl Cpuid {
    /// Puts family, model and stepping (as a report states them, extended fields included) into EAX's layout.
    pub fn new(family: u8, model: u8, stepping: u8) -> Self {
        let (base, extended) = if family > 0xf { (0xf, family - 0xf) } else { (family, 0) };
        Self(
            u32::from(extended) << 20
                | u32::from(model >> 4) << 16
                | u32::from(base) << 8
                | u32::from(model & 0xf) << 4
                | u32::from(stepping & 0xf),
        )
    }

    /// Family: base plus extended.
    pub fn family(self) -> u8 {
        let base = (self.0 >> 8 & 0xf) as u8;
        base.wrapping_add((self.0 >> 20) as u8)
    }

    /// Model: extended, then base.
    pub fn model(self) -> u8 {
        ((self.0 >> 12 & 0xf0) | (self.0 >> 4 & 0xf)) as u8
    }

    /// Stepping.
    pub fn stepping(self) -> u8 {
        (self.0 & 0xf) as u8
    }

    /// Whether this is a Turin as CCF knows it: model 02. Before CCF knew any, nodes called theirs `00b00f11`.
    pub fn is_turin_of_ccf(self) -> bool {
        (self.family(), self.model()) == (0x1a, 0x02)
    }

    /// The product, if CCF knows it.
    pub fn product(self) -> Option<Product> {
        Product::of(self.family(), self.model())
    }
}

impl std::str::FromStr for Cpuid {
    type Err = HexError;

    /// Eight lowercase hexadecimal digits, big-endian, for example `00a00f11`.
    fn from_str(text: &str) -> Result<Self, HexError> {
        parse_hex("CPUID", text).map(|bytes| Self(u32::from_be_bytes(bytes)))
    }
}

impl TryFrom<String> for Cpuid {
    type Error = HexError;

    fn try_from(text: String) -> Result<Self, HexError> {
        text.parse()
    }
}

impl From<Cpuid> for String {
    fn from(cpuid: Cpuid) -> Self {
        cpuid.to_string()
    }
}

impl fmt::Display for Cpuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpuid_goes_from_family_model_stepping_and_back() {
        for (text, family, model, stepping, product) in [
            ("00a00f11", 0x19, 0x01, 1, Product::Milan),
            ("00a10f11", 0x19, 0x11, 1, Product::Genoa),
            ("00b00f11", 0x1a, 0x01, 1, Product::Turin),
            ("00b00f21", 0x1a, 0x02, 1, Product::Turin),
        ] {
            let cpuid: Cpuid = text.parse().unwrap();
            assert_eq!((cpuid.family(), cpuid.model(), cpuid.stepping()), (family, model, stepping), "{text}");
            assert_eq!(Cpuid::new(family, model, stepping), cpuid);
            assert_eq!(cpuid.product(), Some(product));
            assert_eq!(cpuid.to_string(), text);
        }
        assert!("00A00F11".parse::<Cpuid>().is_err());
        assert_eq!(Product::of(0x17, 0x31), None);
    }
}
