//! ARM templates, container groups and Kubernetes manifests that carry a security policy.
#![no_main]

use ccf_gov::evidence::policy::deployment;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let _ = deployment::find(data);
});
