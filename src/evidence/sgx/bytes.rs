//! Little-endian fields of hostile bytes: every read is bounded by what is there.

/// The bytes end before the field does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes at offset {offset} lie beyond the end of the {what} ({available} bytes)")]
pub struct Short {
    /// What is being read.
    pub what: &'static str,
    /// Where the field starts.
    pub offset: u64,
    /// How long it is.
    pub length: u64,
    /// How many bytes there are.
    pub available: u64,
}

/// Bytes with a name, read at offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

impl<'a> Bytes<'a> {
    /// `bytes`, called `what` in errors.
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes }
    }

    /// All of them.
    pub(super) fn all(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// `length` bytes at `offset`.
    ///
    /// # Errors
    /// [`Short`]: there are not so many.
    pub(super) fn slice(&self, offset: u64, length: u64) -> Result<&'a [u8], Short> {
        let end = offset.checked_add(length).filter(|end| *end <= self.len());
        let short = Short { what: self.what, offset, length, available: self.len() };
        let end = end.ok_or(short)?;
        self.bytes.get(offset as usize..end as usize).ok_or(short)
    }

    /// Everything from `offset` on.
    ///
    /// # Errors
    /// [`Short`]: `offset` lies beyond the end.
    pub(super) fn from(&self, offset: u64) -> Result<&'a [u8], Short> {
        self.slice(offset, self.len().saturating_sub(offset))
    }

    /// `N` bytes at `offset`.
    ///
    /// # Errors
    /// [`Short`]: there are not so many.
    pub(super) fn array<const N: usize>(&self, offset: u64) -> Result<[u8; N], Short> {
        let slice = self.slice(offset, N as u64)?;
        slice.try_into().map_err(|_| Short { what: self.what, offset, length: N as u64, available: self.len() })
    }

    /// A 16-bit number at `offset`.
    ///
    /// # Errors
    /// [`Short`]
    pub(super) fn u16(&self, offset: u64) -> Result<u16, Short> {
        Ok(u16::from_le_bytes(self.array(offset)?))
    }

    /// A 32-bit number at `offset`.
    ///
    /// # Errors
    /// [`Short`]
    pub(super) fn u32(&self, offset: u64) -> Result<u32, Short> {
        Ok(u32::from_le_bytes(self.array(offset)?))
    }

    /// A 64-bit number at `offset`.
    ///
    /// # Errors
    /// [`Short`]
    pub(super) fn u64(&self, offset: u64) -> Result<u64, Short> {
        Ok(u64::from_le_bytes(self.array(offset)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_beyond_the_end_is_read() {
        let bytes = Bytes::new("test", &[1, 2, 3, 4, 5]);
        assert_eq!(bytes.u16(3), Ok(0x0504));
        assert_eq!(bytes.from(5), Ok(&[][..]));
        for offset in [4, 5, 6, u64::MAX] {
            assert!(bytes.u16(offset).is_err(), "{offset}");
        }
        assert!(bytes.from(6).is_err());
        assert!(bytes.slice(1, u64::MAX).is_err());
    }
}
