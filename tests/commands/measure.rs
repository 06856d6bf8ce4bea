//! `measure` and `verify proposal` of files that are made here: endorsements, firmware, IGVM files, contexts, enclaves.

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use ccf_gov::digest::{MrEnclave, sha256};
use igvm::{IgvmDirectiveHeader, IgvmFile, IgvmInitializationHeader, IgvmPlatformHeader, IgvmRevision};
use igvm_defs::{IGVM_VHS_SUPPORTED_PLATFORM, IgvmPageDataFlags, IgvmPageDataType, IgvmPlatformType};

use super::*;
use crate::evidence_sgx::enclave_lab::Enclave;
use crate::support::snp_lab::{IN_DATE, SECTIONS, lab, ovmf};

const FEED: &str = "ContainerPlat-AMD-UVM";
const POLICY: &str = "package policy\napi_version := \"0.10.0\"\nmount_device := {\"allowed\": false}\n";

/// The digests that sev-snp-measure 0.0.13 gives for the made-up firmware.
const ONE_V4: &str = "594d085a31490b12c74502bea78f88dfe547ad794255d2900dd2fb367ab6d851e8bf18795741857cd3970c8ca9e390c7";
const FOUR_MILAN_KERNEL: &str =
    "dbe33fc9efbb5541e503a6506132d283bc15e7219179c8769d7b32ce440e121735bbb5cbd5fee4e1458d54be74a21a72";
const SIXTY_FOUR_EC2_KERNEL: &str =
    "4fe9f728f902b93f2941049ceae8c1a2ee93dce570f373444f5983695fd65cba98337306459e582d194d17dd53723d58";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, contents: impl AsRef<[u8]>) {
        std::fs::write(self.0.path().join(name), contents).unwrap();
    }

    async fn run(&self, line: &str) -> Ran {
        let words = line.split_whitespace().map(str::to_owned);
        run(self.0.path(), words.chain(["--output".into(), "json".into()]).collect()).await
    }

    async fn show(&self, line: &str) -> Ran {
        run(self.0.path(), line.split_whitespace().map(str::to_owned).collect()).await
    }

    /// Runs what must be refused with this code, its error or the cause of it saying `why`.
    #[track_caller]
    fn refused(&self, line: &str, code: i32, why: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let ran = self.run(line).await;
            assert!(ran.code == code && ran.stderr.contains(why), "{caller}: {line}: {ran:?}");
        }
    }

    fn proposal(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.0.path().join(name)).unwrap()).unwrap()
    }
}

/// An endorsement of a made-up issuer, and its DID.
fn endorsement() -> (Vec<u8>, String) {
    let chain = lab().uvm_chain(IN_DATE);
    let did = lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
    (lab().uvm_cwt(&did, FEED, 7, &chain, &[0x22; 48]), did)
}

/// A guest of three pages.
fn igvm_file(policy: u64) -> Vec<u8> {
    let platform = IgvmPlatformHeader::SupportedPlatform(IGVM_VHS_SUPPORTED_PLATFORM {
        compatibility_mask: 1,
        highest_vtl: 2,
        platform_type: IgvmPlatformType::SEV_SNP,
        platform_version: 1,
        shared_gpa_boundary: 0,
    });
    let page = |n: u64| IgvmDirectiveHeader::PageData {
        gpa: n * 4096,
        compatibility_mask: 1,
        flags: IgvmPageDataFlags::new(),
        data_type: IgvmPageDataType::NORMAL,
        data: vec![n as u8 + 1; 4096],
    };
    let policy = IgvmInitializationHeader::GuestPolicy { policy, compatibility_mask: 1 };
    let file = IgvmFile::new(IgvmRevision::V1, vec![platform], vec![policy], (0..3).map(page).collect()).unwrap();
    let mut bytes = Vec::new();
    file.serialize(&mut bytes).unwrap();
    bytes
}

