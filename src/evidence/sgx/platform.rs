//! Intel's extension of a platform certificate (Intel SGX PCK Certificate and CRL Profile, section 1.3.5): a sequence of numbered values.

use x509_parser::certificate::X509Certificate;

use crate::der::{self, AnyRef, Tag};

/// Intel's extension: a sequence of numbered values.
const EXTENSION: &str = "1.2.840.113741.1.13.1";
/// The DER of that number's arcs.
const PREFIX: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];

/// What a platform's certificate says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Platform {
    /// The family and model of the platform.
    pub fmspc: [u8; 6],
    /// The provisioning certification enclave's number.
    pub pceid: [u8; 2],
    /// The security versions of the sixteen components.
    pub components: [u8; 16],
    /// The provisioning certification enclave's security version.
    pub pcesvn: u16,
}

/// Reads Intel's extension; `None` where it is missing or damaged.
pub(super) fn platform(certificate: &X509Certificate<'_>) -> Option<Platform> {
    let mut found = certificate.extensions().iter().filter(|e| e.oid.to_id_string() == EXTENSION);
    let extension = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let values = entries(der::sequence(extension.value)?)?;
    let value = |number: u8| single(&values, &[number]);
    let tcb = entries(der::elements(tagged(value(2)?, Tag::Sequence)?)?)?;
    let mut components = [0_u8; 16];
    for (number, component) in (1..).zip(&mut components) {
        *component = single(&tcb, &[2, number])?.decode_as().ok()?;
    }
    let octets = |number| tagged(value(number)?, Tag::OctetString);
    Some(Platform {
        fmspc: octets(4)?.try_into().ok()?,
        pceid: octets(3)?.try_into().ok()?,
        components,
        pcesvn: single(&tcb, &[2, 17])?.decode_as().ok()?,
    })
}

/// A value and the object identifier that it is numbered with.
type Entry<'a> = (&'a [u8], AnyRef<'a>);

/// The one value whose number ends in `number`.
fn single<'a>(values: &[Entry<'a>], number: &[u8]) -> Option<AnyRef<'a>> {
    let mut found = values.iter().filter(|(oid, _)| oid.strip_prefix(&PREFIX) == Some(number));
    let first = found.next()?.1;
    found.next().is_none().then_some(first)
}

/// A list of sequences of one object identifier and one value.
fn entries<'a>(list: Vec<AnyRef<'a>>) -> Option<Vec<Entry<'a>>> {
    let entry = |entry: AnyRef<'a>| match der::elements(tagged(entry, Tag::Sequence)?)?[..] {
        [oid, value] => Some((tagged(oid, Tag::ObjectIdentifier)?, value)),
        _ => None,
    };
    list.into_iter().map(entry).collect()
}

fn tagged(element: AnyRef<'_>, tag: Tag) -> Option<&[u8]> {
    (element.header().tag() == tag).then(|| element.value())
}
