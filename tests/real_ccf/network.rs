//! A network of real nodes, and its three members at their command lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::node::{Code, Entry, Node, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

pub struct Network {
    folder: PathBuf,
    nodes: Vec<Node>,
    proposals: usize,
}

impl Network {
    /// Starts the first node with our constitution and the three members of keys-example.
    pub fn start(folder: &Path, code: &Code) -> Self {
        let members: Vec<Value> = (0..3)
            .map(|n| {
                json!({
                    "certificate_file": key_file(&format!("member{n}_cert.pem")),
                    "encryption_public_key_file": key_file(&format!("member{n}_enc_pubk.pem"))
                })
            })
            .collect();
        let constitution = CONSTITUTION.map(|name| root().join("templates/constitution").join(name)).to_vec();
        let entry = Entry::Start { members: members.into(), constitution };
        let mut node = Node::spawn(&folder.join("node0"), code, &entry);
        let certificate = node.folder.join("service_cert.pem");
        let up = wait_for(PATIENCE, || (certificate.exists() || !node.running()).then_some(()));
        assert!(up.is_some() && node.running(), "the first node did not start:\n{}", node.log());
        let mut network = Self { folder: folder.into(), nodes: vec![node], proposals: 0 };
        let id = wait_for(PATIENCE, || network.try_run(None, &["node", "list"]).ok()).expect("the first node answers");
        network.nodes[0].id = id["value"][0]["nodeId"].as_str().expect("a node id").into();
        network
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Runs a command as a member; it must succeed.
    pub fn member(&self, member: usize, args: &[&str]) -> Value {
        self.try_run(Some(member), args).unwrap_or_else(|e| panic!("member {member}: {args:?}: {e}"))
    }

    /// Starts a node that joins, and waits until the service has it as Pending.
    pub fn join(&mut self, code: &Code) -> String {
        let before = self.ids();
        let mut node = self.spawn_joiner(code);
        let id = wait_for(PATIENCE, || {
            assert!(node.running(), "the joining node ended:\n{}", node.log());
            self.ids().into_iter().find(|id| !before.contains(id))
        });
        node.id = id.unwrap_or_else(|| panic!("the node never showed up:\n{}", node.log()));
        let id = node.id.clone();
        self.nodes.push(node);
        id
    }

    /// A node with code that is not registered ends by itself and is never listed.
    pub fn refuses_unregistered(&mut self, code: &Code) {
        let before = self.ids();
        let mut node = self.spawn_joiner(code);
        assert!(node.ended(), "a node with unregistered code goes on:\n{}", node.log());
        assert_eq!(self.ids(), before);
    }

    pub fn trust(&mut self, id: &str, code: &Code) {
        self.run(None, &["verify", "node", id, "--evidence", text(code.package())]);
        self.pass(&["transition_node_to_trusted", "--set", &format!("node_id={id}")]);
        let trusted = wait_for(PATIENCE, || self.trusted().contains(&id.to_string()).then_some(()));
        assert!(trusted.is_some(), "{id} is not Trusted");
    }

    /// Waits until the primary has heard from `id` that it holds everything that is committed.
    pub fn caught_up(&self, id: &str) {
        let caught_up = wait_for(PATIENCE, || {
            let node = self.run(None, &["node", "show", id]);
            node["caughtUp"].as_bool().unwrap_or(false).then_some(())
        });
        assert!(caught_up.is_some(), "{id} never caught up");
    }

    pub fn retire(&mut self, id: &str) {
        self.pass(&["remove_node", "--set", &format!("node_id={id}")]);
        let retired = wait_for(PATIENCE, || {
            let node = self.try_run(None, &["node", "show", id]).ok()?;
            node["retiredCommitted"].as_bool().unwrap_or(false).then_some(())
        });
        assert!(retired.is_some(), "{id} is not retiredCommitted");
    }

    pub fn delete(&mut self, id: &str) {
        self.nodes.retain(|n| n.id != id);
        self.run(None, &["node", "delete", id, "--yes"]);
        assert!(!self.ids().contains(&id.to_string()));
    }

    pub fn open(&mut self) {
        let identity = format!("next_service_identity=@{}", self.certificate().display());
        self.pass(&["transition_service_to_open", "--set", &identity]);
        let info = self.run(None, &["service", "info"]);
        assert_eq!(info["status"], "Open");
    }

    pub fn register(&mut self, code: &Code) {
        let file = self.file("register.json");
        self.run(None, &["measure", "virtual", text(code.package()), "--proposal", text(&file)]);
        self.run(None, &["verify", "proposal", text(&file), "--evidence", text(code.package())]);
        self.pass_file(&file);
    }

    /// Every registered value and every node is what these artefacts are; with one artefact less it is not.
    pub fn verify_service(&self, codes: &[&Code]) {
        let packages: Vec<&str> = codes.iter().map(|code| text(code.package())).collect();
        let command = [&["verify", "service", "--evidence"], &packages[..]].concat();
        let found = self.run(None, &command);
        assert_eq!(found["nodes"].as_array().map(Vec::len), Some(self.ids().len()), "{found}");
        assert!(found["values"].as_array().unwrap().iter().all(|row| row["state"] == "backed"), "{found}");
        if let [_, .., _] = packages[..] {
            let less = self.try_run(None, &command[..command.len() - 1]).unwrap_err();
            assert!(less.contains("unbacked"), "{less}");
        }
    }

    pub fn deregister(&mut self, code: &Code) {
        let file = self.file("deregister.json");
        self.run(None, &["measure", "virtual", text(code.package()), "--proposal", text(&file), "--remove"]);
        // The measurement is the same text for all virtual code: removing it would lock the new nodes out as well.
        let mut proposal: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        proposal["actions"].as_array_mut().unwrap().retain(|a| a["name"] == "remove_virtual_host_data");
        fs::write(&file, proposal.to_string()).unwrap();
        self.pass_file(&file);
    }

    pub fn set_constitution(&mut self) {
        let files =
            CONSTITUTION.map(|n| format!("constitution=@{}", root().join("templates/constitution").join(n).display()));
        let mut args = vec!["set_constitution"];
        for file in &files {
            args.extend(["--set", file]);
        }
        self.pass(&args);
    }

    pub fn set_application(&mut self) {
        let bundle = self.file("bundle.json");
        fs::write(&bundle, BUNDLE).unwrap();
        let bundle = format!("bundle=@{}", bundle.display());
        self.pass(&["set_js_app", "--set", &bundle]);
        let app = self.run(None, &["service", "app"]);
        assert!(app.to_string().contains("/hello"), "{app}");
    }

    pub fn primary(&self) -> String {
        let nodes = self.run(None, &["node", "list"]);
        let primary = nodes["value"].as_array().unwrap().iter().find(|n| n["primary"] == true);
        primary.expect("there is a primary")["nodeId"].as_str().unwrap().into()
    }

    pub fn old_nodes(&self, new: &[String]) -> Vec<String> {
        self.trusted().into_iter().filter(|id| !new.contains(id)).collect()
    }

    pub fn trusted(&self) -> Vec<String> {
        self.list(|n| n["status"] == "Trusted")
    }

    fn ids(&self) -> Vec<String> {
        self.list(|_| true)
    }

    fn list(&self, wanted: impl Fn(&Value) -> bool) -> Vec<String> {
        let nodes = self.run(None, &["node", "list"]);
        let nodes = nodes["value"].as_array().expect("a list of nodes").iter();
        let mut ids: Vec<String> = nodes.filter(|n| wanted(n)).map(|n| n["nodeId"].as_str().unwrap().into()).collect();
        ids.sort();
        ids
    }

    fn spawn_joiner(&self, code: &Code) -> Node {
        let folder = tempfile::Builder::new().prefix("joiner-").tempdir_in(&self.folder).unwrap().keep();
        let trusted = self.trusted();
        let target = &self.nodes.iter().find(|n| trusted.contains(&n.id)).expect("a trusted node").address;
        Node::spawn(&folder, code, &Entry::Join { target, service_cert: &self.certificate() })
    }

    /// Writes a proposal from a template, and has it accepted.
    fn pass(&mut self, template: &[&str]) {
        let file = self.file("proposal.json");
        let mut args = vec!["proposal", "new"];
        args.extend(template);
        args.extend(["-o", text(&file)]);
        self.run(None, &args);
        self.pass_file(&file);
    }

    /// Member 0 proposes, members 1 and 2 vote: one checks the whole proposal, one reads it first.
    fn pass_file(&mut self, file: &Path) {
        let proposal = self.member(0, &["proposal", "submit", text(file), "--yes"]);
        let id = proposal["proposalId"].as_str().expect("a proposal id").to_string();
        self.member(1, &["ballot", "submit", &id, "--exact", text(file), "--yes"]);
        let done = self.member(2, &["ballot", "submit", &id, "--accept", "--yes"]);
        assert_eq!(done["proposalState"], "Accepted", "{done}");
        let waited = self.run(None, &["proposal", "wait", &id]);
        assert_eq!(waited["proposalState"], "Accepted", "{waited}");
    }

    fn run(&self, member: Option<usize>, args: &[&str]) -> Value {
        self.try_run(member, args).unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }

    fn try_run(&self, member: Option<usize>, args: &[&str]) -> Result<Value, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ccf-gov"));
        command.current_dir(&self.folder).args(["--output", "json"]).args(args);
        for node in &self.nodes {
            command.args(["--service", &format!("https://{}", node.address)]);
        }
        command.arg("--service-cert").arg(self.certificate());
        if let Some(n) = member {
            command.arg("--key").arg(key_file(&format!("member{n}_privk.pem")));
            command.arg("--cert").arg(key_file(&format!("member{n}_cert.pem")));
        }
        let output = command.output().expect("ccf-gov runs");
        if !output.status.success() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            return Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)));
        }
        serde_json::from_slice(&output.stdout).or(Ok(Value::Null))
    }

    fn certificate(&self) -> PathBuf {
        self.folder.join("node0/service_cert.pem")
    }

    /// A fresh file name for every proposal: nothing is overwritten.
    fn file(&mut self, name: &str) -> PathBuf {
        self.proposals += 1;
        self.folder.join(format!("{}-{name}", self.proposals))
    }
}

const CONSTITUTION: [&str; 4] = ["actions.js", "validate.js", "resolve.js", "apply.js"];

const BUNDLE: &str = r#"{
  "metadata": {"endpoints": {"/hello": {"get": {
    "js_module": "/hello.js", "js_function": "hello", "forwarding_required": "never",
    "authn_policies": ["no_auth"], "mode": "readonly", "openapi": {}}}}},
  "modules": [{"name": "/hello.js", "module": "export function hello(r) { return { body: { v: 1 } }; }"}]
}"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn key_file(name: &str) -> PathBuf {
    root().join("keys-example").join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}
