//! Attestations under a sandbox's made-up roots: believed with --rehearsal-roots alone, and then everything says REHEARSAL.

use std::time::{Duration, Instant};

use ccf_gov::sandbox::{NodeCode, SnpCode};
use serde_json::Value;

use super::{Field, Ran};
use crate::support::consortium::options;

/// A sandbox of two SNP nodes, with `roots.pem`, `old/` and `new/` in the folder from which commands run.
async fn field() -> Field {
    let mut options = options(2);
    options.nodes = vec![NodeCode::Snp(SnpCode::named("old")); 2];
    let field = Field::with(options).await;
    let artefacts = field.sandbox.write_artefacts(&field.path("made")).unwrap().unwrap();
    assert_eq!(artefacts.code.len(), 2);
    field
}

const ROOTS: [&str; 2] = ["--rehearsal-roots", "made/rehearsal_roots.pem"];

fn check<'a>(json: &'a Value, name: &str) -> &'a Value {
    json["checks"].as_array().unwrap().iter().find(|c| c["name"] == name).unwrap()
}

/// Every line that was printed says what it is.
fn assert_marked(ran: &Ran) {
    let lines: Vec<_> = ran.stdout.lines().filter(|line| !line.is_empty()).collect();
    assert!(lines.len() > 3 && lines.iter().all(|line| line.starts_with("REHEARSAL  ")), "{}", ran.stdout);
    assert!(lines.last().unwrap().starts_with("REHEARSAL  Verdict: "), "{}", ran.stdout);
}

#[tokio::test]
async fn a_node_passes_with_the_roots_and_fails_without() {
    let field = field().await;
    let node = field.first();
    let arguments = ["verify", "node", &node, "--evidence", "made/old"];
    let ran = field.run(&[&arguments[..], &ROOTS].concat()).await;
    let json = ran.done();
    assert_eq!((&json["verdict"], &json["rehearsal"]), (&"pass".into(), &true.into()), "{json}");
    assert_eq!(
        (&json["checks"][0]["name"], check(&json, "rehearsal")["verdict"].as_str()),
        (&"rehearsal".into(), Some("warn"))
    );
    assert!(
        check(&json, "ark-pinned")["detail"]
            .as_str()
            .unwrap()
            .starts_with("the root is a sandbox's, and not AMD's, for Milan")
    );
    assert_marked(&field.run_human(&[&arguments[..], &ROOTS].concat()).await);

    let ran = field.run(&arguments).await;
    let json = ran.json();
    assert_eq!((ran.code, &json["verdict"], &json["rehearsal"]), (3, &"fail".into(), &false.into()));
    assert_eq!(check(&json, "ark-pinned")["verdict"], "fail");
    // Other code than the node's.
    let ran = field.run(&["verify", "node", &node, "--evidence", "made/new", ROOTS[0], ROOTS[1]]).await;
    assert_eq!((ran.code, &ran.json()["verdict"]), (3, &"fail".into()));
}

#[tokio::test]
async fn a_service_passes_with_the_roots_and_fails_without() {
    let field = field().await;
    let arguments = ["verify", "service", "--evidence", "made/old"];
    let ran = field.run(&[&arguments[..], &ROOTS].concat()).await;
    let json = ran.done();
    assert_eq!((&json["verdict"], &json["rehearsal"]), (&"pass".into(), &true.into()), "{json}");
    assert_marked(&field.run_human(&[&arguments[..], &ROOTS].concat()).await);
    let ran = field.run(&arguments).await;
    assert_eq!((ran.code, &ran.json()["verdict"], &ran.json()["rehearsal"]), (3, &"fail".into(), &false.into()));
}

#[tokio::test]
async fn a_pending_node_passes_with_what_its_operator_read_off_the_machine() {
    let field = field().await;
    let pending = field.sandbox.join(NodeCode::Snp(SnpCode::named("old"))).await.unwrap();
    let shown = serde_json::json!({"nodeId": pending, "quote_info": field.sandbox.attestation(pending)});
    field.file("node.json", &shown.to_string());
    let pending = pending.to_string();
    let arguments = ["verify", "node", &pending, "--evidence", "made/old", ROOTS[0], ROOTS[1]];
    let ran = field.run(&arguments).await;
    assert_eq!((ran.code, &ran.json()["rehearsal"]), (3, &true.into()), "the service shows no report of it");
    field.run(&[&arguments[..], &["--report", "node.json"]].concat()).await.done();
    let alone = ["verify", "attestation", "node.json", "--node-id", &pending];
    let json = field.run(&[&alone[..], &ROOTS].concat()).await.done();
    assert_eq!((&json["verdict"], &json["rehearsal"]), (&"pass".into(), &true.into()));
    assert_eq!(field.run(&alone).await.code, 3);
}

#[tokio::test]
async fn no_variable_and_no_file_makes_a_rehearsal_and_what_is_no_root_is_refused() {
    let field = field().await;
    let node = field.first();
    let file = std::fs::read_to_string(field.path("ccf-gov.toml")).unwrap_or_default();
    field.file("ccf-gov.toml", &format!("{file}\nrehearsal_roots = \"made/rehearsal_roots.pem\"\n"));
    assert_eq!(field.run(&["verify", "node", &node]).await.code, 2, "it is no key of the file");
    field.file("ccf-gov.toml", &file);
    for (name, contents) in [("empty.pem", ""), ("key.pem", &*field.sandbox.service_certificate())] {
        field.file(name, contents);
        let ran = field.run(&["verify", "node", &node, "--rehearsal-roots", name]).await;
        assert!(ran.error(2).contains("cannot be used for a rehearsal"), "{ran:?}");
    }
}

