//! Rules about the environment variables that a container may have.

use regex::bytes::RegexBuilder;
use serde::Serialize;

use super::contents::{members, text};
use super::rego::Term;

/// A rule about environment variables.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct EnvironmentRule {
    /// `NAME=value`, or a regular expression of it.
    pub pattern: String,
    /// `string` or `re2`.
    pub strategy: String,
    /// Whether it must be set.
    pub required: bool,
}

impl EnvironmentRule {
    /// Reads a rule; what it lacks is empty.
    pub(super) fn read(term: &Term) -> Self {
        let part = |name| text(term, name).unwrap_or_default();
        let (pattern, strategy) = match term.get("name") {
            Some(_) => joined([part("name"), part("value")], [part("name_strategy"), part("value_strategy")]),
            None => (part("pattern"), part("strategy")),
        };
        Self { pattern, strategy, required: term.get("required").and_then(Term::boolean).unwrap_or(false) }
    }

    /// Whether a term has the members of such a rule in one of its forms, each of its type, and no others: of a rule in both forms
    /// some frameworks take the one, some the other, and some both.
    pub(super) fn is_rule(term: &Term) -> bool {
        let forms: [&[&str]; 2] = [&["pattern", "strategy"], &["name", "name_strategy", "value", "value_strategy"]];
        let is = |form: &[&str]| {
            form.iter().all(|name| term.get(name).and_then(Term::text).is_some())
                && members(term)
                    .all(|(name, value)| form.contains(&name) || (name == "required" && value.boolean().is_some()))
        };
        forms.into_iter().any(is)
    }

    /// Whether any variable is admitted, whatever its name, under any framework: early ones look for the pattern anywhere.
    pub fn admits_any(&self) -> bool {
        const ANYTHING: [&str; 6] = [".+", ".*", "[^=]", "\\w", "\\S", ".{"];
        let bare = self.pattern.trim_start_matches("(?i)").trim_start_matches(['^', '(', '?', ':']);
        // A class of characters, repeated, up to the equals sign.
        let class = bare.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(_, rest)| rest);
        let whole = class.is_some_and(|rest| rest.starts_with("+=") || rest.starts_with("*="));
        let begins = || bare.is_empty() || whole || ANYTHING.iter().any(|any| bare.starts_with(any));
        self.strategy == "re2" && (begins() || self.admits_strangers())
    }

    /// Whether variables of which no policy speaks are admitted, or nobody can tell.
    fn admits_strangers(&self) -> bool {
        /// With no word in common; two of them have nothing to do with any variable that is meant.
        const STRANGERS: [&str; 4] =
            ["LD_PRELOAD=/tmp/evil.so", "NODE_OPTIONS=--require=/a/b.js", "BASH_ENV=/home/x/.profile", "QX7=1"];
        // A policy may have many thousands of patterns, and short ones may stand for much.
        let most = (32 << 10) + 64 * self.pattern.len();
        // In RE2, `\w` and the like are of ASCII.
        match RegexBuilder::new(&self.pattern).unicode(false).size_limit(most).build() {
            Ok(pattern) => STRANGERS.iter().filter(|variable| pattern.is_match(variable.as_bytes())).count() > 1,
            // RE2 knows a little more than this engine does: then a name and the equals sign must begin the pattern.
            Err(_) => {
                let begin = self.pattern.trim_start_matches('^');
                let name = begin.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
                name.len() == begin.len() || !name.starts_with('=') || self.pattern.contains('|')
            }
        }
    }

    /// Whether the host chooses (part of) the variable: only what is anchored and without a sign of its own is one text.
    pub fn is_open(&self) -> bool {
        let pinned = |text: &str| text.strip_prefix('^').and_then(|t| t.strip_suffix('$')).is_some_and(is_literal);
        self.strategy == "re2" && !pinned(&self.pattern)
    }
}

/// Whether a pattern matches nothing but one text.
fn is_literal(pattern: &str) -> bool {
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        let plain = match c {
            '\\' => characters.next().is_some_and(|escaped| escaped.is_ascii_punctuation()),
            c => !".*+?()[]{}|^$".contains(c),
        };
        if !plain {
            return false;
        }
    }
    true
}

/// The newer form of a rule, which has patterns of its own for name and value, as one pattern.
fn joined(patterns: [String; 2], strategies: [String; 2]) -> (String, String) {
    if strategies == ["string", "string"] {
        return (patterns.join("="), "string".into());
    }
    if let Some(unknown) = strategies.iter().find(|s| !matches!(s.as_str(), "string" | "re2")) {
        return (patterns.join("="), unknown.clone());
    }
    let [name, value] = [0, 1].map(|at| match (&patterns[at], strategies[at].as_str()) {
        (text, "string") => regex::escape(text),
        (pattern, _) => format!("(?:{})", pattern.trim_start_matches('^').trim_end_matches('$')),
    });
    (format!("{name}={value}"), "re2".into())
}
