//! Evidence that other systems have and CCF does not: known by what it begins with, so that it can be called by its name.

/// Intel's collateral as its provisioning service and other verifiers write it.
pub(super) const INTEL_COLLATERAL: &str =
    "Intel's collateral as JSON; CCF takes and shows it as Open Enclave endorsements, which are binary";

/// What clean rooms on confidential virtual machines show.
pub(super) const VIRTUAL_MACHINE: &str =
    "the attestation of a confidential virtual machine, whose report is about its virtual TPM and about no node";

/// What kind of foreign evidence bytes are, if they are one that is known.
///
/// Sources: Intel's "Quote Generation, Verification" for DCAP and TDX, and its EPID quote (`sgx_quote_t`); Azure's HCL report header.
pub(super) fn kind(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [4 | 5, 0, 2, 0, 0x81, 0, 0, 0, ..] => {
            Some("a quote of Intel TDX; CCF's nodes run on SEV-SNP, SGX or the virtual platform")
        }
        [4, 0, 2, 0, 0, 0, 0, 0, ..] => Some("an SGX quote of version 4; CCF takes version 3"),
        [b'H', b'C', b'L', b'A', ..] => {
            Some("an HCL report of an Azure virtual machine; the SNP report is in it, from byte 32 to byte 1216")
        }
        [1 | 2, 0, 0 | 1, 0, ..] if is_epid_quote(bytes) => Some("an EPID quote; CCF takes ECDSA quotes of version 3"),
        _ => None,
    }
}

/// Whether the length of the signature, which stands at 432, is what is left.
fn is_epid_quote(bytes: &[u8]) -> bool {
    let length = bytes.get(432..).and_then(|rest| rest.first_chunk()).map(|length| u32::from_le_bytes(*length));
    length.is_some_and(|length| 436 + u64::from(length) == bytes.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_called_by_its_name() {
        let mut epid = vec![0; 1116];
        epid[0] = 2;
        epid[432..436].copy_from_slice(&680_u32.to_le_bytes());
        let tdx = [&[4, 0, 2, 0, 0x81, 0, 0, 0][..], &[0; 600]].concat();
        for (bytes, name) in [(&epid[..], "EPID"), (&tdx, "TDX"), (b"HCLA\x01\0\0\0", "HCL")] {
            assert!(kind(bytes).is_some_and(|kind| kind.contains(name)), "{name}");
        }
        for other in [&[2, 0, 0, 0][..], &[3, 0, 2, 0], b"HCL", &[0; 2000], b""] {
            assert_eq!(kind(other), None);
        }
    }
}
