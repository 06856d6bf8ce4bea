//! In what the loaders of Open Enclave's releases differ: each makes another MRENCLAVE of one file.

use ThreadData::{AsSection, AsSegment, OnePage};

/// What a release does with an image before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Loader {
    /// Whether the ELF header in memory no longer says where the section headers are.
    pub clears_header: bool,
    /// What a thread's data take.
    pub thread_data: ThreadData,
    /// Whether the image is told the size of its address range, and not where its pages end.
    pub tells_range: bool,
    /// Whether it looks among the dynamic symbols for those that it writes to, and not among all.
    pub dynamic_symbols: bool,
}

/// What a thread's data take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ThreadData {
    /// As many pages as they fill, aligned as their segment wants it.
    AsSegment,
    /// As many pages as they fill, aligned as their section wants it.
    AsSection,
    /// One page, however much or little they are; aligned as their section wants it.
    OnePage,
}

impl Loader {
    /// The loaders that enclaves with properties of `size` bytes were made for: the newest, and those before it.
    ///
    /// A file does not tell its release, but its signature does: only the right loader comes to what was signed.
    /// Each value is of exactly this file's code, so it does no harm that several are tried.
    pub(super) fn of_layout(size: u32) -> (Self, &'static [Self]) {
        const fn loader(clears_header: bool, thread_data: ThreadData) -> Loader {
            Loader { clears_header, thread_data, tells_range: true, dynamic_symbols: true }
        }
        const OF_0_10: Loader = Loader { dynamic_symbols: false, ..loader(true, OnePage) };
        const OF_0_9: Loader = Loader { tells_range: false, ..OF_0_10 };
        match size {
            // 0.17.7 and later; 0.17.1 to 0.17.6.
            1960 => (loader(false, AsSegment), const { &[loader(false, AsSection)] }),
            // 0.16 and 0.17.0; 0.13 to 0.15.
            1952 => (loader(false, AsSection), const { &[loader(true, AsSection)] }),
            // 0.11 and 0.12; 0.10; 0.9; whatever leaves the header as it is, as all later ones do.
            _ => (loader(true, AsSection), const { &[OF_0_10, OF_0_9, loader(false, AsSection)] }),
        }
    }
}
