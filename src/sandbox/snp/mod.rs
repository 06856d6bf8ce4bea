//! SNP hardware that is made up: reports, certificates and UVM endorsements as real ones, under roots of a sandbox's own.
//!
//! Each sandbox has its own keys. Nobody but one who names the roots by hand trusts them.

mod artefacts;
mod certificate;
mod chip;
mod key;
mod policy;
mod uvm;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::artefacts::Artefacts;
pub(super) use self::artefacts::write as write_artefacts;
use self::chip::{Chip, Guest};
use self::key::Key;
pub use self::policy::security_policy;
use self::uvm::UvmIssuer;
use super::SandboxError;
use super::code::{SnpCode, UvmEndorsement};
use crate::digest::sha256;
use crate::evidence::snp::{Root, Roots};
use crate::id::NodeId;
use crate::processor::Product;

/// What signs for the SNP nodes of a sandbox.
pub(super) struct Hardware {
    chip: Chip,
    issuer: UvmIssuer,
}

/// Its keys, PKCS#8 in base64, and the certificates of its UVM issuer, PEM.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SavedHardware {
    ark: String,
    ask: String,
    vcek: String,
    uvm_signer: String,
    uvm_chain: [String; 2],
}

impl Hardware {
    pub(super) fn generate() -> Result<Self, SandboxError> {
        Ok(Self { chip: Chip::generate()?, issuer: UvmIssuer::generate()? })
    }

    pub(super) fn restore(saved: &SavedHardware) -> Result<Self, SandboxError> {
        let (ark, ask) = (Key::rsa_from(&saved.ark)?, Key::rsa_from(&saved.ask)?);
        let [signer, root] = &saved.uvm_chain;
        let issuer =
            UvmIssuer { signer: Key::p384_from(&saved.uvm_signer)?, chain: [from_pem(signer)?, from_pem(root)?] };
        Ok(Self { chip: Chip { ark, ask, vcek: Key::p384_from(&saved.vcek)? }, issuer })
    }

    pub(super) fn save(&self) -> Result<SavedHardware, SandboxError> {
        Ok(SavedHardware {
            ark: self.chip.ark.to_text()?,
            ask: self.chip.ask.to_text()?,
            vcek: self.chip.vcek.to_text()?,
            uvm_signer: self.issuer.signer.to_text()?,
            uvm_chain: self.issuer.chain.clone().map(to_pem),
        })
    }

    /// The roots that its reports are verified with.
    pub(super) fn roots(&self) -> Result<Roots, SandboxError> {
        let spki_sha256 = sha256(&self.chip.ark.spki()?);
        Ok(Roots::rehearsal(Product::ALL.map(|product| Root { product, spki_sha256 }).into()))
    }

    /// The same as certificates, PEM: one ARK for each product.
    pub(super) fn roots_pem(&self) -> Result<String, SandboxError> {
        Product::ALL.into_iter().map(|product| Ok(to_pem(self.chip.root(product)?))).collect()
    }

    /// The did:x509 of its UVM issuer.
    pub(super) fn did(&self) -> String {
        self.issuer.did()
    }

    /// The endorsement of the utility VM that `code` runs in; `None` if it has none.
    pub(super) fn uvm_endorsement(&self, code: &SnpCode) -> Result<Option<Vec<u8>>, SandboxError> {
        let endorse = |UvmEndorsement { feed, svn }: &UvmEndorsement| self.issuer.endorse(&code.measurement, feed, svn);
        code.uvm.as_ref().map(endorse).transpose()
    }

    /// What node `id` shows: CCF's `quote_info`.
    pub(super) fn quote_info(&self, code: &SnpCode, id: NodeId) -> Result<Value, SandboxError> {
        let guest = Guest {
            node: id,
            host_data: code.host_data,
            measurement: code.measurement,
            tcb: code.tcb,
            cpuid: code.cpuid,
        };
        let chain = self.chip.chain(guest.product(), code.tcb)?;
        let mut info = json!({
            "format": "AMD_SEV_SNP_v1",
            "quote": STANDARD.encode(self.chip.report(&guest)?),
            "endorsements": STANDARD.encode(chain.map(to_pem).concat()),
            "endorsed_tcb": code.tcb.to_string(),
        });
        if let Some(uvm) = self.uvm_endorsement(code)? {
            info["uvm_endorsements"] = STANDARD.encode(uvm).into();
        }
        Ok(info)
    }
}

fn from_pem(text: &str) -> Result<Vec<u8>, SandboxError> {
    pem::parse(text).map(pem::Pem::into_contents).map_err(SandboxError::certificate)
}

fn to_pem(der: Vec<u8>) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    pem::encode_config(&pem::Pem::new("CERTIFICATE", der), config)
}
