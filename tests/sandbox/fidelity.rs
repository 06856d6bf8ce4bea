//! What a simulation says beforehand is what the service then does: whether a proposal is valid, how many votes it takes, how it ends, and
//! which rows change; and what a ballot answers. docs/fidelity.md has the same comparison with a real node.

use std::collections::BTreeSet;

use ccf_gov::cose::MessageType;
use ccf_gov::id::{MemberId, ProposalId};
use ccf_gov::kv::{Change, table};
use ccf_gov::proposal::catalogue::Catalogue;
use ccf_gov::review::simulate::{BallotAnswer, Outcome, Trial};
use ccf_gov::review::state::{Reading, State, why_not_known};
use ccf_gov::sandbox::Sandbox;
use ccf_gov::service::{Options, Service};
use serde_json::{Value, json};

use crate::support::consortium::{Client, options, path};
use crate::support::signing::{Raw, Signatory};

const YES: &str = "export function vote() { return true; }";

struct Field {
    /// The service ends with it.
    _sandbox: Sandbox,
    client: Client,
    service: Service,
    members: Vec<Signatory>,
}

impl Field {
    async fn start() -> Self {
        let sandbox = Sandbox::start(options(1)).await.unwrap();
        let client = Client::keeping_connections(&sandbox);
        let address = client.first().parse().unwrap();
        let options = Options::new(vec![address], sandbox.service_certificate().into_bytes());
        let service = Service::connect(options).await.unwrap();
        let members = ["member0", "member1", "member2"].map(Signatory::new).into();
        Self { _sandbox: sandbox, client, service, members }
    }

    async fn state(&self) -> State {
        State::read(&self.service, &Reading::new(&|_, _| ())).await.unwrap()
    }

    fn id(&self, member: usize) -> MemberId {
        self.members[member].id.parse().unwrap()
    }

    /// Sends what nobody checked; the status and the answer.
    async fn send(&self, kind: MessageType, member: usize, proposal: Option<&str>, payload: &str) -> (u16, Value) {
        let signatory = &self.members[member];
        let name = if kind == MessageType::Ballot { "ballot" } else { "proposal" };
        let envelope = signatory.sign_raw(Raw::new(&signatory.id, name, proposal, payload)).await;
        let path = path(kind, &signatory.id, proposal.unwrap_or_default());
        let reply = self.client.post(self.client.first(), &path, &envelope).await;
        (reply.status, reply.body)
    }

    async fn vote(&self, member: usize, proposal: &str, script: &str) -> (u16, Value) {
        self.send(MessageType::Ballot, member, Some(proposal), &json!({ "ballot": script }).to_string()).await
    }

    /// What the service does with a proposal when every member votes yes in turn.
    async fn put(&self, text: &str) -> Ended {
        let (status, body) = self.send(MessageType::Proposal, 0, None, text).await;
        if status != 200 {
            return Ended { outcome: Outcome::NotValid, votes: 0 };
        }
        let id = body["proposalId"].as_str().unwrap().to_owned();
        let mut state = body["proposalState"].as_str().unwrap().to_owned();
        let mut votes = 0;
        while state == "Open" && votes < 3 {
            let (status, body) = self.vote(votes, &id, YES).await;
            votes += 1;
            if status != 200 {
                return Ended { outcome: Outcome::Failed, votes };
            }
            state = body["proposalState"].as_str().unwrap().into();
        }
        let outcome = match state.as_str() {
            "Accepted" => Outcome::Accepted,
            "Rejected" => Outcome::Rejected,
            _ => Outcome::Open,
        };
        Ended { outcome, votes }
    }
}

#[derive(Debug, PartialEq)]
struct Ended {
    outcome: Outcome,
    votes: usize,
}

/// The rows that change, of tables that are rebuilt whole or nearly so; whether each was there before, and is afterwards.
fn rows(changes: &[Change]) -> BTreeSet<(String, String, bool, bool)> {
    let proposals = [table::PROPOSALS, table::PROPOSALS_INFO];
    let known = |change: &&Change| {
        let name = change.table.as_str();
        (why_not_known(name).is_none() || name == table::NODE_INFO) && !proposals.contains(&name)
    };
    let row = |change: &Change| {
        let key = String::from_utf8_lossy(&change.key).into_owned();
        (change.table.clone(), key, change.before.is_some(), change.after.is_some())
    };
    changes.iter().filter(known).map(row).collect()
}

