//! The binary against a sandbox: what each command that speaks with a service prints, and how it ends.

mod ballots;
mod consent;
mod evidence;
mod exact;
mod guard;
mod guarded;
mod hostile;
mod ids;
mod lists;
mod made_up_roots;
mod measure;
mod network;
mod nodes;
mod proposals;
mod rehearse;
mod report;
mod review;
mod scaling;
mod scripts;
mod simulate;
mod state;
mod upgrade;
mod upgrade_plan;
mod watch;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ccf_gov::sandbox::{Options, Sandbox};
use serde_json::Value;

use crate::support::consortium::{keys, options};

/// A sandbox, and a folder from which commands run.
pub struct Field {
    pub sandbox: Sandbox,
    folder: tempfile::TempDir,
    urls: Vec<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// The one JSON object on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The same, of a command that succeeded.
    #[track_caller]
    pub fn done(&self) -> Value {
        assert_eq!(self.code, 0, "{}{}", self.stdout, self.stderr);
        self.json()
    }

    /// The same, of a command whose answer is no.
    #[track_caller]
    pub fn no(&self) -> Value {
        assert_eq!(self.code, 3, "{}{}", self.stdout, self.stderr);
        self.json()
    }

    /// The error's message, of a command that ended with `code`.
    #[track_caller]
    pub fn error(&self, code: i32) -> String {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        let line = self.stderr.lines().rfind(|l| l.starts_with("{\"error\"")).expect("an error as JSON");
        let error: Value = serde_json::from_str(line).unwrap();
        format!(
            "{} {}",
            error["error"]["message"].as_str().unwrap(),
            error["error"]["hint"].as_str().unwrap_or_default()
        )
    }
}

impl Field {
    pub async fn start() -> Self {
        Self::with(options(3)).await
    }

    pub async fn with(options: Options) -> Self {
        let sandbox = Sandbox::start(options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("service_cert.pem"), sandbox.service_certificate()).unwrap();
        let urls = sandbox.nodes().into_iter().map(|n| n.url).collect();
        Self { sandbox, folder, urls }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Runs a command that speaks with the service; JSON output, `--yes`.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        if !arguments.contains(&"--output") {
            all.extend(["--output", "json"].map(String::from));
        }
        all.extend(["--yes", "--service-cert", "service_cert.pem"].map(String::from));
        all.extend(self.urls.iter().flat_map(|url| ["--service".into(), url.clone()]));
        self.run_plain(all).await
    }

    /// As [`Field::run`], for people.
    pub async fn run_human(&self, arguments: &[&str]) -> Ran {
        let mut all: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        all.extend(["--service-cert", "service_cert.pem"].map(String::from));
        all.extend(self.urls.iter().flat_map(|url| ["--service".into(), url.clone()]));
        self.run_plain(all).await
    }

    /// Runs it as one of the example members.
    pub async fn run_as(&self, member: usize, arguments: &[&str]) -> Ran {
        let file = |kind: &str| keys().join(format!("member{member}_{kind}.pem")).display().to_string();
        let (key, certificate) = (file("privk"), file("cert"));
        let mut all = arguments.to_vec();
        all.extend(["--key", &key, "--cert", &certificate]);
        self.run(&all).await
    }

    /// The same, with output for people.
    pub async fn run_for_people(&self, member: usize, arguments: &[&str]) -> Ran {
        self.run_as(member, &[arguments, &["--output", "human"]].concat()).await
    }

    pub async fn run_plain(&self, arguments: Vec<String>) -> Ran {
        run(self.folder.path(), arguments).await
    }
}

/// The binary in `folder`, with nothing of this environment's.
fn command(folder: &Path, arguments: Vec<String>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ccf-gov"));
    command.args(arguments).current_dir(folder).stdin(std::process::Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CCF_GOV_")) {
        command.env_remove(name);
    }
    command
}

/// Runs [`command`].
pub async fn run(folder: &Path, arguments: Vec<String>) -> Ran {
    let mut command = command(folder, arguments);
    let Output { status, stdout, stderr } =
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}
