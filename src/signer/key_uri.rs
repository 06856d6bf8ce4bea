//! Key URIs: where a member's private key lives, as one line of text. This is the only place that reads them.
//!
//! | form | the key |
//! |---|---|
//! | `PATH`, `file:PATH`, `file:///PATH` | a PEM file; after `file:` the path is percent-encoded |
//! | `pkcs11:ATTRIBUTES?ATTRIBUTES` | on a token behind a PKCS#11 module, as in RFC 7512: [`Pkcs11Uri`] |
//! | `azurekms://VAULT[.SUFFIX][/keys]/KEY[/VERSION]` | in an Azure Key Vault or Managed HSM: [`VaultKey`] |
//! | `exec:PROGRAM` | whatever PROGRAM signs with; looked up in `PATH` unless it holds a `/` |
//!
//! A text without a scheme is a path. One letter before a colon is a drive, not a scheme. A file whose name
//! looks like a URI is written `./NAME`. No form carries a secret: a `pin-value` is refused.

mod pkcs11_uri;
mod vault_key;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

pub use self::pkcs11_uri::{ModuleName, Pkcs11Uri};
pub use self::vault_key::VaultKey;

/// The longest key URI that is read, in bytes.
pub(super) const MAX_KEY_URI: usize = 8192;

/// Where a private key lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyUri {
    /// A PEM file.
    File(PathBuf),
    /// A token behind a PKCS#11 module.
    Pkcs11(Box<Pkcs11Uri>),
    /// A key vault's key.
    AzureKeyVault(VaultKey),
    /// A program that signs, by name or path.
    Command(String),
}

/// Which part of a key URI is wrong, and how. Values are not repeated: somebody may have put a secret there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyUriError {
    /// A scheme that is none of ours.
    #[error(
        "{0}: is not a kind of key URI; the kinds are file:, pkcs11:, azurekms: and exec: (write ./{0}:… for a file of that name)"
    )]
    Scheme(String),
    /// A PIN in the URI.
    #[error(
        "pin-value is refused: a PIN in a key URI is kept in the shell's history and shown in the list of processes; \
         use pin-source=file:PATH, the environment variable CCF_GOV_PIN, or type it when asked"
    )]
    PinValue,
    /// Some part is not as it must be.
    #[error("in the key URI, {part} {problem}")]
    Part {
        /// The part's name.
        part: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl KeyUriError {
    fn part(part: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Part { part: part.into(), problem: problem.into() }
    }
}

impl FromStr for KeyUri {
    type Err = KeyUriError;

    fn from_str(text: &str) -> Result<Self, KeyUriError> {
        if text.is_empty() {
            return Err(KeyUriError::part("everything", "is missing: give a file or a key URI"));
        }
        if text.len() > MAX_KEY_URI {
            return Err(KeyUriError::part("the text", format!("is longer than {MAX_KEY_URI} bytes")));
        }
        let Some((scheme, rest)) = split_scheme(text) else {
            return Ok(Self::File(text.into()));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => Ok(Self::File(file_path(rest)?)),
            "pkcs11" => Ok(Self::Pkcs11(Box::new(Pkcs11Uri::parse(rest)?))),
            "azurekms" => Ok(Self::AzureKeyVault(VaultKey::parse(rest)?)),
            "exec" => Ok(Self::Command(program(rest)?)),
            _ => Err(KeyUriError::Scheme(scheme.into())),
        }
    }
}

impl KeyUri {
    /// The same key, with the files and programs that it names by a relative path looked for in `folder`.
    #[must_use]
    pub fn relative_to(self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            Self::Command(program) => Self::Command(program_in(folder, program)),
            Self::Pkcs11(mut uri) => {
                uri.pin_source = uri.pin_source.map(|path| folder.join(path));
                Self::Pkcs11(uri)
            }
            key @ Self::AzureKeyVault(_) => key,
        }
    }
}

/// A program that is named by a relative path, in `folder`; one that is named alone is looked up in `PATH`.
#[must_use]
pub fn program_in(folder: &Path, program: String) -> String {
    if program.contains('/') { folder.join(&program).to_string_lossy().into_owned() } else { program }
}

impl fmt::Display for KeyUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => match path.display().to_string() {
                text if split_scheme(&text).is_some() => write!(f, "file:{}", encode_path(path)),
                text => f.write_str(&text),
            },
            Self::Pkcs11(uri) => uri.fmt(f),
            Self::AzureKeyVault(key) => key.fmt(f),
            Self::Command(program) => write!(f, "exec:{program}"),
        }
    }
}

/// The scheme and what follows its colon, if the text begins with a scheme of two characters or more.
fn split_scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let plain = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    (scheme.len() > 1 && plain && scheme.starts_with(|c: char| c.is_ascii_alphabetic())).then_some((scheme, rest))
}

/// The path of a `file:` URI (RFC 8089, and relative ones).
fn file_path(rest: &str) -> Result<PathBuf, KeyUriError> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(after) => after
            .strip_prefix("localhost")
            .or(Some(after))
            .filter(|path| path.starts_with('/'))
            .ok_or_else(|| KeyUriError::part("file:", "names another machine; write file:PATH or file:///PATH"))?,
    };
    let path = decode_text("file:", path)?;
    if path.is_empty() {
        return Err(KeyUriError::part("file:", "names no file"));
    }
    Ok(path.into())
}

