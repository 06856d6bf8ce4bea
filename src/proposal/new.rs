//! A proposal from a template and settings.

use crate::text::clip;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::catalogue::{Catalogue, Template, UnknownTemplate, nearest};
use super::parameter::{Parameter, ParameterDefault, ParameterKind};
use super::private_key::{self, PrivateKey};
use super::time::{TimeError, write};
use super::value::{ValueError, ValueSource, read_value};
use super::{Proposal, Script, ScriptCheck};
use crate::digest::HostData;
use crate::host_data;

/// One `NAME=VALUE` or `NAME=@FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The parameter's name.
    pub name: String,
    /// Where its value stands.
    pub source: ValueSource,
}

/// A text that is no setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not NAME=VALUE or NAME=@FILE")]
pub struct SettingError(String);

/// Why no proposal could be made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// No such template.
    #[error(transparent)]
    Template(#[from] UnknownTemplate),
    /// A setting that the action does not take.
    #[error("{template} has no parameter {name:?}{}; {}", did_you_mean(nearest.as_deref()), list(known))]
    Unknown {
        /// The template.
        template: String,
        /// The setting's name.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// What it has.
        known: Vec<String>,
    },
    /// Settings that the action needs and were not given.
    #[error("{template} needs {}; {}", missing.join(", "), list(known))]
    Missing {
        /// The template.
        template: String,
        /// What is missing.
        missing: Vec<String>,
        /// What it has.
        known: Vec<String>,
    },
    /// A value that the parameter does not take.
    #[error("the value of {name} cannot be used")]
    Value {
        /// The parameter.
        name: String,
        /// Why.
        #[source]
        source: ValueError,
    },
    /// Host data that is not the policy's.
    #[error("host_data is not that of the security policy, which is {expected}{}", reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default())]
    HostData {
        /// What it should be.
        expected: HostData,
        /// The mistake, if it is a known one.
        reason: Option<String>,
    },
    /// A private key: proposals are public.
    #[error(transparent)]
    PrivateKey(#[from] PrivateKey),
    /// The clock stands where no certificate can.
    #[error("this machine's clock gives no time that CCF takes")]
    Clock(#[from] TimeError),
}

impl Setting {
    /// Reads `NAME=VALUE`, `NAME=@FILE` or `NAME=@FILE,@FILE…`; several files give several settings.
    pub fn parse(text: &str) -> Result<Vec<Self>, SettingError> {
        let (name, value) = text.split_once('=').ok_or_else(|| SettingError(clip(text, 80)))?;
        let setting = |source| Self { name: name.into(), source };
        Ok(match value.strip_prefix('@') {
            Some(files) => files.split(",@").map(|file| setting(ValueSource::File(file.into()))).collect(),
            None => vec![setting(ValueSource::Text(value.into()))],
        })
    }
}

/// The proposal of one action, which `template` of the `catalogue` describes, with these settings.
///
/// What is not given and has a default gets it: `valid_from` is `now`, and host data is computed from its policy.
/// Host data that is given must be that of the policy. Scripts are checked by `check`.
///
/// # Errors
/// An unknown template or parameter, a missing one, and a value that is not what the parameter takes.
pub fn from_template(
    catalogue: &Catalogue,
    template: &str,
    settings: &[Setting],
    now: OffsetDateTime,
    check: ScriptCheck,
) -> Result<Proposal, NewError> {
    let template = catalogue.get(template)?;
    if let Some(unknown) = settings.iter().find(|s| template.parameter(&s.name).is_none()) {
        let names = template.parameters.iter().map(|p| p.name.as_str());
        return Err(NewError::Unknown {
            template: template.name.clone(),
            name: unknown.name.clone(),
            nearest: nearest(&unknown.name, names).map(Into::into),
            known: known(template),
        });
    }
    let mut values = Map::new();
    for parameter in &template.parameters {
        let sources: Vec<_> = settings.iter().filter(|s| s.name == parameter.name).map(|s| s.source.clone()).collect();
        if !sources.is_empty() {
            let value = read(template, parameter, &sources, now, check)
                .map_err(|source| NewError::Value { name: parameter.name.clone(), source })?;
            values.insert(parameter.name.clone(), value);
        }
    }
    for parameter in &template.parameters {
        fill(parameter, &mut values, now)?;
    }
    let missing = template.parameters.iter().filter(|p| p.required && !values.contains_key(&p.name));
    let missing: Vec<_> = missing.map(|p| p.name.clone()).collect();
    // Host data without its policy lacks the policy; without either, naming the policy is enough.
    let missing: Vec<_> = missing.iter().filter(|name| !derived(template, name, &missing)).cloned().collect();
    if !missing.is_empty() {
        return Err(NewError::Missing { template: template.name.clone(), missing, known: known(template) });
    }
    let action = super::Action::new(&template.name, template.args(values));
    let proposal = Proposal::of(vec![action]);
    match private_key::find(proposal.value()).into_iter().next() {
        Some(key) => Err(key.into()),
        None => Ok(proposal),
    }
}

/// Reads a value as its parameter and its action ask.
fn read(
    template: &Template,
    parameter: &Parameter,
    sources: &[ValueSource],
    now: OffsetDateTime,
    check: ScriptCheck,
) -> Result<Value, ValueError> {
    match parameter.kind {
        ParameterKind::Script => {
            let script = Script::read(sources)?;
            check(&template.name, &script)?;
            Ok(script.text.into())
        }
        // What is removed is named as it was written, even where it should not have been written so.
        ParameterKind::Hex { .. } if template.removes_by_exact_text => read_value(&ParameterKind::Text, sources, now),
        _ => read_value(&parameter.kind, sources, now),
    }
}

/// Gives a parameter its default, or checks what was given against it.
fn fill(parameter: &Parameter, values: &mut Map<String, Value>, now: OffsetDateTime) -> Result<(), NewError> {
    match &parameter.default {
        Some(ParameterDefault::Now) if !values.contains_key(&parameter.name) => {
            values.insert(parameter.name.clone(), write(now)?.into());
        }
        Some(ParameterDefault::Sha256(of)) => {
            let Some(text) = values.get(of).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
                return Ok(());
            };
            let expected = host_data::of_policy(text.as_bytes());
            let given = values.get(&parameter.name).and_then(Value::as_str).and_then(|t| t.parse::<HostData>().ok());
            match given {
                Some(given) if given != expected => {
                    let reason = host_data::explain_mismatch(&given, text.as_bytes()).map(|m| m.to_string());
                    return Err(NewError::HostData { expected, reason });
                }
                _ => values.insert(parameter.name.clone(), expected.to_string().into()),
            };
        }
        _ => {}
    }
    Ok(())
}

/// Whether `name` would follow from another one that is missing.
fn derived(template: &Template, name: &str, missing: &[String]) -> bool {
    let default = template.parameter(name).and_then(|p| p.default.as_ref());
    matches!(default, Some(ParameterDefault::Sha256(of)) if missing.contains(of))
}

fn known(template: &Template) -> Vec<String> {
    let note = |p: &Parameter| match (p.required && p.default.is_none(), &p.kind) {
        (true, _) => p.name.clone(),
        (false, ParameterKind::Boolean) => format!("[{}=true|false]", p.name),
        (false, _) => format!("[{}]", p.name),
    };
    template.parameters.iter().map(note).collect()
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|n| format!(", did you mean {n}?")).unwrap_or_default()
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "it takes none".into() } else { format!("it takes {}", known.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

    fn new(template: &str, settings: &[&str]) -> Result<Value, NewError> {
        let settings: Vec<_> = settings.iter().flat_map(|s| Setting::parse(s).unwrap()).collect();
        let now = datetime!(2026-11-22 13:25:27 UTC);
        from_template(Catalogue::builtin(), template, &settings, now, crate::review::check_script)
            .map(|p| p.value()["actions"][0].clone())
    }

    #[test]
    fn an_action_without_parameters_has_no_args() {
        assert_eq!(new("trigger_ledger_rekey", &[]).unwrap(), json!({"name": "trigger_ledger_rekey"}));
        let acme = json!({"name": "trigger_acme_refresh", "args": {}});
        assert_eq!(new("trigger_acme_refresh", &[]).unwrap(), acme);
    }

    #[test]
    fn valid_from_is_now_unless_given() {
        let node = format!("node_id={}", "ab".repeat(32));
        let made = new("transition_node_to_trusted", &[&node, "validity_period_days=90"]).unwrap();
        assert_eq!(
            made["args"],
            json!({"node_id": "ab".repeat(32), "valid_from": "261122132527Z", "validity_period_days": 90})
        );
        let made = new("transition_node_to_trusted", &[&node, "valid_from=2026-01-01T01:00:00+01:00"]).unwrap();
        assert_eq!(made["args"]["valid_from"], "260101000000Z");
    }

    #[test]
    fn host_data_is_computed_from_the_policy_and_checked_against_it() {
        let policy = "security_policy=package policy\n";
        let made = new("add_snp_host_data", &[policy]).unwrap();
        let right = host_data::of_policy(b"package policy\n").to_string();
        assert_eq!(made["args"], json!({"host_data": right, "security_policy": "package policy\n"}));
        assert_eq!(new("add_snp_host_data", &[&format!("host_data={right}"), policy]).unwrap(), made);
        let wrong = format!("host_data={}", host_data::of_policy(b"package policy\r\n"));
        let error = new("add_snp_host_data", &[&wrong, policy]).unwrap_err().to_string();
        assert!(error.contains(&right) && error.contains("CRLF"), "{error}");
        let unverified = new("add_snp_host_data", &[&wrong, "security_policy="]).unwrap();
        assert_eq!(unverified["args"]["security_policy"], "");
    }

    #[test]
    fn a_wrong_entry_is_removed_by_its_exact_text() {
        for (template, name) in [
            ("remove_snp_host_data", "host_data"),
            ("remove_snp_measurement", "measurement"),
            ("remove_virtual_host_data", "host_data"),
            ("remove_virtual_measurement", "measurement"),
            ("remove_node_code", "code_id"),
            ("remove_executor_node_code", "executor_code_id"),
        ] {
            let text = "0xAB CD";
            assert_eq!(new(template, &[&format!("{name}={text}")]).unwrap()["args"][name], text, "{template}");
            assert!(new(template, &[&format!("{name}=")]).is_err());
        }
        assert!(new("remove_member", &["member_id=AB"]).is_err());
        assert!(new("remove_snp_minimum_tcb_version", &["cpuid=00A00F11"]).is_err());
    }

    #[test]
    fn no_private_key_is_written() {
        let private =
            |template: &str, settings: &[&str]| matches!(new(template, settings), Err(NewError::PrivateKey(_)));
        let jwks = r#"jwks={"keys": [{"kid": "1", "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}]}"#;
        assert!(private("set_jwt_public_signing_keys", &["issuer=https://x", jwks]));
        let node = format!("node_id={}", "ab".repeat(32));
        assert!(private("set_node_data", &[&node, r#"node_data={"key": {"kty": "oct", "k": "AQAB"}}"#]));
        let pem = "-----BEGIN PRIVATE KEY-----\\nx\\n";
        assert!(private("set_node_data", &[&node, &format!(r#"node_data={{"key": "{pem}"}}"#)]));
    }

    #[test]
    fn scripts_with_which_a_service_could_not_go_on_are_not_written() {
        let error = new("set_constitution", &["constitution=// export function validate resolve apply"]).unwrap_err();
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("does not export"), "{error}");
        assert!(new("set_node_join_policy", &["policy=export function apply( {"]).is_err());
        assert!(new("set_node_join_policy", &["policy=export function apply(s) { return true; }"]).is_ok());
    }

    #[test]
    fn settings_that_do_not_fit_are_named() {
        let error = |template: &str, settings: &[&str]| new(template, settings).unwrap_err().to_string();
        assert!(error("remove_nod", &[]).contains("did you mean remove_node?"));
        assert!(error("remove_node", &["nodeid=x"]).contains("did you mean node_id?"));
        assert!(error("remove_node", &["colour=x"]).ends_with("it takes node_id"));
        assert!(error("trigger_snapshot", &["a=b"]).ends_with("it takes none"));
        assert_eq!(
            error("add_snp_uvm_endorsement", &["feed=x"]),
            "add_snp_uvm_endorsement needs did, svn; it takes did, feed, svn"
        );
        assert!(error("add_snp_host_data", &[]).starts_with("add_snp_host_data needs security_policy;"));
        let empty = error("add_snp_host_data", &["security_policy="]);
        assert!(empty.starts_with("add_snp_host_data needs host_data;"), "{empty}");
        assert!(error("remove_node", &["node_id=x"]).contains("node_id"));
        assert!(new("add_virtual_host_data", &["host_data=AB"]).is_err());
        assert!(Setting::parse("x").is_err());
    }
}
