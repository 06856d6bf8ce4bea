//! An SEV-SNP attestation report: 1184 bytes as the firmware wrote them (AMD 56860, table "ATTESTATION_REPORT").

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED, UnparsedPublicKey};

use crate::digest::{HostData, SnpMeasurement};
use crate::id::NodeId;
use crate::processor::{Cpuid, Product};
use crate::tcb::TcbVersion;

/// The length of every report, in bytes.
pub const REPORT_LENGTH: usize = 1184;

/// The newest version whose fields are all known.
pub(super) const NEWEST_VERSION: u32 = 5;

/// The signed part: everything before the signature.
const SIGNED_LENGTH: usize = 0x2a0;

/// One coordinate of the signature as the report carries it, little-endian; P-384 uses the first 48 bytes.
const COORDINATE_LENGTH: usize = 72;

/// Why bytes are not a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// Another length.
    #[error("an SEV-SNP report is {REPORT_LENGTH} bytes long, and this is {0}")]
    Length(usize),
    /// A version of before there were reports of this length.
    #[error("report version {0} is not one that is read: 2 and above")]
    Version(u32),
}

/// Why a report's signature does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportSignatureError {
    /// Not ECDSA P-384 with SHA-384.
    #[error("the report names signature algorithm {0}, and only 1 (ECDSA P-384 with SHA-384) exists")]
    Algorithm(u32),
    /// A coordinate longer than the curve's.
    #[error("the signature's numbers are larger than P-384's")]
    TooLarge,
    /// Not by that key over those bytes.
    #[error("the signature was not made by that key over these bytes")]
    Invalid,
}

/// A report: the raw bytes, and views on them. Nothing in it is trusted before [`Report::verify_signature`].
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    bytes: Box<[u8; REPORT_LENGTH]>,
}

