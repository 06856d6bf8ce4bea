//! A network of real nodes, and its three members at their command lines.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::node::{Code, Entry, Node, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);
const WALK: Duration = Duration::from_secs(600);

pub struct Network {
    folder: PathBuf,
    nodes: Vec<Node>,
    proposals: usize,
    /// Whether new nodes begin with a snapshot, as those of CCF 7 do which join a service of CCF 6.
    snapshots: bool,
}

impl Network {
    /// Starts the first node with our constitution and the three members of keys-example.
    pub fn start(folder: &Path, code: &Code) -> Self {
        let constitution = CONSTITUTION.map(|name| root().join("templates/constitution").join(name)).to_vec();
        Self::start_under(folder, code, constitution, None)
    }

    /// The same under another constitution. With `operator`, the first member has this data, and no encryption key.
    pub fn start_under(folder: &Path, code: &Code, constitution: Vec<PathBuf>, operator: Option<Value>) -> Self {
        let data = folder.join("operator.json");
        let member = |n: usize| {
            let mut member = json!({"certificate_file": key_file(&format!("member{n}_cert.pem"))});
            match &operator {
                Some(value) if n == 0 => {
                    fs::write(&data, value.to_string()).unwrap();
                    member["data_json_file"] = json!(data);
                }
                _ => member["encryption_public_key_file"] = json!(key_file(&format!("member{n}_enc_pubk.pem"))),
            }
            member
        };
        let members: Vec<Value> = (0..3).map(member).collect();
        let entry = Entry::Start { members: members.into(), constitution };
        let mut node = Node::spawn(&folder.join("node0"), code, &entry);
        let certificate = node.folder.join("service_cert.pem");
        let up = wait_for(PATIENCE, || (certificate.exists() || !node.running()).then_some(()));
        assert!(up.is_some() && node.running(), "the first node did not start:\n{}", node.log());
        let mut network = Self { folder: folder.into(), nodes: vec![node], proposals: 0, snapshots: false };
        let id = wait_for(PATIENCE, || network.try_run(None, &["node", "list"]).ok()).expect("the first node answers");
        network.nodes[0].id = id["value"][0]["nodeId"].as_str().expect("a node id").into();
        network
    }

    /// Activates the members, adds two nodes, and opens the service.
    pub fn open(&mut self, code: &Code) {
        self.activate();
        for _ in 0..2 {
            let id = self.join(code, None);
            self.run(None, &["verify", "node", &id, "--evidence", text(code.package())]);
            self.pass(&["transition_node_to_trusted", "--set", &format!("node_id={id}")]);
            let trusted = wait_for(PATIENCE, || self.is_trusted(&id).then_some(()));
            assert!(trusted.is_some(), "{id} is not Trusted");
        }
        let identity = format!("next_service_identity=@{}", self.certificate().display());
        self.pass(&["transition_service_to_open", "--set", &identity]);
    }

    /// Activates the members.
    pub fn activate(&self) {
        for member in 0..3 {
            self.run(Some(member), &["member", "activate", "--yes"]);
        }
    }

    /// Writes the one file that everybody walks by. It names the first node alone, which does not see the end.
    pub fn plan(&mut self, old: &Code, new: &Code) {
        let mut constitution = CONSTITUTION.map(|name| root().join("templates/constitution").join(name)).to_vec();
        constitution.push(self.folder.join("more.js"));
        fs::write(self.folder.join("more.js"), "// Another constitution.\n").unwrap();
        fs::write(self.folder.join("bundle.json"), BUNDLE).unwrap();
        let seven = old.is_six() && !new.is_six();
        self.snapshots = seven;
        // Without a version no snapshot is made for the new nodes. The test's trees are no releases.
        let version = if seven { "version = \"7.0.1\"" } else { "" };
        let waiver = if seven { "[waive]\nversion-path = \"both ends are test builds\"" } else { "" };
        let file = format!(
            "[service]\nurl = {}\ncert = {}\n\n[new]\nplatform = \"virtual\"\nnodes = 3\npackage = {}\n{version}\n\n\
             [rules]\nconstitution = {}\napplication = \"bundle.json\"\n\n{waiver}\n",
            json!(format!("https://{}", self.nodes[0].address)),
            json!(self.certificate()),
            json!(new.package()),
            json!(constitution),
        );
        fs::write(self.folder.join("upgrade.toml"), file).unwrap();
    }

    /// The members and the operator repeat their step until all is done. While old nodes retire, a backup is killed and, once
    /// that one is removed, the primary.
    pub fn walk(&mut self, new: &Code) {
        let mut killed = Vec::new();
        let end = Instant::now() + WALK;
        loop {
            for member in 0..3 {
                self.step(Some(member));
                self.stop(&mut killed);
            }
            if self.operate(new)["done"] == true {
                break;
            }
            self.stop(&mut killed);
            assert!(Instant::now() < end, "the walk does not end: {}", self.upgrade(None, &["status"]));
        }
        assert_eq!(killed.len(), 2, "a backup and the primary were killed");
    }

    /// Starts nodes for as long as they are asked for.
    fn operate(&mut self, new: &Code) -> Value {
        loop {
            let taken = self.step(None);
            let Some(written) = taken["join_configuration"].as_str() else { return taken };
            self.join(new, Some(written));
            let node = self.nodes.last().expect("the node that joined");
            assert!(node.has_snapshot() || !self.snapshots, "no snapshot was fetched:\n{}", node.log());
        }
    }

