//! How long evidence takes to check. `cargo bench --bench evidence`.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ccf_gov::evidence::snp::attestation::{Evidence, Expected, verify};
use ccf_gov::evidence::snp::endorsements::{Endorsements, Root, Roots};
use ccf_gov::evidence::snp::launch::kernel::KernelHashes;
use ccf_gov::evidence::snp::launch::{Launch, Vmm, measure};
use ccf_gov::evidence::snp::report::Report;
use ccf_gov::evidence::snp::tcb::Product;
use ccf_gov::evidence::snp::uvm::UvmEndorsement;
use criterion::{Criterion, criterion_group, criterion_main};
use time::macros::datetime;

#[path = "../tests/support/snp_lab.rs"]
mod lab;

/// Parsing and verifying a report with its chain and its UVM endorsement: recorded real ones (RSA-4096) if they
/// are there, else made-up ones (RSA-2048).
fn attestation(c: &mut Criterion) {
    let now = datetime!(2026-01-01 0:00 UTC);
    let (name, report, chain, uvm, roots) = match lab::fixtures() {
        Some(folder) => {
            let read = |name: &str| std::fs::read(folder.join("snp/sidecar-attest").join(name)).unwrap();
            let uvm = read("body.uvm_reference_info.bin");
            (
                "snp_attestation_with_uvm",
                read("snp_report.bin"),
                read("uvm_host_amd_certificate.pem"),
                uvm,
                Roots::amd(),
            )
        }
        None => {
            let lab = lab::lab();
            let uvm_chain = lab.uvm_chain(lab::IN_DATE);
            let uvm = lab.uvm_cwt(
                &lab.uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(ccf_gov::digest::sha256(&uvm_chain[1]))),
                "feed",
                1,
                &uvm_chain,
                &[0x22; 48],
            );
            let pem: String =
                lab.chain().into_iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der))).collect();
            let root = Root { product: Product::Milan, spki_sha256: ccf_gov::digest::sha256(&lab.ark.spki()) };
            ("made_up_snp_attestation_with_uvm", lab.report(|_| {}), pem.into_bytes(), uvm, Roots::new(vec![root]))
        }
    };
    c.bench_function(name, |b| {
        b.iter(|| {
            let report = Report::parse(&report).unwrap();
            let endorsements = Endorsements::parse(&chain).unwrap();
            let uvm = UvmEndorsement::parse(&uvm).unwrap();
            let evidence = Evidence {
                report: &report,
                endorsements: Some(&endorsements),
                uvm: Some(&uvm),
                endorsed_tcb: None,
                revocations: &[],
            };
            verify(&evidence, &Expected::default(), &roots, now)
        });
    });
}

/// The launch digest of 4 MiB of firmware with a kernel, for 64 virtual processors.
fn launch(c: &mut Criterion) {
    let ovmf = lab::ovmf(1024, 0x80_b004, Some(0x81_0c00), &lab::SECTIONS);
    c.bench_function("snp_launch_digest_4_mib_64_vcpus", |b| {
        b.iter(|| {
            measure(&Launch {
                ovmf: &ovmf,
                kernel: Some(KernelHashes::new(b"kernel", Some(b"initrd"), Some("console=ttyS0"))),
                vcpus: 64,
                vcpu_type: "EPYC-Milan".parse().ok(),
                vmm: Vmm::Qemu,
                guest_features: 1,
            })
        });
    });
}

criterion_group!(benches, attestation, launch);
criterion_main!(benches);
