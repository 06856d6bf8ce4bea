//! Connecting and reading.

use std::time::Duration;

use ccf_gov::service::{NodeFailure, Outcome, ProposalState, ServiceStatus};

use super::*;

/// The failures of a connection that could not be made, one per node.
fn failures(result: Result<Service, ServiceError>) -> Vec<NodeFailure> {
    match result {
        Err(ServiceError::Unreachable { nodes, .. }) => nodes.into_iter().map(|(_, failure)| failure).collect(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_read_names_the_version_and_keeps_its_connection() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.5", &info()),
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&server]).await.unwrap();
    for _ in 0..3 {
        let info = service.info().await.unwrap();
        assert_eq!((&info.status, info.transaction.unwrap().seqno), (&ServiceStatus::Open, 5));
        assert_eq!(info.raw["another"], 1);
    }
    assert_eq!(server.asked()[0].target, format!("/gov/service/info{VERSION}"));
    assert!(server.asked_all().iter().all(|a| a.connection == 0));
}

#[tokio::test]
async fn a_server_under_another_certificate_is_no_node() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Server::start(&theirs, |_| Reply::at("2.5", &info())).await;
    assert!(matches!(failures(connect(&ours, &[&server]).await)[..], [NodeFailure::Certificate(_)]));
    assert!(server.asked_all().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let authority = Authority::new();
    let server = Server::start_as(&authority, "10.1.2.3", |_| Reply::at("2.5", &info())).await;
    assert!(matches!(failures(connect(&authority, &[&server]).await)[..], [NodeFailure::Certificate(_)]));
}

#[tokio::test]
async fn a_service_certificate_that_is_none_is_told() {
    let authority = Authority::new();
    let server = Server::start(&authority, |_| not_found()).await;
    for bad in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = Options { certificate: bad.into(), ..options(&authority, &[&server]) };
        let result = Service::connect(options).await;
        assert!(matches!(result, Err(ServiceError::Certificate(_))), "{result:?}");
    }
}

#[tokio::test]
async fn nobody_there_and_nobody_answering_are_told_apart() {
    let authority = Authority::new();
    let gone = Server::start(&authority, |_| not_found()).await;
    let address = gone.url();
    drop(gone);
    tokio::task::yield_now().await;
    let mute = Server::start(&authority, |_| Reply::hang()).await;
    let hasty = Server::start(&authority, |_| Reply::close()).await;
    let garbage = Server::start(&authority, |_| Reply::raw(b"220 mail.example ESMTP\r\n")).await;
    let mut options = options(&authority, &[&mute, &hasty, &garbage]);
    options.addresses.insert(0, address.parse().unwrap());
    let Err(ServiceError::Unreachable { nodes, .. }) = Service::connect(options.clone()).await else { panic!() };
    let failure = |url: &str| &nodes.iter().find(|(n, _)| n.to_string() == url).unwrap().1;
    assert!(matches!(failure(&address), NodeFailure::Connect(_)), "{nodes:?}");
    assert!(matches!(failure(&mute.url()), NodeFailure::Timeout(2)), "{nodes:?}");
    assert!(matches!(failure(&hasty.url()), NodeFailure::Closed(_)), "{nodes:?}");
    assert!(matches!(failure(&garbage.url()), NodeFailure::NotHttp(_)), "{nodes:?}");
}

#[tokio::test]
async fn answers_that_are_not_of_the_api_are_not_understood() {
    let authority = Authority::new();
    for (name, reply) in [
        ("not JSON", (|| Reply::text(200, "<html>welcome</html>")) as fn() -> Reply),
        ("another shape", || Reply::json(200, &json!({"status": 5}))),
        ("a list", || Reply::json(200, &json!([]))),
        ("a key twice", || Reply::text(200, r#"{"status": "Open", "status": "Closed", "certificate": ""}"#)),
        ("an error that is not an error object", || Reply::text(418, "teapot")),
        ("an empty answer", || Reply::text(200, "")),
    ] {
        let server = Server::start(&authority, move |asked| match asked.path() {
            "/gov/service/info" => reply(),
            _ => not_found(),
        })
        .await;
        let service = connect(&authority, &[&server]).await.unwrap();
        let result = service.info().await;
        assert!(matches!(result, Err(ServiceError::NotUnderstood { .. })), "{name}: {result:?}");
    }
}

#[tokio::test]
async fn a_refusal_keeps_code_message_and_details() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::json(
            401,
            &json!({"error": {"code": "InvalidAuthenticationInfo", "message": "no",
            "details": [{"auth_policy": "a", "code": "b", "message": "Signer is not a known member"}]}}),
        ),
        _ => not_found(),
    })
    .await;
    let Err(ServiceError::Refused(refusal)) = connect(&authority, &[&server]).await.unwrap().info().await else {
        panic!()
    };
    assert_eq!((refusal.status, refusal.code.as_str()), (401, "InvalidAuthenticationInfo"));
    assert_eq!(refusal.details, ["Signer is not a known member"]);
}

