//! Tar archives, read entry by entry as Go's `archive/tar` reads them, for that is what the platform's tools use.
//!
//! All dialects: V7, ustar, PAX, GNU (long names, base-256 numbers, access and change times), star. Where an archive can be read
//! in more than one way, Go's way counts. Sparse files are refused: no tool that makes images writes them.

mod header;
mod number;
mod pax;

use std::collections::BTreeMap;
use std::io::{self, Read};

use super::LayerError;
use header::{Header, SIZE};
pub(super) use number::Time;

/// The length of a PAX header or of a long name beyond which Go does not read it.
const MAX_SPECIAL: u64 = 1 << 20;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    HardLink,
    Symlink,
    Character,
    Block,
    Directory,
    Fifo,
}

/// One entry of an archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: EntryKind,
    /// Permissions and set-id bits; higher bits are whatever the archive has there.
    pub mode: u16,
    pub uid: u32,
    pub gid: u32,
    /// Bytes of data that follow; 0 for all kinds but files.
    pub size: u64,
    pub modified: Time,
    pub accessed: Time,
    pub changed: Time,
    pub major: u32,
    pub minor: u32,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// Reads an archive. After [`Self::next`] gave an entry, reading gives its data.
pub(super) struct Reader<R> {
    source: R,
    /// Data of the present entry that have not been read.
    left: u64,
    /// Filling after them.
    padding: usize,
    position: u64,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, left: 0, padding: 0, position: 0 }
    }

    pub(super) fn into_inner(self) -> R {
        self.source
    }

    /// How many bytes of the archive have been read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The next entry, or nothing at the archive's end. What was not read of the last entry's data is skipped.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, LayerError> {
        let mut records = pax::Records::default();
        let (mut long_path, mut long_link) = (Vec::new(), Vec::new());
        loop {
            let Some((at, header)) = self.header()? else { return Ok(None) };
            let damaged = |what| LayerError::Header { at, what };
            self.begin_data(&header).ok_or(damaged("a negative size"))?;
            match header.typeflag {
                b'x' => records = pax::parse(&self.special(at)?).ok_or(damaged("a malformed PAX header"))?,
                b'g' => {
                    let records = pax::parse(&self.special(at)?).ok_or(damaged("a malformed PAX header"))?;
                    return Ok(Some(global(header, records).ok_or(damaged("a malformed PAX header"))?));
                }
                b'L' => long_path = header::text(&self.special(at)?).to_vec(),
                b'K' => long_link = header::text(&self.special(at)?).to_vec(),
                b'S' => return Err(LayerError::entry(&header.path, SPARSE)),
                _ => {
                    let mut header = header;
                    let xattrs = records.apply(&mut header).ok_or(damaged("a malformed PAX header"))?;
                    if !long_path.is_empty() {
                        header.path = long_path;
                    }
                    if !long_link.is_empty() {
                        header.link = long_link;
                    }
                    if header.typeflag == 0 && header.path.ends_with(b"/") {
                        header.typeflag = b'5';
                    }
                    self.begin_data(&header).ok_or(damaged("a negative size"))?;
                    if records.sparse {
                        return Err(LayerError::entry(&header.path, SPARSE));
                    }
                    return Ok(Some(entry(header, self.left, xattrs)));
                }
            }
        }
    }

    /// The next header and where it begins.
    fn header(&mut self) -> Result<Option<(u64, Header)>, LayerError> {
        self.skip_data()?;
        // An archive may lack the filling after its last entry.
        let mut filling = [0; SIZE];
        let padding = std::mem::take(&mut self.padding);
        if self.read_most(&mut filling[..padding])? < padding {
            return Ok(None);
        }
        let at = self.position;
        let mut block = [0; SIZE];
        match self.read_most(&mut block)? {
            0 => return Ok(None),
            SIZE => {}
            _ => return Err(LayerError::CutOff),
        }
        if block == [0; SIZE] {
            return match self.read_most(&mut block)? {
                0 => Ok(None),
                SIZE if block == [0; SIZE] => Ok(None),
                SIZE => Err(LayerError::Header { at, what: "a block of zeros before the end" }),
                _ => Err(LayerError::CutOff),
            };
        }
        let header = Header::parse(&block).map_err(|what| LayerError::Header { at, what })?;
        Ok(Some((at, header)))
    }

    fn begin_data(&mut self, header: &Header) -> Option<()> {
        let has_data = !matches!(header.typeflag, b'1'..=b'6');
        let size = if has_data { u64::try_from(header.size).ok()? } else { 0 };
        self.left = size;
        self.padding = (size.wrapping_neg() % SIZE as u64) as usize;
        Some(())
    }

    /// The data of an entry that describes the next one.
    fn special(&mut self, at: u64) -> Result<Vec<u8>, LayerError> {
        if self.left > MAX_SPECIAL {
            return Err(LayerError::Header { at, what: "a header of more than 1 MiB" });
        }
        let mut bytes = Vec::new();
        while self.left > 0 {
            let mut piece = [0; 4096];
            let n = self.read(&mut piece)?;
            bytes.extend_from_slice(&piece[..n]);
        }
        Ok(bytes)
    }

    fn skip_data(&mut self) -> Result<(), LayerError> {
        let mut piece = [0; 16 << 10];
        while self.left > 0 {
            self.read(&mut piece)?;
        }
        Ok(())
    }

    /// Reads data of the present entry: 0 at its end only.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LayerError> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if wanted == 0 {
            return Ok(0);
        }
        let n = retried(&mut self.source, &mut buffer[..wanted])?;
        if n == 0 {
            return Err(LayerError::CutOff);
        }
        self.left -= n as u64;
        self.position += n as u64;
        Ok(n)
    }

    /// Fills `buffer` as far as the archive goes.
    fn read_most(&mut self, buffer: &mut [u8]) -> Result<usize, LayerError> {
        let mut length = 0;
        while length < buffer.len() {
            match retried(&mut self.source, &mut buffer[length..])? {
                0 => break,
                n => length += n,
            }
        }
        self.position += length as u64;
        Ok(length)
    }
}

const SPARSE: &str = "it is a sparse file, which is not supported: make the layer anew without sparse files";

fn retried(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn entry(header: Header, size: u64, xattrs: BTreeMap<Vec<u8>, Vec<u8>>) -> Entry {
    let kind = match header.typeflag {
        b'1' => EntryKind::HardLink,
        b'2' => EntryKind::Symlink,
        b'3' => EntryKind::Character,
        b'4' => EntryKind::Block,
        b'5' => EntryKind::Directory,
        b'6' => EntryKind::Fifo,
        // Types that nobody knows are files, as POSIX says.
        _ => EntryKind::File,
    };
    Entry {
        path: header.path,
        link: header.link,
        kind,
        mode: header.mode as u16,
        uid: header.uid as u32,
        gid: header.gid as u32,
        size,
        modified: header.modified,
        accessed: header.accessed,
        changed: header.changed,
        major: header.major as u32,
        minor: header.minor as u32,
        xattrs,
    }
}

/// A global PAX header: to Go an entry of its own, of which the conversion makes an empty file.
fn global(header: Header, records: pax::Records) -> Option<Entry> {
    let mut named = Header { path: header.path, ..Header::default() };
    let xattrs = records.apply(&mut named)?;
    let bare = Header { path: named.path, ..Header::default() };
    Some(entry(bare, 0, xattrs))
}
