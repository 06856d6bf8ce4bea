//! How long it takes to decide what comes next on a service of 1,000 members and 30 nodes, once it was looked at.
//!
//! ```console
//! $ cargo bench --bench upgrade
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use ccf_gov::constitution::DEFAULT;
use ccf_gov::cose::{Algorithm, MemberCertificate};
use ccf_gov::digest::HostData;
use ccf_gov::evidence::node::Trust;
use ccf_gov::review::state::{Reading, State};
use ccf_gov::sandbox::{Member, NodeCode, Options, Sandbox};
use ccf_gov::service::{self, Service};
use ccf_gov::signer::NewKeys;
use ccf_gov::upgrade::{Code, Plan, Who, forecast, next, observe};
use time::OffsetDateTime;

const MEMBERS: usize = 1000;
const NODES: usize = 30;
const RUNS: usize = 21;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run());
}

async fn run() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let member = |at: usize| {
        let keys = NewKeys::generate(&format!("member{at}"), Algorithm::ES256, 90, false).unwrap();
        let certificate = MemberCertificate::from_pem(keys.certificate().to_pem().as_bytes()).unwrap();
        Member { certificate, encryption_key: None, data: serde_json::Value::Null }
    };
    let members: Vec<Member> = (0..MEMBERS).map(member).collect();
    let who = Who { member: Some(members[0].certificate.member_id()), operator: true };
    let options = Options::new(members, DEFAULT.to_owned(), vec![NodeCode::named("old"); NODES]);
    let sandbox = Sandbox::start(options).await.unwrap();
    let addresses = sandbox.nodes().iter().take(1).map(|node| node.url.parse().unwrap()).collect();
    let options = service::Options::new(addresses, sandbox.service_certificate().into_bytes());
    let service = Service::connect(options).await.unwrap();
    let plan = Plan::of(Code::virtual_node(HostData([7; 32])), NODES);
    let now = OffsetDateTime::now_utc();
    let verification = Trust::pinned(now).into();
    let began = Instant::now();
    let seen = observe(&service, &plan, &verification, now, None).await.unwrap();
    println!("looking at a service of {MEMBERS} members and {NODES} nodes, everything: {:?}", began.elapsed());
    let median = |work: &dyn Fn()| {
        let mut times: Vec<Duration> = (0..RUNS)
            .map(|_| {
                let began = Instant::now();
                work();
                began.elapsed()
            })
            .collect();
        times.sort();
        times[RUNS / 2]
    };
    println!("what one person does next: {:?}", median(&|| drop(next(&plan, &seen, who))));
    println!("the whole plan played forward: {:?}", median(&|| drop(forecast(&plan, &seen))));
    let made = forecast(&plan, &seen);
    let state = State::read(&service, &Reading::new(&|_, _| {})).await.unwrap();
    println!("its proposals tried in their order: {:?}", median(&|| drop(made.simulate(&plan, &seen, &state))));
}
