//! The certificate of a chip's key: what AMD writes into it beside the key (AMD 57230, "VCEK certificate format").

use x509_parser::certificate::X509Certificate;

use crate::check::Checks;
use crate::curve::Curve;
use crate::processor::Product;
use crate::tcb::Tcb;

/// What the certificate of a chip's key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vcek {
    /// The key: an uncompressed point on P-384.
    pub public_key: Vec<u8>,
    /// The product, from the pinned root (or the report, if the root is unknown).
    pub product: Product,
    /// The TCB that the key is derived for.
    pub tcb: Tcb,
    /// The chip: 64 bytes, on Turin 8. Empty if the certificate names none, as a VLEK's does.
    pub hardware_id: Vec<u8>,
}

/// Whether a leaf is a VLEK's: the key of a cloud provider, with which CCF accepts no report.
pub(super) fn is_vlek(leaf: &X509Certificate<'_>) -> bool {
    let name = leaf.subject().iter_common_name().next().and_then(|name| name.as_str().ok());
    name == Some("SEV-VLEK") || extension(leaf, OID_CSP).is_some()
}

/// What a leaf is called.
pub(super) fn leaf_name(leaf: &X509Certificate<'_>) -> &'static str {
    if is_vlek(leaf) { "VLEK" } else { "VCEK" }
}

impl Vcek {
    /// Reads a certificate; adds one check for each thing that it must say.
    pub(super) fn read(
        certificate: &X509Certificate<'_>,
        product: Option<Product>,
        checks: &mut Checks,
    ) -> Option<Self> {
        let leaf = leaf_name(certificate);
        let name = extension(certificate, OID_PRODUCT).and_then(ia5).unwrap_or_default();
        let product = product.or_else(|| Product::ALL.into_iter().find(|p| is_of(name, *p)))?;
        checks.require(
            "vcek-product",
            is_of(name, product),
            format!(
                "the {leaf} is of a {}, the chain of a {product}",
                if name.is_empty() { "nameless chip" } else { name }
            ),
        );
        let key = certificate.public_key();
        if !checks.require("vcek-key", Curve::of_key(key) == Some(Curve::P384), format!("the {leaf}'s key is on P-384"))
        {
            return None;
        }
        let spl = |oid: &str| extension(certificate, oid).and_then(byte);
        let fmc = if product.has_fmc() { spl(OID_FMC).map(Some) } else { Some(None) };
        let tcb = match (fmc, spl(OID_BL), spl(OID_TEE), spl(OID_SNP), spl(OID_UCODE)) {
            (Some(fmc), Some(boot_loader), Some(tee), Some(snp), Some(microcode)) => {
                Tcb { fmc, boot_loader, tee, snp, microcode }
            }
            _ => {
                checks.fail("vcek-tcb", format!("the {leaf} does not state every component of its TCB, each a byte"));
                return None;
            }
        };
        let hardware_id = extension(certificate, OID_HWID).unwrap_or_default().to_vec();
        if hardware_id.is_empty() && !is_vlek(certificate) {
            checks.fail("chip-id", "the VCEK does not state its chip");
        }
        Some(Self { public_key: key.subject_public_key.data.to_vec(), product, tcb, hardware_id })
    }
}

const OID_PRODUCT: &str = "1.3.6.1.4.1.3704.1.2";
const OID_BL: &str = "1.3.6.1.4.1.3704.1.3.1";
const OID_TEE: &str = "1.3.6.1.4.1.3704.1.3.2";
const OID_SNP: &str = "1.3.6.1.4.1.3704.1.3.3";
const OID_UCODE: &str = "1.3.6.1.4.1.3704.1.3.8";
const OID_FMC: &str = "1.3.6.1.4.1.3704.1.3.9";
const OID_HWID: &str = "1.3.6.1.4.1.3704.1.4";
/// The cloud provider's id, in a VLEK certificate only.
const OID_CSP: &str = "1.3.6.1.4.1.3704.1.5";

/// The contents of an extension that occurs exactly once.
fn extension<'a>(certificate: &X509Certificate<'a>, oid: &str) -> Option<&'a [u8]> {
    let mut found = certificate.extensions().iter().filter(|e| e.oid.to_id_string() == oid);
    match (found.next(), found.next()) {
        (Some(one), None) => Some(one.value),
        _ => None,
    }
}

/// A DER INTEGER from 0 to 255.
fn byte(der: &[u8]) -> Option<u8> {
    match *der {
        [2, 1, value] if value < 0x80 => Some(value),
        [2, 2, 0, value] if value >= 0x80 => Some(value),
        _ => None,
    }
}

/// A DER IA5String, or the text as it stands.
fn ia5(der: &[u8]) -> Option<&str> {
    match der {
        [0x16, length, text @ ..] if usize::from(*length) == text.len() => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

/// Whether a VCEK's product text (`Milan-B0`, `Genoa`) is of `product`.
fn is_of(name: &str, product: Product) -> bool {
    name.split('-').next() == Some(product.name())
}
