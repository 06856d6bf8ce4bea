//! What an attestation is expected to say.

use super::Outcome;
use crate::ccf_version::CcfVersion;
use crate::check::{Checks, Verdict};
use crate::digest::{HostData, MrSigner};
use crate::evidence::snp::Admission;
use crate::id::NodeId;
use crate::tcb::TcbVersion;

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
    /// SGX: the minimum security version.
    pub minimum_isvsvn: Option<u16>,
    /// The version of CCF that the service runs.
    pub ccf: Option<CcfVersion>,
    /// SNP: the service's join policy.
    pub policy: Option<Admission>,
}

/// What an attestation says and nobody said what it should be: a genuine attestation may be of anybody's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotCompared {
    /// The measurement, if no endorsement that is known has it.
    Measurement,
    /// The host data.
    HostData,
    /// The node.
    Node,
}

impl Expected {
    /// What of the attestation was compared with nothing.
    pub fn not_compared(&self, outcome: &Outcome) -> Vec<NotCompared> {
        let passed = |name| outcome.checks.get(name).is_some_and(|check| check.verdict == Verdict::Pass);
        let endorsed = ["uvm-signature", "uvm-known-issuer", "uvm-measurement"].into_iter().all(passed);
        // Every virtual node has the same one.
        let known = endorsed || passed("virtual-measurement-constant");
        let open = [
            (NotCompared::Measurement, self.measurement.is_none() && !known),
            (NotCompared::HostData, self.host_data.is_none() && outcome.host_data.is_some()),
            (NotCompared::Node, self.node_id.is_none()),
        ];
        open.into_iter().filter_map(|(what, is_open)| is_open.then_some(what)).collect()
    }

    /// Fails what is expected of an attestation that cannot have it: nothing that somebody asks for is passed over.
    pub(super) fn beyond(&self, of: &str, names: &[&'static str], checks: &mut Checks) {
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
