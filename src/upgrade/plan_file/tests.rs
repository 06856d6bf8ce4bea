use super::super::forecast::testing::{service, virtual_code};
use super::*;
use crate::digest::HostData;
use crate::platform::Platform;
use crate::service::NodeStatus;
use crate::upgrade::{Code, CodeValue, forecast};

#[test]
fn what_matters_is_told_and_the_progress_of_the_walk_is_not() {
    let seen = service(&virtual_code(1), 3);
    let plan = Plan::of(virtual_code(2), 3);
    let made = PlanFile::of(&plan, &seen);
    let text = made.write(&plan, &forecast(&plan, &seen), &Checks::new(), false).to_string();
    let read = PlanFile::parse(text.as_bytes()).unwrap();
    assert_eq!(read, made);
    assert_eq!(read.changes(&plan, &seen), [""; 0]);
    // A node is retired, the new code is registered, and one that runs it waits.
    let mut later = seen.clone();
    later.nodes[1].status = NodeStatus::Retired;
    later.join_policy.virtual_.host_data.push(plan.new.running().host_data.unwrap());
    let mut node = later.nodes[0].clone();
    (node.id, node.running) = (NodeId::from_bytes([7; 32]), Some(plan.new.running()));
    later.nodes.push(node.clone());
    assert_eq!(read.changes(&plan, &later), [""; 0]);
    // Something else was registered, and runs; the rules and the members are others.
    later.join_policy.virtual_.host_data.push("ab".into());
    (node.id, node.running) = (NodeId::from_bytes([8; 32]), None);
    later.nodes.push(node);
    later.constitution = Some("other".into());
    later.members.clear();
    let changes = read.changes(&plan, &later).join("\n");
    for says in ["the virtual host data ab is", "node 08080808 has come", "the constitution is", "was active then"] {
        assert!(changes.contains(says), "{says}: {changes}");
    }
    let other = Plan { validity_days: 30, ..plan };
    assert!(read.changes(&other, &seen)[0].starts_with("upgrade.toml or a file that it names has changed"));
}

#[test]
fn a_minimum_that_is_another_one_under_the_same_key_is_told() {
    let value = |kind, args| CodeValue { kind, args };
    let tcb = |snp: u8| json!({"cpuid": "00a00f11", "tcb_version": {"boot_loader": 4, "tee": 0, "snp": snp, "microcode": 219}});
    let uvm = |svn: &str| json!({"did": "did:x509:a", "feed": "f", "svn": svn});
    let code = |n: u8, snp, svn: &str| Code {
        platform: Platform::Snp,
        values: vec![
            value(Registration::SnpMinimumTcb, tcb(snp)),
            value(Registration::SnpUvmEndorsement, uvm(svn)),
            value(Registration::SnpHostData, json!({"host_data": HostData([n; 32]), "security_policy": ""})),
        ],
    };
    let seen = |snp, svn: &str| service(&code(1, snp, svn), 3);
    let plan = Plan::of(code(2, 24, "102"), 3);
    let then = PlanFile::of(&plan, &seen(20, "100"));
    let written = then.write(&plan, &forecast(&plan, &seen(20, "100")), &Checks::new(), false).to_string();
    let then = PlanFile::parse(written.as_bytes()).unwrap();
    assert_eq!(then.changes(&plan, &seen(20, "100")), [""; 0]);
    assert_eq!(then.changes(&plan, &seen(24, "102")), [""; 0], "what the walk itself raises");
    let changes = then.changes(&plan, &seen(19, "99"));
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[1].contains("00a00f11 has the minimum {") && changes[1].contains("\"snp\":19"), "{changes:?}");
    assert!(changes[0].contains("did:x509:a f has the minimum \"99\""), "{changes:?}");
    let mut gone = seen(20, "100");
    gone.join_policy.snp.tcb_versions.clear();
    assert!(then.changes(&plan, &gone)[0].ends_with("was registered then, and is not any more"));
}

#[test]
fn what_is_no_plan_file_is_refused() {
    for bad in ["", "{}", "[]", r#"{"digest": 1, "decided_from": {}}"#, r#"{"digest": "", "decided_from": {}}"#] {
        assert!(PlanFile::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}
