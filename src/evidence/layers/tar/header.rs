//! The 512 bytes that begin an entry.

use super::number::{self, Time};

/// The size of a header, and of what data are filled up to.
pub(super) const SIZE: usize = 512;

/// How the fields after the first 257 bytes are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V7,
    Ustar,
    Star,
    Gnu,
}

/// An entry's fields, signed as Go reads them.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub typeflag: u8,
    pub mode: i64,
    pub uid: i64,
    pub gid: i64,
    pub size: i64,
    pub modified: Time,
    pub accessed: Time,
    pub changed: Time,
    pub major: i64,
    pub minor: i64,
}

impl Header {
    /// Reads a header, or says what is wrong with it.
    pub(super) fn parse(block: &[u8; SIZE]) -> Result<Self, &'static str> {
        check_sum(block).ok_or("its checksum is wrong")?;
        let dialect = dialect(block);
        let mut header = Self::common(block).ok_or(NUMBER)?;
        if dialect == Dialect::V7 {
            return Ok(header);
        }
        header.major = number::parse(&block[329..337]).ok_or(NUMBER)?;
        header.minor = number::parse(&block[337..345]).ok_or(NUMBER)?;
        let prefix = match dialect {
            Dialect::V7 => &[],
            Dialect::Ustar => text(&block[345..500]),
            Dialect::Star => {
                header.accessed = Time::of_seconds(number::parse(&block[476..488]).ok_or(NUMBER)?);
                header.changed = Time::of_seconds(number::parse(&block[488..500]).ok_or(NUMBER)?);
                text(&block[345..476])
            }
            Dialect::Gnu => header.gnu_times(block),
        };
        if !prefix.is_empty() {
            header.path = [prefix, b"/", &header.path].concat();
        }
        Ok(header)
    }

    fn common(block: &[u8; SIZE]) -> Option<Self> {
        Some(Self {
            path: text(&block[..100]).to_vec(),
            link: text(&block[157..257]).to_vec(),
            typeflag: block[156],
            mode: number::parse(&block[100..108])?,
            uid: number::parse(&block[108..116])?,
            gid: number::parse(&block[116..124])?,
            size: number::parse(&block[124..136])?,
            modified: Time::of_seconds(number::parse(&block[136..148])?),
            ..Self::default()
        })
    }

    /// Access and change times of GNU's dialect. Old Go programs wrote a prefix of the path into their place, and where these
    /// fields are no numbers but ASCII text, Go takes them for that.
    fn gnu_times<'a>(&mut self, block: &'a [u8; SIZE]) -> &'a [u8] {
        let time = |field: &[u8]| match field {
            [0, ..] => Some(Time::UNSET),
            field => number::parse(field).map(Time::of_seconds),
        };
        if let (Some(accessed), Some(changed)) = (time(&block[345..357]), time(&block[357..369])) {
            (self.accessed, self.changed) = (accessed, changed);
            return &[];
        }
        let prefix = text(&block[345..500]);
        if prefix.is_ascii() { prefix } else { &[] }
    }
}

/// A field's text, which ends at the first NUL.
pub(super) fn text(field: &[u8]) -> &[u8] {
    field.split(|b| *b == 0).next().unwrap_or(field)
}

const NUMBER: &str = "one of its numbers is malformed";

fn dialect(block: &[u8; SIZE]) -> Dialect {
    match (&block[257..263], &block[263..265]) {
        (b"ustar\0", _) if &block[508..] == b"tar\0" => Dialect::Star,
        (b"ustar\0", _) => Dialect::Ustar,
        (b"ustar ", b" \0") => Dialect::Gnu,
        _ => Dialect::V7,
    }
}

/// The checksum is the sum of all bytes, its own field counted as spaces; some programs summed signed bytes.
fn check_sum(block: &[u8; SIZE]) -> Option<()> {
    let stated = number::octal(&block[148..156])?;
    let bytes = || block.iter().enumerate().map(|(at, b)| if (148..156).contains(&at) { b' ' } else { *b });
    let unsigned: i64 = bytes().map(i64::from).sum();
    let signed: i64 = bytes().map(|b| i64::from(b.cast_signed())).sum();
    (stated == unsigned || stated == signed).then_some(())
}
