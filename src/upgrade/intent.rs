//! `upgrade.toml`: what a consortium wants, as it writes it down. docs/upgrade.md explains every key.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::PRECONDITIONS;
use crate::files::{self, FileError};
use crate::platform::Platform;
use crate::text::visible;

/// The largest `upgrade.toml` that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;

/// What `upgrade.toml` says. Its relative paths are relative to its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intent {
    /// The service.
    pub service: ServiceIntent,
    /// What its nodes are to run.
    pub new: NewIntent,
    /// What is to be retired and deregistered.
    pub old: Option<OldIntent>,
    /// The rules that are wanted, and those that the walk keeps.
    #[serde(default)]
    pub rules: RulesIntent,
    /// Preconditions that are passed over: name and reason.
    #[serde(default)]
    pub waive: BTreeMap<String, String>,
}

/// `[service]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceIntent {
    /// Nodes of the beginning: any of them, the rest are found from it.
    pub url: OneOrMore<String>,
    /// The service's certificate, the only root that is trusted.
    pub cert: PathBuf,
}

/// `[new]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewIntent {
    /// What the nodes run on.
    pub platform: Platform,
    /// How many nodes there are to be.
    pub nodes: usize,
    /// The version of CCF that the new code is.
    pub version: Option<String>,
    /// virtual: the executable or library that nodes run.
    pub package: Option<PathBuf>,
    /// snp: the security policy, or a deployment template that holds it.
    pub policy: Option<PathBuf>,
    /// snp: the endorsement of the utility VM, a file or its values.
    pub uvm: Option<UvmIntent>,
    /// snp: what the guest is launched with, or the launch measurement.
    #[serde(alias = "launch")]
    pub measurement: Option<MeasurementIntent>,
    /// snp: the least TCB by CPUID, 16 hexadecimal digits each or components.
    #[serde(default)]
    pub minimum_tcb: BTreeMap<String, TcbIntent>,
    /// sgx: the signed enclave.
    pub enclave: Option<PathBuf>,
    /// virtual, snp: the host data, where no artefact is at hand.
    pub host_data: Option<String>,
    /// sgx: the MRENCLAVE, where no artefact is at hand.
    pub code_id: Option<String>,
    /// Why values are given instead of artefacts.
    pub without_artefact: Option<String>,
}

/// The endorsement of a utility VM.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a file, or a table of the texts did, feed and svn")]
pub enum UvmIntent {
    /// The file.
    File(PathBuf),
    /// Its values.
    Values(UvmValues),
}

/// What an endorsement says.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UvmValues {
    /// The issuer, a did:x509.
    pub did: String,
    /// The feed.
    pub feed: String,
    /// The security version, decimal digits.
    pub svn: String,
}

/// A launch measurement.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected a text, or a table of what `measure snp` takes")]
pub enum MeasurementIntent {
    /// Its value, 96 hexadecimal digits.
    Value(String),
    /// What a guest is launched with.
    Launch(Box<LaunchIntent>),
}

/// What a guest is launched with: the options of `measure snp`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LaunchIntent {
    /// An IGVM file, which says everything.
    pub igvm: Option<PathBuf>,
    /// The OVMF firmware.
    pub ovmf: Option<PathBuf>,
    /// The kernel, if it is loaded directly.
    pub kernel: Option<PathBuf>,
    /// The initial RAM disk.
    pub initrd: Option<PathBuf>,
    /// The kernel's command line.
    pub append: Option<String>,
    /// How many virtual processors.
    pub vcpus: Option<u32>,
    /// Their type, as QEMU names it, or the signature as 0x….
    pub vcpu_type: Option<String>,
    /// The hypervisor: QEMU, ec2 or gce; QEMU if absent.
    pub vmm_type: Option<String>,
    /// The SEV features of the guest.
    pub guest_features: Option<u64>,
}

/// The least TCB of a processor.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected 16 hexadecimal digits, or a table of components")]
pub enum TcbIntent {
    /// As the processor reports it: 16 hexadecimal digits, highest byte (microcode) first.
    Hex(String),
    /// By components, each 0 to 255.
    Components(BTreeMap<String, u8>),
}

