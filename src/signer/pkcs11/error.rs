//! What goes wrong with a token.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use cryptoki::error::{Error, RvError};

use crate::files::FileError;
use crate::signer::PinTries;

/// Why a token or its module did not do what was asked. Names that a token gives are quoted, with control characters escaped.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs11Error {
    /// The URI names no module.
    #[error(
        "the key URI names no PKCS#11 module: add ?module-name=NAME (softhsm2, ykcs11, opensc-pkcs11, …) or \
         ?module-path=/PATH/TO/MODULE.so"
    )]
    NoModule,
    /// No library of that name in the system's folders.
    #[error(
        "there is no PKCS#11 module {name:?} in the system's library folders ({}); install it, or name the file itself \
         with module-path",
        searched.join(", ")
    )]
    ModuleNotFound {
        /// The name.
        name: String,
        /// The folders that were looked in.
        searched: Vec<String>,
    },
    /// The file is no PKCS#11 module, or is not there.
    #[error("{} cannot be loaded as a PKCS#11 module", path.display())]
    Load {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The module was loaded and does not begin its work.
    #[error(
        "the PKCS#11 module {} does not start; its service (pcscd for smart cards) must run, and its configuration be in \
         place",
        path.display()
    )]
    Initialise {
        /// The file.
        path: PathBuf,
        /// What it answered.
        #[source]
        source: ReturnValue,
    },
    /// No token that the URI describes.
    #[error("no token is {wanted}; {}", among("these are there", "put it in, and set it up if it is new", present))]
    TokenNotFound {
        /// What the URI asks for.
        wanted: String,
        /// The tokens that are there.
        present: Vec<String>,
    },
    /// More than one token.
    #[error("the key URI matches several tokens: {}; add serial=… or slot-id=…", present.join(", "))]
    SeveralTokens {
        /// Those that it fits.
        present: Vec<String>,
    },
    /// Nobody gave a PIN.
    #[error("there is no PIN for token {token:?}")]
    NoPin {
        /// The token.
        token: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The PIN's file could not be read.
    #[error("the PIN of token {token:?} cannot be read from the file that pin-source names")]
    PinSource {
        /// The token.
        token: String,
        /// Why.
        #[source]
        source: FileError,
    },
    /// The PIN's file holds none.
    #[error("the first line of the PIN file {} is empty: the PIN of token {token:?} belongs there", path.display())]
    PinFileEmpty {
        /// The token.
        token: String,
        /// The file.
        path: PathBuf,
    },
    /// One more wrong PIN locks the token, so none is taken from a file.
    #[error(
        "token {token:?} takes one more wrong PIN before it locks itself, so the PIN is not taken from a file this time: \
         leave pin-source out and type it"
    )]
    LastTry {
        /// The token.
        token: String,
    },
    /// The PIN is wrong.
    #[error("token {token:?} says that the PIN is wrong{}", tries_left(*tries))]
    WrongPin {
        /// The token.
        token: String,
        /// What it says of further tries.
        tries: PinTries,
    },
    /// The PIN is locked.
    #[error("the PIN of token {token:?} is locked after too many wrong ones; its security officer can unlock it")]
    PinLocked {
        /// The token.
        token: String,
    },
    /// The token has no user PIN yet, or wants another first.
    #[error("token {token:?} has no usable PIN ({why}); set it with the token's own tool")]
    PinNotSet {
        /// The token.
        token: String,
        /// What it lacks.
        why: &'static str,
    },
    /// No private key that the URI describes.
    #[error(
        "token {token:?} has no private key{}; {}",
        if wanted.is_empty() { String::new() } else { format!(" {wanted}") },
        among("these are there", "there is no private key at all", present)
    )]
    KeyNotFound {
        /// The token.
        token: String,
        /// What the URI asks for.
        wanted: String,
        /// The private keys that are there.
        present: Vec<String>,
    },
    /// More than one private key.
    #[error("the key URI matches several private keys on token {token:?}: {}; {advice}", present.join(", "))]
    SeveralKeys {
        /// The token.
        token: String,
        /// Those that it fits.
        present: Vec<String>,
        /// How one of them can be named.
        advice: &'static str,
    },
    /// A key on no curve that CCF takes.
    #[error("the key {key} is not on P-256, P-384 or P-521: CCF accepts members' keys on these only")]
    KeyType {
        /// The key.
        key: String,
    },
    /// A key that is not for signatures (CKA_SIGN is false).
    #[error("the key {key} may not sign (its CKA_SIGN is false)")]
    MayNotSign {
        /// The key.
        key: String,
    },
    /// A key that wants its PIN for each signature, behind a module that stands between us and the token's own
    /// (p11-kit's proxy): the PIN cannot be given in the middle of a signature there.
    #[error(
        "the key {key} wants its PIN for each signature, which cannot be given through {}; name the token's own module \
         with module-path",
        module.display()
    )]
    NoRoomForPin {
        /// The key.
        key: String,
        /// The module.
        module: PathBuf,
    },
    /// The token has no certificate for the key.
    #[error(
        "token {token:?} holds no certificate with the id of the key {key}; give the member's certificate with --cert"
    )]
    NoCertificate {
        /// The token.
        token: String,
        /// The key.
        key: String,
    },
    /// The token has several.
    #[error("token {token:?} holds {count} certificates with the id of the key {key}; choose one with --cert")]
    SeveralCertificates {
        /// The token.
        token: String,
        /// The key.
        key: String,
        /// How many.
        count: usize,
    },
    /// The token went away.
    #[error("token {token:?} was removed or has closed the session; put it back and run the command again")]
    Removed {
        /// The token.
        token: String,
        /// What the module answered.
        #[source]
        source: ReturnValue,
    },
    /// Somebody or something ended the log-in.
    #[error("token {token:?} has ended the log-in; run the command again")]
    LoggedOut {
        /// The token.
        token: String,
        /// What the module answered.
        #[source]
        source: ReturnValue,
    },
    /// The key is there, and the token will not sign with it.
    #[error("token {token:?} does not permit the key to sign: it was made for another purpose, or is blocked")]
    NotPermitted {
        /// The token.
        token: String,
        /// What the module answered.
        #[source]
        source: ReturnValue,
    },
    /// The token does not know ECDSA.
    #[error("token {token:?} cannot sign a digest with this key (CKM_ECDSA)")]
    NoEcdsa {
        /// The token.
        token: String,
        /// What the module answered.
        #[source]
        source: ReturnValue,
    },
    /// The module gave more than a signature can take.
    #[error("token {token:?} returned more than {max} bytes, which no signature has")]
    SignatureTooLong {
        /// The token.
        token: String,
        /// The longest that one of its key's can be.
        max: usize,
    },
    /// Any other failure of the module.
    #[error("the PKCS#11 module failed while {doing}")]
    Call {
        /// What was being done.
        doing: &'static str,
        /// What it answered.
        #[source]
        source: ReturnValue,
    },
    /// A call did not come back.
    #[error("the PKCS#11 module did not return within {} seconds while {doing}; is the token waiting for a touch?", after.as_secs_f32())]
    Timeout {
        /// What was being done.
        doing: &'static str,
        /// How long it had.
        after: Duration,
    },
    /// The module broke the thread it runs on.
    #[error("the PKCS#11 module's thread has ended while {0}")]
    ThreadEnded(&'static str),
}

