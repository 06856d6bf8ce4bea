//! The options that every command takes: flag, then environment, then `ccf-gov.toml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Deserialize;

use super::error::CliError;
use super::output::{self, Format, Output};
use ccf_gov::files;

/// Options that every command takes. Each has an environment variable and a key in ./ccf-gov.toml.
#[derive(Args)]
pub struct Common {
    /// A node of the service, as https://HOST:PORT; repeat for several
    #[arg(
        long,
        global = true,
        env = "CCF_GOV_SERVICE",
        value_delimiter = ',',
        value_name = "URL",
        help_heading = "Common options"
    )]
    service: Vec<String>,
    /// The service's certificate, the only root that is trusted
    #[arg(long, global = true, env = "CCF_GOV_SERVICE_CERT", value_name = "FILE", help_heading = "Common options")]
    service_cert: Option<PathBuf>,
    /// The member's private key: a file or a key URI
    #[arg(
        long,
        visible_alias = "signing-key",
        global = true,
        env = "CCF_GOV_KEY",
        value_name = "KEY-URI",
        help_heading = "Common options"
    )]
    key: Option<String>,
    /// The member's certificate
    #[arg(
        long,
        visible_alias = "signing-cert",
        global = true,
        env = "CCF_GOV_CERT",
        value_name = "FILE",
        help_heading = "Common options"
    )]
    cert: Option<PathBuf>,
    /// A file whose first line is the passphrase of an encrypted key
    #[arg(long, global = true, env = "CCF_GOV_PASSPHRASE_FILE", value_name = "FILE", help_heading = "Common options")]
    passphrase_file: Option<PathBuf>,
    /// The governance API's version
    #[arg(long, global = true, env = "CCF_GOV_API_VERSION", value_name = "VERSION", help_heading = "Common options")]
    api_version: Option<String>,
    /// How results are printed [default: human]
    #[arg(
        long,
        global = true,
        env = "CCF_GOV_OUTPUT",
        value_enum,
        value_name = "FORMAT",
        help_heading = "Common options"
    )]
    output: Option<Format>,
    /// Do not ask before signing
    #[arg(
        long,
        short = 'y',
        global = true,
        env = "CCF_GOV_YES",
        value_parser = clap::builder::FalseyValueParser::new(),
        help_heading = "Common options"
    )]
    yes: bool,
    /// Say more; repeat for more still
    #[arg(long, short = 'v', global = true, action = clap::ArgAction::Count, help_heading = "Common options")]
    verbose: u8,
}

impl Common {
    pub fn wants_json(&self) -> bool {
        self.output == Some(Format::Json)
    }
}

/// What a command knows of its surroundings: the common options, merged with the configuration file.
pub struct Context {
    pub service: Vec<String>,
    pub service_cert: Option<PathBuf>,
    pub key: Option<String>,
    pub cert: Option<PathBuf>,
    pub passphrase_file: Option<PathBuf>,
    pub api_version: String,
    pub yes: bool,
    /// Whether more is to be said.
    pub verbose: bool,
    /// How the programs of `exec:` keys are run, by the program's name.
    pub exec: BTreeMap<String, Exec>,
    pub output: Output,
}

/// `ccf-gov.toml` in the current folder.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Config {
    #[serde(default)]
    service: Vec<String>,
    service_cert: Option<PathBuf>,
    key: Option<String>,
    cert: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    api_version: Option<String>,
    output: Option<String>,
    yes: Option<bool>,
    #[serde(default)]
    exec: BTreeMap<String, Exec>,
}

/// `[exec.PROGRAM]`: how the program of an `exec:` key is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exec {
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<String>,
    /// How many seconds it may take; 120 if absent.
    pub timeout: Option<u64>,
}

impl Context {
    pub fn new(common: Common) -> Result<Self, CliError> {
        let config = Config::load(Path::new("ccf-gov.toml"))?;
        let format = match (common.output, config.output.as_deref()) {
            (Some(format), _) => format,
            (None, Some("json")) => Format::Json,
            (None, Some("human") | None) => Format::Human,
            (None, Some(other)) => {
                return Err(CliError::usage(format!("ccf-gov.toml: output is human or json, not {other:?}")));
            }
        };
        output::start_log(common.verbose);
        Ok(Self {
            service: if common.service.is_empty() { config.service } else { common.service },
            service_cert: common.service_cert.or(config.service_cert),
            key: common.key.or(config.key),
            cert: common.cert.or(config.cert),
            passphrase_file: common.passphrase_file.or(config.passphrase_file),
            api_version: common.api_version.or(config.api_version).unwrap_or_else(|| "2024-07-01".into()),
            yes: common.yes || config.yes.unwrap_or(false),
            verbose: common.verbose > 0,
            exec: config.exec,
            output: Output::new(format),
        })
    }
}

impl Config {
    fn load(path: &Path) -> Result<Self, CliError> {
        if !path.exists() {
            return Ok(Self::default());
        }
        let text = files::read_text(path, 1 << 20)?;
        toml::from_str(&text).map_err(|e| {
            CliError::new(super::error::Kind::Usage, "cannot read ccf-gov.toml", without_values(&e, &text))
        })
    }
}

/// Where the file is wrong, and how, without the line itself: what was put there by mistake may be a secret.
fn without_values(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = error.message();
    let said = match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((what, _)), Some((_, expected))) if what.starts_with("invalid ") => {
            format!("{what}, expected {expected}")
        }
        _ => message.to_owned(),
    };
    format!("line {line}: {said}")
}
