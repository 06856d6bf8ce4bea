//! Just enough CBOR (RFC 8949) for a COSE_Sign1: definite lengths, no duplicate keys, bounded depth.

/// How deep values may nest.
const MAX_DEPTH: usize = 8;

/// The most entries that an array or a map may have.
const MAX_ENTRIES: u64 = 256;

/// A CBOR value; bytes and text are views on the input.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'a> {
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
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, &'static str> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(0)?;
        if reader.rest.is_empty() { Ok(value) } else { Err("something follows the CBOR value") }
    }

    /// The value under an integer key, if this is a map.
    pub(super) fn get(&self, key: i128) -> Option<&Value<'a>> {
        self.find(&Value::Integer(key))
    }

    /// The value under a text key, if this is a map.
    pub(super) fn get_text(&self, key: &str) -> Option<&Value<'a>> {
        self.find(&Value::Text(key))
    }

    fn find(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    pub(super) fn as_integer(&self) -> Option<i128> {
        if let Self::Integer(n) = self { Some(*n) } else { None }
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: u64) -> Result<&'a [u8], &'static str> {
        let length = usize::try_from(length).map_err(|_| "the CBOR is cut off")?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("the CBOR is cut off")?;
        self.rest = rest;
        Ok(taken)
    }

    /// Major type and argument.
    fn head(&mut self) -> Result<(u8, u64), &'static str> {
        let first = self.take(1)?[0];
        let (major, info) = (first >> 5, first & 0x1f);
        let length = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24..=27 => 1 << (info - 24),
            31 => return Err("the CBOR has an indefinite length"),
            _ => return Err("the CBOR is not well-formed"),
        };
        if major == 7 {
            return Err("the CBOR holds a floating-point number");
        }
        let argument = self.take(length)?.iter().fold(0, |n, &b| n << 8 | u64::from(b));
        Ok((major, argument))
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>, &'static str> {
        if depth > MAX_DEPTH {
            return Err("the CBOR nests too deep");
        }
        let (major, argument) = self.head()?;
        if matches!(major, 4 | 5) && argument > MAX_ENTRIES {
            return Err("the CBOR has too many entries");
        }
        Ok(match major {
            0 => Value::Integer(i128::from(argument)),
            1 => Value::Integer(-1 - i128::from(argument)),
            2 => Value::Bytes(self.take(argument)?),
            3 => Value::Text(
                std::str::from_utf8(self.take(argument)?).map_err(|_| "the CBOR has text that is not UTF-8")?,
            ),
            4 => Value::Array((0..argument).map(|_| self.value(depth + 1)).collect::<Result<_, _>>()?),
            5 => {
                let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
                for _ in 0..argument {
                    let key = self.value(depth + 1)?;
                    if entries.iter().any(|(k, _)| *k == key) {
                        return Err("a key stands twice in one CBOR map");
                    }
                    entries.push((key, self.value(depth + 1)?));
                }
                Value::Map(entries)
            }
            6 => Value::Tag(argument, Box::new(self.value(depth + 1)?)),
            _ => Value::Simple(u8::try_from(argument).unwrap_or(u8::MAX)),
        })
    }
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
