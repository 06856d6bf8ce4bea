//! An enclave's ELF file, an SGXS stream, or a SIGSTRUCT.
#![no_main]

use ccf_gov::evidence::sgx::Artefact;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Artefact::read(data);
});