/// The example of every template, the same without its first argument and with a number in its place, and what is no proposal. What
/// replaces the constitution comes last.
fn proposals() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut last = Vec::new();
    for template in Catalogue::builtin().templates() {
        let action = template.example();
        let text = |args: &Value| json!({"actions": [{"name": action.name, "args": args}]}).to_string();
        let args = action.args.clone().unwrap_or_else(|| json!({}));
        if action.name == "set_constitution" {
            last.push((action.name.clone(), text(&args)));
            continue;
        }
        all.push((action.name.clone(), text(&args)));
        if let Some(first) = args.as_object().and_then(|args| args.keys().next().cloned()) {
            let mut spoiled = args.clone();
            spoiled[&first] = json!(12345);
            all.push((format!("{} with a number", action.name), text(&spoiled)));
            spoiled.as_object_mut().unwrap().shift_remove(&first);
            all.push((format!("{} without {first}", action.name), text(&spoiled)));
        }
    }
    for text in ["x", "", "null", "{}", "[]", r#"{"actions":{}}"#, r#"{"actions":[]}"#, r#"{"actions":[{"name":1}]}"#] {
        all.push((format!("{text:?}"), text.into()));
    }
    all.append(&mut last);
    all
}

#[tokio::test]
async fn a_hundred_proposals_end_as_was_said() {
    let field = Field::start().await;
    let proposals = proposals();
    assert!(proposals.len() >= 100, "{}", proposals.len());
    let mut outcomes = BTreeSet::new();
    let mut before = field.state().await;
    for (name, text) in proposals {
        let simulation = before.simulator().run(&Trial::new(&text, field.id(0))).unwrap();
        let sets = simulation.passing.as_ref().and_then(|passing| passing.fewest);
        let said = match simulation.outcome {
            Outcome::NotValid => Ended { outcome: Outcome::NotValid, votes: 0 },
            Outcome::Open => Ended { outcome: Outcome::Open, votes: 3 },
            outcome => Ended { outcome, votes: sets.unwrap_or(3) },
        };
        let done = field.put(&text).await;
        assert_eq!(said, done, "{name}: {simulation:?}");
        let after = field.state().await;
        let changed = after.tables.changes_since(&before.tables);
        assert_eq!(rows(&simulation.changes), rows(&changed), "{name}");
        outcomes.insert(format!("{:?}", done.outcome));
        before = after;
    }
    assert!(outcomes.len() >= 2, "{outcomes:?}");
}

