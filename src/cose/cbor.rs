//! The little CBOR (RFC 8949) that envelopes are made of, written deterministically and read strictly:
//! definite lengths and shortest forms only, so that bytes which are read are the bytes that are written again.

/// Why bytes are not the CBOR that was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes end in the middle.
    #[error("the bytes end too early")]
    Truncated,
    /// An indefinite length (or a reserved one).
    #[error("a length is indefinite, which CCF's own encoding never is")]
    Indefinite,
    /// A number in more bytes than it needs.
    #[error("a number is not in its shortest form")]
    NotShortest,
    /// Something else.
    #[error("it is not {0}")]
    Expected(&'static str),
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// Too deep to be a header.
    #[error("it is nested too deeply")]
    Depth,
}

pub(super) const UINT: u8 = 0;
pub(super) const NINT: u8 = 1;
pub(super) const BSTR: u8 = 2;
pub(super) const TSTR: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
pub(super) const TAG: u8 = 6;

/// Reads CBOR from a slice, item after item.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next item's major type, without reading it.
    pub(super) fn peek(&self) -> Option<u8> {
        self.0.first().map(|b| b >> 5)
    }

    /// The next item's major type and argument.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = *self.take(1)?.first().ok_or(CborError::Truncated)?;
        let (major, low) = (first >> 5, first & 0x1f);
        let (value, least) = match low {
            0..=23 => return Ok((major, low.into())),
            24 => (self.number(1)?, 24),
            25 => (self.number(2)?, 1 << 8),
            26 => (self.number(4)?, 1 << 16),
            27 => (self.number(8)?, 1 << 32),
            _ => return Err(CborError::Indefinite),
        };
        // In major type 7 the argument is a float's bits, which has no shorter form of this kind.
        if value < least && major != 7 { Err(CborError::NotShortest) } else { Ok((major, value)) }
    }

    fn number(&mut self, length: usize) -> Result<u64, CborError> {
        Ok(self.take(length)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CborError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(CborError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    /// The argument of an item of this major type.
    pub(super) fn argument(&mut self, major: u8, what: &'static str) -> Result<u64, CborError> {
        match self.peek() {
            None => Err(CborError::Truncated),
            Some(found) if found != major => Err(CborError::Expected(what)),
            Some(_) => Ok(self.head()?.1),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.argument(BSTR, "a byte string")?;
        self.take(usize::try_from(length).map_err(|_| CborError::Truncated)?)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CborError> {
        let length = self.argument(TSTR, "a text")?;
        let bytes = self.take(usize::try_from(length).map_err(|_| CborError::Truncated)?)?;
        std::str::from_utf8(bytes).map_err(|_| CborError::Utf8)
    }

    /// An integer, positive or negative.
    pub(super) fn integer(&mut self) -> Result<i128, CborError> {
        match self.peek() {
            Some(NINT) => Ok(-1 - i128::from(self.head()?.1)),
            _ => Ok(self.argument(UINT, "an integer")?.into()),
        }
    }

    /// Passes over one item, whatever it is.
    pub(super) fn skip(&mut self, depth: u32) -> Result<(), CborError> {
        if depth == 0 {
            return Err(CborError::Depth);
        }
        let (major, argument) = self.head()?;
        let items = match major {
            BSTR | TSTR => {
                self.take(usize::try_from(argument).map_err(|_| CborError::Truncated)?)?;
                0
            }
            ARRAY => argument,
            MAP => argument.checked_mul(2).ok_or(CborError::Truncated)?,
            TAG => 1,
            _ => 0,
        };
        // Each item takes a byte at least, so a large count ends soon.
        (0..items).try_for_each(|_| self.skip(depth - 1))
    }
}

/// Appends an item's head: its major type and argument, in the shortest form.
pub(super) fn push_head(out: &mut Vec<u8>, major: u8, argument: u64) {
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

pub(super) fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    push_head(out, BSTR, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    push_head(out, TSTR, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn push_integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => push_head(out, UINT, value),
        Err(_) => push_head(out, NINT, !value as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_written_in_their_shortest_form_and_read_back() {
        for n in [0, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            let mut out = Vec::new();
            push_head(&mut out, UINT, n);
            assert_eq!(Reader(&out).integer(), Ok(n.into()));
        }
        let mut out = Vec::new();
        push_integer(&mut out, -35);
        assert_eq!((&out[..], Reader(&out).integer()), (&[0x38, 34][..], Ok(-35)));
    }

    #[test]
    fn other_forms_are_refused() {
        for (bytes, error) in [
            (&[0x18, 23][..], CborError::NotShortest),
            (&[0x1b, 0, 0, 0, 0, 0, 0, 0, 1], CborError::NotShortest),
            (&[0x1f], CborError::Indefinite),
            (&[0x19, 1], CborError::Truncated),
            (&[], CborError::Truncated),
            (&[0x40], CborError::Expected("an integer")),
        ] {
            assert_eq!(Reader(bytes).integer(), Err(error), "{bytes:?}");
        }
        assert_eq!(Reader(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]).bytes(), Err(CborError::Truncated));
        assert_eq!(Reader(&[0x5f, 0x41, 0, 0xff]).bytes(), Err(CborError::Indefinite));
        assert_eq!(Reader(&[0x81; 100]).skip(16), Err(CborError::Depth));
        assert_eq!(Reader(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]).skip(16), Err(CborError::Truncated));
    }
}
