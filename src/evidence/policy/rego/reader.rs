//! From text to statements.

use crate::text::clip;
use std::collections::HashSet;

use serde_json::Number;

use super::{Definition, Module, Term};

/// How deep values may be nested.
const MAX_DEPTH: usize = 48;

/// How many values a policy may have: real ones have some thousands.
pub(super) const MAX_TERMS: usize = 100_000;

/// A place in a policy's text.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Up to where lines have been counted, and the number of the line there.
    counted: (usize, usize),
    /// How many values have been read.
    terms: usize,
    /// Why a statement is not understood, where that is not plain to see.
    pub problem: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, counted: (0, 1), terms: 0, problem: None }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn go_back(&mut self, at: usize) {
        self.at = at;
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The number of the line on which this stands.
    pub(super) fn line(&mut self) -> usize {
        let passed = self.text.as_bytes().get(self.counted.0..self.at).unwrap_or_default();
        self.counted = (self.at, self.counted.1 + passed.iter().filter(|b| **b == b'\n').count());
        self.counted.1
    }

    /// What follows on the line, cut off after some characters.
    pub(super) fn line_start(&self, characters: usize) -> String {
        clip(self.rest().lines().next().unwrap_or_default(), characters)
    }

    /// Passes over white space and comments; whether anything follows.
    pub(super) fn skip_space(&mut self) -> bool {
        loop {
            let rest = self.rest().trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return !rest.is_empty();
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// Passes over white space on the line; whether there was some.
    fn skip_blanks(&mut self) -> bool {
        let start = self.at;
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
        self.at > start
    }

    /// Goes to the next line that is not indented and closes nothing.
    pub(super) fn skip_statement(&mut self) {
        loop {
            let rest = self.rest();
            self.at += rest.find('\n').map_or(rest.len(), |n| n + 1);
            match self.rest().chars().next() {
                None => return,
                Some(c) if !c.is_whitespace() && !matches!(c, '}' | ']' | ')') => return,
                Some(_) => {}
            }
        }
    }

    fn eat(&mut self, token: &str) -> Option<()> {
        self.at += self.rest().strip_prefix(token).map(|_| token.len())?;
        Some(())
    }

    /// Nothing but a comment may follow on the line.
    fn end_of_line(&self) -> Option<()> {
        let line = self.rest().lines().next().unwrap_or_default().trim();
        (line.is_empty() || line.starts_with('#')).then_some(())
    }

    /// Reads a statement into `module`; `None` if it is not understood, and then this stands anywhere in it.
    pub(super) fn statement(&mut self, module: &mut Module, line: usize) -> Option<()> {
        let mut name = self.name()?;
        match name {
            "package" if module.package.is_none() && module.definitions.is_empty() => {
                self.skip_blanks();
                let package = self.name()?.to_owned();
                self.end_of_line()?;
                module.package = Some(package);
                return Some(());
            }
            "import" => {
                self.skip_blanks();
                // Those of the language itself; any other one may give a name that is used below another meaning.
                let known = |import: &&str| *import == "rego.v1" || import.starts_with("future.keywords");
                self.name().filter(known)?;
                return self.end_of_line();
            }
            _ => {}
        }
        self.skip_space();
        if name == "default" {
            name = self.name()?;
            self.skip_space();
        }
        self.eat(":=").or_else(|| self.eat("="))?;
        self.skip_space();
        let term = self.term(0)?;
        let after = self.at;
        if self.true_body().is_none() {
            self.at = after;
        }
        self.end_of_line()?;
        module.definitions.push(Definition { name: name.to_owned(), term, line });
        Some(())
    }

    /// `{ true }`, `if true` or `if { true }`: a condition that always holds.
    fn true_body(&mut self) -> Option<()> {
        self.skip_blanks();
        let if_true = self.eat("if").is_some();
        if if_true && !self.skip_blanks() {
            return None;
        }
        if self.eat("{").is_none() {
            return if if_true { self.eat("true") } else { None };
        }
        self.skip_space();
        self.eat("true")?;
        self.skip_space();
        self.eat("}")
    }

    /// A name with dots: letters, digits, underscores.
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        let name = &rest[..length];
        if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') || name.ends_with('.') {
            return None;
        }
        self.at += length;
        Some(name)
    }

    fn term(&mut self, depth: usize) -> Option<Term> {
        self.terms += 1;
        if depth > MAX_DEPTH || self.terms > MAX_TERMS {
            self.problem = Some("it has more values, or deeper ones, than any policy".to_owned());
            return None;
        }
        match self.rest().chars().next()? {
            '"' | '`' => Some(Term::Text(self.string()?)),
            '[' => {
                let mut terms = Vec::new();
                self.items('[', ']', |reader| {
                    terms.push(reader.term(depth + 1)?);
                    Some(())
                })?;
                Some(Term::List(terms))
            }
            '{' => {
                let mut members = Vec::new();
                self.items('{', '}', |reader| {
                    let key = reader.string()?;
                    reader.skip_space();
                    reader.eat(":")?;
                    reader.skip_space();
                    members.push((key, reader.term(depth + 1)?));
                    Some(())
                })?;
                // Readers differ in which of two values counts.
                let mut seen = HashSet::new();
                if let Some((key, _)) = members.iter().find(|(key, _)| !seen.insert(key.as_str())) {
                    let key = clip(key, 80);
                    self.problem = Some(format!("the key {key:?} appears twice in one object"));
                    return None;
                }
                Some(Term::Object(members))
            }
            '-' | '0'..='9' => {
                let rest = self.rest();
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
                let number: Number = serde_json::from_str(&rest[..end]).ok()?;
                self.at += end;
                Some(Term::Number(number))
            }
            _ => Some(match self.name()? {
                "true" => Term::Boolean(true),
                "false" => Term::Boolean(false),
                "null" => Term::Null,
                reference => Term::Reference(reference.to_owned()),
            }),
        }
    }

    /// Items between brackets, separated by commas; a comma after the last one is allowed.
    fn items(&mut self, open: char, close: char, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.eat(open.encode_utf8(&mut [0; 4]))?;
        loop {
            self.skip_space();
            if self.eat(close.encode_utf8(&mut [0; 4])).is_some() {
                return Some(());
            }
            item(self)?;
            self.skip_space();
            if self.eat(",").is_none() {
                return self.eat(close.encode_utf8(&mut [0; 4]));
            }
        }
    }

    /// A JSON string, or a raw one between backticks.
    fn string(&mut self) -> Option<String> {
        let rest = self.rest();
        if let Some(raw) = rest.strip_prefix('`') {
            let end = raw.find('`')?;
            self.at += end + 2;
            return Some(raw[..end].to_owned());
        }
        let mut escaped = false;
        let body = rest.strip_prefix('"')?;
        let end = body.bytes().position(|byte| match byte {
            _ if escaped => {
                escaped = false;
                false
            }
            b'\\' => {
                escaped = true;
                false
            }
            byte => byte == b'"',
        })?;
        let text = serde_json::from_str(rest.get(..end + 2)?).ok()?;
        self.at += end + 2;
        Some(text)
    }
}
