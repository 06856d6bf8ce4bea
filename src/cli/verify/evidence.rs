//! Evidence files, recognised by what they hold.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use crate::cli::error::{CliError, Kind as ErrorKind};
use ccf_gov::digest::HostData;
use ccf_gov::evidence::backing::{Evidence, Kind, policies};
use ccf_gov::evidence::check::{Checks, Verdict};
use ccf_gov::evidence::hash;
use ccf_gov::evidence::node::{self, Attestation, Expected, Part, Trust};
use ccf_gov::evidence::sgx::artefact::{self, Artefact, ArtefactError};
use ccf_gov::evidence::sgx::enclave::EnclaveError;
use ccf_gov::evidence::sgx::sigstruct;
use ccf_gov::evidence::snp::launch::igvm;
use ccf_gov::evidence::snp::version::CcfVersion;
use ccf_gov::files;

/// Larger files that are no ELF are taken for what nodes run.
const MAX_TEXT: u64 = 16 << 20;

/// The largest IGVM file that is read: 1 GiB.
const MAX_IGVM: u64 = 1 << 30;

/// Reads every evidence file; a folder stands for the files in it (a security context, for instance).
pub fn read(paths: &[PathBuf], ccf: Option<CcfVersion>) -> Result<Vec<Evidence>, CliError> {
    let mut gathered = Gathered::default();
    for path in paths {
        if path.is_dir() {
            let entries = std::fs::read_dir(path).map_err(|e| {
                CliError::new(ErrorKind::Usage, format!("cannot read the folder {}", path.display()), e)
            })?;
            let mut inside: Vec<PathBuf> =
                entries.filter_map(Result::ok).map(|e| e.path()).filter(|p| p.is_file()).collect();
            inside.sort();
            for file in inside {
                gathered.add(&file)?;
            }
        } else {
            gathered.add(path)?;
        }
    }
    Ok(gathered.finish(ccf))
}

#[derive(Default)]
struct Gathered {
    found: Vec<Evidence>,
    /// Reports wait for the endorsements that may be in another file.
    reports: Vec<(String, Vec<u8>)>,
    endorsements: Vec<Vec<u8>>,
}

impl Gathered {
    fn add(&mut self, path: &Path) -> Result<(), CliError> {
        let name = path.display().to_string();
        let unreadable = |e| CliError::new(ErrorKind::Usage, format!("cannot read {}", path.display()), e);
        let mut start = [0; 4];
        let length = std::fs::metadata(path).map_err(unreadable)?.len();
        let started = File::open(path).and_then(|file| file.take(4).read(&mut start)).map_err(unreadable)?;
        let is_elf = started == 4 && &start == b"\x7fELF";
        let executable =
            || hash::sha256_file(path).map(|digest| Kind::Executable(HostData(digest))).map_err(unreadable);
        if is_elf && length <= artefact::MAX_FILE {
            let kind = match Artefact::read(&files::read(path, artefact::MAX_FILE)?) {
                Ok(enclave) => Kind::Enclave(Box::new(enclave)),
                Err(ArtefactError::Enclave(EnclaveError::Image(_))) => executable()?,
                Err(error) => {
                    return Err(CliError::new(ErrorKind::Usage, format!("cannot measure {}", path.display()), error));
                }
            };
            self.found.push(Evidence { name, kind });
            return Ok(());
        }
        if &start == b"IGVM" {
            let guest = igvm::measure(&files::read(path, MAX_IGVM)?)
                .map_err(|e| CliError::new(ErrorKind::Usage, format!("cannot measure {}", path.display()), e))?;
            self.found.push(Evidence { name, kind: Kind::Guest(guest) });
            return Ok(());
        }
        if is_elf || length > MAX_TEXT {
            self.found.push(Evidence { name, kind: executable()? });
            return Ok(());
        }
        let bytes = files::read(path, MAX_TEXT)?;
        self.add_small(name, bytes);
        Ok(())
    }

    fn add_small(&mut self, name: String, bytes: Vec<u8>) {
        let looks_like_sgx = bytes.len() == sigstruct::SIZE || bytes.starts_with(b"ECREATE\0");
        if let Some(artefact) = looks_like_sgx.then(|| Artefact::read(&bytes).ok()).flatten() {
            self.found.push(Evidence { name, kind: Kind::Enclave(Box::new(artefact)) });
            return;
        }
        let parts = if bytes.len() as u64 <= node::MAX_FILE { node::parts(&bytes) } else { Vec::new() };
        if !parts.is_empty() {
            for part in parts {
                match part {
                    Part::SnpReport(report) => self.reports.push((name.clone(), report.as_bytes().to_vec())),
                    Part::SnpEndorsements => self.endorsements.push(bytes.clone()),
                    Part::Uvm(uvm) => {
                        let valid = uvm.check_signature(OffsetDateTime::now_utc(), &mut Checks::new());
                        self.found.push(Evidence { name: name.clone(), kind: Kind::Uvm { uvm, valid } });
                    }
                }
            }
            return;
        }
        let kind = policies(&bytes)
            .map_or_else(|| Kind::Executable(HostData(ccf_gov::digest::sha256(&bytes))), Kind::Policies);
        self.found.push(Evidence { name, kind });
    }

    fn finish(mut self, ccf: Option<CcfVersion>) -> Vec<Evidence> {
        let trust = Trust::pinned(OffsetDateTime::now_utc());
        let expected = Expected { ccf, ..Expected::default() };
        for (name, bytes) in self.reports {
            let verified = |endorsements: &Vec<u8>| {
                let mut attestation = Attestation::default();
                let added = attestation.add(&bytes).and_then(|()| attestation.add(endorsements));
                added.and_then(|()| attestation.verify(&expected, &trust)).is_ok_and(|outcome| {
                    // The version matters to the service that the node joins, not to what the report proves.
                    let holds =
                        |c: &ccf_gov::evidence::check::Check| c.verdict != Verdict::Fail || c.name == "report-version";
                    let signed = outcome.checks.get("report-signature").is_some_and(|c| c.verdict == Verdict::Pass);
                    signed && outcome.checks.iter().all(holds)
                })
            };
            let valid = self.endorsements.iter().any(verified);
            if let Some(Part::SnpReport(report)) = node::parts(&bytes).into_iter().next() {
                self.found.push(Evidence { name, kind: Kind::Report { report, valid } });
            }
        }
        self.found
    }
}
