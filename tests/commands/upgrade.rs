//! `upgrade step` and `upgrade status`: what each person sees who repeats them.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ccf_gov::digest::{HostData, sha256};
use ccf_gov::sandbox::NodeCode;
use serde_json::json;

use super::*;

const PROGRAM: &str = "\u{7f}ELF new";

impl Field {
    /// A service, and the plan to have three nodes run the program; the file names so many of its nodes.
    async fn to_be_upgraded(named: usize) -> Self {
        let field = Self::start().await;
        field.plan_upgrade(named, "nodes of a sandbox have no version");
        field
    }

    /// Writes that plan, and why the version is waived.
    pub(super) fn plan_upgrade(&self, named: usize, waiver: &str) {
        self.file("program", PROGRAM);
        let urls = &self.urls[..named];
        self.file(
            "upgrade.toml",
            &format!(
                "[service]\nurl = {}\ncert = \"service_cert.pem\"\n\n[new]\nplatform = \"virtual\"\npackage = \"program\"\nnodes = 3\n\n\
                 [waive]\nversion-path = {}\n",
                json!(urls),
                json!(waiver)
            ),
        );
    }

    fn arguments(who: Option<usize>, more: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = ["upgrade", "step", "--yes", "--output", "json"].map(String::from).into();
        match who {
            Some(member) => {
                let file = |kind: &str| keys().join(format!("member{member}_{kind}.pem")).display().to_string();
                all.extend(["--key".into(), file("privk"), "--cert".into(), file("cert")]);
            }
            None => all.push("--operate".into()),
        }
        all.extend(more.iter().map(ToString::to_string));
        all
    }

    /// A member's step; the operator's without one.
    pub(super) async fn step(&self, who: Option<usize>) -> Ran {
        self.run_plain(Self::arguments(who, &[])).await
    }

    /// What a good operator does: starts as many nodes as are asked for.
    pub(super) async fn operate(&self) -> Ran {
        let ran = self.step(None).await;
        let asked = ran.json()["waiting_for"].to_string();
        let count = if asked.contains("start a node") {
            1
        } else if asked.contains("start 2") {
            2
        } else {
            3
        };
        for _ in 0..if asked.contains("start ") { count } else { 0 } {
            self.sandbox.join(NodeCode::virtual_node(HostData(sha256(PROGRAM.as_bytes())))).await.unwrap();
        }
        ran
    }

    fn watch(&self, member: usize) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ccf-gov"));
        command.args(Self::arguments(Some(member), &["--watch"])).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }
}

#[tokio::test]
async fn a_step_with_nothing_to_do_makes_at_most_ten_requests() {
    for named in [1, 3] {
        let field = Field::to_be_upgraded(named).await;
        let requests = async |who| {
            let before = field.sandbox.requests();
            let ran = field.step(who).await;
            assert_eq!((ran.code, length(&ran.json(), "did")), (6, 0), "{ran:?}");
            field.sandbox.requests() - before
        };
        assert!(requests(None).await <= 10);
        assert_eq!(field.step(Some(0)).await.code, 6);
        // The member has voted, and a proposal is open.
        let made = [requests(Some(0)).await, requests(Some(0)).await, requests(None).await];
        assert!(made.iter().all(|count| *count <= 10), "{made:?} with {named}");
    }
}

#[tokio::test]
async fn everybody_repeats_one_command_until_all_is_done() {
    let field = Field::to_be_upgraded(1).await;
    let first = field.step(Some(0)).await;
    assert_eq!(first.code, 6);
    let waiting = &first.json()["waiting_for"][0];
    assert_eq!((&waiting["whom"], length(waiting, "members")), (&json!("members"), 2));
    assert_eq!(waiting["command"], "ccf-gov upgrade step -f upgrade.toml --key KEY --cert CERT");
    assert_eq!(field.step(Some(1)).await.code, 6);

    let asked = field.step(None).await;
    let path = asked.json()["join_configuration"].as_str().unwrap().to_owned();
    let written = std::fs::read_to_string(field.path(&path)).unwrap();
    let configuration: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(configuration["command"]["type"], "Join");
    assert!(Path::new(configuration["command"]["service_certificate_file"].as_str().unwrap()).is_absolute());
    field.file(&path, "mine now");
    field.operate().await;
    assert_eq!(std::fs::read_to_string(field.path(&path)).unwrap(), "mine now");

    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let codes = [field.step(Some(0)).await.code, field.step(Some(1)).await.code, field.operate().await.code];
        if codes == [0, 0, 0] {
            break;
        }
        assert!(codes.iter().all(|code| [0, 6].contains(code)) && Instant::now() < end, "{codes:?}");
    }
    let status = field.run_plain(["upgrade", "status", "--output", "json"].map(String::from).into()).await.done();
    assert_eq!((&status["done"], &status["phase"], length(&status, "nodes")), (&json!(true), &json!("done"), 3));
    // The node that the file names is gone, and its successors are found.
    let named = field.sandbox.nodes().into_iter().find(|node| node.url == field.urls[0]).unwrap();
    field.sandbox.stop(named.id).unwrap();
    assert_eq!(field.step(Some(2)).await.code, 0);
}

/// So many rounds; more by CCF_GOV_KILLS.
#[tokio::test]
async fn whoever_watches_can_be_killed_at_any_moment() {
    let rounds = std::env::var("CCF_GOV_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for round in 0..rounds {
        let field = Field::to_be_upgraded(1).await;
        let mut watching: Vec<Child> = (0..2).map(|member| field.watch(member)).collect();
        let end = Instant::now() + Duration::from_secs(120);
        let mut kills = 0_u64;
        loop {
            let ran = field.operate().await;
            if ran.code == 0 {
                break;
            }
            assert!(ran.code == 6 && Instant::now() < end, "{ran:?}");
            // Moments that no test could choose better.
            let pause = 50 + (round * 977 + kills * 431) % 900;
            tokio::time::sleep(Duration::from_millis(pause)).await;
            if kills < 8 {
                let member = usize::try_from(kills % 2).unwrap();
                watching[member].kill().unwrap();
                watching[member].wait().unwrap();
                watching[member] = field.watch(member);
                kills += 1;
            }
        }
        for child in watching {
            let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
        }
        let proposals = field.run(&["proposal", "list"]).await.done();
        let open = proposals["value"].as_array().unwrap().iter().filter(|p| p["proposalState"] == "Open").count();
        assert_eq!(open, 0, "nothing is left over: {proposals}");
        let nodes = field.run(&["node", "list"]).await.done();
        assert_eq!(length(&nodes, "value"), 3, "{nodes}");
    }
}

fn length(json: &Value, name: &str) -> usize {
    json[name].as_array().unwrap_or_else(|| panic!("{name}: {json}")).len()
}
