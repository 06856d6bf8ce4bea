//! A test that cannot run here, in whole or in part, says so on standard error, and in the file that `SKIPPED_TESTS`
//! names: scripts/test prints and counts what is in it.

#![allow(dead_code, missing_docs, clippy::panic, clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};

/// Something is not here that scripts/test installs: CI must have it.
pub fn missing(what: &str) {
    assert!(std::env::var_os("CI").is_none(), "missing: {what}");
    skip(&format!("missing: {what}"));
}

/// Something is not here that no repository can bring along.
pub fn skip(why: &str) {
    let line = format!("{}: {why}\n", std::thread::current().name().unwrap_or("?"));
    // Not by a macro, whose output is shown for tests that fail alone.
    std::io::stderr().write_all(format!("skipped: {line}").as_bytes()).unwrap();
    if let Some(file) = std::env::var_os("SKIPPED_TESTS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// The folder of recorded real data; skips where it is missing.
pub fn fixtures() -> Option<PathBuf> {
    let folder = match std::env::var_os("CCF_GOV_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    skip(&format!("no recorded data at {} (CCF_GOV_FIXTURES); made-up data cover the same", folder.display()));
    None
}
