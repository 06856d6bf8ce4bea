//! From a request to the endpoint that answers it, on the node that has to.

use crate::text::clip;
use std::borrow::Cow;

use hyper::body::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::network::{Base, Network, Vantage};
use super::reply::{Fault, Reply};
use super::{gov, node_api};
use crate::kv::Tables;

/// A request as it came.
pub(super) struct Request {
    pub(super) method: String,
    /// The path, still escaped.
    pub(super) path: String,
    pub(super) raw_query: String,
    pub(super) content_type: Option<String>,
    /// Whom the client believes that it speaks with, if it says so.
    pub(super) host: Option<String>,
    /// Whether a web page sent it.
    pub(super) has_origin: bool,
    pub(super) body: Bytes,
}

/// A request, and the node that answers it as it sees the service.
pub(super) struct Call<'c> {
    pub(super) network: &'c Network,
    pub(super) vantage: Vantage,
    pub(super) request: &'c Request,
    pub(super) endpoint: &'c Endpoint,
    parameters: Vec<&'c str>,
}

/// Which node answers, if the one that was asked is a backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Forwarding {
    /// The one that was asked.
    Never,
    /// The one that was asked, unless a write was forwarded on the same connection before.
    Sometimes,
    /// The primary.
    Always,
}

type Handler = fn(&Call<'_>) -> Result<Reply, Fault>;

/// A method and a path template, and who answers.
pub(super) struct Endpoint {
    method: &'static str,
    template: &'static str,
    handler: Handler,
    pub(super) forwarding: Forwarding,
    /// Whether answers name the transaction that was read or written.
    transaction: bool,
    /// The first version of the API that has it; none for the oldest.
    pub(super) since: Option<&'static str>,
}

impl Endpoint {
    const fn new(method: &'static str, template: &'static str, handler: Handler, forwarding: Forwarding) -> Self {
        Self { method, template, handler, forwarding, transaction: true, since: None }
    }

    /// Answered by the node that was asked, always.
    pub(super) const fn local(mut self) -> Self {
        self.forwarding = Forwarding::Never;
        self
    }

    /// Reads no tables, so its answers name no transaction.
    pub(super) const fn without_transaction(mut self) -> Self {
        self.transaction = false;
        self
    }

    /// In the API from this version on.
    pub(super) const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Answers `request` on the node whose sight it is.
    pub(super) fn answer<'c>(
        &'c self,
        network: &'c Network,
        vantage: Vantage,
        request: &'c Request,
        parameters: Vec<&'c str>,
    ) -> Reply {
        let read = self.transaction.then_some(vantage.id);
        let call = Call { network, vantage, request, endpoint: self, parameters };
        match (self.handler)(&call) {
            Ok(mut reply) => {
                if reply.status < 300 {
                    reply.transaction = reply.transaction.or(read);
                }
                reply
            }
            Err(fault) => fault.into(),
        }
    }
}

/// A read that any node answers.
pub(super) const fn get(template: &'static str, handler: Handler) -> Endpoint {
    Endpoint::new("GET", template, handler, Forwarding::Sometimes)
}

/// A read without a body.
pub(super) const fn head(template: &'static str, handler: Handler) -> Endpoint {
    Endpoint::new("HEAD", template, handler, Forwarding::Sometimes)
}

/// A write.
pub(super) const fn post(template: &'static str, handler: Handler) -> Endpoint {
    Endpoint::new("POST", template, handler, Forwarding::Always)
}

/// A write that removes something.
pub(super) const fn delete(template: &'static str, handler: Handler) -> Endpoint {
    Endpoint::new("DELETE", template, handler, Forwarding::Always)
}

/// The endpoint for a request and what its path says, or the answer of a service that has none.
pub(super) fn find(request: &Request) -> Result<(&'static Endpoint, Vec<&str>), Box<Reply>> {
    let unknown = |path: &str| {
        let shown = clip(path, 200);
        Box::new(Fault::not_found(format!("There is nothing at {shown}.")).into())
    };
    let (endpoints, path) = match request.path.split_at_checked(4) {
        Some(("/gov", path)) => (gov::ENDPOINTS, path),
        _ => match request.path.split_at_checked(5) {
            Some(("/node", path)) => (node_api::ENDPOINTS, path),
            _ => return Err(unknown(&request.path)),
        },
    };
    let mut matching: Vec<(&Endpoint, Vec<&str>)> =
        endpoints.iter().filter_map(|e| Some((e, parameters(e.template, path)?))).collect();
    // A path that is spelled out goes before a template.
    matching.sort_by_key(|(_, parameters)| parameters.len());
    let allowed: Vec<&str> = matching.iter().map(|(e, _)| e.method).collect();
    if allowed.is_empty() {
        return Err(unknown(path));
    }
    if let Some(at) = matching.iter().position(|(e, _)| e.method == request.method) {
        return Ok(matching.swap_remove(at));
    }
    let allow = format!("OPTIONS, {}", allowed.join(", "));
    let reply = if request.method == "OPTIONS" {
        Reply::empty(204)
    } else {
        Fault::new(405, "UnsupportedHttpVerb", format!("{path} takes {allow}.")).into()
    };
    Err(Box::new(reply.header("allow", allow)))
}

