//! `upgrade rehearse`: the whole walk, from the command line.

use ccf_gov::cose::Algorithm;
use ccf_gov::signer::NewKeys;

use super::*;
use crate::support::softhsm::{Kind, PIN, PLAIN, TOKEN, Token, in_child, module};

async fn rehearse(arguments: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let mut all = vec!["upgrade".to_owned(), "rehearse".into()];
    all.extend(arguments.iter().map(ToString::to_string));
    run(folder.path(), all).await
}

#[tokio::test]
async fn a_rehearsal_tells_every_step_and_ends_with_new_code_only() {
    let ran = rehearse(&["--output", "json"]).await;
    let done = ran.done();
    assert_eq!(
        (&done["done"], &done["n"], &done["majority"], &done["f"]),
        (&true.into(), &3.into(), &2.into(), &1.into())
    );
    let steps = done["steps"].as_array().unwrap();
    let did: Vec<_> = steps.iter().flat_map(|s| s["did"].as_array().unwrap()).collect();
    let of = |what: &str| did.iter().filter(|d| d["what"].as_str().unwrap().starts_with(what)).count();
    assert_eq!((of("vote"), of("delete"), of("start")), (2 * of("propose"), 3, 3));
    for signed in did.iter().filter(|d| !d["proposal_id"].is_null()) {
        assert!(signed["transaction_id"].is_string());
    }
    let nodes = done["nodes"].as_array().unwrap();
    assert!(nodes.len() == 3 && nodes.iter().all(|n| n["code"] == "new" && n["status"] == "Trusted"), "{done}");
}

#[tokio::test]
async fn a_rehearsal_is_readable() {
    let ran = rehearse(&[]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for text in
        ["1. register: member 0", "n 6, majority 4, f 2", "propose to retire node", "delete node", "only the new code"]
    {
        assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    }
}

#[tokio::test]
async fn other_members_keys_can_rehearse_and_prepare() {
    let file = |n: usize, kind: &str| keys().join(format!("member{n}_{kind}.pem")).display().to_string();
    let mut arguments = vec!["--prepare-and-finish".to_owned(), "--output".into(), "json".into()];
    for member in [2, 1] {
        arguments.extend(["--member-key".into(), file(member, "privk")]);
        arguments.extend(["--member-cert".into(), file(member, "cert")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    assert_eq!(rehearse(&arguments).await.done()["members"].as_array().unwrap().len(), 2);
    assert!(rehearse(&["--member-cert", "x.pem", "--output", "json"]).await.error(2).contains("--member-key"));
}

/// A service with a state file and an upgrade.toml for it.
async fn exported() -> Field {
    let field = Field::to_upgrade(3).await;
    field.run(&["state", "export", "-o", "state.json", "--output", "json"]).await.done();
    field
}

#[tokio::test]
async fn a_plan_is_rehearsed_on_a_copy_of_its_service() {
    let field = exported().await;
    let plan = field.plan(&["--output", "json"]).await.done();
    let before = field.sandbox.requests();
    let line = ["upgrade", "rehearse", "-f", "upgrade.toml", "--state", "state.json"];
    let done =
        field.run_plain(line.iter().chain(&["--output", "json"]).map(ToString::to_string).collect()).await.done();
    assert_eq!((&done["done"], &done["plan"], &done["n"]), (&true.into(), &plan["plan"], &3.into()), "{done}");
    assert!(done["copied"].to_string().contains("3 active members under throw-away keys: member0, member1, member2"));
    assert!(done["not_copied"].to_string().contains("when certificates end"), "{done}");
    let told = field.run_plain(line.map(String::from).into()).await;
    for says in ["Rehearsal of plan ", "\nCopied\n", "\nNot copied\n", "1. register: member0 (", "the upgrade is done"]
    {
        assert!(told.code == 0 && told.stdout.contains(says), "{says}: {}{}", told.stdout, told.stderr);
    }
    assert_eq!(field.sandbox.requests(), before, "nothing is asked of the service");
    // Without a state, the service is asked, and nothing is written on it.
    let asked =
        field.run_plain(["upgrade", "rehearse", "-f", "upgrade.toml", "--output", "json"].map(String::from).into());
    assert_eq!(asked.await.done()["done"], true);
    assert!(field.sandbox.requests() > before);
    // The state of another service is not taken for this one's.
    let other = exported().await;
    std::fs::copy(other.path("state.json"), field.path("state.json")).unwrap();
    let refused = field.run_plain(line.map(String::from).into()).await;
    assert!(refused.code == 2 && refused.stderr.contains("another service"), "{refused:?}");
}

#[tokio::test]
async fn faults_are_told_with_how_the_walk_went_on() {
    let done = rehearse(&["--fault", "primary-dies@join-and-trust", "--fault", "dropped-proposal", "--output", "json"])
        .await
        .done();
    let faults = done["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 2, "{done}");
    for fault in faults {
        assert!(
            fault["after_step"].is_number() && fault["recovery"].as_str().unwrap().contains(" seconds later, "),
            "{fault}"
        );
    }
    let died = faults.iter().find(|fault| fault["fault"] == "primary-dies@join-and-trust").unwrap();
    assert!(died["recovery"].as_str().unwrap().ends_with(" is retired and deleted"), "{died}");
    let waiting = rehearse(&["--fault", "member-absent", "--fault", "member-absent"]).await;
    assert_eq!(waiting.code, 6, "{waiting:?}");
    for says in ["Fault member-absent@register: member2 takes no step any more", "Waiting   for member1, member2: "] {
        assert!(waiting.stdout.contains(says), "{says}: {}", waiting.stdout);
    }
    let json = rehearse(&["--fault", "member-absent", "--fault", "member-absent", "--output", "json"]).await;
    assert_eq!((json.code, json.json()["waiting_for"][0]["whom"].as_str()), (6, Some("member1, member2")), "{json:?}");
}

#[test]
fn members_with_keys_on_a_token_can_rehearse() {
    in_child("commands::rehearse::members_with_keys_on_a_token_can_rehearse", &[], |folder| {
        let token = Token::new(TOKEN);
        let pin = folder.join("pin");
        std::fs::write(&pin, PIN).unwrap();
        let module = module().unwrap().display().to_string();
        let mut arguments = vec!["--output".to_owned(), "json".into()];
        for (id, algorithm) in Algorithm::ALL.into_iter().enumerate() {
            let keys = NewKeys::generate(&format!("member{id}"), algorithm, 30, false).unwrap();
            // Two certificates come from files, the last one from the token.
            token.add(&keys, "member", id as u8, &Kind { certificate: id == 2, ..PLAIN });
            let uri = format!("pkcs11:id=%0{id}?module-path={module}&pin-source=file:{}", pin.display());
            arguments.extend(["--member-key".into(), uri]);
            if id < 2 {
                let certificate = keys.write(folder, false).unwrap().certificate;
                arguments.extend(["--member-cert".into(), certificate.display().to_string()]);
            }
        }
        token.log_out();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for more in [None, Some("--prepare-and-finish")] {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(more).collect();
            let done = runtime.block_on(rehearse(&arguments)).done();
            assert_eq!((&done["done"], done["members"].as_array().unwrap().len()), (&true.into(), 3));
        }
    });
}
