//! What a proposal would do, in a line.

use crate::text::clip;
use serde_json::Value;
use time::OffsetDateTime;

use super::pem_text;
use crate::text::visible;

/// The most things, and the most kinds of action, that a title lists.
const LISTED: usize = 3;
/// The most characters of a name, and of an action that is not known.
const LONGEST: usize = 60;
/// How many digits of a digest stand for it.
const DIGITS: usize = 8;

/// What `proposal` would do, in a line: "trust node 10.0.0.4:8000; register code d2fc1a90…".
///
/// Digests are abridged; `name` gives those that have one (a node's address, a member's name). Every kind of action is
/// in it, or how many more there are.
pub fn title(proposal: &Value, name: impl Fn(&str) -> Option<String>) -> String {
    let Some(actions) = proposal.get("actions").and_then(Value::as_array) else {
        return "holds no list of actions".into();
    };
    let mut groups: Vec<(String, Vec<String>, usize)> = Vec::new();
    for action in actions {
        let (verb, object) = phrase(action);
        let object = object.map(|object| shown(&object, &name));
        match groups.iter_mut().find(|(known, ..)| *known == verb) {
            Some((_, objects, count)) => {
                objects.extend(object);
                *count += 1;
            }
            None => groups.push((verb, object.into_iter().collect(), 1)),
        }
    }
    if groups.is_empty() {
        return "do nothing: the list of actions is empty".into();
    }
    let left: usize = groups.iter().skip(LISTED).map(|(.., count)| count).sum();
    let mut title: Vec<String> = groups.into_iter().take(LISTED).map(line).collect();
    match left {
        0 => {}
        1 => title.push("1 more action".into()),
        n => title.push(format!("{n} more actions")),
    }
    title.join("; ")
}

/// When what `proposal` would do begins: the earliest `valid_from` of its actions, which is the proposer's word.
pub fn begins(proposal: &Value) -> Option<OffsetDateTime> {
    let actions = proposal.get("actions").and_then(Value::as_array).into_iter().flatten();
    actions.filter_map(|a| super::time::read(a.get("args")?.get("valid_from")?.as_str()?).ok()).min()
}

fn line((verb, objects, count): (String, Vec<String>, usize)) -> String {
    if objects.is_empty() {
        return if count > 1 { format!("{verb} ({count} times)") } else { verb };
    }
    let more = if objects.len() > LISTED { format!(" and {} more", objects.len() - LISTED) } else { String::new() };
    format!("{verb} {}{more}", objects[..objects.len().min(LISTED)].join(", "))
}

/// The action's verb, and the argument that it is about.
fn phrase(action: &Value) -> (String, Option<String>) {
    let name = action.get("name").and_then(Value::as_str).unwrap_or("(an action without a name)");
    let (verb, about) = match name {
        "transition_node_to_trusted" => ("trust node", "node_id"),
        "remove_node" => ("remove node", "node_id"),
        "set_node_data" => ("set the data of node", "node_id"),
        "set_node_certificate_validity" => ("renew the certificate of node", "node_id"),
        "set_all_nodes_certificate_validity" => ("renew the certificates of all nodes", ""),
        "set_service_certificate_validity" => ("renew the service certificate", ""),
        "set_member" => ("set member", "cert"),
        "remove_member" => ("remove member", "member_id"),
        "set_member_data" => ("set the data of member", "member_id"),
        "set_user" => ("set user", "cert"),
        "remove_user" => ("remove user", "user_id"),
        "set_user_data" => ("set the data of user", "user_id"),
        "add_snp_host_data" | "add_virtual_host_data" => ("register code", "host_data"),
        "add_node_code" => ("register code", "code_id"),
        "add_snp_measurement" | "add_virtual_measurement" => ("register measurement", "measurement"),
        "add_snp_uvm_endorsement" => ("register UVM endorsement", "feed"),
        "remove_snp_host_data" | "remove_virtual_host_data" => ("deregister code", "host_data"),
        "remove_node_code" => ("deregister code", "code_id"),
        "remove_snp_measurement" | "remove_virtual_measurement" => ("deregister measurement", "measurement"),
        "remove_snp_uvm_endorsement" => ("deregister UVM endorsement", "feed"),
        "set_snp_minimum_tcb_version" | "set_snp_minimum_tcb_version_hex" => ("set the minimum TCB of", "cpuid"),
        "remove_snp_minimum_tcb_version" => ("remove the minimum TCB of", "cpuid"),
        "set_constitution" => ("replace the constitution", ""),
        "set_js_app" => ("replace the application", ""),
        "remove_js_app" => ("remove the application", ""),
        "set_recovery_threshold" => ("set the recovery threshold to", "recovery_threshold"),
        "transition_service_to_open" => ("open the service", ""),
        other => return (visible(&cut(other)), None),
    };
    let argument = action.get("args").and_then(|args| args.get(about));
    let argument = argument.filter(|_| !about.is_empty()).map(|value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.to_string(),
    });
    (verb.into(), argument)
}

