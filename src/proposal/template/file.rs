//! A template's file, read strictly: what is wrong with it is named with its line.

use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::{Decides, Source, Stage, Template};
use crate::ccf_version::Feature;
use crate::platform::Platform;
use crate::proposal::{Parameter, ParameterDefault, ParameterKind};
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
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    name: String,
    r#type: String,
    bytes: Option<u32>,
    min: Option<i64>,
    max: Option<i64>,
    values: Option<Vec<String>>,
    required: bool,
    default: Option<ParameterDefault>,
    feature: Option<Feature>,
    description: String,
}

/// The most bytes of a hexadecimal value.
const MAX_BYTES: u32 = 64;

impl Template {
    /// Reads the file of the action `name`.
    pub(in crate::proposal) fn read(name: &str, text: &str, source: Source) -> Result<Self, Fault> {
        let file: File = toml::from_str(text).map_err(|e| Fault::new(text, e.span(), e.message()))?;
        let decides = file.decides.iter().map(Spanned::get_ref);
        let template = Self {
            name: name.to_owned(),
            source,
            description: one_line(&file.description),
            platform: file.platform,
            feature: file.feature,
            since: file.feature.and_then(Feature::since),
            removed: file.feature.and_then(Feature::removed),
            stage: file.stage.as_ref().map(|stage| *stage.get_ref()).unwrap_or_default(),
            order: file.order,
            drops: file.drops_other_proposals,
            refuses_args: file.refuses_args,
            refuses_unknown_args: file.refuses_unknown_args,
            removes_by_exact_text: file.removes_by_exact_text,
            decides: decides.map(|d| Decides { what: one_line(&d.what), by: d.by.clone() }).collect(),
            parameters: file.parameters(text)?,
            example: file.example.as_ref().map(|example| example.get_ref().clone()).unwrap_or_default(),
        };
        template.check(&file, text)?;
        Ok(template)
    }

    /// Whether what it says fits together.
    fn check(&self, file: &File, text: &str) -> Result<(), Fault> {
        let fault = |span: Option<Range<usize>>, reason: String| Err(Fault::new(text, span, &reason));
        if self.stage == Stage::Constitution && self.source != Source::BuiltIn {
            let reason = "the stage `constitution` is for set_constitution alone, which comes last";
            return fault(file.stage.as_ref().map(Spanned::span), reason.into());
        }
        for (parameter, entry) in self.parameters.iter().zip(&file.parameters) {
            if let Err(reason) = self.check_default(parameter) {
                return fault(Some(entry.span()), format!("parameter {:?}: {reason}", parameter.name));
            }
        }
        for decides in &file.decides {
            let by = &decides.get_ref().by;
            if let Some(unknown) = self.unknown(by) {
                return fault(
                    Some(decides.span()),
                    format!("`by` names {unknown:?}, which is not one of its parameters"),
                );
            }
            if let Some(other) = self.parameters.iter().find(|p| by.contains(&p.name) && !p.kind.is_text()) {
                let reason = format!("`by` names {:?}, whose values are not texts", other.name);
                return fault(Some(decides.span()), reason);
            }
        }
        let at = file.example.as_ref().map(Spanned::span);
        if let Some(unknown) = self.unknown(self.example.keys()) {
            return fault(at, format!("[example] has {unknown:?}, which is not one of its parameters"));
        }
        let mut required = self.parameters.iter().filter(|p| p.required);
        match required.find(|p| !self.example.contains_key(&p.name)) {
            Some(missing) => fault(at, format!("[example] lacks {:?}, which is required", missing.name)),
            None => Ok(()),
        }
    }

    /// What a parameter that is not given is made of.
    fn check_default(&self, parameter: &Parameter) -> Result<(), String> {
        match (&parameter.default, &parameter.kind) {
            (Some(ParameterDefault::Now), kind) if *kind != ParameterKind::Time => {
                Err(format!("only a parameter of type \"time\" is `now` by default, and this is \"{}\"", kind.word()))
            }
            (Some(ParameterDefault::Sha256(_)), kind) if *kind != ParameterKind::Hex { bytes: 32 } => {
                Err("only a parameter of type \"hex\" with 32 bytes is a SHA-256 by default".into())
            }
            (Some(ParameterDefault::Sha256(of)), _) if self.parameter(of).is_none() => {
                Err(format!("it is by default the SHA-256 of {of:?}, which is not one of the parameters"))
            }
            _ => Ok(()),
        }
    }

    /// The first of these that is not a parameter.
    fn unknown<'n>(&self, names: impl IntoIterator<Item = &'n String>) -> Option<&'n String> {
        names.into_iter().find(|name| self.parameter(name).is_none())
    }
}

impl Fault {
    fn new(text: &str, span: Option<Range<usize>>, reason: &str) -> Self {
        let before = span.and_then(|span| text.get(..span.start)).unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, reason: visible(reason) }
    }
}

impl File {
    fn parameters(&self, text: &str) -> Result<Vec<Parameter>, Fault> {
        let mut parameters: Vec<Parameter> = Vec::new();
        for entry in &self.parameters {
            let parameter = match entry.get_ref().parameter() {
                Ok(parameter) if parameters.iter().any(|p| p.name == parameter.name) => {
                    Err("there are two of this name".into())
                }
                parameter => parameter,
            };
            let named = |reason: String| format!("parameter {:?}: {reason}", entry.get_ref().name);
            parameters.push(parameter.map_err(|reason| Fault::new(text, Some(entry.span()), &named(reason)))?);
        }
        Ok(parameters)
    }
}

impl Entry {
    fn parameter(&self) -> Result<Parameter, String> {
        if !is_parameter_name(&self.name) {
            return Err("its name is of letters, digits, and _ - . $, and begins with a letter, _ or $".into());
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

    fn kind(&self) -> Result<ParameterKind, String> {
        let mut fields = toml::Table::new();
        fields.insert("type".into(), self.r#type.clone().into());
        fields.extend(self.bytes.map(|bytes| ("bytes".into(), bytes.into())));
        fields.extend(self.min.map(|min| ("min".into(), min.into())));
        fields.extend(self.max.map(|max| ("max".into(), max.into())));
        fields.extend(self.values.clone().map(|values| ("values".into(), values.into())));
        let kind: ParameterKind =
            fields.clone().try_into().map_err(|e: toml::de::Error| format!("`type`: {}", e.message()))?;
        let takes: &[&str] = match &kind {
            ParameterKind::Hex { .. } => &["bytes"],
            ParameterKind::Integer { .. } => &["min", "max"],
            ParameterKind::Choice { .. } => &["values"],
            _ => &[],
        };
        if let Some(field) = fields.keys().find(|field| *field != "type" && !takes.contains(&field.as_str())) {
            return Err(format!("its type \"{}\" has no `{field}`", kind.word()));
        }
        match &kind {
            ParameterKind::Hex { bytes } if !(1..=MAX_BYTES as usize).contains(bytes) => {
                Err(format!("`bytes` is from 1 to {MAX_BYTES}, and this is {bytes}"))
            }
            ParameterKind::Integer { min: Some(min), max: Some(max) } if min > max => {
                Err(format!("`min` {min} is above `max` {max}"))
            }
            ParameterKind::Choice { values } if values.is_empty() => {
                Err("`values` is empty: there is nothing to choose".into())
            }
            ParameterKind::Choice { values } => {
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
pub(crate) fn is_action_name(name: &str) -> bool {
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
