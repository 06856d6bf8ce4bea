//! `measure sgx`: an enclave's values, recomputed from its file.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::register::Register;
use super::table;
use crate::cli::checks;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::digest::{MrEnclave, MrSigner};
use ccf_gov::evidence::sgx::{Artefact, MAX_ARTEFACT};
use ccf_gov::files;
use ccf_gov::platform::Platform;
use ccf_gov::proposal::{MeasuredValue, MeasuredValues};

/// MRENCLAVE, signer and version of an enclave, recomputed from its file.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov measure sgx libjs_generic.enclave.so.signed

The MRENCLAVE is computed by replaying how the file is loaded, and compared with the signed one; if they differ, \
or the signature is not valid, the exit code is 3.")]
pub struct Sgx {
    /// An Open Enclave signed enclave, an SGXS stream, or a bare SIGSTRUCT
    file: PathBuf,
    #[command(flatten)]
    register: Register,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured<'a> {
    platform: Platform,
    /// What kind of file it is, in words.
    kind: &'static str,
    mrenclave: MrEnclave,
    /// What is signed; null, like the next six, if there is no signature.
    sigstruct_mrenclave: Option<MrEnclave>,
    mrsigner: Option<MrSigner>,
    isvprodid: Option<u16>,
    isvsvn: Option<u16>,
    /// 16 hexadecimal digits.
    attributes: Option<String>,
    attributes_mask: Option<String>,
    /// YYYY-MM-DD.
    signed_on: Option<&'a str>,
    /// Whether the enclave may run in debug mode; null where that cannot be known.
    debug: Option<bool>,
    verdict: Conclusion,
    checks: &'a Checks,
}

impl Sgx {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let bytes = files::read(&self.file, MAX_ARTEFACT)?;
        let found = Artefact::read(&bytes)
            .map_err(|e| CliError::from(e).doing(format!("cannot measure {}", self.file.display())))?;
        let checks = if self.register.remove { found.checks_to_deregister() } else { found.checks.clone() };
        let signed = found.sigstruct.as_ref();
        let result = Measured {
            platform: Platform::Sgx,
            kind: found.kind,
            mrenclave: found.mrenclave,
            sigstruct_mrenclave: signed.map(|s| s.mrenclave),
            mrsigner: signed.map(|s| s.mrsigner),
            isvprodid: signed.map(|s| s.isvprodid),
            isvsvn: signed.map(|s| s.isvsvn),
            attributes: signed.map(|s| format!("{:016x}", s.attributes)),
            attributes_mask: signed.map(|s| format!("{:016x}", s.attributes_mask)),
            signed_on: signed.map(|s| s.date.as_str()),
            debug: found.debug,
            verdict: checks.verdict(),
            checks: &checks,
        };
        let show = || {
            let mut rows = vec![("platform", "sgx".into()), ("file", found.kind.into())];
            rows.push(("mrenclave", found.mrenclave.to_string()));
            if let Some(s) = signed {
                rows.push(("mrsigner", s.mrsigner.to_string()));
                rows.push(("product id", s.isvprodid.to_string()));
                rows.push(("security version", s.isvsvn.to_string()));
                rows.push(("attributes", format!("{:016x} under mask {:016x}", s.attributes, s.attributes_mask)));
                rows.push(("signed on", s.date.clone()));
            }
            let debug = found.debug.map_or("not known", |d| if d { "allowed" } else { "not allowed" });
            rows.push(("debug mode", debug.into()));
            format!("{}\n{}", table(&rows), checks::lines(&checks))
        };
        if !self.register.to_stdout() {
            context.output.result(&result, show)?;
        }
        self.register.write(
            context,
            &MeasuredValues::from_iter([MeasuredValue::NodeCode(found.mrenclave)]),
            found.refusal(),
        )?;
        Ok(checks::exit(&checks))
    }
}
