//! `measure virtual`: what a virtual node's executable makes of itself.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::register::Register;
use super::table;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::digest::HostData;
use ccf_gov::evidence::{hash, virt};
use ccf_gov::files;
use ccf_gov::platform::Platform;
use ccf_gov::proposal::{MeasuredValue, MeasuredValues};

/// The host data and measurement of nodes that run an executable on the virtual platform.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov measure virtual ./js_generic

From CCF 7 on the host data is the digest of the node's executable, before that of the application library.")]
pub struct Virtual {
    /// The executable (before CCF 7: the application library) that the nodes run; - for standard input
    file: PathBuf,
    #[command(flatten)]
    register: Register,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    platform: Platform,
    host_data: HostData,
    measurement: &'static str,
}

impl Virtual {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let digest = hash::sha256_file(&self.file)
            .map_err(|e| CliError::usage(format!("cannot read {}", self.file.display())).because(e))?;
        if digest == ccf_gov::digest::sha256(b"") {
            return Err(CliError::usage(format!("{} is empty: no node runs it", files::shown(&self.file))));
        }
        let host_data = HostData(digest);
        let result = Measured { platform: Platform::Virtual, host_data, measurement: virt::MEASUREMENT };
        let show = || {
            table(&[
                ("platform", "virtual".into()),
                ("host data", host_data.to_string()),
                ("measurement", virt::MEASUREMENT.into()),
            ])
        };
        if !self.register.to_stdout() {
            context.output.result(&result, show)?;
        }
        let values = [MeasuredValue::VirtualHostData(host_data), MeasuredValue::VirtualMeasurement(virt::MEASUREMENT)];
        let values = MeasuredValues::from_iter(values);
        self.register.write(context, &values, None)?;
        Ok(Exit::Done)
    }
}
