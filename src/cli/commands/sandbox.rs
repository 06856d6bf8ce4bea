//! `sandbox`: a CCF service in this process.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::constitution_files::joined;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::constitution::DEFAULT;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::digest::HostData;
use ccf_gov::files::{self, Readers};
use ccf_gov::id::NodeId;
use ccf_gov::sandbox::{self, Member, NodeCode, Options, Sandbox, SandboxError, SnpCode};

/// Run a CCF service in this process, for tests and rehearsals
#[derive(Args)]
pub struct SandboxCommand {
    #[command(subcommand)]
    command: Subcommands,
}

#[derive(Subcommand)]
#[command(defer = true)]
enum Subcommands {
    /// Serve a CCF service with simulated nodes, until it is interrupted
    Serve(Serve),
}

impl SandboxCommand {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            Subcommands::Serve(args) => args.run(context).await,
        }
    }
}

/// Serve a CCF service with simulated nodes, until it is interrupted
///
/// Every node listens on its own port over TLS, and answers the governance and node API as a node of CCF does.
/// The constitution and the ballots are really run; the nodes are simulated, and attest to whatever they are asked to
/// to. Where it differs from a real service is in docs/sandbox.md.
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov sandbox serve
  ccf-gov sandbox serve --nodes 1 --listen 127.0.0.1:9000 --state sandbox/
  ccf-gov sandbox serve --platform snp --state sandbox/
  ccf-gov sandbox serve --members keys/ --constitution actions.js validate.js resolve.js apply.js

  # start a node that runs other code, once the service admits it
  curl --cacert service_cert.pem https://127.0.0.1:8000/sandbox/nodes \\
    --header 'content-type: application/json' --data '{\"platform\": \"virtual\", \"host_data\": \"…64 digits…\"}'")]
struct Serve {
    /// How many nodes the service starts with
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=100))]
    nodes: u16,
    /// A folder with NAME_cert.pem, and NAME_enc_pubk.pem if there is one, of every member [default: the members of keys-example/]
    #[arg(long, value_name = "DIR")]
    members: Option<PathBuf>,
    /// The first node's address; the others count up from its port. Port 0 lets the system choose
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    listen: SocketAddr,
    /// The constitution; repeat for several files, which are joined [default: the one in templates/constitution/]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    constitution: Vec<PathBuf>,
    /// The folder that keeps the service between runs. It holds the service's keys, so no other user may write there
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Where to write the service's certificate [default: service_cert.pem in the state folder, or in a temporary one]
    #[arg(long, value_name = "FILE")]
    service_cert_out: Option<PathBuf>,
    /// Replace the certificate's file if it exists
    #[arg(long)]
    force: bool,
    /// What the first nodes run on. SNP nodes attest under made-up roots: give rehearsal_roots.pem with --rehearsal-roots
    #[arg(long, value_enum, default_value_t = Platform::Virtual, value_name = "PLATFORM")]
    platform: Platform,
    /// The host data of the first nodes [default: SHA-256 of "ccf-gov sandbox", or of a security policy]
    #[arg(long, value_name = "HEX")]
    host_data: Option<HostData>,
    /// Start like a new network: the members must activate themselves and open the service
    #[arg(long)]
    opening: bool,
    /// Backups redirect writes to the primary instead of forwarding them
    #[arg(long)]
    redirect: bool,
}

/// What simulated nodes are started on.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Platform {
    /// No hardware
    Virtual,
    /// Made-up AMD SEV-SNP
    Snp,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Serving<'a> {
    nodes: Vec<ServingNode<'a>>,
    /// The file with it.
    service_certificate: &'a Path,
    /// The file with the made-up roots of SNP nodes, for --rehearsal-roots; null if there is none.
    rehearsal_roots: Option<&'a Path>,
    /// A folder each for old and new code of SNP nodes: security policy, UVM endorsement, node.json.
    artefacts: &'a [PathBuf],
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ServingNode<'a> {
    node_id: NodeId,
    url: &'a str,
    primary: bool,
}

