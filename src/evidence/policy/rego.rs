//! The part of Rego in which security policies are generated: definitions of plain values and references.
//!
//! Whatever else a policy holds is kept as a statement that was not understood, never passed over in silence.

use serde_json::Value;

/// How deep values may be nested.
const MAX_DEPTH: usize = 48;

/// A policy's statements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The package, if the file names one first.
    pub package: Option<String>,
    /// Imports, as written.
    pub imports: Vec<String>,
    /// `name := value`, in order.
    pub definitions: Vec<Definition>,
    /// Every statement that is none of these.
    pub not_understood: Vec<Statement>,
}

/// `name := value` or `default name := value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// The name.
    pub name: String,
    /// The value.
    pub term: Term,
    /// The line on which it begins, from 1.
    pub line: usize,
}

/// Rego that this reader does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Its first line.
    pub text: String,
}

/// A value of a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Text, number, boolean or null.
    Scalar(Value),
    /// A list.
    List(Vec<Term>),
    /// An object; a key may stand twice, which is for the reader to judge.
    Object(Vec<(String, Term)>),
    /// A reference such as `data.framework.create_container`.
    Reference(String),
}

impl Term {
    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Term> {
        match self {
            Self::Object(members) => members.iter().find(|(key, _)| key == name).map(|(_, term)| term),
            _ => None,
        }
    }

    /// The text that this is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The boolean that this is.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Scalar(Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The list that this is; empty for anything else.
    pub fn list(&self) -> &[Term] {
        match self {
            Self::List(terms) => terms,
            _ => &[],
        }
    }

    /// This as JSON; references as the text `{ref: …}`.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Scalar(value) => value.clone(),
            Self::List(terms) => terms.iter().map(Term::to_json).collect(),
            Self::Object(members) => members.iter().map(|(key, term)| (key.clone(), term.to_json())).collect(),
            Self::Reference(name) => serde_json::json!({"ref": name}),
        }
    }
}

/// Reads a policy. There is no error: what is not understood is told in the result.
pub fn parse(text: &str) -> Module {
    let mut reader = Reader { text, at: 0, counted: (0, 1) };
    let mut module = Module::default();
    loop {
        reader.skip_space();
        if reader.rest().is_empty() {
            return module;
        }
        let (start, line) = (reader.at, reader.line());
        if reader.statement(&mut module, line).is_none() {
            reader.at = start;
            let text = reader.rest().lines().next().unwrap_or_default().chars().take(160).collect();
            module.not_understood.push(Statement { line, text });
            reader.skip_statement();
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Up to where lines have been counted, and the number of the line there.
    counted: (usize, usize),
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn line(&mut self) -> usize {
        let passed = self.text.as_bytes().get(self.counted.0..self.at).unwrap_or_default();
        self.counted = (self.at, self.counted.1 + passed.iter().filter(|b| **b == b'\n').count());
        self.counted.1
    }

    fn skip_space(&mut self) {
        loop {
            let rest = self.rest().trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return;
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// Goes to the next line that is not indented and closes nothing.
    fn skip_statement(&mut self) {
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

    fn statement(&mut self, module: &mut Module, line: usize) -> Option<()> {
        let word = self.name()?;
        match word {
            "package" if module.package.is_none() && module.definitions.is_empty() => {
                self.at += self.rest().find(|c| c != ' ')?;
                let name = self.name()?.to_owned();
                self.end_of_line()?;
                module.package = Some(name);
                return Some(());
            }
            "import" => {
                self.at += self.rest().find(|c| c != ' ')?;
                let name = self.name()?.to_owned();
                self.end_of_line()?;
                module.imports.push(name);
                return Some(());
            }
            _ => {}
        }
        let mut name = word;
        self.skip_space();
        if word == "default" {
            name = self.name()?;
            self.skip_space();
        }
        self.eat(":=").or_else(|| self.eat("="))?;
        self.skip_space();
        let term = self.term(0)?;
        self.end_of_line()?;
        module.definitions.push(Definition { name: name.to_owned(), term, line });
        Some(())
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
        if depth > MAX_DEPTH {
            return None;
        }
        match self.rest().chars().next()? {
            '"' | '`' => Some(Term::Scalar(Value::String(self.string()?))),
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
                Some(Term::Object(members))
            }
            '-' | '0'..='9' => {
                let rest = self.rest();
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
                let number = serde_json::from_str(&rest[..end]).ok().filter(Value::is_number)?;
                self.at += end;
                Some(Term::Scalar(number))
            }
            _ => Some(match self.name()? {
                "true" => Term::Scalar(true.into()),
                "false" => Term::Scalar(false.into()),
                "null" => Term::Scalar(Value::Null),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_policies_are_read_and_the_rest_is_told() {
        let module = parse(
            "# comment\npackage policy\nimport future.keywords.in\n\napi_version := \"0.10.0\"\ncontainers := [\n  {\n    \"command\": [\"a\", `b\"c`],\n    \"n\": -1.5e3,\n  },\n]\nmount_device := data.framework.mount_device\nallow_it := true # yes\ndefault x := {\"allowed\": false}\nload_fragment := {\"allowed\": true} {\n  input.x == 1\n}\nreason = {\"errors\": data.framework.errors,}\n",
        );
        assert_eq!(module.package.as_deref(), Some("policy"));
        assert_eq!(module.imports, ["future.keywords.in"]);
        let names: Vec<_> = module.definitions.iter().map(|d| d.name.as_str()).collect();
        assert_eq!(names, ["api_version", "containers", "mount_device", "allow_it", "x", "reason"]);
        assert_eq!(module.definitions[1].term.list()[0].get("command").unwrap().list()[1].text(), Some("b\"c"));
        assert_eq!(module.definitions[1].line, 6);
        assert_eq!(module.not_understood.len(), 1);
        assert_eq!(module.not_understood[0].line, 15);
    }

    #[test]
    fn nothing_makes_it_hang_or_panic() {
        for text in
            ["", "package", "x :=", "x := \"", "x := `", "x := {\"a\" 1}", "ü := 1", "\u{feff}package policy\n\n"]
        {
            parse(text);
        }
        let module = parse(&format!("x := {}", "[".repeat(100_000)));
        assert_eq!(module.not_understood.len(), 1);
    }
}
