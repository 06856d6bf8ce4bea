//! A UVM endorsement: both forms, its issuer and its signature.
#![no_main]

use ccf_gov::check::Checks;
use ccf_gov::evidence::snp::uvm::UvmEndorsement;
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(uvm) = UvmEndorsement::parse(data) {
        let mut checks = Checks::new();
        uvm.check_signature(datetime!(2026-01-01 0:00 UTC), &mut checks);
        uvm.check_contents(&mut checks);
    }
});
