//! Evidence files, recognised by what they hold.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Evidence, EvidenceKind};
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Verdict};
use crate::digest::{HostData, sha256};
use crate::evidence::hash;
use crate::evidence::node::{self, Attestation, Expected, Part, Trust};
use crate::evidence::policy::deployment::{self, DeploymentError};
use crate::evidence::sgx::{Artefact, Enclave, MAX_ARTEFACT, SIGSTRUCT_SIZE};
use crate::evidence::snp::Report;
use crate::evidence::snp::launch::igvm::{self, IgvmError};
use crate::files::{self, FileError};
use crate::proposal::Proposal;

/// Larger files that are no ELF are taken for what nodes run.
const MAX_TEXT: u64 = 16 << 20;

/// The largest IGVM file that is read: 256 MiB.
const MAX_IGVM: u64 = 256 << 20;

/// What is evidence.
const FORMS: &str = "Evidence is: an executable; an enclave, an SGXS stream or a SIGSTRUCT; a security policy, or a deployment with \
     one; a UVM endorsement; an IGVM file; an SNP report with AMD's certificates";

/// Why evidence cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// A folder cannot be listed.
    #[error("cannot read the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// An IGVM file cannot be measured.
    #[error("cannot measure {}", path.display())]
    Igvm {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: IgvmError,
    },
}

/// Reads every evidence file; a folder stands for the files in it (a security context, for instance).
///
/// Reports and endorsements are believed as far as `trust` goes, by the rules of `ccf`.
///
/// # Errors
/// [`EvidenceError`]: something cannot be read. What is no evidence is told by [`EvidenceKind::Unusable`].
pub fn read(paths: &[PathBuf], ccf: Option<CcfVersion>, trust: &Trust) -> Result<Vec<Evidence>, EvidenceError> {
    let mut gathered = Gathered::of(trust);
    for path in paths {
        if !path.is_dir() {
            gathered.add(path)?;
            continue;
        }
        let entries = std::fs::read_dir(path).map_err(|source| EvidenceError::Folder { path: path.clone(), source })?;
        let mut inside: Vec<PathBuf> =
            entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.is_file()).collect();
        inside.sort();
        inside.iter().try_for_each(|file| gathered.add(file))?;
    }
    Ok(gathered.finish(ccf))
}

struct Gathered<'a> {
    trust: &'a Trust,
    found: Vec<Evidence>,
    /// Reports wait for the endorsements that may be in another file.
    reports: Vec<(String, Box<Report>)>,
    endorsements: Vec<(String, Vec<u8>)>,
    revocations: Vec<Vec<u8>>,
}

impl<'a> Gathered<'a> {
    fn of(trust: &'a Trust) -> Self {
        let (found, reports, endorsements, revocations) = Default::default();
        Self { trust, found, reports, endorsements, revocations }
    }

    fn add(&mut self, path: &Path) -> Result<(), EvidenceError> {
        let name = path.display().to_string();
        let unreadable = |source| FileError::Read { path: path.into(), source };
        let mut start = [0; 4];
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        let started = hash::open(path).and_then(|file| file.take(4).read(&mut start)).map_err(unreadable)?;
        let is_elf = started == 4 && &start == b"\x7fELF";
        let executable =
            || hash::sha256_file(path).map(|digest| EvidenceKind::Executable(HostData(digest))).map_err(unreadable);
        if is_elf && length <= MAX_ARTEFACT {
            let bytes = files::read(path, MAX_ARTEFACT)?;
            let digest = sha256(&bytes);
            let kind = match Artefact::read(&bytes) {
                _ if !Enclave::is_one(&bytes) => EvidenceKind::Executable(HostData(digest)),
                Ok(enclave) => EvidenceKind::Enclave(Box::new(enclave)),
                Err(error) => EvidenceKind::Unusable(format!("it is an enclave that cannot be measured: {error}")),
            };
            self.found.push(Evidence { name, kind, digest: Some(digest) });
            return Ok(());
        }
        if &start == b"IGVM" {
            let guest = igvm::measure(&files::read(path, MAX_IGVM)?)
                .map_err(|source| EvidenceError::Igvm { path: path.into(), source })?;
            self.found.push(Evidence { name, kind: EvidenceKind::Guest(guest), digest: None });
            return Ok(());
        }
        if is_elf || length > MAX_TEXT {
            self.found.push(Evidence { name, kind: executable()?, digest: None });
            return Ok(());
        }
        let bytes = files::read(path, MAX_TEXT)?;
        self.add_small(name, bytes);
        Ok(())
    }

