//! A made-up AMD: roots, chips, reports and UVM endorsements with keys of their own, for tests and benches.
//!
//! Nothing here is trusted by the program: its roots are injected through the library's API alone.

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA384, RsaKeyPair};
use std::sync::OnceLock;

pub enum Key {
    Rsa(RsaKeyPair),
    P384(EcdsaKeyPair),
}

impl Key {
    pub fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub fn spki(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => {
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der>::as_der(key.public_key()).unwrap().as_ref().to_vec()
            }
            Self::P384(key) => {
                AsDer::<aws_lc_rs::encoding::PublicKeyX509Der>::as_der(key.public_key()).unwrap().as_ref().to_vec()
            }
        }
    }

    /// RSA-PSS with SHA-384, or fixed-length ECDSA with SHA-384.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA384, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P384(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    fn algorithm(&self) -> Vec<u8> {
        match self {
            Self::Rsa(_) => {
                let sha384 = sequence(&[oid("2.16.840.1.101.3.4.2.2"), tlv(5, &[])]);
                let parameters = sequence(&[
                    tlv(0xa0, &sha384),
                    tlv(0xa1, &sequence(&[oid("1.2.840.113549.1.1.8"), sha384.clone()])),
                    tlv(0xa2, &tlv(2, &[48])),
                    tlv(0xa3, &tlv(2, &[1])),
                ]);
                sequence(&[oid("1.2.840.113549.1.1.10"), parameters])
            }
            Self::P384(_) => sequence(&[oid("1.2.840.10045.4.3.3")]),
        }
    }

    fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let signature = self.sign(message);
        match self {
            Self::Rsa(_) => signature,
            Self::P384(_) => sequence(&[integer(&signature[..48]), integer(&signature[48..])]),
        }
    }
}

pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match contents.len() {
        n @ 0..=0x7f => out.push(n as u8),
        n @ 0x80..=0xff => out.extend([0x81, n as u8]),
        n => out.extend([0x82, (n >> 8) as u8, n as u8]),
    }
    out.extend_from_slice(contents);
    out
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn integer(big_endian: &[u8]) -> Vec<u8> {
    let skip = big_endian.iter().take_while(|&&b| b == 0).count().min(big_endian.len() - 1);
    let mut number = big_endian[skip..].to_vec();
    if number[0] >= 0x80 {
        number.insert(0, 0);
    }
    tlv(2, &number)
}

pub fn oid(text: &str) -> Vec<u8> {
    let arcs: Vec<u64> = text.split('.').map(|n| n.parse().unwrap()).collect();
    let mut contents = Vec::new();
    for arc in [vec![arcs[0] * 40 + arcs[1]], arcs[2..].to_vec()].concat() {
        let mut digits = vec![(arc & 0x7f) as u8];
        let mut rest = arc >> 7;
        while rest > 0 {
            digits.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        contents.extend(digits.into_iter().rev());
    }
    tlv(6, &contents)
}

pub fn extension(id: &str, critical: bool, contents: &[u8]) -> Vec<u8> {
    let mut parts = vec![oid(id)];
    if critical {
        parts.push(tlv(1, &[0xff]));
    }
    parts.push(tlv(4, contents));
    sequence(&parts)
}

/// Basic constraints and key usage of something that may issue certificates.
pub fn authority() -> Vec<Vec<u8>> {
    vec![extension("2.5.29.19", true, &sequence(&[tlv(1, &[0xff])])), extension("2.5.29.15", true, &tlv(3, &[1, 0x06]))]
}

/// `dates` are UTCTime texts, such as `250101000000Z`.
pub fn certificate(
    issuer: (&str, &Key),
    subject: (&str, &Key),
    dates: (&str, &str),
    extensions: &[Vec<u8>],
) -> Vec<u8> {
    let name = |cn: &str| sequence(&[tlv(0x31, &sequence(&[oid("2.5.4.3"), tlv(0x0c, cn.as_bytes())]))]);
    let tbs = sequence(&[
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[1]),
        issuer.1.algorithm(),
        name(issuer.0),
        sequence(&[tlv(0x17, dates.0.as_bytes()), tlv(0x17, dates.1.as_bytes())]),
        name(subject.0),
        subject.1.spki(),
        tlv(0xa3, &sequence(extensions)),
    ]);
    let signature = [&[0][..], &issuer.1.sign_der(&tbs)].concat();
    sequence(&[tbs, issuer.1.algorithm(), tlv(3, &signature)])
}

