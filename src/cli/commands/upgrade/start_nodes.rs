//! What an operator starts new nodes with.

use std::path::{Path, PathBuf};

use super::planned::Planned;
use crate::cli::common::Context;
use crate::cli::error::CliError;
use ccf_gov::files::{self, Readers};
use ccf_gov::upgrade::{JoinConfiguration, Stepped, Task};

/// Writes the configuration with which the nodes that are to be started join, into `folder` or beside `upgrade.toml`. One that is
/// there already is left as it is: whoever starts the nodes has put their addresses in it.
pub fn write_configuration(
    context: &Context,
    planned: &Planned,
    stepped: &Stepped,
    folder: Option<&Path>,
) -> Result<Option<PathBuf>, CliError> {
    if !stepped.next.wanted.tasks.iter().any(|task| matches!(task, Task::Start(_))) {
        return Ok(None);
    }
    let given = context.service_cert.as_ref().unwrap_or(&planned.intent.service.cert);
    let certificate = std::path::absolute(given).unwrap_or_else(|_| given.clone());
    let Some(configuration) = JoinConfiguration::of(&planned.plan, &stepped.seen, &certificate) else {
        return Ok(None);
    };
    let target = configuration.address.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.', "-");
    let beside = planned.file.parent().unwrap_or(Path::new(""));
    let path = folder.unwrap_or(beside).join(format!("join-{target}.json"));
    if path.exists() {
        return Ok(Some(path));
    }
    files::write(&path, configuration.text().as_bytes(), Readers::Shared, false)?;
    if configuration.assumed {
        let major = configuration.major;
        context.output.warn(format!(
            "{} is written for CCF {major}, since no node says its version: name [new] version in upgrade.toml for another one",
            files::shown(&path)
        ));
    }
    Ok(Some(path))
}
