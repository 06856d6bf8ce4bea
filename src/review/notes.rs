//! What each action of a proposal means to a service: the nodes and members that are meant, the values that are
//! registered already, what would change in the rules and in the application.

use serde_json::Value;

use super::application::Application;
use super::diff::Diff;
use super::observed_node::RunningCode;
use super::service_view::ServiceView;
use crate::id::MemberId;
use crate::platform::Platform;
use crate::proposal::{Action, Note, Registration, pem_text};
use crate::service::{JoinPolicy, NodeStatus, UvmEntry};
use crate::text::visible;

/// A note for each action of `proposal`, in order; of each changed text at most `limit` lines.
///
/// With [`ServiceView::default`], nothing was read: then a new constitution or application is not compared, and that is said.
pub fn notes(proposal: &Value, view: &ServiceView, limit: usize) -> Vec<Note> {
    let actions = proposal.get("actions").and_then(Value::as_array).into_iter().flatten();
    let note = |action: &Value| {
        let name = action.get("name").and_then(Value::as_str).unwrap_or_default();
        let args = action.get("args").unwrap_or(&Value::Null);
        let text = |key: &str| args.get(key).and_then(Value::as_str);
        let mut note = Note::default();
        if let Some(id) = text("node_id") {
            note.lines.extend(node(name, id, view));
        }
        if let Some(id) = text("member_id") {
            note.lines.extend(member(id, view));
        }
        match name {
            "set_constitution" => constitution(args, view, limit, &mut note),
            "set_js_app" => application(args, view, limit, &mut note),
            "remove_js_app" => {
                let changes = view.application.as_ref().map(|app| app.changes(&Application::default(), limit));
                note.lines.extend(changes.into_iter().flatten());
            }
            "set_member" => {
                let id = text("cert").and_then(pem_text::id).and_then(|id| id.parse::<MemberId>().ok());
                note.lines.extend(id.and_then(|id| new_member(id, view)));
            }
            "set_recovery_threshold" => {
                note.lines.extend(view.recovery_threshold.map(|n| format!("the threshold is {n} now")));
            }
            _ => {
                note.lines.extend(view.join_policy.as_ref().and_then(|policy| registered(name, args, policy)));
                note.lines.extend(still_run(name, args, view));
            }
        }
        note
    };
    actions.map(note).collect()
}

/// The node that an action is about.
fn node(action: &str, id: &str, view: &ServiceView) -> Option<String> {
    let nodes = view.nodes.as_ref()?;
    let Some(found) = nodes.iter().find(|n| n.node.node_id.to_string() == id) else {
        return Some("no such node in this service".into());
    };
    let address = found.node.address().map_or_else(|| "a node without an address".into(), visible);
    let mut parts = vec![format!("{address}, {}: {}", found.node.status, found.describe())];
    parts.extend(found.more.code.as_ref().map(|code| running(code, view.join_policy.as_ref())));
    match (action, found.node.status) {
        ("transition_node_to_trusted", NodeStatus::Trusted) => parts.push("trusted already".into()),
        ("transition_node_to_trusted", NodeStatus::Retired) => parts.push("removed before".into()),
        ("remove_node", NodeStatus::Retired) => parts.push("removed already".into()),
        _ => {}
    }
    Some(parts.join("; "))
}

/// What a node runs, as it attested when it joined, and whether that may join now.
fn running(code: &RunningCode, policy: Option<&JoinPolicy>) -> String {
    let (kind, value) = match &code.host_data {
        Some(host_data) => ("host data", host_data),
        None => ("measurement", &code.measurement),
    };
    let listed = policy.map(|policy| match code.platform {
        Platform::Virtual => policy.has(Registration::VirtualHostData, value),
        Platform::Snp => policy.has(Registration::SnpHostData, value),
        Platform::Sgx => policy.has(Registration::SgxCode, value),
    });
    let listed = match listed {
        Some(true) => " (registered)",
        Some(false) => " (not registered)",
        None => "",
    };
    format!("runs {} {kind} {}{listed}", code.platform, visible(value))
}

fn member(id: &str, view: &ServiceView) -> Option<String> {
    let members = view.members.as_ref()?;
    Some(match members.iter().find(|m| m.member_id.to_string() == id) {
        None => "no such member in this service".into(),
        Some(member) => match member.name() {
            Some(name) => format!("{}, {:?}", visible(&name), member.status),
            None => format!("{:?}", member.status),
        },
    })
}

