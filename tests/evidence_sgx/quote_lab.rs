//! A made-up Intel: a root, a platform, a quoting enclave, and a node's quote with its endorsements.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use ccf_gov::digest::sha256;

use crate::support::snp_lab::{authority, extension, integer, oid, sequence, tlv};

/// A P-256 key.
pub struct Key(EcdsaKeyPair);

impl Key {
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn spki(&self) -> Vec<u8> {
        AsDer::<PublicKeyX509Der>::as_der(self.0.public_key()).unwrap().as_ref().to_vec()
    }

    /// x ‖ y.
    fn point(&self) -> Vec<u8> {
        self.0.public_key().as_ref()[1..].to_vec()
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

pub const NODE: [u8; 32] = [0x4e; 32];
pub const MRENCLAVE: [u8; 32] = [0xe1; 32];

/// What the lab writes; every field can be made wrong.
#[derive(Clone)]
pub struct Settings {
    pub debug: bool,
    pub qe_attributes: u8,
    pub component: u8,
    pub tcb_status: &'static str,
    pub tcb_version: u8,
    pub fmspc: &'static str,
    pub revoked_pck: Option<u8>,
    pub revoked_root: Option<u8>,
    pub next: &'static str,
    pub crl_issued: &'static str,
    pub crl_next: &'static str,
    /// The root's list and chain where the platform authority's belong.
    pub crl_of_root: bool,
    pub certificate_end: &'static str,
    pub claim: &'static str,
    pub claims_digest: bool,
    pub qe_binds_key: bool,
    pub ca_may_issue: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            debug: false,
            qe_attributes: 0x11,
            component: 5,
            tcb_status: "UpToDate",
            tcb_version: 2,
            fmspc: "00906ED50000",
            revoked_pck: None,
            revoked_root: None,
            next: "2030-01-01T00:00:00Z",
            crl_issued: "240101000000Z",
            crl_next: "300101000000Z",
            crl_of_root: false,
            certificate_end: "490101000000Z",
            claim: "sgx_report_data",
            claims_digest: true,
            qe_binds_key: true,
            ca_may_issue: true,
        }
    }
}

/// Root, platform authority, platform, and signer of documents.
pub struct Lab {
    root: Key,
    authority: Key,
    pck: Key,
    signer: Key,
    attestation: Key,
}

/// What the lab made.
pub struct Made {
    pub quote: Vec<u8>,
    pub endorsements: Vec<u8>,
    pub root: [u8; 32],
}

const ROOT: &str = "Made-up SGX Root CA";
const AUTHORITY: &str = "Made-up SGX PCK CA";
const QE_SIGNER: [u8; 32] = [0x8c; 32];

impl Lab {
    pub fn new() -> Self {
        let key = Key::new;
        Self { root: key(), authority: key(), pck: key(), signer: key(), attestation: key() }
    }

