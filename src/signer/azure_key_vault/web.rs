//! HTTPS for the vault: the public web's roots, bounded answers, patient retries.

use crate::text::clip;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, Method, Url};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::VaultError;
use crate::json;

/// The largest answer, in bytes; a certificate takes a few thousand.
const MAX_ANSWER: usize = 1 << 20;
/// How long one request may take, with all its retries.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long one try may take.
const TRY: Duration = Duration::from_secs(20);
/// The metadata service of Azure's virtual machines, which no other machine can answer for.
const METADATA: &str = "http://169.254.169.254/";
/// The first pause where the server names none. Each is four times the last, up to forty times the first.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Two HTTP clients: one for the web, one for the machine itself.
#[derive(Clone)]
pub struct Web {
    web: Client,
    local: Client,
    patience: Duration,
    first_pause: Duration,
    metadata: Url,
}

/// One request.
pub(super) struct Wire {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Zeroizing<String>>,
    to: To,
}

/// Whom a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// The vault, or whoever gives tokens for it.
    Web,
    /// What gives tokens on the machine itself.
    Machine,
    /// The metadata service of a virtual machine.
    Metadata,
}

/// An answer of any status.
pub(super) struct VaultResponse {
    pub(super) status: u16,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
    host: String,
}

impl Web {
    /// A client that trusts what the operating system trusts, and uses its proxy.
    pub fn new() -> Result<Self, VaultError> {
        let config =
            tls()?.with_platform_verifier().map_err(|e| VaultError::Client(e.to_string()))?.with_no_client_auth();
        Self::build(config, |client| client)
    }

    /// A client that trusts the one root in `pem`, and reaches `hosts` at the given addresses: for tests.
    pub fn with_root(pem: &[u8], hosts: &[(&str, SocketAddr)]) -> Result<Self, VaultError> {
        let failed = |e: &dyn std::fmt::Display| VaultError::Client(e.to_string());
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(pem).map_err(|e| failed(&e))?;
        roots.add(root).map_err(|e| failed(&e))?;
        let config = tls()?.with_root_certificates(roots).with_no_client_auth();
        Self::build(config, |client| {
            hosts.iter().fold(client.no_proxy(), |client, (host, address)| client.resolve(host, *address))
        })
    }

    /// The same clients, but a request may take no longer than `patience` (a minute otherwise).
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same clients, but the first pause between two tries is this (a quarter of a second otherwise), and the others
    /// are longer accordingly.
    pub fn with_first_pause(self, first_pause: Duration) -> Self {
        Self { first_pause, ..self }
    }

    /// The same clients, with the virtual machine's metadata service elsewhere: for tests.
    pub fn with_metadata(self, metadata: Url) -> Self {
        Self { metadata, ..self }
    }

    /// Where the virtual machine's metadata service is.
    pub(super) fn metadata(&self) -> &Url {
        &self.metadata
    }

    fn build(
        config: ClientConfig,
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<Self, VaultError> {
        let builder = || {
            Client::builder()
                .tls_backend_preconfigured(config.clone())
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("ccf-gov/", env!("CARGO_PKG_VERSION")))
        };
        let failed = |e: reqwest::Error| VaultError::Client(e.to_string());
        let web = more(builder().https_only(true).connect_timeout(Duration::from_secs(10))).build().map_err(failed)?;
        let local = builder().no_proxy().connect_timeout(Duration::from_secs(3)).build().map_err(failed)?;
        let metadata = Url::parse(METADATA).map_err(|e| VaultError::Client(e.to_string()))?;
        Ok(Self { web, local, patience: PATIENCE, first_pause: FIRST_PAUSE, metadata })
    }

    /// Sends a request that is safe to repeat, and repeats it when the server is busy, broken or away: as often as its
    /// time allows.
    pub(super) async fn send(&self, request: &Wire) -> Result<VaultResponse, VaultError> {
        let end = Instant::now() + self.patience;
        let left = || end.saturating_duration_since(Instant::now());
        let mut pause = self.first_pause;
        loop {
            let time = TRY.min(left());
            let tried = tokio::time::timeout(time, self.once(request)).await.unwrap_or_else(|_| {
                let why = format!("no answer within {} seconds", time.as_secs_f32().round().max(1.0));
                Err(VaultError::Timeout { host: request.host(), why })
            });
            let asked = match &tried {
                Ok(answer) if answer.is_passing(request.to) => answer.retry_after(),
                // A machine without the metadata service never gets one.
                Err(VaultError::Unreachable { .. } | VaultError::Timeout { .. }) if request.to == To::Web => None,
                _ => return tried,
            };
            match (&tried, asked) {
                (Ok(answer), Some(asked)) if asked >= left() => {
                    let why = format!("status {}, wait {} seconds, which is too long", answer.status, asked.as_secs());
                    return Err(VaultError::Timeout { host: request.host(), why });
                }
                (_, None) if pause >= left() => return tried,
                _ => {}
            }
            // "At once" would be as fast as both can.
            let wait = asked.map_or(pause, |asked| asked.max(self.first_pause));
            tracing::debug!(host = request.host(), seconds = wait.as_secs_f32(), "waiting before the next try");
            tokio::time::sleep(wait).await;
            pause = (pause * 4).min(self.first_pause * 40);
        }
    }

