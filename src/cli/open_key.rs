//! `--key` and `--cert`: from the common options to a signer.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::common::Context;
use super::config::Exec;
use super::error::CliError;
use super::message_args::in_date;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::files;
use ccf_gov::id::MemberId;
use ccf_gov::signer::{
    self, AzureCredential, CommandOptions, Credentials, KeyUri, Passphrase, PassphraseError, PassphraseSource,
    PinSource, PinTries, PrivateKey, Signer, SignerError,
};
use ccf_gov::text::visible;

/// The largest certificate file, in bytes.
const MAX_CERTIFICATE: u64 = 64 << 10;
/// The environment variables that hold secrets for scripts.
const PIN: &str = "CCF_GOV_PIN";
const PASSPHRASE: &str = "CCF_GOV_PASSPHRASE";

impl Context {
    /// The signer that `--key` names, with its certificate checked: it fits the key and is in date.
    pub async fn signer(&self) -> Result<Box<dyn Signer>, CliError> {
        self.signer_for(self.certificate()?).await
    }

    /// The signer that `--key` names, for this certificate (or the one that the key itself knows).
    pub async fn signer_for(&self, certificate: Option<MemberCertificate>) -> Result<Box<dyn Signer>, CliError> {
        let uri = self.key_uri()?;
        let signer = self
            .open(&uri, certificate)
            .await
            .map_err(|e| CliError::from(e).doing(format!("cannot use the key {uri}")))?;
        in_date(self, signer.certificate())?;
        Ok(signer)
    }

    /// Opens a key, whether its certificate is in date or not.
    pub async fn open(
        &self,
        uri: &KeyUri,
        certificate: Option<MemberCertificate>,
    ) -> Result<Box<dyn Signer>, SignerError> {
        let command = match uri {
            KeyUri::Command(program) => self.program(program),
            _ => Default::default(),
        };
        let access = Credentials {
            certificate,
            passphrase: &AskedPassphrase { file: self.passphrase_file.clone() },
            pin: &Asked,
            command: CommandOptions { arguments: command.args, timeout: command.timeout.map(Duration::from_secs) },
            azure: &|| AzureCredential::from_variables(variable),
        };
        signer::open(uri, access).await
    }

    /// How an `exec:` key's program is run. If a file says so, that is shown before the program runs.
    fn program(&self, program: &str) -> Exec {
        let exec = self.exec.get(program).cloned();
        if let Some(file) = self.file.as_ref().filter(|_| self.key_is_from_file || exec.is_some()) {
            let args = exec.iter().flat_map(|exec| &exec.args);
            let words: Vec<_> = [program].into_iter().chain(args.map(String::as_str)).map(visible).collect();
            self.output.warn(format!("{} has this program sign: {}", file.display(), words.join(" ")));
        }
        exec.unwrap_or_default()
    }

    /// Reads a key file for what it is alone, without a certificate.
    pub fn private_key(&self, path: &Path) -> Result<PrivateKey, CliError> {
        let bytes = files::read_secret(path, PrivateKey::MAX_FILE)?;
        let name = path.display().to_string();
        let text = files::secret_text(path, &bytes)?;
        PrivateKey::from_pem(text, &name, &AskedPassphrase { file: self.passphrase_file.clone() })
            .map_err(|e| CliError::from(SignerError::from(e)).doing(format!("cannot use the key {name}")))
    }

    /// The key URI that `--key` gives.
    pub fn key_uri(&self) -> Result<KeyUri, CliError> {
        let text = self.key.as_deref().ok_or_else(|| {
            CliError::usage("there is no key to sign with").hint(format!(
                "give --key FILE or --key KEY-URI, set CCF_GOV_KEY, or write key = \"…\" into ccf-gov.toml ({})",
                self.looked
            ))
        })?;
        text.parse().map_err(|e| CliError::from(e).doing("cannot use the value of --key"))
    }

    /// The member whose certificate `--cert` gives, in date or not.
    pub fn member(&self) -> Result<MemberId, CliError> {
        let certificate = self.certificate()?.ok_or_else(|| {
            CliError::usage("there is no certificate that says who you are")
                .hint("give the member's certificate with --cert FILE")
        })?;
        Ok(certificate.member_id())
    }

    /// The certificate that `--cert` names, if it is given.
    pub fn certificate(&self) -> Result<Option<MemberCertificate>, CliError> {
        let Some(path) = &self.cert else { return Ok(None) };
        let pem = files::read(path, MAX_CERTIFICATE)?;
        let certificate = MemberCertificate::from_pem(&pem)
            .map_err(|e| CliError::from(e).doing(format!("cannot use the certificate {}", path.display())))?;
        Ok(Some(certificate))
    }
}

/// The environment, and else the person at the terminal.
pub struct Asked;

/// The file that `--passphrase-file` names, else as [`Asked`].
struct AskedPassphrase {
    file: Option<PathBuf>,
}

impl PassphraseSource for AskedPassphrase {
    fn passphrase(&self, what: &str) -> Result<Passphrase, PassphraseError> {
        if let Some(path) = &self.file {
            return Passphrase::from_file(path);
        }
        if let Some(text) = variable(PASSPHRASE) {
            return Passphrase::new(text);
        }
        if !io::stderr().is_terminal() {
            return Err(PassphraseError::None);
        }
        Passphrase::new(ask(&format!("Passphrase of {what}: ")).map_err(PassphraseError::Prompt)?)
    }
}

impl PinSource for Asked {
    fn pin(&self, token: &str, tries: PinTries) -> io::Result<Zeroizing<String>> {
        match variable(PIN) {
            Some(_) if tries == PinTries::Last => Err(io::Error::other(format!(
                "one more wrong PIN locks the token, so {PIN} is not used this time: unset it and type the PIN"
            ))),
            Some(pin) => Ok(pin),
            None if !io::stderr().is_terminal() => Err(io::Error::other(format!(
                "there is no terminal to ask at; set {PIN}, or add pin-source=file:PATH to the key URI"
            ))),
            None => {
                let warning = match tries {
                    PinTries::Unknown => "",
                    PinTries::Low => " (it was wrong before)",
                    PinTries::Last => " (LAST TRY before the token locks itself)",
                };
                ask(&format!("PIN of token {token:?}{warning}: "))
            }
        }
    }
}

fn variable(name: &str) -> Option<Zeroizing<String>> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(Zeroizing::new)
}

/// Asks at the terminal without showing what is typed.
fn ask(prompt: &str) -> io::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new)
}
