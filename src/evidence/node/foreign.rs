//! Evidence that other systems have and CCF does not: known by what it begins with, so that it can be called by its name.

/// Intel's collateral as its provisioning service and other verifiers write it.
pub(super) const INTEL_COLLATERAL: &str =
    "Intel's collateral as JSON; CCF takes and shows it as Open Enclave endorsements, which are binary";

/// The GUIDs with which an entry of a certificate table begins: VCEK, VLEK, ASK, ARK, as they lie in memory.
const TABLE_ENTRIES: [[u8; 16]; 4] = [
    [0x8d, 0x75, 0xda, 0x63, 0x64, 0xe6, 0x64, 0x45, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd],
    [0xc2, 0x4b, 0x07, 0xa8, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1],
    [0x79, 0xb3, 0xb7, 0x4a, 0xac, 0xbb, 0xe4, 0x4f, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82],
    [0xa4, 0x06, 0xb4, 0xc0, 0x03, 0xa8, 0x52, 0x49, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae],
];

/// What kind of foreign evidence bytes are, if they are one that is known.
///
/// Sources: Intel's "Quote Generation, Verification" for DCAP and TDX, and its EPID quote (`sgx_quote_t`); AMD 56421
/// (GHCB), "certificate table"; Azure's HCL report header.
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
        _ if bytes.first_chunk().is_some_and(|guid| TABLE_ENTRIES.contains(guid)) => {
            Some("a certificate table of the GHCB protocol; give its certificates as PEM or DER")
        }
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
        let table = [&TABLE_ENTRIES[0][..], &[0; 600]].concat();
        for (bytes, name) in
            [(&epid[..], "EPID"), (&tdx, "TDX"), (b"HCLA\x01\0\0\0", "HCL"), (&table, "certificate table")]
        {
            assert!(kind(bytes).is_some_and(|kind| kind.contains(name)), "{name}");
        }
        for other in [&[2, 0, 0, 0][..], &[3, 0, 2, 0], b"HCL", &[0; 2000], b""] {
            assert_eq!(kind(other), None);
        }
    }
}
