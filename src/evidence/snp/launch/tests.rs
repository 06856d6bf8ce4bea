use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::evidence::snp::testing::{SECTIONS, ovmf};
use crate::skip::{fixtures, missing};

/// The digests that sev-snp-measure 0.0.13 gives for the made-up firmware.
const GOLDEN: [(u32, Vmm, &str, bool, &str); 4] = [
    (
        1,
        Vmm::Qemu,
        "EPYC-v4",
        false,
        "594d085a31490b12c74502bea78f88dfe547ad794255d2900dd2fb367ab6d851e8bf18795741857cd3970c8ca9e390c7",
    ),
    (
        4,
        Vmm::Qemu,
        "EPYC-Milan",
        true,
        "dbe33fc9efbb5541e503a6506132d283bc15e7219179c8769d7b32ce440e121735bbb5cbd5fee4e1458d54be74a21a72",
    ),
    (
        64,
        Vmm::Ec2,
        "EPYC-Genoa",
        true,
        "4fe9f728f902b93f2941049ceae8c1a2ee93dce570f373444f5983695fd65cba98337306459e582d194d17dd53723d58",
    ),
    (
        2,
        Vmm::Gce,
        "EPYC-Turin",
        false,
        "41d6a16053af3149e636d40004a160f3c6e09c91534242d5812aac884ac29690a40e3dc90e1c0c079544ea3c831c17f3",
    ),
];

fn firmware() -> Vec<u8> {
    ovmf(8, 0x80_b004, Some(0x81_0c00), &SECTIONS)
}

fn kernel() -> KernelHashes {
    KernelHashes::new(b"a kernel", Some(b"an initrd"), Some("console=ttyS0 loglevel=7"))
}

fn launch<'a>(ovmf: &'a [u8], vcpus: u32, vmm: Vmm, vcpu_type: &str) -> Launch<'a> {
    Launch { ovmf, kernel: None, vcpus, vcpu_type: Some(vcpu_type.parse().unwrap()), vmm, guest_features: 1 }
}

#[test]
fn made_up_firmware_gives_the_digests_of_sev_snp_measure() {
    let ovmf = firmware();
    for (vcpus, vmm, vcpu_type, with_kernel, digest) in GOLDEN {
        let launch = Launch { kernel: with_kernel.then(kernel), ..launch(&ovmf, vcpus, vmm, vcpu_type) };
        assert_eq!(measure(&launch).unwrap().to_string(), digest, "{vcpus} {vmm:?} {vcpu_type}");
    }
}

#[test]
fn published_vectors_give_their_digests() {
    let Some(folder) = fixtures() else { return };
    let folder = folder.join("snp/launch-measure");
    let vectors = crate::json::parse(&std::fs::read(folder.join("vectors.json")).unwrap()).unwrap();
    let firmware_digest: SnpMeasurement = vectors["ovmf_hash_AmdSev"].as_str().unwrap().parse().unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 10);
    for vector in vectors {
        let file = vector["ovmf"].as_str().unwrap();
        let ovmf = std::fs::read(folder.join(file)).unwrap();
        let features = vector["guest_features"].as_str().unwrap().trim_start_matches("0x");
        let launch = Launch {
            kernel: vector["kernel"].is_string().then(|| KernelHashes::new(b"", None, vector["append"].as_str())),
            guest_features: u64::from_str_radix(features, 16).unwrap(),
            ..launch(&ovmf, vector["vcpus"].as_u64().unwrap() as u32, Vmm::Qemu, vector["vcpu_type"].as_str().unwrap())
        };
        let expected = vector["expected_launch_digest"].as_str().unwrap();
        let found = [measure(&launch), measure_from(firmware_digest, &launch)].map(|d| d.unwrap().to_string());
        let which = usize::from(vector["name"].as_str().unwrap().contains("ovmf-hash"));
        assert_eq!(found[which], expected, "{vector}");
    }
    let ovmf = std::fs::read(folder.join("ovmf_OvmfX64_suffix.bin")).unwrap();
    let launch = Launch { kernel: Some(kernel()), ..launch(&ovmf, 1, Vmm::Qemu, "EPYC-v4") };
    assert!(matches!(measure(&launch), Err(LaunchError::NoKernelHashes)));
}