    pub fn make(&self, settings: &Settings) -> Made {
        let issued = |issuer: (&str, &Key), subject: (&str, &Key), serial, extensions: Vec<Vec<u8>>| {
            certificate(issuer, subject, serial, settings.certificate_end, &extensions)
        };
        let ca = if settings.ca_may_issue { authority() } else { Vec::new() };
        let root = issued((ROOT, &self.root), (ROOT, &self.root), 1, authority());
        let pck_ca = issued((ROOT, &self.root), (AUTHORITY, &self.authority), 2, ca);
        let signer = issued((ROOT, &self.root), ("Made-up TCB Signing", &self.signer), 3, Vec::new());
        let pck = issued((AUTHORITY, &self.authority), ("Made-up PCK", &self.pck), 4, vec![platform(settings)]);
        let chain = |all: &[&Vec<u8>]| all.iter().map(|der| encode("CERTIFICATE", der)).collect::<String>();
        let quote = self.quote(settings, chain(&[&pck, &pck_ca, &root]).as_bytes());
        let dates = (settings.crl_issued, settings.crl_next);
        let crl = |issuer: (&str, &Key), revoked| encode("X509 CRL", &crl(issuer, revoked, dates));
        let root_crl = crl((ROOT, &self.root), settings.revoked_root);
        let (pck_crl, crl_chain) = if settings.crl_of_root {
            (root_crl.clone(), chain(&[&root, &root]))
        } else {
            (crl((AUTHORITY, &self.authority), settings.revoked_pck), chain(&[&pck_ca, &root]))
        };
        let sign = |name: &str, body: String| {
            format!(r#"{{"{name}":{body},"signature":"{}"}}"#, hex::encode(self.signer.sign(body.as_bytes())))
        };
        let items = [
            "\u{1}\0\0\0".to_owned(),
            sign("tcbInfo", tcb_info(settings)) + "\0",
            chain(&[&signer, &root]) + "\0",
            pck_crl + "\0",
            root_crl + "\0",
            crl_chain + "\0",
            sign("enclaveIdentity", qe_identity(settings)) + "\0",
            chain(&[&signer, &root]) + "\0",
            "2026-01-01T00:00:00Z\0".to_owned(),
        ];
        let mut offsets = vec![0u32];
        for item in &items[..8] {
            offsets.push(offsets.last().unwrap() + item.len() as u32);
        }
        let data = items.concat();
        let header = [1u32, 2, data.len() as u32 + 36, 9].into_iter().chain(offsets);
        let mut endorsements: Vec<u8> = header.flat_map(u32::to_le_bytes).collect();
        endorsements.extend(data.as_bytes());
        Made { quote, endorsements, root: sha256(&root) }
    }

    fn quote(&self, settings: &Settings, chain: &[u8]) -> Vec<u8> {
        let mut claims: Vec<u8> =
            [1u64, 1, settings.claim.len() as u64 + 1, 32].into_iter().flat_map(u64::to_le_bytes).collect();
        claims.extend([settings.claim.as_bytes(), &[0], &NODE].concat());
        let mut signed = vec![3, 0, 2, 0];
        signed.resize(48, 0);
        signed[12..28].copy_from_slice(&hex::decode("939a7233f79c4ca9940a0db3957f0607").unwrap());
        let digest = if settings.claims_digest { sha256(&claims) } else { [0; 32] };
        let attributes = if settings.debug { 7 } else { 5 };
        signed.extend(report(attributes, MRENCLAVE, [0x51; 32], digest));
        let auth = [7u8; 32];
        let key = self.attestation.point();
        let bound = if settings.qe_binds_key { sha256(&[&key[..], &auth].concat()) } else { [0; 32] };
        let qe = report(settings.qe_attributes, [0x9e; 32], QE_SIGNER, bound);
        let block = [
            &self.attestation.sign(&signed)[..],
            &key,
            &qe,
            &self.pck.sign(&qe),
            &32u16.to_le_bytes(),
            &auth,
            &5u16.to_le_bytes(),
            &(chain.len() as u32 + 1).to_le_bytes(),
            chain,
            &[0],
        ]
        .concat();
        [&signed[..], &(block.len() as u32).to_le_bytes(), &block, &claims].concat()
    }
}

fn report(attributes: u8, mrenclave: [u8; 32], mrsigner: [u8; 32], data: [u8; 32]) -> Vec<u8> {
    let mut report = vec![0; 384];
    report[48] = attributes;
    report[64..96].copy_from_slice(&mrenclave);
    report[128..160].copy_from_slice(&mrsigner);
    report[256] = 1;
    report[258] = 5;
    report[320..352].copy_from_slice(&data);
    report
}

/// Intel's extension.
fn platform(settings: &Settings) -> Vec<u8> {
    let id = |tail: &str| oid(&format!("1.2.840.113741.1.13.1{tail}"));
    let tcb = (1..=16).map(|n| sequence(&[id(&format!(".2.{n}")), integer(&[settings.component])]));
    let tcb: Vec<_> = tcb.chain([sequence(&[id(".2.17"), integer(&[0, 10])])]).collect();
    let fmspc = hex::decode("00906ed50000").unwrap();
    let values = [
        sequence(&[id(".1"), tlv(4, &[0; 16])]),
        sequence(&[id(".2"), sequence(&tcb)]),
        sequence(&[id(".3"), tlv(4, &[0, 0])]),
        sequence(&[id(".4"), tlv(4, &fmspc)]),
    ];
    extension("1.2.840.113741.1.13.1", false, &sequence(&values))
}

fn tcb_info(settings: &Settings) -> String {
    let components: Vec<String> = match settings.tcb_version {
        2 => (1..=16).map(|n| format!(r#""sgxtcbcomp{n:02}svn":4"#)).collect(),
        _ => vec![format!(r#""sgxtcbcomponents":[{}]"#, [r#"{"svn":4}"#; 16].join(","))],
    };
    let id = if settings.tcb_version == 2 { "" } else { r#""id":"SGX","# };
    format!(
        r#"{{{id}"version":{},"issueDate":"2024-01-01T00:00:00Z","nextUpdate":"{}","fmspc":"{}","pceId":"0000","tcbLevels":[{{"tcb":{{{},"pcesvn":10}},"tcbStatus":"{}"}}]}}"#,
        settings.tcb_version,
        settings.next,
        settings.fmspc,
        components.join(","),
        settings.tcb_status
    )
}

fn qe_identity(settings: &Settings) -> String {
    format!(
        r#"{{"id":"QE","version":2,"issueDate":"2024-01-01T00:00:00Z","nextUpdate":"{}","miscselect":"00000000","miscselectMask":"FFFFFFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF0000000000000000","mrsigner":"{}","isvprodid":1,"tcbLevels":[{{"tcb":{{"isvsvn":5}},"tcbStatus":"UpToDate"}}]}}"#,
        settings.next,
        hex::encode(QE_SIGNER)
    )
}

fn name(cn: &str) -> Vec<u8> {
    sequence(&[tlv(0x31, &sequence(&[oid("2.5.4.3"), tlv(0x0c, cn.as_bytes())]))])
}

/// `tbs` with its signature.
fn sealed(tbs: Vec<u8>, key: &Key) -> Vec<u8> {
    let signature = key.sign(&tbs);
    let der = sequence(&[integer(&signature[..32]), integer(&signature[32..])]);
    sequence(&[tbs, ecdsa(), tlv(3, &[&[0][..], &der].concat())])
}

fn ecdsa() -> Vec<u8> {
    sequence(&[oid("1.2.840.10045.4.3.2")])
}

fn certificate(issuer: (&str, &Key), subject: (&str, &Key), serial: u8, end: &str, extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = vec![
        tlv(0xa0, &tlv(2, &[2])),
        tlv(2, &[serial]),
        ecdsa(),
        name(issuer.0),
        sequence(&[tlv(0x17, b"200101000000Z"), tlv(0x17, end.as_bytes())]),
        name(subject.0),
        subject.1.spki(),
    ];
    if !extensions.is_empty() {
        parts.push(tlv(0xa3, &sequence(extensions)));
    }
    sealed(sequence(&parts), issuer.1)
}

fn crl(issuer: (&str, &Key), revoked: Option<u8>, (issued, next): (&str, &str)) -> Vec<u8> {
    let mut parts =
        vec![tlv(2, &[1]), ecdsa(), name(issuer.0), tlv(0x17, issued.as_bytes()), tlv(0x17, next.as_bytes())];
    if let Some(serial) = revoked {
        parts.push(sequence(&[sequence(&[tlv(2, &[serial]), tlv(0x17, b"240101000000Z")])]));
    }
    sealed(sequence(&parts), issuer.1)
}

fn encode(tag: &str, der: &[u8]) -> String {
    pem::encode_config(&pem::Pem::new(tag, der), pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}
