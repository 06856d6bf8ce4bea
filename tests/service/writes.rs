//! Submitting envelopes: the same bytes until they are committed or refused.

use ccf_gov::cose::{CreatedAt, Envelope, MemberCertificate, Message, MessageType};
use ccf_gov::service::{NodeFailure, Repeated, Submission};
use ccf_gov::signer::{self, PemSigner};

use super::*;

const KEY: &str = include_str!("../../keys-example/member0_privk.pem");
const CERTIFICATE: &str = include_str!("../../keys-example/member0_cert.pem");
const BALLOT: &str = "export function vote (proposal, proposerId) { return true; }";

pub async fn envelope(kind: MessageType) -> Envelope {
    let signer = PemSigner::new(KEY, MemberCertificate::from_pem(CERTIFICATE.as_bytes()).unwrap()).unwrap();
    let payload = match kind {
        MessageType::Proposal => r#"{"actions": [{"name": "remove_node", "args": {}}]}"#.into(),
        MessageType::Ballot => json!({"ballot": BALLOT}).to_string(),
        _ => String::new(),
    };
    let id = kind.names_proposal().then(|| hex('1').parse().unwrap());
    let message = Message::new(kind, CreatedAt::from_seconds(1).unwrap(), id, payload.into_bytes()).unwrap();
    signer::sign(&signer, message).await.unwrap()
}

pub fn proposal(state: &str) -> Value {
    json!({"proposalId": hex('1'), "proposerId": hex('a'), "proposalState": state, "ballotCount": 1})
}

type Replies = Vec<Box<dyn Fn() -> Reply + Send>>;

/// A server whose writes answer `writes` one after the other, whose transactions are in the states `states`,
/// and whose other reads are `read`.
async fn server(
    authority: &Authority,
    writes: Replies,
    states: &[&'static str],
    read: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static,
) -> Server {
    let writes = Script::new(writes);
    let states = states.iter().map(|s| {
        let s = *s;
        Box::new(move || Reply::json(200, &json!({"status": s, "transactionId": "2.9"})))
            as Box<dyn Fn() -> Reply + Send>
    });
    let states = Script::new(states.collect());
    Server::start(authority, move |asked| {
        if asked.method == "POST" || asked.method == "DELETE" {
            return writes.next();
        }
        if asked.path().starts_with("/gov/service/transactions/") {
            return states.next();
        }
        read(asked).unwrap_or_else(not_found)
    })
    .await
}

async fn submit(server: &Server, authority: &Authority, kind: MessageType) -> Result<Submission, ServiceError> {
    connect(authority, &[server]).await.unwrap().submit(&envelope(kind).await).await
}

fn sent(server: &Server) -> Vec<Asked> {
    server.asked().into_iter().filter(|a| a.method == "POST").collect()
}

#[tokio::test]
async fn each_kind_goes_to_its_own_call_as_cose_and_is_waited_for() {
    let authority = Authority::new();
    let member = MemberCertificate::from_pem(CERTIFICATE.as_bytes()).unwrap().member_id();
    for (kind, path) in [
        (MessageType::Proposal, "/gov/members/proposals:create".to_owned()),
        (MessageType::Ballot, format!("/gov/members/proposals/{}/ballots/{member}:submit", hex('1'))),
        (MessageType::Withdrawal, format!("/gov/members/proposals/{}:withdraw", hex('1'))),
        (MessageType::StateDigest, format!("/gov/members/state-digests/{member}:update")),
    ] {
        let server = server(
            &authority,
            vec![Box::new(|| Reply::at("2.9", &proposal("Open")))],
            &["Pending", "Pending", "Committed"],
            |_| None,
        )
        .await;
        let submission = submit(&server, &authority, kind).await.unwrap();
        assert_eq!((submission.transaction.to_string().as_str(), submission.repeated), ("2.9", None));
        assert!(submission.is_own);
        let sent = sent(&server);
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0].target, format!("{path}{VERSION}"));
        assert_eq!(sent[0].content_type.as_deref(), Some("application/cose"));
        assert_eq!(sent[0].body, envelope(kind).await.to_bytes());
        // Before a ballot or a withdrawal it is asked whether it is held already.
        let asked = if kind.names_proposal() { 5 } else { 4 };
        assert_eq!(server.asked().len(), asked);
    }
}

