//! `upgrade plan`: what an upgrade will be.

use ccf_gov::sandbox::NodeCode;
use serde_json::json;

use super::*;

const UPGRADE: &str = "\
[service]
url = \"URL\"
cert = \"service_cert.pem\"

[new]
platform = \"virtual\"
package = \"program\"
nodes = 3

[waive]
version-path = \"both ends are test builds\"
";

impl Field {
    /// A service of so many nodes with other code than the one in upgrade.toml.
    pub async fn to_upgrade(nodes: usize) -> Self {
        let mut options = options(1);
        options.nodes = vec![NodeCode::named("\u{7f}ELF old"); nodes];
        let field = Self::with(options).await;
        field.file("program", "\u{7f}ELF new");
        field.file("upgrade.toml", &UPGRADE.replace("URL", &field.urls[0]));
        field
    }

    pub async fn plan(&self, arguments: &[&str]) -> Ran {
        let all = ["upgrade", "plan"].iter().chain(arguments).map(ToString::to_string);
        self.run_plain(all.collect()).await
    }
}

#[tokio::test]
async fn a_plan_shows_every_phase_with_its_proposals_and_how_many_nodes_may_fail() {
    let field = Field::to_upgrade(3).await;
    let plan = field.plan(&["--output", "json"]).await.done();
    assert_eq!(
        (&plan["phase"], &plan["n"], &plan["majority"], &plan["f"]),
        (&json!("register"), &json!(3), &json!(2), &json!(1))
    );
    let phases = plan["phases"].as_array().unwrap();
    let names: Vec<_> = phases.iter().map(|phase| (&phase["name"], &phase["state"])).collect();
    assert_eq!(json!(names[0]), json!(["register", "current"]));
    assert_eq!(json!(names[4]), json!(["rules", "done"]), "nothing in upgrade.toml changes them");
    let steps: Vec<&Value> = phases.iter().flat_map(|phase| phase["steps"].as_array().unwrap()).collect();
    assert!(steps.iter().all(|step| step["after"]["f"].as_u64() >= Some(1)), "{plan}");
    assert_eq!(steps[0]["proposal"]["actions"][0]["name"], "add_virtual_host_data");
    let trusted = steps.iter().map(|step| step["after"]["n"].as_u64().unwrap()).max();
    assert_eq!((trusted, plan["stops"].is_null(), &plan["verdict"]), (Some(6), true, &json!("pass")), "{plan}");
    assert!(plan["nodes"].as_array().unwrap().iter().all(|node| node["code"] == "old"));
    // Another person has other addresses, and the same plan.
    field.file("upgrade.toml", &UPGRADE.replace("URL", &field.urls[1]));
    assert_eq!(field.plan(&["--output", "json"]).await.done()["plan"], plan["plan"]);
}

#[tokio::test]
async fn a_plan_is_written_to_a_file_and_drawn() {
    let field = Field::to_upgrade(3).await;
    let shown = field.plan(&["-o", "PLAN.json"]).await;
    assert_eq!(shown.code, 0, "{}{}", shown.stdout, shown.stderr);
    for says in [
        "from n 3, majority 2, f 1 to n 5",
        "the others elect another one",
        "trust new nodes new-1, new-2: valid, and passes with 2 of 3 votes",
        "Then the upgrade is done",
    ] {
        assert!(shown.stdout.contains(says), "{says}: {}", shown.stdout);
    }
    let file: Value = serde_json::from_str(&std::fs::read_to_string(field.path("PLAN.json")).unwrap()).unwrap();
    assert_eq!(file["decided_from"]["nodes"].as_array().unwrap().len(), 3);
    assert!(shown.stdout.contains(file["short"].as_str().unwrap()));
    let again = field.plan(&["-o", "PLAN.json", "--output", "json"]).await;
    assert!(again.error(2).contains("PLAN.json already exists"));
    let chart = field.plan(&["--output", "mermaid"]).await;
    assert!(chart.code == 0 && chart.stdout.starts_with("flowchart TB\n"), "{chart:?}");
    let other = field.run_plain(["upgrade", "status", "--output", "mermaid"].map(String::from).to_vec()).await;
    assert!(other.code == 2 && other.stderr.contains("only `upgrade plan` prints a Mermaid flowchart"), "{other:?}");
}

#[tokio::test]
async fn a_walk_that_is_held_to_a_plan_file_stops_when_something_else_has_changed() {
    let field = Field::to_upgrade(3).await;
    field.plan(&["-o", "PLAN.json", "--output", "json"]).await.done();
    let held = ["upgrade", "step", "-f", "upgrade.toml", "--plan", "PLAN.json"];
    let step = field.run_as(0, &held).await;
    assert_eq!(step.code, 6, "{step:?}");
    let toml = UPGRADE.replace("URL", &field.urls[0]).replace("nodes = 3", "nodes = 4");
    field.file("upgrade.toml", &toml);
    let refused = field.run_as(1, &held).await.error(3);
    assert!(refused.contains("upgrade.toml or a file that it names has changed"), "{refused}");
    let status = field.run(&["upgrade", "status", "-f", "upgrade.toml", "--plan", "PLAN.json"]).await;
    assert!(
        status.code == 3 && status.json()["blocked"][0].as_str().unwrap().starts_with("upgrade.toml or"),
        "{status:?}"
    );
    field.file("PLAN.json", "{}");
    assert!(field.run_as(1, &held).await.error(2).contains("cannot use the plan file PLAN.json"));
}

