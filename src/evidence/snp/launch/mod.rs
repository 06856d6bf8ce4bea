//! The launch digest of a guest: what the firmware measures while memory is loaded (AMD 56860, SNP_LAUNCH_UPDATE).

mod digest;
pub mod igvm;
mod kernel;
mod ovmf;
mod vmsa;

use std::str::FromStr;

use crate::digest::SnpMeasurement;
use digest::LaunchDigest;
use ovmf::{Ovmf, SectionType};
use vmsa::Vmsa;

pub use kernel::KernelHashes;
pub use ovmf::OvmfError;

/// The most virtual processors that are measured.
pub const MAX_VCPUS: u32 = 4096;

/// Why no launch digest could be computed.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// The firmware cannot be read.
    #[error("cannot read the OVMF firmware")]
    Ovmf(#[from] OvmfError),
    /// No processor, or too many.
    #[error("a guest has 1 to {MAX_VCPUS} virtual processors, not {0}")]
    Vcpus(u32),
    /// A kernel is given, and the firmware has no page for its hashes.
    #[error("a kernel is given, and this firmware has no place for its hashes (section SNP_KERNEL_HASHES)")]
    NoKernelHashes,
    /// QEMU passes the processor's signature to the guest, so it must be known.
    #[error("with QEMU the type of the virtual processors is measured, and none is given")]
    NoVcpuType,
}

/// The hypervisor, as far as the first state of a virtual processor depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Vmm {
    /// QEMU and KVM.
    #[default]
    Qemu,
    /// Amazon EC2.
    Ec2,
    /// Google Compute Engine.
    Gce,
}

/// A word that names none of what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a known {what}; known are: {known}")]
pub struct UnknownName {
    /// What was being read.
    what: &'static str,
    /// What stood there.
    found: String,
    /// What there is.
    known: String,
}

impl FromStr for Vmm {
    type Err = UnknownName;

    /// `QEMU`, `ec2` or `gce`, in either case.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text.to_ascii_lowercase().as_str() {
            "qemu" => Ok(Self::Qemu),
            "ec2" => Ok(Self::Ec2),
            "gce" => Ok(Self::Gce),
            _ => Err(UnknownName { what: "kind of VMM", found: text.to_owned(), known: "QEMU, ec2, gce".to_owned() }),
        }
    }
}

/// A virtual processor's type: the signature (CPUID leaf 1, EAX) that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuType(pub u32);

/// QEMU's names, with family, model and stepping.
const VCPU_TYPES: [(&str, u8, u8, u8); 16] = [
    ("EPYC", 23, 1, 2),
    ("EPYC-v1", 23, 1, 2),
    ("EPYC-v2", 23, 1, 2),
    ("EPYC-IBPB", 23, 1, 2),
    ("EPYC-v3", 23, 1, 2),
    ("EPYC-v4", 23, 1, 2),
    ("EPYC-Rome", 23, 49, 0),
    ("EPYC-Rome-v1", 23, 49, 0),
    ("EPYC-Rome-v2", 23, 49, 0),
    ("EPYC-Rome-v3", 23, 49, 0),
    ("EPYC-Milan", 25, 1, 1),
    ("EPYC-Milan-v1", 25, 1, 1),
    ("EPYC-Milan-v2", 25, 1, 1),
    ("EPYC-Genoa", 25, 17, 0),
    ("EPYC-Genoa-v1", 25, 17, 0),
    ("EPYC-Turin", 26, 0, 0),
];

impl VcpuType {
    /// Every name that is known.
    pub fn names() -> impl Iterator<Item = &'static str> {
        VCPU_TYPES.into_iter().map(|(name, ..)| name)
    }
}

impl FromStr for VcpuType {
    type Err = UnknownName;

    /// One of QEMU's names, such as `EPYC-Milan`, or the signature as `0x…`.
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let hex = text.strip_prefix("0x").filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        if let Some(signature) = hex.and_then(|digits| u32::from_str_radix(digits, 16).ok()) {
            return Ok(Self(signature));
        }
        let found = VCPU_TYPES.into_iter().find(|(name, ..)| *name == text);
        let (_, family, model, stepping) = found.ok_or_else(|| UnknownName {
            what: "type of virtual processor",
            found: text.to_owned(),
            known: Self::names().collect::<Vec<_>>().join(", "),
        })?;
        Ok(Self(crate::processor::Cpuid::new(family, model, stepping).0))
    }
}

