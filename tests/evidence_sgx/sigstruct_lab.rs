//! A signer of enclaves, with plain arithmetic of its own.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};

pub const SIGSTRUCT: usize = 1808;

/// A SIGSTRUCT by the test key.
pub fn sigstruct(mrenclave: [u8; 32], attributes: u64) -> Vec<u8> {
    let key = pem::parse(include_str!("../vectors/sgx/enclave_signer.pem")).unwrap();
    let key = KeyPair::from_pkcs8(key.contents()).unwrap();
    let modulus = key.public_key().modulus().big_endian_without_leading_zero().to_vec();
    let mut s = vec![0; SIGSTRUCT];
    let put = |s: &mut Vec<u8>, at: usize, bytes: &[u8]| s[at..at + bytes.len()].copy_from_slice(bytes);
    put(&mut s, 0, &[6, 0, 0, 0, 0xe1, 0, 0, 0, 0, 0, 1, 0]);
    put(&mut s, 20, &[0x22, 0x11, 0x26, 0x20]);
    put(&mut s, 24, &[1, 1, 0, 0, 0x60, 0, 0, 0, 0x60, 0, 0, 0, 1, 0, 0, 0]);
    put(&mut s, 128, &reversed(&modulus));
    s[512] = 3;
    put(&mut s, 928, &attributes.to_le_bytes());
    put(&mut s, 944, &(!0x80u64 & if attributes & 2 == 0 { !0 } else { !2 }).to_le_bytes());
    put(&mut s, 960, &mrenclave);
    s[1024] = 7;
    s[1026] = 9;
    let signed = [&s[..128], &s[900..1028]].concat();
    let mut signature = vec![0; 384];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &signed, &mut signature).unwrap();
    put(&mut s, 516, &reversed(&signature));
    let (q1, r1) = divide(&multiply(&signature, &signature), &modulus);
    let (q2, _) = divide(&multiply(&r1, &signature), &modulus);
    put(&mut s, 1040, &reversed(&q1[q1.len() - 384..]));
    put(&mut s, 1424, &reversed(&q2[q2.len() - 384..]));
    s
}

fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().rev().copied().collect()
}

/// Big-endian schoolbook multiplication.
fn multiply(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut product = vec![0u32; a.len() + b.len()];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            product[i + j + 1] += u32::from(*x) * u32::from(*y);
        }
    }
    for i in (1..product.len()).rev() {
        product[i - 1] += product[i] >> 8;
        product[i] &= 0xff;
    }
    product.into_iter().map(|digit| digit as u8).collect()
}

/// Big-endian long division, bit by bit.
fn divide(dividend: &[u8], divisor: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut quotient = vec![0; dividend.len()];
    let mut rest = vec![0; divisor.len() + 1];
    let wide = [&[0], divisor].concat();
    for bit in 0..dividend.len() * 8 {
        let mut carry = dividend[bit / 8] >> (7 - bit % 8) & 1;
        for byte in rest.iter_mut().rev() {
            (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
        }
        if rest >= wide {
            let mut borrow = 0;
            for (byte, less) in rest.iter_mut().zip(&wide).rev() {
                let difference = i16::from(*byte) - i16::from(*less) - borrow;
                (*byte, borrow) = (difference as u8, i16::from(difference < 0));
            }
            quotient[bit / 8] |= 1 << (7 - bit % 8);
        }
    }
    (quotient, rest[1..].to_vec())
}
