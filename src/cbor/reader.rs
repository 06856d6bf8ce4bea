//! Reading item after item.

use super::{ARRAY, BSTR, CborError, MAP, NINT, SIMPLE, TAG, TSTR, UINT};

/// Reads CBOR from a slice, item after item.
#[derive(Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    shortest: bool,
}

impl<'a> Reader<'a> {
    /// A reader that takes numbers in any of their forms.
    pub(crate) fn lenient(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, shortest: false }
    }

    /// A reader that refuses numbers in more bytes than they need.
    pub(crate) fn strict(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, shortest: true }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Whether the next item is of this major type and of indefinite length. If it is, its beginning is read.
    pub(crate) fn begin_indefinite(&mut self, major: u8) -> bool {
        self.read_byte(major << 5 | 31)
    }

    /// Whether an item of indefinite length ends here. If it does, its end is read.
    pub(crate) fn end(&mut self) -> bool {
        self.read_byte(0xff)
    }

    fn read_byte(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Whether the next item's argument is in its shortest form.
    pub(crate) fn is_shortest(&self) -> bool {
        Self::strict(self.rest).head() != Err(CborError::NotShortest)
    }

    /// The next item's major type, without reading it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().map(|b| b >> 5)
    }

    /// The next item's major type and argument.
    pub(super) fn head(&mut self) -> Result<(u8, u64), CborError> {
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
        if self.shortest && value < least && major != SIMPLE { Err(CborError::NotShortest) } else { Ok((major, value)) }
    }

    fn number(&mut self, length: u64) -> Result<u64, CborError> {
        Ok(self.take(length)?.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    pub(crate) fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The argument of an item of this major type.
    pub(crate) fn argument(&mut self, major: u8, what: &'static str) -> Result<u64, CborError> {
        match self.peek() {
            None => Err(CborError::Truncated),
            Some(found) if found != major => Err(CborError::Expected(what)),
            Some(_) => Ok(self.head()?.1),
        }
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let length = self.argument(BSTR, "a byte string")?;
        self.take(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, CborError> {
        let length = self.argument(TSTR, "a text")?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| CborError::Utf8)
    }

    /// An integer, positive or negative.
    pub(crate) fn integer(&mut self) -> Result<i128, CborError> {
        match self.peek() {
            Some(NINT) => Ok(-1 - i128::from(self.head()?.1)),
            _ => Ok(self.argument(UINT, "an integer")?.into()),
        }
    }

    /// A simple value: `false` 20, `true` 21, `null` 22, `undefined` 23.
    pub(crate) fn simple(&mut self) -> Result<u8, CborError> {
        match self.rest.first() {
            Some(0xf9..=0xfb) => Err(CborError::Float),
            _ => u8::try_from(self.argument(SIMPLE, "a simple value")?).map_err(|_| CborError::Float),
        }
    }

    /// Passes over one item, whatever it is.
    pub(crate) fn skip(&mut self, depth: u32) -> Result<(), CborError> {
        if depth == 0 {
            return Err(CborError::Depth);
        }
        let (major, argument) = self.head()?;
        let items = match major {
            BSTR | TSTR => {
                self.take(argument)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(Reader::strict(bytes).integer(), Err(error), "{bytes:?}");
        }
        assert_eq!(Reader::strict(&[0x5b, 255, 255, 255, 255, 255, 255, 255, 255]).bytes(), Err(CborError::Truncated));
        assert_eq!(Reader::strict(&[0x5f, 0x41, 0, 0xff]).bytes(), Err(CborError::Indefinite));
        assert_eq!(Reader::strict(&[0x81; 100]).skip(16), Err(CborError::Depth));
        assert_eq!(Reader::strict(&[0x9b, 255, 255, 255, 255, 255, 255, 255, 255]).skip(16), Err(CborError::Truncated));
    }

    #[test]
    fn a_longer_form_is_read_where_others_wrote_it() {
        assert_eq!(Reader::lenient(&[0x1b, 0, 0, 0, 0, 0, 0, 0, 1]).integer(), Ok(1));
        assert_eq!(Reader::lenient(&[0x1f]).integer(), Err(CborError::Indefinite));
    }
}
