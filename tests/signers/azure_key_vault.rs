//! `azurekms:`, against a server that behaves as Microsoft's documentation says, over TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use ccf_gov::cose::Algorithm;
use ccf_gov::signer::{
    AzureCredential, AzureKeyVaultSigner, KeyUri, NewKeys, Proof, Signer, SignerError, VaultKey, Web,
};
use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::pkcs8::DecodePrivateKey;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{chain, keeps_contract, keys, pem};
use crate::support::server::{Asked, Authority, Reply, Server};

const VAULT: &str = "consortium.vault.azure.net";
const LOGIN: &str = "login.microsoftonline.com";
const VERSION: &str = "0123456789abcdef0123456789abcdef";
const TOKEN: &str = "token-5b1f33";

/// A vault with one key, `member`.
struct Vault {
    pem: String,
    keys: NewKeys,
    certificate: bool,
    key_ops: &'static [&'static str],
}

impl Vault {
    fn new(algorithm: Algorithm) -> Self {
        let keys = keys("member", algorithm);
        Self { pem: pem(&keys), keys, certificate: true, key_ops: &["sign", "verify"] }
    }

    /// What it answers to somebody with the right token.
    fn answer(&self, asked: &Asked) -> Reply {
        assert!(asked.target.ends_with("?api-version=7.4"), "{}", asked.target);
        let versioned = format!("/keys/member/{VERSION}");
        match (asked.method.as_str(), asked.path()) {
            ("GET", path) if path == "/keys/member" || path == versioned => Reply::json(200, &self.key()),
            ("GET", path) if path == format!("/certificates/member/{VERSION}") && self.certificate => {
                Reply::json(200, &json!({"id": "x", "cer": STANDARD.encode(self.keys.certificate().der())}))
            }
            ("POST", path) if path == format!("{versioned}/sign") => {
                let body: Value = serde_json::from_slice(&asked.body).unwrap();
                assert_eq!(asked.content_type.as_deref(), Some("application/json"));
                assert_eq!(body["alg"], self.keys.certificate().algorithm().name());
                let digest = URL_SAFE_NO_PAD.decode(body["value"].as_str().unwrap()).unwrap();
                // ES256 signatures take padding: compliant servers leave it out, and it is taken all the same.
                let value = URL_SAFE.encode(self.sign(&digest));
                Reply::json(200, &json!({"kid": self.kid(), "value": value}))
            }
            _ => Reply::error(404, "KeyNotFound", "it was not found in this key vault"),
        }
    }

    fn kid(&self) -> String {
        format!("https://{VAULT}/keys/member/{VERSION}")
    }

    fn key(&self) -> Value {
        let (algorithm, point) = (self.keys.certificate().algorithm(), self.keys.certificate().public_key());
        let (x, y) = point[1..].split_at(algorithm.scalar_len());
        let part = |bytes| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "key": {"kid": self.kid(), "kty": "EC-HSM", "key_ops": self.key_ops, "crv": algorithm.curve().name(), "x": part(x), "y": part(y)},
            "attributes": {"enabled": true},
        })
    }

    fn sign(&self, digest: &[u8]) -> Vec<u8> {
        match self.keys.certificate().algorithm() {
            Algorithm::ES256 => {
                let key = p256::ecdsa::SigningKey::from_pkcs8_pem(&self.pem).unwrap();
                let signature: p256::ecdsa::Signature = key.sign_prehash(digest).unwrap();
                signature.to_bytes().to_vec()
            }
            Algorithm::ES384 => {
                let key = p384::ecdsa::SigningKey::from_pkcs8_pem(&self.pem).unwrap();
                let signature: p384::ecdsa::Signature = key.sign_prehash(digest).unwrap();
                signature.to_bytes().to_vec()
            }
            Algorithm::ES512 => {
                let key = p521::ecdsa::SigningKey::from_pkcs8_pem(&self.pem).unwrap();
                let signature: p521::ecdsa::Signature = key.sign_prehash(digest).unwrap();
                signature.to_bytes().to_vec()
            }
        }
    }
}

