//! Keys in an Azure Key Vault or Managed HSM, through its REST API (version 7.4).
//!
//! Three calls are made, none of which brings home a secret: get key, get certificate (where none is given), and sign.
//! The vault is trusted with the digest only; what it returns is checked like any other signature.

mod credential;
mod error;
mod web;

use std::fmt;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

pub use self::credential::{AzureCredential, Proof};
pub use self::error::VaultError;
pub use self::web::Web;
use self::web::{VaultResponse, Wire};
use super::{Signer, SignerError, VaultKey};
use crate::cose::{Algorithm, MemberCertificate, Signature};
use crate::curve::Curve;
use crate::text::clip;

const API_VERSION: &str = "7.4";

/// A key in a vault, in one version, and the identity that may use it.
pub struct AzureKeyVaultSigner {
    vault: Vault,
    version: String,
    certificate: MemberCertificate,
}

struct Vault {
    web: Web,
    credential: AzureCredential,
    key: VaultKey,
    /// The token, once there is one. Asked for anew when the vault does not take it any more.
    token: Mutex<Option<Zeroizing<String>>>,
}

impl AzureKeyVaultSigner {
    /// Looks the key up. Without `certificate` the vault's own of the key's name and version is used.
    pub async fn open(
        key: &VaultKey,
        credential: AzureCredential,
        web: Web,
        certificate: Option<MemberCertificate>,
    ) -> Result<Self, SignerError> {
        let vault = Vault { web, credential, key: key.clone(), token: Mutex::default() };
        let public = vault.public_key().await?;
        let certificate = match certificate {
            Some(certificate) => certificate,
            None => vault.certificate(&public.version).await?,
        };
        if !certificate.fits_key(public.algorithm, Some(&public.point)) {
            return Err(SignerError::Mismatch);
        }
        Ok(Self { vault, version: public.version, certificate })
    }
}

#[async_trait]
impl Signer for AzureKeyVaultSigner {
    fn certificate(&self) -> &MemberCertificate {
        &self.certificate
    }

    async fn sign(&self, message: &[u8]) -> Result<Signature, SignerError> {
        let algorithm = self.algorithm();
        let digest = URL_SAFE_NO_PAD.encode(algorithm.digest(message));
        let body = json!({"alg": algorithm.name(), "value": digest});
        let path = format!("keys/{}/{}/sign", self.vault.key.key(), self.version);
        let answer = self.vault.call(Method::POST, &path, Some(&body), "sign (keys/sign)").await?;
        let value = self.vault.text(&answer, "value")?;
        // Compliant servers leave the padding out; one that does not means the same bytes.
        let bytes = URL_SAFE_NO_PAD.decode(value.trim_end_matches('='));
        let bytes = bytes.map_err(|_| self.vault.not_understood("its value is not base64url"))?;
        Ok(Signature::from_any(algorithm, &bytes)?)
    }
}

/// What a vault says of a key.
struct PublicKey {
    version: String,
    algorithm: Algorithm,
    /// Uncompressed (SEC 1, 2.3.3).
    point: Vec<u8>,
}

impl Vault {
    async fn public_key(&self) -> Result<PublicKey, VaultError> {
        let name = self.key.key();
        let path =
            self.key.version().map_or_else(|| format!("keys/{name}"), |version| format!("keys/{name}/{version}"));
        let answer = self.call(Method::GET, &path, None, "read the key (keys/get)").await?;
        let (key, shown) = (&answer["key"], self.key.to_string());
        let text = |field: &str| key[field].as_str().unwrap_or_default();
        let curve = text("crv");
        let algorithm = Curve::from_name(curve).map(Algorithm::of_curve);
        let Some(algorithm) = algorithm.filter(|_| matches!(text("kty"), "EC" | "EC-HSM")) else {
            let kind = clip(&format!("{} {curve}", text("kty")), 40);
            return Err(VaultError::KeyType { key: shown, kind: crate::text::visible(kind.trim()) });
        };
        if answer["attributes"]["enabled"] == Value::Bool(false) {
            return Err(VaultError::MayNotSign { key: shown, why: "it is disabled" });
        }
        if key["key_ops"].as_array().is_some_and(|ops| !ops.iter().any(|op| op == "sign")) {
            return Err(VaultError::MayNotSign { key: shown, why: "signing is not among its operations (key_ops)" });
        }
        let mut point = vec![4];
        for coordinate in ["x", "y"] {
            let bytes = URL_SAFE_NO_PAD.decode(text(coordinate).trim_end_matches('=')).unwrap_or_default();
            if bytes.len() != algorithm.scalar_len() {
                return Err(self.not_understood(&format!("the key's {coordinate} is not a coordinate of its curve")));
            }
            point.extend(bytes);
        }
        Ok(PublicKey { version: self.version_of(text("kid"))?, algorithm, point })
    }

