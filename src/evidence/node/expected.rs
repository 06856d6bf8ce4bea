//! What an attestation is expected to say.

use crate::ccf_version::CcfVersion;
use crate::check::Checks;
use crate::digest::{HostData, MrSigner};
use crate::evidence::snp::admission::Admission;
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

impl Expected {
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
