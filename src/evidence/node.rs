//! A node's attestation, of whatever platform: put together from files, and verified.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::check::Checks;
use super::sgx::attestation as sgx;
use super::sgx::quote::Evidence as SgxEvidence;
use super::snp::attestation as snp;
use super::snp::endorsements::{Endorsements, Roots};
use super::snp::report::{REPORT_LENGTH, Report};
use super::snp::tcb::TcbVersion;
use super::snp::uvm::UvmEndorsement;
use super::snp::version::CcfVersion;
use super::virt;
use crate::digest::{HexError, HostData, MrEnclave, MrSigner, SnpMeasurement};
use crate::id::NodeId;
use crate::json;

/// The largest file that is read as part of an attestation: 4 MiB.
pub const MAX_FILE: u64 = 4 << 20;

/// A part of an attestation.
#[derive(Clone, Debug)]
enum Piece {
    SnpReport(Box<Report>),
    SnpEndorsements(Endorsements),
    Uvm(Box<UvmEndorsement>),
    EndorsedTcb(TcbVersion),
    SgxQuote(Vec<u8>),
    SgxEndorsements(Vec<u8>),
    Virtual(virt::Attestation),
}

/// An attestation's parts, whatever of them there is.
#[derive(Clone, Debug, Default)]
pub struct Attestation {
    report: Option<Box<Report>>,
    endorsements: Option<Endorsements>,
    uvm: Option<Box<UvmEndorsement>>,
    endorsed_tcb: Option<TcbVersion>,
    quote: Option<Vec<u8>>,
    sgx_endorsements: Option<Vec<u8>>,
    claim: Option<virt::Attestation>,
}

