//! Reading a value whole: no duplicate keys, bounded depth and entries.

use super::{ARRAY, BSTR, CborError, MAP, NINT, Reader, TAG, TSTR, UINT};

/// How deep values may nest.
const MAX_DEPTH: usize = 8;

/// The most entries that an array or a map may have.
const MAX_ENTRIES: u64 = 256;

/// A CBOR value; bytes and text are views on the input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    /// Major types 0 and 1.
    Integer(i128),
    /// Major type 2.
    Bytes(&'a [u8]),
    /// Major type 3.
    Text(&'a str),
    /// Major type 4.
    Array(Vec<Value<'a>>),
    /// Major type 5, in the order found.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// Major type 6.
    Tag(u64, Box<Value<'a>>),
    /// `null`, `true`, `false`, `undefined`: the simple value's number.
    Simple(u8),
}

impl<'a> Value<'a> {
    /// Reads one value that takes up all of `bytes`.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, CborError> {
        let mut reader = Reader::lenient(bytes);
        let value = Self::read(&mut reader, 0)?;
        if reader.rest().is_empty() { Ok(value) } else { Err(CborError::Trailing) }
    }

    /// The value under an integer key, if this is a map.
    pub(crate) fn get(&self, key: i128) -> Option<&Value<'a>> {
        self.find(&Value::Integer(key))
    }

    /// The value under a text key, if this is a map.
    pub(crate) fn get_text(&self, key: &str) -> Option<&Value<'a>> {
        self.find(&Value::Text(key))
    }

    fn find(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(crate) fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(crate) fn as_integer(&self) -> Option<i128> {
        if let Self::Integer(n) = self { Some(*n) } else { None }
    }

    fn read(reader: &mut Reader<'a>, depth: usize) -> Result<Self, CborError> {
        if depth > MAX_DEPTH {
            return Err(CborError::Depth);
        }
        Ok(match reader.peek().ok_or(CborError::Truncated)? {
            UINT | NINT => Self::Integer(reader.integer()?),
            BSTR => Self::Bytes(reader.bytes()?),
            TSTR => Self::Text(reader.text()?),
            ARRAY => {
                let count = entries(reader.argument(ARRAY, "an array")?)?;
                Self::Array((0..count).map(|_| Self::read(reader, depth + 1)).collect::<Result<_, _>>()?)
            }
            MAP => {
                let mut map: Vec<(Self, Self)> = Vec::new();
                for _ in 0..entries(reader.argument(MAP, "a map")?)? {
                    let key = Self::read(reader, depth + 1)?;
                    if map.iter().any(|(k, _)| *k == key) {
                        return Err(CborError::Duplicate);
                    }
                    map.push((key, Self::read(reader, depth + 1)?));
                }
                Self::Map(map)
            }
            TAG => Self::Tag(reader.argument(TAG, "a tag")?, Box::new(Self::read(reader, depth + 1)?)),
            _ => Self::Simple(reader.simple()?),
        })
    }
}

fn entries(count: u64) -> Result<u64, CborError> {
    if count > MAX_ENTRIES { Err(CborError::Entries) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_definite_bounded_cbor_without_duplicates_is_read() {
        assert_eq!(
            Value::parse(b"\x83\x01\x20\x61a"),
            Ok(Value::Array(vec![Value::Integer(1), Value::Integer(-1), Value::Text("a"),]))
        );
        for bad in [
            &b"\x9f\xff"[..],
            b"\xa2\x01\x01\x01\x02",
            b"\x01\x01",
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
            b"\xfb\x00\x00\x00\x00\x00\x00\x00\x00",
            b"\x61\xff",
            b"\x1c",
            b"",
        ] {
            assert!(Value::parse(bad).is_err(), "{bad:02x?}");
        }
        assert!(Value::parse(&[0x81; 100]).is_err());
        assert!(Value::parse(&[0xc1; 100_000]).is_err());
    }
}
