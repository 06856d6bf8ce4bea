//! A node's attestation, of whatever platform: put together from files, and verified.

mod foreign;
mod pieces;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use self::pieces::{Piece, pieces};
use super::check::Checks;
use super::revocation::RevocationList;
use super::sgx::attestation as sgx;
use super::sgx::quote::Evidence as SgxEvidence;
use super::snp::attestation as snp;
use super::snp::endorsements::{Endorsements, Roots};
use super::snp::join_policy::JoinPolicy;
use super::snp::report::Report;
use super::snp::tcb::TcbVersion;
use super::snp::uvm::UvmEndorsement;
use super::snp::version::CcfVersion;
use super::virt;
use crate::digest::{HexError, HostData, MrEnclave, MrSigner, SnpMeasurement};
use crate::id::NodeId;

/// The largest file that is read as part of an attestation: 4 MiB.
pub const MAX_FILE: u64 = 4 << 20;

/// How many revocation lists are taken: AMD has one for each of its products.
const MAX_LISTS: usize = 8;

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
    revocations: Vec<RevocationList>,
    node: Option<NodeId>,
}

/// Why files make no attestation.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// A file of another kind.
    #[error(
        "this is no part of an attestation: neither an SNP report (1184 bytes), nor its certificates, nor a UVM \
         endorsement, nor an SGX quote, nor its endorsements, nor a virtual attestation, nor a revocation list"
    )]
    Unknown,
    /// Evidence of a kind that CCF has no use for.
    #[error("this is {0}")]
    Foreign(&'static str),
    /// Something that it should be, and is not whole, or of a form that is not known.
    #[error("the {what} in it can't be read: {why}")]
    Damaged {
        /// What it should be.
        what: &'static str,
        /// Why it cannot be read.
        why: String,
    },
    /// A member of the service's JSON that holds no part of an attestation.
    #[error("its member {0} holds no part of an attestation")]
    Member(String),
    /// A list of no nodes.
    #[error("its list of attestations is empty")]
    Nobody,
    /// Files about different nodes.
    #[error("it is about node {0}, and {1} is the one that is asked for, or that another file is about")]
    OtherNode(NodeId, NodeId),
    /// A list of nodes, and none is asked for.
    #[error("it is about several nodes: say which one is meant")]
    Several,
    /// A list of other nodes.
    #[error("it is about other nodes than the one that is asked for")]
    NotListed,
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
    pub policy: Option<JoinPolicy>,
}

