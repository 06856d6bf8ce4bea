//! What the engine lets a script do, and what it does not.

mod functions;
mod isolation;
mod ours;

use super::*;
use crate::id::{MemberId, ProposalId};
use crate::kv::{SINGLETON, Tables};

const RULES: &str = "export function validate(input) { return {valid: true, description: ''}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}";

#[derive(Debug)]
struct Desk;

impl Host for Desk {
    fn endorse(&self, csr_pem: &str, valid_from: &str, validity_days: u64) -> Result<String, String> {
        Ok(format!("endorsed {csr_pem} {valid_from} {validity_days}"))
    }

    fn network_certificate(&self, _: &str, _: u64) -> Result<String, String> {
        Err("the desk is closed".into())
    }

    fn latest_ledger_secret_seqno(&self) -> u64 {
        42
    }
}

fn member(byte: u8) -> MemberId {
    MemberId::from_bytes([byte; 32])
}

fn proposal(text: &str) -> Proposal<'_> {
    Proposal { text, id: ProposalId::from_bytes([7; 32]), proposer: member(1) }
}

fn vote(tables: &Tables, ballot: &str) -> Result<bool, ScriptError> {
    Constitution::new(RULES).unwrap().vote(tables, &proposal("{}"), member(2), ballot)
}

/// Runs `body` as the apply function on one table.
fn apply(tables: &mut Tables, body: &str) -> Result<Vec<Effect>, ScriptError> {
    let source = format!(
        "export function validate(i) {{}} export function resolve(p, o, v) {{}}
         export function apply(proposal, proposalId) {{ {body} }}"
    );
    Constitution::new(&source).unwrap().apply(tables, &proposal("{}"), &Desk)
}

fn reason(result: Result<impl std::fmt::Debug, ScriptError>) -> String {
    result.unwrap_err().reason
}