impl Serve {
    async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let folder = tempfile::tempdir().map_err(|e| CliError::failed("cannot create a temporary folder", e))?;
        let certificate = match (&self.service_cert_out, &self.state) {
            (Some(file), _) => file.clone(),
            (None, Some(state)) => state.join("service_cert.pem"),
            (None, None) => folder.path().join("service_cert.pem"),
        };
        if let (Some(file), None) = (&self.service_cert_out, &self.state) {
            files::refuse_existing(file, self.force)?;
        }
        let sandbox = Sandbox::start(self.options()?).await.map_err(|e| self.failed(e))?;
        self.write_certificate(&certificate, sandbox.service_certificate().as_bytes())?;
        let artefacts = sandbox.write_artefacts(self.state.as_deref().unwrap_or(folder.path()))?;
        let nodes = sandbox.nodes();
        let primary = sandbox.primary();
        let list = nodes.iter().map(|n| ServingNode { node_id: n.id, url: &n.url, primary: Some(n.id) == primary });
        let result = Serving {
            nodes: list.collect(),
            service_certificate: &certificate,
            rehearsal_roots: artefacts.as_ref().map(|a| a.roots.as_path()),
            artefacts: artefacts.as_ref().map_or(&[], |a| &a.code),
        };
        context.output.result(&result, || {
            let mut text = String::new();
            for node in &nodes {
                let role = if Some(node.id) == primary { "  primary" } else { "" };
                let _ = writeln!(text, "{}  node {}{role}", node.url, node.id);
            }
            let _ = write!(text, "service certificate: {}", certificate.display());
            if let Some(artefacts) = &artefacts {
                let _ = write!(text, "\nrehearsal roots: {}", artefacts.roots.display());
                for folder in &artefacts.code {
                    let _ = write!(text, "\nartefacts: {}", folder.display());
                }
            }
            text
        })?;
        context.output.note("Serving until interrupted (Ctrl-C).");
        interrupted().await.map_err(|e| CliError::failed("cannot wait for an interrupt", e))?;
        drop(sandbox);
        Ok(Exit::Done)
    }

    /// A file that was asked for by name may be a real service's: it is replaced only by force, or if it says the same.
    fn write_certificate(&self, path: &Path, pem: &[u8]) -> Result<(), CliError> {
        let is_own = self.service_cert_out.is_none();
        if !is_own && files::read(path, 1 << 20).is_ok_and(|there| there == pem) {
            return Ok(());
        }
        Ok(files::write(path, pem, Readers::Shared, is_own || self.force)?)
    }

    fn failed(&self, error: SandboxError) -> CliError {
        let is_constitution = matches!(error, SandboxError::Constitution(_));
        let mut error = CliError::from(error);
        if is_constitution && !self.constitution.is_empty() {
            let files: Vec<_> = self.constitution.iter().map(|f| f.display().to_string()).collect();
            error.message = format!("the constitution in {} cannot be used", files.join(", "));
        }
        error
    }

    fn options(&self) -> Result<Options, CliError> {
        let members = match &self.members {
            Some(folder) => members(folder)?,
            None => sandbox::example_members(),
        };
        let constitution = match &self.constitution[..] {
            [] => DEFAULT.to_owned(),
            files => joined(files)?,
        };
        if let Some(folder) = self.state.as_ref().filter(|f| f.exists() && !f.is_dir()) {
            return Err(CliError::usage(format!("{} is not a folder", folder.display()))
                .hint("give a folder with --state; it is created if it does not exist"));
        }
        let code = match self.platform {
            Platform::Virtual => {
                self.host_data.map_or_else(|| NodeCode::named("ccf-gov sandbox"), NodeCode::virtual_node)
            }
            Platform::Snp => NodeCode::Snp(self.host_data.map_or_else(|| SnpCode::named("old"), SnpCode::new)),
        };
        let mut options = Options::new(members, constitution, vec![code; usize::from(self.nodes)]);
        options.address = self.listen.ip();
        options.port = self.listen.port();
        options.open = !self.opening;
        options.redirect = self.redirect;
        options.state = self.state.clone();
        Ok(options)
    }
}

/// The members whose certificates are in a folder, by name.
fn members(folder: &Path) -> Result<Vec<Member>, CliError> {
    let failed = |e| CliError::usage(format!("cannot read the folder {}", folder.display())).because(e);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if let Some(name) = name.to_str().and_then(|n| n.strip_suffix("_cert.pem")) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    if names.is_empty() {
        let message = format!("there is no member in {}", folder.display());
        return Err(CliError::usage(message).hint("members are files NAME_cert.pem, as `ccf-gov keys generate` writes"));
    }
    let member = |name: &String| {
        let path = folder.join(format!("{name}_cert.pem"));
        let certificate = MemberCertificate::from_pem(&files::read(&path, 1 << 20)?)
            .map_err(|e| CliError::from(e).doing(format!("{} is not a member certificate", path.display())))?;
        let key = folder.join(format!("{name}_enc_pubk.pem"));
        let encryption_key = if key.exists() { Some(files::read_text(&key, 1 << 20)?) } else { None };
        Ok(Member { certificate, encryption_key, data: serde_json::Value::Null })
    };
    names.iter().map(member).collect()
}

/// Waits for Ctrl-C, or for the signal that ends a service.
async fn interrupted() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut ended = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            result = tokio::signal::ctrl_c() => result,
            _ = ended.recv() => Ok(()),
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}
