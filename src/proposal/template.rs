//! A template: an action that can be proposed, as its file describes it.

mod file;

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::Action;
use super::parameter::Parameter;
use crate::ccf_version::Feature;
use crate::platform::Platform;

pub use file::Fault;
pub(super) use file::is_action_name;

/// An action: what it does, what it takes, and an example.
///
/// It is read from `NAME.toml`; `docs/proposals.md` describes the format field by field.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Template {
    /// The action's name.
    pub name: String,
    /// Where the template comes from: `built in`, or its file.
    #[serde(serialize_with = "as_text")]
    #[cfg_attr(feature = "shapes", schemars(with = "String"))]
    pub source: Source,
    /// What it does, in a sentence or two.
    pub description: String,
    /// The platform that it concerns, if it is not every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// What of CCF it came and went with; without one, every version has it.
    #[serde(skip)]
    pub feature: Option<Feature>,
    /// The first version of CCF that has it; without one, CCF 4 has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The first version of CCF that no longer has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// When it is applied, among the actions of a merged proposal.
    #[serde(skip)]
    pub stage: Stage,
    /// Its place among the actions of its stage, the lowest first; those without one come last, as they were given.
    #[serde(skip)]
    pub order: Option<u32>,
    /// Whether every other open proposal is dropped when it is applied.
    pub drops: bool,
    /// Whether CCF's own constitutions refuse even empty `args`.
    #[serde(skip)]
    pub refuses_args: bool,
    /// Whether they refuse arguments that they do not know, rather than pass them over.
    #[serde(skip)]
    pub refuses_unknown_args: bool,
    /// Whether it removes what was registered under a text that anybody may have written: a wrong entry is removed by its
    /// exact text only.
    #[serde(skip)]
    pub removes_by_exact_text: bool,
    /// What it decides. Two different actions that decide the same thing contradict each other.
    #[serde(skip)]
    pub decides: Vec<Decides>,
    /// What it takes, in the order in which it is written. An action without parameters has no `args` at all.
    pub parameters: Vec<Parameter>,
    /// Arguments that are right, in form.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub example: Map<String, Value>,
}

/// Where a template comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of CCF's own actions, which this program has.
    BuiltIn,
    /// A file of the user's.
    File(PathBuf),
}

/// When an action is applied, among those of a merged proposal: the stages in order.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// What must hold, so that the wrong service refuses everything.
    Assert,
    /// Members, users and their data.
    MembersAndUsers,
    /// Root certificates, then token issuers, then their keys.
    Tokens,
    /// The service's settings, the recovery threshold among them.
    Settings,
    /// Members removed: this fails while the recovery threshold is too high.
    RemoveMembers,
    /// What is registered to join, before what is removed from it.
    Register,
    /// What can no longer join.
    Deregister,
    /// Nodes trusted before nodes removed.
    Nodes,
    /// Certificates renewed.
    Certificates,
    /// The application and how it runs.
    Application,
    /// Everything else: what states no stage, and actions that no template describes.
    #[default]
    Other,
    /// The service opened.
    Open,
    /// New secrets, then chunks and snapshots of the ledger.
    SecretsAndLedger,
    /// The constitution last: every other action is still judged and applied by the rules under which members voted.
    Constitution,
}

/// A thing that an action decides.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Decides {
    /// What it is, for example `UVM endorsement`.
    pub what: String,
    /// The arguments that say which one; none if there is only one.
    #[serde(default)]
    pub by: Vec<String>,
}

impl Template {
    /// The parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|p| p.name == name)
    }

    /// The example as an action.
    pub fn example(&self) -> Action {
        Action::new(&self.name, self.args(self.example.clone()))
    }

    /// Its place in a merged proposal.
    pub(super) fn rank(&self) -> (Stage, u32) {
        (self.stage, self.order.unwrap_or(u32::MAX))
    }

    /// `values` as arguments, in the parameters' order; `None` for an action without parameters.
    pub(super) fn args(&self, mut values: Map<String, Value>) -> Option<Value> {
        let ordered = self.parameters.iter().filter_map(|p| values.swap_remove_entry(&p.name));
        let ordered: Map<_, _> = ordered.collect();
        (!self.parameters.is_empty()).then_some(Value::Object(ordered))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built in"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

fn as_text<S: Serializer>(source: &Source, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(source)
}