    /// The version in a key identifier, which must be of our key: `https://VAULT/keys/KEY/VERSION`.
    fn version_of(&self, kid: &str) -> Result<String, VaultError> {
        let url = Url::parse(kid).ok().filter(|url| url.host_str() == Some(&self.key.host()));
        let path = url.as_ref().map(Url::path).unwrap_or_default();
        match path.trim_start_matches('/').split('/').collect::<Vec<_>>()[..] {
            ["keys", name, version]
                if name.eq_ignore_ascii_case(self.key.key())
                    && self.key.version().is_none_or(|wanted| wanted == version)
                    && (1..=64).contains(&version.len())
                    && version.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Ok(version.into())
            }
            _ => Err(self.not_understood("its kid is not the key that was asked for")),
        }
    }

    async fn certificate(&self, version: &str) -> Result<MemberCertificate, SignerError> {
        let vault = self.key.host();
        let path = format!("certificates/{}/{version}", self.key.key());
        let answer = self.call(Method::GET, &path, None, "read the certificate (certificates/get)").await;
        let answer = match answer {
            Err(VaultError::NotFound { .. }) => return Err(VaultError::NoCertificate { vault }.into()),
            answer => answer?,
        };
        let der = STANDARD.decode(self.text(&answer, "cer")?);
        let der = der.map_err(|_| self.not_understood("its cer is not base64"))?;
        Ok(MemberCertificate::from_der(&der)?)
    }

    /// One call to the vault, with a token; once more with a new token if the vault does not take the first.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>, doing: &str) -> Result<Value, VaultError> {
        let vault = self.key.host();
        let url = Url::parse(&format!("https://{vault}/{path}?api-version={API_VERSION}"));
        let url = url.map_err(|e| VaultError::Client(e.to_string()))?;
        let mut held = self.token.lock().await.clone();
        let mut fresh = held.is_none();
        loop {
            // The token is for the domain in the key's URI, whatever the vault may ask for.
            let token = match held.take() {
                Some(token) => token,
                None => self.credential.token(&self.web, &self.key).await?,
            };
            let request = Wire::vault(method.clone(), url.clone(), &token, body.map(Value::to_string))?;
            let answer = self.web.send(&request).await?;
            if answer.status != 401 {
                *self.token.lock().await = Some(token.clone());
                return self.result(&answer, path, doing, &token);
            }
            let resource = answer.challenge("resource").or_else(|| answer.challenge("scope")).unwrap_or_default();
            let host = Url::parse(&resource).ok().and_then(|url| url.host_str().map(ToOwned::to_owned));
            if !resource.is_empty() && host.as_deref() != Some(self.key.domain()) {
                return Err(VaultError::ForeignChallenge { vault, resource: crate::text::visible(&resource) });
            }
            if fresh || !self.credential.renews() {
                let mut why = answer.reason(&[&token]);
                if let Some(authority) = answer.challenge("authorization") {
                    why += &format!("; it takes tokens of {}", crate::text::visible(&authority));
                }
                return Err(VaultError::Unauthorized { vault, why });
            }
            fresh = true;
        }
    }

    fn result(&self, answer: &VaultResponse, path: &str, doing: &str, token: &str) -> Result<Value, VaultError> {
        let (vault, doing) = (self.key.host(), doing.to_owned());
        match answer.status {
            200 => answer.json(),
            403 => Err(VaultError::Forbidden { vault, doing, why: answer.reason(&[token]) }),
            404 => Err(VaultError::NotFound { vault, what: path.trim_end_matches("/sign").into() }),
            status => Err(VaultError::Refused { vault, status, doing, why: answer.reason(&[token]) }),
        }
    }

    fn text<'a>(&self, answer: &'a Value, field: &str) -> Result<&'a str, VaultError> {
        answer[field].as_str().ok_or_else(|| self.not_understood(&format!("it has no {field}")))
    }

    fn not_understood(&self, why: &str) -> VaultError {
        VaultError::NotUnderstood { host: self.key.host(), why: why.into() }
    }
}

impl fmt::Debug for AzureKeyVaultSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureKeyVaultSigner")
            .field("key", &self.vault.key)
            .field("version", &self.version)
            .field("member", &self.certificate.member_id())
            .finish_non_exhaustive()
    }
}
