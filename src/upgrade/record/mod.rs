//! What was done in an upgrade, as whoever took the steps kept it: a service forgets its proposals.
//!
//! One JSON object a line, only ever appended to. Nothing is decided from it; the report shows it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Did, Phase, Topology};
use crate::files::{self, FileError};
use crate::id::MemberId;

/// The largest record that is read, in bytes.
const MAX_FILE: u64 = 16 << 20;

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, RFC 3339.
    pub at: String,
    /// The digest of the plan.
    pub plan: String,
    /// The phase to which it belongs.
    pub phase: Phase,
    /// Which member did it; `None` for the operator.
    pub member: Option<MemberId>,
    /// What was done.
    pub did: Did,
    /// How the nodes stood before it.
    pub before: Topology,
}

/// Appends an entry.
///
/// # Errors
/// The file cannot be written.
pub fn append(path: &Path, entry: &Entry) -> io::Result<()> {
    let mut line = serde_json::to_string(entry)?;
    line.push('\n');
    OpenOptions::new().create(true).append(true).open(path)?.write_all(line.as_bytes())
}

/// Reads the entries of a plan with this digest, and counts the lines that cannot be read.
///
/// # Errors
/// The file cannot be read.
pub fn read(path: &Path, plan: &str) -> Result<(Vec<Entry>, usize), FileError> {
    let text = files::read_text(path, MAX_FILE)?;
    let (mut entries, mut unreadable) = (Vec::new(), 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match serde_json::from_str::<Entry>(line) {
            Ok(entry) if entry.plan == plan => entries.push(entry),
            Ok(_) => {}
            Err(_) => unreadable += 1,
        }
    }
    Ok((entries, unreadable))
}
