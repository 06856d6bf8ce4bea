//! The processor that every SNP node of a sandbox runs on: its manufacturer's roots, its key, and its reports.

use aws_lc_rs::error::Unspecified;

use super::certificate::{authority, certificate, element, extension, integer};
use super::key::Key;
use crate::der::Tag;
use crate::digest::{HostData, SnpMeasurement, sha256};
use crate::id::NodeId;
use crate::processor::{Cpuid, Product};
use crate::sandbox::SandboxError;
use crate::tcb::TcbVersion;

/// Length of a report, and of the part of it that is signed.
const REPORT: usize = 1184;
const SIGNED: usize = 0x2a0;
/// The guest policy: ABI 1.55, SMT, and the bit that is always one.
const GUEST_POLICY: u64 = 0x3_0137;

/// Keys in AMD's places: root (ARK), intermediate (ASK), chip (VCEK).
pub(super) struct Chip {
    pub(super) ark: Key,
    pub(super) ask: Key,
    pub(super) vcek: Key,
}

/// What a guest is, and on what it runs.
pub(super) struct Guest {
    pub(super) node: NodeId,
    pub(super) host_data: HostData,
    pub(super) measurement: SnpMeasurement,
    pub(super) tcb: TcbVersion,
    pub(super) cpuid: Cpuid,
}

impl Chip {
    pub(super) fn generate() -> Result<Self, SandboxError> {
        Ok(Self { ark: Key::rsa()?, ask: Key::rsa()?, vcek: Key::p384()? })
    }

    /// The root certificate for a product, DER. The key is the same for all.
    pub(super) fn root(&self, product: Product) -> Result<Vec<u8>, SandboxError> {
        let name = format!("ARK-{product}");
        certificate((&name, &self.ark), (&name, &self.ark), 1, &authority()?)
    }

    /// The chain that endorses reports of this TCB: VCEK, ASK, ARK, DER.
    pub(super) fn chain(&self, product: Product, tcb: TcbVersion) -> Result<[Vec<u8>; 3], SandboxError> {
        let (ark, ask) = (format!("ARK-{product}"), format!("SEV-{product}"));
        let intermediate = certificate((&ark, &self.ark), (&ask, &self.ask), 2, &authority()?)?;
        let components = tcb.components(product);
        let mut extensions =
            vec![extension("1.3.6.1.4.1.3704.1.2", false, &element(Tag::Ia5String, product.name().as_bytes())?)?];
        let levels = [
            (1, Some(components.boot_loader)),
            (2, Some(components.tee)),
            (3, Some(components.snp)),
            (8, Some(components.microcode)),
            (9, components.fmc),
        ];
        for (arc, level) in levels {
            if let Some(level) = level {
                extensions.push(extension(&format!("1.3.6.1.4.1.3704.1.3.{arc}"), false, &integer(&[level])?)?);
            }
        }
        let id = self.id(product)?;
        let id = if product == Product::Turin { &id[..8] } else { &id[..] };
        extensions.push(extension("1.3.6.1.4.1.3704.1.4", false, id)?);
        let leaf = certificate((&ask, &self.ask), ("SEV-VCEK", &self.vcek), 3, &extensions)?;
        Ok([leaf, intermediate, self.root(product)?])
    }

    /// A report of version 3, signed by the chip.
    pub(super) fn report(&self, guest: &Guest) -> Result<Vec<u8>, SandboxError> {
        let mut report = vec![0; REPORT];
        let mut put = |at: usize, bytes: &[u8]| report[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x000, &3_u32.to_le_bytes());
        put(0x008, &GUEST_POLICY.to_le_bytes());
        put(0x034, &1_u32.to_le_bytes());
        // Current, reported, committed and launch TCB.
        for at in [0x038, 0x180, 0x1e0, 0x1f0] {
            put(at, &guest.tcb.0.to_le_bytes());
        }
        put(0x050, guest.node.as_bytes());
        put(0x090, &guest.measurement.0);
        put(0x0c0, &guest.host_data.0);
        put(0x188, &[guest.cpuid.family(), guest.cpuid.model(), guest.cpuid.stepping()]);
        put(0x1a0, &self.id(guest.product())?);
        let signature = self.vcek.sign(&report[..SIGNED])?;
        for (number, at) in signature.chunks_exact(48).zip([SIGNED, SIGNED + 72]) {
            let number: Vec<u8> = number.iter().rev().copied().collect();
            report[at..at + 48].copy_from_slice(&number);
        }
        Ok(report)
    }

    /// The chip's id: 64 bytes; on Turin 8, and then zeros.
    fn id(&self, product: Product) -> Result<[u8; 64], SandboxError> {
        let first = sha256(&self.vcek.spki()?);
        let mut id: [u8; 64] =
            [first, sha256(&first)].concat().try_into().map_err(|_| SandboxError::certificate(Unspecified))?;
        if product == Product::Turin {
            id[8..].fill(0);
        }
        Ok(id)
    }
}

impl Guest {
    /// The product of its processor. One that nobody knows has Milan's roots, and its reports do not pass.
    pub(super) fn product(&self) -> Product {
        self.cpuid.product().unwrap_or(Product::Milan)
    }
}