#[tokio::test]
async fn no_primary_a_silent_primary_and_a_broken_connection_are_waited_out_with_the_same_bytes() {
    let authority = Authority::new();
    let writes: Replies = vec![
        Box::new(|| Reply::error(503, "InternalError", "RPC could not be forwarded to unknown primary.")),
        Box::new(|| Reply::text(504, "Request was forwarded, but no response was received")),
        Box::new(Reply::close),
        Box::new(|| Reply::at("2.9", &proposal("Open")).cut_short(3)),
        Box::new(|| Reply::at("2.9", &proposal("Open"))),
    ];
    let server = server(&authority, writes, &["Committed"], |_| None).await;
    let submission = submit(&server, &authority, MessageType::Ballot).await.unwrap();
    // Any of them may have been the one that was taken.
    assert_eq!((submission.repeated, submission.is_own), (None, false));
    let sent = sent(&server);
    assert_eq!(sent.len(), 5);
    assert!(sent.windows(2).all(|w| w[0].body == w[1].body && w[0].target == w[1].target));
}

#[tokio::test]
async fn a_transaction_that_an_election_lost_is_sent_again() {
    let authority = Authority::new();
    for states in [&["Pending", "Unknown", "Committed"][..], &["Pending", "Invalid", "Pending", "Committed"]] {
        let writes: Replies =
            vec![Box::new(|| Reply::at("2.9", &proposal("Open"))), Box::new(|| Reply::at("3.10", &proposal("Open")))];
        let server = server(&authority, writes, states, |_| None).await;
        let submission = submit(&server, &authority, MessageType::Proposal).await.unwrap();
        assert_eq!(submission.transaction.to_string(), "3.10");
        let sent = sent(&server);
        assert_eq!(sent.len(), 2);
        assert_eq!(sent[0].body, sent[1].body);
    }
}

#[tokio::test]
async fn a_proposal_that_is_there_already_is_success_for_that_proposal() {
    let authority = Authority::new();
    let writes: Replies = vec![
        Box::new(|| Reply::text(504, "no response")),
        Box::new(|| {
            let message = format!("Proposal submission replay, already exists as proposal {}", hex('1'));
            Reply::error(400, "ProposalReplay", &message)
        }),
    ];
    let read = |asked: &Asked| held(asked, "Accepted");
    let server = server(&authority, writes, &["Committed"], read).await;
    let submission = submit(&server, &authority, MessageType::Proposal).await.unwrap();
    assert_eq!((submission.repeated, submission.is_own), (Some(Repeated::AnswerLost), false));
    assert_eq!(submission.proposal.unwrap().proposal_id.to_string(), hex('1'));
}

/// The service holds the proposal of [`envelope`], in this state.
fn held(asked: &Asked, state: &str) -> Option<Reply> {
    match asked.path() {
        p if p.ends_with(&format!("{}/actions", hex('1'))) => {
            Some(Reply::at("2.9", &json!({"actions": [{"args": {}, "name": "remove_node"}]})))
        }
        p if p.ends_with(&hex('1')) => Some(Reply::at("2.9", &proposal(state))),
        _ => None,
    }
}

#[tokio::test]
async fn a_replay_of_another_proposal_is_not_believed() {
    let authority = Authority::new();
    let writes: Replies =
        vec![Box::new(|| Reply::error(400, "ProposalReplay", &format!("already exists as proposal {}", hex('1'))))];
    let read = |asked: &Asked| match asked.path() {
        p if p.ends_with("/actions") => {
            Some(Reply::at("2.9", &json!({"actions": [{"args": {}, "name": "remove_member"}]})))
        }
        _ => held(asked, "Open"),
    };
    let server = server(&authority, writes, &["Committed"], read).await;
    let result = submit(&server, &authority, MessageType::Proposal).await;
    assert!(matches!(result, Err(ServiceError::AnotherProposal(id)) if id.to_string() == hex('1')), "{result:?}");
}

