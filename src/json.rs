//! JSON read strictly: bounded, UTF-8, no duplicate keys, nothing after the value, every number kept as it is written.

mod number;

use std::cell::Cell;
use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

pub use number::{MAX_SAFE_INTEGER, as_javascript, is_exact, read_as};

/// What begins the names by which `serde_json` marks values of its own.
const RESERVED: &str = "$serde_json::private::";

use crate::files::Encoding;

/// The most values in one text: it bounds the memory, which a text of many small values takes far more of than its length.
pub const MAX_VALUES: u32 = 2_000_000;

/// Why a text was not accepted as JSON.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// It is not plain UTF-8.
    #[error("not valid JSON")]
    Encoding(#[source] Encoding),
    /// It is not JSON, or not as strict as is asked for.
    #[error("not valid JSON")]
    Syntax(#[from] serde_json::Error),
}

impl JsonError {
    /// Whether the text is JSON that is refused: a key that appears twice, too many values.
    pub fn is_fault_of_json(&self) -> bool {
        matches!(self, Self::Syntax(error) if error.is_data())
    }
}

/// Reads one JSON value from `bytes`; refuses duplicate keys, trailing text, non-UTF-8, deep nesting and more
/// than [`MAX_VALUES`] values. No digit of a number is changed, however many it has.
pub fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    parse_up_to(MAX_VALUES, bytes)
}

/// [`parse`], for texts of which none has more than `max_values` values.
///
/// # Errors
/// As [`parse`].
pub fn parse_up_to(max_values: u32, bytes: &[u8]) -> Result<Value, JsonError> {
    if let Some(encoding) = Encoding::detect(bytes) {
        return Err(JsonError::Encoding(encoding));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { left: &Cell::new(max_values), text: bytes.as_ptr_range() }.deserialize(&mut reader)?;
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

/// Whether two values are the same to JavaScript: in any order of keys, and numbers by what is read, so that 1 is 1.0 and -0
/// is not 0, as an exact ballot has it.
pub fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => as_javascript(a).to_bits() == as_javascript(b).to_bits(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
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

/// Reads a value of a text.
#[derive(Clone)]
struct Strict<'a> {
    /// How many values may still come.
    left: &'a Cell<u32>,
    /// Where the text is.
    text: Range<*const u8>,
}

/// A key, or in its place the mark by which `serde_json` hands over a number as text: one that is not a plain integer.
enum Key {
    Text(String),
    Number,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| de::Error::custom("it has more values than any such file"))?);
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
        while let Some(value) = seq.next_element_seed(self.clone())? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key_seed(KeyIn(&self.text))? {
            let Key::Text(key) = key else {
                let number: Number = map.next_value::<String>()?.parse().map_err(de::Error::custom)?;
                return Ok(Value::Number(number));
            };
            // Whatever reads the value later would take such an object for a number, or for what its text holds.
            if key.starts_with(RESERVED) {
                return Err(de::Error::custom(format_args!("the key {key:?} cannot be read by this program")));
            }
            match object.entry(key) {
                Entry::Occupied(twice) => {
                    return Err(de::Error::custom(format_args!(
                        "the key {:?} appears twice in one object",
                        twice.key()
                    )));
                }
                Entry::Vacant(free) => free.insert(map.next_value_seed(self.clone())?),
            };
        }
        Ok(Value::Object(object))
    }
}

/// Reads a key of the text that is here. What is borrowed from elsewhere is none.
struct KeyIn<'a>(&'a Range<*const u8>);

impl<'de> DeserializeSeed<'de> for KeyIn<'_> {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyIn<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key, E> {
        Ok(if self.0.contains(&key.as_ptr()) { Key::Text(key.into()) } else { Key::Number })
    }

    fn visit_str<E>(self, key: &str) -> Result<Key, E> {
        Ok(Key::Text(key.into()))
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
    fn numbers_are_kept_as_they_are_written() {
        for text in [
            "0.9382359288434663",
            "123456789012345.678",
            "2.2250738585072011e-308",
            "12345678901234567890123456789",
            "-0",
            "1.50",
            "1e+400",
            "-0.0e-7",
        ] {
            let whole = format!("{{\"a\":[{text},{{\"b\":{text}}}]}}");
            let value = parse(whole.as_bytes()).unwrap();
            assert!(value["a"][0].is_number());
            assert_eq!(value.to_string(), whole);
        }
    }

    #[test]
    fn no_object_is_taken_for_a_number() {
        for key in
            ["$serde_json::private::Number", "$serde_json::private::RawValue", "\\u0024serde_json::private::Number"]
        {
            let text = format!("{{\"a\": {{\"{key}\": \"1\"}}}}");
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(br#"{"": 1, "\u0061": 2}"#).unwrap(), serde_json::json!({"": 1, "a": 2}));
    }

    #[test]
    fn values_are_the_same_as_javascript_has_it() {
        let same = |a: &str, b: &str| same(&parse(a.as_bytes()).unwrap(), &parse(b.as_bytes()).unwrap());
        for (a, b) in [
            ("1", "1.0"),
            ("[10]", "[1E1]"),
            ("{\"a\":0.5,\"b\":null}", "{\"b\":null,\"a\":5e-1}"),
            ("9007199254740993", "9007199254740992"),
        ] {
            assert!(same(a, b) && same(b, a), "{a} {b}");
        }
        for (a, b) in [
            ("0", "-0"),
            ("0.9382359288434663", "0.9382359288434664"),
            ("1", "\"1\""),
            ("[1]", "[1,1]"),
            ("{\"a\":1}", "{\"a\":1,\"b\":1}"),
            ("{\"a\":null}", "{\"b\":null}"),
            ("[]", "{}"),
            ("false", "0"),
        ] {
            assert!(!same(a, b) && !same(b, a), "{a} {b}");
        }
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
