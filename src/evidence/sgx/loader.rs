//! In what the loaders of Open Enclave's releases differ: each makes another MRENCLAVE of one file.

/// What a release does with an image before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loader {
    /// Whether the ELF header in memory no longer says where the section headers are.
    pub clears_header: bool,
    /// Whether thread-local data are aligned as their segment wants it, and not as their section does.
    pub aligns_as_segment: bool,
}

impl Loader {
    /// The loaders of the releases whose enclaves have properties of `size` bytes: the newest, and the one before it.
    ///
    /// A file does not tell its release, but its signature does: only the right loader comes to what was signed.
    pub fn of_layout(size: u32) -> (Self, Option<Self>) {
        let loader = |clears_header, aligns_as_segment| Self { clears_header, aligns_as_segment };
        match size {
            // 0.17.7 and later; 0.17.1 to 0.17.6.
            1960 => (loader(false, true), Some(loader(false, false))),
            // 0.16 and 0.17.0; 0.13 to 0.15.
            1952 => (loader(false, false), Some(loader(true, false))),
            // 0.11 and 0.12.
            _ => (loader(true, false), None),
        }
    }
}
