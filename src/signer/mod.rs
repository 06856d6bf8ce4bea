//! Who signs: a member's private key, wherever it lives.

mod azure_key_vault;
mod batch;
mod command;
mod generate;
mod key_uri;
mod open;
mod passphrase;
mod pem;
mod pkcs11;
mod private_key;

use std::fmt::Debug;
use std::ops::ControlFlow;

use async_trait::async_trait;
use time::OffsetDateTime;

pub use self::azure_key_vault::{AzureCredential, AzureKeyVaultSigner, Proof, VaultError, Web};
pub use self::batch::sign_all;
pub use self::command::{CommandError, CommandSigner};
pub use self::generate::{DEFAULT_DAYS, GenerateError, KeyFiles, NewKeys};
pub use self::key_uri::{KeyUri, KeyUriError, ModuleName, Pkcs11Uri, VaultKey, program_in};
pub use self::open::{CommandOptions, Credentials, PinSource, PinTries, open};
pub use self::passphrase::{NoPassphrase, Passphrase, PassphraseError, PassphraseSource};
pub use self::pem::PemSigner;
pub use self::pkcs11::{
    Pkcs11Error, Pkcs11Signer, ReturnValue as Pkcs11ReturnValue, TokenKey, list as list_token_keys,
};
pub use self::private_key::{KeyError, PrivateKey};
use crate::cose::{
    Algorithm, CertificateError, Envelope, EnvelopeError, MemberCertificate, Message, Signature, SignatureError,
};
use crate::files::FileError;

/// The environment variables that hold secrets for this program. The programs that it starts don't inherit them.
pub const SECRET_VARIABLES: [&str; 5] =
    ["CCF_GOV_PIN", "CCF_GOV_PASSPHRASE", "CCF_GOV_AZURE_TOKEN", "AZURE_CLIENT_SECRET", "IDENTITY_HEADER"];

/// Somewhere a member's private key lives: a file, a token, a vault, another program.
#[async_trait]
pub trait Signer: Debug + Send + Sync {
    /// ES256, ES384 or ES512, as the key's curve has it.
    fn algorithm(&self) -> Algorithm {
        self.certificate().algorithm()
    }

    /// The certificate that belongs to the key.
    fn certificate(&self) -> &MemberCertificate;

    /// The key itself, where it is in this process's memory: then a batch is signed on every core.
    fn private_key(&self) -> Option<&PrivateKey> {
        None
    }

    /// Signs `message` (the unhashed Sig_structure); returns r ‖ s of fixed length.
    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError>;

    /// Signs `messages` one after the other, and hands each signature to `signed` as soon as it is there. Ends at the
    /// first that fails, or when `signed` wants no more. For signers that are faster when they know what comes next.
    async fn sign_each(&self, messages: Vec<Vec<u8>>, mut signed: Signed) -> Result<(), SignerError> {
        for message in messages {
            if signed(self.sign(&message).await?).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Takes the signatures of [`Signer::sign_each`], in order, on whichever thread they are made. A signer that hangs keeps it.
pub type Signed = Box<dyn FnMut(Signature) -> ControlFlow<()> + Send>;

/// Signs `message` with `signer`, checks the signature against the certificate, and wraps both.
/// Refuses a certificate that is not in date: a service may still take the signature, and nobody should rely on it.
pub async fn sign(signer: &dyn Signer, message: Message) -> Result<Envelope, SignerError> {
    signer.certificate().check_in_date(OffsetDateTime::now_utc())?;
    let to_be_signed = Envelope::to_be_signed(&message, signer.certificate());
    let signature = signer.sign(&to_be_signed).await?;
    Ok(Envelope::new(message, signer.certificate(), signature)?)
}

/// Why a key could not be opened or did not sign.
#[derive(Debug, thiserror::Error)]
pub enum SignerError {
    /// The key file is not a private key that can sign.
    #[error("the key file cannot be used")]
    Key(#[from] KeyError),
    /// The key file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The key URI is none.
    #[error(transparent)]
    KeyUri(#[from] KeyUriError),
    /// A key vault.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// A file or a program does not tell whose key it is.
    #[error("the key's certificate is not known")]
    CertificateMissing,
    /// A token or its module.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11Error),
    /// Another program gave no signature.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// Key and certificate do not belong together.
    #[error("the key and the certificate do not belong together")]
    Mismatch,
    /// The certificate is not in date.
    #[error("the certificate cannot be used for signing")]
    Certificate(#[from] CertificateError),
    /// What the signer returned is no signature.
    #[error("the signer returned no valid signature")]
    Signature(#[from] SignatureError),
    /// The thread that checks signatures ended early.
    #[error("the signatures of a batch could not be checked")]
    Checker,
    /// What the signer returned does not make a valid envelope.
    #[error("the signed envelope does not verify")]
    Envelope(#[from] EnvelopeError),
}

impl SignerError {
    /// Whether the fault is in what was named: the key, its certificate, or how the key is reached.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Key(_)
            | Self::File(_)
            | Self::KeyUri(_)
            | Self::CertificateMissing
            | Self::Mismatch
            | Self::Certificate(_) => true,
            Self::Pkcs11(error) => error.is_input(),
            Self::Vault(error) => error.is_input(),
            Self::Command(_) | Self::Signature(_) | Self::Checker | Self::Envelope(_) => false,
        }
    }
}
