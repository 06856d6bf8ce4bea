use serde_json::json;

use super::testing::{service, virtual_code};
use super::*;
use crate::digest::HostData;
use crate::platform::Platform;
use crate::proposal::Registration;
use crate::upgrade::{Code, CodeValue};

fn whats(forecast: &Forecast) -> Vec<&str> {
    forecast.steps.iter().map(|step| step.what.as_str()).collect()
}

#[test]
fn three_nodes_are_replaced_by_three_with_the_primary_last() {
    let seen = service(&virtual_code(1), 3);
    let found = forecast(&Plan::of(virtual_code(2), 3), &seen);
    assert_eq!(found.stops, None);
    assert_eq!(
        whats(&found),
        [
            "register the new code",
            "start 3 nodes that run the new code, and let them join",
            "trust new nodes new-1, new-2",
            "trust new node new-3",
            "retire node 02020202",
            "retire node 03030303",
            "retire node 01010101",
            "stop and delete nodes 01010101, 02020202, 03030303",
            "deregister the old code",
        ]
    );
    let f: Vec<_> = found.steps.iter().map(|step| (step.before.f, step.after.f)).collect();
    assert_eq!(f, [(1, 1), (1, 1), (1, 2), (2, 2), (2, 2), (2, 1), (1, 1), (1, 1), (1, 1)]);
    let pauses: Vec<usize> = found.steps.iter().filter(|s| s.pause.is_some()).map(|s| s.number).collect();
    assert_eq!(pauses, [3, 7], "a trust of as many nodes as can be, and the removal of the primary");
    let last = found.steps.last().unwrap();
    assert!(last.nodes.iter().all(|node| node.node.starts_with("new-")) && last.nodes.len() == 3);
    assert!(found.phases().iter().all(|phase| phase.progress.state != State::Done || phase.steps.is_empty()));
}

#[test]
fn nodes_of_a_newer_major_version_start_from_a_snapshot() {
    let mut seen = service(&virtual_code(1), 3);
    seen.nodes.iter_mut().for_each(|node| node.version = "6.0.28".parse().ok());
    let plan = |version: &str| Plan { version: version.parse().ok(), ..Plan::of(virtual_code(2), 3) };
    let seven = forecast(&plan("7.0.21"), &seen);
    let whats = whats(&seven);
    assert_eq!(whats[1], "make a snapshot, from which the new nodes join");
    assert_eq!(whats[2], "start 3 nodes that run the new code from the newest committed snapshot, and let them join");
    let six = forecast(&plan("6.0.29"), &seen);
    assert!(six.steps.iter().all(|step| !step.what.contains("snapshot")));
}

#[test]
fn a_proposal_says_what_is_not_known_yet() {
    let seen = service(&virtual_code(1), 3);
    let found = forecast(&Plan::of(virtual_code(2), 3), &seen);
    let trust = found.steps[3].proposal.as_ref().unwrap();
    assert_eq!(
        trust["actions"][0]["args"],
        json!({"node_id": "<id of new-3>", "valid_from": "<when it is proposed>", "validity_period_days": 90})
    );
}

#[test]
fn nodes_of_the_same_code_are_added_and_retired() {
    let code = virtual_code(1);
    let one = forecast(&Plan::of(code.clone(), 4), &service(&code, 3));
    assert_eq!(whats(&one)[0], "start a node that runs the new code, and let it join");
    let more = forecast(&Plan::of(code.clone(), 5), &service(&code, 3));
    assert_eq!(whats(&more).len(), 2, "{:?}", whats(&more));
    assert_eq!(more.steps[1].after, Quorum::of(5));
    let fewer = forecast(&Plan::of(code.clone(), 3), &service(&code, 5));
    assert_eq!(
        whats(&fewer),
        ["retire node 04040404", "retire node 05050505", "stop and delete nodes 04040404, 05050505"]
    );
    assert_eq!(fewer.phases()[0].progress.state, State::Done);
    let none = forecast(&Plan::of(code.clone(), 3), &service(&code, 3));
    assert!(none.steps.is_empty() && none.stops.is_none());
}

#[test]
fn five_nodes_become_three() {
    let found = forecast(&Plan::of(virtual_code(2), 3), &service(&virtual_code(1), 5));
    assert_eq!(found.stops, None);
    assert_eq!(found.steps.last().unwrap().after, Quorum::of(3));
    assert!(found.steps.iter().all(|step| step.after.f >= 1));
}

