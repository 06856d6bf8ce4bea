//! One request to one node: TLS under the service certificate alone, bounded answers, redirects.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::{Client, Method, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::error::{NodeFailure, ServiceError};
use super::{NodeAddress, Refusal};
use crate::id::TransactionId;
use crate::json;

/// The longest answer that is read: 64 MiB, more than any ledger-sized answer of the governance API.
const MAX_ANSWER: usize = 64 << 20;
const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(5);

/// A request, the same for every node.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub method: Method,
    /// Path and query, for example `/gov/service/info?api-version=2024-07-01`.
    pub path: String,
    /// A COSE envelope.
    pub body: Option<Vec<u8>>,
}

impl Request {
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }
}

/// A whole answer of one node.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub node: NodeAddress,
    pub status: StatusCode,
    pub transaction: Option<TransactionId>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The refusal in a body `{"error": {…}}`.
    pub fn refusal(&self) -> Option<Refusal> {
        let body = json::parse(&self.body).ok()?;
        let error = body.get("error")?;
        let details = error.get("details").and_then(|d| d.as_array()).into_iter().flatten();
        // It is shown to people: bounded, and without what could steer a terminal.
        let text = |v: &serde_json::Value| Some(printable(v.as_str()?, 4000));
        Some(Refusal {
            status: self.status.as_u16(),
            code: text(error.get("code")?)?,
            message: error.get("message").and_then(text).unwrap_or_default(),
            details: details.filter_map(|d| text(d.get("message")?)).take(20).collect(),
            after_silence: false,
        })
    }

    pub fn not_understood(&self, what: impl Into<String>, reason: &dyn Error) -> ServiceError {
        let reason = match reason.source() {
            Some(source) => format!("{reason}: {source}"),
            None => reason.to_string(),
        };
        ServiceError::NotUnderstood { node: self.node.clone(), what: what.into(), reason }
    }

    /// The beginning of the body as printable text.
    pub fn excerpt(&self) -> String {
        let start = &self.body[..self.body.len().min(300)];
        printable(&String::from_utf8_lossy(start), 300)
    }
}

fn printable(text: &str, limit: usize) -> String {
    let plain = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().map(plain).take(limit).collect::<String>().trim().to_owned()
}

/// The HTTP client: connections are kept and shared by its clones.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    timeout: Duration,
}

impl Http {
    /// A client that trusts the one certificate in `pem`, and waits at most `timeout` for an answer.
    pub fn new(pem: &[u8], timeout: Duration) -> Result<Self, ServiceError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls(pem)?)
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("ccf-gov/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| ServiceError::Client(chain(&e)))?;
        Ok(Self { client, timeout })
    }

    /// The same client, less patient: for looking around.
    pub fn hurried(&self, timeout: Duration) -> Self {
        Self { client: self.client.clone(), timeout: self.timeout.min(timeout) }
    }

    /// Sends `request` to `node`, and on to where it redirects, with the same method and body.
    pub async fn send(&self, node: &NodeAddress, request: &Request) -> Result<Reply, NodeFailure> {
        let seconds = self.timeout.as_secs();
        match tokio::time::timeout(self.timeout, self.follow(node, request)).await {
            Ok(result) => result,
            Err(_) => Err(NodeFailure::Timeout(seconds)),
        }
    }

    async fn follow(&self, node: &NodeAddress, request: &Request) -> Result<Reply, NodeFailure> {
        let mut url = node.join(&request.path).map_err(|e| NodeFailure::Connect(e.to_string()))?;
        for hop in 0..=MAX_REDIRECTS {
            let (status, headers, body) = self.once(&url, request).await.map_err(|failure| match (hop, failure) {
                (0, failure) => failure,
                (_, NodeFailure::Certificate(why)) => NodeFailure::Redirect(format!(
                    "to {url}, which the service certificate does not vouch for ({why}); it is not followed"
                )),
                (_, NodeFailure::Connect(why)) => {
                    NodeFailure::Redirect(format!("to {url}, which cannot be reached: {why}"))
                }
                (_, failure) => failure,
            })?;
            tracing::debug!(%url, status = status.as_u16(), bytes = body.len(), "answered");
            let moved = matches!(status.as_u16(), 303 | 307 | 308);
            if !moved {
                return Ok(Reply { node: node.clone(), status, transaction: transaction(&headers), body });
            }
            url = target(&url, &headers)?;
        }
        Err(NodeFailure::Redirect(format!("more than {MAX_REDIRECTS} times")))
    }

    async fn once(&self, url: &Url, request: &Request) -> Result<(StatusCode, HeaderMap, Vec<u8>), NodeFailure> {
        let mut builder = self.client.request(request.method.clone(), url.clone());
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/cose").body(body.clone());
        }
        let mut response = builder.send().await.map_err(|e| failure(&e))?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(NodeFailure::TooLarge(MAX_ANSWER));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), response.headers().clone(), body))
    }
}

