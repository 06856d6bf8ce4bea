//! One real node: its code, its configuration file, its process.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a node runs.
#[derive(Clone)]
pub struct Code {
    executable: PathBuf,
    /// The application library, for CCF 6's `cchost`.
    library: Option<PathBuf>,
}

impl Code {
    pub fn new(executable: &Path) -> Self {
        let executable = executable.canonicalize().expect("the CCF executable exists");
        let cchost = executable.file_name().is_some_and(|n| n == "cchost");
        let library = cchost.then(|| {
            let bin = executable.parent().unwrap();
            [bin.to_path_buf(), bin.join("../lib")]
                .iter()
                .flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten())
                .map(|entry| entry.path())
                .find(|p| {
                    let name = p.file_name().unwrap().to_string_lossy();
                    name.starts_with("libjs_generic") && name.ends_with(".so")
                })
                .expect("cchost's application library libjs_generic*.so is beside it or in ../lib")
        });
        Self { executable, library }
    }

    /// The file whose SHA-256 is a virtual node's host data.
    pub fn package(&self) -> &Path {
        self.library.as_deref().unwrap_or(&self.executable)
    }

    /// Whether it is of CCF 6, which loads a library.
    pub fn is_six(&self) -> bool {
        self.library.is_some()
    }

    /// The same code with bytes after it that nothing reads: another host data.
    pub fn with_other_host_data(&self, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let other = folder.join(format!("other-{}", self.package().file_name().unwrap().to_string_lossy()));
        let mut bytes = fs::read(self.package()).unwrap();
        bytes.extend_from_slice(folder.as_os_str().as_encoded_bytes());
        fs::write(&other, bytes).unwrap();
        fs::set_permissions(&other, fs::metadata(self.package()).unwrap().permissions()).unwrap();
        match self.library {
            Some(_) => Self { executable: self.executable.clone(), library: Some(other) },
            None => Self { executable: other, library: None },
        }
    }
}

/// How a node enters the service.
pub enum Entry<'a> {
    Start {
        members: Value,
        constitution: Vec<PathBuf>,
    },
    Join {
        target: &'a str,
        service_cert: &'a Path,
    },
    /// With the configuration that `upgrade step` wrote for it.
    Written(&'a Path),
}

impl Entry<'_> {
    fn command(&self, folder: &Path) -> Value {
        match self {
            Self::Start { members, constitution } => json!({
                "type": "Start",
                "service_certificate_file": folder.join("service_cert.pem"),
                "start": {
                    "members": members,
                    "constitution_files": constitution,
                    "service_configuration": {
                        "recovery_threshold": 1,
                        "maximum_node_certificate_validity_days": 365,
                        "maximum_service_certificate_validity_days": 365
                    }
                }
            }),
            Self::Join { target, service_cert } => json!({
                "type": "Join",
                "service_certificate_file": service_cert,
                "join": {"retry_timeout": "200ms", "target_rpc_address": target, "follow_redirect": true}
            }),
            Self::Written(_) => unreachable!("what was written has the command"),
        }
    }

    /// The configuration but for the node's addresses.
    fn configuration(&self, folder: &Path, code: &Code) -> Value {
        if let Self::Written(path) = self {
            return serde_json::from_slice(&fs::read(path).unwrap()).expect("a configuration in JSON");
        }
        // CCF 6.0.18 ends at the first request if the endorsement is not named.
        let interface = json!({"endorsement": {"authority": "Service"}, "enabled_operator_features": ["SnapshotRead"]});
        let mut config = json!({
            "network": {"node_to_node_interface": {}, "rpc_interfaces": {"main": interface}},
            "node_certificate": {"subject_alt_names": ["iPAddress:127.0.0.1"], "initial_validity_days": 1},
            "command": self.command(folder)
        });
        if code.is_six() {
            config["enclave"] = json!({"platform": "Virtual", "type": "Release"});
        }
        config
    }
}

/// A running node; its process ends with it.
pub struct Node {
    pub id: String,
    pub address: String,
    pub folder: PathBuf,
    process: Child,
}

impl Node {
    /// Starts the process; its id is read later, from the service or from its certificate.
    pub fn spawn(folder: &Path, code: &Code, entry: &Entry<'_>) -> Self {
        fs::create_dir_all(folder).unwrap();
        let address = free_address();
        let mut config = entry.configuration(folder, code);
        config["network"]["node_to_node_interface"]["bind_address"] = json!(free_address());
        for interface in config["network"]["rpc_interfaces"].as_object_mut().expect("interfaces").values_mut() {
            interface["bind_address"] = json!(address);
            interface["published_address"] = json!(address);
        }
        config["consensus"] = json!({"message_timeout": "100ms", "election_timeout": "2000ms"});
        config["ledger_signatures"] = json!({"tx_count": 1, "delay": "100ms"});
        fs::write(folder.join("config.json"), config.to_string()).unwrap();
        let mut run = Command::new(&code.executable);
        run.current_dir(folder).args(["--config", "config.json"]);
        if let Some(library) = &code.library {
            run.arg("--enclave-file").arg(library);
        }
        let log = |name: &str| Stdio::from(fs::File::create(folder.join(name)).unwrap());
        let process = run.stdout(log("out")).stderr(log("err")).spawn().expect("the CCF node starts");
        Self { id: String::new(), address, folder: folder.into(), process }
    }

    /// Waits until the process has ended by itself.
    pub fn ended(&mut self) -> bool {
        wait_for(Duration::from_secs(30), || self.process.try_wait().unwrap().map(|_| ())).is_some()
    }

    /// Whether it began with a snapshot that it fetched.
    pub fn has_snapshot(&self) -> bool {
        let files = fs::read_dir(self.folder.join("snapshots")).into_iter().flatten().flatten();
        files.map(|file| file.file_name()).any(|name| name.to_string_lossy().ends_with(".committed"))
    }

    pub fn running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    /// What the node wrote, for a failing test's message.
    pub fn log(&self) -> String {
        let text = ["out", "err"].map(|n| fs::read_to_string(self.folder.join(n)).unwrap_or_default()).concat();
        let tail = text.lines().rev().take(30).collect::<Vec<_>>();
        tail.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Polls `probe` until it gives something or the time is up.
pub fn wait_for<T>(limit: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() > end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
