//! An application: what a bundle would change in the one that runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::diff::Diff;
use crate::digest::sha256;
use crate::service::{Service, ServiceError};
use crate::text::visible;

/// More modules than an application has; each costs a request.
const MAX_MODULES: usize = 1000;

/// Longer properties, such as an OpenAPI description, are not shown whole.
const LONG: usize = 200;

/// An application's endpoints by path and method, and its modules by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Application {
    endpoints: BTreeMap<String, Value>,
    modules: BTreeMap<String, String>,
}

impl Application {
    /// The one that runs: its endpoints as the governance API lists them, `{path: {method: {…}}}`, and its modules.
    pub fn new(endpoints: &Value, modules: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut this = Self::default();
        for (path, methods) in endpoints.as_object().into_iter().flatten() {
            for (method, endpoint) in methods.as_object().into_iter().flatten() {
                this.endpoints.insert(format!("{} {path}", method.to_uppercase()), endpoint.clone());
            }
        }
        this.modules.extend(modules.into_iter().map(|(name, text)| (plain(&name).to_owned(), text)));
        this
    }

    /// The one that runs. A request for each of its modules.
    ///
    /// # Errors
    /// The service cannot be reached, or does not say.
    pub async fn read(service: &Service) -> Result<Self, ServiceError> {
        let endpoints = service.application().await?;
        let mut modules = Vec::new();
        for name in service.modules().await?.into_iter().take(MAX_MODULES) {
            let text = service.module(&name).await?;
            modules.push((name, text));
        }
        Ok(Self::new(endpoints.raw.get("endpoints").unwrap_or(&Value::Null), modules))
    }

    /// The one in a bundle; `None` if the bundle is of another shape than `{metadata: {endpoints}, modules: [{name, module}]}`,
    /// with anything beside them: then it is to be shown as it is.
    pub fn of_bundle(bundle: &Value) -> Option<Self> {
        let [metadata, modules] = fields(bundle, ["metadata", "modules"])?;
        let [endpoints] = fields(metadata, ["endpoints"])?;
        let modules = modules.as_array()?.iter().map(|module| {
            let [name, text] = fields(module, ["name", "module"])?;
            Some((name.as_str()?.to_owned(), text.as_str()?.to_owned()))
        });
        let modules: Vec<_> = modules.collect::<Option<_>>()?;
        let methods: usize = endpoints.as_object()?.values().map(|m| m.as_object().map(Map::len)).sum::<Option<_>>()?;
        let this = Self::new(endpoints, modules.iter().cloned());
        // Two names that are one to CCF would hide one another.
        (this.modules.len() == modules.len() && this.endpoints.len() == methods).then_some(this)
    }

    /// What `new` would change, in lines for a person: of each module at most `limit`, and five times as many in all.
    pub fn changes(&self, new: &Self, limit: usize) -> Vec<String> {
        let mut lines = self.all_changes(new, limit);
        let more = lines.len().saturating_sub(limit.saturating_mul(5));
        if more > 0 {
            lines.truncate(lines.len() - more);
            lines.push(format!("{more} more lines: -v shows them"));
        }
        lines
    }

    /// Whether this application, which runs, is what a bundle wants: the same modules, the same endpoints, and no property that
    /// both name has another value. A node lists properties that a bundle leaves out, and none that it does not know.
    pub fn is_as(&self, wanted: &Self) -> bool {
        let same = |running: &Value, wanted: &Value| {
            let both = |name: &&String| running.get(name.as_str()).is_some() && wanted.get(name.as_str()).is_some();
            let named = wanted.as_object().into_iter().flat_map(Map::keys).filter(both);
            let plain =
                |value: Option<&Value>| value.map(|v| v.as_str().map_or_else(|| v.clone(), |t| plain(t).into()));
            named.into_iter().all(|name| plain(running.get(name)) == plain(wanted.get(name)))
        };
        self.modules == wanted.modules
            && self.endpoints.keys().eq(wanted.endpoints.keys())
            && self.endpoints.iter().all(|(name, running)| wanted.endpoints.get(name).is_some_and(|w| same(running, w)))
    }

