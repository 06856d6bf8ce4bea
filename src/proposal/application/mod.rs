//! What a JavaScript application is to a service: modules, and the endpoints that call them.

use crate::text::clip;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::catalogue::nearest;

/// The authentication policies that nodes know by name.
const POLICIES: &[&str] = &["user_cert", "member_cert", "any_cert", "jwt", "user_cose_sign1", "no_auth"];

/// One endpoint of a bundle.
struct Endpoint<'a> {
    /// Method and path, for a person.
    at: String,
    properties: &'a Map<String, Value>,
}

/// What is wrong with a bundle: what CCF's sample constitution refuses, and what no node could answer a request by; empty
/// if nothing is. Whether its modules compile is not looked at.
pub fn problems(bundle: &Value) -> Vec<String> {
    let Some(modules) = bundle.get("modules").and_then(Value::as_array) else {
        return vec![r#"it is an object with "metadata" and a list of "modules""#.into()];
    };
    let Some(paths) = paths(bundle) else {
        return vec![r#"its metadata has no object "endpoints""#.into()];
    };
    let mut problems = Vec::new();
    let mut names = BTreeSet::new();
    for (at, module) in modules.iter().enumerate() {
        match (module.get("name").and_then(Value::as_str), module.get("module").and_then(Value::as_str)) {
            (Some(name), Some(_)) if !names.insert(name) => problems.push(format!("there are two modules {name:?}")),
            (Some(_), Some(_)) => {}
            _ => problems.push(format!(r#"module {at} has no text "name" and "module""#)),
        }
    }
    for (url, methods) in paths {
        let Some(methods) = methods.as_object() else {
            problems.push(format!("endpoint {url:?} is not an object of methods"));
            continue;
        };
        let mut written: BTreeMap<String, &str> = BTreeMap::new();
        for (method, endpoint) in methods {
            if let Some(other) = written.insert(method.to_uppercase(), method) {
                problems.push(format!(
                    "{url} has both {other:?} and {method:?}, which are one method: the last one counts"
                ));
            }
            if !endpoint.is_object() {
                problems.push(format!("{} {url} is not an object", method.to_uppercase()));
            }
        }
    }
    for endpoint in endpoints(bundle) {
        check(&endpoint, &names, &mut problems);
    }
    problems
}

/// What is taken, and should be looked at: endpoints that anybody may call, and names that are not what they seem.
pub fn warnings(bundle: &Value) -> Vec<String> {
    let slashed = modules(bundle).into_iter().filter(|(name, _)| name.starts_with('/'));
    let mut warnings: Vec<_> =
        slashed.map(|(name, _)| format!("module {name:?} begins with a slash; CCF adds one more")).collect();
    for (url, _) in paths(bundle).into_iter().flatten().filter(|(url, _)| !url.starts_with('/')) {
        warnings.push(format!("the path {url:?} does not begin with a slash: no request has it"));
    }
    for endpoint in endpoints(bundle) {
        let Some(policies) = endpoint.properties.get("authn_policies").and_then(Value::as_array) else { continue };
        let why = match policies.as_slice() {
            [] => "\"authn_policies\" is empty",
            some if some.iter().any(|policy| policy == "no_auth") => "\"no_auth\" is among its \"authn_policies\"",
            _ => continue,
        };
        warnings.push(format!("{} is open to everybody: {why}", endpoint.at));
    }
    warnings
}

/// The modules, by name: their source.
pub fn modules(bundle: &Value) -> BTreeMap<String, String> {
    let list = bundle.get("modules").and_then(Value::as_array);
    let text = |module: &Value, name: &str| module.get(name).and_then(Value::as_str).map(str::to_owned);
    list.into_iter().flatten().filter_map(|module| Some((text(module, "name")?, text(module, "module")?))).collect()
}

/// What endpoints call, each once: module and function.
pub fn entries(bundle: &Value) -> BTreeSet<(String, String)> {
    let text = |endpoint: &Endpoint<'_>, name: &str| Some(endpoint.properties.get(name)?.as_str()?.to_owned());
    endpoints(bundle).iter().filter_map(|e| Some((text(e, "js_module")?, text(e, "js_function")?))).collect()
}

fn paths(bundle: &Value) -> Option<&Map<String, Value>> {
    bundle.get("metadata")?.get("endpoints")?.as_object()
}

fn endpoints(bundle: &Value) -> Vec<Endpoint<'_>> {
    let methods = paths(bundle).into_iter().flatten().flat_map(|(url, methods)| {
        methods.as_object().into_iter().flatten().map(move |(method, endpoint)| (url, method, endpoint))
    });
    methods
        .filter_map(|(url, method, endpoint)| {
            Some(Endpoint { at: format!("{} {url}", method.to_uppercase()), properties: endpoint.as_object()? })
        })
        .collect()
}

fn check(endpoint: &Endpoint<'_>, modules: &BTreeSet<&str>, problems: &mut Vec<String>) {
    let Endpoint { at, properties } = endpoint;
    let text = |name: &str| properties.get(name).and_then(Value::as_str);
    match text("js_module") {
        None => problems.push(format!("{at} has no text \"js_module\"")),
        Some(module) if !modules.contains(module) => {
            let near = nearest(module, modules.iter().copied()).map(|n| format!("; did you mean {n:?}?"));
            let near = near.unwrap_or_default();
            problems.push(format!("{at} names the module {module:?}, which the bundle does not have{near}"));
        }
        Some(_) => {}
    }
    if text("js_function").is_none() {
        problems.push(format!("{at} has no text \"js_function\""));
    }
    let choices = [
        ("mode", &["readwrite", "readonly", "historical"][..], true),
        ("forwarding_required", &["sometimes", "always", "never"], true),
        ("redirection_strategy", &["none", "to_primary", "to_backup"], false),
    ];
    for (name, values, required) in choices {
        let good = match properties.get(name) {
            None => !required,
            Some(value) => value.as_str().is_some_and(|v| values.contains(&v)),
        };
        if !good {
            problems.push(format!(
                "{at}: {name:?} must be one of {}{}",
                values.join(", "),
                instead_of(properties.get(name))
            ));
        }
    }
    for (name, good) in [
        ("openapi", properties.get("openapi").is_none_or(Value::is_object)),
        ("openapi_hidden", properties.get("openapi_hidden").is_none_or(Value::is_boolean)),
    ] {
        if !good {
            problems.push(format!("{at}: {name:?} is not of the type that it must be"));
        }
    }
    match properties.get("authn_policies").and_then(Value::as_array) {
        Some(policies) => problems.extend(policies.iter().filter_map(policy).map(|problem| format!("{at}: {problem}"))),
        None => problems.push(format!("{at} has no list \"authn_policies\"")),
    }
}

/// What is wrong with one authentication policy: a name, or `{"all_of": [name, …]}`.
fn policy(policy: &Value) -> Option<String> {
    let unknown = |name: &str| {
        let near =
            nearest(name, POLICIES.iter().copied()).map(|n| format!("; did you mean {n:?}?")).unwrap_or_default();
        let name = clip(name, 60);
        format!("there is no authentication policy {name:?}{near} (nodes know {})", POLICIES.join(", "))
    };
    let shape = || "an authentication policy is a name, or {\"all_of\": [names]}".to_owned();
    if let Some(name) = policy.as_str() {
        return (!POLICIES.contains(&name)).then(|| unknown(name));
    }
    let Some(all) = policy.get("all_of").and_then(Value::as_array).filter(|all| !all.is_empty()) else {
        return Some(shape());
    };
    let mut seen = BTreeSet::new();
    all.iter().find_map(|name| match name.as_str() {
        None => Some(shape()),
        Some(name) if !POLICIES.contains(&name) => Some(unknown(name)),
        Some(name) => (!seen.insert(name)).then(|| format!("{name:?} appears twice in one \"all_of\"")),
    })
}

fn instead_of(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str).map(|text| clip(text, 60));
    text.map(|text| format!(", not {text:?}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A bundle of one endpoint that is as it should be, but for these properties.
    fn bundle(properties: Value) -> Value {
        let mut endpoint = json!({
            "js_module": "main.js", "js_function": "f", "mode": "readonly", "forwarding_required": "never",
            "authn_policies": ["user_cert"], "openapi": {},
        });
        for (name, value) in properties.as_object().unwrap() {
            endpoint[name] = value.clone();
        }
        let modules = json!([{"name": "main.js", "module": "export function f() {}"}]);
        json!({"metadata": {"endpoints": {"/x": {"get": endpoint}}}, "modules": modules})
    }

    #[track_caller]
    fn refused(bundle: &Value, says: &str) {
        let problems = problems(bundle);
        assert!(problems.iter().any(|problem| problem.contains(says)), "{says}: {problems:?}");
    }

    #[test]
    fn what_the_service_would_refuse_or_misread_is_found() {
        assert_eq!(problems(&bundle(json!({}))), [""; 0]);
        for (properties, says) in [
            (json!({"js_module": "man.js"}), "did you mean \"main.js\"?"),
            (json!({"js_module": 1}), "no text \"js_module\""),
            (json!({"js_function": null}), "no text \"js_function\""),
            (json!({"mode": "write"}), "\"mode\" must be one of readwrite, readonly, historical, not \"write\""),
            (json!({"forwarding_required": "yes"}), "\"forwarding_required\" must be one of"),
            (json!({"redirection_strategy": "to_all"}), "\"redirection_strategy\" must be one of"),
            (json!({"openapi": []}), "\"openapi\""),
            (json!({"authn_policies": "jwt"}), "no list \"authn_policies\""),
        ] {
            refused(&bundle(properties), says);
        }
        refused(&json!([]), "a list of \"modules\"");
        refused(&json!({"modules": []}), "no object \"endpoints\"");
        let mut other = bundle(json!({}));
        other["modules"][0] = json!({"name": "main.js"});
        refused(&other, "module 0 has no text");
        other["modules"] = json!([{"name": "a", "module": ""}, {"name": "a", "module": ""}]);
        refused(&other, "two modules \"a\"");
    }

    #[test]
    fn authentication_policies_are_those_that_nodes_know() {
        for good in [json!([]), json!(POLICIES), json!([{"all_of": ["user_cert", "jwt"]}])] {
            assert_eq!(problems(&bundle(json!({ "authn_policies": good }))), [""; 0]);
        }
        for (policy, says) in [
            (
                json!("member_certificate"),
                "no authentication policy \"member_certificate\"; did you mean \"member_cert\"?",
            ),
            (json!(""), "no authentication policy \"\""),
            (json!(1), "is a name, or"),
            (json!({"any_of": ["jwt"]}), "is a name, or"),
            (json!({"all_of": []}), "is a name, or"),
            (json!({"all_of": ["jwt", 1]}), "is a name, or"),
            (json!({"all_of": ["jwt", "user"]}), "no authentication policy \"user\""),
            (json!({"all_of": ["jwt", "jwt"]}), "appears twice"),
        ] {
            refused(&bundle(json!({ "authn_policies": [policy] })), says);
        }
    }

    #[test]
    fn one_method_written_in_two_ways_is_found() {
        let mut twice = bundle(json!({}));
        twice["metadata"]["endpoints"]["/x"]["GET"] = twice["metadata"]["endpoints"]["/x"]["get"].clone();
        refused(&twice, "has both \"get\" and \"GET\"");
    }

    #[test]
    fn endpoints_that_anybody_may_call_are_named() {
        assert_eq!(warnings(&bundle(json!({}))), [""; 0]);
        for open in [json!([]), json!(["no_auth"]), json!(["jwt", "no_auth"])] {
            let warnings = warnings(&bundle(json!({ "authn_policies": open })));
            assert!(warnings.len() == 1 && warnings[0].starts_with("GET /x is open to everybody"), "{warnings:?}");
        }
        let mut other = bundle(json!({}));
        other["modules"][0]["name"] = json!("/main.js");
        other["metadata"]["endpoints"] = json!({"x": {}});
        assert_eq!(warnings(&other).len(), 2);
    }
}