#[tokio::test]
async fn a_precondition_that_fails_is_a_no() {
    let field = Field::to_upgrade(3).await;
    let toml = UPGRADE.replace("URL", &field.urls[0]).replace("nodes = 3", "nodes = 2");
    field.file("upgrade.toml", &toml);
    let plan = field.plan(&["--output", "json"]).await;
    assert_eq!(plan.code, 3, "{plan:?}");
    let plan = plan.json();
    let failed = plan["checks"].as_array().unwrap().iter().find(|check| check["verdict"] == "fail").unwrap();
    assert_eq!(failed["name"], "node-count", "{plan}");
    field.file("upgrade.toml", &(toml + "node-count = \"a test network\"\n"));
    let waived = field.plan(&["--output", "json"]).await.json();
    assert_eq!(waived["verdict"], "pass", "{waived}");
    assert!(waived["checks"].to_string().contains("waived: a test network"));
}

/// What the rules in force will not pass is known before anybody proposes it.
#[tokio::test]
async fn a_plan_whose_proposals_cannot_pass_is_a_no_and_says_where_the_rules_fail() {
    let mut options = options(1);
    options.nodes = vec![NodeCode::named("\u{7f}ELF old"); 3];
    let apply = options.constitution.find("export function apply(").unwrap();
    let body = apply + options.constitution[apply..].find("{\n").unwrap() + 1;
    options.constitution.insert_str(body, " if (proposal.includes(\"remove_node\")) throw new Error(\"nodes stay\");");
    let field = Field::with(options).await;
    field.file("program", "\u{7f}ELF new");
    let toml = UPGRADE.replace("URL", &field.urls[0]);
    field.file("upgrade.toml", &toml);
    let plan = field.plan(&["-o", "PLAN.json", "--output", "json"]).await;
    assert_eq!(plan.code, 3, "{plan:?}");
    let plan = plan.json();
    let failed: Vec<_> = plan["checks"].as_array().unwrap().iter().filter(|c| c["verdict"] == "fail").collect();
    let [failed] = failed[..] else { panic!("{plan}") };
    let detail = failed["detail"].as_str().unwrap();
    assert!(failed["name"] == "constitution" && detail.contains("nodes stay"), "{detail}");
    assert!(detail.contains("retire node") && detail.contains("constitution[0]:"), "{detail}");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(field.path("PLAN.json")).unwrap()).unwrap();
    assert_eq!(file["checks"], plan["checks"]);
    // Whoever passes over it has the reason in sight, and the same plan otherwise.
    field.file("upgrade.toml", &(toml + "constitution = \"the rules change before\"\n"));
    let waived = field.plan(&["--output", "json"]).await.done();
    assert!(waived["waived"].to_string().contains("nodes stay"), "{waived}");
}

/// A plan is for the service whose certificate upgrade.toml names, whatever else is configured.
#[tokio::test]
async fn another_services_certificate_is_neither_used_nor_believed() {
    let (field, other) = (Field::to_upgrade(3).await, Field::to_upgrade(3).await);
    field.file("other_cert.pem", &other.sandbox.service_certificate());
    let configured = std::fs::read_to_string(field.path("ccf-gov.toml")).unwrap_or_default();
    for configuration in [configured.clone(), "service-cert = \"other_cert.pem\"\n".into()] {
        field.file("ccf-gov.toml", &configuration);
        let plan = field.plan(&["--output", "json"]).await.done();
        let with = field.plan(&["--service-cert", "other_cert.pem", "--output", "json"]).await.done();
        assert_eq!(with["digest"], plan["digest"], "it is not used");
        let step = ["upgrade", "step", "--service-cert", "other_cert.pem", "--operate", "--output", "json"];
        assert_eq!(field.run_plain(step.map(String::from).into()).await.code, 6);
    }
    field.file("ccf-gov.toml", &configured);
    // The plan for the other service is not walked on this one, by whatever address and certificate.
    std::fs::remove_file(field.path("upgrade.addresses")).unwrap();
    let toml = UPGRADE.replace("URL", &field.urls[0]).replace("service_cert.pem", "other_cert.pem");
    field.file("upgrade.toml", &toml);
    for command in ["plan", "step", "status"] {
        let line = ["upgrade", command, "--service-cert", "service_cert.pem", "--output", "json"];
        let ran = field.run_plain(line.map(String::from).into()).await;
        assert!(![0, 6].contains(&ran.code), "{command}: {ran:?}");
    }
}

#[tokio::test]
async fn the_way_back_says_old_and_new_as_upgrade_toml_does() {
    let field = Field::to_upgrade(3).await;
    let back = field.run_human(&["upgrade", "rollback"]).await;
    let says = &back.stdout;
    assert!(says.contains("This is the way back, to the old code ("), "{back:?}");
    assert!(says.contains("The way back is done: only the old code (") && !says.contains("the new code"), "{back:?}");
}