fn shown(value: &str, name: &impl Fn(&str) -> Option<String>) -> String {
    if value.contains("-----BEGIN ") {
        // Of a certificate, the subject's name.
        let subject = pem_text::common_names(value);
        return if subject.is_empty() { "(certificate)".into() } else { visible(&cut(&subject.join(", "))) };
    }
    match name(value) {
        Some(name) => visible(&cut(&name)),
        None if value.len() > 2 * DIGITS && value.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{}…", &value[..DIGITS])
        }
        None => visible(&cut(value)),
    }
}

fn cut(text: &str) -> String {
    let short = clip(text, LONGEST);
    if short.len() < text.len() { format!("{short}…") } else { short }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proposal::catalogue::Catalogue;

    fn of(actions: Value) -> String {
        title(&json!({"actions": actions}), |id| (id == "ab".repeat(32)).then(|| "10.0.0.4:8000".into()))
    }

    fn register(host_data: &str) -> Value {
        json!({"name": "add_virtual_host_data", "args": {"host_data": host_data.repeat(32)}})
    }

    #[test]
    fn a_title_says_what_is_done_to_what() {
        let trust = json!({"name": "transition_node_to_trusted", "args": {"node_id": "ab".repeat(32)}});
        let remove = json!({"name": "remove_node", "args": {"node_id": "cd".repeat(32)}});
        assert_eq!(of(json!([trust])), "trust node 10.0.0.4:8000");
        assert_eq!(of(json!([remove])), "remove node cdcdcdcd…");
        assert_eq!(of(json!([register("d2")])), "register code d2d2d2d2…");
        assert_eq!(
            of(json!([{"name": "set_constitution", "args": {"constitution": "x"}}])),
            "replace the constitution"
        );
        let member = Catalogue::builtin().find("set_member").unwrap().example();
        assert_eq!(title(crate::proposal::Proposal::of(vec![member]).value(), |_| None), "set member example");
    }

    #[test]
    fn nothing_is_left_out_without_a_word() {
        let many: Vec<_> = ["01", "02", "03", "04", "05"].map(register).into();
        assert_eq!(of(json!(many)), "register code 01010101…, 02020202…, 03030303… and 2 more");
        let mixed = json!([register("01"), {"name": "a"}, {"name": "b"}, {"name": "remove_member"}, {"name": "c"}]);
        assert_eq!(of(mixed), "register code 01010101…; a; b; 2 more actions");
        assert_eq!(of(json!([{"name": "a"}, {"name": "a"}])), "a (2 times)");
        assert_eq!(of(json!([])), "do nothing: the list of actions is empty");
        assert_eq!(title(&json!({"actions": {"name": "remove_member"}}), |_| None), "holds no list of actions");
    }

    #[test]
    fn a_proposal_begins_when_its_first_action_does() {
        let trust = |from: &str| json!({"name": "transition_node_to_trusted", "args": {"valid_from": from}});
        let proposal =
            json!({"actions": [trust("261125171741Z"), trust("261125171738Z"), trust("soon"), {"name": "x"}]});
        assert_eq!(begins(&proposal), Some(time::macros::datetime!(2026-11-25 17:17:38 UTC)));
        assert_eq!(begins(&json!({"actions": []})), None);
    }

    #[test]
    fn a_title_is_one_harmless_line() {
        let hostile = "x\u{1b}[2J\n\u{202e}".repeat(100);
        for action in [
            json!({"name": hostile}),
            json!({"name": "remove_node", "args": {"node_id": hostile}}),
            json!({"name": "remove_node", "args": {"node_id": [hostile]}}),
            json!({"name": "set_member", "args": {"cert": format!("-----BEGIN {hostile}")}}),
            json!(hostile),
        ] {
            let title = of(json!([action]));
            assert!(!title.contains(['\u{1b}', '\n', '\u{202e}']) && title.chars().count() < 700, "{title:?}");
        }
    }
}
