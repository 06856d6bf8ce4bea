//! CBOR written deterministically: the shortest form of every number (RFC 8949, 4.2.1).

use super::{BSTR, NINT, TSTR, UINT};

/// Appends an item's head: its major type and argument, in the shortest form.
pub(crate) fn push_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend([major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend((argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend((argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend(argument.to_be_bytes());
        }
    }
}

pub(crate) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_head(out, BSTR, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_head(out, TSTR, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(crate) fn push_integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => push_head(out, UINT, value),
        Err(_) => push_head(out, NINT, !value as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Reader;
    use super::*;

    #[test]
    fn heads_are_written_in_their_shortest_form_and_read_back() {
        for n in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            push_head(&mut out, UINT, n);
            assert_eq!(Reader::strict(&out).integer(), Ok(n.into()));
        }
        let mut out = Vec::new();
        push_integer(&mut out, -35);
        assert_eq!((&out[..], Reader::strict(&out).integer()), (&[0x38, 34][..], Ok(-35)));
    }
}