/// What `path` has in the places of the template's `{…}`; `None` if it does not match.
fn parameters<'p>(template: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut found = Vec::new();
    let mut parts = path.split('/');
    for wanted in template.split('/') {
        let part = parts.next()?;
        match wanted.split_once('}') {
            Some((_, suffix)) => found.push(part.strip_suffix(suffix).filter(|p| !p.is_empty())?),
            None if wanted == part => {}
            None => return None,
        }
    }
    parts.next().is_none().then_some(found)
}

impl Request {
    /// The value of a query parameter, unescaped.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let pairs = self.raw_query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let unescape = |text: &str| -> String {
            let text: Cow<'_, str> = percent_decode_str(text).decode_utf8_lossy();
            text.into_owned()
        };
        pairs.filter(|(key, _)| unescape(key) == name).map(|(_, value)| unescape(value)).next()
    }
}

impl Call<'_> {
    /// The text in the place of the template's `index`th `{…}`.
    pub(super) fn parameter(&self, index: usize) -> &str {
        self.parameters.get(index).copied().unwrap_or_default()
    }

    /// Whether the node that answers is the primary.
    pub(super) fn is_primary(&self) -> bool {
        self.vantage.primary == Some(self.vantage.node)
    }

    /// A transaction that answers with JSON.
    pub(super) fn write(
        &self,
        change: impl FnOnce(&mut Tables, &Base) -> Result<Value, Fault>,
    ) -> Result<Reply, Fault> {
        self.write_reply(|tables, base| change(tables, base).map(|value| Reply::json(&value)))
    }

    /// A transaction with any answer.
    pub(super) fn write_reply(
        &self,
        change: impl FnOnce(&mut Tables, &Base) -> Result<Reply, Fault>,
    ) -> Result<Reply, Fault> {
        let (reply, id) = self.network.write(self.vantage.node, change)?;
        Ok(reply.at(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str) -> Request {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let (method, path, raw_query) = (method.to_owned(), path.to_owned(), query.to_owned());
        Request { method, path, raw_query, content_type: None, host: None, has_origin: false, body: Bytes::new() }
    }

    #[test]
    fn paths_find_their_endpoints() {
        let cases = [
            ("POST", "/gov/members/proposals:create", &[][..]),
            ("POST", "/gov/members/proposals/p/ballots/m:submit", &["p", "m"]),
            ("POST", "/gov/members/proposals/p:withdraw", &["p"]),
            ("GET", "/gov/service/transactions/commit", &[]),
            ("GET", "/gov/service/transactions/2.3", &["2.3"]),
            ("GET", "/gov/service/javascript-modules/%2Fa.js", &["%2Fa.js"]),
            ("GET", "/node/network/nodes/self", &[]),
            ("DELETE", "/node/network/nodes/n", &["n"]),
        ];
        for (method, path, expected) in cases {
            let request = request(method, path);
            let (endpoint, parameters) = find(&request).unwrap_or_else(|_| panic!("{path}"));
            assert_eq!((endpoint.method, &parameters[..]), (method, expected), "{path}");
        }
        for (method, path, status) in [
            ("GET", "/gov/nothing", 404),
            ("GET", "/", 404),
            ("GET", "/node", 404),
            ("GET", "/gov/members/proposals/a/b/c", 404),
            ("PUT", "/gov/service/info", 405),
            ("HEAD", "/gov/service/info", 405),
            ("OPTIONS", "/gov/service/info", 204),
        ] {
            assert_eq!(find(&request(method, path)).err().unwrap().status, status, "{method} {path}");
        }
    }

    #[test]
    fn query_parameters_are_unescaped() {
        let request = request("GET", "/x?a=1&api-version=2024%2D07-01&b");
        assert_eq!(request.query("api-version").as_deref(), Some("2024-07-01"));
        assert_eq!(request.query("b").as_deref(), Some(""));
        assert_eq!(request.query("c"), None);
    }
}
