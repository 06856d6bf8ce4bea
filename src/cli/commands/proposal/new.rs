//! `proposal new`: a proposal from a template.

use std::path::PathBuf;

use clap::Args;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::{CliError, parameters};
use crate::cli::exit::Exit;
use ccf_gov::files::Readers;
use ccf_gov::proposal::{NewError, Setting, from_template};
use ccf_gov::review::check_script;

/// Write a proposal from a template.
///
/// Values are checked by the template: numbers, hexadecimal digits of the right length, certificates, times with an
/// offset. Times are written as CCF takes them, in UTC. Where the id of a node or member is taken, a service (--service)
/// looks up the first 8 digits of it or more, a node's address, or the name in a member's certificate.
#[derive(Args)]
#[command(after_help = "\
Examples:
  ccf-gov proposal new remove_node --set node_id=10.0.0.4:8000 -o remove.json
  ccf-gov proposal new add_snp_host_data --set security_policy=@security-policy-base64
  ccf-gov proposal new set_constitution --set constitution=@actions.js,@validate.js,@resolve.js,@apply.js
  ccf-gov proposal new set_js_app --set bundle=@my-app/
  ccf-gov proposal new set_member --set cert=@alice_cert.pem --set member_data='{\"name\": \"alice\"}'")]
pub struct New {
    /// The action's name, see `proposal templates`
    #[arg(value_name = "TEMPLATE")]
    template: String,
    /// A parameter; @FILE takes its value from a file (a folder for an application). Repeat to join scripts in order
    #[arg(long = "set", value_name = "NAME=VALUE|NAME=@FILE")]
    settings: Vec<String>,
    /// Where to write it [default: standard output]
    #[arg(long, short, value_name = "FILE", default_value = "-", hide_default_value = true)]
    out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

impl New {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut settings = Vec::new();
        for text in &self.settings {
            settings.extend(Setting::parse(text).map_err(CliError::usage)?);
        }
        context.resolve_settings(&self.template, &mut settings).await?;
        let now = OffsetDateTime::now_utc();
        let proposal = from_template(&context.catalogue, &self.template, &settings, now, check_script)
            .map_err(|e| refused(&self.template, &self.settings, e))?;
        context.output.file(&self.out, proposal.bytes(), Readers::Shared, self.force)?;
        Ok(Exit::Done)
    }
}

fn refused(template: &str, settings: &[String], error: NewError) -> CliError {
    let mut doing = format!("cannot make a proposal from the template {template}");
    if let NewError::Value { name, .. } = &error {
        let from_file = |s: &&String| s.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with("=@"));
        if let Some(setting) = settings.iter().find(from_file) {
            doing += &format!(" and {setting}");
        }
        return CliError::from(error).doing(doing).hint(parameters(template));
    }
    CliError::from(error).doing(doing)
}