/// The launch digest of [`igvm_file`], computed from AMD's definition of PAGE_INFO.
fn igvm_digest() -> String {
    use sha2::{Digest, Sha384};
    let digest = (0..3_u64).fold(vec![0; 48], |digest, n| {
        let contents = Sha384::digest([n as u8 + 1; 4096]);
        let info = [&digest[..], &contents, &[0x70, 0, 1, 0, 0, 0, 0, 0], &(n * 4096).to_le_bytes()].concat();
        Sha384::digest(info).to_vec()
    });
    hex::encode(digest)
}

#[tokio::test]
async fn a_uvm_endorsement_is_read_as_it_is_and_as_base64() {
    let folder = Folder::new();
    let (uvm, did) = endorsement();
    folder.file("uvm.cose", &uvm);
    folder.file("reference-info-base64", BASE64_STANDARD.encode(&uvm));
    for file in ["uvm.cose", "reference-info-base64"] {
        let done = folder.run(&format!("measure snp --uvm {file}")).await.done();
        assert_eq!((&done["verdict"], &done["uvm"]["did"]), (&"pass".into(), &did.clone().into()));
        assert_eq!((&done["uvm"]["svn"], &done["uvm"]["measurement"]), (&"7".into(), &"22".repeat(48).into()));
        assert_eq!(super::evidence::verdict(&done, "uvm-known-issuer"), "warn");
    }
    let shown = folder.show("measure snp --uvm uvm.cose --proposal p.json").await;
    assert!(shown.stdout.contains(&format!("UVM feed         {FEED}\nUVM svn          7\n")), "{}", shown.stdout);
    let expected = serde_json::json!({"actions": [{"name": "add_snp_uvm_endorsement", "args":
        {"did": did, "feed": FEED, "svn": "7"}}]});
    assert_eq!(folder.proposal("p.json"), expected);

    let mut forged = uvm;
    *forged.last_mut().unwrap() ^= 1;
    folder.file("forged", forged);
    let refused = folder.run("measure snp --uvm forged --proposal forged.json").await;
    assert!(refused.error(3).contains("not every check passed"));
    assert!(!folder.0.path().join("forged.json").exists());
    folder.file("text", "no endorsement");
    folder.refused("measure snp --uvm text", 2, "cannot read the UVM endorsement text").await;
}

#[tokio::test]
async fn firmware_gives_its_launch_digest() {
    let folder = Folder::new();
    folder.file("OVMF.fd", ovmf(8, 0x80_b004, Some(0x81_0c00), &SECTIONS));
    folder.file("plain.fd", ovmf(8, 0x80_b004, None, &SECTIONS[..5]));
    folder.file("kernel", "a kernel");
    folder.file("initrd", "an initrd");
    let one = folder.run("measure snp --ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC-v4").await.done();
    assert_eq!((&one["measurement"], &one["verdict"]), (&ONE_V4.into(), &"incomplete".into()));
    let same = folder.run("measure snp --ovmf OVMF.fd --vcpus 1 --vcpu-type 0x800f12 --guest-features 0x1").await;
    assert_eq!(same.done()["measurement"], ONE_V4);
    let other = folder.run("measure snp --ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC-v4 --guest-features 0x21").await;
    assert_ne!(other.done()["measurement"], ONE_V4);

    let kernel = ["--kernel", "kernel", "--initrd", "initrd", "--append", "console=ttyS0 loglevel=7"];
    for (vcpus, kind, vmm, digest) in
        [("4", "EPYC-Milan", "QEMU", FOUR_MILAN_KERNEL), ("64", "EPYC-Genoa", "ec2", SIXTY_FOUR_EC2_KERNEL)]
    {
        let mut words = vec!["measure", "snp", "--ovmf", "OVMF.fd", "--vcpus", vcpus, "--vcpu-type", kind];
        words.extend(["--vmm-type", vmm, "--output", "json"].into_iter().chain(kernel));
        let done = run(folder.0.path(), words.into_iter().map(str::to_owned).collect()).await.done();
        assert_eq!(done["measurement"], digest, "{vmm}");
    }
    let written = folder.show("measure snp --ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC-v4 --proposal -").await;
    let proposal: Value = serde_json::from_str(&written.stdout).unwrap();
    assert_eq!(proposal["actions"][0]["name"], "add_snp_measurement");
    assert_eq!(proposal["actions"][0]["args"], serde_json::json!({"measurement": ONE_V4}));

    folder.file("measurement.json", written.stdout.as_str());
    let verify = "verify proposal measurement.json --ovmf OVMF.fd --vcpu-type EPYC-v4 --vcpus";
    let verified = folder.run(&format!("{verify} 1")).await.done();
    assert_eq!(verified["values"][0]["backed_by"], serde_json::json!(["the launch"]));
    let refused = folder.run(&format!("{verify} 2")).await;
    assert_eq!((refused.code, refused.json()["verdict"].as_str()), (3, Some("fail")));
    folder.refused("verify proposal measurement.json", 2, "--evidence").await;

    for (line, why) in [
        ("--ovmf OVMF.fd", "--vcpus"),
        ("--ovmf OVMF.fd --vcpus 1", "type of the virtual processors"),
        ("--ovmf OVMF.fd --vcpus 0 --vcpu-type EPYC", "1 to 4096"),
        ("--ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC-v9", "EPYC-Milan"),
        ("--ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC --vmm-type xen", "QEMU, ec2, gce"),
        ("--ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC --guest-features x", "hexadecimal"),
        ("--ovmf OVMF.fd --vcpus 1 --vcpu-type EPYC --guest-features 0x+1", "hexadecimal"),
        ("--igvm guest.igvm --vmm-type ec2", "--ovmf"),
        ("--ovmf plain.fd --vcpus 1 --vcpu-type EPYC --kernel kernel", "no place for its hashes"),
        ("--ovmf kernel --vcpus 1 --vcpu-type EPYC", "cannot compute the launch digest of kernel"),
        ("--kernel kernel", "--ovmf"),
        ("--ovmf missing --vcpus 1 --vcpu-type EPYC", "missing"),
    ] {
        folder.refused(&format!("measure snp {line}"), 2, why).await;
    }
}

