//! Values.

use std::fmt;

use serde_json::Number;

/// A value of a policy.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// Nothing.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number.
    Number(Number),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Term>),
    /// An object; no key stands twice.
    Object(Vec<(String, Term)>),
    /// A reference such as `data.framework.create_container`.
    Reference(String),
}

impl Term {
    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Term> {
        self.members().iter().find(|(key, _)| key == name).map(|(_, term)| term)
    }

    /// The members of the object that this is; none for anything else.
    pub fn members(&self) -> &[(String, Term)] {
        match self {
            Self::Object(members) => members,
            _ => &[],
        }
    }

    /// The text that this is.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The boolean that this is.
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
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

    /// The first reference in this, at any depth: whatever has one is not plain.
    pub fn reference(&self) -> Option<&str> {
        match self {
            Self::Reference(name) => Some(name),
            Self::List(terms) => terms.iter().find_map(Term::reference),
            Self::Object(members) => members.iter().find_map(|(_, term)| term.reference()),
            _ => None,
        }
    }
}

/// On one line, as JSON; references as they are written.
impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |text: &str| serde_json::to_string(text).map_err(|_| fmt::Error);
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => value.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)?),
            Self::Reference(name) => f.write_str(name),
            Self::List(terms) => {
                f.write_str("[")?;
                for (at, term) in terms.iter().enumerate() {
                    write!(f, "{}{term}", if at == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Object(members) => {
                f.write_str("{")?;
                for (at, (key, term)) in members.iter().enumerate() {
                    write!(f, "{}{}:{term}", if at == 0 { "" } else { "," }, quoted(key)?)?;
                }
                f.write_str("}")
            }
        }
    }
}