impl Report {
    /// Takes a report's bytes.
    ///
    /// # Errors
    /// Another length than 1184, or a version below 2.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let bytes: [u8; REPORT_LENGTH] = bytes.try_into().map_err(|_| ReportError::Length(bytes.len()))?;
        let report = Self { bytes: Box::new(bytes) };
        match report.version() {
            version @ (0 | 1) => Err(ReportError::Version(version)),
            // Every version leaves the fields of those before it where they were.
            _ => Ok(report),
        }
    }

    /// The bytes, as given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..]
    }

    /// Layout version.
    pub fn version(&self) -> u32 {
        self.u32(0)
    }

    /// The guest's own security version number.
    pub fn guest_svn(&self) -> u32 {
        self.u32(4)
    }

    /// The guest policy that the launcher chose.
    pub fn policy(&self) -> GuestPolicy {
        GuestPolicy(self.u64(8))
    }

    /// Family id, as the image's ID block states it.
    pub fn family_id(&self) -> [u8; 16] {
        self.array(0x10)
    }

    /// Image id, as the image's ID block states it.
    pub fn image_id(&self) -> [u8; 16] {
        self.array(0x20)
    }

    /// The privilege level that asked for the report; above 3, the host did.
    pub fn vmpl(&self) -> u32 {
        self.u32(0x30)
    }

    /// Signature algorithm; 1 is ECDSA P-384 with SHA-384.
    pub fn signature_algorithm(&self) -> u32 {
        self.u32(0x34)
    }

    /// The TCB that runs.
    pub fn current_tcb(&self) -> TcbVersion {
        TcbVersion(self.u64(0x38))
    }

    /// Platform information bits (SMT, TSME, ECC and so on).
    pub fn platform_info(&self) -> u64 {
        self.u64(0x40)
    }

    /// Whether an author key signed the ID key.
    pub fn author_key_enabled(&self) -> bool {
        self.u32(0x48) & 1 != 0
    }

    /// Whether the host masked the chip: chip id and signature are then zero.
    pub fn mask_chip_key(&self) -> bool {
        self.u32(0x48) & 2 != 0
    }

    /// Which kind of key signed: 0 VCEK, 1 VLEK, 7 none.
    pub fn signing_key(&self) -> u32 {
        self.u32(0x48) >> 2 & 7
    }

    /// What the guest put in: for a CCF node the SHA-256 of its public key, then zeros.
    pub fn report_data(&self) -> [u8; 64] {
        self.array(0x50)
    }

    /// The CCF node id: the first 32 bytes of the report data.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(self.array(0x50))
    }

    /// Digest of the launched memory.
    pub fn measurement(&self) -> SnpMeasurement {
        SnpMeasurement(self.array(0x90))
    }

    /// What the host put in at launch: on Azure the SHA-256 of the security policy.
    pub fn host_data(&self) -> HostData {
        HostData(self.array(0xc0))
    }

    /// SHA-384 of the key that signed the ID block, or zeros.
    pub fn id_key_digest(&self) -> [u8; 48] {
        self.array(0xe0)
    }

    /// SHA-384 of the author key, or zeros.
    pub fn author_key_digest(&self) -> [u8; 48] {
        self.array(0x110)
    }

    /// This guest's report id.
    pub fn report_id(&self) -> [u8; 32] {
        self.array(0x140)
    }

    /// The TCB that the VCEK is derived for.
    pub fn reported_tcb(&self) -> TcbVersion {
        TcbVersion(self.u64(0x180))
    }

    /// Family, model and stepping; from version 3 on.
    pub fn cpuid(&self) -> Option<Cpuid> {
        (self.version() >= 3).then(|| Cpuid::new(self.bytes[0x188], self.bytes[0x189], self.bytes[0x18a]))
    }

    /// The product, if the report states one and CCF knows it.
    pub fn product(&self) -> Option<Product> {
        (self.version() >= 3).then(|| Product::of(self.bytes[0x188], self.bytes[0x189])).flatten()
    }

    /// The chip: 64 bytes, on Turin 8 and then zeros.
    pub fn chip_id(&self) -> [u8; 64] {
        self.array(0x1a0)
    }

    /// The TCB below which the platform cannot go back.
    pub fn committed_tcb(&self) -> TcbVersion {
        TcbVersion(self.u64(0x1e0))
    }

    /// The TCB when the guest was launched.
    pub fn launch_tcb(&self) -> TcbVersion {
        TcbVersion(self.u64(0x1f0))
    }

    /// Mitigation vectors at launch and now; from version 5 on.
    pub fn mitigation_vectors(&self) -> Option<(u64, u64)> {
        (self.version() >= 5).then(|| (self.u64(0x1f8), self.u64(0x200)))
    }

    /// Whether everything after the signature's two numbers is zero, as the firmware leaves it.
    pub fn padding_is_zero(&self) -> bool {
        self.bytes[SIGNED_LENGTH + 2 * COORDINATE_LENGTH..].iter().all(|&b| b == 0)
    }

    /// Checks the signature over the raw bytes with `public_key`, a point on P-384 (SEC 1).
    ///
    /// # Errors
    /// Says which part of it does not hold.
    pub fn verify_signature(&self, public_key: &[u8]) -> Result<(), ReportSignatureError> {
        if self.signature_algorithm() != 1 {
            return Err(ReportSignatureError::Algorithm(self.signature_algorithm()));
        }
        let (signed, signature) = self.bytes.split_at(SIGNED_LENGTH);
        let mut fixed = [0; 96];
        for (half, number) in fixed.chunks_exact_mut(48).zip(signature.chunks_exact(COORDINATE_LENGTH)) {
            let (number, beyond) = number.split_at(48);
            if beyond.iter().any(|&b| b != 0) {
                return Err(ReportSignatureError::TooLarge);
            }
            half.copy_from_slice(number);
            half.reverse();
        }
        UnparsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, public_key)
            .verify(signed, &fixed)
            .map_err(|_| ReportSignatureError::Invalid)
    }

    /// `N` bytes at `offset`; every caller's range lies in the fixed length.
    fn array<const N: usize>(&self, offset: usize) -> [u8; N] {
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[offset..offset + N]);
        array
    }

    fn u32(&self, offset: usize) -> u32 {
        u32::from_le_bytes(self.array(offset))
    }

    fn u64(&self, offset: usize) -> u64 {
        u64::from_le_bytes(self.array(offset))
    }
}

impl std::fmt::Debug for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Report")
            .field("version", &self.version())
            .field("measurement", &self.measurement())
            .field("host_data", &self.host_data())
            .field("reported_tcb", &self.reported_tcb())
            .finish_non_exhaustive()
    }
}

/// The guest policy in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestPolicy(pub u64);

impl GuestPolicy {
    /// Least firmware ABI version, as major and minor.
    pub fn abi(self) -> (u8, u8) {
        ((self.0 >> 8) as u8, self.0 as u8)
    }

    /// Whether simultaneous multithreading may be on.
    pub fn smt(self) -> bool {
        self.0 >> 16 & 1 != 0
    }

    /// The bit that is always one.
    pub fn reserved_one(self) -> bool {
        self.0 >> 17 & 1 != 0
    }

    /// Whether a migration agent may be attached.
    pub fn migrate_ma(self) -> bool {
        self.0 >> 18 & 1 != 0
    }

    /// Whether the host may debug the guest, that is, read its memory.
    pub fn debug(self) -> bool {
        self.0 >> 19 & 1 != 0
    }

    /// Whether the guest runs on one socket only.
    pub fn single_socket(self) -> bool {
        self.0 >> 20 & 1 != 0
    }
}