/// A list of what `issuer` revoked, by serial numbers.
pub fn revocation_list(issuer: (&str, &Key), dates: (&str, &str), serials: &[u8]) -> Vec<u8> {
    let name = sequence(&[tlv(0x31, &sequence(&[oid("2.5.4.3"), tlv(0x0c, issuer.0.as_bytes())]))]);
    let revoked = |serial: &u8| sequence(&[tlv(2, &[*serial]), tlv(0x17, dates.0.as_bytes())]);
    let mut parts = vec![tlv(2, &[1]), issuer.1.algorithm(), name];
    parts.extend([tlv(0x17, dates.0.as_bytes()), tlv(0x17, dates.1.as_bytes())]);
    if !serials.is_empty() {
        parts.push(sequence(&serials.iter().map(revoked).collect::<Vec<_>>()));
    }
    let tbs = sequence(&parts);
    let signature = [&[0][..], &issuer.1.sign_der(&tbs)].concat();
    sequence(&[tbs, issuer.1.algorithm(), tlv(3, &signature)])
}

pub const IN_DATE: (&str, &str) = ("240101000000Z", "490101000000Z");
pub const EXPIRED: (&str, &str) = ("200101000000Z", "210101000000Z");

/// A made-up AMD for Milan, with one chip.
pub struct Lab {
    pub ark: Key,
    pub ask: Key,
    pub vcek: Key,
    pub uvm_root: Key,
    pub uvm_leaf: Key,
}

/// One lab for all tests of a process: making RSA keys takes time.
pub fn lab() -> &'static Lab {
    static LAB: OnceLock<Lab> = OnceLock::new();
    LAB.get_or_init(|| Lab {
        ark: Key::rsa(),
        ask: Key::rsa(),
        vcek: Key::p384(),
        uvm_root: Key::p384(),
        uvm_leaf: Key::p384(),
    })
}

pub const CHIP: [u8; 64] = [0xc5; 64];
pub const TCB: u64 = 0xdb18_0000_0000_0004;

/// What a made-up chip's certificate says.
pub struct Chip {
    pub name: &'static str,
    pub product: &'static str,
    pub dates: (&'static str, &'static str),
    pub tcb: [(u8, u8); 4],
    pub hardware_id: Vec<u8>,
    pub more: Vec<Vec<u8>>,
}

impl Default for Chip {
    fn default() -> Self {
        Self {
            name: "SEV-VCEK",
            product: "Milan-B0",
            dates: IN_DATE,
            tcb: [(1, 4), (2, 0), (3, 0x18), (8, 0xdb)],
            hardware_id: CHIP.to_vec(),
            more: Vec::new(),
        }
    }
}

impl Lab {
    pub fn vcek_certificate(&self, chip: &Chip) -> Vec<u8> {
        let mut extensions = vec![extension("1.3.6.1.4.1.3704.1.2", false, &tlv(0x16, chip.product.as_bytes()))];
        for (arc, value) in chip.tcb {
            extensions.push(extension(&format!("1.3.6.1.4.1.3704.1.3.{arc}"), false, &integer(&[value])));
        }
        extensions.push(extension("1.3.6.1.4.1.3704.1.4", false, &chip.hardware_id));
        extensions.extend(chip.more.iter().cloned());
        certificate(("SEV-Milan", &self.ask), (chip.name, &self.vcek), chip.dates, &extensions)
    }

