//! Which AMD processor, and how new its firmware: products, CPUID and TCB versions.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::digest::{HexError, parse_hex};
use crate::evidence::check::Checks;

/// An AMD EPYC generation that attests with SEV-SNP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

impl fmt::Display for Cpuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// A TCB version: eight bytes whose meaning depends on the product.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TcbVersion(pub u64);

impl TcbVersion {
    /// Its components, for `product`.
    pub fn components(self, product: Product) -> Tcb {
        let b = self.0.to_le_bytes();
        match product {
            Product::Milan | Product::Genoa => {
                Tcb { fmc: None, boot_loader: b[0], tee: b[1], snp: b[6], microcode: b[7] }
            }
            Product::Turin => Tcb { fmc: Some(b[0]), boot_loader: b[1], tee: b[2], snp: b[3], microcode: b[7] },
        }
    }

    /// Sixteen hexadecimal digits, either case, highest byte first (as `tcbm` and CCF's `endorsed_tcb` write it).
    pub fn from_hex(text: &str) -> Option<Self> {
        let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        hex.then(|| u64::from_str_radix(text, 16).ok().map(Self)).flatten()
    }

    /// Whether bytes that `product` leaves unused are set.
    pub fn sets_reserved(self, product: Product) -> bool {
        let reserved = match product {
            Product::Milan | Product::Genoa => 0x0000_ffff_ffff_0000,
            Product::Turin => 0x00ff_ffff_0000_0000,
        };
        self.0 & reserved != 0
    }

    /// The version that was meant, if this one can only be that with its bytes in reverse order.
    ///
    /// Real firmware has an SNP version above 0, a microcode above the boot loader, and nothing in reserved bytes.
    pub fn meant(self, product: Product) -> Option<Self> {
        let plausible = |version: Self| {
            let tcb = version.components(product);
            !version.sets_reserved(product) && tcb.snp > 0 && tcb.microcode > tcb.boot_loader
        };
        (!plausible(self) && plausible(self.reversed())).then(|| self.reversed())
    }

    /// The same bytes the other way round: the mistake that a mis-read TCB usually is.
    pub fn reversed(self) -> Self {
        Self(self.0.swap_bytes())
    }
}

impl fmt::Display for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TcbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TcbVersion({self})")
    }
}

/// The components of a TCB version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Tcb {
    /// Firmware of the management controller; on Turin only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fmc: Option<u8>,
    /// Boot loader of the secure processor.
    pub boot_loader: u8,
    /// Operating system of the secure processor.
    pub tee: u8,
    /// SNP firmware.
    pub snp: u8,
    /// Microcode of the cores.
    pub microcode: u8,
}

impl Tcb {
    /// The components in which this is older than `minimum`, by name; a component that only one side has counts.
    pub fn below(&self, minimum: &Tcb) -> Vec<&'static str> {
        let mut below = Vec::new();
        match (self.fmc, minimum.fmc) {
            (Some(a), Some(b)) if a >= b => {}
            (None, None) => {}
            _ => below.push("fmc"),
        }
        let pairs = [
            ("boot_loader", self.boot_loader, minimum.boot_loader),
            ("tee", self.tee, minimum.tee),
            ("snp", self.snp, minimum.snp),
            ("microcode", self.microcode, minimum.microcode),
        ];
        below.extend(pairs.into_iter().filter(|(_, a, b)| a < b).map(|(name, _, _)| name));
        below
    }
}

impl fmt::Display for Tcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fmc) = self.fmc {
            write!(f, "fmc {fmc}, ")?;
        }
        write!(f, "boot_loader {}, tee {}, snp {}, microcode {}", self.boot_loader, self.tee, self.snp, self.microcode)
    }
}

/// A minimum TCB as a service stores it for one CPUID: every component optional, absence meaning something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinimumTcb {
    /// Least `fmc`; on Milan and Genoa its presence locks every node out, on Turin its absence does.
    pub fmc: Option<u8>,
    /// Least boot loader version.
    pub boot_loader: Option<u8>,
    /// Least secure OS version.
    pub tee: Option<u8>,
    /// Least SNP firmware version.
    pub snp: Option<u8>,
    /// Least microcode version.
    pub microcode: Option<u8>,
    /// The same as hexadecimal text, which CCF carries and does not compare.
    pub hexstring: Option<String>,
}

/// What makes a minimum TCB unusable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TcbError {
    /// Not an object.
    #[error("a minimum TCB is an object of components")]
    NotAnObject,
    /// A component that no TCB has.
    #[error("a TCB has no component {0:?}")]
    Unknown(String),
    /// A component that is no byte.
    #[error("the TCB component {0:?} is a whole number from 0 to 255")]
    NotAByte(String),
    /// `hexstring` is no text.
    #[error("hexstring is text")]
    HexNotText,
}

impl MinimumTcb {
    /// Reads the object of `set_snp_minimum_tcb_version` (and of CCF's table `snp.tcb_versions`).
    ///
    /// # Errors
    /// Unknown components, and values outside 0–255.
    pub fn from_json(value: &Value) -> Result<Self, TcbError> {
        let mut tcb = Self::default();
        for (name, value) in value.as_object().ok_or(TcbError::NotAnObject)? {
            let byte = || {
                let byte = value.as_u64().and_then(|n| u8::try_from(n).ok());
                byte.map(Some).ok_or_else(|| TcbError::NotAByte(name.clone()))
            };
            match name.as_str() {
                "fmc" => tcb.fmc = byte()?,
                "boot_loader" => tcb.boot_loader = byte()?,
                "tee" => tcb.tee = byte()?,
                "snp" => tcb.snp = byte()?,
                "microcode" => tcb.microcode = byte()?,
                "hexstring" => {
                    tcb.hexstring = Some(value.as_str().ok_or(TcbError::HexNotText)?.to_owned());
                }
                _ => return Err(TcbError::Unknown(name.clone())),
            }
        }
        Ok(tcb)
    }

