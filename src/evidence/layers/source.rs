//! A layer's bytes: hashed as they are read, and unpacked.

use std::io::{self, BufRead, BufReader, Read};

use aws_lc_rs::digest::{Context, SHA256};
use flate2::bufread::MultiGzDecoder;

use super::{LayerError, Sha256};

/// Uncompressed bytes of one layer beyond which nothing is read: its disk would be too large in any case.
const MAX_UNPACKED: u64 = 160 << 30;

const PIECE: usize = 128 << 10;

/// The uncompressed bytes of a layer that may be compressed.
pub(super) struct Source<R: Read> {
    bytes: Hashed<Unpacked<R>>,
    left: u64,
}

enum Unpacked<R: Read> {
    Plain(BufReader<Hashed<R>>),
    Gzip(Box<MultiGzDecoder<BufReader<Hashed<R>>>>),
}

/// The digests of a layer: uncompressed, and as it was read.
pub(super) struct Digests {
    pub diff_id: Sha256,
    pub digest: Sha256,
}

impl<R: Read> Source<R> {
    pub(super) fn open(reader: R) -> Result<Self, LayerError> {
        let mut reader = BufReader::with_capacity(PIECE, Hashed::new(reader));
        let unpacked = match reader.fill_buf()? {
            [0x1f, 0x8b, ..] => Unpacked::Gzip(Box::new(MultiGzDecoder::new(reader))),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => return Err(LayerError::Compression("zstd")),
            [0xfd, b'7', b'z', b'X', b'Z', ..] => return Err(LayerError::Compression("xz")),
            [b'B', b'Z', b'h', ..] => return Err(LayerError::Compression("bzip2")),
            _ => {
                // Its digest is that of the uncompressed bytes.
                reader.get_mut().is_hashed = false;
                Unpacked::Plain(reader)
            }
        };
        Ok(Self { bytes: Hashed::new(unpacked), left: MAX_UNPACKED })
    }

    /// Reads what is left, so that the digests are of everything.
    pub(super) fn finish(mut self) -> Result<Digests, LayerError> {
        io::copy(&mut self, &mut io::sink())?;
        let Hashed { inner, context, .. } = self.bytes;
        let diff_id = digest(context);
        let digest = match inner {
            Unpacked::Plain(_) => diff_id,
            Unpacked::Gzip(decoder) => digest(decoder.into_inner().into_inner().context),
        };
        Ok(Digests { diff_id, digest })
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.bytes.read(buffer)?;
        self.left = self
            .left
            .checked_sub(n as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "it unpacks to more than 160 GiB"))?;
        Ok(n)
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(reader) => reader.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// A reader whose bytes are hashed.
struct Hashed<R> {
    inner: R,
    context: Context,
    is_hashed: bool,
}

impl<R> Hashed<R> {
    fn new(inner: R) -> Self {
        Self { inner, context: Context::new(&SHA256), is_hashed: true }
    }
}

fn digest(context: Context) -> Sha256 {
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    Sha256(digest)
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if self.is_hashed {
            self.context.update(&buffer[..n]);
        }
        Ok(n)
    }
}