fn new_member(id: MemberId, view: &ServiceView) -> Option<String> {
    let members = view.members.as_ref()?;
    Some(match members.iter().find(|m| m.member_id == id) {
        None => "a new member".into(),
        Some(member) => format!("a member already ({:?})", member.status),
    })
}

/// How many trusted nodes run what an action deregisters.
fn still_run(action: &str, args: &Value, view: &ServiceView) -> Option<String> {
    let (what, value) = match action.strip_prefix("remove_")? {
        "virtual_host_data" | "snp_host_data" => ("host_data", args.get("host_data")?.as_str()?),
        "virtual_measurement" | "snp_measurement" => ("measurement", args.get("measurement")?.as_str()?),
        "node_code" => ("measurement", args.get("code_id")?.as_str()?),
        _ => return None,
    };
    let runs = |code: &RunningCode| match what {
        "host_data" => code.host_data.as_deref() == Some(value),
        _ => code.measurement == value,
    };
    let trusted = view.nodes.iter().flatten().filter(|n| n.node.status == NodeStatus::Trusted);
    match trusted.filter(|n| n.more.code.as_ref().is_some_and(runs)).count() {
        0 => None,
        1 => Some("1 trusted node still runs it, and no other can join with it afterwards".into()),
        n => Some(format!("{n} trusted nodes still run it, and no other can join with it afterwards")),
    }
}

/// Whether the value that an action registers, or removes, is registered.
fn registered(action: &str, args: &Value, policy: &JoinPolicy) -> Option<String> {
    let text = |name: &str| args.get(name).and_then(Value::as_str);
    let (removes, what) =
        match (action.strip_prefix("add_").or(action.strip_prefix("set_")), action.strip_prefix("remove_")) {
            (Some(what), _) => (false, what),
            (_, Some(what)) => (true, what),
            _ => return None,
        };
    let kind = Registration::of(action)?;
    if kind == Registration::JoinPolicyScript {
        return None;
    }
    let key = kind.key(&Action::new(action, Some(args.clone())))?;
    let is_there = policy.has(kind, &key);
    Some(match (removes, is_there) {
        (false, true) if matches!(what, "snp_uvm_endorsement") => {
            let same = |entry: &&UvmEntry| text("did") == Some(&entry.did) && text("feed") == Some(&entry.feed);
            let now = policy.snp.uvm_endorsements.iter().find(same).map(|entry| entry.written.to_string());
            format!("registered now, and replaced: {}", visible(&now.unwrap_or_default()))
        }
        (false, true) if what.starts_with("snp_minimum_tcb_version") => {
            let now = text("cpuid").and_then(|cpuid| policy.snp.tcb_versions.get(cpuid));
            let now = now.map(|entry| entry.written.to_string());
            format!("replaces the minimum that is set: {}", visible(&now.unwrap_or_default()))
        }
        (false, true) => "registered already".into(),
        (false, false) => "not registered yet".into(),
        (true, true) => "registered now".into(),
        (true, false) => "not registered".into(),
    })
}

fn constitution(args: &Value, view: &ServiceView, limit: usize, note: &mut Note) {
    let Some(new) = args.get("constitution").and_then(Value::as_str) else { return };
    let Some(old) = &view.constitution else {
        note.lines.push("not compared with the constitution in force".into());
        return;
    };
    let diff = Diff::between(old, new);
    note.replaces = Some("constitution");
    match diff.is_empty() {
        true => note.lines.push("identical to the constitution in force: no rule changes".into()),
        false => note.lines.push(format!("compared with the constitution in force: {}", diff.title())),
    }
    note.lines.extend(diff.lines(limit));
}

