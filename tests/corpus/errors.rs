//! Sixty requests that something is wrong with, and what becomes of them.

use ccf_gov::cose::MessageType;
use ciborium::value::Value as Cbor;
use serde_json::{Value, json};

use super::walk::{Expect, Walk, YES};
use crate::support::consortium::path;
use crate::support::signing::Raw;

const CREATE: &str = "/gov/members/proposals:create?api-version=2024-07-01";
const NO: &str = "export function vote (rawProposal, proposerId) { return false; }";
const UNAUTHENTICATED: Expect = Expect(401, "InvalidAuthenticationInfo");
const INTERNAL: Expect = Expect(500, "InternalError");
const INVALID: Expect = Expect(400, "ProposalFailedToValidate");
const OK: Expect = Expect(200, "");

pub async fn walk(walk: &mut Walk) {
    envelopes(walk).await;
    proposals(walk).await;
    let id = replays(walk).await;
    ballots(walk, &id).await;
    withdrawals(walk, &id).await;
    lookups(walk).await;
    failing(walk).await;
    digests(walk).await;
    backup(walk).await;
}

fn node_data() -> String {
    json!({"actions": [{"name": "set_node_data", "args": {"node_id": "a".repeat(64), "node_data": {"x": 1}}}]})
        .to_string()
}

fn note(member: &str, note: &str) -> String {
    let args = json!({"member_id": member, "member_data": {"note": note}});
    json!({"actions": [{"name": "set_member_data", "args": args}]}).to_string()
}

