//! Policies against images, none of which needs an archive.

use super::*;
use crate::check::Verdict;
use crate::evidence::layers::{Layer, LayerHash, Sha256};

fn image(name: &str, layers: &[u8], command: &[&str]) -> Image {
    let layer = |byte: &u8| Layer {
        hash: LayerHash([*byte; 32]),
        diff_id: Sha256([0; 32]),
        digest: Sha256([0; 32]),
        holds_images: false,
    };
    Image {
        names: vec![name.into()],
        id: Sha256([0; 32]),
        layers: layers.iter().map(layer).collect(),
        entrypoint: command.iter().map(|c| (*c).to_owned()).collect(),
        command: Vec::new(),
        environment: vec!["PATH=/bin".into(), "HOST=a.b".into()],
        working_dir: "/".into(),
        user: String::new(),
    }
}

fn review(containers: &str) -> Review {
    let policy = format!("package policy\ncontainers := [{containers}]\n");
    Review::of(policy.as_bytes())
}

fn container(layers: &[u8], rest: &str) -> String {
    let layers: Vec<String> = layers.iter().map(|b| format!("\"{}\"", LayerHash([*b; 32]))).collect();
    let rules = r#""env_rules": [{"pattern": "PATH=/bin", "strategy": "string"}, {"pattern": "(?i)host=[a-z]\\.b", "strategy": "re2"}]"#;
    let rest =
        if rest.is_empty() { format!(r#""command": ["/node"], "working_dir": "/", {rules}"#) } else { rest.into() };
    format!(r#"{{"name": "node", "layers": [{}], {rest}}}"#, layers.join(","))
}

fn outcome(containers: &str, images: &[Image]) -> (String, Vec<(&'static str, Verdict, String)>) {
    let mut checks = Checks::new();
    compare_images(None, &review(containers), images, &mut checks);
    let list = checks.iter().map(|c| (c.name, c.verdict, c.detail.clone())).collect();
    (checks.verdict().as_str().to_owned(), list)
}

#[test]
fn layers_are_backed_by_an_image_or_not_at_all() {
    let images = [image("example:1", &[1, 2, 3], &["/node"]), image("example:2", &[1, 4], &["/other"])];
    let (verdict, list) = outcome(&container(&[1, 2, 3], ""), &images);
    assert_eq!(verdict, "pass", "{list:?}");
    assert!(list.iter().all(|(_, verdict, _)| *verdict == Verdict::Pass) && list.len() == 3, "{list:?}");
    assert_eq!(list[0].2, "node: its layers are those of example:1");
    let nine = LayerHash([9; 32]);
    let extra = "node is an extra container, backed by no image";
    for (layers, why) in [
        (
            &[3, 2, 1][..],
            "its layers are those of example:1 upside down, and a policy lists the lowest first".to_owned(),
        ),
        (&[1, 2], "no image has just these layers in this order".to_owned()),
        (&[1, 2, 3, 4], "no image has just these layers in this order".to_owned()),
        (&[1, 2, 9], format!("no image has the layer {nine}")),
        (&[9, 2, 9], format!("no image has the layers {nine}, {nine}")),
        (&[], "it has no layers".to_owned()),
    ] {
        let (verdict, list) = outcome(&container(layers, ""), &images);
        assert_eq!((verdict.as_str(), list[0].0, &list[0].2), ("fail", "container-layers", &format!("{extra}: {why}")));
    }
    let pause = format!(r#"{{"command": ["/pause"], "layers": ["{}"]}}"#, super::super::contents::PAUSE_LAYER);
    let mut checks = Checks::new();
    assert!(compare_images(None, &review(&pause), &images, &mut checks).is_empty() && checks.iter().len() == 0);
    assert_eq!(compare_images(None, &review(&container(&[1, 4], "")), &images, &mut checks), BTreeSet::from([1]));
    // Whatever else has its layer may run what the host brings along.
    for changed in [
        r#"["/d/x"]"#,
        r#"["/pause"], "mounts": [{"source": "s", "destination": "/d"}]"#,
        r#"["/pause"], "exec_processes": [{"command": ["/d/x"]}]"#,
    ] {
        assert_eq!(outcome(&pause.replace(r#"["/pause"]"#, changed), &images).0, "fail", "{changed}");
    }
}

#[test]
fn fragments_that_may_add_containers_are_told() {
    let images = [image("example:1", &[1], &["/node"])];
    for (includes, told) in [(r#""containers""#, true), (r#""fragments""#, true), (r#""external_processes""#, false)] {
        let fragments = format!(r#"fragments := [{{"feed": "f", "includes": [{includes}]}}]"#);
        let policy = format!("package policy\n{fragments}\ncontainers := [{}]\n", container(&[1], ""));
        let mut checks = Checks::new();
        compare_images(None, &Review::of(policy.as_bytes()), &images, &mut checks);
        assert_eq!(checks.get("fragment").is_some(), told, "{includes}");
    }
}

#[test]
fn a_different_configuration_is_a_warning() {
    let images = [image("example:1", &[1], &["/node"])];
    let changed = r#""command": ["/node", "-x y"], "working_dir": "/x", "env_rules": [{"pattern": "HOST=a", "strategy": "re2"}, {"pattern": "PATH=/bin", "strategy": "re3"}]"#;
    let (verdict, list) = outcome(&container(&[1], changed), &images);
    assert_eq!(verdict, "pass");
    let says: Vec<_> = list.iter().skip(1).map(|(_, verdict, detail)| (*verdict, detail.as_str())).collect();
    assert_eq!(
        says,
        [
            (Verdict::Warn, "node: the policy's command is /node \"-x y\", the image's is /node"),
            (Verdict::Warn, "node: the policy's folder is /x, the image's is /"),
            (
                Verdict::Warn,
                "node: the policy does not admit the image's PATH=/bin, HOST=a.b: a container that has them is refused"
            ),
        ]
    );
}

#[test]
fn a_rule_with_patterns_for_name_and_value_is_one_rule() {
    let images = [image("example:1", &[1], &["/node"])];
    let rule = |name: &str, kind: &str, value: &str, of: &str| {
        format!(r#"{{"name": "{name}", "name_strategy": "{kind}", "value": "{value}", "value_strategy": "{of}"}}"#)
    };
    for (path, host, admitted) in [
        (rule("PATH", "string", "/bin", "string"), rule("H.+", "re2", "a.b", "string"), true),
        (rule("PATH", "string", "^/b.n$", "re2"), rule("HOST", "string", "[a-z]\\\\.b", "re2"), true),
        (rule("PATH", "string", "/bin", "string"), rule("HOST", "string", "a", "re2"), false),
        (rule("PATH", "string", "/bin", "other"), rule("HOST", "string", "a.b", "string"), false),
    ] {
        let rest = format!(r#""command": ["/node"], "working_dir": "/", "env_rules": [{path}, {host}]"#);
        let (_, list) = outcome(&container(&[1], &rest), &images);
        let verdict = list.iter().find(|(name, ..)| *name == "container-environment").unwrap().1;
        assert_eq!(verdict, if admitted { Verdict::Pass } else { Verdict::Warn }, "{path} {host}");
    }
}

#[test]
fn of_images_with_the_same_layers_the_one_with_the_command_is_meant() {
    let images = [image("example:1", &[1], &["/x"]), image("example:2", &[1], &["/node"])];
    let (_, list) = outcome(&container(&[1], ""), &images);
    assert_eq!(list[0].2, "node: its layers are those of example:2");
}

#[test]
fn what_may_admit_more_is_no_pass() {
    let images = [image("example:1", &[1], &["/node"])];
    let verdict = |policy: &str| {
        let mut checks = Checks::new();
        compare_images(None, &Review::of(policy.as_bytes()), &images, &mut checks);
        checks.verdict().as_str()
    };
    let good = format!("package policy\ncontainers := [{}]\n", container(&[1], ""));
    assert_eq!(verdict(&good), "pass");
    assert_eq!(verdict(&format!("{good}create_container := {{\"allowed\": true}}\n")), "fail");
    assert_eq!(verdict(&format!("{good}exec_in_container := {{\"allowed\": true}}\n")), "fail");
    assert_eq!(verdict(&good.replace("package policy", "package polcy")), "fail");
    assert_eq!(verdict(&format!("{good}extra {{ input.x }}\n")), "incomplete");
    for (rule, expected) in [
        ("mount_overlay := data.framework.mount_overlay", "pass"),
        ("create_container := {\"allowed\": false}", "pass"),
        ("mount_overlay := data.policy.mine", "incomplete"),
    ] {
        assert_eq!(verdict(&format!("{good}{rule}\n")), expected, "{rule}");
    }
    assert_eq!(verdict("package policy\n"), "incomplete");
}

#[test]
fn a_pattern_that_cannot_be_compiled_admits_nothing() {
    let rule = |pattern: &str| EnvironmentRule { pattern: pattern.into(), strategy: "re2".into(), required: false };
    assert!(admits(&rule("A=.+"), "A=b") && !admits(&rule("A="), "A=b") && !admits(&rule("=b"), "A=b"));
    assert!(admits(&rule("^A=b$"), "A=b") && !admits(&rule("A=("), "A=("));
    assert!(!admits(&rule(&format!("A={}", "(a{1000}){1000}".repeat(10))), "A=a"));
}