    fn add_small(&mut self, name: String, bytes: Vec<u8>) {
        let digest = Some(sha256(&bytes));
        let looks_like_sgx = bytes.len() == SIGSTRUCT_SIZE || bytes.starts_with(b"ECREATE\0");
        if let Some(artefact) = looks_like_sgx.then(|| Artefact::read(&bytes).ok()).flatten() {
            self.found.push(Evidence { name, kind: EvidenceKind::Enclave(Box::new(artefact)), digest });
            return;
        }
        let within = bytes.len() as u64 <= node::MAX_FILE;
        let parts = if within { node::parts(&bytes) } else { Ok(Vec::new()) };
        let kind = match parts {
            Ok(parts) if parts.is_empty() => other(&bytes),
            Ok(parts) => return parts.into_iter().for_each(|part| self.add_part(&name, part, &bytes)),
            Err(error) => EvidenceKind::Unusable(error.to_string()),
        };
        self.found.push(Evidence { name, kind, digest });
    }

    fn add_part(&mut self, name: &str, part: Part, bytes: &[u8]) {
        let kind = match part {
            Part::SnpReport(report) => return self.reports.push((name.to_owned(), report)),
            Part::SnpEndorsements => return self.endorsements.push((name.to_owned(), bytes.to_vec())),
            Part::Revocations => return self.revocations.push(bytes.to_vec()),
            Part::Uvm(uvm) => {
                let valid = uvm.check_signature(self.trust.intel.at, &mut Checks::new());
                EvidenceKind::Uvm { uvm, valid }
            }
            Part::Other(what) => EvidenceKind::Unusable(format!("it is {what}, and no artefact. {FORMS}")),
        };
        self.found.push(Evidence { name: name.to_owned(), kind, digest: Some(sha256(bytes)) });
    }

    fn finish(mut self, ccf: Option<CcfVersion>) -> Vec<Evidence> {
        if self.reports.is_empty() {
            for (name, _) in &self.endorsements {
                let kind =
                    EvidenceKind::Unusable("these are certificates, and no report is there that they endorse".into());
                self.found.push(Evidence { name: name.clone(), kind, digest: None });
            }
        }
        for (name, report) in std::mem::take(&mut self.reports) {
            let problem = self.problem(&report, ccf);
            let (valid, why) = (problem.is_none(), problem.unwrap_or_default());
            self.found.push(Evidence { name, kind: EvidenceKind::Report { report, valid, why }, digest: None });
        }
        self.found
    }

    /// What is wrong with a report, or missing; `None` if it was verified up to AMD's root.
    fn problem(&self, report: &Report, ccf: Option<CcfVersion>) -> Option<String> {
        let each = self.endorsements.iter().map(|(_, bytes)| vec![bytes]);
        let all = self.endorsements.iter().map(|(_, bytes)| bytes).collect();
        let mut why = "its endorsements are missing: give them too".to_owned();
        for endorsements in each.chain([all]).filter(|files| !files.is_empty()) {
            match self.failures(report, &endorsements, ccf) {
                None => return None,
                Some(failures) => why = failures,
            }
        }
        Some(why)
    }

    fn failures(&self, report: &Report, endorsements: &[&Vec<u8>], ccf: Option<CcfVersion>) -> Option<String> {
        let mut attestation = Attestation::default();
        let files = endorsements.iter().copied().chain(&self.revocations).map(Vec::as_slice);
        for file in [report.as_bytes()].into_iter().chain(files) {
            if let Err(error) = attestation.add(file) {
                return Some(error.to_string());
            }
        }
        let expected = Expected { ccf, ..Expected::default() };
        let checks = match attestation.verify(&expected, self.trust) {
            Ok(outcome) => outcome.checks,
            Err(error) => return Some(error.to_string()),
        };
        let failures: Vec<String> = checks
            .iter()
            // The version matters to the service that the node joins, not to what the report proves.
            .filter(|c| matches!(c.verdict, Verdict::Fail | Verdict::Incomplete) && c.name != "report-version")
            .map(|c| format!("{}: {}", c.name, c.detail))
            .collect();
        (!failures.is_empty()).then(|| failures.join("; "))
    }
}

/// What a small file is that is no part of an attestation: a policy, or else what a virtual node might run.
fn other(bytes: &[u8]) -> EvidenceKind {
    let unusable = |error: &dyn std::error::Error| {
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        EvidenceKind::Unusable(format!("{error}{cause}"))
    };
    if Proposal::parse(bytes).is_ok() {
        return EvidenceKind::Unusable(format!("it is a proposal. {FORMS}"));
    }
    match deployment::find(bytes) {
        Ok(policies) => EvidenceKind::policies(policies),
        // Any bytes may be a program; what is text with a structure is none.
        Err(DeploymentError::Unknown | DeploymentError::Yaml(_) | DeploymentError::TooLarge) => executable(bytes),
        Err(error @ DeploymentError::NoPolicy) => EvidenceKind::Unusable(format!("{error}. {FORMS}")),
        Err(DeploymentError::Utf16) if !bytes.starts_with(b"\xff\xfe") => executable(bytes),
        Err(error) => unusable(&error),
    }
}

fn executable(bytes: &[u8]) -> EvidenceKind {
    EvidenceKind::Executable(HostData(sha256(bytes)))
}
