//! Numbers and times of tar headers.

/// A moment, in seconds and nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    pub seconds: i64,
    /// Below 1,000,000,000.
    pub nanoseconds: u32,
}

impl Time {
    /// No time was given. Go's zero time, the beginning of year 1, which is how an archive can say it too.
    pub(crate) const UNSET: Self = Self::of_seconds(-62_135_596_800);

    /// A whole second.
    pub(crate) const fn of_seconds(seconds: i64) -> Self {
        Self { seconds, nanoseconds: 0 }
    }

    /// Reads a PAX time: a decimal number of seconds, digits beyond the ninth ignored.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (whole, fraction) = match text.iter().position(|b| *b == b'.') {
            Some(dot) => (&text[..dot], &text[dot + 1..]),
            None => (text, &b""[..]),
        };
        let seconds = decimal(whole)?;
        if !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let digit = |at: usize| fraction.get(at).map_or(0, |b| u32::from(b - b'0'));
        let nanoseconds = (0..9).fold(0, |sum, at| sum * 10 + digit(at));
        if whole.first() == Some(&b'-') && nanoseconds > 0 {
            return Some(Self { seconds: seconds.wrapping_sub(1), nanoseconds: 1_000_000_000 - nanoseconds });
        }
        Some(Self { seconds, nanoseconds })
    }
}

impl Default for Time {
    fn default() -> Self {
        Self::UNSET
    }
}

/// A header's field: octal digits, or with the highest bit set a two's complement number.
pub(super) fn parse(field: &[u8]) -> Option<i64> {
    let Some(first) = field.first().filter(|b| **b & 0x80 != 0) else { return octal(field) };
    let invert = if first & 0x40 != 0 { 0xff } else { 0 };
    let mut number: u64 = 0;
    for (at, byte) in field.iter().enumerate() {
        let byte = (byte ^ invert) & if at == 0 { 0x7f } else { 0xff };
        if number >> 56 != 0 {
            return None;
        }
        number = number << 8 | u64::from(byte);
    }
    let number = i64::try_from(number).ok()?;
    Some(if invert == 0 { number } else { !number })
}

/// Octal digits amid spaces and NULs; nothing at all is 0.
pub(super) fn octal(field: &[u8]) -> Option<i64> {
    let is_filling = |b: &u8| *b == b' ' || *b == 0;
    let Some(start) = field.iter().position(|b| !is_filling(b)) else { return Some(0) };
    let end = field.iter().rposition(|b| !is_filling(b))? + 1;
    let mut number: u64 = 0;
    for byte in field[start..end].iter().take_while(|b| **b != 0) {
        let digit = byte.checked_sub(b'0').filter(|d| *d < 8)?;
        number = number.checked_mul(8)? | u64::from(digit);
    }
    Some(number.cast_signed())
}

/// A decimal number, with a sign or without.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}
