//! What a file is to SGX: an enclave, a stream of one, or a signature on one; and the values that follow from it.

use super::enclave::{Enclave, EnclaveError};
use super::sgxs::{SgxsError, is_sgxs, measure_sgxs};
use super::sigstruct::{SIGSTRUCT_SIZE, SigStruct, SigStructError};
use crate::check::{Checks, Conclusion};
use crate::digest::MrEnclave;

/// The largest enclave file that is read: 256 MiB, several times what any CCF release has.
pub const MAX_ARTEFACT: u64 = 256 << 20;

/// What was found in a file.
#[derive(Clone, Debug)]
pub struct Artefact {
    /// What kind of file it is, for a person.
    pub kind: &'static str,
    /// The measurement: computed from the code if the file has it, else the signature's.
    pub mrenclave: MrEnclave,
    /// The verified signature, if there is one.
    pub sigstruct: Option<SigStruct>,
    /// Whether the enclave may run in debug mode, where that can be told.
    pub debug: Option<bool>,
    /// What was checked.
    pub checks: Checks,
}

/// Why nothing can be said of a file.
#[derive(Debug, thiserror::Error)]
pub enum ArtefactError {
    /// An ELF file that is no enclave.
    #[error(transparent)]
    Enclave(#[from] EnclaveError),
    /// A stream that is none.
    #[error(transparent)]
    Sgxs(#[from] SgxsError),
    /// A signature that is none.
    #[error(transparent)]
    SigStruct(#[from] SigStructError),
    /// Something else.
    #[error("this is neither an enclave (ELF), nor an SGXS stream, nor a SIGSTRUCT of 1808 bytes")]
    Unknown,
}

impl Artefact {
    /// Reads and measures a file's bytes.
    ///
    /// # Errors
    /// [`ArtefactError`]: it is nothing that can be measured. What can be measured and is wrong is told by `checks`.
    pub fn read(bytes: &[u8]) -> Result<Self, ArtefactError> {
        let mut checks = Checks::new();
        if bytes.starts_with(b"\x7fELF") {
            let enclave = Enclave::measure(bytes)?;
            let debug = Some(enclave.debug());
            match &enclave.sigstruct {
                Ok(signed) => {
                    checks.pass("sigstruct-signature", format!("RSA-3072 signature of {} is valid", signed.mrsigner));
                    checks.require(
                        "mrenclave",
                        signed.mrenclave == enclave.mrenclave,
                        format!("computed from the file {}, signed {}", enclave.mrenclave, signed.mrenclave),
                    );
                    let fits = |a, b, c, d| a == b && c == d;
                    checks.require(
                        "product-and-svn",
                        fits(
                            signed.isvprodid,
                            enclave.properties.product_id,
                            signed.isvsvn,
                            enclave.properties.security_version,
                        ),
                        format!(
                            "signed {}/{}, in the file {}/{}",
                            signed.isvprodid,
                            signed.isvsvn,
                            enclave.properties.product_id,
                            enclave.properties.security_version
                        ),
                    );
                }
                Err(error) => checks.fail("sigstruct-signature", error.to_string()),
            }
            check_debug(&mut checks, debug == Some(true));
            let kind = "Open Enclave ELF";
            return Ok(Self { kind, mrenclave: enclave.mrenclave, sigstruct: enclave.sigstruct.ok(), debug, checks });
        }
        if is_sgxs(bytes) {
            let mrenclave = measure_sgxs(bytes)?;
            checks.pass("mrenclave", format!("computed from the stream {mrenclave}"));
            checks.warn("sigstruct-signature", "an SGXS stream carries no signature: signer and debug are not known");
            return Ok(Self { kind: "SGXS stream", mrenclave, sigstruct: None, debug: None, checks });
        }
        if bytes.len() != SIGSTRUCT_SIZE {
            return Err(ArtefactError::Unknown);
        }
        let signed = SigStruct::verify(bytes)?;
        checks.pass("sigstruct-signature", format!("RSA-3072 signature of {} is valid", signed.mrsigner));
        checks.warn("mrenclave", "taken from the signature: there is no code here to compute it from");
        check_debug(&mut checks, signed.debug_allowed());
        let debug = Some(signed.debug_allowed());
        Ok(Self { kind: "SIGSTRUCT", mrenclave: signed.mrenclave, sigstruct: Some(signed), debug, checks })
    }
}

impl Artefact {
    /// Why its values must not be registered, if so.
    pub fn refusal(&self) -> Option<&'static str> {
        match (self.debug, self.checks.verdict()) {
            (Some(true), _) => Some("the enclave may run in debug mode, where its host reads its memory"),
            (_, Conclusion::Fail) => Some("the enclave did not pass the checks"),
            _ => None,
        }
    }

    /// What was checked, for somebody who deregisters it: an enclave that its host may debug is one to deregister.
    pub fn checks_to_deregister(&self) -> Checks {
        self.checks.clone().excusing("debug")
    }
}

fn check_debug(checks: &mut Checks, debug: bool) {
    if debug {
        checks
            .fail("debug", "the enclave may run in debug mode, and then its host reads its memory: never register it");
    } else {
        checks.pass("debug", "the enclave cannot run in debug mode");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artefact(debug: Option<bool>) -> Artefact {
        let mut checks = Checks::new();
        check_debug(&mut checks, debug == Some(true));
        Artefact { kind: "", mrenclave: "ab".repeat(32).parse().unwrap(), sigstruct: None, debug, checks }
    }

    #[test]
    fn an_enclave_that_can_be_debugged_is_deregistered_and_never_registered() {
        let debug = artefact(Some(true));
        assert!(debug.refusal().is_some_and(|why| why.contains("debug mode")));
        assert_eq!(debug.checks_to_deregister().verdict(), Conclusion::Pass);
        assert_eq!(artefact(Some(false)).refusal(), None);
    }

    #[test]
    fn an_enclave_that_fails_a_check_is_not_registered() {
        let mut failing = artefact(None);
        assert_eq!(failing.refusal(), None);
        failing.checks.fail("mrenclave", "");
        assert!(failing.refusal().is_some());
        assert_eq!(failing.checks_to_deregister().verdict(), Conclusion::Fail);
    }
}
