//! One request to one node: TLS under the service certificate alone, bounded answers, redirects.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use reqwest::tls::TlsInfo;
use reqwest::{Client, Method, StatusCode, Url};

use super::error::{NodeFailure, ServiceError};
use super::tls::{self, WrongCertificate};
use super::{NodeAddress, Refusal};
use crate::id::{NodeId, TransactionId};
use crate::json::{self, JsonError};
use crate::text::excerpt;

const MAX_REDIRECTS: usize = 5;
const CONNECT: Duration = Duration::from_secs(5);

/// How large an answer may be: in bytes, and in JSON values, which take far more memory than their text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    bytes: usize,
    values: u32,
}

impl Bounds {
    /// A few words, such as a status.
    pub(super) const WORDS: Self = Self { bytes: 256 << 10, values: 4000 };
    /// Something of each member, node, or proposal; a policy.
    pub(super) const LIST: Self = Self { bytes: 16 << 20, values: 50_000 };
    /// A proposal, a script, an application: what members wrote.
    pub(super) const DOCUMENT: Self = Self { bytes: 64 << 20, values: json::MAX_VALUES };
}

/// A request, the same for every node.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub method: Method,
    /// Path and query, for example `/gov/service/info?api-version=2024-07-01`.
    pub path: String,
    /// A COSE envelope.
    pub body: Option<Vec<u8>>,
    /// How large the answer may be.
    pub bounds: Bounds,
}

impl Request {
    pub(super) fn get(path: impl Into<String>, bounds: Bounds) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, bounds }
    }

    /// Whether asking several nodes at once changes nothing.
    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
    }
}

/// A whole answer of one node.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub node: NodeAddress,
    /// The node that answered, by the key of its certificate.
    pub peer: Option<NodeId>,
    pub status: StatusCode,
    pub transaction: Option<TransactionId>,
    pub body: Vec<u8>,
    pub bounds: Bounds,
}

impl Reply {
    /// The body as JSON.
    pub(super) fn json(&self) -> Result<serde_json::Value, JsonError> {
        json::parse_up_to(self.bounds.values, &self.body)
    }

    /// The refusal in a body `{"error": {…}}`.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        let body = json::parse_up_to(Bounds::WORDS.values, &self.body).ok()?;
        let error = body.get("error")?;
        let details = error.get("details").and_then(|d| d.as_array()).into_iter().flatten();
        let text = |v: &serde_json::Value| Some(excerpt(v.as_str()?.trim(), 4000));
        Some(Refusal {
            status: self.status.as_u16(),
            code: text(error.get("code")?)?,
            message: error.get("message").and_then(text).unwrap_or_default(),
            details: details.filter_map(|d| text(d.get("message")?)).take(20).collect(),
            after_silence: false,
        })
    }

    pub(super) fn not_understood(&self, what: impl Into<String>, reason: &dyn Error) -> ServiceError {
        let reason = match reason.source() {
            Some(source) => format!("{reason}: {source}"),
            None => reason.to_string(),
        };
        ServiceError::NotUnderstood { node: self.node.clone(), what: what.into(), reason: excerpt(&reason, 1000) }
    }

    /// The beginning of the body, made fit to be read.
    pub(super) fn excerpt(&self) -> String {
        let start = &self.body[..self.body.len().min(2000)];
        excerpt(String::from_utf8_lossy(start).trim(), 300)
    }
}

/// The HTTP client: connections are kept and shared by its clones.
#[derive(Clone, Debug)]
pub(super) struct Http {
    client: Client,
    timeout: Duration,
}

impl Http {
    /// A client that trusts the one certificate in `pem`, and waits at most `timeout` for an answer.
    pub(super) fn new(pem: &[u8], timeout: Duration) -> Result<Self, ServiceError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(pem)?)
            .tls_info(true)
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
    pub(super) fn hurried(&self, timeout: Duration) -> Self {
        Self { client: self.client.clone(), timeout: self.timeout.min(timeout) }
    }

    /// Sends `request` to `node`, and on to where it redirects, with the same method and body.
    pub(super) async fn send(&self, node: &NodeAddress, request: &Request) -> Result<Reply, NodeFailure> {
        let seconds = self.timeout.as_secs_f32().ceil() as u64;
        match tokio::time::timeout(self.timeout, self.follow(node, request)).await {
            Ok(result) => result,
            Err(_) => Err(NodeFailure::Timeout(seconds)),
        }
    }

    async fn follow(&self, node: &NodeAddress, request: &Request) -> Result<Reply, NodeFailure> {
        let mut url = node.join(&request.path).map_err(|e| NodeFailure::Connect(e.to_string()))?;
        for hop in 0..=MAX_REDIRECTS {
            let (reply, headers) = self.once(node, &url, request).await.map_err(|failure| match (hop, failure) {
                (0, failure) => failure,
                (_, NodeFailure::Certificate(why)) => {
                    NodeFailure::Redirect(format!("to {url}, which is not a node of the service: {why}"))
                }
                (_, NodeFailure::Connect(why)) => {
                    NodeFailure::Redirect(format!("to {url}, which cannot be reached: {why}"))
                }
                (_, failure) => failure,
            })?;
            let (status, bytes) = (reply.status.as_u16(), reply.body.len());
            tracing::info!(method = %request.method, %url, status, bytes, "answered");
            match status {
                303 | 307 | 308 => url = target(&url, &headers)?,
                _ => return Ok(reply),
            }
        }
        Err(NodeFailure::Redirect(format!("more than {MAX_REDIRECTS} times")))
    }

    async fn once(&self, node: &NodeAddress, url: &Url, request: &Request) -> Result<(Reply, HeaderMap), NodeFailure> {
        let mut builder = self.client.request(request.method.clone(), url.clone());
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, "application/cose").body(body.clone());
        }
        let mut response = builder.send().await.map_err(|e| failure(&e))?;
        let peer = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate).and_then(tls::node_id);
        let (bounds, mut body) = (request.bounds, Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e))? {
            if body.len() + chunk.len() > bounds.bytes {
                return Err(NodeFailure::TooLarge(bounds.bytes));
            }
            body.extend_from_slice(&chunk);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        Ok((Reply { node: node.clone(), peer, status, transaction: transaction(&headers), body, bounds }, headers))
    }
}

fn target(from: &Url, headers: &HeaderMap) -> Result<Url, NodeFailure> {
    let location = headers.get(LOCATION).and_then(|l| l.to_str().ok());
    let location = location.ok_or_else(|| NodeFailure::Redirect("without saying where to".into()))?;
    let target =
        from.join(location).map_err(|_| NodeFailure::Redirect("to something that is not an address".into()))?;
    if target.scheme() != "https" || !target.username().is_empty() || target.password().is_some() {
        return Err(NodeFailure::Redirect(format!("to {target}; only https redirects are followed")));
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
        Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
            if let Some(wrong) = other.0.downcast_ref::<WrongCertificate>() {
                return NodeFailure::Certificate(Box::new(wrong.clone()));
            }
        }
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
