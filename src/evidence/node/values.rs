//! What an attestation says beside measurement, host data and node: each platform has values of its own.

use serde::Serialize;

use super::snp;
use crate::digest::{MrEnclave, MrSigner, SnpMeasurement};
use crate::evidence::sgx::Report;
use crate::evidence::snp::uvm::UvmEndorsement;
use crate::processor::Product;
use crate::tcb::Tcb;

/// The values of one platform.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Values {
    /// AMD SEV-SNP.
    Snp(Box<SnpValues>),
    /// Intel SGX.
    Sgx(SgxValues),
    /// The virtual platform has none.
    Virtual {},
}

/// What an SNP report says, and the UVM endorsement that came with it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct SnpValues {
    /// The report's version.
    pub report_version: u32,
    /// The processor, if known.
    pub product: Option<Product>,
    /// Family, model and stepping as CCF's tables spell them; from report version 3.
    pub cpuid: Option<String>,
    /// The TCB, 16 hexadecimal digits.
    pub reported_tcb: String,
    /// Its components, if the product is known.
    pub tcb: Option<Tcb>,
    /// Whether the host can read the guest's memory.
    pub debug: bool,
    /// The endorsement of the utility VM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uvm: Option<Uvm>,
}

/// What a UVM endorsement says.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Uvm {
    /// The issuer, a did:x509.
    pub did: String,
    /// What kind of utility VM this is.
    pub feed: String,
    /// Security version number, decimal digits.
    pub svn: String,
    /// The launch measurement that is endorsed.
    pub measurement: SnpMeasurement,
}

/// What an SGX quote says of its enclave.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct SgxValues {
    /// The enclave's code.
    pub mrenclave: MrEnclave,
    /// Its signer.
    pub mrsigner: MrSigner,
    /// Its product number.
    pub isvprodid: u16,
    /// Its security version.
    pub isvsvn: u16,
    /// Whether the host can read its memory.
    pub debug: bool,
}

impl Values {
    /// The SNP values, if it is an SNP node.
    pub fn snp(&self) -> Option<&SnpValues> {
        if let Self::Snp(values) = self { Some(values) } else { None }
    }

    pub(super) fn of_snp(values: snp::Values, uvm: Option<&UvmEndorsement>) -> Self {
        let uvm = uvm.map(|uvm| Uvm {
            did: uvm.did.clone(),
            feed: uvm.feed.clone(),
            svn: uvm.svn.clone(),
            measurement: uvm.measurement,
        });
        Self::Snp(Box::new(SnpValues {
            report_version: values.report_version,
            product: values.product,
            cpuid: values.cpuid,
            reported_tcb: values.reported_tcb,
            tcb: values.tcb,
            debug: values.debug,
            uvm,
        }))
    }

    pub(super) fn of_sgx(report: &Report) -> Self {
        Self::Sgx(SgxValues {
            mrenclave: report.mrenclave,
            mrsigner: report.mrsigner,
            isvprodid: report.isvprodid,
            isvsvn: report.isvsvn,
            debug: report.debug(),
        })
    }
}