#[tokio::test]
async fn an_answer_about_another_proposal_is_not_taken() {
    let authority = Authority::new();
    let other =
        || json!({"proposalId": hex('d'), "proposerId": hex('a'), "proposalState": "Accepted", "ballotCount": 1});
    for kind in [MessageType::Ballot, MessageType::Withdrawal] {
        let writes: Replies = vec![Box::new(move || Reply::at("2.9", &other()))];
        let server = server(&authority, writes, &["Committed"], |_| None).await;
        let result = submit(&server, &authority, kind).await;
        assert!(matches!(result, Err(ServiceError::NotUnderstood { .. })), "{result:?}");
    }
}

#[tokio::test]
async fn a_second_withdrawal_names_no_transaction_as_its_own() {
    let authority = Authority::new();
    let writes: Replies = vec![Box::new(|| Reply::at("2.54", &proposal("Withdrawn")))];
    let server = server(&authority, writes, &["Committed"], |asked| held(asked, "Withdrawn")).await;
    let submission = submit(&server, &authority, MessageType::Withdrawal).await.unwrap();
    assert_eq!((submission.repeated, submission.is_own), (Some(Repeated::Withdrawn), false));
}

#[tokio::test]
async fn a_proposal_or_a_ballot_from_before_is_not_this_sendings() {
    let authority = Authority::new();
    let writes: Replies =
        vec![Box::new(|| Reply::error(400, "ProposalReplay", &format!("already exists as proposal {}", hex('1'))))];
    let read = |asked: &Asked| held(asked, "Open");
    let replayed = server(&authority, writes, &["Committed"], read).await;
    let submission = submit(&replayed, &authority, MessageType::Proposal).await.unwrap();
    assert_eq!((submission.repeated, submission.is_own), (Some(Repeated::SameBytes), false));

    let writes: Replies = vec![Box::new(|| Reply::at("2.9", &proposal("Open")))];
    let read = |asked: &Asked| asked.path().contains("/ballots/").then(|| Reply::text(200, BALLOT));
    let held = server(&authority, writes, &["Committed"], read).await;
    let submission = submit(&held, &authority, MessageType::Ballot).await.unwrap();
    assert_eq!((submission.repeated, submission.is_own), (Some(Repeated::SameBallot), false));
}

#[tokio::test]
async fn a_proposal_that_is_there_already_and_purged_is_told_so() {
    let authority = Authority::new();
    let writes: Replies =
        vec![Box::new(|| Reply::error(400, "ProposalReplay", &format!("already exists as proposal {}", hex('1'))))];
    let read = |_: &Asked| Some(Reply::error(404, "ProposalNotFound", "none"));
    let server = server(&authority, writes, &["Committed"], read).await;
    let result = submit(&server, &authority, MessageType::Proposal).await;
    assert!(matches!(result, Err(ServiceError::Purged(id)) if id.to_string() == hex('1')), "{result:?}");
}

#[tokio::test]
async fn a_ballot_whose_answer_was_lost_is_found_in_the_resolved_proposal() {
    let authority = Authority::new();
    let not_open = || Reply::error(400, "ProposalNotOpen", "Proposal is currently in state accepted");
    let held = |script: &'static str| {
        move |asked: &Asked| match asked.path() {
            p if p.contains("/ballots/") => Some(Reply::text(200, script)),
            p if p.ends_with(&hex('1')) => Some(Reply::at("2.9", &proposal("Accepted"))),
            _ => None,
        }
    };
    let writes = || -> Replies { vec![Box::new(Reply::close), Box::new(not_open)] };
    let ours = server(&authority, writes(), &["Committed"], held(BALLOT)).await;
    let submission = submit(&ours, &authority, MessageType::Ballot).await.unwrap();
    assert_eq!((submission.repeated, submission.is_own), (Some(Repeated::SameBallot), false));
    let other = server(&authority, writes(), &["Committed"], held("export function vote () { return false }")).await;
    let Err(ServiceError::Refused(refusal)) = submit(&other, &authority, MessageType::Ballot).await else { panic!() };
    assert_eq!((refusal.code.as_str(), refusal.after_silence), ("ProposalNotOpen", true));
}