impl Pkcs11Error {
    /// Whether the fault is in what was named, rather than in what was found there.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::NoModule
                | Self::ModuleNotFound { .. }
                | Self::Load { .. }
                | Self::TokenNotFound { .. }
                | Self::SeveralTokens { .. }
                | Self::NoPin { .. }
                | Self::LastTry { .. }
                | Self::PinSource { .. }
                | Self::PinFileEmpty { .. }
                | Self::KeyNotFound { .. }
                | Self::SeveralKeys { .. }
                | Self::KeyType { .. }
                | Self::MayNotSign { .. }
                | Self::NoRoomForPin { .. }
                | Self::NoCertificate { .. }
                | Self::SeveralCertificates { .. }
        )
    }
}

/// What a module answered, by PKCS#11's own names, for example `C_Sign answered CKR_DEVICE_ERROR`.
#[derive(Debug)]
pub struct ReturnValue(Error);

impl From<Error> for ReturnValue {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for ReturnValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Error::Pkcs11(RvError::VendorDefined(code), function) => {
                write!(f, "C_{function:?} answered {code:#x}, a code of the module's maker")
            }
            Error::Pkcs11(RvError::UnknownErrorCode(code), function) => match newer_name(*code) {
                Some(name) => write!(f, "C_{function:?} answered {name}"),
                None => write!(f, "C_{function:?} answered {code:#x}, a code without a name in PKCS#11"),
            },
            Error::Pkcs11(code, function) => {
                let name = format!("{code:?}");
                let words = name
                    .char_indices()
                    .map(|(at, c)| if at > 0 && c.is_uppercase() { format!("_{c}") } else { c.into() });
                write!(f, "C_{function:?} answered CKR_{}", words.collect::<String>().to_uppercase())
            }
            other => write!(f, "{other}"),
        }
    }
}

