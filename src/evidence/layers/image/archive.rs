//! A tar archive whose members are read by name.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use serde_json::Value;

use super::ImageError;
use crate::digest::sha256;
use crate::evidence::layers::tar::{EntryKind, Reader};
use crate::evidence::layers::{Layer, Sha256, measure};
use crate::json;

/// Members beyond which a tar archive is taken for a layer.
const MAX_MEMBERS: usize = 10_000;
/// The size of a manifest, index or configuration.
const MAX_DOCUMENT: u64 = 4 << 20;
/// Links from one member to another that are followed.
const MAX_LINKS: usize = 8;

/// An archive, and where its members are.
pub(super) struct Archive<'a, F> {
    file: &'a mut F,
    members: BTreeMap<String, Member>,
    twice: Option<String>,
    measured: BTreeMap<u64, Layer>,
}

enum Member {
    Data {
        at: u64,
        size: u64,
    },
    /// Old versions of Docker save a layer once and link to it.
    Link(String),
}

impl<'a, F: Read + Seek> Archive<'a, F> {
    /// Finds the members; nothing if this is no tar archive, or one of very many.
    pub(super) fn open(file: &'a mut F) -> Result<Option<Self>, ImageError> {
        let mut archive = Self { file, members: BTreeMap::new(), twice: None, measured: BTreeMap::new() };
        let mut at = 0;
        for _ in 0..MAX_MEMBERS {
            archive.file.seek(SeekFrom::Start(at))?;
            let mut reader = Reader::new(&mut *archive.file);
            // Whatever is wrong with it will be found again by whoever reads it as a layer.
            let Ok(next) = reader.next() else { return Ok(None) };
            let Some(entry) = next else { return Ok(Some(archive)) };
            let start = at + reader.position();
            let Some(end) = start.checked_add(entry.size).and_then(|end| end.checked_next_multiple_of(512)) else {
                return Ok(None);
            };
            at = end;
            let name = normal(&String::from_utf8_lossy(&entry.path));
            let target = String::from_utf8_lossy(&entry.link);
            let member = match entry.kind {
                EntryKind::File => Member::Data { at: start, size: entry.size },
                EntryKind::HardLink => Member::Link(normal(&target)),
                EntryKind::Symlink => Member::Link(normal(&format!("{name}/../{target}"))),
                _ => continue,
            };
            if archive.members.insert(name.clone(), member).is_some() {
                archive.twice = Some(name);
            }
        }
        Ok(None)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.members.contains_key(name)
    }

    /// Refuses an archive in which a name stands twice: programs differ in which of the two they take.
    pub(super) fn check_names(&self) -> Result<(), ImageError> {
        match &self.twice {
            Some(name) => Err(ImageError::malformed(name, "it appears twice in the archive")),
            None => Ok(()),
        }
    }

    /// A member's bytes and their SHA-256. If its name is a digest, it is the right one.
    pub(super) fn document(&mut self, name: &str) -> Result<(Vec<u8>, Sha256), ImageError> {
        let (at, size) = self.find(name)?;
        if size > MAX_DOCUMENT {
            return Err(ImageError::malformed(name, "it is larger than 4 MiB"));
        }
        self.file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        (&mut *self.file).take(size).read_to_end(&mut bytes)?;
        let found = Sha256(sha256(&bytes));
        check_digest(name, found)?;
        Ok((bytes, found))
    }

    /// A member that is JSON.
    pub(super) fn json(&mut self, name: &str) -> Result<Value, ImageError> {
        let (bytes, _) = self.document(name)?;
        json::parse(&bytes).map_err(|source| ImageError::Json { name: name.into(), source })
    }

    /// A member that is a layer. If its name is a digest, it is the right one.
    pub(super) fn layer(&mut self, name: &str) -> Result<Layer, ImageError> {
        let (at, size) = self.find(name)?;
        let layer = match self.measured.get(&at) {
            Some(layer) => layer.clone(),
            None => {
                self.file.seek(SeekFrom::Start(at))?;
                let layer = measure((&mut *self.file).take(size))
                    .map_err(|source| ImageError::Layer { name: name.into(), source })?;
                self.measured.insert(at, layer.clone());
                layer
            }
        };
        check_digest(name, layer.digest)?;
        Ok(layer)
    }

    fn find(&self, name: &str) -> Result<(u64, u64), ImageError> {
        let mut at = normal(name);
        for _ in 0..MAX_LINKS {
            match self.members.get(&at) {
                Some(Member::Data { at, size }) => return Ok((*at, *size)),
                Some(Member::Link(target)) => at = target.clone(),
                None => break,
            }
        }
        Err(ImageError::Missing(name.into()))
    }
}

/// Members named by a digest are `blobs/sha256/HEX`, and configurations `HEX.json` or `sha256:HEX`.
fn check_digest(name: &str, found: Sha256) -> Result<(), ImageError> {
    let name = normal(name);
    let stated = name
        .strip_prefix("blobs/sha256/")
        .or_else(|| name.strip_prefix("sha256:"))
        .or_else(|| name.strip_suffix(".json"));
    match stated.and_then(|hex| hex.parse().ok()) {
        Some(stated) if stated != found => Err(ImageError::Digest { name, stated, found }),
        _ => Ok(()),
    }
}

/// A path without `.`, `..` and empty parts.
fn normal(path: &str) -> String {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}