#[tokio::test]
async fn a_ballot_that_decided_and_was_purged_with_its_proposal_is_told_apart_from_no_such_proposal() {
    let authority = Authority::new();
    let none = || Reply::error(404, "ProposalNotFound", "Could not find proposal");
    let after_silence =
        server(&authority, vec![Box::new(Reply::close), Box::new(none)], &["Committed"], |_| None).await;
    let result = submit(&after_silence, &authority, MessageType::Ballot).await;
    assert!(matches!(result, Err(ServiceError::Purged(_))), "{result:?}");
    let at_once = server(&authority, vec![Box::new(none)], &["Committed"], |_| None).await;
    let result = submit(&at_once, &authority, MessageType::Ballot).await;
    assert!(matches!(result, Err(ServiceError::Refused(_))), "{result:?}");
}

#[tokio::test]
async fn withdrawing_what_the_service_does_not_hold_is_no_error_and_no_proposal() {
    let authority = Authority::new();
    let server = server(&authority, vec![Box::new(|| Reply::nothing_at("2.9"))], &["Committed"], |_| None).await;
    let submission = submit(&server, &authority, MessageType::Withdrawal).await.unwrap();
    assert!(submission.proposal.is_none());
}

#[tokio::test]
async fn what_cannot_be_decided_in_time_is_said_to_be_undecided() {
    let authority = Authority::new();
    let message = envelope(MessageType::Proposal).await;
    let hasty = |server: &Server| Options { patience: Duration::from_millis(300), ..options(&authority, &[server]) };

    let silent = server(&authority, vec![Box::new(Reply::close)], &["Committed"], |_| None).await;
    let result = Service::connect(hasty(&silent)).await.unwrap().submit(&message).await;
    assert!(matches!(&result, Err(ServiceError::Undecided { nodes, .. }) if !nodes.is_empty()), "{result:?}");

    let stuck =
        server(&authority, vec![Box::new(|| Reply::at("2.9", &proposal("Open")))], &["Pending"], |_| None).await;
    let result = Service::connect(hasty(&stuck)).await.unwrap().submit(&message).await;
    assert!(matches!(&result, Err(ServiceError::Undecided { transaction: Some(_), .. })), "{result:?}");

    let idle: Replies = vec![Box::new(|| Reply::error(503, "InternalError", "unknown primary"))];
    let idle = server(&authority, idle, &["Committed"], |_| None).await;
    let result = Service::connect(hasty(&idle)).await.unwrap().submit(&message).await;
    let Err(ServiceError::Unreachable { nodes, .. }) = result else { panic!("{result:?}") };
    assert!(matches!(nodes[..], [(_, NodeFailure::Unavailable { status: 503, .. })]), "{nodes:?}");
}

#[tokio::test]
async fn an_answer_without_a_transaction_is_not_taken_for_done() {
    let authority = Authority::new();
    let writes: Replies = vec![Box::new(|| Reply::json(200, &proposal("Open")))];
    let server = server(&authority, writes, &["Committed"], |_| None).await;
    let result = submit(&server, &authority, MessageType::Proposal).await;
    assert!(matches!(result, Err(ServiceError::NotUnderstood { .. })), "{result:?}");
}

#[tokio::test]
async fn deleting_a_node_twice_because_the_answer_was_lost_is_done() {
    let authority = Authority::new();
    let none = || Reply::error(404, "ResourceNotFound", "No such node");
    let again = server(&authority, vec![Box::new(Reply::close), Box::new(none)], &["Committed"], |_| None).await;
    let service = connect(&authority, &[&again]).await.unwrap();
    assert_eq!(service.delete_node(hex('b').parse().unwrap()).await.unwrap(), None);
    let never = server(&authority, vec![Box::new(none)], &["Committed"], |_| None).await;
    let service = connect(&authority, &[&never]).await.unwrap();
    assert!(matches!(service.delete_node(hex('b').parse().unwrap()).await, Err(ServiceError::Refused(_))));
}
