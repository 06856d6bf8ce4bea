//! The options that every command takes: flag, then environment, then `ccf-gov.toml`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::config::{Config, Exec};
use super::error::CliError;
use super::output::{self, Format, Output};
use ccf_gov::proposal::catalogue::Catalogue;
use ccf_gov::signer::SECRET_VARIABLES;
use ccf_gov::text::visible;

/// Options that every command takes. Each has an environment variable, and all but --yes and -v a key in ccf-gov.toml.
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
    /// The version of the governance API, 2024-07-01 or 2023-06-01-preview [default: 2024-07-01]
    #[arg(long, global = true, env = "CCF_GOV_API_VERSION", value_name = "VERSION", help_heading = "Common options")]
    api_version: Option<String>,
    /// A folder of templates of your own, for actions that CCF does not have; repeat for several
    #[arg(
        long,
        global = true,
        env = "CCF_GOV_TEMPLATES",
        value_delimiter = ',',
        value_name = "DIR",
        help_heading = "Common options"
    )]
    templates: Vec<PathBuf>,
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
        value_parser = yes_or_no,
        help_heading = "Common options"
    )]
    yes: bool,
    /// Print more; repeat for even more
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
    /// Where templates of the user's own are.
    pub templates: Vec<PathBuf>,
    /// What can be proposed: the built-in templates and the user's own.
    pub catalogue: Catalogue,
    pub yes: bool,
    /// Whether more is to be said.
    pub verbose: bool,
    /// How the programs of `exec:` keys are run, by the program's name.
    pub exec: BTreeMap<String, Exec>,
    pub output: Output,
    /// The configuration file, if there is one.
    pub file: Option<PathBuf>,
    /// Whether the file says which key it is, because no option or variable does.
    pub key_is_from_file: bool,
    /// The same of `cert`.
    pub cert_is_from_file: bool,
    /// Where a setting that is missing was looked for.
    pub looked: String,
}

impl Context {
    /// What the options, the environment and `ccf-gov.toml` say, in this order.
    pub fn new(common: Common) -> Result<Self, CliError> {
        output::start_log(common.verbose);
        let mut context = Self::merge(common, Config::load()?);
        context.catalogue = Catalogue::with_folders(&context.templates)?;
        unknown_variables().for_each(|warning| context.output.warn(warning));
        Ok(context)
    }

    /// What the options and the environment say, whatever is in the current folder.
    pub fn without_file(common: Common) -> Self {
        Self::merge(common, Config::default())
    }

    /// The options and the environment, and then the file; no template of the user's is read.
    pub fn merge(common: Common, config: Config) -> Self {
        Self {
            looked: config.looked(),
            file: config.path,
            key_is_from_file: common.key.is_none() && config.key.is_some(),
            cert_is_from_file: common.cert.is_none() && config.cert.is_some(),
            service: if common.service.is_empty() { config.service } else { common.service },
            service_cert: common.service_cert.or(config.service_cert),
            key: common.key.or(config.key),
            cert: common.cert.or(config.cert),
            passphrase_file: common.passphrase_file.or(config.passphrase_file),
            api_version: common.api_version.or(config.api_version).unwrap_or_else(|| "2024-07-01".into()),
            templates: if common.templates.is_empty() { config.templates } else { common.templates },
            catalogue: Catalogue::builtin().clone(),
            yes: common.yes,
            verbose: common.verbose > 0,
            exec: config.exec,
            output: Output::new(common.output.or(config.output).unwrap_or(Format::Human)),
        }
    }
}

/// Warnings of variables that look like ours and are not: a misspelt name would be passed over silently.
fn unknown_variables() -> impl Iterator<Item = String> {
    let found = std::env::vars_os().filter(|(_, value)| !value.is_empty());
    let found = found.filter_map(|(name, _)| name.into_string().ok().filter(|name| name.starts_with(PREFIX)));
    let known = variables();
    found.filter(move |name| !known.contains(name)).map(|name| {
        format!(
            "the environment variable {} is not one of ccf-gov's, and is ignored; see docs/configuration.md",
            visible(&name)
        )
    })
}

/// Every environment variable of ours.
pub fn variables() -> Vec<String> {
    let options = super::Cli::command();
    let options = options.get_arguments().filter_map(|option| Some(option.get_env()?.to_str()?.to_owned()));
    let others = SECRET_VARIABLES.into_iter().chain([super::completion::VARIABLE]).chain(OF_TESTS);
    options.chain(others.map(Into::into)).collect()
}

/// The variables that our own tests and benchmarks read.
const OF_TESTS: [&str; 8] = [
    "CCF_GOV_BENCH_TOKEN",
    "CCF_GOV_CONSTITUTIONS",
    "CCF_GOV_CORPUS",
    "CCF_GOV_FIXTURES",
    "CCF_GOV_PYTHON",
    "CCF_GOV_SAMPLE_CONSTITUTION",
    "CCF_GOV_TEST_TOKEN",
    "CCF_GOV_UPDATE_DOCS",
];

const PREFIX: &str = "CCF_GOV_";

/// A clear yes or no: anything else is an error, because what is signed cannot be taken back.
fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" => Ok(true),
        "0" | "false" | "no" | "n" | "off" | "" => Ok(false),
        _ => Err("set CCF_GOV_YES to 1, true, yes, y or on to sign without being asked; \
                  to 0, false, no, n or off to be asked"
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_a_yes() {
        for yes in ["1", "true", "TRUE", "yes", "y", "on"] {
            assert_eq!(yes_or_no(yes), Ok(true), "{yes}");
        }
        for no in ["0", "false", "No", "n", "off", ""] {
            assert_eq!(yes_or_no(no), Ok(false), "{no}");
        }
        for neither in ["banana", "yess", " yes", "2", "-1", "ja"] {
            assert!(yes_or_no(neither).is_err(), "{neither}");
        }
    }

    #[test]
    fn the_page_on_configuration_has_every_flag_variable_and_key() {
        let page = include_str!("../../docs/configuration.md");
        let row = |flag: &str| {
            let row = page.lines().find(|line| line.starts_with("| `") && line.contains(&format!("`--{flag}")));
            row.unwrap_or_else(|| panic!("no row for --{flag}")).to_owned()
        };
        let command = super::super::Cli::command();
        let file_keys = toml::from_str::<Config>("unknown = 1").unwrap_err().message().to_owned();
        for option in command.get_arguments().filter(|o| !matches!(o.get_id().as_str(), "help" | "version")) {
            let flag = option.get_long().unwrap();
            let row = row(flag);
            let variable = option.get_env().map(|name| name.to_str().unwrap());
            if let Some(variable) = variable {
                assert!(row.contains(&format!("| `{variable}` |")), "{row}");
            }
            let has_key = file_keys.contains(&format!("`{flag}`")) && flag != "yes";
            assert_eq!(row.contains(&format!("| `{flag}` |")), has_key, "{row}");
            for alias in option.get_visible_aliases().unwrap_or_default() {
                assert!(row.contains(&format!("`--{alias}`")), "{row}");
            }
        }
        for name in variables().iter().filter(|name| !OF_TESTS.contains(&name.as_str())) {
            assert!(page.contains(&format!("`{name}`")), "{name} is not in docs/configuration.md");
        }
        assert!(page.contains("| | | `exec` |"));
    }
}