#[test]
fn a_constitution_exports_three_functions_with_their_parameters() {
    assert!(Constitution::new(RULES).is_ok());
    assert!(Constitution::new(&RULES.replace("votes)", "votes, proposalId)")).is_ok());
    for (broken, says) in [
        (String::new(), "constitution is empty"),
        ("function (".into(), "Failed to compile"),
        (RULES.replace("export function apply", "function apply"), "Failed to find export 'apply'"),
        (RULES.replace("proposal, proposalId", "proposal"), "apply with 1 arg, expected 2 args"),
        (RULES.replace("votes)", "votes, a, b)"), "resolve with 5 args, expected between 3 and 4 args"),
        (RULES.replace("function validate(input)", "const validate = 5; function x()"), "named validate"),
        (format!("import 'other';{RULES}"), "named apply"),
        (format!("for (;;) {{}}\n{RULES}"), "took too long"),
    ] {
        let error = Constitution::new(&broken).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn whatever_is_true_to_javascript_is_a_yes() {
    let tables = Tables::new();
    for (answer, yes) in [
        ("true", true),
        ("false", false),
        ("1", true),
        ("0", false),
        ("NaN", false),
        ("'false'", true),
        ("''", false),
        ("{}", true),
        ("Promise.resolve(false)", true),
        ("null", false),
        ("undefined", false),
    ] {
        assert_eq!(vote(&tables, &format!("export function vote(p, o) {{ return {answer}; }}")), Ok(yes), "{answer}");
    }
    let asynchronous = "export async function vote() { return true; }";
    assert_eq!(vote(&tables, asynchronous), Ok(true), "a promise is an object");
}

#[test]
fn a_ballot_is_given_the_proposal_and_who_proposed_it() {
    let ballot = format!(
        "export function vote(proposal, proposer) {{ return proposal === '{{}}' && proposer === '{}'; }}",
        member(1)
    );
    assert_eq!(vote(&Tables::new(), &ballot), Ok(true));
}

#[test]
fn what_a_ballot_throws_is_its_failure() {
    let tables = Tables::new();
    let thrown = |what: &str| vote(&tables, &format!("export function vote() {{ {what} }}")).unwrap_err();
    let error = thrown("throw new Error('no')");
    assert_eq!((error.stage, error.reason.as_str()), (Stage::Call, "Error: no"));
    let trace = error.trace.unwrap();
    assert!(trace.contains("at vote (public:ccf.gov.proposals_info[0707"), "{trace}");
    assert_eq!(thrown("throw {code: 5}").reason, r#"{"code":5}"#);
    assert_eq!(thrown("throw 'plain'").reason, "plain");
    assert_eq!(thrown("throw undefined").reason, "undefined");
    assert!(thrown("throw '\\ud800'").reason.contains('\u{fffd}'));
    for unloadable in
        ["export function voice() {}", "export const vote = 1;", "} nonsense", "import {a} from './a.js';"]
    {
        assert_eq!(vote(&tables, unloadable).unwrap_err().stage, Stage::Load, "{unloadable}");
    }
    assert_eq!(vote(&tables, "export function vote() { return true; } throw new Error('late');"), Ok(true));
}

#[test]
fn no_script_gets_past_its_limits() {
    let tables = Tables::new();
    let body = |body: &str| vote(&tables, &format!("export function vote() {{ {body} }}")).unwrap_err();
    assert_eq!(body("for (;;) {}").reason, "Operation took too long to complete.");
    for (script, says) in [
        ("const a = []; for (;;) a.push(new ArrayBuffer(1e6));", "memory"),
        ("let s = 'x'; for (;;) s += s;", ""),
        ("const a = []; for (;;) a.push({a: [1, 2, 3]});", ""),
        ("const f = () => f() + 1; f();", "stack"),
        ("const f = (a) => [a].map(f); f(1);", "stack"),
        ("JSON.parse('['.repeat(1e6));", "stack"),
        ("new Array(1e9).fill(0);", ""),
    ] {
        let error = body(script);
        assert_eq!(error.stage, Stage::Call);
        assert!(error.reason.contains(says), "{script}: {error}");
    }
}

#[test]
fn a_single_endless_call_is_given_up() {
    for script in [
        "Array.prototype.indexOf.call({length: 2 ** 53 - 1}, 1)",
        "/(x+x+)+y/.test('x'.repeat(64))",
        "throw {toJSON() { for (;;) {} }}",
    ] {
        let error = vote(&Tables::new(), &format!("export function vote() {{ {script}; }}")).unwrap_err();
        assert_eq!(error.reason, "Operation took too long to complete.", "{script}");
    }
}

#[test]
fn nothing_but_ccf_and_console_is_there() {
    let ballot = "export function vote() {
        console.log('x', {}); console.error();
        return typeof std === 'undefined' && typeof os === 'undefined' && typeof require === 'undefined'
            && ccf.node === undefined && ccf.network === undefined && ccf.refreshAppBytecodeCache === undefined;
    }";
    assert_eq!(vote(&Tables::new(), ballot), Ok(true));
}

#[test]
fn tables_are_maps_of_buffers() {
    let mut tables = Tables::new();
    tables.begin(5);
    tables.put("public:ccf.gov.a", b"old", "1");
    tables.begin(6);
    let effects = apply(
        &mut tables,
        "const t = ccf.kv['public:ccf.gov.a'], key = ccf.strToBuf('new'), old = ccf.strToBuf('old');
         const check = (what, is) => { if (is !== true) throw new Error(what); };
         check('size', t.size === 1 && !('x' in t));
         check('has', t.has(old) && !t.has(key) && t.get(key) === undefined);
         check('set', t.set(key, new Uint8Array([0, 1, 2, 254, 255]).buffer) === t);
         check('get', [...new Uint8Array(t.get(key))].join() === '0,1,2,254,255');
         check('version', t.getVersionOfPreviousWrite(old) === 5 && t.getVersionOfPreviousWrite(key) === undefined);
         const seen = [];
         t.forEach((v, k, m) => { seen.push(ccf.bufToStr(k)); m.delete(k); });
         check('forEach', seen.join() === 'new,old' && t.size === 0);
         t.set(old, new ArrayBuffer(0));
         check('empty', t.get(old).byteLength === 0);
         t.set(new ArrayBuffer(8), ccf.jsonCompatibleToBuf({a: 1}));
         ccf.kv['public:app'].set(key, key);",
    );
    assert_eq!(effects, Ok(vec![]));
    assert_eq!(tables.get("public:ccf.gov.a", &SINGLETON), Some(&br#"{"a":1}"#[..]));
    assert_eq!(tables.get("public:ccf.gov.a", b"old"), Some(&b""[..]));
    assert_eq!(tables.version_of_previous_write("public:ccf.gov.a", b"old"), Some(6));
    assert!(tables.has("public:app", b"new"));
}

#[test]
fn tables_refuse_what_governance_may_not_do() {
    let tables = Tables::new();
    for (table, calls) in [
        ("public:ccf.gov.members.info", &["set(k, k)", "delete(k)", "clear()"][..]),
        ("public:ccf.internal.signatures", &["set(k, k)", "delete(k)", "clear()"]),
        ("public:app", &["get(k)", "has(k)", "size", "forEach(() => 0)", "getVersionOfPreviousWrite(k)", "set(k, k)"]),
        ("private", &["get(k)", "set(k, k)"]),
        ("ccf.gov.private", &["get(k)", "size"]),
    ] {
        for call in calls {
            let ballot =
                format!("export function vote() {{ const k = new ArrayBuffer(8); ccf.kv['{table}'].{call}; }}");
            let error = reason(vote(&tables, &ballot));
            let name = call.split('(').next().unwrap();
            assert!(error.starts_with(&format!("TypeError: Cannot call {name} on table named {table}.")), "{error}");
        }
    }
    let mut tables = Tables::new();
    for call in ["['public:app'].get(k)", "['public:ccf.internal.x'].set(k, k)", "['private'].set(k, k)"] {
        let error = reason(apply(&mut tables, &format!("const k = new ArrayBuffer(8); ccf.kv{call};")));
        assert!(error.contains("Cannot call"), "{error}");
    }
    for (call, says) in [
        ("get()", "Passed 0 arguments, but expected 1"),
        ("set(new ArrayBuffer(1))", "Passed 1 arguments, but expected 2"),
        ("get('key')", "Argument must be an ArrayBuffer"),
        ("set(new ArrayBuffer(1), 'value')", "Arguments must be ArrayBuffers"),
        ("get(new Uint8Array(1))", "Argument must be an ArrayBuffer"),
        ("forEach(1)", "Argument must be a function"),
    ] {
        let error = reason(apply(&mut tables, &format!("ccf.kv['public:ccf.gov.a'].{call};")));
        assert_eq!(error, format!("TypeError: {says}"));
    }
}

#[test]
fn a_failed_apply_changes_nothing() {
    let mut tables = Tables::new();
    let error = apply(
        &mut tables,
        "const k = new ArrayBuffer(8); ccf.kv['public:ccf.gov.a'].set(k, k); ccf.node.triggerSnapshot(); throw 'no';",
    );
    assert_eq!(reason(error), "no");
    assert!(tables.is_empty("public:ccf.gov.a"));
    let bomb = "const v = new ArrayBuffer(1e6); for (let i = 0; i < 50; i++)
        ccf.kv['public:ccf.gov.a'].set(ccf.strToBuf(`${i}`), v);";
    assert!(reason(apply(&mut tables, bomb)).contains("32 MiB"));
    assert_eq!(tables.names().count(), 0);
}

#[test]
fn applying_reaches_the_node() {
    let effects = apply(
        &mut Tables::new(),
        "ccf.node.triggerLedgerRekey(); ccf.node.triggerRecoverySharesRefresh(); ccf.node.triggerLedgerChunk();
         ccf.node.triggerSnapshot(); ccf.refreshAppBytecodeCache();
         ccf.node.transitionServiceToOpen(undefined, ccf.strToBuf('pem'));
         ccf.setJwtPublicSigningKeys('i', {a: 1}, {keys: []}); ccf.removeJwtPublicSigningKeys('i');
         if (ccf.network.getLatestLedgerSecretSeqno() !== 42) throw new Error('seqno');
         const pem = ccf.network.generateEndorsedCertificate('csr', '251122000000Z', 90);
         if (pem !== 'endorsed csr 251122000000Z 90') throw new Error(pem);",
    );
    assert_eq!(
        effects.unwrap(),
        [
            Effect::TriggerLedgerRekey,
            Effect::TriggerRecoverySharesRefresh,
            Effect::TriggerLedgerChunk,
            Effect::TriggerSnapshot,
            Effect::RefreshAppBytecodeCache,
            Effect::TransitionServiceToOpen { previous: None, next: "pem".into() },
            Effect::SetJwtPublicSigningKeys {
                issuer: "i".into(),
                metadata: r#"{"a":1}"#.into(),
                jwks: r#"{"keys":[]}"#.into()
            },
            Effect::RemoveJwtPublicSigningKeys { issuer: "i".into() },
        ]
    );
    let closed = apply(&mut Tables::new(), "ccf.network.generateNetworkCertificate('251122000000Z', 1);");
    assert_eq!(reason(closed), "InternalError: Error: the desk is closed");
}

#[test]
fn modules_that_do_not_compile_make_apply_fail() {
    let set =
        "const set = (name, text) => ccf.kv['public:ccf.gov.modules'].set(ccf.strToBuf(name), ccf.strToBuf(text));";
    let after = |text: &str| {
        let body = format!("{set} set('/lib/a.js', 'export const a = 1;'); {text} ccf.refreshAppBytecodeCache();");
        apply(&mut Tables::new(), &body)
    };
    let good = "set('/b.js', 'import { a } from \"./lib/a.js\"; export function f() { return a; }');";
    assert_eq!(after(good), Ok(vec![Effect::RefreshAppBytecodeCache]));
    let broken = reason(after("set('/b.js', '\\nexport function f( {');"));
    let says = "Failed to refresh bytecode: Failed to compile module '/b.js': line 2: SyntaxError";
    assert!(broken.starts_with("InternalError: ") && broken.contains(says), "{broken}");
    let missing = reason(after("set('/b.js', 'import \"/c.js\";');"));
    assert!(missing.contains("it imports \"/c.js\", and there is no such module"), "{missing}");
}

#[test]
fn conversions_are_those_of_ccf() {
    let ballot = "export function vote() {
        const check = (what, is) => { if (is !== true) throw new Error(what); };
        check('utf8', [...new Uint8Array(ccf.strToBuf('é€'))].join() === '195,169,226,130,172');
        check('back', ccf.bufToStr(ccf.strToBuf('é€')) === 'é€');
        check('json', ccf.bufToJsonCompatible(ccf.jsonCompatibleToBuf({a: [1, 'x']})).a[1] === 'x');
        check('nul', ccf.strToBuf('a\\0b').byteLength === 1);
        const hex = (b) => [...new Uint8Array(b)].map((x) => x.toString(16).padStart(2, '0')).join('');
        check('digest', hex(ccf.crypto.digest('SHA-256', ccf.strToBuf('abc')))
            === 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
        const milan = ccf.tcbHexToPolicy('00a00f11', 'd315000000000004');
        check('milan', JSON.stringify(milan)
            === '{\"hexstring\":\"d315000000000004\",\"microcode\":211,\"snp\":21,\"tee\":0,\"boot_loader\":4}');
        check('turin', ccf.tcbHexToPolicy('00b00f11', '0100000004030201').fmc === 1);
        return true;
    }";
    assert_eq!(vote(&Tables::new(), ballot), Ok(true));
    for (call, says) in [
        ("ccf.strToBuf(5)", "TypeError: Argument must be a string"),
        ("ccf.strToBuf('\\ud800')", "TypeError: the string has an unpaired surrogate"),
        ("ccf.bufToJsonCompatible(ccf.strToBuf('{'))", "SyntaxError"),
        ("ccf.pemToId('x')", "InternalError: Failed to parse PEM"),
        ("ccf.tcbHexToPolicy('00000000', 'd315000000000004')", "InternalError: SEV-SNP: Unsupported CPUID"),
        ("ccf.tcbHexToPolicy('00a00f11', 'zz')", "InternalError: TCB"),
        ("ccf.crypto.digest('MD5', new ArrayBuffer(1))", "RangeError: unsupported digest algorithm"),
        ("ccf.gov.validateConstitution(5)", "TypeError: constitution is not a string"),
        ("ccf.gov.validateConstitution('export function validate(i) {}')", "TypeError: proposed constitution does not"),
    ] {
        let error = reason(vote(&Tables::new(), &format!("export function vote() {{ {call}; }}")));
        assert!(error.starts_with(says), "{call}: {error}");
    }
}

#[test]
fn resolve_is_given_the_votes_in_order() {
    let source = RULES.replace(
        "return 'Open';",
        "return {true: 'Accepted', false: 'Rejected', '': 'nonsense'}[votes.map((v) => v.vote).join()] ?? votes[0].member_id;",
    );
    let rules = Constitution::new(&source).unwrap();
    let tables = Tables::new();
    let resolve = |votes: &[(MemberId, bool)]| rules.resolve(&tables, &proposal("{}"), votes);
    assert_eq!(resolve(&[(member(1), true)]), Ok(Resolution::Accepted));
    assert_eq!(resolve(&[(member(1), false)]), Ok(Resolution::Rejected));
    let error = resolve(&[]).unwrap_err();
    assert_eq!(error.stage, Stage::Answer);
    assert_eq!(error.reason, "resolve() returned invalid status value: \"nonsense\"");
    let both = resolve(&[(member(9), true), (member(3), true)]).unwrap_err();
    assert!(both.reason.contains(&member(3).to_string()), "{both}");
}

#[test]
fn validate_must_return_an_object() {
    let answer = |body: &str| {
        let source = RULES.replace("return {valid: true, description: ''};", body);
        Constitution::new(&source).unwrap().validate(&Tables::new(), "not JSON")
    };
    let said = |valid, description: &str| Ok(Validation { valid, description: description.into() });
    assert_eq!(answer("return {valid: true};"), said(true, ""));
    assert_eq!(answer("return {valid: 1, description: 'no'};"), said(true, "no"));
    assert_eq!(answer("return {valid: 0, description: 'no'};"), said(false, "no"));
    assert_eq!(answer("return {valid: false, description: 'a\\ud800'};"), said(false, "a\u{fffd}"));
    assert_eq!(answer("return 'yes';").unwrap_err().stage, Stage::Answer);
    assert_eq!(answer("JSON.parse(input);").unwrap_err().stage, Stage::Call);
}
