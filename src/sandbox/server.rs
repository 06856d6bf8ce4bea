//! A node's interface: TLS with its endorsed certificate, HTTP/1.1, bounded in every direction.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, ORIGIN};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::SandboxError;
use super::dispatch::{self, Session};
use super::identity::Key;
use super::network::Network;
use super::reply::{Body, Fault, Reply};
use super::router::Request;
use crate::id::NodeId;

/// Connections to one node at a time.
const MAX_CONNECTIONS: usize = 1000;
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// TLS as a node with this key and certificate speaks it.
pub(super) fn acceptor(key: &Key, certificate_pem: &str) -> Result<TlsAcceptor, SandboxError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).map_err(SandboxError::certificate)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SandboxError::certificate)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .map_err(SandboxError::certificate)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves a node until its `running` is dropped.
pub(super) async fn serve(
    network: Arc<Network>,
    node: NodeId,
    listener: TcpListener,
    mut running: watch::Receiver<()>,
) {
    let Some(tls) = network.state().nodes.get(&node).map(|n| n.tls.clone()) else { return };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let stream = tokio::select! {
            _ = running.changed() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    continue;
                }
            },
        };
        // A node that is not trusted has no certificate to show: it closes the connection.
        let acceptor = tls.read().unwrap_or_else(PoisonError::into_inner).clone();
        let (Some(acceptor), Ok(place)) = (acceptor, places.clone().try_acquire_owned()) else { continue };
        let (network, mut running) = (network.clone(), running.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = running.changed() => {}
                () = connection(network, node, acceptor, stream) => {}
            }
            drop(place);
        });
    }
}

struct Activity {
    busy: AtomicUsize,
    last: Mutex<Instant>,
}

async fn connection(network: Arc<Network>, node: NodeId, acceptor: TlsAcceptor, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await else { return };
    let idle = network.options.idle_timeout;
    let activity = Arc::new(Activity { busy: AtomicUsize::new(0), last: Mutex::new(Instant::now()) });
    let session = Arc::new(Session::default());
    let watched = activity.clone();
    let service = service_fn(move |request| {
        let (network, session, activity) = (network.clone(), session.clone(), activity.clone());
        async move {
            activity.busy.fetch_add(1, Ordering::SeqCst);
            let reply = receive(network, node, &session, request).await;
            *activity.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
            activity.busy.fetch_sub(1, Ordering::SeqCst);
            Ok::<_, Infallible>(response(reply))
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.max_buf_size(64 << 10).max_headers(256);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            () = tokio::time::sleep(idle) => {
                let last = *watched.last.lock().unwrap_or_else(PoisonError::into_inner);
                if watched.busy.load(Ordering::SeqCst) == 0 && last.elapsed() >= idle {
                    return;
                }
            }
        }
    }
}

async fn receive(network: Arc<Network>, node: NodeId, session: &Session, request: hyper::Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let limit = network.options.max_body;
    let body = tokio::time::timeout(network.options.idle_timeout, Limited::new(body, limit).collect()).await;
    let body = match body {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => {
            let message = format!("The request's body is larger than {limit} bytes.");
            return Reply { close: true, ..Fault::new(413, "RequestBodyTooLarge", message).into() };
        }
        Err(_) => return Reply { close: true, ..Fault::internal("The request's body did not come.").into() },
    };
    let header = |name| parts.headers.get(name).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let request = Request {
        method: parts.method.as_str().to_owned(),
        path: parts.uri.path().to_owned(),
        raw_query: parts.uri.query().unwrap_or_default().to_owned(),
        content_type: header(CONTENT_TYPE),
        host: header(HOST),
        has_origin: parts.headers.contains_key(ORIGIN),
        body,
    };
    dispatch::answer(network, node, session, request).await
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let (content_type, body) = match reply.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(json) => (Some("application/json"), Bytes::from(json)),
        Body::JavaScript(text) => (Some("text/javascript"), Bytes::from(text)),
        Body::Raw(bytes) => (None, Bytes::from(bytes)),
        Body::Text(text) => (Some("text/plain"), Bytes::from(text)),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    if let Some(id) = reply.transaction
        && let Ok(value) = HeaderValue::from_str(&id.to_string())
    {
        headers.insert("x-ms-ccf-transaction-id", value);
    }
    for (name, value) in reply.headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(name, value);
        }
    }
    if reply.close {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