#[tokio::test]
async fn an_igvm_file_gives_its_launch_digest_and_backs_a_proposal() {
    let folder = Folder::new();
    folder.file("guest.igvm", igvm_file(0x3_001f));
    let done = folder.run("measure snp --igvm guest.igvm --proposal p.json").await.done();
    assert_eq!((&done["measurement"], &done["verdict"]), (&igvm_digest().into(), &"incomplete".into()));
    let verified = folder.run("verify proposal p.json --evidence guest.igvm").await.done();
    assert_eq!(verified["values"][0]["backed_by"], serde_json::json!(["guest.igvm"]));
    let shown = folder.show("measure snp --igvm guest.igvm").await;
    assert!(shown.stdout.contains("guest policy  000000000003001f"), "{}", shown.stdout);

    folder.file("other.json", std::fs::read_to_string(folder.0.path().join("p.json")).unwrap().replace('0', "1"));
    let other = folder.run("verify proposal other.json --evidence guest.igvm").await;
    assert_eq!((other.code, &other.json()["verdict"]), (3, &"fail".into()));

    folder.file("debug.igvm", igvm_file(0xb_001f));
    let debug = folder.run("measure snp --igvm debug.igvm --proposal debug.json").await;
    assert!(debug.error(3).contains("was not written"), "{debug:?}");
    let backed = folder.run("verify proposal p.json --evidence debug.igvm").await;
    assert_eq!(backed.code, 3, "a guest that its host may debug backs nothing: {backed:?}");

    let mut damaged = igvm_file(0x3_001f);
    damaged[60] ^= 1;
    folder.file("damaged.igvm", damaged);
    folder.refused("measure snp --igvm damaged.igvm", 2, "checksum").await;
    folder.refused("verify proposal p.json --evidence damaged.igvm", 2, "checksum").await;
    folder.file("text", "no guest");
    folder.refused("measure snp --igvm text", 2, "not an IGVM file").await;
}

