//! The reviewer of docs/scripts.md, as it stands there.

use super::*;
use crate::support::skip::missing;
use serde_json::json;

const DOCS: &str = include_str!("../../docs/scripts.md");

struct Reviewer<'f> {
    field: &'f Field,
}

impl<'f> Reviewer<'f> {
    fn new(field: &'f Field) -> Self {
        let script = DOCS.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the script");
        field.file("reviewer.py", script);
        field.file("app", "the application that was built");
        Self { field }
    }

    /// One run, as member 1, who has waited for `wait` seconds before a vote; what it said.
    async fn run(&self, wait: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_ccf-gov")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
        let mut script = Command::new("python3");
        script.args(["reviewer.py", "app"]).current_dir(self.field.folder.path()).env("PATH", path).env("WAIT", wait);
        script.env("CCF_GOV_SERVICE", self.field.urls.join(",")).env("CCF_GOV_SERVICE_CERT", "service_cert.pem");
        script.env("CCF_GOV_KEY", keys().join("member1_privk.pem"));
        script.env("CCF_GOV_CERT", keys().join("member1_cert.pem"));
        let output = tokio::task::spawn_blocking(move || script.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said
    }

    async fn proposes(&self, actions: Value) -> String {
        let file = self.field.file("p.json", &json!({ "actions": actions }).to_string()).display().to_string();
        let made = self.field.run_as(0, &["proposal", "submit", &file]).await.done();
        made["proposalId"].as_str().unwrap().to_owned()
    }

    async fn ballots(&self, id: &str) -> u64 {
        self.field.run(&["proposal", "show", id]).await.done()["ballotCount"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn the_reviewer_votes_for_what_is_backed_and_for_nothing_else() {
    if Command::new("python3").arg("--version").output().is_err() {
        return missing("python3");
    }
    let field = Field::start().await;
    let reviewer = Reviewer::new(&field);
    assert_eq!(reviewer.run("0").await, "");
    let digest = hex::encode(ccf_gov::digest::sha256(b"the application that was built"));
    let register = |data: &str| json!({"name": "add_virtual_host_data", "args": {"host_data": data}});
    let backed = reviewer.proposes(json!([register(&digest)])).await;
    let foreign = reviewer.proposes(json!([register(&"0".repeat(64))])).await;
    let more = json!({"name": "set_recovery_threshold", "args": {"recovery_threshold": 1}});
    let wide = reviewer.proposes(json!([register(&digest), more])).await;

    let said = reviewer.run("3600").await;
    assert!(said.contains(&format!("{backed}: gets a vote in 3600 s")), "{said}");
    for other in [&foreign, &wide] {
        assert!(said.contains(&format!("{other}: gets no vote from this script")), "{said}");
        assert!(field.path(&format!("reviews/{other}.html")).exists());
    }
    assert_eq!(reviewer.run("3600").await, "", "the time is not over");

    let policy = json!([{"name": "add_virtual_measurement", "args": {"measurement": "other"}}]);
    let between = reviewer.proposes(policy).await;
    assert!(reviewer.run("3600").await.contains(&format!("{between}: gets no vote")));
    for id in [&backed, &foreign, &wide] {
        assert_eq!(reviewer.ballots(id).await, 0);
    }
    let said = reviewer.run("0").await;
    assert_eq!(said, format!("{backed}: voted\n"));
    assert_eq!(reviewer.ballots(&backed).await, 1);
    assert_eq!(reviewer.run("0").await, "");
}

#[tokio::test]
async fn the_reviewer_reviews_again_what_has_changed() {
    if Command::new("python3").arg("--version").output().is_err() {
        return missing("python3");
    }
    let field = Field::start().await;
    let reviewer = Reviewer::new(&field);
    let digest = hex::encode(ccf_gov::digest::sha256(b"the application that was built"));
    let register = json!([{"name": "add_virtual_host_data", "args": {"host_data": digest}}]);
    let id = reviewer.proposes(register).await;
    assert!(reviewer.run("0").await.contains("gets a vote"));
    // Changes what may join, on which the ballot rests, and drops nothing.
    let measurement = "Insecure hard-coded virtual measurement v1";
    let policy = json!([{"name": "remove_virtual_measurement", "args": {"measurement": measurement}}]);
    let between = reviewer.proposes(policy).await;
    for voter in [0, 2] {
        field.run_as(voter, &["ballot", "submit", &between, "--accept"]).await.done();
    }
    let said = reviewer.run("0").await;
    assert!(said.starts_with(&format!("{id}: is reviewed again:\n")) && said.contains("votes no"), "{said}");
    assert_eq!(reviewer.ballots(&id).await, 0);
    assert!(reviewer.run("0").await.contains(&format!("{id}: gets a vote")));
    assert_eq!(reviewer.run("0").await, format!("{id}: voted\n"));
    assert_eq!(reviewer.ballots(&id).await, 1);
}
