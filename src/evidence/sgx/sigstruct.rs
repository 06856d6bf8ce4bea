//! SIGSTRUCT: what an enclave's author signed (Intel SDM, volume 3D, "Enclave Signature Structure").

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};

use super::bytes::{Bytes, Short};
use super::properties::ATTRIBUTE_DEBUG;
use crate::digest::{MrEnclave, MrSigner, sha256};

/// The size of a SIGSTRUCT.
pub const SIGSTRUCT_SIZE: usize = 1808;

const HEADER: [u8; 12] = [6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0];
const HEADER2: [u8; 16] = [1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0];

/// RSA's public exponent in every SIGSTRUCT.
const EXPONENT: u32 = 3;

/// A SIGSTRUCT whose signature holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigStruct {
    /// SHA-256 of the signer's modulus.
    pub mrsigner: MrSigner,
    /// The enclave that was signed.
    pub mrenclave: MrEnclave,
    /// The product's number.
    pub isvprodid: u16,
    /// The security version.
    pub isvsvn: u16,
    /// When it was signed: `YYYY-MM-DD` as the signer wrote it.
    pub date: String,
    /// The attributes' flags that the enclave must have, under [`Self::attributes_mask`].
    pub attributes: u64,
    /// Which of the flags are fixed.
    pub attributes_mask: u64,
    /// MISCSELECT and its mask.
    pub miscselect: (u32, u32),
}

/// Why bytes are not a valid SIGSTRUCT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigStructError {
    /// Not 1808 bytes.
    #[error("a SIGSTRUCT has {SIGSTRUCT_SIZE} bytes, and this has {0}")]
    Size(usize),
    /// All zero: the enclave was built, and never signed.
    #[error("the enclave is not signed: its SIGSTRUCT is empty")]
    Unsigned,
    /// A constant field with other contents.
    #[error("this is not a SIGSTRUCT: its {0} is not the one that every SIGSTRUCT has")]
    Constant(&'static str),
    /// The RSA signature does not fit.
    #[error("the SIGSTRUCT's signature is not valid: it was changed after it was signed")]
    Signature,
    /// Q1 and Q2 are not what the signature and the modulus make.
    #[error("the SIGSTRUCT's Q1 and Q2 do not fit its signature: no processor would accept it")]
    Quotients,
}

impl From<Short> for SigStructError {
    fn from(short: Short) -> Self {
        Self::Size(short.available as usize)
    }
}

impl SigStruct {
    /// Reads a SIGSTRUCT and verifies everything in it that can be: constants, RSA signature, Q1 and Q2.
    ///
    /// # Errors
    /// [`SigStructError`], the first rule that is broken.
    pub fn verify(raw: &[u8]) -> Result<Self, SigStructError> {
        if raw.len() != SIGSTRUCT_SIZE {
            return Err(SigStructError::Size(raw.len()));
        }
        if raw.iter().all(|b| *b == 0) {
            return Err(SigStructError::Unsigned);
        }
        let bytes = Bytes::new("SIGSTRUCT", raw);
        for (name, holds) in [
            ("header", bytes.slice(0, 12)? == HEADER),
            ("second header", bytes.slice(24, 16)? == HEADER2),
            ("exponent", bytes.u32(512)? == EXPONENT),
        ] {
            if !holds {
                return Err(SigStructError::Constant(name));
            }
        }
        let modulus = bytes.slice(128, 384)?;
        let signature = bytes.slice(516, 384)?;
        let mut signed = bytes.slice(0, 128)?.to_vec();
        signed.extend_from_slice(bytes.slice(900, 128)?);
        let key = RsaPublicKeyComponents { n: reversed(modulus), e: EXPONENT.to_be_bytes()[3..].to_vec() };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, &signed, &reversed(signature))
            .map_err(|_| SigStructError::Signature)?;
        if !quotients_fit(modulus, signature, bytes.slice(1040, 384)?, bytes.slice(1424, 384)?) {
            return Err(SigStructError::Quotients);
        }
        let date = hex::encode(reversed(bytes.slice(20, 4)?));
        Ok(Self {
            mrsigner: MrSigner(sha256(modulus)),
            mrenclave: MrEnclave(bytes.array(960)?),
            isvprodid: bytes.u16(1024)?,
            isvsvn: bytes.u16(1026)?,
            date: format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..]),
            attributes: bytes.u64(928)?,
            attributes_mask: bytes.u64(944)?,
            miscselect: (bytes.u32(900)?, bytes.u32(904)?),
        })
    }

    /// Whether an enclave with this signature may run in debug mode, open to its host.
    pub fn debug_allowed(&self) -> bool {
        self.attributes_mask & ATTRIBUTE_DEBUG == 0 || self.attributes & ATTRIBUTE_DEBUG != 0
    }
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// Whether Q1 = ⌊S² / M⌋ and Q2 = ⌊(S³ − Q1·S·M) / M⌋, as EINIT checks; all little-endian.
///
/// Without a division: with R1 = S² − Q1·M and R2 = R1·S − Q2·M, both must lie in 0..M.
fn quotients_fit(modulus: &[u8], signature: &[u8], q1: &[u8], q2: &[u8]) -> bool {
    let [m, s, q1, q2] = [modulus, signature, q1, q2].map(limbs);
    let Some(r1) = subtract(multiply(&s, &s), &multiply(&q1, &m)).filter(|r| less(r, &m)) else { return false };
    subtract(multiply(&r1, &s), &multiply(&q2, &m)).is_some_and(|r| less(&r, &m))
}

/// Little-endian bytes as little-endian 32-bit limbs.
fn limbs(bytes: &[u8]) -> Vec<u32> {
    bytes.chunks_exact(4).map(|c| c.iter().rev().fold(0, |n, b| n << 8 | u32::from(*b))).collect()
}

fn multiply(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut product = vec![0; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        let mut carry = 0;
        for (j, y) in b.iter().enumerate() {
            let sum = u64::from(*x) * u64::from(*y) + u64::from(product[i + j]) + carry;
            product[i + j] = sum as u32;
            carry = sum >> 32;
        }
        product[i + b.len()] = carry as u32;
    }
    product
}

/// a − b, if it is not negative; the result is as long as `a`.
fn subtract(mut a: Vec<u32>, b: &[u32]) -> Option<Vec<u32>> {
    if b.iter().skip(a.len()).any(|limb| *limb != 0) {
        return None;
    }
    let mut borrow = false;
    for (i, limb) in a.iter_mut().enumerate() {
        let (difference, under) = limb.overflowing_sub(b.get(i).copied().unwrap_or(0));
        let (difference, under_again) = difference.overflowing_sub(u32::from(borrow));
        *limb = difference;
        borrow = under || under_again;
    }
    (!borrow).then_some(a)
}

fn less(a: &[u32], b: &[u32]) -> bool {
    let limb = |n: &[u32], i: usize| n.get(i).copied().unwrap_or(0);
    for i in (0..a.len().max(b.len())).rev() {
        if limb(a, i) != limb(b, i) {
            return limb(a, i) < limb(b, i);
        }
    }
    false
}
