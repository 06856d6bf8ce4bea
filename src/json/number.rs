//! Numbers as JavaScript, and so a constitution and a ballot, reads them.

use serde_json::Number;

/// The largest whole number that JavaScript tells from its neighbours: 2^53 − 1.
pub const MAX_SAFE_INTEGER: i64 = (1 << 53) - 1;

/// What JavaScript's `JSON.parse` makes of it: the nearest double, infinite where it is too large.
pub fn as_javascript(number: &Number) -> f64 {
    // The grammar of JSON is within Rust's, and both round to the nearest, ties to even.
    number.as_str().parse().unwrap_or(f64::NAN)
}

/// Whether JavaScript reads the number that is written, and no other: it is within ±(2^53 − 1), and a script that
/// prints what it read prints the same number.
pub fn is_exact(number: &Number) -> bool {
    let read = as_javascript(number);
    read.abs() <= MAX_SAFE_INTEGER as f64 && Decimal::of(number.as_str()) == Decimal::of(&printed(read))
}

/// How JavaScript writes what it reads.
pub fn read_as(number: &Number) -> String {
    match as_javascript(number) {
        read if read.is_infinite() => "infinity".into(),
        read => printed(read),
    }
}

/// A number as JavaScript prints it: of the shortest forms that are read as the same number, the nearest one.
///
/// But for -0, of which it prints no sign, and which an exact ballot tells from 0.
fn printed(number: f64) -> String {
    if number == 0.0 && number.is_sign_negative() {
        return "-0".into();
    }
    ryu_js::Buffer::new().format(number).to_owned()
}

/// A decimal number, `0.DIGITS × 10^point`, without zeros at either end of its digits.
#[derive(PartialEq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    point: i64,
}

impl Decimal {
    /// Of a number as JSON and Rust write it.
    fn of(text: &str) -> Self {
        let (is_negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_start_matches('0');
        if digits.is_empty() {
            return Self { is_negative, digits: String::new(), point: 0 };
        }
        // An exponent of more digits than an i64 has is beyond all doubles either way.
        let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        let exponent: i64 = exponent.parse().unwrap_or(beyond);
        let point = (whole.len() as i64 - (all.len() - digits.len()) as i64).saturating_add(exponent);
        Self { is_negative, digits: digits.trim_end_matches('0').into(), point }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn what_javascript_reads_as_it_is_written_is_exact() {
        for exact in [
            "0",
            "-0",
            "-0.0",
            "1",
            "1.0",
            "1e0",
            "10E-1",
            "0.1",
            "-0.25",
            "0.9382359288434663",
            "2076194495335598.2",
            "724055070746694.2",
            "94808052313482.12",
            "9007199254740991",
            "-9007199254740991",
            "1.50",
            "5e-324",
            "1e-7",
            "0.30000000000000004",
            "123456.789e3",
            "0e99999999999999999999",
        ] {
            assert!(is_exact(&number(exact)), "{exact}");
        }
        for rounded in [
            "9007199254740992",
            "9007199254740993",
            "-9007199254740993",
            "18446744073709551615",
            "1e300",
            "1e400",
            "-1e400",
            "1e-400",
            "3e-324",
            "123456789012345.678",
            "0.1234567890123456789",
            "0.10000000000000000001",
            "9007199254740991.5",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert!(!is_exact(&number(rounded)), "{rounded}");
        }
    }

    #[test]
    fn what_is_read_instead_can_be_told() {
        let told = |text: &str| read_as(&number(text));
        assert_eq!(told("9007199254740993"), "9007199254740992");
        assert_eq!(told("123456789012345.678"), "123456789012345.67");
        assert_eq!((told("1e400"), told("1e-400"), told("3e-324")), ("infinity".into(), "0".into(), "5e-324".into()));
    }
}