    fn all_changes(&self, new: &Self, limit: usize) -> Vec<String> {
        let mut lines = vec![self.title(new)];
        for name in union(self.modules.keys(), new.modules.keys()) {
            let shown = visible(name);
            match (self.modules.get(name), new.modules.get(name)) {
                (None, Some(text)) => {
                    lines.push(format!("new module {shown} ({} bytes, {})", text.len(), count(text.lines().count())));
                    lines.extend(Diff::between("", text).lines(limit));
                }
                (Some(_), None) => lines.push(format!("removed module {shown}")),
                (Some(old), Some(new)) if old != new => {
                    let diff = Diff::between(old, new);
                    lines.push(format!("changed module {shown}: {}", diff.title()));
                    lines.extend(diff.lines(limit));
                }
                _ => {}
            }
        }
        for name in union(self.endpoints.keys(), new.endpoints.keys()) {
            let shown = visible(name);
            match (self.endpoints.get(name), new.endpoints.get(name)) {
                (None, Some(endpoint)) => lines.push(format!("new endpoint {shown}: {}", properties(endpoint))),
                (Some(_), None) => lines.push(format!("removed endpoint {shown}")),
                (Some(old), Some(new)) => lines
                    .extend(differences(old, new).into_iter().map(|what| format!("changed endpoint {shown}: {what}"))),
                _ => {}
            }
        }
        lines
    }

    fn title(&self, new: &Self) -> String {
        let modules = union(self.modules.keys(), new.modules.keys());
        let endpoints = union(self.endpoints.keys(), new.endpoints.keys());
        let changed = modules.iter().filter(|name| self.modules.get(**name) != new.modules.get(**name)).count();
        let differ = |name: &&&String| match (self.endpoints.get(**name), new.endpoints.get(**name)) {
            (Some(old), Some(new)) => !differences(old, new).is_empty(),
            _ => true,
        };
        match (changed, endpoints.iter().filter(differ).count()) {
            (0, 0) => "identical to the application that runs".into(),
            (changed, differ) => format!(
                "compared with the application that runs: {changed} of {} modules and {differ} of {} endpoints differ",
                modules.len(),
                endpoints.len()
            ),
        }
    }
}

/// A module's name without the `/` that CCF puts in front.
fn plain(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

/// These values of an object that has nothing else.
fn fields<'a, const N: usize>(value: &'a Value, names: [&str; N]) -> Option<[&'a Value; N]> {
    let object = value.as_object().filter(|o| o.len() == N)?;
    let values: Vec<&Value> = names.iter().map(|name| object.get(*name)).collect::<Option<_>>()?;
    values.try_into().ok()
}

fn union<'a>(a: impl Iterator<Item = &'a String>, b: impl Iterator<Item = &'a String>) -> BTreeSet<&'a String> {
    a.chain(b).collect()
}

/// A property, of which a long one is known by its size and digest.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.len() {
        0..=LONG => visible(&text),
        bytes => format!("({bytes} bytes, SHA-256 {})", hex::encode(sha256(text.as_bytes()))),
    }
}

fn count(lines: usize) -> String {
    if lines == 1 { "1 line".into() } else { format!("{lines} lines") }
}

fn properties(endpoint: &Value) -> String {
    let object = endpoint.as_object().cloned().unwrap_or_default();
    let property = |(name, value): (String, Value)| format!("{} {}", visible(&name), shown(&value));
    object.into_iter().filter(|(_, value)| !is_default(value)).map(property).collect::<Vec<_>>().join(", ")
}

/// What differs between two endpoints. A node lists properties that a bundle may leave out.
fn differences(old: &Value, new: &Value) -> Vec<String> {
    let get = |endpoint: &Value, name: &str| match endpoint.get(name) {
        Some(Value::String(module)) if name == "js_module" => plain(module).into(),
        Some(value) if !is_default(value) => value.clone(),
        _ => Value::Null,
    };
    let names: BTreeSet<&String> = [old, new].into_iter().filter_map(Value::as_object).flat_map(Map::keys).collect();
    let differ = names.into_iter().filter(|name| get(old, name) != get(new, name));
    differ.map(|name| format!("{}: {} → {}", visible(name), shown(&get(old, name)), shown(&get(new, name)))).collect()
}

