//! The actions that can be proposed, as data: those of CCF's own constitutions, and templates of the user's own.
//!
//! A built-in action is a file, `templates/proposals/NAME.toml`. Names, types and bounds are those of CCF's sample constitutions
//! from CCF 4 to 7, and of its virtual actions. A service may have another constitution: what the catalogue does not know may
//! still be an action there.

mod folder;

use crate::text::clip;
use std::path::PathBuf;
use std::sync::OnceLock;

pub use super::template::{Decides, Fault, Source, Stage, Template};
pub use folder::TemplateError;

/// What can be proposed: every built-in action, and the user's own.
#[derive(Clone, Debug, Default)]
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
        (0..SOURCES.len()).filter_map(built_in).chain(&self.own)
    }

    /// The action of this name.
    pub fn find(&self, name: &str) -> Option<&Template> {
        match SOURCES.iter().position(|(known, _)| *known == name) {
            Some(at) => built_in(at),
            None => self.own.iter().find(|t| t.name == name),
        }
    }

    /// The action of this name, or what is wrong with the name.
    pub fn get(&self, name: &str) -> Result<&Template, UnknownTemplate> {
        self.find(name)
            .ok_or_else(|| UnknownTemplate { name: clip(name, 80), nearest: self.nearest(name).map(Into::into) })
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

/// The template of this place in [`SOURCES`], read when it is first asked for: a proposal needs few of them.
/// One that does not parse is left out; a test proves that none is.
fn built_in<'a>(at: usize) -> Option<&'a Template> {
    static READ: [OnceLock<Option<Template>>; SOURCES.len()] = [const { OnceLock::new() }; SOURCES.len()];
    let (name, text) = SOURCES[at];
    READ[at].get_or_init(|| Template::read(name, text, Source::BuiltIn).ok()).as_ref()
}

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
        assert_eq!(names, Catalogue::builtin().templates().map(|t| t.name.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn no_two_built_in_actions_have_the_same_place() {
        let templates: Vec<_> = Catalogue::builtin().templates().collect();
        for (at, template) in templates.iter().enumerate() {
            let same = templates[..at].iter().find(|other| other.rank() == template.rank());
            assert!(same.is_none(), "{} and {}", template.name, same.unwrap().name);
        }
    }

    #[test]
    fn the_actions_that_drop_other_proposals_are_those_of_the_sample_constitution() {
        let drops: Vec<_> = Catalogue::builtin().templates().filter(|t| t.drops).map(|t| t.name.as_str()).collect();
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

    /// The documentation holds what is read from the templates; with `CCF_GOV_UPDATE_DOCS` set, it is written there.
    #[test]
    fn the_tables_in_the_documentation_are_this_catalogue() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/proposals.md");
        let written = std::fs::read_to_string(path).unwrap();
        let mut right = written.clone();
        for (head, rows) in [
            ("| stage | actions, in order |\n|---|---|\n", order()),
            ("| action | parameters | since CCF | removed in | drops others |\n|---|---|---|---|---|\n", actions()),
        ] {
            let start = right.find(head).expect("the page has the table") + head.len();
            let length = right[start..].find("\n\n").map_or(right.len() - start, |end| end + 1);
            right.replace_range(start..start + length, &rows);
        }
        if std::env::var_os("CCF_GOV_UPDATE_DOCS").is_some() {
            std::fs::write(path, right).unwrap();
        } else {
            assert!(written == right, "docs/proposals.md is stale: set CCF_GOV_UPDATE_DOCS=1 to write it anew");
        }
    }

    /// The stages, and the actions of each in order.
    fn order() -> String {
        let mut stages: Vec<(Stage, Vec<String>)> = vec![(Stage::Other, Vec::new())];
        let mut ordered: Vec<_> = Catalogue::builtin().templates().collect();
        ordered.sort_by_key(|t| t.rank());
        for template in ordered {
            let name = format!("`{}`", template.name);
            match stages.iter_mut().find(|(stage, _)| *stage == template.stage) {
                Some((_, names)) => names.push(name),
                None => stages.push((template.stage, vec![name])),
            }
        }
        stages.sort_by_key(|(stage, _)| *stage);
        let row = |(stage, names): &(Stage, Vec<String>)| {
            let others = "actions without a template, and those without a stage".to_owned();
            let names = if names.is_empty() { others } else { names.join(", ") };
            format!("| `{}` | {names} |\n", serde_json::to_value(stage).unwrap().as_str().unwrap())
        };
        stages.iter().map(row).collect()
    }

    /// The actions by name, with what they take.
    fn actions() -> String {
        let row = |t: &Template| {
            let parameters = t.parameters.iter().map(|p| match p.required && p.default.is_none() {
                true => format!("`{}`", p.name),
                false => format!("[`{}`]", p.name),
            });
            let parameters = parameters.collect::<Vec<_>>().join(" ");
            let (since, removed) = (t.since.as_deref().unwrap_or_default(), t.removed.as_deref().unwrap_or_default());
            let drops = if t.drops { "yes" } else { "" };
            format!("| `{}` | {parameters} | {since} | {removed} | {drops} |\n", t.name)
        };
        Catalogue::builtin().templates().map(row).collect()
    }
}
