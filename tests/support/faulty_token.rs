//! SoftHSM with faults: `faulty_token.c`, compiled into a test's own folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::softhsm;

/// A module that is SoftHSM but for the fault that it is told of.
pub struct FaultyToken {
    pub module: PathBuf,
    fault: PathBuf,
}

impl FaultyToken {
    /// Compiles the module into `folder`.
    pub fn new(folder: &Path) -> Self {
        let this = Self { module: folder.join("faulty.so"), fault: folder.join("fault") };
        let text = |name: &str, path: &Path| format!("-D{name}={:?}", path.to_str().unwrap());
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/faulty_token.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall"])
            .args([text("SOFTHSM", &softhsm::module().unwrap()), text("FAULT", &this.fault)])
            .arg("-o")
            .args([&this.module, Path::new(source)])
            .arg("-ldl")
            .status();
        assert!(status.expect("the C compiler with which Rust links").success());
        this
    }

    /// From now on it has this fault, as `faulty_token.c` spells them; none if empty.
    pub fn set(&self, fault: &str) {
        let new = self.fault.with_extension("new");
        std::fs::write(&new, fault).unwrap();
        std::fs::rename(new, &self.fault).unwrap();
    }
}
