//! The endorsements' container, TCB information and the quoting enclave's identity.
#![no_main]

use ccf_gov::evidence::sgx::collateral::{Collateral, QeIdentity, Signed, TcbInfo};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = Collateral::parse(data);
    let _ = Signed::<TcbInfo>::tcb_info(data);
    let _ = Signed::<QeIdentity>::qe_identity(data);
});
