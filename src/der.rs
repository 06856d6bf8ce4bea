//! DER (X.690), read and written by the `der` crate: only what certificates, keys and signatures need beside their own parsers.

use der::asn1::{BitStringRef, UintRef};
use der::{Decode, Encode, Reader, SliceReader};

pub(crate) use der::{AnyRef, Tag};

/// The elements that `bytes` are one after the other, and nothing besides; `None` where they are not in DER.
pub(crate) fn elements(bytes: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(bytes).ok()?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader).ok()?);
    }
    Some(found)
}

/// The elements of the SEQUENCE that `bytes` are.
pub(crate) fn sequence(bytes: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    contents(bytes, Tag::Sequence).and_then(elements)
}

/// The contents of the one element that `bytes` are, if it has this tag.
pub(crate) fn contents(bytes: &[u8], tag: Tag) -> Option<&[u8]> {
    AnyRef::from_der(bytes).ok().filter(|element| element.header().tag() == tag).map(AnyRef::value)
}

/// An element with its tag and length; `None` for one that is too long to be written (256 MiB).
pub(crate) fn write(tag: Tag, contents: &[u8]) -> Option<Vec<u8>> {
    AnyRef::new(tag, contents).ok()?.to_der().ok()
}

/// A SEQUENCE of `parts`, each of which is in DER.
pub(crate) fn write_sequence(parts: &[&[u8]]) -> Option<Vec<u8>> {
    write(Tag::Sequence, &parts.concat())
}

/// The non-negative INTEGER whose big-endian bytes these are.
pub(crate) fn write_integer(bytes: &[u8]) -> Option<Vec<u8>> {
    let bytes = if bytes.is_empty() { &[0] } else { bytes };
    UintRef::new(bytes).ok()?.to_der().ok()
}

/// A BIT STRING of whole bytes.
pub(crate) fn write_bit_string(bytes: &[u8]) -> Option<Vec<u8>> {
    BitStringRef::from_bytes(bytes).ok()?.to_der().ok()
}

/// Big-endian bytes without the zeros before the first digit.
pub(crate) fn significant(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_short_and_not_negative() {
        for (bytes, der) in [
            (&[][..], &[2, 1, 0][..]),
            (&[0, 0], &[2, 1, 0]),
            (&[0, 0x7f], &[2, 1, 0x7f]),
            (&[0x80], &[2, 2, 0, 0x80]),
            (&[0, 1, 0], &[2, 2, 1, 0]),
        ] {
            assert_eq!(write_integer(bytes).unwrap(), der, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_not_der_is_not_read() {
        assert_eq!(sequence(&[0x30, 3, 2, 1, 5]).unwrap()[0].value(), [5]);
        for bad in [
            // A length in more bytes than it needs, an indefinite one, one that is too long, and something after the end.
            &[0x30, 0x81, 3, 2, 1, 5][..],
            &[0x30, 0x80, 2, 1, 5, 0, 0],
            &[0x30, 4, 2, 1, 5],
            &[0x30, 3, 2, 1, 5, 0],
            &[0x31, 3, 2, 1, 5],
            &[],
        ] {
            assert!(sequence(bad).is_none(), "{bad:?}");
        }
        assert_eq!(write_bit_string(&[4]).unwrap(), [3, 2, 0, 4]);
        assert_eq!(write_sequence(&[&[2, 1, 5], &[5, 0]]).unwrap(), [0x30, 5, 2, 1, 5, 5, 0]);
    }
}
