//! What a person needs to rehearse with SNP nodes, as files: the roots, and of old and new code what a deployment would have.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Hardware, security_policy};
use crate::digest::{HostData, sha256};
use crate::files::{self, Readers};
use crate::sandbox::SandboxError;
use crate::sandbox::code::{NodeCode, SnpCode};

/// The file of the roots.
const ROOTS: &str = "rehearsal_roots.pem";

/// Files for a rehearsal with SNP nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artefacts {
    /// The roots, PEM: what `--rehearsal-roots` takes.
    pub roots: PathBuf,
    /// A folder for each code, `old` and `new`: its security policy and UVM endorsement as Azure puts them beside a container group, and
    /// `node.json`, with which a node that runs it is started.
    pub code: Vec<PathBuf>,
}

/// Writes them into `folder`, over those of an earlier start. `old` is what the first nodes run.
pub(in crate::sandbox) fn write(hardware: &Hardware, folder: &Path, old: SnpCode) -> Result<Artefacts, SandboxError> {
    files::make_own_folder(folder)?;
    let roots = folder.join(ROOTS);
    put(&roots, hardware.roots_pem()?.as_bytes())?;
    let mut artefacts = Artefacts { roots, code: Vec::new() };
    for (name, code) in [("old", old), ("new", SnpCode::renewed("new"))] {
        let inside = folder.join(name);
        files::make_own_folder(&inside)?;
        let policy = security_policy(name);
        // Of host data that somebody gave, that person has the policy.
        if HostData(sha256(policy.as_bytes())) == code.host_data {
            put(&inside.join("security-policy-base64"), STANDARD.encode(policy).as_bytes())?;
        }
        if let Some(uvm) = hardware.uvm_endorsement(&code)? {
            put(&inside.join("reference-info-base64"), STANDARD.encode(uvm).as_bytes())?;
        }
        let path = inside.join("node.json");
        let json = serde_json::to_vec(&NodeCode::Snp(code));
        put(&path, &json.map_err(|e| SandboxError::State { path: path.clone(), source: e.into() })?)?;
        artefacts.code.push(inside);
    }
    Ok(artefacts)
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), SandboxError> {
    Ok(files::write(path, bytes, Readers::Shared, true)?)
}
