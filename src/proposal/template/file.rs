//! A template's file, read strictly: what is wrong with it is named with its line.

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::{Decides, Source, Stage, Template};
use crate::ccf_version::Feature;
use crate::platform::Platform;
use crate::proposal::parameter::{Default, Kind, Parameter};
use crate::text::visible;

/// What is wrong with a template's file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Fault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub reason: String,
}

/// The file, word for word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    description: String,
    platform: Option<Platform>,
    feature: Option<Feature>,
    stage: Option<Spanned<Stage>>,
    order: Option<u32>,
    #[serde(default)]
    drops_other_proposals: bool,
    #[serde(default)]
    refuses_args: bool,
    #[serde(default)]
    refuses_unknown_args: bool,
    #[serde(default)]
    removes_by_exact_text: bool,
    #[serde(default)]
    decides: Vec<Spanned<Decides>>,
    #[serde(default)]
    parameters: Vec<Spanned<Entry>>,
    example: Option<Spanned<Map<String, Value>>>,
}

/// One of its `[[parameters]]`, word for word.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: String,
    r#type: String,
    bytes: Option<u32>,
    min: Option<i64>,
    max: Option<i64>,
    values: Option<Vec<String>>,
    required: bool,
    default: Option<Default>,
    feature: Option<Feature>,
    description: String,
}

/// The most bytes of a hexadecimal value.
const MAX_BYTES: u32 = 64;

impl Template {
    /// Reads the file of the action `name`.
    pub(in crate::proposal) fn read(name: &str, text: &str, source: Source) -> Result<Self, Fault> {
        let fault = |at: Option<usize>, reason: String| {
            let before = at.and_then(|at| text.get(..at)).unwrap_or_default();
            Fault { line: before.matches('\n').count() + 1, reason: visible(&reason) }
        };
        let file: File =
            toml::from_str(text).map_err(|e| fault(e.span().map(|span| span.start), e.message().to_owned()))?;
        let mut parameters: Vec<Parameter> = Vec::new();
        for entry in &file.parameters {
            let parameter = entry.get_ref().parameter();
            let parameter = parameter.and_then(|parameter| match parameters.iter().any(|p| p.name == parameter.name) {
                true => Err(format!("there are two parameters {:?}", parameter.name)),
                false => Ok(parameter),
            });
            parameters.push(parameter.map_err(|reason| fault(Some(entry.span().start), reason))?);
        }
        if let Some(stage) =
            file.stage.as_ref().filter(|s| *s.get_ref() == Stage::Constitution && source != Source::BuiltIn)
        {
            return Err(fault(
                Some(stage.span().start),
                "the stage `constitution` is for set_constitution alone, which comes last".into(),
            ));
        }
        let example_at = file.example.as_ref().map(|example| example.span().start);
        let decided_at: Vec<usize> = file.decides.iter().map(|decides| decides.span().start).collect();
        let decides = file.decides.into_iter().map(Spanned::into_inner);
        let template = Self {
            name: name.to_owned(),
            source,
            description: one_line(&file.description),
            platform: file.platform,
            feature: file.feature,
            since: file.feature.and_then(Feature::since),
            removed: file.feature.and_then(Feature::removed),
            stage: file.stage.map(Spanned::into_inner).unwrap_or_default(),
            order: file.order,
            drops: file.drops_other_proposals,
            refuses_args: file.refuses_args,
            refuses_unknown_args: file.refuses_unknown_args,
            removes_by_exact_text: file.removes_by_exact_text,
            decides: decides.map(|Decides { what, by }| Decides { what: one_line(&what), by }).collect(),
            parameters,
            example: file.example.map(Spanned::into_inner).unwrap_or_default(),
        };
        for (parameter, entry) in template.parameters.iter().zip(&file.parameters) {
            template.check_default(parameter).map_err(|reason| fault(Some(entry.span().start), reason))?;
        }
        for (decides, at) in template.decides.iter().zip(decided_at) {
            template.check_names(&decides.by).map_err(|reason| fault(Some(at), format!("`by` names {reason}")))?;
        }
        template
            .check_names(template.example.keys())
            .map_err(|reason| fault(example_at, format!("[example] has {reason}")))?;
        let needed = template.parameters.iter().filter(|p| p.required);
        if let Some(missing) = needed.map(|p| &p.name).find(|name| !template.example.contains_key(*name)) {
            return Err(fault(example_at, format!("[example] lacks {missing:?}, which is required")));
        }
        Ok(template)
    }

