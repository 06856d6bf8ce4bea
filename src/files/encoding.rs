//! Text that is not plain UTF-8: recognised by its first bytes, so that it is called what it is.

use std::fmt;

/// How a text is encoded, where it is not UTF-8 without a byte order mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    form: Form,
    /// Whether a byte order mark (U+FEFF) says so.
    marked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Utf8,
    Utf16 { little: bool },
    Utf32 { little: bool },
}

impl Encoding {
    /// Recognises a byte order mark, and UTF-16 and UTF-32 without one where ASCII comes first. `None`: nothing speaks against UTF-8.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let utf16 = |little| Form::Utf16 { little };
        let utf32 = |little| Form::Utf32 { little };
        let ascii = |byte: &u8| *byte != 0 && byte.is_ascii();
        let (form, marked) = match bytes {
            [0xff, 0xfe, 0, 0, ..] => (utf32(true), true),
            [0, 0, 0xfe, 0xff, ..] => (utf32(false), true),
            [0xff, 0xfe, ..] => (utf16(true), true),
            [0xfe, 0xff, ..] => (utf16(false), true),
            [0xef, 0xbb, 0xbf, ..] => (Form::Utf8, true),
            [a, 0, 0, 0, ..] if ascii(a) => (utf32(true), false),
            [0, 0, 0, a, ..] if ascii(a) => (utf32(false), false),
            [a, 0, b, 0, ..] if ascii(a) && ascii(b) => (utf16(true), false),
            [0, a, 0, b, ..] if ascii(a) && ascii(b) => (utf16(false), false),
            _ => return None,
        };
        Some(Self { form, marked })
    }

    /// The text, without its byte order mark; `None` if the bytes are not of this encoding after all.
    pub fn decode(self, bytes: &[u8]) -> Option<String> {
        let text = match self.form {
            Form::Utf8 => String::from_utf8(bytes.into()).ok()?,
            Form::Utf16 { little } => {
                let units = bytes.chunks_exact(2);
                let whole = units.remainder().is_empty();
                let units = units.map(|unit| {
                    let unit = [unit[0], unit[1]];
                    if little { u16::from_le_bytes(unit) } else { u16::from_be_bytes(unit) }
                });
                char::decode_utf16(units).collect::<Result<String, _>>().ok().filter(|_| whole)?
            }
            Form::Utf32 { little } => {
                let units = bytes.chunks_exact(4);
                let whole = units.remainder().is_empty();
                let units = units.map(|unit| {
                    let unit = [unit[0], unit[1], unit[2], unit[3]];
                    char::from_u32(if little { u32::from_le_bytes(unit) } else { u32::from_be_bytes(unit) })
                });
                units.collect::<Option<String>>().filter(|_| whole)?
            }
        };
        Some(text.strip_prefix('\u{feff}').map(Into::into).unwrap_or(text))
    }

    /// The name by which iconv(1) reads it, with or without its mark.
    fn name(self) -> &'static str {
        match (self.form, self.marked) {
            (Form::Utf8, _) => "UTF-8",
            (Form::Utf16 { .. }, true) => "UTF-16",
            (Form::Utf16 { little: true }, false) => "UTF-16LE",
            (Form::Utf16 { little: false }, false) => "UTF-16BE",
            (Form::Utf32 { .. }, true) => "UTF-32",
            (Form::Utf32 { little: true }, false) => "UTF-32LE",
            (Form::Utf32 { little: false }, false) => "UTF-32BE",
        }
    }
}

impl fmt::Display for Encoding {
    /// What it is, and how to make UTF-8 of it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Utf8 => f.write_str(
                "it begins with a byte order mark (EF BB BF); save it as UTF-8 without one, for example with `tail -c +4 FILE > NEW`",
            ),
            _ => {
                let name = self.name();
                write!(f, "it is {name} text; save it as UTF-8, for example with `iconv -f {name} -t UTF-8 FILE > NEW`")
            }
        }
    }
}

impl std::error::Error for Encoding {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_recognised_named_and_read() {
        let utf16 = |text: &str, to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<u8>>();
        let utf32 = |text: &str, to: fn(u32) -> [u8; 4]| text.chars().map(u32::from).flat_map(to).collect::<Vec<u8>>();
        for text in ["{\"é\": \"𝄞\"}\n", "[1]"] {
            let marked = format!("\u{feff}{text}");
            for (bytes, name) in [
                (marked.clone().into_bytes(), "byte order mark"),
                (utf16(&marked, u16::to_le_bytes), "-f UTF-16 "),
                (utf16(&marked, u16::to_be_bytes), "-f UTF-16 "),
                (utf32(&marked, u32::to_le_bytes), "-f UTF-32 "),
                (utf32(&marked, u32::to_be_bytes), "-f UTF-32 "),
                (utf16(text, u16::to_le_bytes), "-f UTF-16LE "),
                (utf16(text, u16::to_be_bytes), "-f UTF-16BE "),
                (utf32(text, u32::to_le_bytes), "-f UTF-32LE "),
                (utf32(text, u32::to_be_bytes), "-f UTF-32BE "),
            ] {
                let encoding = Encoding::detect(&bytes).unwrap_or_else(|| panic!("{bytes:02x?}"));
                assert!(encoding.to_string().contains(name), "{encoding} / {name}");
                assert_eq!(encoding.decode(&bytes).as_deref(), Some(text), "{name}");
                assert_eq!(
                    encoding.decode(&bytes[..bytes.len() - 1]).as_deref(),
                    text.get(..text.len() - 1).filter(|_| name == "byte order mark")
                );
            }
            assert_eq!(Encoding::detect(text.as_bytes()), None);
        }
        for bytes in [&b""[..], b"{", b"\0", b"\0\0\0\0", "é".as_bytes(), &[0x30, 0x82, 1, 0]] {
            assert_eq!(Encoding::detect(bytes), None, "{bytes:?}");
        }
    }
}