impl Expected {
    /// Fails what is expected of an attestation that can't have it: nothing that somebody asks for is passed over.
    fn beyond(&self, of: &str, names: &[&'static str], checks: &mut Checks) {
        let all = [
            ("host-data", self.host_data.is_some()),
            ("minimum-tcb", self.minimum_tcb.is_some()),
            ("mrsigner", self.mrsigner.is_some()),
            ("isvprodid", self.isvprodid.is_some()),
            ("isvsvn", self.minimum_isvsvn.is_some()),
        ];
        for (name, _) in all.into_iter().filter(|(name, asked)| *asked && names.contains(name)) {
            checks.fail(name, format!("it is expected, and {of} has none"));
        }
    }
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
    /// One that is to be put together, about `node` if that is known: of files that list several, its part is taken.
    pub fn of(node: Option<NodeId>) -> Self {
        Self { node, ..Self::default() }
    }

    /// Adds a file: a part of an attestation, raw, hexadecimal or base64, or JSON of the service with several.
    ///
    /// # Errors
    /// [`NodeError`]
    pub fn add(&mut self, file: &[u8]) -> Result<(), NodeError> {
        let pieces = pieces(file, self.node)?;
        if pieces.is_empty() {
            return Err(NodeError::Unknown);
        }
        pieces.into_iter().try_for_each(|piece| self.place(piece))
    }

    /// Adds of a file only what is not there yet.
    ///
    /// # Errors
    /// [`NodeError`]
    pub fn complete(&mut self, file: &[u8]) -> Result<(), NodeError> {
        let had = self.endorsements.is_some();
        for piece in pieces(file, self.node)? {
            // A chain that is there is whole, or its giver's mistake: certificates of others don't mend it.
            if had && matches!(piece, Piece::SnpEndorsements(_)) {
                continue;
            }
            match self.place(piece) {
                Ok(()) | Err(NodeError::Twice(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
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
            Piece::SnpEndorsements(chain) => {
                let joined = match self.endorsements.take() {
                    None => chain,
                    Some(first) => match first.joined(&chain) {
                        Some(joined) => joined,
                        None => {
                            self.endorsements = Some(first);
                            return Err(NodeError::Twice("chain of AMD certificates"));
                        }
                    },
                };
                put(&mut self.endorsements, "chain of AMD certificates", joined)
            }
            Piece::Uvm(uvm) => put(&mut self.uvm, "UVM endorsement", uvm),
            Piece::EndorsedTcb(tcb) => put(&mut self.endorsed_tcb, "endorsed TCB", tcb),
            Piece::Revocations(list) if self.revocations.len() < MAX_LISTS => {
                self.revocations.push(list);
                Ok(())
            }
            Piece::Revocations(_) => Err(NodeError::Twice("set of revocation lists")),
            Piece::SgxQuote(quote) => put(&mut self.quote, "SGX quote", quote),
            Piece::SgxEndorsements(bytes) => put(&mut self.sgx_endorsements, "set of SGX endorsements", bytes),
            Piece::Virtual(claim) => put(&mut self.claim, "virtual attestation", claim),
            Piece::Node(id) => match self.node.replace(id) {
                Some(other) if other != id => Err(NodeError::OtherNode(id, other)),
                _ => Ok(()),
            },
        }
    }

    /// Verifies it.
    ///
    /// # Errors
    /// [`NodeError`]: there is nothing to verify. A rule that does not hold is told by the outcome's checks.
    pub fn verify(&self, expected: &Expected, trust: &Trust) -> Result<Outcome, NodeError> {
        // What a service says whose attestation it is must be true as well.
        let expected = &Expected { node_id: expected.node_id.or(self.node), ..expected.clone() };
        let snp = self.endorsements.is_some() || self.uvm.is_some() || self.endorsed_tcb.is_some();
        let sgx = self.sgx_endorsements.is_some();
        let lists = !self.revocations.is_empty();
        match (&self.report, &self.quote, &self.claim) {
            (Some(report), None, None) if !sgx => self.verify_snp(report, expected, trust),
            (None, Some(_), None) if lists && !snp => Err(NodeError::Incomplete(
                "a revocation list is of no use beside an SGX quote, whose endorsements hold Intel's lists",
            )),
            (None, Some(quote), None) if !snp => self.verify_sgx(quote, expected, trust),
            (None, None, Some(claim)) if !(snp || sgx || lists) => verify_virtual(claim, expected),
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
            revocations: &self.revocations,
        };
        let (mut checks, values) = snp::verify(&evidence, &wanted, &trust.amd, trust.intel.at);
        expected.beyond("an SNP report", &["mrsigner", "isvprodid", "isvsvn"], &mut checks);
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
        let mut checks = sgx::verify(&evidence, self.sgx_endorsements.as_deref(), &wanted, &trust.intel);
        expected.beyond("an SGX quote", &["host-data", "minimum-tcb"], &mut checks);
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
    let mut checks = virt::verify(claim, &wanted);
    expected.beyond("a virtual attestation", &["minimum-tcb", "mrsigner", "isvprodid", "isvsvn"], &mut checks);
    Ok(Outcome {
        platform: "virtual",
        node_id: Some(claim.node_id),
        measurement: claim.measurement.clone(),
        host_data: Some(claim.host_data),
        values: Map::new(),
        checks,
    })
}

/// What parts of an attestation a file holds, as evidence for a proposal; none if it is nothing of the kind.
///
/// # Errors
/// [`NodeError`]: it is something of the kind, and damaged.
pub fn parts(file: &[u8]) -> Result<Vec<Part>, NodeError> {
    let part = |piece: Piece| match piece {
        Piece::SnpReport(report) => Some(Part::SnpReport(report)),
        Piece::SnpEndorsements(_) | Piece::EndorsedTcb(_) => Some(Part::SnpEndorsements),
        Piece::Uvm(uvm) => Some(Part::Uvm(uvm)),
        Piece::Revocations(_) => Some(Part::Revocations),
        Piece::SgxQuote(_) => Some(Part::Other("an SGX quote")),
        Piece::SgxEndorsements(_) => Some(Part::Other("the endorsements of an SGX quote")),
        Piece::Virtual(_) => Some(Part::Other("a virtual node's attestation")),
        Piece::Node(_) => None,
    };
    Ok(pieces(file, None)?.into_iter().filter_map(part).collect())
}

/// A part of an attestation, as evidence for a proposal.
#[derive(Clone, Debug)]
pub enum Part {
    /// An SNP report.
    SnpReport(Box<Report>),
    /// The certificates that endorse one.
    SnpEndorsements,
    /// A UVM endorsement.
    Uvm(Box<UvmEndorsement>),
    /// A list of revoked certificates.
    Revocations,
    /// Something that says what runs somewhere, and nothing of what was built.
    Other(&'static str),
}

#[cfg(test)]
mod tests;
