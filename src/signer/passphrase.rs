//! Passphrases and PINs: where they come from, and that they are wiped.

use std::fmt;
use std::path::Path;

use zeroize::Zeroizing;

use crate::files::{self, FileError};

/// A passphrase or PIN. Wiped when dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

/// Where a passphrase comes from, when a key turns out to need one: a file, the environment, a terminal.
/// The command line brings the one that asks.
pub trait PassphraseSource: Send + Sync {
    /// The passphrase of `what`, for example `alice_privk.pem`.
    fn passphrase(&self, what: &str) -> Result<Passphrase, PassphraseError>;
}

/// The source that has none.
#[derive(Clone, Copy, Debug)]
pub struct NoPassphrase;

/// Why there is no passphrase.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Nothing gives one.
    #[error("it is encrypted, but no passphrase was given")]
    None,
    /// The file that should hold it cannot be read.
    #[error("its passphrase file cannot be used")]
    File(#[from] FileError),
    /// The file's first line, or the answer, is empty.
    #[error("the passphrase given for it is empty")]
    Empty,
    /// The terminal could not be asked.
    #[error("its passphrase could not be asked for")]
    Prompt(#[source] std::io::Error),
}

impl Passphrase {
    /// The longest that a file may hold, in bytes.
    pub const MAX: u64 = 1024;

    /// Takes a passphrase; an empty one is none.
    pub fn new(text: Zeroizing<String>) -> Result<Self, PassphraseError> {
        if text.is_empty() { Err(PassphraseError::Empty) } else { Ok(Self(text)) }
    }

    /// The first line of a file, without its line ending.
    pub fn from_file(path: &Path) -> Result<Self, PassphraseError> {
        let bytes = files::read_secret(path, Self::MAX)?;
        let text = files::secret_text(path, &bytes)?;
        Self::new(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
    }

    /// The passphrase's bytes, to be used and not kept.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl PassphraseSource for NoPassphrase {
    fn passphrase(&self, _what: &str) -> Result<Passphrase, PassphraseError> {
        Err(PassphraseError::None)
    }
}

impl PassphraseSource for Passphrase {
    fn passphrase(&self, _what: &str) -> Result<Passphrase, PassphraseError> {
        Ok(self.clone())
    }
}
