//! The few DER structures that no certificate library reads: Intel's extension of a platform certificate.

use x509_parser::certificate::X509Certificate;

/// Intel's extension: a sequence of numbered values.
const EXTENSION: &str = "1.2.840.113741.1.13.1";
/// The DER of that number's arcs.
const PREFIX: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01];

/// What a platform's certificate says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
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
pub fn platform(certificate: &X509Certificate<'_>) -> Option<Platform> {
    let mut found = certificate.extensions().iter().filter(|e| e.oid.to_id_string() == EXTENSION);
    let extension = found.next()?;
    if found.next().is_some() {
        return None;
    }
    let values = entries(sequence(extension.value)?)?;
    let value = |number: u8| single(&values, &[number]);
    let tcb = entries(value(2).filter(|v| v.0 == 0x30)?.1)?;
    let mut components = [0; 16];
    for (number, component) in (1..).zip(&mut components) {
        *component = u8::try_from(integer(single(&tcb, &[2, number])?)?).ok()?;
    }
    let octets = |number| value(number).filter(|v| v.0 == 0x04).map(|v| v.1);
    Some(Platform {
        fmspc: octets(4)?.try_into().ok()?,
        pceid: octets(3)?.try_into().ok()?,
        components,
        pcesvn: u16::try_from(integer(single(&tcb, &[2, 17])?)?).ok()?,
    })
}

/// A value: its tag and contents.
type Tagged<'a> = (u8, &'a [u8]);

/// The one value whose number ends in `number`.
fn single<'a>(values: &[(&'a [u8], Tagged<'a>)], number: &[u8]) -> Option<Tagged<'a>> {
    let mut found = values.iter().filter(|(oid, _)| oid.strip_prefix(&PREFIX) == Some(number));
    let first = found.next()?.1;
    found.next().is_none().then_some(first)
}

/// A list of sequences of one object identifier and one value.
fn entries(mut list: &[u8]) -> Option<Vec<(&[u8], Tagged<'_>)>> {
    let mut values = Vec::new();
    while !list.is_empty() {
        let (entry, rest) = value(list)?;
        let (oid, inner) = value(Some(entry).filter(|e| e.0 == 0x30)?.1)?;
        let (content, end) = value(inner)?;
        if oid.0 != 0x06 || !end.is_empty() {
            return None;
        }
        values.push((oid.1, content));
        list = rest;
    }
    Some(values)
}

fn sequence(der: &[u8]) -> Option<&[u8]> {
    let ((tag, contents), rest) = value(der)?;
    (tag == 0x30 && rest.is_empty()).then_some(contents)
}

fn integer((tag, contents): Tagged<'_>) -> Option<u64> {
    let negative = contents.first()? & 0x80 != 0;
    (tag == 0x02 && !negative && contents.len() <= 8)
        .then(|| contents.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
}

/// One value, and what follows it. Lengths of up to two bytes: an extension has no longer ones.
fn value(der: &[u8]) -> Option<(Tagged<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => (usize::from(*rest.first()?), rest.get(1..)?),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        _ => return None,
    };
    Some(((tag, rest.get(..length)?), rest.get(length..)?))
}