#[tokio::test]
async fn a_dead_node_is_passed_over_and_an_answer_cut_short_is_asked_again() {
    let authority = Authority::new();
    let script = Script::new(vec![
        Box::new(|| Reply::at("2.5", &info()).cut_short(5)),
        Box::new(|| Reply::error(503, "InternalError", "no primary")),
        Box::new(|| Reply::error(500, "SessionConsistencyLost", "view 2, now 3").then_close()),
        Box::new(|| Reply::at("2.5", &info())),
    ]);
    let server = Server::start(&authority, move |asked| match asked.path() {
        "/gov/service/info" => script.next(),
        _ => not_found(),
    })
    .await;
    let dead = Server::start(&authority, |_| Reply::close()).await;
    let service = connect(&authority, &[&dead, &server]).await.unwrap();
    assert_eq!(service.info().await.unwrap().status, ServiceStatus::Open);
    assert_eq!(server.asked().len(), 4);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_no_failure() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.5", &info()).then_close(),
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&server]).await.unwrap();
    for _ in 0..5 {
        service.info().await.unwrap();
    }
    assert_eq!(server.asked().len(), 5);
}

#[tokio::test]
async fn redirects_are_followed_to_nodes_of_the_service_only() {
    let (authority, other) = (Authority::new(), Authority::new());
    let primary = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.5", &info()),
        _ => not_found(),
    })
    .await;
    let stranger = Server::start(&other, |_| Reply::at("2.5", &info())).await;
    for status in [303, 307, 308] {
        let to = format!("{}/gov/service/info{VERSION}", primary.url());
        let backup = Server::start(&authority, move |asked| match asked.path() {
            "/gov/service/info" => Reply::redirect(status, &to),
            _ => not_found(),
        })
        .await;
        assert_eq!(connect(&authority, &[&backup]).await.unwrap().info().await.unwrap().status, ServiceStatus::Open);
    }
    let elsewhere = [
        format!("{}/gov/service/info", stranger.url()),
        format!("{}/gov/service/info", primary.url()).replace("https", "http"),
        "/gov/service/info".into(),
        "https://user:word@127.0.0.1/".into(),
    ];
    for to in elsewhere {
        let location = to.clone();
        let backup = Server::start(&authority, move |asked| match asked.path() {
            "/gov/service/info" => Reply::redirect(307, &location),
            _ => not_found(),
        })
        .await;
        let options = Options { patience: Duration::from_millis(100), ..options(&authority, &[&backup]) };
        let result = Service::connect(options).await.unwrap().info().await;
        let Err(ServiceError::Unreachable { nodes, .. }) = result else { panic!("{to}: {result:?}") };
        assert!(matches!(nodes[..], [(_, NodeFailure::Redirect(_))]), "{to}: {nodes:?}");
    }
    assert!(stranger.asked_all().is_empty());
}

#[tokio::test]
async fn the_primary_is_found_from_a_backup_and_a_removed_node_is_not_believed() {
    let authority = Authority::new();
    let late = std::sync::Arc::new(Mutex::new(Vec::new()));
    let answer = |own: char, transaction: &'static str| {
        let nodes = late.clone();
        move |asked: &Asked| {
            let nodes: Vec<(char, &'static str, String)> = nodes.lock().unwrap().clone();
            let view = View { own, transaction, nodes, primary: Some('c') };
            view.answer(asked).unwrap_or_else(|| Reply::at(transaction, &info()))
        }
    };
    let removed = Server::start(&authority, {
        // It still believes that it is trusted, and leads.
        let view = |nodes| View { own: 'a', transaction: "2.9", nodes, primary: Some('a') };
        let nodes = late.clone();
        move |asked: &Asked| {
            let mut nodes: Vec<(char, &'static str, String)> = nodes.lock().unwrap().clone();
            nodes.iter_mut().for_each(|n| n.1 = "Trusted");
            view(nodes).answer(asked).unwrap_or_else(|| Reply::at("2.9", &json!({"status": "Old", "certificate": ""})))
        }
    })
    .await;
    let backup = Server::start(&authority, answer('b', "4.20")).await;
    let primary = Server::start(&authority, answer('c', "4.21")).await;
    let address = |s: &Server| s.address.to_string();
    *late.lock().unwrap() = vec![
        ('a', "Retired", address(&removed)),
        ('b', "Trusted", address(&backup)),
        ('c', "Trusted", address(&primary)),
    ];
    let service = connect(&authority, &[&removed, &backup]).await.unwrap();
    let order: Vec<_> = service.addresses().iter().map(ToString::to_string).collect();
    assert!(!order.contains(&removed.url()), "{order:?}");
    assert_eq!(service.info().await.unwrap().status, ServiceStatus::Open);
    let alone = connect(&authority, &[&backup]).await.unwrap();
    assert_eq!(alone.addresses()[0].to_string(), primary.url());
}

#[tokio::test]
async fn a_node_behind_what_is_committed_is_passed_over() {
    let authority = Authority::new();
    let lagging = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.7", &json!({"status": "Opening", "certificate": ""})),
        p if p.starts_with("/gov/service/transactions/") => {
            Reply::json(200, &json!({"status": "Committed", "transactionId": "2.9"}))
        }
        _ => not_found(),
    })
    .await;
    let current = Server::start(&authority, |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.9", &info()),
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&lagging, &current]).await.unwrap();
    assert_eq!(service.info().await.unwrap().status, ServiceStatus::Opening);
    service.wait_transaction("2.9".parse().unwrap()).await.unwrap();
    assert_eq!(service.info().await.unwrap().status, ServiceStatus::Open);
}

