//! Every action of CCF's own constitutions, as data: `templates/proposals/NAME.toml`.
//!
//! Names, types and bounds are those of CCF's sample constitutions from CCF 4 to 7, and of its virtual actions.
//! A service may have another constitution: what the catalogue does not know may still be an action there.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Action;
use super::parameter::Parameter;
use crate::ccf_version::Feature;
use crate::platform::Platform;

/// An action: what it does, what it takes, and an example.
#[derive(Debug, Deserialize, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// The action's name.
    #[serde(skip_deserializing)]
    pub name: &'static str,
    /// What it does, in a sentence or two.
    pub description: String,
    /// The platform that it concerns, if it is not every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What of CCF it came and went with; without one, every version has it.
    #[serde(skip_serializing)]
    #[cfg_attr(feature = "shapes", schemars(skip))]
    pub feature: Option<Feature>,
    /// The first version of CCF that has it; without one, CCF 4 has it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The first version of CCF that no longer has it.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// Whether every other open proposal is dropped when it is applied.
    #[serde(default)]
    pub drops: bool,
    /// What it takes, in the order in which it is written. An action without parameters has no `args` at all.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Arguments that are right, in form.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub example: Map<String, Value>,
}

/// A name that is no template's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no template {name:?}{}", nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
pub struct UnknownTemplate {
    /// The name.
    pub name: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl Template {
    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// Whether CCF's own constitutions refuse even empty `args`.
    pub(crate) fn refuses_args(&self) -> bool {
        matches!(self.name, "trigger_ledger_rekey" | "trigger_recovery_shares_refresh")
    }

    /// Whether they refuse arguments that they do not know, rather than pass them over.
    pub(crate) fn refuses_unknown(&self) -> bool {
        self.name == "set_service_configuration"
    }

    /// Whether it removes what was registered under a text that anybody may have written: a wrong entry is removed by its
    /// exact text only.
    pub(crate) fn removes_by_text(&self) -> bool {
        let is_checked =
            matches!(self.name, "remove_member" | "remove_node" | "remove_user" | "remove_snp_minimum_tcb_version");
        self.name.starts_with("remove_") && !is_checked
    }

    /// The example as an action.
    pub fn example(&self) -> Action {
        Action::new(self.name, self.args(self.example.clone()))
    }

    /// `values` as arguments, in the parameters' order; `None` for an action without parameters.
    pub(super) fn args(&self, mut values: Map<String, Value>) -> Option<Value> {
        let ordered = self.parameters.iter().filter_map(|p| values.swap_remove_entry(&p.name));
        let ordered: Map<_, _> = ordered.collect();
        (!self.parameters.is_empty()).then_some(Value::Object(ordered))
    }
}

/// Every action, by name.
pub fn all() -> &'static [Template] {
    &CATALOGUE
}

/// The action of this name.
pub fn find(name: &str) -> Option<&'static Template> {
    all().iter().find(|t| t.name == name)
}

/// The action of this name, or what is wrong with the name.
pub fn get(name: &str) -> Result<&'static Template, UnknownTemplate> {
    find(name).ok_or_else(|| UnknownTemplate {
        name: name.chars().take(80).collect(),
        nearest: nearest(name, all().iter().map(|t| t.name)).map(Into::into),
    })
}

/// Whether every other open proposal is dropped when this action is applied, as far as is known.
pub fn drops(name: &str) -> bool {
    find(name).is_some_and(|t| t.drops)
}

/// The name among `names` that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

macro_rules! embedded {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../templates/proposals/", $name, ".toml")))),*]
    };
}

