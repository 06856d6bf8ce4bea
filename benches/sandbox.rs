//! How fast scripts run, and how fast proposals go into the sandbox: a thousand over one connection, one after the other.
//!
//! ```console
//! $ cargo bench --bench sandbox
//! ```
//!
//! Every figure is the median of its turns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use ccf_gov::constitution::decide::{ProposalInfo, decide};
use ccf_gov::constitution::{Constitution, DEFAULT, Host, Proposal};
use ccf_gov::cose::{CreatedAt, MemberCertificate, Message, MessageType};
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::kv::{Tables, row, table};
use ccf_gov::sandbox::{NodeCode, Options, Sandbox, example_members};
use ccf_gov::signer::{PemSigner, sign};

const ENVELOPES: usize = 1000;
const TURNS: usize = 5;

fn main() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    scripts();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let took = median(TURNS, || runtime.block_on(proposals()));
    println!("{ENVELOPES} proposals over one connection: {took:.2?}, {:.0} a second", rate(ENVELOPES, took));
}

/// The median of what `turns` turns take.
fn median(turns: usize, mut turn: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..turns).map(|_| turn()).collect();
    times.sort();
    times[turns / 2]
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn rate(count: usize, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// A service that nobody asks for anything.
#[derive(Debug)]
struct Nobody;

impl Host for Nobody {
    fn endorse(&self, _: &str, _: &str, _: u64) -> Result<String, String> {
        Err(String::new())
    }

    fn network_certificate(&self, _: &str, _: u64) -> Result<String, String> {
        Err(String::new())
    }

    fn latest_ledger_secret_seqno(&self) -> u64 {
        1
    }
}

/// The engine alone: our constitution, on a service of as many members as have voted.
fn scripts() {
    let took = median(TURNS, || time(|| drop(Constitution::new(DEFAULT).unwrap())));
    println!("our constitution checked and compiled: {took:.2?}");
    let constitution = Constitution::new(DEFAULT).unwrap();
    let member = |n: usize| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_be_bytes());
        MemberId::from_bytes(bytes)
    };
    let args = serde_json::json!({"member_id": member(0), "member_data": {"n": 1}});
    let text = serde_json::json!({"actions": [{"name": "set_member_data", "args": args}]}).to_string();
    let proposal = Proposal { text: &text, id: ProposalId::from_bytes([7; 32]), proposer: member(0) };
    for members in [3, 1000] {
        let mut tables = Tables::new();
        let mut info = ProposalInfo::new(member(0));
        for n in 0..members {
            let id = member(n).to_string();
            row::write(&mut tables, table::MEMBER_INFO, &id, &serde_json::json!({"status": "Active"}));
            let ballot = format!("export function vote(proposal, proposer) {{ return proposal.length > {n} - 2000; }}");
            info.ballots.insert(id, ballot);
        }
        if members == 3 {
            let call = |work: &dyn Fn()| median(TURNS, || time(|| (0..200).for_each(|_| work())));
            let validate = call(&|| assert!(constitution.validate(&tables, &text).unwrap().valid));
            let vote = call(&|| {
                assert!(
                    constitution.vote(&tables, &proposal, member(0), &info.ballots[&member(0).to_string()]).unwrap()
                )
            });
            let resolve = call(&|| assert!(constitution.resolve(&tables, &proposal, &[]).is_ok()));
            for (name, took) in [("validate", validate), ("vote", vote), ("resolve", resolve)] {
                println!("{name}, one call after the other: {:.0} a second", rate(200, took));
            }
        }
        let decided = || {
            let (mut tables, mut info) = (tables.clone(), info.clone());
            decide(&constitution, &mut tables, proposal.id, &text, &mut info, &Nobody).unwrap();
            assert_eq!(info.state, "Accepted");
        };
        println!("{members} ballots, resolve and apply: {:.2?}", median(TURNS, || time(decided)));
    }
}

async fn proposals() -> Duration {
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
    start.elapsed()
}
