//! What files hold of an attestation: raw, in hexadecimal or base64, or in JSON that a service or its ledger gave.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use super::{NodeError, foreign, ghcb};
use crate::certificate;
use crate::evidence::RevocationList;
use crate::evidence::snp::uvm::UvmEndorsement;
use crate::evidence::snp::{Endorsements, REPORT_LENGTH, Report};
use crate::evidence::virt;
use crate::id::NodeId;
use crate::json;
use crate::tcb::TcbVersion;

/// How often something may be wrapped in something else.
const MAX_DEPTH: u8 = 8;

/// Base64 as tokens and requests to attestation services have it.
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What an SGX quote of version 3 with an ECDSA key begins with.
const QUOTE: [u8; 4] = [3, 0, 2, 0];

/// What Open Enclave's containers begin with: version 1, and type 2, which is SGX.
const OPEN_ENCLAVE: [u8; 8] = [1, 0, 0, 0, 2, 0, 0, 0];

/// Members that hold other ones, or a list of nodes.
const HOLDERS: [&str; 8] =
    ["quote_info", "quoteInfo", "attestations", "quotes", "value", "report", "attestation", "snpCACI"];

/// Members that hold a part as text, in any form in which it may be a file.
const TEXTS: [&str; 17] = [
    // Services, their ledgers, and applications that take what a node shows: `endorsed_tcb` is beside them.
    "raw",
    "quote",
    "rawQuote",
    "evidence",
    "endorsements",
    "uvm_endorsements",
    "uvmEndorsements",
    // The attestation sidecar.
    "report",
    "combined_report",
    // Clean rooms; `uvmEndorsements` is the third.
    "attestation",
    "platformCertificates",
    // What Linux gives under /sys/kernel/config/tsm, in JSON.
    "outblob",
    "auxblob",
    // Requests to Microsoft Azure Attestation.
    "SnpReport",
    "VcekCertChain",
    "Endorsements",
    "Uvm",
];

/// A part of an attestation.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    SnpReport(Box<Report>),
    SnpEndorsements(Endorsements),
    Uvm(Box<UvmEndorsement>),
    EndorsedTcb(TcbVersion),
    Revocations(Vec<RevocationList>),
    SgxQuote(Vec<u8>),
    SgxEndorsements(Vec<u8>),
    Virtual(virt::Attestation),
    /// The format that a service says the quote has.
    Format(String),
    /// Whose attestation a service says that the other parts are.
    Node(NodeId),
}

/// The parts that a file holds; none if it is nothing of the kind. Of a list of nodes, the one that is asked for.
pub(super) fn pieces(file: &[u8], node: Option<NodeId>) -> Result<Vec<Piece>, NodeError> {
    pieces_at(file, node, 0)
}

