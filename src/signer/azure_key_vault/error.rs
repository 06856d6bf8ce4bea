//! What goes wrong with a key vault.

use std::path::PathBuf;

use crate::files::FileError;

/// Why a key vault, or whoever gives the token for it, did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// No credential is there, or a part of one is missing.
    #[error("there is no way to log in to Azure: {0}")]
    Credential(String),
    /// The federated token's file cannot be read.
    #[error("the federated token cannot be read from the file that AZURE_FEDERATED_TOKEN_FILE names")]
    TokenFile(#[source] FileError),
    /// There is nothing in the federated token's file.
    #[error("the file {} that AZURE_FEDERATED_TOKEN_FILE names holds no token: it is empty", path.display())]
    TokenFileEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The HTTP client could not be made.
    #[error("the HTTPS client cannot start: {0}")]
    Client(String),
    /// Nobody answered.
    #[error("{host} cannot be reached: {why}")]
    Unreachable {
        /// The host.
        host: String,
        /// What happened.
        why: String,
    },
    /// It answered too late, or asked to wait for too long.
    #[error("{host} gave an unexpected answer: {why}")]
    Timeout {
        /// The host.
        host: String,
        /// What happened last, and how long it was waited for.
        why: String,
    },
    /// Whoever gives tokens refused.
    #[error("{host} gives no token for the vault: {why}")]
    NoToken {
        /// The host.
        host: String,
        /// What it says.
        why: String,
    },
    /// 401.
    #[error("the vault {vault} does not accept the token: {why}")]
    Unauthorized {
        /// The vault.
        vault: String,
        /// What it says.
        why: String,
    },
    /// A 401 that names somebody else's resource.
    #[error("the vault {vault} asks for a token for {resource:?}, which is not its own domain; none is sent")]
    ForeignChallenge {
        /// The vault.
        vault: String,
        /// Whose token it asks for.
        resource: String,
    },
    /// 403.
    #[error("the vault {vault} does not permit this identity to {doing}: {why}")]
    Forbidden {
        /// The vault.
        vault: String,
        /// What was asked for, with the permission's name.
        doing: String,
        /// What it says.
        why: String,
    },
    /// 404.
    #[error("the vault {vault} has no {what}")]
    NotFound {
        /// The vault.
        vault: String,
        /// What is not there.
        what: String,
    },
    /// Any other answer that is not success.
    #[error("the vault {vault} answered {status} when asked to {doing}: {why}")]
    Refused {
        /// The vault.
        vault: String,
        /// The HTTP status.
        status: u16,
        /// What was asked for.
        doing: String,
        /// What it says.
        why: String,
    },
    /// An answer that is not what Microsoft's documentation says.
    #[error("the answer of {host} cannot be understood: {why}")]
    NotUnderstood {
        /// The host.
        host: String,
        /// What is wrong with it.
        why: String,
    },
    /// A key that is no elliptic curve key of ours.
    #[error("the key {key} is {kind}: CCF accepts members' keys on P-256, P-384 and P-521 only")]
    KeyType {
        /// The key.
        key: String,
        /// Type and curve.
        kind: String,
    },
    /// A key that is disabled or not for signing.
    #[error("the key {key} may not sign: {why}")]
    MayNotSign {
        /// The key.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// There is no certificate of the key's name.
    #[error("the vault {vault} has no certificate of the key's name; give the member's certificate with --cert")]
    NoCertificate {
        /// The vault.
        vault: String,
    },
}

impl VaultError {
    /// Whether the fault is in what was named, rather than in what was found there.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Self::Credential(_)
                | Self::TokenFile(_)
                | Self::TokenFileEmpty { .. }
                | Self::NotFound { .. }
                | Self::KeyType { .. }
                | Self::MayNotSign { .. }
                | Self::NoCertificate { .. }
        )
    }
}