/// What a property that was left out is.
fn is_default(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty() || text == "none",
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn endpoint(mode: &str) -> Value {
        json!({"js_module": "a.js", "js_function": "f", "mode": mode, "forwarding_required": "never",
            "authn_policies": ["user_cert"], "openapi": {}})
    }

    fn bundle(a: &str, mode: &str) -> Value {
        json!({"metadata": {"endpoints": {"/x": {"get": endpoint(mode)}}},
            "modules": [{"name": "a.js", "module": a}, {"name": "b.js", "module": "b\n"}]})
    }

    fn running() -> Application {
        let mut served = endpoint("readonly");
        served["js_module"] = "/a.js".into();
        served["openapi_hidden"] = false.into();
        served["redirection_strategy"] = "none".into();
        let modules = [("/a.js", "1\n2\n3\n"), ("/b.js", "b\n")].map(|(n, t)| (n.to_owned(), t.to_owned()));
        Application::new(&json!({"/x": {"GET": served}}), modules)
    }

    #[test]
    fn an_application_runs_when_nothing_that_both_name_differs() {
        let bundle = |endpoint: Value| {
            json!({"metadata": {"endpoints": {"/a": {"get": endpoint}}},
            "modules": [{"name": "a.js", "module": "x"}]})
        };
        let wanted =
            Application::of_bundle(&bundle(json!({"js_module": "a.js", "mode": "readonly", "new": 1}))).unwrap();
        let running = |endpoint: Value, text: &str| {
            Application::new(&json!({"/a": {"get": endpoint}}), [("/a.js".to_owned(), text.to_owned())])
        };
        let listed = json!({"js_module": "/a.js", "mode": "readonly", "forwarding_required": "always"});
        assert!(running(listed.clone(), "x").is_as(&wanted));
        assert!(!running(listed, "y").is_as(&wanted));
        assert!(!running(json!({"js_module": "a.js", "mode": "readwrite"}), "x").is_as(&wanted));
        assert!(!Application::default().is_as(&wanted));
    }

    #[test]
    fn what_runs_already_changes_nothing() {
        let same = Application::of_bundle(&bundle("1\n2\n3\n", "readonly")).unwrap();
        assert_eq!(running().changes(&same, 10), ["identical to the application that runs"]);
    }

    #[test]
    fn changed_new_and_removed_parts_are_listed() {
        let changed = Application::of_bundle(&bundle("1\n2.5\n3\n", "readwrite")).unwrap();
        let text = running().changes(&changed, 10).join("\n");
        assert!(text.contains("changed module a.js: identical but for 1 line\n    2 - 2\n    2 + 2.5"), "{text}");
        assert!(text.contains(r#"changed endpoint GET /x: mode: "readonly" → "readwrite""#), "{text}");
        let mut other = bundle("1\n2\n3\n", "readonly");
        other["modules"][1]["name"] = "c\u{1b}.js".into();
        other["metadata"]["endpoints"]["/y"] = json!({"post": endpoint("readonly")});
        let text = running().changes(&Application::of_bundle(&other).unwrap(), 10).join("\n");
        for line in ["new module c\\u{1b}.js (2 bytes, 1 line)", "removed module b.js", "new endpoint POST /y: "] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let none = Application::default();
        assert!(running().changes(&none, 10).contains(&"removed endpoint GET /x".to_owned()));
    }

    #[test]
    fn an_application_of_any_size_is_told_in_few_lines() {
        let modules: Vec<_> =
            (0..1000).map(|n| json!({"name": format!("{n}.js"), "module": "x\n".repeat(100)})).collect();
        let mut endpoint = endpoint("readonly");
        endpoint["openapi"] = json!({"description": "x".repeat(10_000)});
        let bundle = json!({"metadata": {"endpoints": {"/x": {"get": endpoint}}}, "modules": modules});
        let new = Application::of_bundle(&bundle).unwrap();
        let lines = Application::default().changes(&new, 10);
        assert!(lines.len() == 51 && lines[50].ends_with("more lines: -v shows them"), "{lines:?}");
        let all = Application::default().changes(&new, 100_000);
        let last = all.last().unwrap();
        assert!(last.contains("openapi (") && last.len() < 500, "{last}");
    }

    #[test]
    fn a_bundle_with_anything_else_in_it_is_not_summed_up() {
        let mut more = bundle("a", "readonly");
        more["metadata"]["more"] = 1.into();
        let mut twice = bundle("a", "readonly");
        twice["modules"][1]["name"] = "/a.js".into();
        let mut beside = bundle("a", "readonly");
        beside["modules"][0]["why"] = "x".into();
        for bundle in [more, twice, beside, json!({"modules": []}), json!(1)] {
            assert_eq!(Application::of_bundle(&bundle), None, "{bundle}");
        }
    }
}