fn pieces_at(file: &[u8], node: Option<NodeId>, depth: u8) -> Result<Vec<Piece>, NodeError> {
    if let Some(piece) = piece(file)? {
        return Ok(vec![piece]);
    }
    let text = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file).trim_ascii();
    if text.is_empty() || depth == MAX_DEPTH {
        return Ok(Vec::new());
    }
    if text.len() < file.len()
        && let Some(piece) = piece(text)?
    {
        return Ok(vec![piece]);
    }
    if matches!(text[0], b'{' | b'[') {
        let value = json::parse(text).map_err(|e| damaged("JSON", e))?;
        let has = |name| value.get(name).is_some();
        if has("vcekCert") {
            let certificates = Endorsements::parse(text).map_err(|e| damaged("set of AMD certificates", e))?;
            return Ok(vec![Piece::SnpEndorsements(certificates)]);
        }
        if has("host_data") && has("report_data") {
            let claim = virt::Attestation::parse(text).map_err(|e| damaged("virtual attestation", e))?;
            return Ok(vec![Piece::Virtual(claim)]);
        }
        if has("tcb_info") && has("qe_identity") {
            return Err(NodeError::Foreign(foreign::INTEL_COLLATERAL));
        }
        return service_pieces(&value, node, depth);
    }
    let bare: Vec<u8> = text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect();
    // Hexadecimal first: its digits are base64's too, which would make other bytes of them.
    let decodings = [hex::decode(&bare).ok(), STANDARD.decode(&bare).ok().or_else(|| URL_SAFE.decode(&bare).ok())];
    for decoded in decodings.into_iter().flatten() {
        let found = pieces_at(&decoded, node, depth + 1)?;
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// The one part that bytes are; an error if they are one of a kind, and damaged.
fn piece(bytes: &[u8]) -> Result<Option<Piece>, NodeError> {
    if bytes.starts_with(&QUOTE) {
        return Ok(Some(Piece::SgxQuote(bytes.to_vec())));
    }
    // Before reports: where those name their signature algorithm, endorsements have their first item's version.
    if bytes.starts_with(&OPEN_ENCLAVE) {
        // An Open Enclave report is a quote with its length before it; endorsements have a number of items there.
        let inside = bytes.get(16..).unwrap_or_default();
        return match foreign::kind(inside) {
            Some(kind) => Err(NodeError::Foreign(kind)),
            None if inside.starts_with(&QUOTE) => Ok(Some(Piece::SgxQuote(inside.to_vec()))),
            None => Ok(Some(Piece::SgxEndorsements(bytes.to_vec()))),
        };
    }
    if looks_like_report(bytes) {
        let report = Report::parse(bytes).map_err(|e| damaged("SNP report", e))?;
        return Ok(Some(Piece::SnpReport(Box::new(report))));
    }
    if let Some(kind) = foreign::kind(bytes) {
        return Err(NodeError::Foreign(kind));
    }
    if let Some(table) = ghcb::certificates(bytes) {
        let certificates = table.map_err(|why| NodeError::Damaged { what: "certificate table", why })?;
        return Ok(Some(Piece::SnpEndorsements(Endorsements::new(certificates, None))));
    }
    if let Ok(claim) = virt::Attestation::parse(bytes) {
        return Ok(Some(Piece::Virtual(claim)));
    }
    let is_pem = certificate::is_pem(bytes, "");
    if certificate::is_pem(bytes, "X509 CRL") || (bytes.first() == Some(&0x30) && certificate::parse(bytes).is_err()) {
        match RevocationList::all(bytes) {
            Ok(lists) => return Ok(Some(Piece::Revocations(lists))),
            Err(e) if is_pem => return Err(damaged("PEM file", e)),
            Err(_) => {}
        }
    }
    if bytes.first() == Some(&0x30) && certificate::parse(bytes).is_ok() {
        return Ok(Some(Piece::SnpEndorsements(Endorsements::new(vec![bytes.to_vec()], None))));
    }
    match Endorsements::parse(bytes) {
        Ok(endorsements) => return Ok(Some(Piece::SnpEndorsements(endorsements))),
        Err(e) if is_pem => return Err(damaged("PEM file", e)),
        Err(_) => {}
    }
    match UvmEndorsement::parse(bytes) {
        Ok(uvm) => Ok(Some(Piece::Uvm(Box::new(uvm)))),
        // A tagged COSE_Sign1.
        Err(e) if bytes.starts_with(&[0xd2, 0x84]) => Err(damaged("UVM endorsement", e)),
        Err(_) => Ok(None),
    }
}

/// Whether bytes begin as a report does: a small version, and the one signature algorithm. Their length may be wrong.
fn looks_like_report(bytes: &[u8]) -> bool {
    let begins = matches!(bytes.first_chunk(), Some([1..=15, 0, 0, 0]));
    let algorithm = bytes.get(0x34..0x38) == Some(&[1, 0, 0, 0]);
    (begins && algorithm && (0x2a0..=8 * REPORT_LENGTH).contains(&bytes.len()))
        || bytes.len() == REPORT_LENGTH && begins
}

/// The parts in what a service or its ledger says of one node, or of the node that is asked for among several.
fn service_pieces(value: &Value, node: Option<NodeId>, depth: u8) -> Result<Vec<Piece>, NodeError> {
    let mut found = Vec::new();
    if let Value::Array(list) = value {
        return service_pieces(one_of(list, node)?, node, depth);
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match (name.as_str(), inner) {
            // What is empty is not there.
            (_, Value::Null) => {}
            (_, Value::String(text)) if text.is_empty() => {}
            ("snpCvm", _) => return Err(NodeError::Foreign(foreign::VIRTUAL_MACHINE)),
            // Requests have a list of endorsements.
            ("Uvm", Value::Array(list)) => {
                for inner in list {
                    found.extend(text_pieces(name, inner.as_str().unwrap_or_default(), node, depth)?);
                }
            }
            (name, Value::Object(_) | Value::Array(_)) if HOLDERS.contains(&name) && depth < MAX_DEPTH => {
                found.extend(service_pieces(inner, node, depth + 1)?);
            }
            (name, Value::String(text)) if TEXTS.contains(&name) => {
                found.extend(text_pieces(name, text, node, depth)?);
            }
            ("endorsed_tcb" | "endorsedTcb", Value::String(text)) => {
                // The governance API writes the bytes of the digits, in their order, as base64.
                let bytes = || STANDARD.decode(text).ok()?.try_into().ok().map(u64::from_be_bytes).map(TcbVersion);
                let tcb = TcbVersion::from_hex(text).or_else(|| if name == "endorsedTcb" { bytes() } else { None });
                let tcb = tcb.ok_or_else(|| NodeError::Member(name.clone()))?;
                found.push(Piece::EndorsedTcb(tcb));
            }
            ("endorsed_tcb" | "endorsedTcb", _) => return Err(NodeError::Member(name.to_owned())),
            ("value", _) => {}
            (name, _) if HOLDERS.contains(&name) || TEXTS.contains(&name) => {
                return Err(NodeError::Member(name.to_owned()));
            }
            _ => {}
        }
    }
    if let (false, Some(Value::String(format))) = (found.is_empty(), value.get("format")) {
        found.push(Piece::Format(format.clone()));
    }
    if !found.is_empty()
        && let Some(id) = value.get("node_id").or(value.get("nodeId"))
    {
        let id = id.as_str().and_then(|id| id.parse().ok()).ok_or_else(|| NodeError::Member("node_id".into()))?;
        found.push(Piece::Node(id));
    }
    Ok(found)
}

/// The parts in a text that a member has.
fn text_pieces(name: &str, text: &str, node: Option<NodeId>, depth: u8) -> Result<Vec<Piece>, NodeError> {
    let inside = pieces_at(text.as_bytes(), node, depth + 1)?;
    if inside.is_empty() { Err(NodeError::Member(name.to_owned())) } else { Ok(inside) }
}

/// The entry about `node`, or the only one.
fn one_of(list: &[Value], node: Option<NodeId>) -> Result<&Value, NodeError> {
    let id = |entry: &Value| {
        let id = entry.get("node_id").or(entry.get("nodeId")).and_then(Value::as_str);
        id.and_then(|id| id.parse::<NodeId>().ok())
    };
    match (list, node) {
        ([only], None) => Ok(only),
        ([], _) => Err(NodeError::Nobody),
        (_, Some(_)) => list.iter().find(|entry| id(entry) == node).ok_or(NodeError::NotListed),
        _ => Err(NodeError::Several),
    }
}

fn damaged(what: &'static str, error: impl std::error::Error) -> NodeError {
    let mut why = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        why += &format!(": {cause}");
        source = cause.source();
    }
    NodeError::Damaged { what, why }
}