    /// Exactly the components of `tcb`.
    pub fn of(tcb: Tcb) -> Self {
        Self {
            fmc: tcb.fmc,
            boot_loader: Some(tcb.boot_loader),
            tee: Some(tcb.tee),
            snp: Some(tcb.snp),
            microcode: Some(tcb.microcode),
            hexstring: None,
        }
    }

    /// The same as one number, if every component of `product` is there and no other.
    pub fn version(&self, product: Product) -> Option<TcbVersion> {
        let mut bytes = [0; 8];
        match product {
            Product::Milan | Product::Genoa => {
                [bytes[0], bytes[1]] = [self.boot_loader?, self.tee?];
                [bytes[6], bytes[7]] = [self.snp?, self.microcode?];
            }
            Product::Turin => {
                [bytes[0], bytes[1], bytes[2], bytes[3]] = [self.fmc?, self.boot_loader?, self.tee?, self.snp?];
                bytes[7] = self.microcode?;
            }
        }
        (self.fmc.is_some() == product.has_fmc()).then(|| TcbVersion(u64::from_le_bytes(bytes)))
    }

    /// Checks, as the rule `name`, that a node that reports `tcb` is admitted.
    pub fn check(&self, name: &'static str, tcb: &Tcb, checks: &mut Checks) {
        let refusals = self.refusals(tcb);
        let detail = if refusals.is_empty() { format!("{tcb} is not below it") } else { refusals.join("; ") };
        checks.require(name, refusals.is_empty(), detail);
    }

    /// Why a node that reports `tcb` is refused, one text for each component; empty if it is admitted.
    ///
    /// CCF refuses a component that stands on one side only.
    pub fn refusals(&self, tcb: &Tcb) -> Vec<String> {
        let components = [
            ("fmc", tcb.fmc, self.fmc),
            ("boot_loader", Some(tcb.boot_loader), self.boot_loader),
            ("tee", Some(tcb.tee), self.tee),
            ("snp", Some(tcb.snp), self.snp),
            ("microcode", Some(tcb.microcode), self.microcode),
        ];
        let mut refusals = Vec::new();
        for (name, reported, minimum) in components {
            match (reported, minimum) {
                (Some(reported), Some(minimum)) if reported < minimum => {
                    refusals.push(format!("{name} is {reported}, below the minimum {minimum}"));
                }
                (None, Some(_)) => refusals.push(format!(
                    "the minimum names {name}, which this processor does not have: every such node is locked out"
                )),
                (Some(_), None) => refusals.push(format!(
                    "the minimum does not name {name}, which this processor has: every such node is locked out"
                )),
                _ => {}
            }
        }
        refusals
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

    #[test]
    fn tcb_bytes_mean_what_the_product_says() {
        let tcb = TcbVersion::from_hex("db18000000000004").unwrap();
        let milan = Tcb { fmc: None, boot_loader: 4, tee: 0, snp: 0x18, microcode: 0xdb };
        assert_eq!(tcb.components(Product::Milan), milan);
        assert_eq!(tcb.components(Product::Turin).fmc, Some(4));
        assert_eq!(tcb.reversed().to_string(), "04000000000018db");
        assert_eq!(TcbVersion::from_hex("7308000000000003").unwrap().to_string(), "7308000000000003");
        assert!(TcbVersion::from_hex("0x08000000000003").is_none());
        assert!(TcbVersion::from_hex("+308000000000003").is_none());
    }

    #[test]
    fn a_component_on_one_side_only_locks_out() {
        let tcb = TcbVersion(0xdb18_0000_0000_0004).components(Product::Milan);
        let mut minimum = MinimumTcb::of(tcb);
        assert!(minimum.refusals(&tcb).is_empty());
        minimum.fmc = Some(0);
        assert_eq!(minimum.refusals(&tcb).len(), 1);
        minimum = MinimumTcb::of(tcb);
        minimum.snp = None;
        assert_eq!(minimum.refusals(&tcb).len(), 1);
        minimum.snp = Some(0x19);
        assert_eq!(minimum.refusals(&tcb), ["snp is 24, below the minimum 25"]);
        assert!(MinimumTcb::of(TcbVersion(0).components(Product::Turin)).refusals(&tcb)[0].contains("fmc"));
    }

    #[test]
    fn a_minimum_is_read_strictly() {
        let read = |text: &str| MinimumTcb::from_json(&serde_json::from_str(text).unwrap());
        assert_eq!(read(r#"{"snp": 24, "hexstring": "db18"}"#).unwrap().snp, Some(24));
        assert_eq!(read(r#"{"snp": 256}"#), Err(TcbError::NotAByte("snp".into())));
        assert_eq!(read(r#"{"ucode": 1}"#), Err(TcbError::Unknown("ucode".into())));
        assert_eq!(read("[]"), Err(TcbError::NotAnObject));
    }
}