#[test]
fn other_platforms_walk_the_same_way() {
    let value = |kind, args| CodeValue { kind, args };
    let snp = |n: u8, svn: &str| Code {
        platform: Platform::Snp,
        values: vec![
            value(Registration::SnpHostData, json!({"host_data": HostData([n; 32]), "security_policy": "p"})),
            value(Registration::SnpUvmEndorsement, json!({"did": "did:x509:a", "feed": "f", "svn": svn})),
            value(
                Registration::SnpMinimumTcb,
                json!({"cpuid": "00a00f11", "tcb_version": {"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219}}),
            ),
        ],
    };
    let found = forecast(&Plan::of(snp(2, "101"), 3), &service(&snp(1, "100"), 3));
    assert_eq!(found.stops, None);
    let last = found.steps.last().unwrap().proposal.as_ref().unwrap();
    let names: Vec<_> = last["actions"].as_array().unwrap().iter().map(|action| &action["name"]).collect();
    assert_eq!(names, ["add_snp_uvm_endorsement", "remove_snp_host_data"], "the endorsement is raised in the end");
    let sgx = |n: u8| Code {
        platform: Platform::Sgx,
        values: vec![value(Registration::SgxCode, json!({"code_id": HostData([n; 32])}))],
    };
    let found = forecast(&Plan::of(sgx(2), 3), &service(&sgx(1), 3));
    assert_eq!((found.stops.as_ref(), found.steps.last().unwrap().after), (None, Quorum::of(3)));
}

#[test]
fn rules_are_changed_when_they_differ() {
    let code = virtual_code(1);
    let bundle = json!({"metadata": {"endpoints": {}}, "modules": []});
    let plan = Plan { constitution: Some("new".into()), application: Some(bundle), ..Plan::of(code.clone(), 3) };
    let found = forecast(&plan, &service(&code, 3));
    assert_eq!(whats(&found), ["change the rules (set_constitution)"]);
    assert_eq!(found.phases()[4].progress.state, State::Current);
}

#[test]
fn what_stops_a_walk_is_said() {
    let mut seen = service(&virtual_code(1), 3);
    seen.replication.as_mut().unwrap().heard.clear();
    let found = forecast(&Plan::of(virtual_code(2), 3), &seen);
    assert!(found.stops.as_ref().unwrap().contains("disaster recovery"), "{:?}", found.stops);
    assert!(found.steps.is_empty());
    assert!(found.phases().iter().all(|phase| phase.progress.state != State::Done));
}

#[test]
fn the_nodes_are_drawn() {
    let found = forecast(&Plan::of(virtual_code(2), 3), &service(&virtual_code(1), 3));
    assert_eq!(drawing(&found.nodes), "[old 01010101*] [old 02020202] [old 03030303]");
    assert_eq!(
        drawing(&found.steps[4].nodes),
        "[old 01010101*] [old 03030303] [new new-1] [new new-2] [new new-3] ~old 02020202~"
    );
    let chart = mermaid(&found);
    assert!(chart.starts_with("flowchart TB\n  subgraph stage0[\"now (n 3, majority 2, f 1)\"]"), "{chart}");
    assert!(chart.contains("stage2[\"after: join and trust (n 6, majority 4, f 2)\"]"), "{chart}");
    assert!(chart.contains("[\"old 01010101<br/>primary\"]:::old"), "{chart}");
}

/// A launch measurement or code of another platform lets nodes join as well, whatever the new code is known by.
#[test]
fn whatever_else_lets_nodes_join_is_deregistered() {
    let snp = |n: u8| Code {
        platform: Platform::Snp,
        values: vec![
            CodeValue {
                kind: Registration::SnpUvmEndorsement,
                args: json!({"did": "did:x509:a", "feed": "f", "svn": "100"}),
            },
            CodeValue {
                kind: Registration::SnpHostData,
                args: json!({"host_data": HostData([n; 32]), "security_policy": "p"}),
            },
        ],
    };
    let mut seen = service(&snp(1), 3);
    seen.join_policy.snp.measurements.push("ab".repeat(48));
    seen.join_policy.virtual_.measurements.push("any".into());
    let removes = |found: &Forecast| {
        let last = found.steps.last().unwrap().proposal.clone().unwrap();
        let names = last["actions"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let found = forecast(&Plan::of(snp(2), 3), &seen);
    assert_eq!(found.stops, None);
    assert_eq!(removes(&found), ["remove_snp_host_data", "remove_snp_measurement", "remove_virtual_measurement"]);
    // Code of another platform is another code: with two of them, none is guessed.
    seen.join_policy.sgx.measurements.push("cd".repeat(32));
    let found = forecast(&Plan::of(snp(2), 3), &seen);
    assert!(found.stops.as_ref().is_some_and(|why| why.contains("several codes")), "{:?}", found.stops);
    // From one platform to another, the old one's code goes.
    let sgx = Code {
        platform: Platform::Sgx,
        values: vec![CodeValue { kind: Registration::SgxCode, args: json!({"code_id": HostData([1; 32])}) }],
    };
    let found = forecast(&Plan::of(snp(2), 3), &service(&sgx, 3));
    assert_eq!((found.stops.as_ref(), removes(&found)), (None, vec!["remove_node_code".to_owned()]));
}
