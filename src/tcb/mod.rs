//! How new a processor's firmware is: TCB versions and their components.

mod minimum;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::processor::Product;

pub use minimum::{MinimumTcb, TcbError};

/// A TCB version: eight bytes whose meaning depends on the product.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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

impl TryFrom<String> for TcbVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_hex(&text).ok_or("a TCB is 16 hexadecimal digits, the highest byte first")
    }
}

impl From<TcbVersion> for String {
    fn from(tcb: TcbVersion) -> Self {
        tcb.to_string()
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
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