#[tokio::test]
async fn a_security_context_is_checked_as_a_whole() {
    let folder = Folder::new();
    let (uvm, did) = endorsement();
    let context = folder.0.path().join("context");
    std::fs::create_dir(&context).unwrap();
    folder.refused("measure snp --context context", 2, "not a security context directory").await;
    folder.file("context/security-policy-base64", BASE64_STANDARD.encode(POLICY));
    let lone = folder.run("measure snp --context context").await;
    let host_data = hex::encode(sha256(POLICY.as_bytes()));
    assert_eq!((lone.code, &lone.json()["verdict"]), (3, &"incomplete".into()));
    assert_eq!(lone.json()["host_data"], host_data);

    folder.file("context/reference-info-base64", BASE64_STANDARD.encode(&uvm));
    let pem: String = lab().chain().iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", &der[..]))).collect();
    let (vcek, rest) = pem.split_at(pem.find("-----END CERTIFICATE-----").unwrap() + 27);
    let amd = serde_json::json!({"vcekCert": vcek, "certificateChain": rest, "tcbm": "DB18000000000004"});
    folder.file("context/host-amd-cert-base64", BASE64_STANDARD.encode(amd.to_string()));
    // Every part is there, and AMD is a made-up one: it is told from the real one.
    let whole = folder.run("measure snp --context context --proposal p.json").await;
    assert!(whole.error(3).contains("was not written"));
    let json: Value = serde_json::from_str(&whole.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["uvm"]["did"]), (&"fail".into(), &did.into()));
    assert_eq!(super::evidence::failed(&json), ["ark-pinned"]);
    folder.refused("measure snp --context missing", 2, "missing").await;
}

#[tokio::test]
async fn an_elf_enclave_is_measured() {
    let folder = Folder::new();
    let enclave = Enclave::default();
    let good = enclave.mrenclave(&enclave.file());
    let mrenclave = MrEnclave(good).to_string();
    folder.file("enclave.signed", enclave.signed(good));
    folder.file("unsigned", enclave.file());
    folder.file("mismatch", enclave.signed([1; 32]));
    let done = folder.run("measure sgx enclave.signed --proposal p.json").await.done();
    assert_eq!((done["mrenclave"].as_str(), &done["debug"]), (Some(mrenclave.as_str()), &false.into()));
    assert_eq!(folder.proposal("p.json")["actions"][0]["args"], serde_json::json!({"code_id": mrenclave}));
    folder.run("verify proposal p.json --evidence enclave.signed").await.done();
    let shown = folder.show("measure sgx enclave.signed").await;
    assert!(shown.stdout.contains("debug mode        not allowed"), "{}", shown.stdout);
    for (file, why) in [("unsigned", "sigstruct-signature"), ("mismatch", "mrenclave")] {
        let ran = folder.run(&format!("measure sgx {file} --proposal {file}.json")).await;
        assert!(ran.error(3).contains("did not pass"), "{ran:?}");
        let json: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!(super::evidence::failed(&json), [why], "{file}");
    }
    let debug = Enclave { attributes: 6, ..Enclave::default() };
    let measured = debug.mrenclave(&debug.file());
    folder.file("debug", debug.signed(measured));
    assert!(folder.run("measure sgx debug --proposal d.json").await.error(3).contains("debug mode"));
}

#[tokio::test]
async fn groups_with_one_policy_are_registered_once() {
    let folder = Folder::new();
    let group = |name: &str, policy: &str| {
        serde_json::json!({
            "type": "Microsoft.ContainerInstance/containerGroups", "name": name,
            "properties": {"confidentialComputeProperties": {"ccePolicy": BASE64_STANDARD.encode(policy)}},
        })
    };
    let other = POLICY.replace("0.10.0", "0.11.0");
    let template = serde_json::json!({"resources": [group("a", POLICY), group("b", &other), group("c", POLICY)]});
    folder.file("template.json", template.to_string());
    let measured = folder.run("measure snp --policy template.json --proposal register.json").await.done();
    assert_eq!(measured["groups"].as_array().unwrap().len(), 3);
    let written = std::fs::read(folder.0.path().join("register.json")).unwrap();
    let proposal: serde_json::Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(proposal["actions"].as_array().unwrap().len(), 2, "{proposal}");
    let checked = folder.run("verify proposal register.json --evidence template.json").await.done();
    assert_eq!(checked["values"][0]["backed_by"], serde_json::json!(["template.json (a)", "template.json (c)"]));
}