/// The answer to whoever brings no good token.
fn unauthorized(resource: &str) -> Reply {
    let body = r#"{"error":{"code":"Unauthorized","message":"AKV10000: bad token"}}"#;
    Reply::raw(
        format!(
            "HTTP/1.1 401 X\r\ncontent-length: {}\r\nconnection: close\r\nwww-authenticate: Bearer \
             authorization=\"https://login.windows.net/tenant-2\", resource=\"{resource}\"\r\n\r\n{body}",
            body.len()
        )
        .as_bytes(),
    )
}

fn busy(status: u16, retry_after: &str) -> Reply {
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\nretry-after: {retry_after}\r\n\r\n");
    Reply::raw(head.as_bytes())
}

fn uri(text: &str) -> VaultKey {
    match text.parse().unwrap() {
        KeyUri::AzureKeyVault(key) => key,
        other => panic!("{other:?}"),
    }
}

fn token() -> AzureCredential {
    AzureCredential::Token(Zeroizing::new(TOKEN.into()))
}

fn client(proof: Proof) -> AzureCredential {
    AzureCredential::Client { authority: None, tenant: "tenant-1".into(), client: "app".into(), proof }
}

/// Opens the key against a vault that answers so.
async fn opened(
    credential: AzureCredential,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Server, Result<AzureKeyVaultSigner, SignerError>) {
    let authority = Authority::new();
    let server = Server::start_as(&authority, VAULT, answer).await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(VAULT, server.address)]).unwrap();
    let key = uri("azurekms://consortium/member");
    let signer = AzureKeyVaultSigner::open(&key, credential, web.with_patience(Duration::from_secs(4)), None).await;
    (server, signer)
}

async fn refusal(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> String {
    let error = chain(&opened(token(), answer).await.1.unwrap_err());
    assert!(!error.contains(TOKEN), "{error}");
    error
}

#[tokio::test]
async fn a_vault_keeps_the_contract() {
    for algorithm in Algorithm::ALL {
        let vault = Arc::new(Vault::new(algorithm));
        let serving = vault.clone();
        let (server, signer) = opened(token(), move |asked| {
            assert_eq!(asked.authorization.as_deref(), Some("Bearer token-5b1f33"));
            serving.answer(asked)
        })
        .await;
        keeps_contract(&signer.unwrap(), &vault.keys).await;
        assert!(server.asked().iter().all(|asked| !asked.path().contains("secrets")));
    }
}

#[tokio::test]
async fn a_certificate_that_is_given_is_used() {
    let authority = Authority::new();
    let vault = Arc::new(Vault { certificate: false, ..Vault::new(Algorithm::ES384) });
    let serving = vault.clone();
    let server = Server::start_as(&authority, VAULT, move |asked| serving.answer(asked)).await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(VAULT, server.address)]).unwrap();
    let key = uri(&format!("azurekms://{VAULT}/member/{VERSION}"));
    let open = |certificate| AzureKeyVaultSigner::open(&key, token(), web.clone(), certificate);
    keeps_contract(&open(Some(vault.keys.certificate().clone())).await.unwrap(), &vault.keys).await;
    assert!(chain(&open(None).await.unwrap_err()).contains("--cert"));
    let other = keys("other", Algorithm::ES384).certificate().clone();
    assert!(chain(&open(Some(other)).await.unwrap_err()).contains("do not belong together"));
}

