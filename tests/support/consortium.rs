//! The example members, a sandbox that knows them, and a client that speaks to it as curl would.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ccf_gov::constitution::DEFAULT;
use ccf_gov::cose::{MemberCertificate, MessageType};
use ccf_gov::sandbox::{Member, NodeCode, Options, Sandbox};
use serde_json::Value;

/// The folder of the example keys.
pub fn keys() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("keys-example")
}

/// The three example members.
pub fn members() -> Vec<Member> {
    let read = |name: String| std::fs::read_to_string(keys().join(name)).unwrap();
    let member = |n: usize| Member {
        certificate: MemberCertificate::from_pem(read(format!("member{n}_cert.pem")).as_bytes()).unwrap(),
        encryption_key: Some(read(format!("member{n}_enc_pubk.pem"))),
        data: Value::Null,
    };
    (0..3).map(member).collect()
}

/// A quick sandbox of the example members, with `nodes` nodes that run the code named `old`.
pub fn options(nodes: usize) -> Options {
    let mut options = Options::new(members(), DEFAULT.to_owned(), vec![NodeCode::named("old"); nodes]);
    options.election_timeout = Duration::from_millis(300);
    options
}

/// Waits until `done`, for as long as a busy machine may need.
pub async fn wait(what: &str, done: impl AsyncFn() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done().await {
        assert!(Instant::now() < until, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    /// JSON, or the text as a JSON string, or null.
    pub body: Value,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|v| v.to_str().ok())
    }

    pub fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body =
            if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap_or(Value::String(text)) };
        Self { status, headers, body }
    }
}

/// A client that trusts one service's certificate and follows nothing.
pub struct Client {
    http: reqwest::Client,
    first: String,
}

impl Client {
    /// One that connects anew for every request: a session does not survive an election.
    pub fn new(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, |builder| builder.pool_max_idle_per_host(0))
    }

    /// One that keeps its connections.
    pub fn keeping_connections(sandbox: &Sandbox) -> Self {
        Self::with(sandbox, |builder| builder)
    }

    /// One that keeps its connections to the node at `url`.
    pub fn of(url: &str, service_certificate: &str) -> Self {
        Self::build(url.into(), service_certificate, |builder| builder)
    }

    fn with(sandbox: &Sandbox, more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder) -> Self {
        let primary = sandbox.primary();
        let first = sandbox.nodes().into_iter().max_by_key(|n| Some(n.id) == primary).unwrap().url;
        Self::build(first, &sandbox.service_certificate(), more)
    }

    fn build(
        first: String,
        service_certificate: &str,
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(service_certificate.as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([root]).redirect(reqwest::redirect::Policy::none());
        let http = more(builder).build().unwrap();
        Self { http, first }
    }

    pub async fn try_get(&self, url: &str, path: &str) -> reqwest::Result<reqwest::Response> {
        self.http.get(format!("{url}{path}")).send().await
    }

    pub async fn get(&self, url: &str, path: &str) -> Reply {
        Reply::read(self.try_get(url, path).await.unwrap()).await
    }

    pub async fn head(&self, url: &str, path: &str) -> Reply {
        Reply::read(self.http.head(format!("{url}{path}")).send().await.unwrap()).await
    }

    pub async fn delete(&self, url: &str, path: &str) -> Reply {
        Reply::read(self.http.delete(format!("{url}{path}")).send().await.unwrap()).await
    }

    /// A signed request, as `curl --data-binary` sends it.
    pub async fn post(&self, url: &str, path: &str, body: &[u8]) -> Reply {
        self.post_as(url, path, body, "application/cose").await
    }

    pub async fn post_as(&self, url: &str, path: &str, body: &[u8], content_type: &str) -> Reply {
        let request = self.http.post(format!("{url}{path}")).header("content-type", content_type);
        Reply::read(request.body(body.to_vec()).send().await.unwrap()).await
    }

    /// The first primary's answer to a read under `/gov`.
    pub async fn gov(&self, path: &str) -> Reply {
        let mark = if path.contains('?') { '&' } else { '?' };
        self.get(&self.first, &format!("/gov{path}{mark}api-version=2024-07-01")).await
    }

    /// The first primary.
    pub fn first(&self) -> &str {
        &self.first
    }
}

/// The path to which a request of this kind goes.
pub fn path(kind: MessageType, member: &str, proposal: &str) -> String {
    let path = match kind {
        MessageType::Proposal => "/members/proposals:create".to_owned(),
        MessageType::Ballot => format!("/members/proposals/{proposal}/ballots/{member}:submit"),
        MessageType::Withdrawal => format!("/members/proposals/{proposal}:withdraw"),
        MessageType::StateDigest => format!("/members/state-digests/{member}:update"),
        MessageType::Ack => format!("/members/state-digests/{member}:ack"),
        MessageType::RecoveryShare => format!("/recovery/members/{member}:recover"),
        MessageType::EncryptedRecoveryShare => format!("/recovery/encrypted-shares/{member}"),
    };
    format!("/gov{path}?api-version=2024-07-01")
}