    pub fn ask_certificate(&self) -> Vec<u8> {
        certificate(("ARK-Milan", &self.ark), ("SEV-Milan", &self.ask), IN_DATE, &authority())
    }

    pub fn ark_certificate(&self) -> Vec<u8> {
        certificate(("ARK-Milan", &self.ark), ("ARK-Milan", &self.ark), IN_DATE, &authority())
    }

    pub fn chain(&self) -> Vec<Vec<u8>> {
        vec![self.vcek_certificate(&Chip::default()), self.ask_certificate(), self.ark_certificate()]
    }

    /// A version 3 report of a Milan, changed by `change` before it is signed.
    pub fn report(&self, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut report = vec![0; 1184];
        report[0] = 3;
        report[0x08..0x10].copy_from_slice(&0x3001f_u64.to_le_bytes());
        report[0x34] = 1;
        report[0x38..0x40].copy_from_slice(&TCB.to_le_bytes());
        report[0x50..0x70].fill(0x11);
        report[0x90..0xc0].fill(0x22);
        report[0xc0..0xe0].fill(0x33);
        report[0x180..0x188].copy_from_slice(&TCB.to_le_bytes());
        report[0x188..0x18b].copy_from_slice(&[0x19, 1, 1]);
        report[0x1a0..0x1e0].copy_from_slice(&CHIP);
        report[0x1e0..0x1e8].copy_from_slice(&TCB.to_le_bytes());
        report[0x1f0..0x1f8].copy_from_slice(&TCB.to_le_bytes());
        change(&mut report);
        let signature = self.vcek.sign(&report[..0x2a0]);
        for (half, at) in signature.chunks(48).zip([0x2a0, 0x2a0 + 72]) {
            report[at..at + 48].copy_from_slice(half);
            report[at..at + 48].reverse();
        }
        report
    }

    /// The chain of the made-up endorser, leaf first, its leaf's EKU being 1.3.6.1.4.1.311.76.59.1.2.
    pub fn uvm_chain(&self, dates: (&str, &str)) -> Vec<Vec<u8>> {
        let eku = extension("2.5.29.37", false, &sequence(&[oid("1.3.6.1.4.1.311.76.59.1.2")]));
        vec![
            certificate(("Endorser CA", &self.uvm_root), ("Endorser", &self.uvm_leaf), dates, &[eku]),
            certificate(("Endorser CA", &self.uvm_root), ("Endorser CA", &self.uvm_root), dates, &authority()),
        ]
    }

    pub fn uvm_did(&self, sha256_of_root: &str) -> String {
        format!("did:x509:0:sha256:{sha256_of_root}::eku:1.3.6.1.4.1.311.76.59.1.2")
    }

    /// A UVM endorsement of these protected header entries (CBOR, key and value each) and payload.
    pub fn cose(&self, headers: &[Vec<u8>], payload: &[u8]) -> Vec<u8> {
        let protected = [head(5, headers.len() as u64 / 2), headers.concat()].concat();
        let signed = [head(4, 4), text("Signature1"), bytes(&protected), bytes(&[]), bytes(payload)].concat();
        let signature = self.uvm_leaf.sign(&signed);
        [vec![0xd2], head(4, 4), bytes(&protected), head(5, 0), bytes(payload), bytes(&signature)].concat()
    }

    /// A legacy endorsement of `payload` (JSON).
    pub fn uvm_legacy(&self, did: &str, feed: &str, chain: &[Vec<u8>], payload: &str) -> Vec<u8> {
        self.cose(
            &[
                head(0, 1),
                head(1, 34), // ES384 = -35
                head(0, 3),
                text("application/json"),
                head(0, 33),
                [vec![head(4, chain.len() as u64)], chain.iter().map(|c| bytes(c)).collect()].concat().concat(),
                text("iss"),
                text(did),
                text("feed"),
                text(feed),
                text("signingtime"),
                [head(6, 1), head(0, 1_700_000_000)].concat(),
            ],
            payload.as_bytes(),
        )
    }