#[tokio::test]
async fn tokens_come_from_entra_id_and_are_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let federated = folder.path().join("token");
    std::fs::write(&federated, "federated-jwt\n").unwrap();
    for (proof, expected) in [
        (Proof::Secret(Zeroizing::new("s&cret".into())), "client_secret=s%26cret"),
        (Proof::FederatedTokenFile(federated), "client_assertion=federated-jwt"),
    ] {
        let authority = Authority::new();
        let given = Arc::new(AtomicUsize::new(0));
        let count = given.clone();
        let login = Server::start_as(&authority, LOGIN, move |asked| {
            assert_eq!(asked.path(), "/tenant-1/oauth2/v2.0/token");
            let form = String::from_utf8(asked.body.clone()).unwrap();
            assert!(
                form.contains(expected) && form.contains("scope=https%3A%2F%2Fvault.azure.net%2F.default"),
                "{form}"
            );
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            Reply::json(200, &json!({"token_type": "Bearer", "expires_in": 3599, "access_token": format!("t{number}")}))
        })
        .await;
        let vault = Arc::new(Vault::new(Algorithm::ES384));
        let (serving, newest) = (vault.clone(), given.clone());
        // The first token is forgotten when the second call comes.
        let calls = AtomicUsize::new(0);
        let server = Server::start_as(&authority, VAULT, move |asked| {
            let valid = if calls.fetch_add(1, Ordering::SeqCst) == 0 { 1 } else { 2 };
            match asked.authorization.as_deref() == Some(&format!("Bearer t{valid}")) {
                true => serving.answer(asked),
                false => unauthorized("https://vault.azure.net"),
            }
        })
        .await;
        let hosts = [(VAULT, server.address), (LOGIN, login.address)];
        let web = Web::with_root(authority.pem.as_bytes(), &hosts).unwrap();
        let key = uri("azurekms://consortium/member");
        let signer = AzureKeyVaultSigner::open(&key, client(proof), web, None).await.unwrap();
        signer.sign(b"x").await.unwrap();
        assert_eq!(newest.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_managed_identity_gives_tokens() {
    let authority = Authority::new();
    let identity = Server::start(&authority, |asked| {
        assert_eq!(asked.path(), "/msi/token");
        assert!(asked.head.contains("x-identity-header: header\r\n"), "{}", asked.head);
        assert!(asked.target.contains("resource=https%3A%2F%2Fvault.azure.net"), "{}", asked.target);
        Reply::json(200, &json!({"access_token": TOKEN, "expires_on": "1700000000"}))
    })
    .await;
    let vault = Arc::new(Vault::new(Algorithm::ES256));
    let serving = vault.clone();
    let server = Server::start_as(&authority, VAULT, move |asked| {
        assert_eq!(asked.authorization.as_deref(), Some("Bearer token-5b1f33"));
        serving.answer(asked)
    })
    .await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(VAULT, server.address)]).unwrap();
    let endpoint = Some((format!("{}/msi/token", identity.url()).parse().unwrap(), Zeroizing::new("header".into())));
    let credential = AzureCredential::ManagedIdentity { endpoint, client: None };
    let key = uri("azurekms://consortium/member");
    let signer = AzureKeyVaultSigner::open(&key, credential, web, None).await.unwrap();
    keeps_contract(&signer, &vault.keys).await;
}

#[tokio::test]
async fn a_virtual_machine_gives_tokens() {
    let authority = Authority::new();
    let machine = Server::start(&authority, |asked| {
        assert_eq!(asked.path(), "/metadata/identity/oauth2/token");
        assert!(asked.head.contains("metadata: true\r\n"), "{}", asked.head);
        match asked.target.contains("api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.cn&client_id=app") {
            true => Reply::json(200, &json!({"access_token": TOKEN, "token_type": "Bearer"})),
            false => Reply::json(400, &json!({"error": "invalid_request", "error_description": "Identity not found"})),
        }
    })
    .await;
    let chinese = "consortium.vault.azure.cn";
    let vault = Arc::new(Vault::new(Algorithm::ES256));
    let serving = vault.clone();
    let server = Server::start_as(&authority, chinese, move |asked| {
        assert_eq!(asked.authorization.as_deref(), Some("Bearer token-5b1f33"));
        let mut reply = serving.key();
        reply["key"]["kid"] = json!(format!("https://{chinese}/keys/member/{VERSION}"));
        if asked.method == "GET" { Reply::json(200, &reply) } else { serving.answer(asked) }
    })
    .await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(chinese, server.address)]).unwrap();
    let web = web.with_metadata(machine.url().parse().unwrap());
    let open = |client: &str, web: Web| {
        let credential = AzureCredential::ManagedIdentity { endpoint: None, client: Some(client.into()) };
        let given = Some(vault.keys.certificate().clone());
        async move {
            let key = uri("azurekms://consortium.vault.azure.cn/member");
            AzureKeyVaultSigner::open(&key, credential, web, given).await
        }
    };
    keeps_contract(&open("app", web.clone()).await.unwrap(), &vault.keys).await;
    let other = chain(&open("other", web.clone()).await.unwrap_err());
    assert!(other.contains("gives no token") && other.contains("Identity not found"), "{other}");
    assert!(other.contains("this machine's own identity was asked for"), "{other}");
    // Not a machine of Azure's: nobody listens there.
    let nobody = chain(&open("app", web.with_metadata("http://127.0.0.1:1/".parse().unwrap())).await.unwrap_err());
    assert!(
        nobody.contains("AZURE_CLIENT_SECRET") && nobody.contains("is set, and this machine has no managed identity"),
        "{nobody}"
    );
}