/// Why files make no attestation.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file of another kind.
    #[error(
        "this is no part of an attestation: neither an SNP report (1184 bytes), nor its certificates, nor a UVM \
         endorsement, nor an SGX quote, nor its endorsements, nor a virtual attestation"
    )]
    Unknown,
    /// Two of one kind.
    #[error("there is a second {0}; give the files of one node only")]
    Twice(&'static str),
    /// Parts of several platforms, or none that says anything.
    #[error("{0}")]
    Incomplete(&'static str),
    /// What is expected cannot be this platform's.
    #[error("the expected measurement is none of this platform's")]
    Measurement(#[source] HexError),
    /// A quote that cannot be read.
    #[error(transparent)]
    Quote(#[from] super::sgx::quote::QuoteError),
}

/// What the attestation should say; what is absent is not compared.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// The node.
    pub node_id: Option<NodeId>,
    /// The measurement, as text: hexadecimal, or the virtual platform's constant.
    pub measurement: Option<String>,
    /// The host data.
    pub host_data: Option<HostData>,
    /// SNP: the least TCB.
    pub minimum_tcb: Option<TcbVersion>,
    /// SGX: the signer.
    pub mrsigner: Option<MrSigner>,
    /// SGX: the product number.
    pub isvprodid: Option<u16>,
    /// SGX: the least security version.
    pub minimum_isvsvn: Option<u16>,
    /// The version of CCF that the service runs.
    pub ccf: Option<CcfVersion>,
    /// SNP: the service's join policy.
    pub policy: Option<snp::JoinPolicy>,
}

/// Whose roots count, and when.
#[derive(Clone, Debug)]
pub struct Trust {
    /// AMD's.
    pub amd: Roots,
    /// Intel's, and the moment for which everything is judged.
    pub intel: sgx::Trust,
}

impl Trust {
    /// The pinned roots of AMD and Intel, at this moment.
    pub fn pinned(at: OffsetDateTime) -> Self {
        Self { amd: Roots::amd(), intel: sgx::Trust::intel(at) }
    }
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `snp`, `sgx` or `virtual`.
    pub platform: &'static str,
    /// The node that it is about, if it names one.
    pub node_id: Option<NodeId>,
    /// The measurement as text.
    pub measurement: String,
    /// The host data, where the platform has them.
    pub host_data: Option<HostData>,
    /// Further values, for JSON output and for people.
    pub values: Map<String, Value>,
    /// Every rule with its verdict.
    pub checks: Checks,
}

impl Attestation {
    /// Adds a file: a part of an attestation, raw, hexadecimal or base64, or JSON of the service with several.
    ///
    /// # Errors
    /// [`NodeError`]
    pub fn add(&mut self, file: &[u8]) -> Result<(), NodeError> {
        let pieces = pieces(file, 0);
        if pieces.is_empty() {
            return Err(NodeError::Unknown);
        }
        pieces.into_iter().try_for_each(|piece| self.place(piece))
    }

    fn place(&mut self, piece: Piece) -> Result<(), NodeError> {
        fn put<T>(place: &mut Option<T>, what: &'static str, value: T) -> Result<(), NodeError> {
            if place.is_some() {
                return Err(NodeError::Twice(what));
            }
            *place = Some(value);
            Ok(())
        }
        match piece {
            Piece::SnpReport(report) => put(&mut self.report, "SNP report", report),
            Piece::SnpEndorsements(chain) => put(&mut self.endorsements, "chain of AMD certificates", chain),
            Piece::Uvm(uvm) => put(&mut self.uvm, "UVM endorsement", uvm),
            Piece::EndorsedTcb(tcb) => put(&mut self.endorsed_tcb, "endorsed TCB", tcb),
            Piece::SgxQuote(quote) => put(&mut self.quote, "SGX quote", quote),
            Piece::SgxEndorsements(bytes) => put(&mut self.sgx_endorsements, "set of SGX endorsements", bytes),
            Piece::Virtual(claim) => put(&mut self.claim, "virtual attestation", claim),
        }
    }

    /// Verifies it.
    ///
    /// # Errors
    /// [`NodeError`]: there is nothing to verify. A rule that does not hold is told by the outcome's checks.
    pub fn verify(&self, expected: &Expected, trust: &Trust) -> Result<Outcome, NodeError> {
        match (&self.report, &self.quote, &self.claim) {
            (Some(report), None, None) => self.verify_snp(report, expected, trust),
            (None, Some(quote), None) => self.verify_sgx(quote, expected, trust),
            (None, None, Some(claim)) => verify_virtual(claim, expected),
            (None, None, None) => {
                Err(NodeError::Incomplete("there is no report, quote or virtual attestation among the files"))
            }
            _ => Err(NodeError::Incomplete("the files are of several platforms; give those of one node only")),
        }
    }

    fn verify_snp(&self, report: &Report, expected: &Expected, trust: &Trust) -> Result<Outcome, NodeError> {
        let measurement = expected.measurement.as_deref().map(str::parse::<SnpMeasurement>).transpose();
        let wanted = snp::Expected {
            ccf: expected.ccf,
            measurement: measurement.map_err(NodeError::Measurement)?,
            host_data: expected.host_data,
            node_id: expected.node_id,
            minimum_tcb: expected.minimum_tcb,
            policy: expected.policy.clone(),
        };
        let evidence = snp::Evidence {
            report,
            endorsements: self.endorsements.as_ref(),
            uvm: self.uvm.as_deref(),
            endorsed_tcb: self.endorsed_tcb,
        };
        let (checks, values) = snp::verify(&evidence, &wanted, &trust.amd, trust.intel.at);
        let mut map = match json!(values) {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        if let Some(uvm) = &self.uvm {
            let uvm = json!({"did": uvm.did, "feed": uvm.feed, "svn": uvm.svn, "measurement": uvm.measurement});
            map.insert("uvm".into(), uvm);
        }
        Ok(Outcome {
            platform: "snp",
            node_id: Some(values.node_id),
            measurement: values.measurement.to_string(),
            host_data: Some(values.host_data),
            values: map,
            checks,
        })
    }

    fn verify_sgx(&self, quote: &[u8], expected: &Expected, trust: &Trust) -> Result<Outcome, NodeError> {
        let evidence = SgxEvidence::parse(quote)?;
        let measurement = expected.measurement.as_deref().map(str::parse::<MrEnclave>).transpose();
        let wanted = sgx::Expected {
            node_id: expected.node_id,
            mrenclave: measurement.map_err(NodeError::Measurement)?.into_iter().collect(),
            mrsigner: expected.mrsigner,
            isvprodid: expected.isvprodid,
            minimum_isvsvn: expected.minimum_isvsvn,
        };
        let checks = sgx::verify(&evidence, self.sgx_endorsements.as_deref(), &wanted, &trust.intel);
        let report = &evidence.report;
        let values = json!({
            "mrenclave": report.mrenclave, "mrsigner": report.mrsigner, "isvprodid": report.isvprodid,
            "isvsvn": report.isvsvn, "debug": report.debug(),
        });
        Ok(Outcome {
            platform: "sgx",
            node_id: evidence.node_id(),
            measurement: report.mrenclave.to_string(),
            host_data: None,
            values: values.as_object().cloned().unwrap_or_default(),
            checks,
        })
    }
}

fn verify_virtual(claim: &virt::Attestation, expected: &Expected) -> Result<Outcome, NodeError> {
    let wanted = virt::Expected {
        host_data: expected.host_data.into_iter().collect(),
        measurement: expected.measurement.clone().into_iter().collect(),
        node_id: expected.node_id,
    };
    Ok(Outcome {
        platform: "virtual",
        node_id: Some(claim.node_id),
        measurement: claim.measurement.clone(),
        host_data: Some(claim.host_data),
        values: Map::new(),
        checks: virt::verify(claim, &wanted),
    })
}

/// What parts of an attestation a file holds, by their names in this module's errors.
pub fn parts(file: &[u8]) -> Vec<Part> {
    let part = |piece: Piece| match piece {
        Piece::SnpReport(report) => Some(Part::SnpReport(report)),
        Piece::SnpEndorsements(_) => Some(Part::SnpEndorsements),
        Piece::Uvm(uvm) => Some(Part::Uvm(uvm)),
        _ => None,
    };
    pieces(file, 0).into_iter().filter_map(part).collect()
}

/// A part of an SNP attestation, as evidence for a proposal.
#[derive(Clone, Debug)]
pub enum Part {
    /// A report.
    SnpReport(Box<Report>),
    /// The certificates that endorse one.
    SnpEndorsements,
    /// A UVM endorsement.
    Uvm(Box<UvmEndorsement>),
}

/// The parts that a file holds: as it is, out of JSON, out of base64, out of hexadecimal.
fn pieces(file: &[u8], depth: u8) -> Vec<Piece> {
    if let Some(piece) = piece(file) {
        return vec![piece];
    }
    let text = file.trim_ascii();
    if text.starts_with(b"{") && depth < 3 {
        return json::parse(text).map(|value| service_pieces(&value, depth)).unwrap_or_default();
    }
    let decoded = STANDARD.decode(text).ok().into_iter().chain(hex::decode(text).ok());
    decoded
        .filter(|bytes| depth < 3 && !bytes.is_empty())
        .map(|bytes| pieces(&bytes, depth + 1))
        .find(|p| !p.is_empty())
        .unwrap_or_default()
}

fn piece(bytes: &[u8]) -> Option<Piece> {
    if bytes.len() == REPORT_LENGTH
        && let Ok(report) = Report::parse(bytes)
    {
        return Some(Piece::SnpReport(Box::new(report)));
    }
    if bytes.starts_with(&[3, 0, 2, 0]) {
        return Some(Piece::SgxQuote(bytes.to_vec()));
    }
    if bytes.starts_with(&[1, 0, 0, 0, 2, 0, 0, 0]) {
        return Some(Piece::SgxEndorsements(bytes.to_vec()));
    }
    if let Ok(claim) = virt::Attestation::parse(bytes) {
        return Some(Piece::Virtual(claim));
    }
    if let Ok(endorsements) = Endorsements::parse(bytes) {
        return Some(Piece::SnpEndorsements(endorsements));
    }
    UvmEndorsement::parse(bytes).ok().map(|uvm| Piece::Uvm(Box::new(uvm)))
}

/// The parts in what a service or its ledger says of a node.
fn service_pieces(value: &Value, depth: u8) -> Vec<Piece> {
    let mut found = Vec::new();
    for (name, inner) in value.as_object().into_iter().flatten() {
        match (name.as_str(), inner) {
            ("quote_info" | "quoteInfo", inner) => found.extend(service_pieces(inner, depth + 1)),
            (
                "raw" | "quote" | "rawQuote" | "endorsements" | "uvm_endorsements" | "uvmEndorsements",
                Value::String(text),
            ) => found.extend(pieces(text.as_bytes(), depth + 1)),
            ("endorsed_tcb" | "endorsedTcb", Value::String(text)) => {
                found.extend(TcbVersion::from_hex(text).map(Piece::EndorsedTcb));
            }
            _ => {}
        }
    }
    found
}
