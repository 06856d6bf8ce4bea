//! `verify node` and `verify service`: what the service tells of its nodes, against artefacts.

use ccf_gov::digest::{HostData, MrEnclave};
use ccf_gov::sandbox::{NodeCode, SnpCode};

use super::*;

/// Programs that are no programs: their host data is their SHA-256.
const OLD: &str = "\u{7f}ELF old";
const NEW: &str = "\u{7f}ELF new";

fn virtual_service(nodes: &[&str]) -> Options {
    let mut options = options(1);
    options.nodes = nodes.iter().map(|name| NodeCode::named(name)).collect();
    options
}

impl Field {
    async fn with_programs(nodes: &[&str]) -> Self {
        let field = Self::with(virtual_service(nodes)).await;
        field.file("old", OLD);
        field.file("new", NEW);
        field
    }

    pub(super) fn first(&self) -> String {
        self.sandbox.nodes()[0].id.to_string()
    }

    /// Two members accept one action about a program's host data.
    async fn decide(&self, action: &str, program: &str) {
        let NodeCode::Virtual { host_data, .. } = NodeCode::named(program) else { unreachable!() };
        self.accept(action, serde_json::json!({"host_data": host_data})).await;
    }

    /// Two members accept one action.
    async fn accept(&self, action: &str, args: Value) {
        let proposal = serde_json::json!({"actions": [{"name": action, "args": args}]});
        let file = self.file("proposal.json", &proposal.to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file]).await.done();
        let id = made["proposalId"].as_str().unwrap().to_owned();
        for member in [0, 1] {
            self.run_as(member, &["ballot", "submit", &id, "--accept"]).await.done();
        }
    }
}

/// The verdict of the one check of this name.
#[track_caller]
pub fn verdict<'a>(json: &'a Value, name: &str) -> &'a str {
    let mut found = json["checks"].as_array().unwrap().iter().filter(|c| c["name"] == name);
    let check = found.next().unwrap_or_else(|| panic!("no check {name}: {json}"));
    check["verdict"].as_str().unwrap()
}

/// Everything that failed, by name.
pub fn failed(json: &Value) -> Vec<&str> {
    let checks = json["checks"].as_array().unwrap().iter();
    checks.filter(|c| c["verdict"] == "fail").map(|c| c["name"].as_str().unwrap()).collect()
}