#[tokio::test]
async fn a_refused_log_in_is_told_without_the_secret() {
    let authority = Authority::new();
    let login = Server::start_as(&authority, LOGIN, |_| {
        let why = "AADSTS7000215: Invalid client secret s3cret-91 provided.";
        Reply::json(401, &json!({"error": "invalid_client", "error_description": why}))
    })
    .await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(LOGIN, login.address)]).unwrap();
    let credential = client(Proof::Secret(Zeroizing::new("s3cret-91".into())));
    let key = uri("azurekms://consortium/member");
    let error = chain(&AzureKeyVaultSigner::open(&key, credential, web, None).await.unwrap_err());
    assert!(error.contains("login.microsoftonline.com gives no token") && error.contains("AADSTS7000215"), "{error}");
    assert!(!error.contains("s3cret-91"), "{error}");
}

#[tokio::test]
async fn what_a_vault_refuses_is_told() {
    let stale = refusal(|_| unauthorized("https://vault.azure.net")).await;
    assert!(stale.contains("does not accept the token") && stale.contains("tenant-2"), "{stale}");
    let foreign = refusal(|_| unauthorized("https://evil.example")).await;
    assert!(foreign.contains("not its own domain"), "{foreign}");
    let denied = refusal(|asked| Reply::error(403, "Forbidden", &asked.authorization.clone().unwrap())).await;
    assert!(denied.contains("does not permit") && denied.contains("keys/get"), "{denied}");
    let missing = refusal(|_| Reply::error(404, "KeyNotFound", "no")).await;
    assert!(missing.contains("has no keys/member"), "{missing}");
    let odd = refusal(|_| Reply::error(418, "Teapot", "short\u{1b}[31m")).await;
    assert!(odd.contains("418") && !odd.contains('\u{1b}'), "{odd}");
    let moved = refusal(|_| Reply::redirect(307, "https://evil.vault.azure.net/keys/member")).await;
    assert!(moved.contains("answered 307"), "{moved}");
}

#[tokio::test]
async fn a_busy_vault_is_waited_for_but_not_for_ever() {
    let vault = Vault::new(Algorithm::ES384);
    let calls = AtomicUsize::new(0);
    let (server, signer) = opened(token(), move |asked| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => busy(429, "1"),
        1 => busy(503, "0"),
        2 => busy(503, "Sun, 06 Nov 1994 08:49:37 GMT"),
        _ => vault.answer(asked),
    })
    .await;
    signer.unwrap();
    assert_eq!(server.asked().len(), 5);
    let long = refusal(|_| busy(429, "3600")).await;
    assert!(long.contains("wait 3600 seconds"), "{long}");
    let dated = refusal(|_| busy(429, "Fri, 31 Dec 2100 23:59:59 GMT")).await;
    assert!(dated.contains("status 429, wait 2"), "{dated}");
    let hanging = refusal(|_| Reply::hang()).await;
    assert!(hanging.contains("gave an unexpected answer: no answer within 4 seconds"), "{hanging}");
    let closing = refusal(|_| Reply::close()).await;
    assert!(closing.contains("cannot be reached"), "{closing}");
}

