//! How long evidence takes to check. `cargo bench --bench evidence`, in a release build.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)]

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use ccf_gov::evidence::sgx::Artefact;
use ccf_gov::evidence::sgx::Evidence as Quote;
use ccf_gov::evidence::sgx::{Expected as ExpectedQuote, Trust, verify as verify_quote};
use ccf_gov::evidence::snp::launch::{KernelHashes, Launch, Vmm, measure};
use ccf_gov::evidence::snp::uvm::UvmEndorsement;
use ccf_gov::evidence::snp::{Endorsements, Evidence, Expected, Report, Root, Roots, verify};
use ccf_gov::processor::Product;
use criterion::{Criterion, criterion_group, criterion_main};
use time::macros::datetime;

#[allow(dead_code)]
#[path = "../tests/evidence_sgx/enclave_lab.rs"]
mod enclave_lab;
#[allow(dead_code)]
#[path = "../tests/evidence_sgx/quote_lab.rs"]
mod quote_lab;
#[path = "../tests/evidence_sgx/sigstruct_lab.rs"]
mod sigstruct_lab;
#[path = "../tests/support"]
mod support {
    pub mod skip;
    pub mod snp_lab;
}
use support::snp_lab as lab;

/// Parsing and verifying a report with its chain and its UVM endorsement: recorded real ones (RSA-4096) if they
/// are there, else made-up ones (RSA-2048).
fn attestation(c: &mut Criterion) {
    let now = datetime!(2026-01-01 0:00 UTC);
    let (name, report, chain, uvm, roots) = match support::skip::fixtures() {
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
                uvm: std::slice::from_ref(&uvm),
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

/// An enclave of 64 MiB of measured pages, read, replayed and its signature verified; and a quote with its endorsements.
fn sgx(c: &mut Criterion) {
    let enclave = enclave_lab::Enclave { threads: 2, stack: 8192, ..enclave_lab::Enclave::default() };
    let signed = enclave.signed(enclave.mrenclave(&enclave.file()));
    c.bench_function("sgx_enclave_64_mib", |b| {
        b.iter(|| {
            let artefact = Artefact::read(&signed).unwrap();
            assert_eq!(artefact.checks.verdict().as_str(), "pass");
            artefact
        });
    });
    let made = quote_lab::Lab::new().make(&quote_lab::Settings::default());
    let trust = Trust { root: made.root, at: datetime!(2026-06-01 0:00 UTC) };
    c.bench_function("made_up_sgx_attestation", |b| {
        b.iter(|| {
            let quote = Quote::parse(&made.quote).unwrap();
            let checks = verify_quote(&quote, Some(&made.endorsements), &ExpectedQuote::default(), &trust);
            assert_eq!(checks.verdict().as_str(), "pass");
            checks
        });
    });
}

criterion_group!(benches, attestation, launch, sgx);
criterion_main!(benches);
