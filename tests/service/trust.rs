//! Whom the client believes: nodes that prove who they are, and contradict each other.

use std::time::Instant;

use ccf_gov::cose::MessageType;
use ccf_gov::service::ServiceStatus;

use super::writes::{envelope, proposal};
use super::*;
use crate::support::server::NodeKey;

/// A service of nodes with keys of their own, some of which lie.
struct Cluster {
    authority: Authority,
    servers: Vec<Server>,
    addresses: Arc<Mutex<Vec<String>>>,
}

/// What a node says, beside the network.
type Answer = fn(&Asked) -> Option<Reply>;

/// How one node sees the network.
#[derive(Clone)]
struct Says {
    at: &'static str,
    /// The nodes that it lists as trusted, by number.
    trusted: Vec<usize>,
    /// Who leads.
    primary: usize,
    /// Who it says that it is, if it lies about that.
    claims: Option<usize>,
    answer: Answer,
}

fn says(at: &'static str, trusted: &[usize], primary: usize, answer: Answer) -> Says {
    Says { at, trusted: trusted.to_vec(), primary, claims: None, answer }
}

impl Cluster {
    async fn start(all: Vec<Says>) -> Self {
        let authority = Authority::new();
        let keys: Vec<NodeKey> = all.iter().map(|_| NodeKey::new()).collect();
        let ids: Vec<String> = keys.iter().map(NodeKey::id).collect();
        let addresses = Arc::new(Mutex::new(Vec::new()));
        let mut servers = Vec::new();
        for (own, (says, key)) in all.into_iter().zip(&keys).enumerate() {
            let (ids, known) = (ids.clone(), addresses.clone());
            let answer = move |asked: &Asked| {
                let addresses: Vec<String> = known.lock().unwrap().clone();
                match asked.path() {
                    "/node/network/nodes" => {
                        let list = says.trusted.iter().map(|n| {
                            json!({"node_id": ids[*n], "status": "Trusted", "primary": *n == says.primary,
                                "rpc_interfaces": {"main": {"published_address": addresses[*n]}}})
                        });
                        Reply::at(says.at, &json!({"nodes": list.collect::<Vec<_>>()}))
                    }
                    "/node/consensus" => {
                        let leads = if own == says.primary { "Leader" } else { "Follower" };
                        Reply::json(200, &json!({"details": {"leadership_state": leads, "membership_state": "Active"}}))
                    }
                    "/node/state" => Reply::json(200, &json!({"node_id": ids[says.claims.unwrap_or(own)]})),
                    _ => (says.answer)(asked).unwrap_or_else(not_found),
                }
            };
            let server = Server::start_node(&authority, key, answer).await;
            addresses.lock().unwrap().push(server.address.to_string());
            servers.push(server);
        }
        Self { authority, servers, addresses }
    }

    async fn connect(&self, given: &[usize]) -> Result<Service, ServiceError> {
        let servers: Vec<&Server> = given.iter().map(|n| &self.servers[*n]).collect();
        connect(&self.authority, &servers).await
    }

    fn url(&self, n: usize) -> String {
        format!("https://{}", self.addresses.lock().unwrap()[n])
    }
}

/// A node on which everything that is asked for is committed.
fn honest(asked: &Asked) -> Option<Reply> {
    match asked.path() {
        "/gov/service/info" => Some(Reply::at("2.9", &info())),
        p if p.starts_with("/gov/service/transactions/2.") => Some(Reply::json(200, &json!({"status": "Committed"}))),
        p if p.starts_with("/gov/service/transactions/") => Some(Reply::json(200, &json!({"status": "Unknown"}))),
        _ => None,
    }
}

/// A node that invents what it likes.
fn rogue(asked: &Asked) -> Option<Reply> {
    match asked.path() {
        "/gov/service/info" => Some(Reply::at("999999.999999", &json!({"status": "Invented", "certificate": ""}))),
        p if p.starts_with("/gov/service/transactions/") => Some(Reply::json(200, &json!({"status": "Committed"}))),
        _ if asked.method == "POST" => Some(Reply::at("999999.999999", &proposal("Accepted"))),
        _ => None,
    }
}

