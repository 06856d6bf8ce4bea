//! MRENCLAVE: the hash that the processor keeps while an enclave is loaded (Intel SDM, volume 3D: ECREATE, EADD,
//! EEXTEND).

use aws_lc_rs::digest::{Context, SHA256};

use crate::digest::MrEnclave;

/// The size of a page.
pub(super) const PAGE: u64 = 4096;

/// SECINFO flags of a thread control structure's page.
pub(super) const SECINFO_TCS: u64 = 0x100;
/// SECINFO flag of a regular page.
pub(super) const SECINFO_REG: u64 = 0x200;
/// SECINFO flag: readable.
pub(super) const SECINFO_R: u64 = 1;
/// SECINFO flag: writable.
pub(super) const SECINFO_W: u64 = 2;
/// SECINFO flag: executable.
pub(super) const SECINFO_X: u64 = 4;

/// The bytes that one EEXTEND measures.
const CHUNK: usize = 256;

/// The bytes that are hashed of a page which is added without its contents.
pub(super) const ADDED: u64 = RECORD as u64;
/// The bytes that are hashed of a page which is added and measured.
pub(super) const MEASURED: u64 = ADDED + PAGE / CHUNK as u64 * (RECORD + CHUNK) as u64;

/// The length of a record.
const RECORD: usize = 64;

/// The measurement of an enclave that is being loaded.
pub(super) struct Measurement(Context);

impl Measurement {
    /// ECREATE of an enclave whose address range is `size` bytes, with `ssa_frame_size` pages a frame.
    pub(super) fn create(size: u64, ssa_frame_size: u32) -> Self {
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(b"ECREATE\0");
        record[8..12].copy_from_slice(&ssa_frame_size.to_le_bytes());
        record[12..20].copy_from_slice(&size.to_le_bytes());
        let mut context = Context::new(&SHA256);
        context.update(&record);
        Self(context)
    }

    /// EADD of the page at `offset`, without its contents.
    pub(super) fn add(&mut self, offset: u64, flags: u64) {
        self.add_run(offset, flags, 1);
    }

    /// EADD of `count` pages from `offset` on, one after the other, without their contents.
    pub(super) fn add_run(&mut self, offset: u64, flags: u64, count: u64) {
        const AT_ONCE: usize = 512;
        let mut records = [[0; RECORD]; AT_ONCE];
        let used = usize::try_from(count).map_or(AT_ONCE, |count| count.min(AT_ONCE));
        for record in &mut records[..used] {
            record[..8].copy_from_slice(b"EADD\0\0\0\0");
            record[16..24].copy_from_slice(&flags.to_le_bytes());
        }
        let (mut at, mut left) = (offset, count);
        while left > 0 {
            let now = usize::try_from(left).map_or(used, |left| left.min(used));
            for record in &mut records[..now] {
                record[8..16].copy_from_slice(&at.to_le_bytes());
                at += PAGE;
            }
            self.0.update(records[..now].as_flattened());
            left -= now as u64;
        }
    }

    /// EADD of the page at `offset`, and EEXTEND of all its contents.
    pub(super) fn add_measured(&mut self, offset: u64, flags: u64, page: &[u8; PAGE as usize]) {
        self.add(offset, flags);
        let mut record = [0; RECORD];
        record[..8].copy_from_slice(b"EEXTEND\0");
        for (place, chunk) in (offset..).step_by(CHUNK).zip(page.chunks_exact(CHUNK)) {
            record[8..16].copy_from_slice(&place.to_le_bytes());
            self.0.update(&record);
            self.0.update(chunk);
        }
    }

    /// EINIT: the measurement is final.
    pub(super) fn finish(self) -> MrEnclave {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        MrEnclave(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_pages_is_as_each_by_itself() {
        for count in [0, 1, 511, 512, 513, 1500] {
            let mut run = Measurement::create(1 << 40, 1);
            run.add_run(3 * PAGE, SECINFO_REG, count);
            let mut each = Measurement::create(1 << 40, 1);
            (3..3 + count).for_each(|page| each.add(page * PAGE, SECINFO_REG));
            assert_eq!(run.finish(), each.finish(), "{count}");
        }
    }
}
