//! `proposal templates`: what can be proposed.

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::proposal::catalogue::{Catalogue, Source, Template};
use ccf_gov::proposal::{ParameterDefault, ParameterKind};
use ccf_gov::text::visible;

/// List what can be proposed, with parameters.
///
/// These are the actions of CCF's own constitutions, and those of templates of your own (--templates); the service's
/// constitution decides which of them it has.
#[derive(Args)]
#[command(after_help = "\
Examples:
  ccf-gov proposal templates                     every action, a line each
  ccf-gov proposal templates add_snp_host_data   one action, with its parameters")]
pub struct Templates {
    /// Only this one, with its parameters
    #[arg(value_name = "TEMPLATE")]
    name: Option<String>,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Listed<'a> {
    templates: Vec<&'a Template>,
}

impl Templates {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let Some(name) = self.name else {
            let templates: Vec<_> = context.catalogue.templates().collect();
            context.output.result(&Listed { templates }, || overview(&context.catalogue))?;
            return Ok(Exit::Done);
        };
        let template = context.catalogue.get(&name).map_err(CliError::from)?;
        context.output.result(&Listed { templates: vec![template] }, || details(template))?;
        Ok(Exit::Done)
    }
}

fn overview(catalogue: &Catalogue) -> String {
    let width = catalogue.templates().map(|t| t.name.len()).max().unwrap_or(0);
    let mut text = String::from("Built in:\n");
    let mut from = None;
    for template in catalogue.templates() {
        if let Source::File(path) = &template.source
            && from != path.parent()
        {
            from = path.parent();
            text += &format!("\nFrom {}:\n", visible(&from.unwrap_or(path).to_string_lossy()));
        }
        let parameters = template.parameters.iter().map(|p| match p.required && p.default.is_none() {
            true => p.name.clone(),
            false => format!("[{}]", p.name),
        });
        let line = format!("{:width$}  {}", template.name, parameters.collect::<Vec<_>>().join(" "));
        text += &format!("{}\n", line.trim_end());
    }
    text + "\nA parameter in brackets is optional. `ccf-gov proposal templates NAME` shows one action in full.\n\
            `ccf-gov measure … --proposal FILE` writes the proposal that registers an artefact, with --remove the one that deregisters it.\n"
}

fn details(template: &Template) -> String {
    let mut text = format!("{}\n\n{}\n", template.name, template.description);
    if template.drops {
        text += "When it is applied, every other open proposal is dropped.\n";
    }
    // Of one of the user's own it is known only where its template says so.
    if template.source == Source::BuiltIn || template.feature.is_some() {
        text += &format!("CCF versions: {}.\n", versions(template.since.as_deref(), template.removed.as_deref()));
    }
    text += &format!("Template: {}.\n", visible(&template.source.to_string()));
    if !template.parameters.is_empty() {
        text += "\nParameters:\n";
    }
    for parameter in &template.parameters {
        let need = match (&parameter.default, parameter.required) {
            (Some(ParameterDefault::Now), _) => "default: now".into(),
            (Some(ParameterDefault::Sha256(of)), _) => format!("default: SHA-256 of {of}"),
            (None, true) => "required".into(),
            (None, false) => "optional".into(),
        };
        text +=
            &format!("  {}  ({}, {need})\n      {}\n", parameter.name, form(&parameter.kind), parameter.description);
        if parameter.since.is_some() || parameter.removed.is_some() {
            let versions = versions(parameter.since.as_deref(), parameter.removed.as_deref());
            text += &format!("      CCF versions: {versions}.\n");
        }
    }
    let example = ccf_gov::proposal::Proposal::of(vec![template.example()]);
    text + "\nExample:\n" + &String::from_utf8_lossy(example.bytes())
}

fn versions(since: Option<&str>, removed: Option<&str>) -> String {
    let since = since.map(|since| match since.strip_prefix("≤ ") {
        Some(latest) => format!("{latest} or somewhat earlier"),
        None => since.to_owned(),
    });
    let removed = removed.map(|removed| match removed.strip_prefix("≤ ") {
        Some(latest) => format!("gone in {latest} at the latest"),
        None => format!("gone in {removed}"),
    });
    match (since, removed) {
        (None, None) => "4 and later".into(),
        (Some(since), None) => format!("{since} and later"),
        (None, Some(removed)) => format!("4 and later; {removed}"),
        (Some(since), Some(removed)) => format!("{since} and later; {removed}"),
    }
}

/// How a value of this kind is written on the command line.
fn form(kind: &ParameterKind) -> String {
    match kind {
        ParameterKind::Text => "text".into(),
        ParameterKind::Hex { bytes } => format!("{} lowercase hexadecimal digits", bytes * 2),
        ParameterKind::Integer { min, max } => match (min, max) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number, at least {min}"),
            _ => "a whole number".into(),
        },
        ParameterKind::Boolean => "true or false".into(),
        ParameterKind::Choice { values } => values.join(" or "),
        ParameterKind::Object => "a JSON object, or @FILE".into(),
        ParameterKind::Json => "JSON, or @FILE".into(),
        ParameterKind::Texts => "a JSON list of texts, or @FILE".into(),
        ParameterKind::Certificate => "@FILE, PEM certificate".into(),
        ParameterKind::PublicKey => "@FILE, PEM public key".into(),
        ParameterKind::Time => "an RFC 3339 time with offset, or now".into(),
        ParameterKind::Script => "@FILE, JavaScript; repeat for several files".into(),
        ParameterKind::Policy => "@FILE, raw or base64".into(),
        ParameterKind::Bundle => "@FOLDER or @FILE".into(),
        ParameterKind::Jwks => "a JSON Web Key Set, or @FILE".into(),
        ParameterKind::Tcb => "a JSON object of numbers, or @FILE".into(),
    }
}