/// An upgrade of the sandbox's two nodes to the code in `made/new`.
const UPGRADE: &str = "\
[service]
url = \"URL\"
cert = \"service_cert.pem\"

[new]
platform = \"snp\"
policy = \"made/new/security-policy-base64\"
uvm = \"made/new/reference-info-base64\"
nodes = 2

[rules]
minimum_fault_tolerance = 0

[waive]
version-path = \"nodes of a sandbox have no version\"
node-count = \"a sandbox of two\"
";

#[tokio::test]
async fn an_upgrade_is_rehearsed_with_the_roots_alone() {
    let field = field().await;
    field.file("upgrade.toml", &UPGRADE.replace("URL", &field.urls[0]));
    let with = |command: &[&'static str]| [&["upgrade"], command, &ROOTS].concat();
    let plan = field.run(&with(&["plan", "-o", "PLAN.json"])).await.done();
    assert_eq!((&plan["rehearsal"], &plan["checks"][0]["name"]), (&true.into(), &"rehearsal".into()), "{plan}");
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(field.path("PLAN.json")).unwrap()).unwrap();
    assert_eq!(kept["rehearsal"], true);
    let chart = field.run(&[&with(&["plan"])[..], &["--output", "mermaid"]].concat()).await;
    assert!(chart.stdout.starts_with("---\ntitle: REHEARSAL\n---\nflowchart"), "{chart:?}");
    for (command, code) in
        [(&["plan"][..], 0), (&["status"], 6), (&["step"], 6), (&["rollback"], 0), (&["report", "-o", "-"], 3)]
    {
        let ran = field.run(&with(command)).await;
        assert_eq!(ran.code, code, "{ran:?}");
        if command[0] != "report" {
            assert_eq!(ran.json()["rehearsal"], true, "{ran:?}");
            let lines = field.run_human(&with(command)).await.stdout;
            let marked = |line: &str| line.is_empty() || line.starts_with("REHEARSAL  ");
            assert!(!lines.is_empty() && lines.lines().all(marked), "{lines}");
        }
    }
    let reported = field.run(&with(&["report", "-o", "report.html"])).await;
    assert_eq!((reported.code, &reported.json()["rehearsal"]), (3, &true.into()), "{reported:?}");
    let page = std::fs::read_to_string(field.path("report.html")).unwrap();
    assert!(page.contains("REHEARSAL: attestations were verified under made-up roots"));
    // What others are to run names the roots as well.
    let waiting = field.run(&with(&["status"])).await.json()["waiting_for"][0]["command"].to_string();
    assert!(waiting.contains("-f upgrade.toml --rehearsal-roots made/rehearsal_roots.pem"), "{waiting}");

    // Without the roots, no attestation holds.
    let reported = field.run(&["upgrade", "report", "-o", "report.html", "--force"]).await;
    assert_eq!((reported.code, &reported.json()["rehearsal"]), (3, &false.into()), "{reported:?}");
    let page = std::fs::read_to_string(field.path("report.html")).unwrap();
    assert!(page.contains("ark-pinned: ") && !page.contains("REHEARSAL"), "{page}");
}

/// The service shows no report of a pending SNP node: members trust it with what its operator gives them, and go on.
#[tokio::test]
async fn snp_nodes_are_upgraded_step_by_step_and_trusted_with_their_operators_reports() {
    let field = field().await;
    field.file("upgrade.toml", &UPGRADE.replace("URL", &field.urls[0]));
    let mut step: Vec<String> = ["upgrade", "step"].into_iter().chain(ROOTS).map(str::to_owned).collect();
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let words: Vec<&str> = step.iter().map(String::as_str).collect();
        let codes = [field.run_as(0, &words).await.code, field.run_as(1, &words).await.code];
        let operator = field.run(&[&words[..], &["--operate"]].concat()).await;
        if (codes, operator.code) == ([0, 0], 0) {
            break;
        }
        assert!(codes.iter().all(|code| [0, 6].contains(code)) && Instant::now() < end, "{codes:?} {operator:?}");
        if operator.json()["waiting_for"].to_string().contains("the new code, and let") {
            let id = field.sandbox.join(NodeCode::Snp(SnpCode::renewed("new"))).await.unwrap();
            // The service shows no report of it, so nobody is asked to trust it before everybody has it.
            let waiting = field.run_as(0, &words).await;
            assert!(waiting.json()["waiting_for"].to_string().contains("--report"), "{waiting:?}");
            let shown = serde_json::json!({"nodeId": id, "quote_info": field.sandbox.attestation(id)});
            let name = format!("{}.json", id.short());
            field.file(&name, &shown.to_string());
            step.extend(["--report".to_owned(), name]);
        }
    }
    let report = [&["upgrade", "report", "-o", "report.html"][..], &ROOTS].concat();
    assert_eq!(field.run(&report).await.done()["verdict"], "pass");
}
