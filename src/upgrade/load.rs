//! From `upgrade.toml` and its artefacts to a plan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::artefacts::Artefacts;
use super::intent::{Intent, IntentError, OldIntent};
use super::{Named, Plan, new_code};
use crate::ccf_version::{CcfVersion, VersionError};
use crate::certificate::{self, CertificateError};
use crate::digest::{HexError, HostData, MrEnclave, SnpMeasurement, sha256};
use crate::evidence::node::Trust;
use crate::evidence::recognise::EvidenceError;
use crate::files::{self, FileError};
use crate::platform::Platform;
use crate::proposal::catalogue::Catalogue;
use crate::proposal::{NewError, Proposal, Registration, Setting, ValueSource, from_template};
use crate::review::{Application, check_script};
use crate::service::ReferenceError;

/// The largest certificate file, in bytes.
const MAX_CERTIFICATE: u64 = 64 << 10;
/// More nodes than a service has.
const MAX_NODES: usize = 1000;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// `upgrade.toml` itself.
    #[error(transparent)]
    Intent(#[from] IntentError),
    /// A file that a key names.
    #[error("{key} in upgrade.toml names a file that cannot be used")]
    Artefact {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: FileError,
    },
    /// The service's certificate.
    #[error("cannot use the service certificate {file}")]
    Certificate {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: CertificateError,
    },
    /// An artefact that a key names cannot be read.
    #[error("{key} in upgrade.toml names a file that cannot be used")]
    Evidence {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: EvidenceError,
    },
    /// An artefact is not what its key says, or is unsound.
    #[error("{key} in upgrade.toml: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The constitution or the application.
    #[error("{key} in upgrade.toml cannot be proposed")]
    Rules {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: NewError,
    },
}

impl Plan {
    /// The plan that an `upgrade.toml` makes of its artefacts. `trust` says under whose roots UVM endorsements are judged.
    ///
    /// # Errors
    /// [`LoadError`]: something cannot be read, is unsound, or does not fit together.
    pub fn load(path: &Path, trust: &Trust, now: OffsetDateTime) -> Result<(Intent, Self), LoadError> {
        let intent = Intent::read(path)?;
        if !(1..=MAX_NODES).contains(&intent.new.nodes) {
            return Err(value("[new] nodes", format!("a service has 1 to {MAX_NODES} nodes")));
        }
        let mut artefacts = Artefacts::new(trust);
        let mut plan = Self::of(new_code::code(&intent.new, &mut artefacts)?, intent.new.nodes);
        plan.artefacts = artefacts.digests();
        plan.service = service(&intent.service.cert)?;
        let version = intent.new.version.as_deref().map(str::parse::<CcfVersion>).transpose();
        plan.version = version.map_err(|error: VersionError| value("[new] version", error))?;
        plan.old = intent.old.as_ref().map(|old| named(old, plan.new.platform)).transpose()?;
        let rules = &intent.rules;
        plan.minimum_f = rules.minimum_fault_tolerance;
        plan.validity_days = rules.validity_days;
        if rules.validity_days == 0 {
            return Err(value("[rules] validity_days", "a certificate is valid for at least one day"));
        }
        let proposer = rules.proposer.as_deref().map(str::parse).transpose();
        plan.proposer = proposer.map_err(|error: ReferenceError| value("[rules] proposer", error))?;
        if !rules.constitution.is_empty() {
            let made = propose("set_constitution", "[rules] constitution", "constitution", &rules.constitution, now)?;
            plan.constitution = made.actions().first().and_then(|a| a.text("constitution")).map(str::to_owned);
        }
        if let Some(bundle) = &rules.application {
            let key = "[rules] application";
            let made = propose("set_js_app", key, "bundle", std::slice::from_ref(bundle), now)?;
            let bundle = made.actions().first().and_then(|action| action.arg("bundle")).cloned();
            if bundle.as_ref().and_then(Application::of_bundle).is_none() {
                return Err(value(
                    key,
                    "a bundle is {metadata: {endpoints}, modules: [{name, module}]} and nothing else",
                ));
            }
            plan.application = bundle;
        }
        plan.waived = intent.waive.clone();
        plan.without_artefact = intent.new.without_artefact.clone();
        Ok((intent, plan))
    }
}

pub(super) fn value(key: &str, reason: impl ToString) -> LoadError {
    LoadError::Value { key: key.into(), reason: reason.to_string() }
}

fn service(path: &Path) -> Result<[u8; 32], LoadError> {
    let key = "[service] cert";
    let pem = files::read(path, MAX_CERTIFICATE).map_err(|source| LoadError::Artefact { key, source })?;
    let failed = |source| LoadError::Certificate { file: files::shown(path).into_owned(), source };
    let chain = certificate::from_pem(&pem).map_err(failed)?;
    match chain.as_slice() {
        [one] => Ok(sha256(one)),
        _ => Err(value(key, "the file holds several certificates, and a service has one")),
    }
}

pub(super) fn hex<T: std::str::FromStr<Err = HexError>>(key: &str, text: Option<&str>) -> Result<T, LoadError> {
    text.unwrap_or_default().parse().map_err(|error| value(key, error))
}

fn propose(
    template: &str,
    key: &'static str,
    parameter: &str,
    files: &[PathBuf],
    now: OffsetDateTime,
) -> Result<Proposal, LoadError> {
    let setting = |path: &PathBuf| Setting { name: parameter.into(), source: ValueSource::File(path.clone()) };
    let settings: Vec<Setting> = files.iter().map(setting).collect();
    from_template(Catalogue::builtin(), template, &settings, now, check_script)
        .map_err(|source| LoadError::Rules { key, source })
}

fn named(old: &OldIntent, platform: Platform) -> Result<Named, LoadError> {
    let mut values = BTreeSet::new();
    let (host_data, measurement) = match platform {
        Platform::Snp => (Some(Registration::SnpHostData), Some(Registration::SnpMeasurement)),
        Platform::Virtual => (Some(Registration::VirtualHostData), Some(Registration::VirtualMeasurement)),
        Platform::Sgx => (None, None),
    };
    let code_id = (platform == Platform::Sgx).then_some(Registration::SgxCode);
    let given = [
        ("host_data", host_data, &old.host_data),
        ("measurement", measurement, &old.measurement),
        ("code_id", code_id, &old.code_id),
    ];
    for (key, kind, list) in given {
        for text in list {
            let key = format!("[old] {key}");
            let Some(kind) = kind else {
                return Err(value(&key, format!("nodes of the platform {platform} have none")));
            };
            match kind {
                Registration::VirtualMeasurement => {}
                Registration::SnpMeasurement => drop(hex::<SnpMeasurement>(&key, Some(text))?),
                Registration::SgxCode => drop(hex::<MrEnclave>(&key, Some(text))?),
                _ => drop(hex::<HostData>(&key, Some(text))?),
            }
            values.insert((kind, text.clone()));
        }
    }
    if !old.uvm.is_empty() && platform != Platform::Snp {
        return Err(value("[old] uvm", format!("nodes of the platform {platform} have none")));
    }
    values.extend(old.uvm.iter().map(|uvm| (Registration::SnpUvmEndorsement, format!("{} {}", uvm.did, uvm.feed))));
    let nodes = old.nodes.iter().map(|id| id.parse().map_err(|error| value("[old] nodes", error)));
    Ok(Named { values, nodes: nodes.collect::<Result<_, LoadError>>()? })
}

#[cfg(test)]
mod tests;
