//! An SNP report: parsed, every rule checked, and its signature against a key that does not fit.
#![no_main]

use ccf_gov::evidence::snp::{Evidence, Expected, Report, Roots, verify};
use time::macros::datetime;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(report) = Report::parse(data) {
        let evidence = Evidence { report: &report, endorsements: None, uvm: &[], endorsed_tcb: None, revocations: &[] };
        let (checks, _) = verify(&evidence, &Expected::default(), &Roots::amd(), datetime!(2026-01-01 0:00 UTC));
        assert_ne!(checks.verdict().as_str(), "pass");
        assert!(report.verify_signature(&[4; 97]).is_err());
    }
});