/// What a guest is launched with.
#[derive(Clone, Debug)]
pub struct Launch<'a> {
    /// The firmware, the whole file.
    pub ovmf: &'a [u8],
    /// The kernel and what goes with it, if it is loaded directly.
    pub kernel: Option<KernelHashes>,
    /// How many virtual processors.
    pub vcpus: u32,
    /// Their type; with QEMU it is measured, with the others it is not.
    pub vcpu_type: Option<VcpuType>,
    /// The hypervisor.
    pub vmm: Vmm,
    /// SEV features that the guest runs with; bit 0 (SNP active) is 1.
    pub guest_features: u64,
}

/// The least guest features: SNP, and nothing else.
pub const DEFAULT_GUEST_FEATURES: u64 = 1;

/// Computes the launch digest.
///
/// # Errors
/// Firmware that cannot be read or lacks what is needed, and numbers out of range.
pub fn measure(launch: &Launch<'_>) -> Result<SnpMeasurement, LaunchError> {
    let ovmf = Ovmf::parse(launch.ovmf)?;
    let mut digest = LaunchDigest::new();
    digest.normal_pages(ovmf.gpa(), launch.ovmf);
    finish(digest, &ovmf, launch)
}

/// Computes the launch digest from the digest of the firmware's pages alone; of the file only the tables are used.
///
/// # Errors
/// As [`measure`].
pub fn measure_from(firmware: SnpMeasurement, launch: &Launch<'_>) -> Result<SnpMeasurement, LaunchError> {
    finish(LaunchDigest::from(firmware), &Ovmf::parse(launch.ovmf)?, launch)
}

fn finish(mut digest: LaunchDigest, ovmf: &Ovmf, launch: &Launch<'_>) -> Result<SnpMeasurement, LaunchError> {
    if !(1..=MAX_VCPUS).contains(&launch.vcpus) {
        return Err(LaunchError::Vcpus(launch.vcpus));
    }
    metadata_pages(&mut digest, ovmf, launch)?;
    let signature = match (launch.vcpu_type, launch.vmm) {
        (Some(VcpuType(signature)), _) => signature,
        (None, Vmm::Qemu) => return Err(LaunchError::NoVcpuType),
        (None, _) => 0,
    };
    let vmsa = |eip| Vmsa { eip, features: launch.guest_features, signature, vmm: launch.vmm }.page();
    digest.vmsa_pages(&vmsa(vmsa::BOOT_EIP), 1);
    if launch.vcpus > 1 {
        // The processors after the first start where the firmware says.
        digest.vmsa_pages(&vmsa(ovmf.reset_eip()?), launch.vcpus - 1);
    }
    Ok(digest.finish())
}

fn metadata_pages(digest: &mut LaunchDigest, ovmf: &Ovmf, launch: &Launch<'_>) -> Result<(), LaunchError> {
    let sections = ovmf.sections();
    if launch.kernel.is_some() && !sections.iter().any(|s| s.kind == SectionType::KernelHashes) {
        return Err(LaunchError::NoKernelHashes);
    }
    for section in sections {
        match section.kind {
            SectionType::SecMemory if launch.vmm == Vmm::Gce => digest.unmeasured_pages(section.gpa, section.pages),
            SectionType::SecMemory | SectionType::SvsmCaa => digest.zero_pages(section.gpa, section.pages),
            SectionType::Secrets => digest.secrets_page(section.gpa),
            // EC2 loads it after everything else.
            SectionType::Cpuid if launch.vmm == Vmm::Ec2 => {}
            SectionType::Cpuid => digest.cpuid_page(section.gpa),
            SectionType::KernelHashes => match &launch.kernel {
                Some(kernel) => {
                    let page = kernel.page(ovmf.hashes_table_offset()?).ok_or(OvmfError::HashesTable)?;
                    digest.normal_pages(section.gpa, &page);
                }
                None => digest.zero_pages(section.gpa, section.pages),
            },
        }
    }
    if launch.vmm == Vmm::Ec2 {
        for section in sections.iter().filter(|s| s.kind == SectionType::Cpuid) {
            digest.cpuid_page(section.gpa);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
