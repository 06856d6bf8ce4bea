//! A node's attestation, of whatever platform: put together from files, and verified.

mod claim;
mod error;
mod expected;
mod files;
mod foreign;
mod ghcb;
mod part;
mod pieces;
mod trust;
mod values;

pub use self::claim::Claim;
pub use self::error::NodeError;
pub use self::expected::{Expected, NotCompared};
pub use self::files::PathError;
pub use self::part::{Part, parts};
use self::pieces::{Piece, pieces};
pub use self::trust::Trust;
pub use self::values::{SgxValues, SnpValues, Uvm, Values};
use super::RevocationList;
use super::sgx;
use super::sgx::Evidence as SgxEvidence;
use super::snp;
use super::snp::Endorsements;
use super::snp::Report;
use super::snp::uvm::UvmEndorsement;
use super::virt;
use crate::ccf_version::Feature;
use crate::check::Checks;
use crate::digest::{HostData, MrEnclave, SnpMeasurement};
use crate::id::NodeId;
use crate::platform::Platform;
use crate::tcb::TcbVersion;

/// The largest file that is read as part of an attestation: 4 MiB.
pub const MAX_FILE: u64 = 4 << 20;

/// How many revocation lists are taken: AMD has one for each of its products.
const MAX_LISTS: usize = 8;

/// An attestation's parts, whatever of them there is.
#[derive(Clone, Debug, Default)]
pub struct Attestation {
    report: Option<Box<Report>>,
    endorsements: Option<Endorsements>,
    uvm: Vec<UvmEndorsement>,
    endorsed_tcb: Option<TcbVersion>,
    quote: Option<Vec<u8>>,
    sgx_endorsements: Option<Vec<u8>>,
    claim: Option<virt::Attestation>,
    revocations: Vec<RevocationList>,
    node: Option<NodeId>,
    format: Option<String>,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it runs on.
    pub platform: Platform,
    /// The node that it is about, if it names one.
    pub node_id: Option<NodeId>,
    /// The measurement as text.
    pub measurement: String,
    /// The host data, where the platform has them.
    pub host_data: Option<HostData>,
    /// What else it says.
    pub values: Values,
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
        let had_uvm = !self.uvm.is_empty();
        for piece in pieces(file, self.node)? {
            // A chain that is there is whole, or its giver's mistake: certificates of others don't mend it.
            if had && matches!(piece, Piece::SnpEndorsements(_)) || had_uvm && matches!(piece, Piece::Uvm(_)) {
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
            Piece::SnpReport(report) if self.report.as_ref() == Some(&report) => Ok(()),
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
            Piece::Uvm(uvm) => match self.uvm.iter().find(|known| known.form == uvm.form) {
                Some(known) if known.is_same(&uvm) => Ok(()),
                Some(_) => Err(NodeError::Twice("UVM endorsement")),
                None => {
                    self.uvm.push(*uvm);
                    Ok(())
                }
            },
            Piece::EndorsedTcb(tcb) => put(&mut self.endorsed_tcb, "endorsed TCB", tcb),
            Piece::Revocations(lists) if self.revocations.len() + lists.len() <= MAX_LISTS => {
                self.revocations.extend(lists);
                Ok(())
            }
            Piece::Revocations(_) => Err(NodeError::Lists(MAX_LISTS)),
            Piece::SgxQuote(quote) => put(&mut self.quote, "SGX quote", quote),
            Piece::SgxEndorsements(bytes) => put(&mut self.sgx_endorsements, "set of SGX endorsements", bytes),
            Piece::Virtual(claim) => put(&mut self.claim, "virtual attestation", claim),
            Piece::Format(format) if self.format.as_ref() == Some(&format) => Ok(()),
            Piece::Format(format) => put(&mut self.format, "format of a quote", format),
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
        let snp = self.endorsements.is_some() || !self.uvm.is_empty() || self.endorsed_tcb.is_some();
        let sgx = self.sgx_endorsements.is_some();
        let lists = !self.revocations.is_empty();
        let mut outcome = match (&self.report, &self.quote, &self.claim) {
            (Some(report), None, None) if !sgx => self.verify_snp(report, expected, trust),
            (None, Some(_), None) if lists && !snp => Err(NodeError::Incomplete(
                "a revocation list is of no use with an SGX quote, whose endorsements hold Intel's lists",
            )),
            (None, Some(quote), None) if !snp => self.verify_sgx(quote, expected, trust),
            (None, None, Some(claim)) if !(snp || sgx || lists) => verify_virtual(claim, expected),
            (None, None, None) => {
                Err(NodeError::Incomplete("there is no report, quote or virtual attestation among the files"))
            }
            _ => Err(NodeError::Incomplete("the files are of several platforms; give those of one node only")),
        }?;
        let mut checks = trust.preface();
        checks.append(std::mem::take(&mut outcome.checks));
        outcome.checks = checks;
        outcome.checks.known_version(expected.ccf);
        // By its format a service chooses the rules that a quote must keep.
        let format = match outcome.platform {
            Platform::Snp => "AMD_SEV_SNP_v1",
            Platform::Sgx => "OE_SGX_v1",
            Platform::Virtual => virt::QUOTE_FORMAT,
        };
        if let Some(said) = self.format.as_deref().filter(|said| *said != format) {
            outcome.checks.fail("quote-format", format!("the service says {said:?}, and this is {format}"));
        }
        Ok(outcome)
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
            uvm: &self.uvm,
            endorsed_tcb: self.endorsed_tcb,
            revocations: &self.revocations,
        };
        let (mut checks, values) = snp::verify(&evidence, &wanted, &trust.amd, trust.intel.at);
        expected.beyond("an SNP report", &["mrsigner", "isvprodid", "isvsvn"], &mut checks);
        Ok(Outcome {
            platform: Platform::Snp,
            node_id: Some(values.node_id),
            measurement: values.measurement.to_string(),
            host_data: Some(values.host_data),
            values: Values::of_snp(values, self.uvm.first()),
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
        match expected.ccf {
            Some(ccf) if ccf.has(Feature::SgxNodes).is_yes() => {}
            Some(ccf) => checks.fail("platform", format!("CCF {ccf} has no SGX nodes: 5 was the last to have them")),
            None => checks.warn("platform", "SGX nodes exist up to CCF 5 only"),
        }
        expected.beyond("an SGX quote", &["host-data", "minimum-tcb"], &mut checks);
        let report = &evidence.report;
        Ok(Outcome {
            platform: Platform::Sgx,
            node_id: evidence.node_id(),
            measurement: report.mrenclave.to_string(),
            host_data: None,
            values: Values::of_sgx(report),
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
        platform: Platform::Virtual,
        node_id: Some(claim.node_id),
        measurement: claim.measurement.clone(),
        host_data: Some(claim.host_data),
        values: Values::Virtual {},
        checks,
    })
}

#[cfg(test)]
mod tests;