/// Opens the key against a vault that gives these answers first; says how often it was asked for the key, and how it went.
async fn asked_for_key(first: Vec<u16>) -> (usize, Result<AzureKeyVaultSigner, SignerError>) {
    let authority = Authority::new();
    let vault = Vault::new(Algorithm::ES384);
    let given = Some(vault.keys.certificate().clone());
    let calls = AtomicUsize::new(0);
    let server =
        Server::start_as(&authority, VAULT, move |asked| match first.get(calls.fetch_add(1, Ordering::SeqCst)) {
            Some(status) => Reply::error(*status, "Throttled", "too many"),
            None => vault.answer(asked),
        })
        .await;
    let web = Web::with_root(authority.pem.as_bytes(), &[(VAULT, server.address)]).unwrap();
    let web = web.with_first_pause(Duration::from_millis(1));
    let signer = AzureKeyVaultSigner::open(&uri("azurekms://consortium/member"), token(), web, given).await;
    (server.asked().len(), signer)
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_again() {
    let (count, signer) = asked_for_key(vec![408, 429, 429, 429, 429, 429, 500, 502, 503, 504, 507, 599]).await;
    assert_eq!(count, 13);
    signer.unwrap();
    for status in [404, 410, 501, 505] {
        let (count, signer) = asked_for_key(vec![status]).await;
        assert!(signer.is_err());
        assert_eq!(count, 1, "{status}");
    }
    // When the time is over, what the vault says is told.
    let throttled = refusal(|_| Reply::error(429, "Throttled", "too many")).await;
    assert!(throttled.contains("answered 429") && throttled.contains("Throttled: too many"), "{throttled}");
}

#[tokio::test]
async fn a_metadata_service_that_is_updated_is_waited_for() {
    for (statuses, service, tried) in [([404, 410], false, 3), ([404, 410], true, 1), ([503, 429], true, 3)] {
        let authority = Authority::new();
        let calls = AtomicUsize::new(0);
        let machine = Server::start(&authority, move |_| match statuses.get(calls.fetch_add(1, Ordering::SeqCst)) {
            Some(status) => Reply::json(*status, &json!({"error": "updating"})),
            None => Reply::json(200, &json!({"access_token": TOKEN})),
        })
        .await;
        let vault = Vault::new(Algorithm::ES256);
        let server = Server::start_as(&authority, VAULT, move |asked| vault.answer(asked)).await;
        let web = Web::with_root(authority.pem.as_bytes(), &[(VAULT, server.address)]).unwrap();
        let address: reqwest::Url = machine.url().parse().unwrap();
        let web = web.with_metadata(address.clone()).with_first_pause(Duration::from_millis(1));
        let endpoint = service.then(|| (address, Zeroizing::new("header".into())));
        let credential = AzureCredential::ManagedIdentity { endpoint, client: None };
        let signer = AzureKeyVaultSigner::open(&uri("azurekms://consortium/member"), credential, web, None).await;
        assert_eq!(signer.is_ok(), tried == 3);
        assert_eq!(machine.asked().len(), tried, "{statuses:?} {service}");
    }
}

#[tokio::test]
async fn keys_that_cannot_sign_and_answers_that_mean_nothing_are_told() {
    let change = |path: &'static str, value: Value| {
        move |_: &Asked| {
            let mut key = Vault::new(Algorithm::ES384).key();
            *key.pointer_mut(path).unwrap() = value.clone();
            Reply::json(200, &key)
        }
    };
    let verify_only = refusal(change("/key/key_ops", json!(["verify"]))).await;
    assert!(verify_only.contains("may not sign"), "{verify_only}");
    assert!(refusal(change("/attributes/enabled", json!(false))).await.contains("disabled"));
    assert!(refusal(change("/key/kty", json!("RSA"))).await.contains("P-256, P-384 and P-521 only"));
    assert!(refusal(change("/key/crv", json!("P-256K"))).await.contains("P-256K"));
    assert!(refusal(change("/key/x", json!("AA"))).await.contains("x is not a coordinate"));
    for kid in ["https://evil.vault.azure.net/keys/member/1", "https://consortium.vault.azure.net/keys/other/1", "x"] {
        assert!(refusal(change("/key/kid", json!(kid))).await.contains("not the key that was asked for"), "{kid}");
    }
    assert!(refusal(|_| Reply::text(200, "<html>")).await.contains("not JSON"));
    assert!(refusal(|_| Reply::text(200, &" ".repeat(2 << 20))).await.contains("larger than"));
}

#[tokio::test]
async fn a_wrong_signature_is_found_out() {
    let vault = Vault::new(Algorithm::ES256);
    let (_server, signer) = opened(token(), move |asked| {
        if asked.method == "POST" {
            return Reply::json(200, &json!({"kid": vault.kid(), "value": URL_SAFE_NO_PAD.encode([1; 64])}));
        }
        vault.answer(asked)
    })
    .await;
    let message =
        ccf_gov::cose::Message::new(ccf_gov::cose::MessageType::Proposal, super::time(), None, super::proposal("x"));
    let error = chain(&ccf_gov::signer::sign(&signer.unwrap(), message.unwrap()).await.unwrap_err());
    assert!(error.contains("not made by the certificate's key"), "{error}");
}