    /// An endorsement with CWT claims of the raw measurement.
    pub fn uvm_cwt(&self, did: &str, feed: &str, svn: u64, chain: &[Vec<u8>], measurement: &[u8]) -> Vec<u8> {
        self.uvm_hash_envelope(did, feed, svn, chain, measurement, "application/octet-stream", 1_790_000_000)
    }

    #[allow(clippy::too_many_arguments)]
    pub fn uvm_hash_envelope(
        &self,
        did: &str,
        feed: &str,
        svn: u64,
        chain: &[Vec<u8>],
        measurement: &[u8],
        content_type: &str,
        signed_at: u64,
    ) -> Vec<u8> {
        let claims = [head(5, 4), head(0, 1), text(did), head(0, 2), text(feed), head(0, 6), head(0, signed_at)];
        let claims = [claims.concat(), text("svn"), head(0, svn)].concat();
        self.cose(
            &[
                head(0, 1),
                head(1, 34),
                head(0, 15),
                claims,
                head(0, 33),
                [vec![head(4, chain.len() as u64)], chain.iter().map(|c| bytes(c)).collect()].concat().concat(),
                head(0, 259),
                text(content_type),
            ],
            measurement,
        )
    }
}

pub fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    match argument {
        0..=23 => vec![major << 5 | bytes[7]],
        24..=0xff => vec![major << 5 | 24, bytes[7]],
        0x100..=0xffff => [&[major << 5 | 25], &bytes[6..]].concat(),
        _ => [&[major << 5 | 27], &bytes[..]].concat(),
    }
}

pub fn text(text: &str) -> Vec<u8> {
    [&head(3, text.len() as u64)[..], text.as_bytes()].concat()
}

pub fn bytes(bytes: &[u8]) -> Vec<u8> {
    [&head(2, bytes.len() as u64)[..], bytes].concat()
}

/// A made-up OVMF: pages of a pattern, and at the end its tables with these sections (gpa, size, kind).
pub fn ovmf(pages: usize, reset_eip: u32, hashes_table: Option<u32>, sections: &[(u32, u32, u32)]) -> Vec<u8> {
    let mut file: Vec<u8> = (0..pages * 4096).map(|n| (n / 4096 * 31 + n % 251) as u8).collect();
    let end = file.len();
    let mut metadata = b"ASEV".to_vec();
    for number in [16 + 12 * sections.len() as u32, 1, sections.len() as u32] {
        metadata.extend_from_slice(&number.to_le_bytes());
    }
    for (gpa, size, kind) in sections {
        metadata.extend([*gpa, *size, *kind].into_iter().flat_map(u32::to_le_bytes));
    }
    let metadata_at = end - 2048;
    file[metadata_at..metadata_at + metadata.len()].copy_from_slice(&metadata);

    let entry = |data: &[u8], guid: [u8; 16]| [data, &((data.len() + 18) as u16).to_le_bytes(), &guid].concat();
    let mut table = Vec::new();
    if let Some(gpa) = hashes_table {
        let data = [gpa.to_le_bytes(), 0x400_u32.to_le_bytes()].concat();
        table.extend(entry(&data, *b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54"));
    }
    table.extend(entry(&reset_eip.to_le_bytes(), *b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e"));
    table.extend(entry(&2048_u32.to_le_bytes(), *b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc"));
    let length = table.len() as u16 + 18;
    table.extend_from_slice(&length.to_le_bytes());
    table.extend_from_slice(b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d");
    let at = end - 32 - table.len();
    file[at..end - 32].copy_from_slice(&table);
    file
}

/// Sections as OVMF's AmdSev build has them: every kind once or more.
pub const SECTIONS: [(u32, u32, u32); 6] = [
    (0x80_0000, 0x9000, 1),
    (0x80_a000, 0x3000, 1),
    (0x80_d000, 0x1000, 2),
    (0x80_e000, 0x1000, 3),
    (0x80_f000, 0x1000, 4),
    (0x81_0000, 0x1000, 0x10),
];
