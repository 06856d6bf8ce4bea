//! OVMF firmware: its tables and the launch digest. The data are the firmware's end; what is before it is zeros.
#![no_main]

use ccf_gov::evidence::snp::launch::{KernelHashes, Launch, Vmm, measure};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut ovmf = vec![0; data.len().next_multiple_of(4096) - data.len()];
    ovmf.extend_from_slice(data);
    for vmm in [Vmm::Qemu, Vmm::Ec2, Vmm::Gce] {
        let kernel = (vmm == Vmm::Qemu).then(|| KernelHashes::new(b"kernel", None, Some("quiet")));
        let _ = measure(&Launch {
            ovmf: &ovmf,
            kernel,
            vcpus: 2,
            vcpu_type: "EPYC-Milan".parse().ok(),
            vmm,
            guest_features: 1,
        });
    }
});
