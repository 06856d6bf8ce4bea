//! The actions that can be proposed, as data: those of CCF's own constitutions, and templates of the user's own.
//!
//! A built-in action is a file, `templates/proposals/NAME.toml`. Names, types and bounds are those of CCF's sample constitutions
//! from CCF 4 to 7, and of its virtual actions. A service may have another constitution: what the catalogue does not know may
//! still be an action there.

mod folder;

use std::path::PathBuf;
use std::sync::LazyLock;

pub use super::template::{Decides, Fault, Source, Stage, Template};
pub use folder::TemplateError;

/// What can be proposed: every built-in action, and the user's own.
#[derive(Clone, Debug)]
pub struct Catalogue {
    own: Vec<Template>,
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

impl Catalogue {
    /// The actions of CCF's own constitutions, and no others.
    pub fn builtin() -> &'static Self {
        static BUILTIN: Catalogue = Catalogue { own: Vec::new() };
        &BUILTIN
    }

    /// The built-in actions, and those of the templates in `folders`, each a file `NAME.toml`.
    ///
    /// # Errors
    /// A folder or a file that cannot be read or holds something else, and a template that has the name of another one.
    pub fn with_folders(folders: &[PathBuf]) -> Result<Self, TemplateError> {
        Ok(Self { own: folder::read(folders)? })
    }

    /// Every action: the built-in ones by name, then the user's own.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        BUILTIN.iter().chain(&self.own)
    }

    /// The action of this name.
    pub fn find(&self, name: &str) -> Option<&Template> {
        self.templates().find(|t| t.name == name)
    }

    /// The action of this name, or what is wrong with the name.
    pub fn get(&self, name: &str) -> Result<&Template, UnknownTemplate> {
        self.find(name).ok_or_else(|| UnknownTemplate {
            name: name.chars().take(80).collect(),
            nearest: self.nearest(name).map(Into::into),
        })
    }

    /// The name that `given` was probably meant to be.
    pub fn nearest(&self, given: &str) -> Option<&str> {
        nearest(given, self.templates().map(|t| t.name.as_str()))
    }

    /// Whether every other open proposal is dropped when this action is applied, as far as is known.
    pub fn drops(&self, name: &str) -> bool {
        self.find(name).is_some_and(|t| t.drops)
    }
}

/// The name among `names` that `given` was probably meant to be.
pub(crate) fn nearest<'a>(given: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    names
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(likeness, _)| *likeness > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// The name and the text of every file in `templates/proposals`, by name; `build.rs` lists them.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/proposal_templates.rs"));

/// A template that does not parse is left out; a test proves that none is.
static BUILTIN: LazyLock<Vec<Template>> = LazyLock::new(|| {
    let read = |(name, text): &(&str, &str)| Template::read(name, text, Source::BuiltIn).ok();
    SOURCES.iter().filter_map(read).collect()
});

fn is_builtin(name: &str) -> bool {
    SOURCES.iter().any(|(known, _)| *known == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every template that is built in is read here, so that its examples give what is required and nothing unknown.
    #[test]
    fn every_template_reads_and_the_folder_and_the_catalogue_agree() {
        for (name, text) in SOURCES {
            Template::read(name, text, Source::BuiltIn).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/proposals");
        let names = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.map(|n| n.strip_suffix(".toml").unwrap().to_string()).collect();
        names.sort();
        assert_eq!(names, BUILTIN.iter().map(|t| t.name.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn no_two_built_in_actions_have_the_same_place() {
        for (at, template) in BUILTIN.iter().enumerate() {
            let same = BUILTIN[..at].iter().find(|other| other.rank() == template.rank());
            assert!(same.is_none(), "{} and {}", template.name, same.unwrap().name);
        }
    }

    #[test]
    fn the_actions_that_drop_other_proposals_are_those_of_the_sample_constitution() {
        let drops: Vec<_> = BUILTIN.iter().filter(|t| t.drops).map(|t| t.name.as_str()).collect();
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
    fn the_order_of_a_merged_proposal_is_the_one_in_the_documentation() {
        let mut ordered: Vec<_> = BUILTIN.iter().collect();
        ordered.sort_by_key(|t| t.rank());
        let mut rows: Vec<(Stage, Vec<String>)> = Vec::new();
        for template in ordered {
            let name = format!("`{}`", template.name);
            match rows.last_mut().filter(|(stage, _)| *stage == template.stage) {
                Some((_, names)) => names.push(name),
                None => rows.push((template.stage, vec![name])),
            }
        }
        rows.insert(rows.partition_point(|(stage, _)| *stage < Stage::Other), (Stage::Other, Vec::new()));
        let row = |(stage, names): &(Stage, Vec<String>)| {
            let names = if names.is_empty() {
                "actions without a template, and those without a stage".into()
            } else {
                names.join(", ")
            };
            format!("| `{}` | {names} |\n", serde_json::to_value(stage).unwrap().as_str().unwrap())
        };
        let table =
            "| stage | actions, in order |\n|---|---|\n".to_string() + &rows.iter().map(row).collect::<String>();
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proposals.md");
        assert!(std::fs::read_to_string(path).unwrap().contains(&table), "docs/proposals.md should hold:\n{table}");
    }

    #[test]
    fn the_table_in_the_documentation_is_this_catalogue() {
        let cell = |text: Option<&str>| text.unwrap_or_default().to_string();
        let rows = BUILTIN.iter().map(|t| {
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
