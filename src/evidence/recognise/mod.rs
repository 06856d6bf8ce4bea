//! What a file is evidence of.

mod read;

pub use self::read::{EvidenceError, read};
use super::policy::deployment::FoundPolicy;
use super::sgx::Artefact;
use super::snp::Report;
use super::snp::launch::igvm::IgvmMeasurement;
use super::snp::uvm::UvmEndorsement;
use crate::digest::{HostData, SnpMeasurement};
use crate::host_data::{Digests, Mistake};

/// An evidence file.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// Its name, for people.
    pub name: String,
    /// What it is.
    pub kind: EvidenceKind,
    /// SHA-256 of the file as it stands, if it was computed: what people register by mistake.
    pub digest: Option<[u8; 32]>,
}

/// What an evidence file turned out to be.
#[derive(Clone, Debug)]
pub enum EvidenceKind {
    /// An executable or library: its digest is a virtual node's host data.
    Executable(HostData),
    /// An enclave, or a signature on one.
    Enclave(Box<Artefact>),
    /// Security policies.
    Policies(Vec<Policy>),
    /// A UVM endorsement whose signature was checked.
    Uvm {
        /// The endorsement.
        uvm: Box<UvmEndorsement>,
        /// Whether issuer and signature hold.
        valid: bool,
    },
    /// An IGVM file: a guest's memory and first state.
    Guest(IgvmMeasurement),
    /// What a guest is launched with: firmware, kernel, processors. Nothing in it can be unsound.
    Launch(SnpMeasurement),
    /// A report, believed only as far as its endorsements go.
    Report {
        /// The report.
        report: Box<Report>,
        /// Whether its signature was verified up to AMD's root.
        valid: bool,
        /// What is wrong with it, or missing.
        why: String,
    },
    /// Something that is no artefact, or that cannot be read: why it backs nothing.
    Unusable(String),
}

impl EvidenceKind {
    /// The security policies of a deployment.
    pub fn policies(found: Vec<FoundPolicy>) -> Self {
        let policy = |found: FoundPolicy| Policy { digests: Digests::of(&found.policy), found };
        Self::Policies(found.into_iter().map(policy).collect())
    }
}

/// A security policy, with its digests: a proposal may have very many values, and each is compared with every policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The policy, and where in the file it stands.
    pub found: FoundPolicy,
    digests: Digests,
}

impl Policy {
    /// The host data of nodes started with it.
    pub fn host_data(&self) -> HostData {
        self.digests.host_data()
    }

    /// The mistake by which `value` could have been made from it, if it is one that people make.
    pub fn explain(&self, value: &HostData) -> Option<Mistake> {
        self.digests.explain(value)
    }

    /// How a person would call it: its file, and its container group if it has a name.
    pub fn title(&self, file: &str) -> String {
        self.found.name.as_ref().map_or_else(|| file.to_owned(), |group| format!("{file} ({group})"))
    }
}