    async fn once(&self, request: &Wire) -> Result<VaultResponse, VaultError> {
        let host = request.host();
        let failed = |e: reqwest::Error| VaultError::Unreachable { host: request.host(), why: innermost(&e) };
        let client = if request.to == To::Web { &self.web } else { &self.local };
        let mut builder = client.request(request.method.clone(), request.url.clone()).headers(request.headers.clone());
        if let Some(body) = &request.body {
            // The copy is wiped when it was sent.
            builder = builder.body(Bytes::from_owner(body.clone()));
        }
        let mut response = builder.send().await.map_err(failed)?;
        // An answer may be a token: wiped, and never moved to a larger place.
        let mut body = Zeroizing::new(Vec::with_capacity(MAX_ANSWER));
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(VaultError::NotUnderstood { host, why: format!("it is larger than {MAX_ANSWER} bytes") });
            }
            body.extend_from_slice(&chunk);
        }
        tracing::debug!(host, path = request.url.path(), status = response.status().as_u16(), "answered");
        Ok(VaultResponse { status: response.status().as_u16(), headers: response.headers().clone(), body, host })
    }
}

fn tls() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, VaultError> {
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| VaultError::Client(e.to_string()))
}

fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let last = std::iter::successors(Some(error), |e| e.source()).last();
    last.map_or_else(String::new, ToString::to_string)
}

impl Wire {
    /// A request to the vault. The token is kept out of logs.
    pub(super) fn vault(method: Method, url: Url, token: &str, body: Option<String>) -> Result<Self, VaultError> {
        let header = Zeroizing::new(format!("Bearer {token}"));
        let mut value = HeaderValue::from_str(&header)
            .map_err(|_| VaultError::Credential("the access token is not one line of plain characters".into()))?;
        value.set_sensitive(true);
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self { method, url, headers, body: body.map(Zeroizing::new), to: To::Web })
    }

    /// A form, as Entra ID takes it.
    pub(super) fn post_form(url: Url, form: Zeroizing<String>) -> Self {
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind)]);
        Self { method: Method::POST, url, headers, body: Some(form), to: To::Web }
    }

    /// A request to the machine itself.
    pub(super) fn get_local(to: To, url: Url, header: (&'static str, Zeroizing<String>)) -> Self {
        let mut headers = HeaderMap::new();
        if let Ok(mut value) = HeaderValue::from_str(&header.1) {
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(header.0), value);
        }
        Self { method: Method::GET, url, headers, body: None, to }
    }

    pub(super) fn host(&self) -> String {
        self.url.host_str().unwrap_or_default().into()
    }
}

impl VaultResponse {
    /// Whether the same request may succeed a little later.
    fn is_passing(&self, of: To) -> bool {
        match self.status {
            // What the server does not know (501: the method, 505: the version of HTTP) it will not know later.
            501 | 505 => false,
            408 | 429 | 500..=599 => true,
            // Microsoft, "Azure Instance Metadata Service": 404 and 410 come while the service is updated.
            404 | 410 => of == To::Metadata,
            _ => false,
        }
    }

    /// How long to wait, from seconds or a date (RFC 9110, section 10.2.3).
    fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        match text.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => {
                let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
                Some((date - OffsetDateTime::now_utc()).try_into().unwrap_or_default())
            }
        }
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, VaultError> {
        json::parse(&self.body)
            .map_err(|e| VaultError::NotUnderstood { host: self.host.clone(), why: format!("it is not JSON: {e}") })
    }

    /// A parameter of the `WWW-Authenticate: Bearer` challenge.
    pub(super) fn challenge(&self, name: &str) -> Option<String> {
        let challenge = self.headers.get(WWW_AUTHENTICATE)?.to_str().ok()?;
        let parameters = challenge.strip_prefix("Bearer ")?;
        let found = parameters.split([',', ' ']).find_map(|p| p.trim().strip_prefix(name)?.strip_prefix('='))?;
        Some(found.trim_matches('"').to_owned())
    }

    /// What the server says of its refusal, short, printable, and without `secrets`.
    pub(super) fn reason(&self, secrets: &[&str]) -> String {
        let body = json::parse(&self.body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let error = &body["error"];
        let parts = match error {
            Value::Object(error) => [error.get("code").and_then(text), error.get("message").and_then(text)],
            error => [text(error), text(&body["error_description"])],
        };
        let mut reason = parts.into_iter().flatten().collect::<Vec<_>>().join(": ");
        if reason.is_empty() {
            reason = format!("status {}", self.status);
        }
        for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
            reason = reason.replace(secret, "…");
        }
        let reason = clip(&reason, 400);
        crate::text::visible(&reason)
    }
}
