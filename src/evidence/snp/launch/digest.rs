//! The running digest: SHA-384 over one PAGE_INFO structure after another (AMD 56860, table "PAGE_INFO").

use std::num::NonZero;
use std::thread;

use aws_lc_rs::digest::{Context, SHA384};

use crate::digest::SnpMeasurement;

/// The size of a page.
pub(super) const PAGE: usize = 4096;

/// Where the RMP table records a VMSA page: the last page below 2^48.
pub(super) const VMSA_GPA: u64 = 0xffff_ffff_f000;

/// Page types of SNP_LAUNCH_UPDATE.
#[derive(Clone, Copy)]
pub(super) enum PageType {
    Normal = 1,
    Vmsa = 2,
    Zero = 3,
    Unmeasured = 4,
    Secrets = 5,
    Cpuid = 6,
}

/// The digest of what has been loaded so far.
pub(super) struct LaunchDigest([u8; 48]);

impl From<SnpMeasurement> for LaunchDigest {
    fn from(digest: SnpMeasurement) -> Self {
        Self(digest.0)
    }
}

impl LaunchDigest {
    /// Nothing loaded yet.
    pub(super) fn new() -> Self {
        Self([0; 48])
    }

    /// Adds one page: its type, where it lies, and the SHA-384 of its contents (zeros if those don't count).
    pub(super) fn page(&mut self, page_type: PageType, gpa: u64, contents: &[u8; 48]) {
        let mut info = [0; 0x70];
        info[..48].copy_from_slice(&self.0);
        info[48..96].copy_from_slice(contents);
        info[96] = 0x70; // the structure's length
        info[98] = page_type as u8;
        info[104..].copy_from_slice(&gpa.to_le_bytes());
        self.0 = sha384(&info);
    }

    /// Adds `data`, the last page filled up with zeros.
    pub(super) fn normal_pages(&mut self, gpa: u64, data: &[u8]) {
        for (n, contents) in page_digests(data).iter().enumerate() {
            self.page(PageType::Normal, gpa.wrapping_add((n * PAGE) as u64), contents);
        }
    }

    /// Adds the same VMSA page `count` times.
    pub(super) fn vmsa_pages(&mut self, page: &[u8; PAGE], count: u32) {
        let contents = sha384(page);
        for _ in 0..count {
            self.page(PageType::Vmsa, VMSA_GPA, &contents);
        }
    }

    /// Adds `count` pages that the firmware fills with zeros.
    pub(super) fn zero_pages(&mut self, gpa: u64, count: u32) {
        self.pages(PageType::Zero, gpa, count);
    }

    /// Adds `count` pages whose contents don't count.
    pub(super) fn unmeasured_pages(&mut self, gpa: u64, count: u32) {
        self.pages(PageType::Unmeasured, gpa, count);
    }

    /// Adds the page that the firmware fills with secrets.
    pub(super) fn secrets_page(&mut self, gpa: u64) {
        self.pages(PageType::Secrets, gpa, 1);
    }

    /// Adds the page that the firmware fills with CPUID values.
    pub(super) fn cpuid_page(&mut self, gpa: u64) {
        self.pages(PageType::Cpuid, gpa, 1);
    }

    /// The digest of everything.
    pub(super) fn finish(self) -> SnpMeasurement {
        SnpMeasurement(self.0)
    }

    fn pages(&mut self, page_type: PageType, gpa: u64, count: u32) {
        for n in 0..u64::from(count) {
            self.page(page_type, gpa.wrapping_add(n * PAGE as u64), &[0; 48]);
        }
    }
}

/// SHA-384.
pub(super) fn sha384(bytes: &[u8]) -> [u8; 48] {
    let mut out = [0; 48];
    out.copy_from_slice(aws_lc_rs::digest::digest(&SHA384, bytes).as_ref());
    out
}

/// SHA-384 of each page, on all processors where there are many: each is hashed apart, only the running digest is not.
fn page_digests(data: &[u8]) -> Vec<[u8; 48]> {
    let count = data.len().div_ceil(PAGE);
    let threads = if count < 64 { 1 } else { thread::available_parallelism().map_or(1, NonZero::get) };
    let share = count.div_ceil(threads).max(1);
    let mut digests = vec![[0; 48]; count];
    let fill = |pages: &[u8], digests: &mut [[u8; 48]]| {
        pages.chunks(PAGE).zip(digests).for_each(|(page, digest)| *digest = padded_sha384(page));
    };
    thread::scope(|scope| {
        let mut shares = data.chunks(share * PAGE).zip(digests.chunks_mut(share));
        let mine = shares.next();
        shares.for_each(|(pages, digests)| {
            scope.spawn(move || fill(pages, digests));
        });
        mine.into_iter().for_each(|(pages, digests)| fill(pages, digests));
    });
    digests
}

/// SHA-384 of at most a page, filled up with zeros.
pub(super) fn padded_sha384(page: &[u8]) -> [u8; 48] {
    const ZEROS: [u8; PAGE] = [0; PAGE];
    let mut context = Context::new(&SHA384);
    context.update(page);
    context.update(&ZEROS[page.len().min(PAGE)..]);
    let mut out = [0; 48];
    out.copy_from_slice(context.finish().as_ref());
    out
}
