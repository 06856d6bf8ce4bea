//! Proposals of every kind, and what is none.

use ccf_gov::proposal::catalogue::Catalogue;
use serde_json::{Value, json};

/// The example of every template, the same without its first argument and with a number in its place, and what is no proposal. What
/// replaces the constitution comes last.
pub fn proposals() -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut last = Vec::new();
    for template in Catalogue::builtin().templates() {
        let action = template.example();
        let text = |args: &Value| json!({"actions": [{"name": action.name, "args": args}]}).to_string();
        let args = action.args.clone().unwrap_or_else(|| json!({}));
        if action.name == "set_constitution" {
            last.push((action.name.clone(), text(&args)));
            continue;
        }
        all.push((action.name.clone(), text(&args)));
        if let Some(first) = args.as_object().and_then(|args| args.keys().next().cloned()) {
            let mut spoiled = args.clone();
            spoiled[&first] = json!(12345);
            all.push((format!("{} with a number", action.name), text(&spoiled)));
            spoiled.as_object_mut().unwrap().shift_remove(&first);
            all.push((format!("{} without {first}", action.name), text(&spoiled)));
        }
    }
    for text in ["x", "", "null", "{}", "[]", r#"{"actions":{}}"#, r#"{"actions":[]}"#, r#"{"actions":[{"name":1}]}"#] {
        all.push((format!("{text:?}"), text.into()));
    }
    all.append(&mut last);
    all
}