/// The state of each registered value.
fn states(json: &Value) -> Vec<(&str, &str)> {
    let rows = json["values"].as_array().unwrap().iter();
    rows.map(|row| (row["kind"].as_str().unwrap(), row["state"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn a_virtual_node_passes_with_its_program_and_with_no_other() {
    let field = Field::with_programs(&[OLD]).await;
    let id = field.first();
    let good = field.run(&["verify", "node", &id, "--evidence", "old"]).await.done();
    assert_eq!((&good["verdict"], &good["platform"]), (&"pass".into(), &"virtual".into()));
    for name in ["join-policy-measurement", "join-policy-host-data", "node-certificate", "artefact-host-data"] {
        assert_eq!(verdict(&good, name), "pass", "{name}");
    }
    let wrong = field.run(&["verify", "node", &id, "--evidence", "new"]).await;
    assert_eq!((wrong.code, &wrong.json()["verdict"]), (3, &"fail".into()));
    assert_eq!(failed(&wrong.json()), ["artefact-host-data"]);
    // What the service has looked at itself is no second opinion.
    let without = field.run(&["verify", "node", &id]).await;
    assert_eq!((without.code, &without.json()["verdict"]), (3, &"incomplete".into()));
    assert_eq!(verdict(&without.json(), "artefacts"), "incomplete");
}

#[tokio::test]
async fn a_node_that_the_service_does_not_have_is_said_to_be_none_of_its() {
    let field = Field::with_programs(&[OLD]).await;
    let nobody = "c".repeat(64);
    let error = field.run(&["verify", "node", &nobody]).await.error(4);
    assert!(error.contains("has no node") && error.contains("node list"), "{error}");
    let no_id = field.run(&["verify", "node", "abc"]).await;
    assert_eq!(no_id.code, 2, "{no_id:?}");
    let no_file = field.run(&["verify", "node", &field.first(), "--evidence", "missing"]).await;
    assert!(no_file.error(2).contains("missing"));
}

#[tokio::test]
async fn a_pending_node_is_verified_before_it_is_trusted() {
    let field = Field::with_programs(&[OLD]).await;
    field.decide("add_virtual_host_data", NEW).await;
    let id = field.sandbox.join(NodeCode::named(NEW)).await.unwrap().to_string();
    assert_eq!(field.run(&["node", "show", &id]).await.done()["status"], "Pending");
    let good = field.run(&["verify", "node", &id, "--evidence", "new"]).await.done();
    assert_eq!((&good["verdict"], verdict(&good, "node-certificate")), (&"pass".into(), "warn"));
    let wrong = field.run(&["verify", "node", &id, "--evidence", "old"]).await;
    assert_eq!((wrong.code, failed(&wrong.json())), (3, vec!["artefact-host-data"]));
    // The whole service is what both programs say.
    let all = field.run(&["verify", "service", "--evidence", "old", "new"]).await.done();
    assert_eq!(all["nodes"].as_array().unwrap().len(), 2);
    let backed = ["virtual host data", "virtual host data", "virtual measurement"].map(|kind| (kind, "backed"));
    assert_eq!(states(&all), backed, "{all}");
}

#[tokio::test]
async fn code_that_runs_and_is_no_longer_registered_is_named() {
    let field = Field::with_programs(&[OLD, NEW]).await;
    field.decide("remove_virtual_host_data", OLD).await;
    let id = field.first();
    let node = field.run(&["verify", "node", &id, "--evidence", "old"]).await;
    assert_eq!((node.code, failed(&node.json())), (3, vec!["join-policy-host-data"]));
    let service = field.run(&["verify", "service", "--evidence", "old", "new"]).await;
    let json = service.json();
    assert_eq!((service.code, failed(&json)), (3, vec!["not-registered"]));
    let named = json["checks"].as_array().unwrap().iter().find(|c| c["name"] == "not-registered").unwrap();
    assert!(named["detail"].as_str().unwrap().contains(&id), "{named}");
    let verdicts: Vec<_> = json["nodes"].as_array().unwrap().iter().map(|n| n["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts.iter().filter(|v| **v == "fail").count(), 1, "{verdicts:?}");
}

#[tokio::test]
async fn registered_values_are_backed_stale_or_unbacked() {
    let field = Field::with_programs(&[OLD]).await;
    let good = field.run(&["verify", "service", "--evidence", "old"]).await.done();
    assert_eq!(states(&good), [("virtual host data", "backed"), ("virtual measurement", "backed")]);
    assert_eq!(good["values"][0]["nodes"], serde_json::json!([field.first()]));

    field.decide("add_virtual_host_data", NEW).await;
    let stale = field.run(&["verify", "service", "--evidence", "old", "new"]).await.done();
    assert_eq!(verdict(&stale, "stale"), "warn");
    assert_eq!(states(&stale).iter().filter(|(_, state)| *state == "stale").count(), 1, "{stale}");
    let unbacked = field.run(&["verify", "service", "--evidence", "old"]).await;
    assert_eq!((unbacked.code, failed(&unbacked.json())), (3, vec!["unbacked"]));
    let wrong = field.run(&["verify", "service", "--evidence", "new"]).await;
    assert_eq!((wrong.code, failed(&wrong.json())), (3, vec!["unbacked", "node"]));
}

#[tokio::test]
async fn an_snp_node_without_its_operators_report_is_never_a_yes() {
    let code = NodeCode::Snp(SnpCode { uvm: None, ..SnpCode::named("old") });
    let mut options = options(1);
    options.nodes = vec![code.clone()];
    let field = Field::with(options).await;
    field.file("old", OLD);
    let pending = field.sandbox.join(code).await.unwrap().to_string();
    let ran = field.run(&["verify", "node", &pending]).await;
    let json = ran.json();
    assert_eq!((ran.code, &json["verdict"], &json["status"]), (3, &"incomplete".into(), &"Pending".into()));
    let missing = json["checks"][0]["detail"].as_str().unwrap();
    assert!(missing.contains("AMD_SEV_SNP_v1") && missing.contains("--report"), "{missing}");

    // Of a trusted node the service gives the report. The sandbox's is signed, and not by AMD.
    let trusted = field.run(&["verify", "node", &field.first()]).await;
    let json = trusted.json();
    assert_eq!((trusted.code, verdict(&json, "ark-pinned")), (3, "fail"));
    assert_eq!((verdict(&json, "policy-host-data"), verdict(&json, "policy-measurement")), ("pass", "pass"));

    let service = field.run(&["verify", "service", "--evidence", "old"]).await;
    let json = service.json();
    let node = json["nodes"].as_array().unwrap().iter().find(|n| n["node_id"] == pending).unwrap();
    assert_eq!((service.code, &node["verdict"]), (3, &"incomplete".into()));
    assert_eq!(
        states(&json),
        [("snp host data", "unbacked"), ("snp measurement", "unbacked"), ("snp minimum tcb", "unbacked")]
    );
}

#[tokio::test]
async fn an_sgx_node_whose_quote_is_none_is_never_a_yes() {
    let mut options = options(1);
    options.nodes = vec![NodeCode::Sgx { mrenclave: MrEnclave([3; 32]) }];
    let field = Field::with(options).await;
    let ran = field.run(&["verify", "node", &field.first()]).await;
    let json = ran.json();
    assert_eq!((ran.code, &json["verdict"]), (3, &"fail".into()));
    assert_eq!((verdict(&json, "attestation"), failed(&json).first()), ("incomplete", Some(&"service-attestation")));
}

/// What is no artefact is said to be none; only what could be a program counts for virtual values.
#[tokio::test]
async fn evidence_that_is_no_artefact_is_called_by_its_name() {
    let field = Field::with_programs(&[OLD]).await;
    let hash = |text: &str| HostData(ccf_gov::digest::sha256(text.as_bytes()));
    let claim = serde_json::json!({
        "host_data": hash("x"), "measurement": "Insecure hard-coded virtual measurement v1",
        "report_data": "DbGONdx6T56tGsGmlaFINLAjwyRhkRT95wGKK5CAuic=",
    });
    let proposal =
        serde_json::json!({"actions": [{"name": "add_virtual_host_data", "args": {"host_data": hash("x")}}]});
    let template = r#"{"resources": [{"type": "Microsoft.ContainerInstance/containerGroups", "name": "g", "properties": {"confidentialComputeProperties": {"ccePolicy": ""}}}]}"#;
    for (text, what) in [
        (claim.to_string(), "a virtual node's attestation"),
        (proposal.to_string(), "a proposal"),
        (template.to_owned(), "has no policy yet"),
        ("{\"a\": 1}".to_owned(), "holds no policy"),
        ("-----BEGIN CERTIFICATE-----\nAAAA".to_owned(), "PEM file"),
        (String::new(), "the file is empty"),
    ] {
        field.file("given", &text);
        let wanted =
            serde_json::json!({"actions": [{"name": "add_virtual_host_data", "args": {"host_data": hash(&text)}}]});
        field.file("wanted.json", &wanted.to_string());
        let ran = field.run(&["verify", "proposal", "wanted.json", "--evidence", "given"]).await;
        let json = ran.json();
        assert_eq!((ran.code, failed(&json)), (3, vec!["add_virtual_host_data"]), "{text}");
        let told = json["checks"].as_array().unwrap().iter().find(|c| c["name"] == "evidence").unwrap();
        assert!(told["verdict"] == "warn" && told["detail"].as_str().unwrap().contains(what), "{told}");
    }
    for program in ["#!/bin/sh\nexec true\n", "\u{7f}ELF", "\u{1}\u{2}\u{3}"] {
        field.file("given", program);
        let wanted =
            serde_json::json!({"actions": [{"name": "add_virtual_host_data", "args": {"host_data": hash(program)}}]});
        field.file("wanted.json", &wanted.to_string());
        let ran = field.run(&["verify", "proposal", "wanted.json", "--evidence", "given"]).await.done();
        assert_eq!(verdict(&ran, "add_virtual_host_data"), "pass", "{program:?}");
    }
}

#[tokio::test]
async fn a_minimum_tcb_that_no_node_is_held_against_is_stale() {
    let code = NodeCode::Snp(SnpCode { uvm: None, ..SnpCode::named("old") });
    let mut options = options(1);
    options.nodes = vec![code];
    let field = Field::with(options).await;
    field.file("old", OLD);
    let tcb = serde_json::json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219});
    field.accept("set_snp_minimum_tcb_version", serde_json::json!({"cpuid": "00a10f11", "tcb_version": tcb})).await;
    let service = field.run(&["verify", "service", "--evidence", "old"]).await;
    let json = service.json();
    assert!(states(&json).contains(&("snp minimum tcb", "stale")), "{json}");
    let node = json["checks"].as_array().unwrap().iter().find(|c| c["name"] == "node" || c["name"] == "not-registered");
    let told = node.unwrap()["detail"].as_str().unwrap();
    assert!(told.contains("ark-pinned"), "{told}");
}

#[tokio::test]
async fn a_node_that_cannot_be_asked_itself_and_what_its_checks_warn_of_are_named() {
    let field = Field::start().await;
    let program = field.file("program", "x").display().to_string();
    let asked = field.run(&["verify", "node", &field.first()]).await.json();
    let of = |json: &Value, name: &str| -> Vec<Value> {
        json["checks"].as_array().unwrap().iter().filter(|c| c["name"] == name).cloned().collect()
    };
    assert_eq!(of(&asked, "node-itself")[0]["verdict"], "pass", "{asked}");

    let primary = field.sandbox.primary().unwrap();
    let dead = field.sandbox.nodes().into_iter().map(|n| n.id).find(|id| *id != primary).unwrap();
    field.sandbox.stop(dead).unwrap();
    let service = field.run(&["verify", "service", "--evidence", &program]).await.json();
    let itself = of(&service, "node-itself");
    assert_eq!((itself.len(), &itself[0]["verdict"]), (1, &"warn".into()), "{service}");
    let detail = itself[0]["detail"].as_str().unwrap();
    assert!(detail.contains(&dead.to_string()) && detail.contains("/node/attestations/self"), "{detail}");
    assert_eq!(of(&service, "virtual-platform").len(), 1, "{service}");
    let node = field.run(&["verify", "node", &dead.to_string()]).await.json();
    assert_eq!(of(&node, "node-itself")[0]["verdict"], "warn");
}

#[tokio::test]
async fn a_dead_node_is_not_called_verified() {
    let field = Field::with_programs(&[OLD, OLD, OLD]).await;
    let command = ["verify", "service", "--evidence", "old"];
    let alive = field.run(&command).await.done();
    assert_eq!(alive["verdict"], "pass");
    let primary = field.sandbox.primary().unwrap();
    let dead = field.sandbox.nodes().into_iter().map(|n| n.id).find(|id| *id != primary).unwrap();
    field.sandbox.stop(dead).unwrap();
    let found = field.run(&command).await;
    let json = found.json();
    assert_eq!((found.code, &json["verdict"]), (3, &"incomplete".into()), "{json}");
    let nodes = json["checks"].as_array().unwrap().iter().filter(|check| check["name"] == "node");
    let silent: Vec<_> = nodes.filter(|check| check["verdict"] == "incomplete").collect();
    assert_eq!(silent.len(), 1, "{json}");
    let detail = silent[0]["detail"].as_str().unwrap();
    assert!(detail.contains(&dead.to_string()) && !detail.contains(": verified"), "{detail}");
}
