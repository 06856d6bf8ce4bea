//! The save area (VMSA) with which a virtual processor starts: AMD APM volume 2, table B-4.

use super::Vmm;
use super::digest::PAGE;

/// Where the first processor starts.
pub(super) const BOOT_EIP: u32 = 0xffff_fff0;

/// What the first state of a processor depends on.
pub(super) struct Vmsa {
    pub(super) eip: u32,
    pub(super) features: u64,
    pub(super) signature: u32,
    pub(super) vmm: Vmm,
}

impl Vmsa {
    /// The page as KVM (or the provider's hypervisor) writes it.
    pub(super) fn page(&self) -> [u8; PAGE] {
        let (cs, ss, tr) = match self.vmm {
            Vmm::Qemu | Vmm::Gce => (0x9b, 0x93, 0x8b),
            Vmm::Ec2 => (if self.eip == BOOT_EIP { 0x9a } else { 0x9b }, 0x92, 0x83),
        };
        let (rdx, mxcsr, fcw) = match self.vmm {
            Vmm::Qemu => (u64::from(self.signature), 0x1f80, 0x37f),
            Vmm::Ec2 | Vmm::Gce => (0x600, 0, 0),
        };
        let pat: u64 = if self.vmm == Vmm::Gce { 0x0007_0106 } else { 0x0007_0406_0007_0406 };
        let mut page = [0; PAGE];
        // Ten segment registers: es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr.
        let attributes: [u16; 10] = [0x93, cs, ss, 0x93, 0x93, 0x93, 0, 0x82, 0, tr];
        for (segment, attributes) in page.chunks_exact_mut(16).zip(attributes) {
            segment[2..4].copy_from_slice(&attributes.to_le_bytes());
            segment[4..8].copy_from_slice(&0xffff_u32.to_le_bytes());
        }
        page[0x10..0x12].copy_from_slice(&0xf000_u16.to_le_bytes());
        let registers: [(usize, u64); 13] = [
            (0x18, u64::from(self.eip & 0xffff_0000)), // base of cs
            (0xd0, 0x1000),                            // efer: SVME
            (0x148, 0x40),                             // cr4: MCE
            (0x158, 0x10),                             // cr0: ET
            (0x160, 0x400),                            // dr7
            (0x168, 0xffff_0ff0),                      // dr6
            (0x170, 2),                                // rflags
            (0x178, u64::from(self.eip & 0xffff)),     // rip
            (0x268, pat),                              // g_pat
            (0x310, rdx),
            (0x3b0, self.features), // sev_features
            (0x3e8, 1),             // xcr0
            (0x408, mxcsr),         // with x87_ftw and x87_fsw above it
        ];
        for (offset, value) in registers {
            page[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
        }
        let fcw: u16 = fcw;
        page[0x410..0x412].copy_from_slice(&fcw.to_le_bytes());
        page
    }
}