    /// Stops the nodes that were deleted, and kills the next one that is to be killed.
    fn stop(&mut self, killed: &mut Vec<String>) {
        let seen = self.upgrade(None, &["status"]);
        let Some(nodes) = seen["nodes"].as_array() else { return };
        self.nodes.retain(|ours| nodes.iter().any(|node| node["node_id"] == *ours.id));
        let mut trusted = nodes.iter().filter(|node| node["status"] == "Trusted");
        let removed = |id: &String| trusted.clone().all(|node| node["node_id"] != **id);
        if seen["phase"] != "retire" || killed.len() == 2 || !killed.iter().all(removed) {
            return;
        }
        let primary = killed.len() == 1;
        let next = trusted.find(|node| node["primary"] == primary && (primary || node["code"] == "old"));
        if let Some(id) = next.and_then(|node| node["node_id"].as_str()) {
            self.nodes.retain(|node| node.id != id);
            killed.push(id.into());
        }
    }

    fn step(&self, member: Option<usize>) -> Value {
        let operate: &[&str] = if member.is_none() { &["--operate"] } else { &[] };
        self.upgrade(member, &[&["step", "--yes"], operate].concat())
    }

    /// An `upgrade` command as somebody runs it who has the file alone; null while no node can be reached.
    fn upgrade(&self, member: Option<usize>, args: &[&str]) -> Value {
        let mut command = self.command(member);
        let output = command.arg("upgrade").args(args).output().expect("ccf-gov runs");
        match output.status.code() {
            Some(0 | 6) => serde_json::from_slice(&output.stdout).expect("a result in JSON"),
            Some(5) => Value::Null,
            _ => panic!("{args:?}: {}", said(&output)),
        }
    }

    /// Only the new code runs and is admitted, on three nodes.
    pub fn prove(&self, new: &Code) {
        let report = self.upgrade(None, &["report", "-o", "report.html"]);
        assert_eq!(report["verdict"], "pass", "{report}");
        self.run(None, &["verify", "service", "--evidence", text(new.package())]);
        let status = self.upgrade(None, &["status"]);
        assert_eq!(self.ids().len(), 3, "{status}");
    }

    /// Starts a node that joins, with the configuration that was written for it, if any, and waits until the service has it.
    fn join(&mut self, code: &Code, written: Option<&str>) -> String {
        let before = self.ids();
        let mut node = self.spawn_joiner(code, written);
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
    pub fn refuses(&mut self, code: &Code) {
        let before = self.ids();
        let mut node = self.spawn_joiner(code, None);
        assert!(node.ended(), "a node with unregistered code goes on:\n{}", node.log());
        assert_eq!(self.ids(), before);
    }

    fn is_trusted(&self, id: &str) -> bool {
        self.list(|n| n["status"] == "Trusted").iter().any(|trusted| trusted == id)
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

    fn spawn_joiner(&self, code: &Code, written: Option<&str>) -> Node {
        let folder = tempfile::Builder::new().prefix("joiner-").tempdir_in(&self.folder).unwrap().keep();
        if let Some(written) = written {
            return Node::spawn(&folder, code, &Entry::Written(&self.folder.join(written)));
        }
        let trusted = self.list(|n| n["status"] == "Trusted");
        let target = &self.nodes.iter().find(|n| trusted.contains(&n.id)).expect("a trusted node").address;
        Node::spawn(&folder, code, &Entry::Join { target, service_cert: &self.certificate() })
    }

    /// Writes a proposal from a template, and has it accepted by members 0 and 1.
    fn pass(&mut self, template: &[&str]) {
        self.proposals += 1;
        let file = self.folder.join(format!("proposal-{}.json", self.proposals));
        self.run(None, &[&["proposal", "new"], template, &["-o", text(&file)]].concat());
        let proposal = self.run(Some(0), &["proposal", "submit", text(&file), "--yes"]);
        let id = proposal["proposalId"].as_str().expect("a proposal id").to_string();
        for member in 0..2 {
            self.run(Some(member), &["ballot", "submit", &id, "--exact", text(&file), "--yes"]);
        }
        let waited = self.run(None, &["proposal", "wait", &id]);
        assert_eq!(waited["proposalState"], "Accepted", "{waited}");
    }

    fn run(&self, member: Option<usize>, args: &[&str]) -> Value {
        self.try_run(member, args).unwrap_or_else(|e| panic!("{args:?}: {e}"))
    }

    fn try_run(&self, member: Option<usize>, args: &[&str]) -> Result<Value, String> {
        let mut command = self.command(member);
        command.args(args).arg("--service-cert").arg(self.certificate());
        for node in &self.nodes {
            command.args(["--service", &format!("https://{}", node.address)]);
        }
        let output = command.output().expect("ccf-gov runs");
        if !output.status.success() {
            return Err(said(&output));
        }
        serde_json::from_slice(&output.stdout).or(Ok(Value::Null))
    }

    fn command(&self, member: Option<usize>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ccf-gov"));
        command.current_dir(&self.folder).args(["--output", "json"]);
        if let Some(n) = member {
            command.arg("--key").arg(key_file(&format!("member{n}_privk.pem")));
            command.arg("--cert").arg(key_file(&format!("member{n}_cert.pem")));
        }
        command
    }

    /// The first node's address.
    pub fn url(&self) -> String {
        format!("https://{}", self.nodes[0].address)
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.join("node0/service_cert.pem")
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

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}