/// TLS 1.2 and 1.3 with the service certificate as the only root; host names and addresses are checked.
fn tls(pem: &[u8]) -> Result<ClientConfig, ServiceError> {
    let unusable = |e: &dyn std::fmt::Display| ServiceError::Certificate(e.to_string());
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|_| unusable(&"the file is not PEM, or it is cut short"))?;
    let [certificate] = <[_; 1]>::try_from(certificates).map_err(|all| {
        let found = all.len();
        unusable(&format!("the file holds {found} certificates, and a service has one"))
    })?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).map_err(|e| unusable(&e))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| unusable(&e))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

fn target(from: &Url, headers: &HeaderMap) -> Result<Url, NodeFailure> {
    let location = headers.get(LOCATION).and_then(|l| l.to_str().ok());
    let location = location.ok_or_else(|| NodeFailure::Redirect("without saying where to".into()))?;
    let target = from.join(location).map_err(|_| NodeFailure::Redirect("to what is no address".into()))?;
    if target.scheme() != "https" || !target.username().is_empty() || target.password().is_some() {
        return Err(NodeFailure::Redirect(format!("to {target}, which is not plain https; it is not followed")));
    }
    Ok(target)
}

fn transaction(headers: &HeaderMap) -> Option<TransactionId> {
    headers.get("x-ms-ccf-transaction-id")?.to_str().ok()?.parse().ok()
}

fn failure(error: &reqwest::Error) -> NodeFailure {
    let causes = causes(error);
    let tls = causes.iter().find_map(|e| e.downcast_ref::<rustls::Error>());
    let text = chain(error);
    match tls {
        Some(rustls::Error::InvalidCertificate(_)) => return NodeFailure::Certificate(text),
        Some(_) if error.is_connect() => return NodeFailure::Connect(text),
        _ => {}
    }
    let parse = causes.iter().any(|e| {
        let hyper = e.downcast_ref::<hyper::Error>();
        hyper.is_some_and(|h| h.is_parse() || h.is_parse_too_large() || h.is_parse_status())
    });
    if error.is_connect() {
        NodeFailure::Connect(text)
    } else if parse {
        NodeFailure::NotHttp(text)
    } else if error.is_timeout() {
        NodeFailure::Timeout(CONNECT.as_secs())
    } else {
        NodeFailure::Closed(text)
    }
}

/// The innermost cause, which says what happened; the outer ones only say where.
fn chain(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The error and its causes, outermost first. An I/O error passes over what it wraps as its own source, so that is asked for.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> Vec<&'e (dyn Error + 'static)> {
    let next = |e: &'e (dyn Error + 'static)| match e.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref()) {
        Some(inner) => Some(inner as &(dyn Error + 'static)),
        None => e.source(),
    };
    let mut causes = vec![error];
    let mut last = error;
    while let Some(cause) = next(last) {
        causes.push(cause);
        last = cause;
    }
    causes
}