#[tokio::test]
async fn a_proposal_that_is_purged_while_it_is_waited_for_is_not_one_that_never_was() {
    let authority = Authority::new();
    let (open, lost, gone) = ('1', '2', '3');
    let proposal = |id: char, state: &str| json!({"proposalId": hex(id), "proposerId": hex('a'), "proposalState": state, "ballotCount": 0});
    let script = Script::new(vec![
        Box::new(move || Reply::at("2.5", &proposal(open, "Open"))),
        Box::new(|| Reply::error(404, "ProposalNotFound", "none")),
    ]);
    let dropped = Script::new(vec![
        Box::new(move || Reply::at("2.5", &proposal(lost, "Open"))),
        Box::new(move || Reply::at("2.6", &proposal(lost, "Dropped"))),
    ]);
    let server = Server::start(&authority, move |asked| match asked.path() {
        p if p.ends_with(&hex(open)) => script.next(),
        p if p.ends_with(&hex(lost)) => dropped.next(),
        p if p.ends_with(&hex(gone)) => Reply::error(404, "ProposalNotFound", "none"),
        p if p.starts_with("/gov/service/transactions/") => {
            Reply::json(200, &json!({"status": "Committed", "transactionId": "2.6"}))
        }
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&server]).await.unwrap();
    let wait = async |id: char| service.wait_proposal(hex(id).parse().unwrap(), Duration::from_secs(5)).await.unwrap();
    assert!(matches!(wait(open).await, Some(Outcome::Purged { last_seen: Some(_) })));
    assert!(matches!(wait(lost).await, Some(Outcome::Resolved(p)) if p.proposal_state == ProposalState::Dropped));
    assert!(wait(gone).await.is_none());
}

#[tokio::test]
async fn a_proposal_that_is_resolved_and_not_committed_is_waited_for_no_longer_than_asked() {
    let authority = Authority::new();
    let accepted =
        json!({"proposalId": hex('1'), "proposerId": hex('a'), "proposalState": "Accepted", "ballotCount": 2});
    let server = Server::start(&authority, move |asked| match asked.path() {
        p if p.starts_with("/gov/service/transactions/") => Reply::json(200, &json!({"status": "Pending"})),
        p if p.ends_with(&hex('1')) => Reply::at("2.5", &accepted),
        _ => not_found(),
    })
    .await;
    let options = Options { patience: Duration::from_secs(600), ..options(&authority, &[&server]) };
    let service = Service::connect(options).await.unwrap();
    let outcome = service.wait_proposal(hex('1').parse().unwrap(), Duration::ZERO).await.unwrap();
    assert!(matches!(outcome, Some(Outcome::StillOpen(p)) if p.proposal_state == ProposalState::Accepted));
}

#[tokio::test]
async fn a_proposal_that_nobody_can_show_is_waited_for_no_longer_than_asked() {
    let authority = Authority::new();
    let server = Server::start(&authority, |asked| match asked.path() {
        path if path.starts_with("/gov/") => Reply::error(500, "SessionConsistencyLost", "view 4, now 5"),
        _ => not_found(),
    })
    .await;
    let options = Options { patience: Duration::from_secs(600), ..options(&authority, &[&server]) };
    let service = Service::connect(options).await.unwrap();
    let result = service.wait_proposal(hex('1').parse().unwrap(), Duration::ZERO).await;
    assert!(matches!(result, Err(ServiceError::Unreachable { .. })), "{result:?}");
}

