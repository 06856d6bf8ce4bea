//! Keys on tokens behind a PKCS#11 module: smart cards, HSMs, SoftHSM.
//!
//! A module is loaded and initialised once in a process and has one thread of its own, on which every call is made,
//! one after the other, each in bounded time ([`module`]). A key has one session ([`card`]), which all its
//! signatures use ([`key`]). The token signs the digest (`CKM_ECDSA`); a key that wants its PIN each time
//! (`CKA_ALWAYS_AUTHENTICATE`) gets it between the beginning and the end of each signature.

mod card;
mod error;
mod key;
mod list;
mod module;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use cryptoki::context::Pkcs11;

use self::card::Card;
pub use self::error::{Pkcs11Error, ReturnValue};
pub use self::list::{TokenKey, list};
use self::module::{Held, Module, PATIENCE};
use super::{PinSource, Pkcs11Uri, Signed, Signer, SignerError};
use crate::cose::{MemberCertificate, Signature};

/// A key on a token, in an open session.
pub struct Pkcs11Signer {
    card: Held<Card>,
    token: String,
    certificate: MemberCertificate,
    patience: Duration,
}

impl Pkcs11Signer {
    /// Logs in to the token that `uri` names and finds the key. Without `certificate` the token's own is used: the
    /// one with the key's CKA_ID.
    pub async fn open(
        uri: &Pkcs11Uri,
        certificate: Option<MemberCertificate>,
        pins: &dyn PinSource,
    ) -> Result<Self, SignerError> {
        let module = Module::load(uri.module.as_ref()).await?;
        let card = card::open(&module, uri, pins).await?;
        let (wanted, path) = (uri.clone(), module.path().to_owned());
        let key = card.with("looking for the key", PATIENCE, move |_, card| card.find_key(path, &wanted)).await?;
        if key.always_authenticate {
            card::keep_pin(&card, uri, pins).await?;
        }
        let certificate = key.certificate(certificate)?;
        Ok(Self { card, token: key.token, certificate, patience: PATIENCE })
    }

    /// The same key, but a signature may take no longer than `patience` (a minute otherwise).
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

#[async_trait]
impl Signer for Pkcs11Signer {
    fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let algorithm = self.algorithm();
        let message = message.to_vec();
        let sign = move |module: &Pkcs11, card: &mut Card| card.sign(module, algorithm, &message);
        let bytes = self.card.with("signing", self.patience, sign).await?;
        Ok(Signature::from_any(algorithm, &bytes)?)
    }

    /// One crossing to the module's thread for all: the token does not wait until somebody asks for the next one.
    async fn sign_each(&self, messages: Vec<Vec<u8>>, mut signed: Signed) -> Result<(), SignerError> {
        let algorithm = self.algorithm();
        let sign = move |module: &Pkcs11, card: &mut Card, message: Vec<u8>| {
            Ok(signed(Signature::from_any(algorithm, &card.sign(module, algorithm, &message)?)?))
        };
        self.card.each("signing", self.patience, messages, sign).await
    }
}

impl fmt::Debug for Pkcs11Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Signer")
            .field("token", &self.token)
            .field("member", &self.certificate.member_id())
            .finish_non_exhaustive()
    }
}
