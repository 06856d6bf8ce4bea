//! JSON read strictly: bounded, UTF-8, no duplicate keys, nothing after the value.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
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

/// Whether two values say the same: key order aside, numbers by value.
pub fn same(a: &Value, b: &Value) -> bool {
    a == b
}

/// Counts down the values that may still come.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a Cell<u32>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
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
            if object.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key:?} stands twice in one object")));
            }
            object.insert(key, map.next_value_seed(self)?);
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
}