const SOURCES: &[(&str, &str)] = embedded! {
    "add_executor_node_code"
    "add_node_code"
    "add_snp_host_data"
    "add_snp_measurement"
    "add_snp_uvm_endorsement"
    "add_virtual_host_data"
    "add_virtual_measurement"
    "assert_service_identity"
    "cleanup_legacy_jwt_records"
    "refresh_js_app_bytecode_cache"
    "remove_ca_cert_bundle"
    "remove_executor_node_code"
    "remove_js_app"
    "remove_jwt_issuer"
    "remove_member"
    "remove_node"
    "remove_node_code"
    "remove_node_join_policy"
    "remove_snp_host_data"
    "remove_snp_measurement"
    "remove_snp_minimum_tcb_version"
    "remove_snp_uvm_endorsement"
    "remove_user"
    "remove_virtual_host_data"
    "remove_virtual_measurement"
    "set_all_nodes_certificate_validity"
    "set_ca_cert_bundle"
    "set_constitution"
    "set_js_app"
    "set_js_runtime_options"
    "set_jwt_issuer"
    "set_jwt_public_signing_keys"
    "set_member"
    "set_member_data"
    "set_node_certificate_validity"
    "set_node_data"
    "set_node_join_policy"
    "set_recovery_threshold"
    "set_service_certificate_validity"
    "set_service_configuration"
    "set_snp_minimum_tcb_version"
    "set_snp_minimum_tcb_version_hex"
    "set_user"
    "set_user_data"
    "transition_node_to_trusted"
    "transition_service_to_open"
    "trigger_acme_refresh"
    "trigger_ledger_chunk"
    "trigger_ledger_rekey"
    "trigger_recovery_shares_refresh"
    "trigger_snapshot"
};

/// A template that does not parse is left out; a test proves that none is.
static CATALOGUE: LazyLock<Vec<Template>> =
    LazyLock::new(|| SOURCES.iter().filter_map(|(name, text)| read(name, text).ok()).collect());

fn read(name: &'static str, text: &str) -> Result<Template, toml::de::Error> {
    let mut template = Template { name, ..toml::from_str(text)? };
    template.since = template.feature.and_then(Feature::since);
    template.removed = template.feature.and_then(Feature::removed);
    for parameter in &mut template.parameters {
        parameter.since = parameter.feature.and_then(Feature::since);
        parameter.removed = parameter.feature.and_then(Feature::removed);
    }
    Ok(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_reads_and_the_folder_and_the_catalogue_agree() {
        for (name, text) in SOURCES {
            read(name, text).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/proposals");
        let names = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.map(|n| n.strip_suffix(".toml").unwrap().to_string()).collect();
        names.sort();
        assert_eq!(names, all().iter().map(|t| t.name).collect::<Vec<_>>());
    }

    #[test]
    fn examples_give_what_is_required_and_nothing_unknown() {
        for template in all() {
            for name in template.example.keys() {
                assert!(template.parameter(name).is_some(), "{}: {name}", template.name);
            }
            for parameter in template.parameters.iter().filter(|p| p.required) {
                assert!(template.example.contains_key(&parameter.name), "{}: {}", template.name, parameter.name);
            }
        }
    }

    #[test]
    fn the_actions_that_drop_other_proposals_are_those_of_the_sample_constitution() {
        let drops: Vec<_> = all().iter().filter(|t| t.drops).map(|t| t.name).collect();
        let known = [
            "add_node_code",
            "add_snp_host_data",
            "add_snp_measurement",
            "add_snp_uvm_endorsement",
            "add_virtual_host_data",
            "add_virtual_measurement",
            "set_constitution",
            "set_snp_minimum_tcb_version",
            "set_snp_minimum_tcb_version_hex",
        ];
        assert_eq!(drops, known);
    }

    #[test]
    fn the_table_in_the_documentation_is_this_catalogue() {
        let cell = |text: Option<&str>| text.unwrap_or_default().to_string();
        let rows = all().iter().map(|t| {
            let parameters = t.parameters.iter().map(|p| match p.required && p.default.is_none() {
                true => format!("`{}`", p.name),
                false => format!("[`{}`]", p.name),
            });
            let parameters = parameters.collect::<Vec<_>>().join(" ");
            let (since, removed) = (cell(t.since.as_deref()), cell(t.removed.as_deref()));
            let drops = if t.drops { "yes" } else { "" };
            format!("| `{}` | {parameters} | {since} | {removed} | {drops} |\n", t.name)
        });
        let head = "| action | parameters | since CCF | removed in | drops others |\n|---|---|---|---|---|\n";
        let table = head.to_string() + &rows.collect::<String>();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proposals.md");
        let page = std::fs::read_to_string(path).unwrap();
        assert!(page.contains(&table), "docs/proposals.md should hold:\n{table}");
    }
}
