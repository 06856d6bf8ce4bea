//! Answers: JSON, text or nothing, and CCF's errors.

use serde_json::{Value, json};

use crate::id::TransactionId;

/// What a node answers.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Body,
    pub(super) headers: Vec<(&'static str, String)>,
    /// The transaction that was read or written.
    pub(super) transaction: Option<TransactionId>,
    /// Whether the connection is closed after the answer.
    pub(super) close: bool,
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Body {
    Empty,
    Json(Vec<u8>),
    JavaScript(String),
    /// Bytes that nobody says anything about.
    Raw(Vec<u8>),
    Text(String),
}

/// A refusal: `{"error": {code, message, details?}}`.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The authentication policies that were tried, each with its reason.
    pub(super) details: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Reply {
    /// A JSON answer.
    pub(super) fn json(value: &Value) -> Self {
        Self::with(200, Body::Json(value.to_string().into_bytes()))
    }

    /// An answer without a body.
    pub(super) fn empty(status: u16) -> Self {
        Self::with(status, Body::Empty)
    }

    /// An answer with this body.
    pub(super) fn with(status: u16, body: Body) -> Self {
        Self { status, body, headers: Vec::new(), transaction: None, close: false }
    }

    /// The transaction that was read or written.
    pub(super) fn at(mut self, transaction: TransactionId) -> Self {
        self.transaction = Some(transaction);
        self
    }

    /// One more header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Fault {
    /// A refusal with this status, code and message.
    pub(super) fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: Vec::new(), headers: Vec::new() }
    }

    /// 500 InternalError: also how CCF answers what it could not read.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(500, "InternalError", message)
    }

    /// 404 ResourceNotFound.
    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(404, "ResourceNotFound", message)
    }

    /// 400 InvalidResourceName: an identifier in the path is not one, or not the one that was signed.
    pub(super) fn bad_name(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidResourceName", message)
    }

    /// 401: `policy` did not accept the request because of `reason`.
    pub(super) fn unauthenticated(policy: &'static str, reason: impl Into<String>) -> Self {
        let mut fault = Self::new(401, CREDENTIALS, "The request is not authenticated.");
        fault.details.push((policy, reason.into()));
        fault.headers.push(("www-authenticate", "COSE-SIGN1 realm=\"Signed request access\"".into()));
        fault
    }
}

const CREDENTIALS: &str = "InvalidAuthenticationInfo";

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        let mut error = json!({"code": fault.code, "message": fault.message});
        if !fault.details.is_empty() {
            let detail = |(policy, reason): &(&str, String)| json!({"auth_policy": policy, "code": CREDENTIALS, "message": reason});
            error["details"] = fault.details.iter().map(detail).collect();
        }
        let mut reply = Self::json(&json!({"error": error}));
        reply.status = fault.status;
        reply.headers = fault.headers;
        reply
    }
}
