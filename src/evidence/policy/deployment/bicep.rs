//! Bicep parameters files (`.bicepparam`): the values that they give, as far as they stand there as they are.

use serde_json::Value;

use super::DeploymentError;

/// How deep values may be nested.
const MAX_DEPTH: u8 = 16;

/// The most values that are read.
const MAX_VALUES: usize = 10_000;

/// A value as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    /// A text without anything to be put into it.
    Text(String),
    /// The members of an object, or of a list by their numbers.
    Members(Vec<(String, Literal)>),
    /// Anything else, which only Bicep can evaluate.
    Expression(String),
}

impl Literal {
    /// A value of JSON.
    pub(super) fn of_json(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Object(object) => {
                Self::Members(object.iter().map(|(name, value)| (name.clone(), Self::of_json(value))).collect())
            }
            Value::Array(list) => Self::Members(
                list.iter().enumerate().map(|(at, value)| (at.to_string(), Self::of_json(value))).collect(),
            ),
            other => Self::Expression(other.to_string()),
        }
    }
}

/// Whether a text is a parameters file: its first statement names the template that it is for.
pub(super) fn is_parameters(text: &str) -> bool {
    let tokens = Tokens { rest: text, left: 2 };
    matches!(&tokens.take(2).collect::<Vec<_>>()[..], [Token::Word("using"), Token::Text(_) | Token::Word("none")])
}

/// The parameters of a file, by name.
pub(super) fn parameters(text: &str) -> Result<Vec<(String, Literal)>, DeploymentError> {
    let mut tokens = Tokens { rest: text, left: MAX_VALUES };
    let mut found = Vec::new();
    while let Some(token) = tokens.next() {
        if token != Token::Word("param") {
            continue;
        }
        if let (Some(Token::Word(name)), Some(Token::Mark('='))) = (tokens.next(), tokens.next()) {
            found.push((name.to_owned(), tokens.value(0)?));
        }
    }
    if tokens.left == 0 {
        return Err(DeploymentError::LargeDeployment);
    }
    Ok(found)
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token<'t> {
    Word(&'t str),
    Text(String),
    /// A text into which something is put (`'${name}'`), as it is written.
    Template(&'t str),
    Mark(char),
}

/// What is left of a file, and how many tokens may still be taken from it.
#[derive(Clone)]
struct Tokens<'t> {
    rest: &'t str,
    left: usize,
}

impl<'t> Tokens<'t> {
    fn value(&mut self, depth: u8) -> Result<Literal, DeploymentError> {
        let before = self.rest.trim_start();
        let end = match self.next() {
            Some(Token::Text(text)) => return Ok(Literal::Text(text)),
            Some(Token::Template(text)) => return Ok(Literal::Expression(text.to_owned())),
            Some(Token::Mark(open @ ('{' | '['))) if depth < MAX_DEPTH => return self.members(open, depth),
            Some(Token::Mark('{' | '[')) => return Err(DeploymentError::Nested),
            // A call, or an operator's left side: it ends where its brackets and its line do.
            _ => self.end_of_expression(),
        };
        let length = before.len() - end;
        Ok(Literal::Expression(before.get(..length).unwrap_or_default().trim().to_owned()))
    }

    fn members(&mut self, open: char, depth: u8) -> Result<Literal, DeploymentError> {
        let mut members = Vec::new();
        loop {
            let mut ahead = self.clone();
            match ahead.next() {
                Some(Token::Mark('}' | ']')) | None => {
                    *self = ahead;
                    return Ok(Literal::Members(members));
                }
                Some(Token::Mark(',')) => *self = ahead,
                Some(Token::Word(name)) if open == '{' => {
                    *self = ahead;
                    members.push((name.to_owned(), self.member(depth)?));
                }
                Some(Token::Text(name)) if open == '{' => {
                    *self = ahead;
                    members.push((name, self.member(depth)?));
                }
                Some(_) if open == '[' => members.push((members.len().to_string(), self.value(depth + 1)?)),
                Some(_) => *self = ahead,
            }
        }
    }

    fn member(&mut self, depth: u8) -> Result<Literal, DeploymentError> {
        let mut ahead = self.clone();
        if ahead.next() == Some(Token::Mark(':')) {
            *self = ahead;
        }
        self.value(depth + 1)
    }

    /// Passes over the rest of an expression; how long what follows is.
    fn end_of_expression(&mut self) -> usize {
        let mut open = 0_u32;
        loop {
            let mut ahead = self.clone();
            if (ahead.pass_over_blanks() || ahead.rest.starts_with([',', '}', ']'])) && open == 0 {
                return self.rest.len();
            }
            match self.next() {
                Some(Token::Mark('(' | '[' | '{')) => open += 1,
                Some(Token::Mark(')' | ']' | '}')) => open = open.saturating_sub(1),
                Some(_) => {}
                None => return self.rest.len(),
            }
        }
    }

    /// Passes over white space and comments; whether a line ends in them.
    fn pass_over_blanks(&mut self) -> bool {
        let before = self.rest;
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with("//") {
                self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
            } else if self.rest.starts_with("/*") {
                self.rest = self.rest.find("*/").map_or("", |end| &self.rest[end + 2..]);
            } else {
                return before[..before.len() - self.rest.len()].contains('\n');
            }
        }
    }

    /// A text in quotes, of which the first is taken already.
    fn text(&mut self) -> Option<Token<'t>> {
        if let Some(inner) = self.rest.strip_prefix("''")
            && let Some(end) = inner.find("'''")
        {
            // Without escapes; a line break after the opening quotes is no part of it.
            let text = &inner[..end];
            self.rest = &inner[end + 3..];
            return Some(Token::Text(text.strip_prefix("\r\n").or(text.strip_prefix('\n')).unwrap_or(text).to_owned()));
        }
        let whole = self.rest;
        let (mut text, mut is_template) = (String::new(), false);
        let mut characters = whole.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '\'' => {
                    self.rest = &whole[at + 1..];
                    return Some(if is_template { Token::Template(&whole[..at]) } else { Token::Text(text) });
                }
                '\n' | '\r' => break,
                '\\' => match characters.next()?.1 {
                    'n' => text.push('\n'),
                    'r' => text.push('\r'),
                    't' => text.push('\t'),
                    'u' => is_template = true,
                    other => text.push(other),
                },
                '$' if whole[at..].starts_with("${") => is_template = true,
                other => text.push(other),
            }
        }
        // Not closed: nothing after it can be told apart.
        self.rest = "";
        None
    }
}

impl<'t> Iterator for Tokens<'t> {
    type Item = Token<'t>;

    fn next(&mut self) -> Option<Token<'t>> {
        self.pass_over_blanks();
        self.left = self.left.checked_sub(1)?;
        let first = self.rest.chars().next()?;
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '.';
        if is_word(first) {
            let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Token::Word(word));
        }
        self.rest = &self.rest[first.len_utf8()..];
        if first == '\'' { self.text() } else { Some(Token::Mark(first)) }
    }
}