fn sides(result: Result<Service, ServiceError>) -> Vec<String> {
    match result {
        Err(ServiceError::Contradiction { sides, .. }) => sides.into_iter().map(|(node, _)| node.to_string()).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rogue_that_outbids_all_honest_nodes_is_named_and_nobody_is_believed() {
    let honest = says("2.9", &[0, 1, 2], 0, honest);
    for list in [&[3][..], &[0, 1, 2, 3]] {
        let rogue = says("999999.999999", list, 3, rogue);
        let cluster = Cluster::start(vec![honest.clone(), honest.clone(), honest.clone(), rogue]).await;
        for given in [&[0, 1, 2, 3][..], &[3, 0], &[1, 3]] {
            let sides = sides(cluster.connect(given).await);
            assert_eq!(sides[0], cluster.url(3));
            assert!(sides[1] != cluster.url(3), "{sides:?}");
        }
        assert!(cluster.servers.iter().all(|s| s.asked().is_empty()));
    }
}

#[tokio::test]
async fn a_rogue_with_an_old_list_or_with_anothers_name_is_not_asked() {
    let honest = says("2.9", &[0, 1], 0, honest);
    let old = says("2.5", &[2], 2, rogue);
    let impostor = Says { claims: Some(0), ..says("999999.999999", &[0, 1], 2, rogue) };
    for rogue in [old, impostor] {
        let cluster = Cluster::start(vec![honest.clone(), honest.clone(), rogue]).await;
        let service = cluster.connect(&[2, 0, 1]).await.unwrap();
        assert_eq!(service.info().await.unwrap().status, ServiceStatus::Open);
        assert!(!service.addresses().iter().any(|a| a.to_string() == cluster.url(2)));
        let missing: Vec<_> =
            service.missing().iter().map(|(node, failure)| (node.to_string(), failure.clone())).collect();
        assert_eq!(missing, [(cluster.url(2), ccf_gov::service::NodeFailure::NotTrusted)]);
        assert!(cluster.servers[2].asked().is_empty());
    }
}

#[tokio::test]
async fn nodes_that_were_replaced_stay_disbelieved_and_one_new_node_alone_is_believed_when_nobody_contradicts() {
    let new = says("4.90", &[1, 2], 1, honest);
    let cluster = Cluster::start(vec![says("2.50", &[0, 1], 0, honest), new.clone(), new]).await;
    let service = cluster.connect(&[0, 1]).await.unwrap();
    let order: Vec<_> = service.addresses().iter().map(ToString::to_string).collect();
    assert_eq!(order, [cluster.url(1), cluster.url(2)]);
    // Named alone, it is taken for what it says.
    assert_eq!(cluster.connect(&[0]).await.unwrap().addresses()[0].to_string(), cluster.url(0));
}

#[tokio::test]
async fn a_node_that_answers_in_the_place_of_a_trusted_one_is_a_stranger() {
    let cluster = Cluster::start(vec![says("2.9", &[0, 1], 0, honest), says("2.9", &[0, 1], 0, honest)]).await;
    // It has the service's certificate, and no place in the list: redirects do not lead there.
    let stranger = Server::start(&cluster.authority, |_| Reply::at("2.9", &json!({"status": "Invented"}))).await;
    let to = format!("{}/gov/service/info{VERSION}", stranger.url());
    let key = NodeKey::new();
    let (id, own) = (key.id(), Arc::new(Mutex::new(String::new())));
    let address = own.clone();
    let server = Server::start_node(&cluster.authority, &key, move |asked| match asked.path() {
        "/node/network/nodes" => {
            let interfaces = json!({"main": {"published_address": address.lock().unwrap().clone()}});
            let node = json!({"node_id": id, "status": "Trusted", "primary": true, "rpc_interfaces": interfaces});
            Reply::at("2.9", &json!({"nodes": [node]}))
        }
        "/node/consensus" => Reply::json(200, &json!({"details": {"leadership_state": "Leader"}})),
        "/gov/service/info" => Reply::redirect(307, &to),
        _ => not_found(),
    })
    .await;
    *own.lock().unwrap() = server.address.to_string();
    let options = Options { patience: Duration::from_millis(300), ..options(&cluster.authority, &[&server]) };
    let result = Service::connect(options).await.unwrap().info().await;
    let Err(ServiceError::Unreachable { nodes, .. }) = result else { panic!("{result:?}") };
    assert!(
        !nodes.is_empty() && nodes.iter().all(|(_, f)| *f == ccf_gov::service::NodeFailure::NotTrusted),
        "{nodes:?}"
    );
}

#[tokio::test]
async fn a_commit_that_only_one_node_reports_is_none() {
    fn alone(asked: &Asked) -> Option<Reply> {
        (asked.method == "POST").then(|| Reply::at("3.77", &proposal("Open"))).or_else(|| rogue(asked))
    }
    let cluster = Cluster::start(vec![says("2.9", &[0, 1], 0, alone), says("2.9", &[0, 1], 0, honest)]).await;
    let servers = [&cluster.servers[0], &cluster.servers[1]];
    let options = Options { patience: Duration::from_secs(3), ..options(&cluster.authority, &servers) };
    let service = Service::connect(options).await.unwrap();
    let result = service.submit(&envelope(MessageType::Proposal).await).await;
    let Err(ServiceError::Undecided { reason, .. }) = result else { panic!("{result:?}") };
    assert!(reason.contains(&cluster.url(0)) && reason.contains(&cluster.url(1)), "{reason}");
    assert!(reason.contains("Committed") && reason.contains("Unknown"), "{reason}");
    // What is read is not called committed.
    let settled = service.settled(async || service.info().await).await.unwrap();
    assert!(!settled.committed);
}

#[tokio::test]
async fn a_commit_is_confirmed_by_a_second_node_or_by_nobody_who_can_be_asked() {
    fn takes(asked: &Asked) -> Option<Reply> {
        (asked.method == "POST").then(|| Reply::at("2.9", &proposal("Open"))).or_else(|| honest(asked))
    }
    fn mute(_: &Asked) -> Option<Reply> {
        Some(Reply::close())
    }
    for other in [honest as Answer, mute] {
        let cluster = Cluster::start(vec![says("2.9", &[0, 1], 0, takes), says("2.9", &[0, 1], 0, other)]).await;
        let service = cluster.connect(&[0]).await.unwrap();
        let submission = service.submit(&envelope(MessageType::Proposal).await).await.unwrap();
        assert!(submission.is_own);
        let asked = cluster.servers[1].asked();
        assert!(asked.iter().all(|a| a.path() == "/gov/service/transactions/2.9") && !asked.is_empty(), "{asked:?}");
    }
}

#[tokio::test]
async fn addresses_that_hang_take_no_longer_than_the_patience() {
    fn hangs(_: &Asked) -> Option<Reply> {
        Some(Reply::hang())
    }
    let list: Vec<usize> = (0..11).collect();
    let cluster = Cluster::start(list.iter().map(|_| says("2.9", &list, 0, hangs)).collect()).await;
    let options = Options { patience: Duration::from_secs(3), ..options(&cluster.authority, &[&cluster.servers[0]]) };
    let service = Service::connect(options).await.unwrap();
    let began = Instant::now();
    let result = service.info().await;
    assert!(matches!(result, Err(ServiceError::Unreachable { .. })), "{result:?}");
    let result = service.submit(&envelope(MessageType::Proposal).await).await;
    assert!(matches!(result, Err(ServiceError::Undecided { .. })), "{result:?}");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_read_asks_the_next_node_beside_one_that_hangs() {
    fn hangs(_: &Asked) -> Option<Reply> {
        Some(Reply::hang())
    }
    let cluster = Cluster::start(vec![says("2.9", &[0, 1], 0, hangs), says("2.9", &[0, 1], 0, honest)]).await;
    let service = cluster.connect(&[0, 1]).await.unwrap();
    let began = Instant::now();
    assert_eq!(service.info().await.unwrap().status, ServiceStatus::Open);
    assert!(began.elapsed() < Duration::from_millis(1900), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_service_that_lost_its_quorum_is_told_soon_and_by_numbers() {
    let cluster = Cluster::start(vec![says("2.9", &[0, 1], 9, honest), says("2.9", &[0, 1], 9, honest)]).await;
    let Cluster { authority, mut servers, .. } = cluster;
    drop(servers.pop());
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = told.clone();
    let options = Options {
        patience: Duration::from_secs(60),
        progress: Some(Arc::new(move |text| log.lock().unwrap().push(text.to_owned()))),
        ..options(&authority, &[&servers[0]])
    };
    let service = Service::connect(options).await.unwrap();
    let began = Instant::now();
    let result = service.consensus().await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let message = result.unwrap_err().to_string();
    let numbers = "1 of 2 trusted nodes answers, 2 are needed";
    assert!(message.contains(numbers), "{message}");
    let told = told.lock().unwrap();
    assert!(told.iter().any(|t| t.contains(numbers) && t.contains("waiting, at most ")), "{told:?}");
}

#[tokio::test]
async fn reads_at_the_same_time_do_not_take_each_others_transactions_for_committed() {
    // Members stand at 2.5, which is committed, and the service at 2.9, which never is.
    fn answer(asked: &Asked) -> Option<Reply> {
        match asked.path() {
            "/gov/service/info" => Some(Reply::at("2.9", &info())),
            "/gov/service/members" => Some(Reply::at("2.5", &json!({"value": []}))),
            "/gov/service/transactions/2.5" => Some(Reply::json(200, &json!({"status": "Committed"}))),
            _ => Some(Reply::json(200, &json!({"status": "Pending"}))),
        }
    }
    let cluster = Cluster::start(vec![says("2.9", &[0], 0, answer)]).await;
    let options =
        Options { patience: Duration::from_millis(400), ..options(&cluster.authority, &[&cluster.servers[0]]) };
    let service = Arc::new(Service::connect(options).await.unwrap());
    let reads = async {
        let mut reads = tokio::task::JoinSet::new();
        for n in 0..40 {
            let service = service.clone();
            reads.spawn_local(async move {
                let (at, settled) = match n % 2 {
                    0 => ("2.9", service.settled(async || service.info().await.map(drop)).await.unwrap()),
                    _ => ("2.5", service.settled(async || service.members().await.map(drop)).await.unwrap()),
                };
                assert_eq!(settled.transaction.unwrap().to_string(), at);
                assert_eq!(settled.committed, at == "2.5", "{at}");
            });
        }
        reads.join_all().await
    };
    tokio::task::LocalSet::new().run_until(reads).await;
}

#[tokio::test]
async fn answers_larger_than_they_can_need_to_be_are_not_read() {
    fn answer(asked: &Asked) -> Option<Reply> {
        match asked.path() {
            "/gov/service/members" => Some(Reply::at("2.5", &json!({"value": vec![json!({"a": {}}); 60_000]}))),
            "/gov/service/transactions/2.5" => {
                Some(Reply::json(200, &json!({"status": "Committed", "more": "x".repeat(1 << 20)})))
            }
            _ => None,
        }
    }
    let cluster = Cluster::start(vec![says("2.9", &[0], 0, answer)]).await;
    let options = Options { patience: Duration::from_secs(2), ..options(&cluster.authority, &[&cluster.servers[0]]) };
    let service = Service::connect(options).await.unwrap();
    let members = service.members().await;
    assert!(matches!(members, Err(ServiceError::NotUnderstood { .. })), "{members:?}");
    let status = service.transaction_status("2.5".parse().unwrap()).await;
    let Err(ServiceError::Unreachable { nodes, .. }) = status else { panic!("{status:?}") };
    assert!(matches!(nodes[..], [(_, ccf_gov::service::NodeFailure::TooLarge(_))]), "{nodes:?}");
}