/// Requests whose envelope or headers are wrong.
async fn envelopes(walk: &mut Walk) {
    let (member, other) = (walk.members[0].id.clone(), walk.members[1].id.clone());
    let payload = node_data();
    let good = Raw::new(&member, "proposal", None, &payload);
    let cose = "application/cose";
    let body = walk.members[0].sign_raw(good.clone()).await;
    let send = async |walk: &mut Walk, at, path: &str, body: &[u8], content_type, expected| {
        walk.expect(at, "POST", path, Some((body, content_type)), expected).await
    };
    let create = "/gov/members/proposals:create";
    send(walk, 28, create, &body, cose, Expect(400, "MissingApiVersionParameter")).await;
    let old = format!("{create}?api-version=2020-01-01");
    send(walk, 29, &old, &body, cose, Expect(400, "UnsupportedApiVersionValue")).await;
    let preview = note(&other, "p");
    let preview = walk.members[0].sign_raw(Raw { payload: &preview, ..good.clone() }).await;
    send(walk, 30, &format!("{create}?api-version=2023-06-01-preview"), &preview, cose, OK).await;
    send(walk, 31, CREATE, &body, "application/json", UNAUTHENTICATED).await;
    send(walk, 32, CREATE, b"{\"actions\":[]}", cose, INTERNAL).await;

    let text = Some(Cbor::from("now"));
    let spoilt: [(usize, usize, Raw<'_>, Expect); 13] = [
        (33, 0, Raw { tagged: false, ..good.clone() }, INTERNAL),
        (35, 1, good.clone(), UNAUTHENTICATED),
        (36, 0, Raw { kid: Some(&"f".repeat(64)), ..good.clone() }, UNAUTHENTICATED),
        (37, 0, Raw { kid: None, ..good.clone() }, INTERNAL),
        (38, 0, Raw { alg: None, ..good.clone() }, INTERNAL),
        (39, 0, Raw { alg: Some(-8), ..good.clone() }, UNAUTHENTICATED),
        (40, 0, Raw { kind: None, ..good.clone() }, UNAUTHENTICATED),
        (41, 0, Raw { kind: Some("ballot"), ..good.clone() }, UNAUTHENTICATED),
        (42, 0, Raw { created_at: None, ..good.clone() }, INTERNAL),
        (43, 0, Raw { created_at: Some(Cbor::from(-5)), ..good.clone() }, INTERNAL),
        (
            44,
            0,
            Raw { created_at: Some(Cbor::from(10_000_000_000_u64)), ..good.clone() },
            Expect(400, "InvalidCreatedAt"),
        ),
        (45, 0, Raw { created_at: text, ..good.clone() }, INTERNAL),
        (46, 0, Raw { payload: "not json", ..good.clone() }, INVALID),
    ];
    let mut corrupted = body.clone();
    *corrupted.last_mut().unwrap() ^= 1;
    send(walk, 34, CREATE, &corrupted, cose, UNAUTHENTICATED).await;
    for (at, signatory, raw, expected) in spoilt {
        let body = walk.members[signatory].sign_raw(raw).await;
        send(walk, at, CREATE, &body, cose, expected).await;
    }
}

/// Proposals that the constitution refuses.
async fn proposals(walk: &mut Walk) {
    let policy = json!({"host_data": "0".repeat(64), "security_policy": "package policy"});
    let cases: [(usize, Value, Expect); 6] = [
        (47, json!({"x": 1}), INVALID),
        (48, json!({"actions": [{"name": "no_such_action", "args": {}}]}), INVALID),
        (49, json!({"actions": [{"name": "remove_node", "args": {"node_id": "xyz"}}]}), INVALID),
        (
            50,
            json!({"actions": [
                {"name": "remove_node", "args": {"node_id": 5}}, {"name": "add_snp_measurement", "args": {}},
            ]}),
            INVALID,
        ),
        (51, json!({"actions": [{"name": "add_snp_host_data", "args": policy}]}), INVALID),
        (52, json!({"actions": []}), INVALID),
    ];
    for (at, proposal, expected) in cases {
        walk.signed(at, 0, MessageType::Proposal, None, &proposal.to_string(), expected).await;
    }
}

/// The same proposal again, and one that is too old.
async fn replays(walk: &mut Walk) -> String {
    let (member, other) = (walk.members[0].id.clone(), walk.members[1].id.clone());
    let payload = note(&other, "n");
    let good = Raw::new(&member, "proposal", None, &payload);
    let body = walk.members[0].sign_raw(good.clone()).await;
    let cose = "application/cose";
    let reply = walk.expect(53, "POST", CREATE, Some((&body, cose)), OK).await;
    let id = reply.body["proposalId"].as_str().unwrap().to_owned();
    let replay = walk.expect(54, "POST", CREATE, Some((&body, cose)), Expect(400, "ProposalReplay")).await;
    assert!(replay.body["error"]["message"].as_str().unwrap().contains(&id));
    let old = Raw { created_at: Some(Cbor::from(1_600_000_000)), ..good };
    let body = walk.members[0].sign_raw(old).await;
    walk.expect(55, "POST", CREATE, Some((&body, cose)), Expect(400, "ProposalCreatedTooLongAgo")).await;
    id
}

/// Ballots that are wrong, late, different, or throw.
async fn ballots(walk: &mut Walk, id: &str) {
    let ids: Vec<String> = walk.members.iter().map(|m| m.id.clone()).collect();
    let ballot = |script: &str| json!({"ballot": script}).to_string();
    let (yes, no) = (ballot(YES), ballot(NO));
    let mismatch = Expect(400, "InvalidResourceName");
    let other = "b".repeat(64);
    for (at, member, signed, expected) in
        [(56, 0, None, mismatch), (57, 0, Some(other.as_str()), mismatch), (58, 1, Some(id), mismatch)]
    {
        let body = walk.members[0].sign_raw(Raw::new(&ids[0], "ballot", signed, &yes)).await;
        let to = path(MessageType::Ballot, &ids[member], id);
        walk.expect(at, "POST", &to, Some((&body, "application/cose")), expected).await;
    }
    let input = Expect(400, "InvalidInput");
    let one = format!("/gov/members/proposals/{id}/ballots/{}?api-version=2024-07-01", ids[0]);
    walk.signed(59, 0, MessageType::Ballot, Some(id), "yes", input).await;
    walk.signed(60, 0, MessageType::Ballot, Some(id), r#"{"vote": 1}"#, input).await;
    walk.signed(61, 0, MessageType::Ballot, Some(id), &ballot("function nope() {}"), INTERNAL).await;
    walk.signed(62, 0, MessageType::Ballot, Some(id), &ballot("export function vote( {"), INTERNAL).await;
    walk.get(63, &one, 404, "VoteNotFound").await;
    walk.signed(64, 0, MessageType::Ballot, Some(id), &no, OK).await;
    walk.signed(65, 0, MessageType::Ballot, Some(id), &no, OK).await;
    walk.signed(66, 0, MessageType::Ballot, Some(id), &yes, Expect(400, "VoteAlreadyExists")).await;
    let throws = ballot("export function vote () { throw new Error('boom'); }");
    walk.signed(67, 1, MessageType::Ballot, Some(id), &throws, OK).await;
    let script = walk.get(68, &one, 200, "").await;
    assert_eq!(script.body, NO);
    walk.get(69, &format!("/gov/members/proposals/{id}?api-version=2024-07-01"), 200, "").await;
    walk.get(70, &format!("/gov/members/proposals/{id}/actions?api-version=2024-07-01"), 200, "").await;
}

async fn withdrawals(walk: &mut Walk, id: &str) {
    let yes = json!({"ballot": YES}).to_string();
    let unknown = "c".repeat(64);
    walk.signed(71, 1, MessageType::Withdrawal, Some(id), "", Expect(403, "AuthorizationFailed")).await;
    walk.signed(72, 0, MessageType::Withdrawal, Some(id), "", OK).await;
    walk.signed(73, 0, MessageType::Withdrawal, Some(id), "", OK).await;
    walk.signed(74, 2, MessageType::Ballot, Some(id), &yes, Expect(400, "ProposalNotOpen")).await;
    walk.signed(75, 0, MessageType::Withdrawal, Some(&unknown), "", Expect(204, "")).await;
    walk.signed(76, 0, MessageType::Ballot, Some(&unknown), &yes, Expect(404, "ProposalNotFound")).await;
}

async fn lookups(walk: &mut Walk) {
    let (unknown, member) = ("c".repeat(64), walk.members[0].id.clone());
    let version = "?api-version=2024-07-01";
    let missing = "ResourceNotFound";
    walk.get(77, &format!("/gov/members/proposals/{unknown}{version}"), 404, "ProposalNotFound").await;
    walk.get(78, &format!("/gov/nothing{version}"), 404, missing).await;
    walk.get(79, &format!("/gov/service/members/{member}{version}"), 200, "").await;
    walk.get(80, &format!("/gov/service/members/{unknown}{version}"), 404, missing).await;
    walk.get(81, &format!("/gov/service/nodes/{unknown}{version}"), 404, missing).await;
    let reply = walk.get(82, &format!("/gov/service/transactions/9.99999{version}"), 200, "").await;
    assert_eq!(reply.body["status"], "Unknown");
    walk.get(83, &format!("/gov/service/transactions/nope{version}"), 400, "InvalidQueryParameterValue").await;
    let primary = walk.sandbox.primary().unwrap();
    let in_service = Expect(400, "NodeNotRetiredCommitted");
    walk.expect(84, "DELETE", &format!("/node/network/nodes/{primary}"), None, in_service).await;
    walk.expect(85, "DELETE", &format!("/node/network/nodes/{unknown}"), None, Expect(404, missing)).await;
}

/// A proposal that is valid and cannot be applied: the last ballot is refused, and not kept.
async fn failing(walk: &mut Walk) {
    let unknown = "c".repeat(64);
    let data = json!({"actions": [{"name": "set_member_data", "args": {"member_id": unknown, "member_data": {}}}]});
    walk.signed(86, 0, MessageType::Proposal, None, &data.to_string(), OK).await;
    let args = json!({"node_id": unknown, "valid_from": "261122000000Z"});
    let trust = json!({"actions": [{"name": "transition_node_to_trusted", "args": args}]}).to_string();
    let reply = walk.signed(87, 0, MessageType::Proposal, None, &trust, OK).await;
    let id = reply.body["proposalId"].as_str().unwrap().to_owned();
    let yes = json!({"ballot": YES}).to_string();
    walk.signed(88, 0, MessageType::Ballot, Some(&id), &yes, OK).await;
    walk.signed(89, 1, MessageType::Ballot, Some(&id), &yes, INTERNAL).await;
    let proposal = walk.client.gov(&format!("/members/proposals/{id}")).await;
    assert_eq!((&proposal.body["proposalState"], &proposal.body["ballotCount"]), (&json!("Open"), &json!(1)));
}

async fn digests(walk: &mut Walk) {
    let member = walk.members[0].id.clone();
    let read = format!("/gov/members/state-digests/{member}?api-version=2024-07-01");
    let reply = walk.signed(90, 0, MessageType::StateDigest, None, "", OK).await;
    let digest = reply.body.to_string();
    walk.get(91, &read, 200, "").await;
    let other = json!({"stateDigest": "d".repeat(64)}).to_string();
    walk.signed(92, 0, MessageType::Ack, None, &other, Expect(400, "StateDigestMismatch")).await;
    walk.get(93, &read, 200, "").await;
    walk.signed(94, 0, MessageType::Ack, None, &digest, Expect(204, "")).await;
    let share = format!("/gov/recovery/encrypted-shares/{member}?api-version=2024-07-01");
    walk.get(95, &share, 200, "").await;
    let refused = Expect(403, "ServiceNotWaitingForRecoveryShares");
    walk.signed(96, 0, MessageType::RecoveryShare, None, r#"{"share": "AA=="}"#, refused).await;
}

async fn backup(walk: &mut Walk) {
    let payload = note(&walk.members[1].id.clone(), "backup");
    let primary = walk.sandbox.primary().unwrap();
    let backups: Vec<_> = walk.sandbox.nodes().into_iter().map(|n| n.id).collect();
    walk.ask_backup(&backups);
    walk.signed(97, 0, MessageType::Proposal, None, &payload, OK).await;
    walk.ask(primary);
}
