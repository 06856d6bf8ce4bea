//! What an action takes: names, and what values they may have.

use serde::{Deserialize, Serialize};

use crate::ccf_version::Feature;

/// One argument of an action.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What values it takes.
    #[serde(flatten)]
    pub kind: ParameterKind,
    /// Whether the constitution needs it.
    pub required: bool,
    /// What it is when it is not given to `proposal new`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<ParameterDefault>,
    /// What of CCF it came and went with, if not with the action.
    #[serde(skip)]
    pub feature: Option<Feature>,
    /// The first version of CCF that has it, if later than the action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The first version of CCF that no longer has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<String>,
    /// What it means.
    pub description: String,
}

/// What an id that an action takes is the id of, if a service lists those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterSubject {
    /// A node.
    Node,
    /// A member.
    Member,
}

impl Parameter {
    /// What its value is the id of.
    pub fn subject(&self) -> Option<ParameterSubject> {
        match (&self.kind, self.name.as_str()) {
            (ParameterKind::Hex { bytes: 32 }, "node_id") => Some(ParameterSubject::Node),
            (ParameterKind::Hex { bytes: 32 }, "member_id") => Some(ParameterSubject::Member),
            _ => None,
        }
    }
}

/// What values a parameter takes.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum ParameterKind {
    /// Text.
    Text,
    /// Lowercase hexadecimal digits.
    Hex {
        /// How many bytes they spell.
        bytes: usize,
    },
    /// A whole number.
    Integer {
        /// The smallest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<i64>,
        /// The largest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<i64>,
    },
    /// `true` or `false`.
    Boolean,
    /// One of a few texts.
    Choice {
        /// The texts.
        values: Vec<String>,
    },
    /// A JSON object.
    Object,
    /// Any JSON.
    Json,
    /// A list of texts.
    Texts,
    /// One or more certificates, PEM.
    Certificate,
    /// A public key, PEM.
    PublicKey,
    /// A point in time.
    Time,
    /// A JavaScript module.
    Script,
    /// A security policy: raw text.
    Policy,
    /// An application bundle.
    Bundle,
    /// A JSON Web Key Set.
    Jwks,
    /// A firmware version: one number for each component.
    Tcb,
}

impl ParameterKind {
    /// Whether its values are texts in JSON.
    pub fn is_text(&self) -> bool {
        use ParameterKind::*;
        matches!(self, Text | Hex { .. } | Choice { .. } | Certificate | PublicKey | Time | Script | Policy)
    }

    /// A word for it: the `type` of the template.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Hex { .. } => "hex",
            Self::Integer { .. } => "integer",
            Self::Boolean => "boolean",
            Self::Choice { .. } => "choice",
            Self::Object => "object",
            Self::Json => "json",
            Self::Texts => "texts",
            Self::Certificate => "certificate",
            Self::PublicKey => "public-key",
            Self::Time => "time",
            Self::Script => "script",
            Self::Policy => "policy",
            Self::Bundle => "bundle",
            Self::Jwks => "jwks",
            Self::Tcb => "tcb",
        }
    }
}

/// Where a value that was not given comes from.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ParameterDefault {
    /// This moment.
    Now,
    /// The SHA-256 of another parameter's text.
    Sha256(String),
}