/// `[old]`: what is named is old, and nothing else is.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OldIntent {
    /// virtual, snp: host data.
    pub host_data: Vec<String>,
    /// virtual, snp: measurements.
    pub measurement: Vec<String>,
    /// sgx: MRENCLAVEs.
    pub code_id: Vec<String>,
    /// snp: endorsed feeds.
    pub uvm: Vec<OldUvm>,
    /// Nodes to be retired whatever they run: their ids.
    pub nodes: Vec<String>,
}

/// A feed that is no longer to be endorsed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldUvm {
    /// The issuer, a did:x509.
    pub did: String,
    /// The feed.
    pub feed: String,
}

/// `[rules]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RulesIntent {
    /// The constitution's files, in their order; none leaves it as it is.
    pub constitution: Vec<PathBuf>,
    /// The application: a bundle's folder or file; none leaves it as it is.
    pub application: Option<PathBuf>,
    /// How many nodes may fail at any moment of the walk.
    pub minimum_fault_tolerance: usize,
    /// For how many days the certificates of new nodes are valid.
    pub validity_days: u32,
    /// Who proposes: a member's id, the first digits of it, or the name in the member's certificate. Without it, whoever comes first.
    pub proposer: Option<String>,
}

impl Default for RulesIntent {
    fn default() -> Self {
        Self {
            constitution: Vec::new(),
            application: None,
            minimum_fault_tolerance: 1,
            validity_days: 90,
            proposer: None,
        }
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "expected one value or a list of them")]
pub enum OneOrMore<T> {
    /// One.
    One(T),
    /// Several.
    More(Vec<T>),
}

impl LaunchIntent {
    fn files_mut(&mut self) -> [&mut Option<PathBuf>; 4] {
        [&mut self.igvm, &mut self.ovmf, &mut self.kernel, &mut self.initrd]
    }
}

impl<T> OneOrMore<T> {
    /// All of them.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(value) => std::slice::from_ref(value),
            Self::More(values) => values,
        }
    }
}

/// Why an `upgrade.toml` says nothing that can be planned.
#[derive(Debug, thiserror::Error)]
pub enum IntentError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not TOML, or has a key that nobody knows, or lacks one.
    #[error("cannot read {file}, line {line}: {reason}")]
    Form {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A precondition that there is not, or no reason.
    #[error("[waive] in {file}: {reason}")]
    Waiver {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
}

impl Intent {
    /// Reads a file.
    ///
    /// # Errors
    /// [`IntentError`]
    pub fn read(path: &Path) -> Result<Self, IntentError> {
        let text = files::read_text(path, MAX_FILE)?;
        let file = files::shown(path).into_owned();
        let this: Self = toml::from_str(&text).map_err(|error| IntentError::Form {
            line: error.span().and_then(|span| text.get(..span.start)).map_or(1, |t| t.matches('\n').count() + 1),
            reason: visible(error.message()),
            file: file.clone(),
        })?;
        for (name, reason) in &this.waive {
            let fault = match (PRECONDITIONS.contains(&name.as_str()), reason.trim().is_empty()) {
                (false, _) => {
                    format!("there is no precondition {:?}; there are {}", visible(name), PRECONDITIONS.join(", "))
                }
                (true, true) => format!("{name} is waived without a reason: state why it may be passed over"),
                (true, false) => continue,
            };
            return Err(IntentError::Waiver { file, reason: fault });
        }
        Ok(this.relative_to(path.parent().unwrap_or(Path::new(""))))
    }

    fn relative_to(mut self, folder: &Path) -> Self {
        let place = |path: &mut PathBuf| *path = folder.join(&path);
        place(&mut self.service.cert);
        let new = &mut self.new;
        [&mut new.package, &mut new.policy, &mut new.enclave].into_iter().flatten().for_each(place);
        if let Some(MeasurementIntent::Launch(launch)) = &mut new.measurement {
            launch.files_mut().into_iter().flatten().for_each(place);
        }
        if let Some(UvmIntent::File(path)) = &mut new.uvm {
            place(path);
        }
        self.rules.constitution.iter_mut().for_each(place);
        self.rules.application.iter_mut().for_each(place);
        self
    }
}
