//! The artefacts that `upgrade.toml` names: each is read once, and its digest is that of what was read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::load::LoadError;
use crate::digest::sha256;
use crate::evidence::hash;
use crate::evidence::node::Trust;
use crate::evidence::recognise::{self, Evidence, EvidenceKind};
use crate::files::{self, FileError};

/// What was read, and under whose roots it is judged.
pub(super) struct Artefacts<'a> {
    trust: &'a Trust,
    digests: BTreeMap<String, [u8; 32]>,
}

impl<'a> Artefacts<'a> {
    pub(super) fn new(trust: &'a Trust) -> Self {
        Self { trust, digests: BTreeMap::new() }
    }

    /// SHA-256 of each, by the last word of its key.
    pub(super) fn digests(self) -> BTreeMap<String, [u8; 32]> {
        self.digests
    }

    /// SHA-256 of a file of any size.
    pub(super) fn digest(&mut self, key: &'static str, path: &Path) -> Result<[u8; 32], LoadError> {
        let digest = hash::sha256_file(path).map_err(|source| FileError::Read { path: path.into(), source });
        Ok(self.keep(key, digest.map_err(|source| LoadError::Artefact { key, source })?))
    }

    /// A file of at most so many bytes.
    pub(super) fn bytes(&mut self, key: &'static str, path: &Path, most: u64) -> Result<Vec<u8>, LoadError> {
        let bytes = files::read(path, most).map_err(|source| LoadError::Artefact { key, source })?;
        self.keep(key, sha256(&bytes));
        Ok(bytes)
    }

    /// What a file is evidence of; `None` if that is nothing or several things.
    pub(super) fn evidence(&mut self, key: &'static str, path: &PathBuf) -> Result<Option<EvidenceKind>, LoadError> {
        if path.is_dir() {
            let source = FileError::NotRegular { path: path.clone(), what: "a folder" };
            return Err(LoadError::Artefact { key, source });
        }
        let found = recognise::read(std::slice::from_ref(path), None, self.trust);
        let mut found = found.map_err(|source| LoadError::Evidence { key, source })?;
        match (found.pop(), found.is_empty()) {
            (Some(Evidence { kind, digest: Some(digest), .. }), true) => {
                self.keep(key, digest);
                Ok(Some(kind))
            }
            _ => Ok(None),
        }
    }

    fn keep(&mut self, key: &str, digest: [u8; 32]) -> [u8; 32] {
        let name = key.rsplit([' ', '.']).next().unwrap_or(key);
        self.digests.insert(name.to_owned(), digest);
        digest
    }
}