fn program(rest: &str) -> Result<String, KeyUriError> {
    if rest.is_empty() {
        return Err(KeyUriError::part("exec:", "names no program"));
    }
    if rest.starts_with(char::is_whitespace) || rest.ends_with(char::is_whitespace) || rest.contains('\0') {
        return Err(KeyUriError::part(
            "exec:",
            "has a blank at an end; it is the program's name or path and nothing else",
        ));
    }
    Ok(rest.into())
}

/// Percent-decoded bytes; a `%` without two hexadecimal digits is an error.
fn decode(part: &str, text: &str) -> Result<Vec<u8>, KeyUriError> {
    let bytes = text.as_bytes();
    let whole = bytes.iter().enumerate().filter(|(_, b)| **b == b'%').all(|(at, _)| {
        let digit = |n: usize| bytes.get(at + n).is_some_and(u8::is_ascii_hexdigit);
        digit(1) && digit(2)
    });
    if !whole {
        return Err(KeyUriError::part(part, "has a % that two hexadecimal digits do not follow (write %25 for a %)"));
    }
    Ok(percent_encoding::percent_decode(bytes).collect())
}

/// Percent-decoded text.
fn decode_text(part: &str, text: &str) -> Result<String, KeyUriError> {
    let bytes = decode(part, text)?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok(text),
        _ => Err(KeyUriError::part(part, "is not text (UTF-8)")),
    }
}

/// A percent-encoded name that is only compared, without the NULs that some tokens pad with.
fn decode_label(part: &str, text: &str) -> Result<String, KeyUriError> {
    let text = String::from_utf8(decode(part, text)?).map_err(|_| KeyUriError::part(part, "is not text (UTF-8)"))?;
    Ok(text.trim_end_matches('\0').trim_end().into())
}

/// What is percent-encoded in an attribute's value: all but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same for a path, whose slashes stay.
const RESERVED_IN_PATH: &AsciiSet = &RESERVED.remove(b'/').remove(b':');

fn encode(text: &str) -> impl fmt::Display + '_ {
    percent_encode(text.as_bytes(), RESERVED)
}

fn encode_path(path: &Path) -> String {
    percent_encode(path.display().to_string().as_bytes(), RESERVED_IN_PATH).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> PathBuf {
        match text.parse() {
            Ok(KeyUri::File(path)) => path,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn paths_and_file_uris() {
        assert_eq!(file("member0_privk.pem"), Path::new("member0_privk.pem"));
        assert_eq!(file("./a:b.pem"), Path::new("./a:b.pem"));
        assert_eq!(file("a b%20.pem"), Path::new("a b%20.pem"), "a plain path is taken as it is");
        assert_eq!(file("C:\\keys\\k.pem"), Path::new("C:\\keys\\k.pem"));
        assert_eq!(file("file:k%20ey.pem"), Path::new("k ey.pem"));
        assert_eq!(file("FILE:/keys/k.pem"), Path::new("/keys/k.pem"));
        assert_eq!(file("file:///keys/k.pem"), Path::new("/keys/k.pem"));
        assert_eq!(file("file://localhost/keys/k.pem"), Path::new("/keys/k.pem"));
    }

    #[test]
    fn errors_name_the_part() {
        for (text, part) in [
            ("", "everything"),
            ("file:", "file:"),
            ("file://host/k.pem", "file:"),
            ("file://host", "file:"),
            ("file:a%2", "file:"),
            ("file:a%ff", "file:"),
            ("exec:", "exec:"),
            ("exec: x", "exec:"),
        ] {
            match text.parse::<KeyUri>() {
                Err(KeyUriError::Part { part: found, .. }) => assert_eq!(found, part, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        assert_eq!("pkcs12:x".parse::<KeyUri>(), Err(KeyUriError::Scheme("pkcs12".into())));
        assert!("x".repeat(MAX_KEY_URI + 1).parse::<KeyUri>().is_err());
    }

    #[test]
    fn relative_paths_are_looked_for_in_a_folder() {
        for (text, expected) in [
            ("k.pem", "/a/k.pem"),
            ("/keys/k.pem", "/keys/k.pem"),
            ("exec:./sign", "exec:/a/./sign"),
            ("exec:sign", "exec:sign"),
            ("pkcs11:id=%01?pin-source=file:pin", "pkcs11:id=%01?pin-source=file:/a/pin"),
            ("azurekms://vault/k", "azurekms://vault.vault.azure.net/k"),
        ] {
            let uri: KeyUri = text.parse().unwrap();
            assert_eq!(uri.relative_to(Path::new("/a")), expected.parse().unwrap(), "{text}");
        }
    }

    #[test]
    fn a_program_is_taken_as_it_is() {
        assert_eq!("exec:./my signer".parse(), Ok(KeyUri::Command("./my signer".into())));
        assert_eq!("exec:aws%20".parse(), Ok(KeyUri::Command("aws%20".into())));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_written_back(text in "\\PC{0,60}") {
            round_trip(&text)?;
        }

        #[test]
        fn so_is_anything_that_looks_like_one(
            scheme in "(file|pkcs11|azurekms|exec|PKCS11)",
            rest in "(token|object|id|slot-id|serial|type|pin-value|private|//|file:/|=|;|\\?|&|%[0-9a-fA-F]{2}|%|/|[a-z0-9.-]{1,4}|module-path|.vault.azure.net){0,12}",
        ) {
            round_trip(&format!("{scheme}:{rest}"))?;
        }
    }

    fn round_trip(text: &str) -> Result<(), TestCaseError> {
        if let Ok(uri) = text.parse::<KeyUri>() {
            prop_assert_eq!(uri.to_string().parse(), Ok(uri));
        }
        Ok(())
    }
}
