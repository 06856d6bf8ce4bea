//! From a key URI to a signer.

use std::io;
use std::path::Path;
use std::time::Duration;

use zeroize::Zeroizing;

use super::{
    AzureCredential, AzureKeyVaultSigner, CommandSigner, KeyUri, PassphraseSource, PemSigner, Pkcs11Signer, PrivateKey,
    Signer, SignerError, VaultError, Web,
};
use crate::cose::MemberCertificate;
use crate::files;

/// What opening a key may need besides its URI.
pub struct Credentials<'a> {
    /// The member's certificate. Without it a token or a vault is asked for the one it holds.
    pub certificate: Option<MemberCertificate>,
    /// Asked for the passphrase of a key file that turns out to be encrypted.
    pub passphrase: &'a dyn PassphraseSource,
    /// Asked for a token's PIN, when one is needed and not before.
    pub pin: &'a dyn PinSource,
    /// How `exec:` runs its program.
    pub command: CommandOptions,
    /// Asked for the credential of a key vault, when there is one.
    pub azure: &'a (dyn Fn() -> Result<AzureCredential, VaultError> + Send + Sync),
}

/// How `exec:` runs its program.
#[derive(Clone, Default)]
pub struct CommandOptions {
    /// The program's arguments.
    pub arguments: Vec<String>,
    /// How long it may take; two minutes if absent.
    pub timeout: Option<Duration>,
}

/// Somebody who knows the PINs of tokens: the environment, or a person at a terminal.
pub trait PinSource: Send + Sync {
    /// The user PIN of the token with this label. An error says why there is none.
    fn pin(&self, token: &str, tries: PinTries) -> io::Result<Zeroizing<String>>;
}

/// How many wrong PINs a token would still take, as far as it tells (PKCS#11's `CKF_USER_PIN_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinTries {
    /// No wrong PIN since the last right one, or the token does not tell.
    Unknown,
    /// At least one wrong PIN since the last right one.
    Low,
    /// One more wrong PIN locks the token.
    Last,
}

/// Opens the key that `uri` names, and checks that it belongs to the certificate.
pub async fn open(uri: &KeyUri, access: Credentials<'_>) -> Result<Box<dyn Signer>, SignerError> {
    let certificate = access.certificate;
    Ok(match uri {
        KeyUri::File(path) => {
            Box::new(open_pem(path, access.passphrase, certificate.ok_or(SignerError::CertificateMissing)?)?)
        }
        KeyUri::Command(program) => {
            let certificate = certificate.ok_or(SignerError::CertificateMissing)?;
            Box::new(CommandSigner::new(program, access.command, certificate))
        }
        KeyUri::Pkcs11(uri) => Box::new(Pkcs11Signer::open(uri, certificate, access.pin).await?),
        KeyUri::AzureKeyVault(key) => {
            let credential = (access.azure)()?;
            Box::new(AzureKeyVaultSigner::open(key, credential, Web::new()?, certificate).await?)
        }
    })
}

fn open_pem(
    path: &Path,
    passphrase: &dyn PassphraseSource,
    certificate: MemberCertificate,
) -> Result<PemSigner, SignerError> {
    let bytes = files::read_secret(path, PrivateKey::MAX_FILE)?;
    let text = files::secret_text(path, &bytes)?;
    PemSigner::open(text, &path.display().to_string(), passphrase, certificate)
}
