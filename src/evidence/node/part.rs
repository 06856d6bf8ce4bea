//! A part of an attestation, as evidence for a proposal.

use super::NodeError;
use super::pieces::{Piece, pieces};
use crate::evidence::snp::Report;
use crate::evidence::snp::uvm::UvmEndorsement;

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
        Piece::Node(_) | Piece::Format(_) => None,
    };
    Ok(pieces(file, None)?.into_iter().filter_map(part).collect())
}
