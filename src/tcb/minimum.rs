//! The least TCB that a service admits, as it stores it for each CPUID.

use serde_json::Value;

use crate::check::Checks;
use crate::processor::Product;
use crate::tcb::{Tcb, TcbVersion};

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

    /// Whether this asks for more than `other` in any component.
    pub fn exceeds(&self, other: &Self) -> bool {
        self.fmc > other.fmc
            || self.boot_loader > other.boot_loader
            || self.tee > other.tee
            || self.snp > other.snp
            || self.microcode > other.microcode
    }

    /// The components at 255, which no firmware has.
    pub fn unreachable(&self) -> Vec<&'static str> {
        let components = [
            ("fmc", self.fmc),
            ("boot_loader", self.boot_loader),
            ("tee", self.tee),
            ("snp", self.snp),
            ("microcode", self.microcode),
        ];
        components.into_iter().filter(|(_, least)| *least == Some(u8::MAX)).map(|(name, _)| name).collect()
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
