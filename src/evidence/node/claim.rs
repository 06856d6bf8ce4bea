//! What an attestation says, unverified.

use super::{Attestation, SgxEvidence};
use crate::digest::HostData;
use crate::id::NodeId;
use crate::platform::Platform;

/// The code that an attestation says it is of. Nothing proves it: no root, no signature and no time was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// What it runs on.
    pub platform: Platform,
    /// The host data, where the platform has them.
    pub host_data: Option<HostData>,
    /// The measurement as text.
    pub measurement: String,
}

impl Attestation {
    /// What it says it is of; `None` if there is no report, quote or virtual attestation, or several.
    pub fn claim(&self) -> Option<Claim> {
        let claim = |platform, host_data, measurement| Claim { platform, host_data, measurement };
        match (&self.report, &self.quote, &self.claim) {
            (Some(report), None, None) => {
                Some(claim(Platform::Snp, Some(report.host_data()), report.measurement().to_string()))
            }
            (None, Some(quote), None) => {
                let quote = SgxEvidence::parse(quote).ok()?;
                Some(claim(Platform::Sgx, None, quote.report.mrenclave.to_string()))
            }
            (None, None, Some(virt)) => Some(claim(Platform::Virtual, Some(virt.host_data), virt.measurement.clone())),
            _ => None,
        }
    }

    /// The node whose key its report, quote or virtual attestation binds. Nothing proves it, as with [`Self::claim`].
    pub fn bound_node(&self) -> Option<NodeId> {
        match (&self.report, &self.quote, &self.claim) {
            (Some(report), None, None) => Some(report.node_id()),
            (None, Some(quote), None) => SgxEvidence::parse(quote).ok()?.node_id(),
            (None, None, Some(virt)) => Some(virt.node_id),
            _ => None,
        }
    }
}
