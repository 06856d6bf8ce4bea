//! An IGVM file: its headers and the launch digest. The checksum is made right, so that it does not end every run.
#![no_main]

use ccf_gov::evidence::snp::launch::igvm::{IgvmError, measure};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut file = data.to_vec();
    if file.len() >= 24 {
        let length = file.len() as u32;
        file[16..20].copy_from_slice(&length.to_le_bytes());
        if let Err(IgvmError::Checksum { found, .. }) = measure(&file) {
            file[20..24].copy_from_slice(&found.to_le_bytes());
        }
    }
    let _ = measure(&file);
});
