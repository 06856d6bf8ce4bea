//! JSON read strictly: bounded, UTF-8, no duplicate keys, nothing after the value.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The most values in one text: it bounds the memory, which a text of many small values takes far more of than its length.
pub const MAX_VALUES: u32 = 2_000_000;

/// Why a text was not accepted as JSON.
#[derive(Debug, thiserror::Error)]
#[error("not valid JSON")]
pub struct JsonError(#[from] serde_json::Error);

/// Reads one JSON value from `bytes`; refuses duplicate keys, trailing text, non-UTF-8, deep nesting and more
/// than [`MAX_VALUES`] values.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    parse_up_to(MAX_VALUES, bytes)
}

/// [`parse`], for texts of which none has more than `max_values` values.
///
/// # Errors
/// As [`parse`].
pub fn parse_up_to(max_values: u32, bytes: &[u8]) -> Result<Value, JsonError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict(&Cell::new(max_values)).deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The elements of a list of at most `max`, each as its text stands, to be read with [`parse`]; `None` if it is no list.
///
/// # Errors
/// Text that is not JSON, and longer lists.
pub fn elements(max: usize, bytes: &[u8]) -> Result<Option<Vec<&RawValue>>, JsonError> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return Ok(None);
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let elements = reader.deserialize_seq(Elements(max))?;
    reader.end()?;
    Ok(Some(elements))
}

/// Whether two values say the same: key order aside, numbers by value.
pub fn same(a: &Value, b: &Value) -> bool {
    a == b
}

/// At most this many.
struct Elements(usize);

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = seq.next_element()? {
            if elements.len() == self.0 {
                return Err(de::Error::custom(format_args!("its list has more than {} elements", self.0)));
            }
            elements.push(element);
        }
        Ok(elements)
    }
}

/// Counts down the values that may still come.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left =
            self.0.get().checked_sub(1).ok_or_else(|| de::Error::custom("it has more values than any such file"))?;
        self.0.set(left);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            match object.entry(key) {
                Entry::Occupied(twice) => {
                    return Err(de::Error::custom(format_args!(
                        "the key {:?} stands twice in one object",
                        twice.key()
                    )));
                }
                Entry::Vacant(free) => free.insert(map.next_value_seed(self)?),
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strict_json_refuses_what_two_readers_could_read_differently() {
        assert!(parse(br#"{"a": {"b": [1, -2, 0.5, "x", null, true]}}"#).is_ok());
        for bad in [&b"{\"a\":1,\"a\":2}"[..], b"{} x", b"\xff", b"", b"{\"a\":"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        assert!(parse("[".repeat(100_000).as_bytes()).is_err());
        let values = |count: u32| format!("[{}0]", "0,".repeat(count as usize - 2));
        assert!(parse(values(MAX_VALUES).as_bytes()).is_ok());
        assert!(parse(values(MAX_VALUES + 1).as_bytes()).is_err());
    }

    #[test]
    fn a_list_is_its_elements_texts() {
        let texts = |max, text: &'static str| {
            elements(max, text.as_bytes()).map(|list| list.map(|l| l.iter().map(|e| e.get()).collect::<Vec<_>>()))
        };
        assert_eq!(texts(2, " [ {\"a\": [1]} , \"x\" ]\n").unwrap(), Some(vec!["{\"a\": [1]}", "\"x\""]));
        assert_eq!(texts(0, "[]").unwrap(), Some(vec![]));
        assert_eq!(texts(2, "{\"a\": []}").unwrap(), None);
        for bad in ["[1,2,3]", "[1", "[1] 2", "[1,]", "[\"\u{1}\"]"] {
            assert!(texts(2, bad).is_err(), "{bad}");
        }
    }
}
