//! A TLS server that answers whatever a test wants it to: the part of a node that misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// A service's identity, which vouches for its nodes.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The service certificate.
    pub pem: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Test Service");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn acceptor(&self, host: &str, key: &KeyPair) -> TlsAcceptor {
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A node's key, which proves who it is.
pub struct NodeKey(KeyPair);

impl NodeKey {
    pub fn new() -> Self {
        Self(KeyPair::generate().unwrap())
    }

    /// The id of the node.
    pub fn id(&self) -> String {
        hex::encode(ccf_gov::digest::sha256(&self.0.subject_public_key_info()))
    }
}

/// What the server was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub content_type: Option<String>,
    pub authorization: Option<String>,
    /// The headers, as they came.
    pub head: String,
    pub body: Vec<u8>,
    /// Which connection it came by, counted from 0.
    pub connection: usize,
}

impl Asked {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }
}

/// What the server does about it.
pub struct Reply {
    bytes: Vec<u8>,
    then: Then,
}

enum Then {
    Keep,
    Close,
    Hang,
}

impl Reply {
    pub fn text(status: u16, body: &str) -> Self {
        Self::full(status, &[("content-type", "text/plain")], body.as_bytes())
    }

    pub fn json(status: u16, body: &Value) -> Self {
        Self::full(status, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// 200 in a transaction.
    pub fn at(transaction: &str, body: &Value) -> Self {
        let headers = [("content-type", "application/json"), ("x-ms-ccf-transaction-id", transaction)];
        Self::full(200, &headers, body.to_string().as_bytes())
    }

    /// 204 in a transaction.
    pub fn nothing_at(transaction: &str) -> Self {
        Self::full(204, &[("x-ms-ccf-transaction-id", transaction)], b"")
    }

    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message}}))
    }

    pub fn redirect(status: u16, location: &str) -> Self {
        Self::full(status, &[("location", location)], b"")
    }

    fn full(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        let mut bytes = (head + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self { bytes, then: Then::Keep }
    }

    /// These bytes, and the end of the connection.
    pub fn raw(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), then: Then::Close }
    }

    /// Nothing, and the end of the connection.
    pub fn close() -> Self {
        Self::raw(b"")
    }

    /// Nothing, ever.
    pub fn hang() -> Self {
        Self { bytes: Vec::new(), then: Then::Hang }
    }

    /// The answer without its last bytes, and the end of the connection.
    pub fn cut_short(mut self, by: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - by);
        self.then = Then::Close;
        self
    }

    /// The answer as if all were well, and the end of the connection.
    pub fn then_close(mut self) -> Self {
        self.then = Then::Close;
        self
    }
}

/// A listening server; it ends when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(authority: &Authority, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_as(authority, "127.0.0.1", answer).await
    }

    /// With a certificate for `host`.
    pub async fn start_as(
        authority: &Authority,
        host: &str,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(authority.acceptor(host, &NodeKey::new().0), answer).await
    }

    /// With this key.
    pub async fn start_node(
        authority: &Authority,
        key: &NodeKey,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::with(authority.acceptor("127.0.0.1", &key.0), answer).await
    }

    async fn with(acceptor: TlsAcceptor, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (asked.clone(), Arc::new(answer));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            for connection in 0.. {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (acceptor, answer, log) = (acceptor.clone(), answer.clone(), log.clone());
                connections.spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, connection, &*answer, &log).await;
                    }
                });
            }
        });
        Self { address, asked, task }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Everything that it was asked, without the client's looking around.
    pub fn asked(&self) -> Vec<Asked> {
        let all = self.asked.lock().unwrap();
        all.iter().filter(|a| !a.target.starts_with("/node/")).cloned().collect()
    }

    pub fn asked_all(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    answer: &(dyn Fn(&Asked) -> Reply + Send + Sync),
    log: &Mutex<Vec<Asked>>,
) {
    while let Some(asked) = read(&mut stream, connection).await {
        log.lock().unwrap().push(asked.clone());
        let reply = answer(&asked);
        if stream.write_all(&reply.bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        match reply.then {
            Then::Keep => {}
            Then::Hang => std::future::pending().await,
            Then::Close => {
                let _ = stream.shutdown().await;
                return;
            }
        }
    }
}

async fn read(stream: &mut (impl AsyncRead + Unpin), connection: usize) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let header = |name: &str| {
        let line = head.lines().find(|l| l.to_ascii_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let mut body = vec![0; header("content-length").map_or(0, |n| n.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method,
        target,
        content_type: header("content-type"),
        authorization: header("authorization"),
        head: head.clone(),
        body,
        connection,
    })
}