/// The codes of PKCS#11 3.0 to 3.2 that the binding does not know.
fn newer_name(code: u64) -> Option<&'static str> {
    Some(match code {
        0x42 => "CKR_AEAD_DECRYPT_FAILED",
        0x201 => "CKR_TOKEN_RESOURCE_EXCEEDED",
        0x202 => "CKR_OPERATION_CANCEL_FAILED",
        0x203 => "CKR_KEY_EXHAUSTED",
        0x204 => "CKR_PENDING",
        0x205 => "CKR_SESSION_ASYNC_NOT_SUPPORTED",
        0x206 => "CKR_SEED_RANDOM_REQUIRED",
        0x207 => "CKR_OPERATION_NOT_VALIDATED",
        0x208 => "CKR_TOKEN_NOT_INITIALIZED",
        0x209 => "CKR_PARAMETER_SET_NOT_SUPPORTED",
        _ => return None,
    })
}

impl std::error::Error for ReturnValue {}

impl Pkcs11Error {
    /// A call that failed and was about no token.
    pub(super) fn call(doing: &'static str, source: Error) -> Self {
        Self::Call { doing, source: source.into() }
    }

    /// Tells a token that went away or refuses from other failures.
    pub(super) fn of_token(token: &str, doing: &'static str, source: Error) -> Self {
        use RvError as E;
        let token = token.to_owned();
        let Error::Pkcs11(code, _) = source else { return Self::call(doing, source) };
        match code {
            E::DeviceRemoved
            | E::TokenNotPresent
            | E::SessionHandleInvalid
            | E::SessionClosed
            | E::SlotIdInvalid
            | E::DeviceError => Self::Removed { token, source: source.into() },
            E::UserNotLoggedIn => Self::LoggedOut { token, source: source.into() },
            E::KeyFunctionNotPermitted | E::ActionProhibited => Self::NotPermitted { token, source: source.into() },
            E::MechanismInvalid | E::MechanismParamInvalid | E::KeyTypeInconsistent | E::KeySizeRange => {
                Self::NoEcdsa { token, source: source.into() }
            }
            _ => Self::call(doing, source),
        }
    }
}

fn among(some: &str, none: &str, names: &[String]) -> String {
    if names.is_empty() { none.into() } else { format!("{some}: {}", names.join(", ")) }
}

fn tries_left(tries: PinTries) -> &'static str {
    match tries {
        PinTries::Unknown => "; it does not report how many tries are left",
        PinTries::Low => "; some tries are left, but not all",
        PinTries::Last => "; there is one try left before it locks itself",
    }
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;
    use cryptoki::error::Rv;

    use super::*;

    #[test]
    fn an_answer_is_told_by_its_name_or_its_number() {
        for (code, expected) in [
            (0x5, "C_Sign answered CKR_GENERAL_ERROR"),
            (0x201, "C_Sign answered CKR_TOKEN_RESOURCE_EXCEEDED"),
            (0x203, "C_Sign answered CKR_KEY_EXHAUSTED"),
            (0x7777, "C_Sign answered 0x7777, a code without a name in PKCS#11"),
            (0x8000_0123, "C_Sign answered 0x80000123, a code of the module's maker"),
        ] {
            let Rv::Error(error) = Rv::from(code) else { panic!("{code}") };
            assert_eq!(ReturnValue(Error::Pkcs11(error, Function::Sign)).to_string(), expected);
        }
    }
}