#[tokio::test]
async fn attestations_are_quotes_where_the_service_is_older() {
    let authority = Authority::new();
    for (path, list) in [("/node/attestations", "attestations"), ("/node/quotes", "quotes")] {
        let server = Server::start(&authority, move |asked| match asked.path() {
            "/gov/service/info" => Reply::at("2.5", &info()),
            "/node/version" => Reply::json(200, &json!({"ccf_version": "ccf-5.0.1", "unsafe": false})),
            other if other == path => Reply::at("2.5", &json!({list: [{"node_id": "a", "raw": "x"}]})),
            _ => not_found(),
        })
        .await;
        let service = connect(&authority, &[&server]).await.unwrap();
        assert_eq!(service.version().await.unwrap(), "ccf-5.0.1");
        assert_eq!(service.attestations().await.unwrap(), [json!({"node_id": "a", "raw": "x"})], "{path}");
    }
}

#[tokio::test]
async fn what_is_read_is_a_fact_once_it_is_committed() {
    let authority = Authority::new();
    for (states, infos, expected) in [
        (&["Committed"][..], &["2.5"][..], ("2.5", true)),
        (&["Pending", "Pending", "Committed"], &["2.5"], ("2.5", true)),
        // An election undid it: it is read again.
        (&["Pending", "Invalid", "Committed"], &["2.5", "3.4"], ("3.4", true)),
        (&["Pending"], &["2.5"], ("2.5", false)),
        // Nobody can tell.
        (&["Committed"], &[""], ("", false)),
    ] {
        let states = states.iter().map(|state| {
            let state = *state;
            Box::new(move || Reply::json(200, &json!({"status": state}))) as Box<dyn Fn() -> Reply + Send>
        });
        let infos = infos.iter().map(|at| {
            let at = *at;
            Box::new(move || if at.is_empty() { Reply::json(200, &info()) } else { Reply::at(at, &info()) })
                as Box<dyn Fn() -> Reply + Send>
        });
        let (states, infos) = (Script::new(states.collect()), Script::new(infos.collect()));
        let server = Server::start(&authority, move |asked| match asked.path() {
            "/gov/service/info" => infos.next(),
            p if p.starts_with("/gov/service/transactions/") => states.next(),
            _ => not_found(),
        })
        .await;
        let options = Options { patience: Duration::from_millis(700), ..options(&authority, &[&server]) };
        let service = Service::connect(options).await.unwrap();
        let settled = service.settled(async || service.info().await).await.unwrap();
        let at = settled.transaction.map(|t| t.to_string()).unwrap_or_default();
        assert_eq!((at.as_str(), settled.committed), expected);
    }
}

#[tokio::test]
async fn the_commit_of_the_newest_transaction_of_each_view_is_asked_for() {
    let authority = Authority::new();
    let script = Script::new(vec![
        Box::new(|| Reply::at("2.5", &info())),
        Box::new(|| Reply::at("2.7", &info())),
        Box::new(|| Reply::at("3.9", &info())),
        Box::new(|| Reply::at("3.8", &info())),
    ]);
    let server = Server::start(&authority, move |asked| match asked.path() {
        "/gov/service/info" => script.next(),
        p if p.starts_with("/gov/service/transactions/") => Reply::json(200, &json!({"status": "Committed"})),
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&server]).await.unwrap();
    let read = async || -> Result<(), ServiceError> {
        for _ in 0..4 {
            service.info().await?;
        }
        Ok(())
    };
    assert!(service.settled(read).await.unwrap().committed);
    let asked = server.asked();
    let transactions: Vec<_> =
        asked.iter().filter_map(|a| a.path().strip_prefix("/gov/service/transactions/")).collect();
    assert_eq!(transactions, ["2.7", "3.9"]);
}

#[tokio::test]
async fn an_answer_about_another_node_is_not_taken() {
    let authority = Authority::new();
    let node = || json!({"nodeId": hex('b'), "status": "Pending"});
    let server = Server::start(&authority, move |asked| match asked.path() {
        "/gov/service/info" => Reply::at("2.5", &info()),
        path if path.starts_with("/gov/service/nodes/") => Reply::at("2.5", &node()),
        _ => not_found(),
    })
    .await;
    let service = connect(&authority, &[&server]).await.unwrap();
    let of = async |id: char| service.node(hex(id).parse().unwrap()).await;
    assert_eq!(of('b').await.unwrap().unwrap().node_id.to_string(), hex('b'));
    let result = of('a').await;
    assert!(matches!(result, Err(ServiceError::NotUnderstood { .. })), "{result:?}");
}
