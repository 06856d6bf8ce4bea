//! Foreign content in a script: as string literals of ASCII, of numbers that JavaScript holds exactly.

use serde_json::Value;

use super::BallotError;
use crate::json;
use crate::text::clip;

/// `text` as a JavaScript string literal of ASCII characters.
pub(super) fn literal(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    for c in Value::from(text).to_string().chars() {
        if c.is_ascii() {
            literal.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                literal += &format!("\\u{unit:04x}");
            }
        }
    }
    literal
}

/// Refuses numbers that JavaScript rounds.
pub(super) fn check_numbers(value: &Value) -> Result<(), BallotError> {
    match value {
        Value::Number(number) if json::is_exact(number) => Ok(()),
        Value::Number(number) => {
            let written = clip(number.as_str(), 80);
            Err(BallotError::Number { written, read: json::read_as(number) })
        }
        Value::Array(list) => list.iter().try_for_each(check_numbers),
        Value::Object(object) => object.values().try_for_each(check_numbers),
        _ => Ok(()),
    }
}
