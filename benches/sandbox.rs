//! How fast envelopes go into the sandbox: a thousand ballots and proposals over one connection, one after the other.
//!
//! ```console
//! $ cargo bench --bench sandbox
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::Instant;

use ccf_gov::constitution::DEFAULT;
use ccf_gov::cose::{CreatedAt, MemberCertificate, Message, MessageType};
use ccf_gov::sandbox::{NodeCode, Options, Sandbox, example_members};
use ccf_gov::signer::{PemSigner, sign};

const ENVELOPES: usize = 1000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let options = Options::new(example_members(), DEFAULT.to_owned(), vec![NodeCode::named("bench"); 3]);
    let sandbox = Sandbox::start(options).await.unwrap();
    let certificate = MemberCertificate::from_pem(include_bytes!("../keys-example/member0_cert.pem")).unwrap();
    let member = certificate.member_id();
    let signer = PemSigner::new(include_str!("../keys-example/member0_privk.pem"), certificate).unwrap();
    let mut envelopes = Vec::with_capacity(ENVELOPES);
    for n in 0..ENVELOPES {
        let args = serde_json::json!({"member_id": member, "member_data": {"n": n}});
        let proposal = serde_json::json!({"actions": [{"name": "set_member_data", "args": args}]});
        let created_at = CreatedAt::now().unwrap();
        let message = Message::new(MessageType::Proposal, created_at, None, proposal.to_string().into()).unwrap();
        envelopes.push(sign(&signer, message).await.unwrap().to_bytes());
    }

    let root = reqwest::Certificate::from_pem(sandbox.service_certificate().as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
    let primary = sandbox.primary();
    let url = sandbox.nodes().into_iter().find(|n| Some(n.id) == primary).unwrap().url;
    let url = format!("{url}/gov/members/proposals:create?api-version=2024-07-01");
    let start = Instant::now();
    for envelope in envelopes {
        let request = client.post(&url).header("content-type", "application/cose").body(envelope);
        let reply = request.send().await.unwrap();
        assert_eq!(reply.status(), 200);
        reply.bytes().await.unwrap();
    }
    let took = start.elapsed();
    let rate = ENVELOPES as f64 / took.as_secs_f64();
    println!("{ENVELOPES} proposals over one connection: {:.2} s, {rate:.0} a second", took.as_secs_f64());
}