/// What decides: what the ballot returns, and the rest of a script.
fn ballots() -> Vec<String> {
    let returns = [
        "true",
        "false",
        "1",
        "0",
        "-0",
        "NaN",
        "''",
        "'false'",
        "'true'",
        "{}",
        "[]",
        "null",
        "undefined",
        "() => false",
        "Promise.resolve(false)",
        "Symbol()",
        "0n",
        "1n",
        "new Boolean(false)",
        "proposerId.length === 64",
        "JSON.parse(proposal).actions.length === 1",
        "vote(proposal, proposerId)",
        "ccf.kv['public:ccf.gov.members.info'].size === 3",
        "ccf.kv['public:ccf.gov.nodes.info'].size >= 1",
        "ccf.kv['public:ccf.gov.constitution'].has(new ArrayBuffer(8))",
        "ccf.kv['private:x'].size === 0",
        "ccf.kv['public:app'].size === 0",
        "ccf.kv['public:ccf.internal.x'].size === 0",
        "ccf.kv['public:ccf.gov.members.info'].get('x') === undefined",
        "ccf.kv['public:ccf.gov.users.info'].get(ccf.strToBuf('x')) === undefined",
        "typeof ccf.node === 'undefined'",
        "ccf.node.triggerSnapshot()",
        "ccf.bufToStr(ccf.strToBuf('ä')) === 'ä'",
        "ccf.jsonCompatibleToBuf({a: 1}).byteLength === 7",
        "ccf.crypto.digest('SHA-256', ccf.strToBuf('a')).byteLength === 32",
        "eval('true')",
        "Function('return true')()",
        "globalThis.x === undefined",
        "(globalThis.x = 1) === 1",
        "/^[0-9a-f]{64}$/.test(proposerId)",
        "new Set([1]).has(1)",
        "'aa'.replaceAll('a', 'b') === 'bb'",
        "arguments.length === 2",
        "this === undefined",
        "Object.keys(JSON.parse(proposal)).length === 1",
        "[3, 1].sort()[0] === 1",
        "Math.max() < 0",
        "isNaN('x')",
        "typeof console.log === 'function'",
        "ccf.kv['public:ccf.gov.members.info'].clear()",
    ];
    let bodies = [
        "throw new Error('x');",
        "throw 1;",
        "throw {a: 1};",
        "throw null;",
        "null.x;",
        "let a = []; for (;;) a.push(new Array(1e6).fill(1));",
        "ccf.kv['public:ccf.gov.members.info'].set(ccf.strToBuf('a'), ccf.strToBuf('b')); return true;",
        "for (;;) {}",
    ];
    let whole = [
        "",
        "export function vote() {",
        "function vote() { return true }",
        "export default function () { return true }",
        "export const vote = () => true;",
        "export const vote = 1;",
        "import x from 'y'; export function vote() { return true }",
        "throw 1; export function vote() { return true }",
        "export function vote() { return true } throw 1",
        "export async function vote() { return false }",
        "export class vote {}",
        "export function* vote() { return false }",
        "export let vote = (p) => p !== undefined",
        "#!/x\nexport function vote() { return true }",
    ];
    let vote = |body: String| format!("export function vote(proposal, proposerId) {{ {body} }}");
    let mut all: Vec<String> = returns.iter().map(|value| vote(format!("return {value};"))).collect();
    all.extend(bodies.iter().map(|body| vote((*body).into())));
    all.extend(whole.map(String::from));
    all
}

#[tokio::test]
async fn sixty_ballots_answer_as_was_said() {
    let field = Field::start().await;
    let ballots = ballots();
    assert!(ballots.len() >= 60, "{}", ballots.len());
    let mut answers = BTreeSet::new();
    for (at, script) in ballots.iter().enumerate() {
        let actions = json!([{"name": "add_virtual_host_data", "args": {"host_data": format!("{at:064x}")}}]);
        let (_, made) = field.send(MessageType::Proposal, 1, None, &json!({ "actions": actions }).to_string()).await;
        let id = made["proposalId"].as_str().unwrap();
        let simulator = field.state().await.simulator();
        let trial =
            simulator.open_proposal(id.parse::<ProposalId>().unwrap()).unwrap().with_ballot(field.id(0), script);
        let (runs, _) = simulator.run_ballots(&trial).unwrap();
        let said = match &runs[0].answer {
            BallotAnswer::Yes => "yes",
            BallotAnswer::No => "no",
            BallotAnswer::Threw(_) => "throws",
            BallotAnswer::DoesNotLoad(_) => "refused",
            BallotAnswer::Unknown(_) => "unknown",
        };
        let (status, _) = field.vote(0, id, script).await;
        let mut decided = Value::Null;
        for member in [1, 2] {
            if decided["finalVotes"].is_null() {
                decided = field.vote(member, id, YES).await.1;
            }
        }
        let me = &field.members[0].id;
        let done = match (status, decided["finalVotes"][me].as_bool(), decided["voteFailures"].get(me)) {
            (200, Some(true), _) => "yes",
            (200, Some(false), _) => "no",
            (200, None, Some(_)) => "throws",
            _ => "refused",
        };
        assert_eq!(said, done, "{script}: {status} {decided} {runs:?}");
        answers.insert(done);
    }
    assert_eq!(answers.into_iter().collect::<Vec<_>>(), ["no", "refused", "throws", "yes"]);
}