#[test]
fn damaged_firmware_and_wrong_numbers_are_refused() {
    let good = firmware();
    let refused = |ovmf: &[u8]| measure(&launch(ovmf, 1, Vmm::Qemu, "EPYC")).unwrap_err();
    assert!(matches!(refused(&[]), LaunchError::Ovmf(OvmfError::Size(0))));
    assert!(matches!(refused(&good[1..]), LaunchError::Ovmf(OvmfError::Size(_))));
    assert!(matches!(refused(&[0; 4096]), LaunchError::Ovmf(OvmfError::NoTable)));
    let huge = ovmf(1, 0, None, &[(0, 0xffff_f000, 1), (0, 0xffff_f000, 1)]);
    assert!(matches!(refused(&huge), LaunchError::Ovmf(OvmfError::Metadata(_))));
    let unknown = ovmf(1, 0, None, &[(0, 0x1000, 9)]);
    assert!(matches!(refused(&unknown), LaunchError::Ovmf(OvmfError::Metadata(_))));
    assert!(matches!(measure(&launch(&good, 0, Vmm::Qemu, "EPYC")), Err(LaunchError::Vcpus(0))));
    let untyped = Launch { vcpu_type: None, ..launch(&good, 1, Vmm::Qemu, "EPYC") };
    assert!(matches!(measure(&untyped), Err(LaunchError::NoVcpuType)));
    assert!(measure(&Launch { vmm: Vmm::Ec2, ..untyped }).is_ok());
    let tables = ovmf(1, 0, Some(0x81_0fff), &SECTIONS);
    let launch = Launch { kernel: Some(kernel()), ..launch(&tables, 1, Vmm::Qemu, "EPYC") };
    assert!(matches!(measure(&launch), Err(LaunchError::Ovmf(OvmfError::HashesTable))));
    assert!("EPYC-Naples".parse::<VcpuType>().is_err() && "xen".parse::<Vmm>().is_err());
    assert_eq!("0xa00f11".parse::<VcpuType>().unwrap().0, 0xa0_0f11);
}

proptest! {
    #[test]
    fn changed_tables_are_refused_or_give_another_digest(at in 0..512_usize, byte: u8, second in 0..2048_usize, other: u8) {
        let mut ovmf = ovmf(1, 0x80_b004, Some(0x81_0c00), &SECTIONS);
        let (good, length) = (ovmf.clone(), ovmf.len());
        ovmf[length - 1 - at] = byte;
        ovmf[length - 1 - second] = other;
        let measured = |ovmf: &[u8]| measure(&Launch { kernel: Some(kernel()), ..launch(ovmf, 2, Vmm::Qemu, "EPYC") });
        if let Ok(digest) = measured(&ovmf) {
            prop_assert_eq!(digest == measured(&good).unwrap(), ovmf == good);
        }
    }
}

/// Computes the digests of many launches, read as JSON, with the Python package.
const SCRIPT: &str = "
import json, sys
from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType
for l in json.load(sys.stdin):
    print(guest.calc_launch_digest(SevMode.SEV_SNP, l['vcpus'], vcpu_types.CPU_SIGS[l['type']], l['ovmf'],
        l['kernel'], l['initrd'], l['append'], l['features'], '', VMMType[l['vmm']]).hex())
";

/// A Python that has sev-snp-measure, if there is one.
fn python() -> Option<std::path::PathBuf> {
    let python = std::env::var_os("CCF_GOV_PYTHON").map(Into::into);
    let python =
        python.unwrap_or_else(|| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/venv/bin/python"));
    let has = Command::new(&python).args(["-c", "import sevsnpmeasure"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    missing("a Python with sev-snp-measure (scripts/test installs it; CCF_GOV_PYTHON names it)");
    None
}

#[test]
fn generated_launches_agree_with_sev_snp_measure() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let firmwares = [
        firmware(),
        ovmf(1, 0x80_b004, Some(0x81_0000), &SECTIONS),
        ovmf(32, 0xffff_f000, Some(0x81_0f30), &[SECTIONS[5], SECTIONS[3], SECTIONS[2], SECTIONS[0]]),
    ];
    let types: Vec<&str> = VcpuType::names().collect();
    let appends = [None, Some(""), Some("console=ttyS0 loglevel=7"), Some("root=/dev/sda1 umlaut=äöü quiet")];
    let mut launches = Vec::new();
    let mut digests = Vec::new();
    for n in 0..192_usize {
        let ovmf = &firmwares[n % 3];
        let vcpus = (n % 64 + 1) as u32;
        let (vmm, vmm_name) = [(Vmm::Qemu, "QEMU"), (Vmm::Ec2, "ec2"), (Vmm::Gce, "gce")][n / 3 % 3];
        let vcpu_type = types[n % types.len()];
        let features = [1, 0x21, 0x3f, u64::MAX][n % 4];
        let kernel = (n % 5 != 0).then(|| vec![n as u8; n * 37]);
        let initrd = (kernel.is_some() && n % 2 == 0).then(|| vec![!n as u8; n * 11]);
        let append = kernel.as_ref().and(appends[n / 2 % 4]);
        digests.push(
            measure(&Launch {
                kernel: kernel.as_ref().map(|k| KernelHashes::new(k, initrd.as_deref(), append)),
                guest_features: features,
                ..launch(ovmf, vcpus, vmm, vcpu_type)
            })
            .unwrap()
            .to_string(),
        );
        launches.push(json!({
            "ovmf": write(&format!("ovmf{}", n % 3), ovmf),
            "kernel": kernel.map(|k| write(&format!("kernel{n}"), &k)),
            "initrd": initrd.map(|i| write(&format!("initrd{n}"), &i)),
            "append": append,
            "vcpus": vcpus,
            "type": vcpu_type,
            "features": features,
            "vmm": vmm_name,
        }));
    }
    let mut run =
        Command::new(python).args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    run.stdin.take().unwrap().write_all(Value::Array(launches).to_string().as_bytes()).unwrap();
    let output = run.wait_with_output().unwrap();
    let theirs = String::from_utf8(output.stdout).unwrap();
    assert_eq!(digests, theirs.lines().collect::<Vec<_>>());
}
