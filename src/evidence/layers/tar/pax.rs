//! PAX headers: records that override or add to the fields of the entry that follows.

use std::collections::BTreeMap;

use super::header::Header;
use super::number::{self, Time};

const XATTR: &[u8] = b"SCHILY.xattr.";
const SPARSE: &[u8] = b"GNU.sparse.";

/// The records of one PAX header that matter here. Of two with the same key the last counts.
#[derive(Default)]
pub(super) struct Records {
    fields: BTreeMap<Vec<u8>, Vec<u8>>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Whether the entry is a sparse file.
    pub sparse: bool,
}

/// Reads the records, each `LENGTH KEY=VALUE\n`.
pub(super) fn parse(mut bytes: &[u8]) -> Option<Records> {
    let mut records = Records::default();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|b| *b == b' ')?;
        let length = usize::try_from(number::decimal(&bytes[..space])?).ok()?;
        if length < 5 || length > bytes.len() || length <= space + 1 {
            return None;
        }
        let (record, rest) = bytes.split_at(length);
        let record = record[space + 1..].strip_suffix(b"\n")?;
        let equals = record.iter().position(|b| *b == b'=')?;
        records.take(&record[..equals], &record[equals + 1..])?;
        bytes = rest;
    }
    Some(records)
}

impl Records {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let is_text = matches!(key, b"path" | b"linkpath" | b"uname" | b"gname");
        if key.is_empty() || (if is_text { value } else { key }).contains(&0) {
            return None;
        }
        if let Some(name) = key.strip_prefix(XATTR) {
            self.xattrs.insert(name.to_vec(), value.to_vec());
        } else if key.starts_with(SPARSE) {
            self.sparse = true;
        } else {
            self.fields.insert(key.to_vec(), value.to_vec());
        }
        Some(())
    }

    /// Overrides the fields of `header`, and gives the extended attributes. An empty value overrides nothing.
    pub(super) fn apply(&self, header: &mut Header) -> Option<BTreeMap<Vec<u8>, Vec<u8>>> {
        for (key, value) in self.fields.iter().filter(|(_, value)| !value.is_empty()) {
            match key.as_slice() {
                b"path" => header.path = value.clone(),
                b"linkpath" => header.link = value.clone(),
                b"uid" => header.uid = number::decimal(value)?,
                b"gid" => header.gid = number::decimal(value)?,
                b"size" => header.size = number::decimal(value)?,
                b"mtime" => header.modified = Time::parse(value)?,
                b"atime" => header.accessed = Time::parse(value)?,
                b"ctime" => header.changed = Time::parse(value)?,
                _ => {}
            }
        }
        Some(self.xattrs.clone())
    }
}