fn application(args: &Value, view: &ServiceView, limit: usize, note: &mut Note) {
    let Some(bundle) = args.get("bundle") else { return };
    match (&view.application, Application::of_bundle(bundle)) {
        (Some(old), Some(new)) => {
            note.replaces = Some("bundle");
            note.lines.extend(old.changes(&new, limit));
        }
        _ => note.lines.push("not compared with the application that runs".into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::proposal::annotated;
    use crate::proposal::catalogue::Catalogue;
    use crate::review::observed_node::{NodeDetails, ObservedNode};

    fn view() -> ServiceView {
        let node = |n: &str, status: &str, primary: bool| {
            let raw = json!({"nodeId": n.repeat(64), "status": status,
                "rpcInterfaces": {"main": {"publishedAddress": format!("10.0.0.{n}:8000\u{1b}")}}});
            let code = RunningCode {
                platform: Platform::Virtual,
                host_data: Some("cd".repeat(32)),
                measurement: "Insecure hard-coded virtual measurement v1".into(),
            };
            let more = NodeDetails { primary, code: Some(code), ..NodeDetails::default() };
            ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more }
        };
        let member = json!({"memberId": "a".repeat(64), "status": "Active", "certificate": "x"});
        let policy = json!({"virtual": {"hostData": ["cd".repeat(32)], "measurements": []},
            "snp": {"uvmEndorsements": {"did:x": {"feed": {"svn": "100"}}}}});
        ServiceView {
            nodes: Some(vec![node("1", "Trusted", true), node("2", "Pending", false), node("3", "Retired", false)]),
            members: Some(vec![serde_json::from_value(member).unwrap()]),
            join_policy: Some(serde_json::from_value(policy).unwrap()),
            constitution: Some("a\nb\nc\n".into()),
            application: None,
            recovery_threshold: Some(2),
        }
    }

    /// The lines on one action.
    fn on(name: &str, args: Value, view: &ServiceView) -> String {
        let proposal = json!({"actions": [{"name": name, "args": args}]});
        notes(&proposal, view, 20).remove(0).lines.join("\n")
    }

    #[test]
    fn nodes_are_resolved() {
        let view = view();
        let node = |name: &str, digit: &str| on(name, json!({"node_id": digit.repeat(64)}), &view);
        let host_data = "cd".repeat(32);
        assert_eq!(
            node("remove_node", "1"),
            format!("10.0.0.1:8000\\u{{1b}}, Trusted: primary; runs virtual host data {host_data} (registered)")
        );
        assert!(node("remove_node", "3").contains("Retired: its retirement is not committed yet: keep it running"));
        assert!(node("remove_node", "3").ends_with("removed already"));
        assert!(node("transition_node_to_trusted", "1").ends_with("trusted already"));
        assert!(node("transition_node_to_trusted", "2").contains("Pending"));
        assert_eq!(node("remove_node", "0"), "no such node in this service");
        assert_eq!(on("remove_node", json!({"node_id": "0"}), &ServiceView::default()), "");
    }

    #[test]
    fn registered_values_and_members_are_known() {
        let view = view();
        let host = |action: &str, byte: &str| on(action, json!({"host_data": byte.repeat(32)}), &view);
        assert_eq!(host("add_virtual_host_data", "cd"), "registered already");
        assert_eq!(host("add_virtual_host_data", "ef"), "not registered yet");
        assert!(host("remove_virtual_host_data", "cd").starts_with("registered now\n1 trusted node still runs it"));
        assert_eq!(host("remove_virtual_host_data", "ef"), "not registered");
        let uvm = json!({"did": "did:x", "feed": "feed", "svn": "101"});
        assert!(on("add_snp_uvm_endorsement", uvm, &view).contains(r#"replaced: {"svn":"100"}"#));
        assert!(on("remove_member", json!({"member_id": "a".repeat(64)}), &view).ends_with("Active"));
        assert_eq!(on("remove_member", json!({"member_id": "b".repeat(64)}), &view), "no such member in this service");
        assert_eq!(on("set_recovery_threshold", json!({"recovery_threshold": 1}), &view), "the threshold is 2 now");
    }

    #[test]
    fn a_new_constitution_is_shown_as_what_changes() {
        let proposal = json!({"actions": [{"name": "set_constitution", "args": {"constitution": "a\nB\nc\n"}}]});
        let text = annotated(&proposal, &notes(&proposal, &view(), 20), Catalogue::builtin());
        assert!(text.contains("identical but for 1 line\n"), "{text}");
        assert!(text.contains("2 - b\n") && text.contains("2 + B\n"), "{text}");
        let text = annotated(&proposal, &notes(&proposal, &ServiceView::default(), 20), Catalogue::builtin());
        assert!(text.contains("not compared with the constitution in force") && text.contains("a\\u{a}B"), "{text}");
    }
}