    /// What a parameter that is not given is made of.
    fn check_default(&self, parameter: &Parameter) -> Result<(), String> {
        match (&parameter.default, &parameter.kind) {
            (Some(Default::Now), kind) if *kind != Kind::Time => {
                Err(format!("only a parameter of type \"time\" is `now` by default, and this is \"{}\"", kind.word()))
            }
            (Some(Default::Sha256(_)), kind) if *kind != Kind::Hex { bytes: 32 } => {
                Err("only a parameter of type \"hex\" with 32 bytes is a SHA-256 by default".into())
            }
            (Some(Default::Sha256(of)), _) => {
                self.check_names([of]).map_err(|reason| format!("it is by default the SHA-256 of {reason}"))
            }
            _ => Ok(()),
        }
    }

    /// All of these are parameters.
    fn check_names<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Result<(), String> {
        match names.into_iter().find(|name| self.parameter(name).is_none()) {
            Some(unknown) => Err(format!("{unknown:?}, which is not one of its parameters")),
            None => Ok(()),
        }
    }
}

impl Entry {
    fn parameter(&self) -> Result<Parameter, String> {
        if !is_parameter_name(&self.name) {
            return Err(format!(
                "{:?} cannot be the name of a parameter: use letters, digits, and _ - . $, and begin with a letter, _ or $",
                self.name
            ));
        }
        Ok(Parameter {
            name: self.name.clone(),
            kind: self.kind()?,
            required: self.required,
            default: self.default.clone(),
            feature: self.feature,
            since: self.feature.and_then(Feature::since),
            removed: self.feature.and_then(Feature::removed),
            description: one_line(&self.description),
        })
    }

    fn kind(&self) -> Result<Kind, String> {
        let mut fields = toml::Table::new();
        fields.insert("type".into(), self.r#type.clone().into());
        fields.extend(self.bytes.map(|bytes| ("bytes".into(), bytes.into())));
        fields.extend(self.min.map(|min| ("min".into(), min.into())));
        fields.extend(self.max.map(|max| ("max".into(), max.into())));
        fields.extend(self.values.clone().map(|values| ("values".into(), values.into())));
        let kind: Kind = fields.clone().try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        let takes: &[&str] = match &kind {
            Kind::Hex { .. } => &["bytes"],
            Kind::Integer { .. } => &["min", "max"],
            Kind::Choice { .. } => &["values"],
            _ => &[],
        };
        if let Some(field) = fields.keys().find(|field| *field != "type" && !takes.contains(&field.as_str())) {
            return Err(format!("a parameter of type \"{}\" has no `{field}`", kind.word()));
        }
        match &kind {
            Kind::Hex { bytes } if !(1..=MAX_BYTES as usize).contains(bytes) => {
                Err(format!("`bytes` is from 1 to {MAX_BYTES}, and this is {bytes}"))
            }
            Kind::Integer { min: Some(min), max: Some(max) } if min > max => {
                Err(format!("`min` {min} is above `max` {max}"))
            }
            Kind::Choice { values } if values.is_empty() => Err("`values` is empty: there is nothing to choose".into()),
            Kind::Choice { values } => {
                match values.iter().find(|value| value.is_empty() || visible(value) != **value) {
                    Some(value) => {
                        Err(format!("{value:?} among the `values` is empty, or cannot be read at a terminal"))
                    }
                    None => Ok(kind),
                }
            }
            _ => Ok(kind),
        }
    }
}

/// Whether an action can have this name: an identifier of JavaScript, in ASCII.
pub fn is_action_name(name: &str) -> bool {
    is_parameter_name(name) && !name.contains(['-', '.'])
}

/// Whether a parameter can have this name: it is followed by `=` on the command line.
fn is_parameter_name(name: &str) -> bool {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_' || c == '$';
    name.len() <= MAX_NAME
        && name.starts_with(first)
        && name.chars().all(|c| first(c) || c.is_ascii_digit() || c == '-' || c == '.')
}

/// The most characters of a name.
const MAX_NAME: usize = 100;

/// A text that a person wrote in several lines, made fit to be read in one.
fn one_line(text: &str) -> String {
    visible(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}
