//! A security context directory: what Azure mounts into a confidential container group, its parts checked together.

use std::path::Path;

use time::OffsetDateTime;

use super::endorsements::{Endorsements, EndorsementsError};
use super::roots::Roots;
use super::uvm::{UvmEndorsement, UvmError};
use crate::check::Checks;
use crate::digest::{HostData, SnpMeasurement};
use crate::files::{self, FileError};
use crate::host_data::{self, SecurityPolicy};

/// The file with the security policy, base64.
pub const POLICY_FILE: &str = "security-policy-base64";
/// The file with the UVM endorsement, base64.
pub const UVM_FILE: &str = "reference-info-base64";
/// The file with the UVM endorsement as a hash envelope, base64; newer hosts give both.
pub const HASH_ENVELOPE_FILE: &str = "hash-envelope-reference-info-base64";
/// The file with AMD's certificates, base64 of JSON.
pub const AMD_FILE: &str = "host-amd-cert-base64";

/// The largest file of a directory that is read: 16 MiB.
const MAX_FILE: u64 = 16 << 20;

/// Why a directory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The folder itself.
    #[error("its folder cannot be read")]
    Folder(#[source] std::io::Error),
    /// A file of it.
    #[error(transparent)]
    File(#[from] FileError),
    /// None of the files is there.
    #[error(
        "{0} has none of {POLICY_FILE}, {UVM_FILE}, {HASH_ENVELOPE_FILE} and {AMD_FILE}: it is not a security context \
         directory"
    )]
    Empty(String),
    /// The policy is not base64.
    #[error("{POLICY_FILE} is not base64 text")]
    Policy,
    /// The UVM endorsement.
    #[error("cannot read {0}")]
    Uvm(&'static str, #[source] UvmError),
    /// AMD's certificates.
    #[error("cannot read {AMD_FILE}")]
    Amd(#[from] EndorsementsError),
}

/// What stands in a security context directory.
#[derive(Debug)]
pub struct SecurityContext {
    /// The security policy.
    pub policy: Option<SecurityPolicy>,
    /// The UVM endorsements, each with its file's name: in one of its forms, or in both.
    pub uvm: Vec<(&'static str, UvmEndorsement)>,
    /// AMD's certificates.
    pub amd: Option<Endorsements>,
}

impl SecurityContext {
    /// Reads a directory; a file that is not there is `None`.
    ///
    /// # Errors
    /// No file at all, or one that cannot be read for what it should be.
    pub fn read(folder: &Path) -> Result<Self, ContextError> {
        std::fs::read_dir(folder).map_err(ContextError::Folder)?;
        let read = |name: &str| {
            let path = folder.join(name);
            if path.symlink_metadata().is_err() {
                return Ok(None);
            }
            files::read(&path, MAX_FILE).map(Some)
        };
        let (policy, amd) = (read(POLICY_FILE)?, read(AMD_FILE)?);
        let mut uvm = Vec::new();
        for name in [UVM_FILE, HASH_ENVELOPE_FILE] {
            if let Some(bytes) = read(name)? {
                uvm.push((name, UvmEndorsement::parse(&bytes).map_err(|source| ContextError::Uvm(name, source))?));
            }
        }
        if policy.is_none() && uvm.is_empty() && amd.is_none() {
            return Err(ContextError::Empty(folder.display().to_string()));
        }
        let policy = policy
            .map(|text| host_data::decode(&text).ok_or(ContextError::Policy))
            .transpose()?
            .map(|bytes| SecurityPolicy { bytes, was_base64: true });
        let amd = amd.map(|bytes| Endorsements::parse(&bytes)).transpose()?;
        Ok(Self { policy, uvm, amd })
    }

    /// The host data of the group's nodes.
    pub fn host_data(&self) -> Option<HostData> {
        self.policy.as_ref().map(SecurityPolicy::host_data)
    }

    /// The measurement of the group's nodes, as far as the endorsement can be trusted.
    pub fn measurement(&self) -> Option<SnpMeasurement> {
        self.uvm.first().map(|(_, uvm)| uvm.measurement)
    }

    /// Checks every part by itself, and against the others; a part that is not there is incomplete.
    pub fn check(&self, roots: &Roots, now: OffsetDateTime) -> Checks {
        let mut checks = Checks::new();
        match &self.policy {
            None => checks.incomplete("security-policy", format!("{POLICY_FILE} is not there")),
            Some(policy) if policy.bytes.is_empty() => checks.fail("security-policy", "the policy is empty"),
            Some(policy) => match std::str::from_utf8(&policy.bytes) {
                Ok(_) => checks.pass("security-policy", format!("host data {}", policy.host_data())),
                Err(_) => checks.fail("security-policy", "the policy is not UTF-8: no proposal can carry it"),
            },
        }
        if self.uvm.is_empty() {
            checks.incomplete("uvm-signature", format!("{UVM_FILE} is not there"));
        }
        for (name, uvm) in &self.uvm {
            let mut own = Checks::new();
            uvm.check_signature(now, &mut own);
            uvm.check_contents(&mut own);
            checks.append(if self.uvm.len() > 1 { own.about(name) } else { own });
        }
        if let [(_, one), (_, other)] = &self.uvm[..] {
            one.check_same(other, &mut checks);
        }
        match &self.amd {
            None => checks.incomplete("certificate-count", format!("{AMD_FILE} is not there")),
            Some(amd) => {
                let vcek = amd.check(None, roots, now, &[], &mut checks);
                if let (Some(vcek), Some(tcbm)) = (vcek, amd.tcbm()) {
                    let stated = tcbm.components(vcek.product);
                    let beyond = tcbm.sets_reserved(vcek.product);
                    let detail = if stated != vcek.tcb && tcbm.reversed().components(vcek.product) == vcek.tcb {
                        format!("{tcbm} is the certificate's TCB with its bytes in reverse order")
                    } else if beyond {
                        format!("{tcbm} has values where a {} has no component", vcek.product)
                    } else {
                        format!("the host states the TCB {stated}, its certificate {}", vcek.tcb)
                    };
                    checks.require("host-tcb", stated == vcek.tcb && !beyond, detail);
                }
            }
        }
        checks
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::digest::sha256;
    use crate::evidence::snp::Root;
    use crate::evidence::snp::testing::{IN_DATE, lab};
    use crate::processor::Product;
    use crate::skip::fixtures;

    const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);
    const POLICY: &str = "package policy\n";

    fn made_up(tcbm: &str) -> (tempfile::TempDir, Roots) {
        let lab = lab();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            std::fs::write(folder.path().join(name), BASE64_STANDARD.encode(bytes)).unwrap();
        };
        write(POLICY_FILE, POLICY.as_bytes());
        let chain = lab.uvm_chain(IN_DATE);
        let did = lab.uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
        write(UVM_FILE, &lab.uvm_cwt(&did, "ContainerPlat-AMD-UVM", 101, &chain, &[0x22; 48]));
        let pem = |der: &Vec<u8>| pem::encode(&pem::Pem::new("CERTIFICATE", der.clone()));
        let [vcek, ask, ark] = <[Vec<u8>; 3]>::try_from(lab.chain()).unwrap();
        let amd = json!({
            "vcekCert": pem(&vcek),
            "certificateChain": pem(&ask) + &pem(&ark),
            "tcbm": tcbm,
            "cacheControl": "86400",
        });
        write(AMD_FILE, amd.to_string().as_bytes());
        let root = Root { product: Product::Milan, spki_sha256: sha256(&lab.ark.spki()) };
        (folder, Roots::new(vec![root]))
    }

    #[test]
    fn a_made_up_directory_is_checked_whole() {
        let (folder, roots) = made_up("DB18000000000004");
        let context = SecurityContext::read(folder.path()).unwrap();
        let checks = context.check(&roots, NOW);
        assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
        assert_eq!(context.host_data(), Some(host_data::of_policy(POLICY.as_bytes())));
        assert_eq!(context.measurement(), Some(SnpMeasurement([0x22; 48])));

        std::fs::remove_file(folder.path().join(UVM_FILE)).unwrap();
        let checks = SecurityContext::read(folder.path()).unwrap().check(&roots, NOW);
        assert_eq!(checks.verdict().as_str(), "incomplete");
        std::fs::write(folder.path().join(POLICY_FILE), "package policy").unwrap();
        assert!(matches!(SecurityContext::read(folder.path()), Err(ContextError::Policy)));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(SecurityContext::read(empty.path()), Err(ContextError::Empty(_))));
        for none in ["missing", "file"] {
            std::fs::write(empty.path().join("file"), "").unwrap();
            assert!(matches!(SecurityContext::read(&empty.path().join(none)), Err(ContextError::Folder(_))));
        }
    }

    #[test]
    fn both_forms_of_the_endorsement_are_looked_at() {
        let (folder, roots) = made_up("DB18000000000004");
        let chain = lab().uvm_chain(IN_DATE);
        let did = lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
        let write = |measurement: u8, svn: u64| {
            let envelope = lab().uvm_cwt(&did, "ContainerPlat-AMD-UVM", svn, &chain, &[measurement; 48]);
            std::fs::write(folder.path().join(HASH_ENVELOPE_FILE), BASE64_STANDARD.encode(envelope)).unwrap();
            SecurityContext::read(folder.path()).unwrap().check(&roots, NOW)
        };
        let both = write(0x22, 101);
        assert_eq!(both.verdict().as_str(), "pass", "{both:#?}");
        assert_eq!(both.iter().filter(|check| check.name == "uvm-signature").count(), 2);
        assert!(write(0x22, 104).get("uvm-forms").is_some());
        assert_eq!(write(0x23, 101).verdict().as_str(), "fail");
        std::fs::write(folder.path().join(HASH_ENVELOPE_FILE), "AAAA").unwrap();
        let refused = SecurityContext::read(folder.path());
        assert!(matches!(refused, Err(ContextError::Uvm(HASH_ENVELOPE_FILE, _))));
        // One by itself is enough.
        std::fs::rename(folder.path().join(UVM_FILE), folder.path().join(HASH_ENVELOPE_FILE)).unwrap();
        assert_eq!(SecurityContext::read(folder.path()).unwrap().check(&roots, NOW).verdict().as_str(), "pass");
    }

    #[test]
    fn a_tcb_that_is_not_the_certificates_fails() {
        for (tcbm, why) in [
            ("DB18000000000005", "boot_loader 5"),
            ("DB18000000010004", "no component"),
            ("04000000000018DB", "reverse order"),
        ] {
            let (folder, roots) = made_up(tcbm);
            let checks = SecurityContext::read(folder.path()).unwrap().check(&roots, NOW);
            assert_eq!(checks.verdict().as_str(), "fail");
            assert_eq!(checks.iter().filter(|c| c.verdict == crate::check::Verdict::Fail).count(), 1);
            assert!(checks.get("host-tcb").unwrap().detail.contains(why), "{checks:#?}");
        }
    }

    #[test]
    fn a_real_directory_gives_its_values() {
        let Some(fixtures) = fixtures() else { return };
        let context = SecurityContext::read(&fixtures.join("snp/sidecar-security-context")).unwrap();
        let checks = context.check(&Roots::amd(), NOW);
        assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
        assert!(context.host_data().unwrap().to_string().starts_with("4f4448c6"));
        assert!(context.measurement().unwrap().to_string().starts_with("03fea028"));
        assert_eq!(context.uvm[0].1.svn, "100");
    }
}
