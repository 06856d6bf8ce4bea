use super::*;

fn names(review: &Review) -> Vec<&'static str> {
    review.warnings.iter().map(|w| w.name).collect()
}

#[test]
fn an_open_door_is_called_one() {
    let review = Review::of(b"package policy\n\napi_svn := \"0.10.0\"\n\nmount_device := {\"allowed\": true}\n");
    assert!(review.allow_all);
    assert!(names(&review).contains(&"allow-all") && names(&review).contains(&"delegation-missing"));
}

#[test]
fn every_mistake_of_a_policy_has_its_warning() {
    let rules: String = RULES.iter().map(|r| format!("{r} := data.framework.{r}\n")).collect();
    let good = format!(
        "package policy\napi_version := \"0.10.0\"\nframework_version := \"0.2.3\"\ncontainers := [{{\"command\": [\"/app\"], \"layers\": [\"00\"], \"env_rules\": [], \"allow_elevated\": false}}]\n{rules}"
    );
    assert_eq!(names(&Review::of(good.as_bytes())), Vec::<&str>::new());
    for (from, to, warning) in [
        ("package policy", "package other", "package"),
        ("\"allow_elevated\": false", "\"allow_elevated\": true", "elevated"),
        ("[\"00\"]", "[]", "no-layers"),
        ("\"env_rules\": []", "\"env_rules\": [{\"pattern\": \".+=.+\", \"strategy\": \"re2\"}]", "environment-any"),
        ("\"env_rules\": []", "\"env_rules\": [{\"pattern\": \"A=.+\", \"strategy\": \"re2\"}]", "environment-open"),
        ("\"env_rules\": []", "\"exec_processes\": [{\"command\": [\"/bin/sh\"]}]", "shell"),
        ("\"env_rules\": []", "\"exec_processes\": [{\"command\": [\"/x\"]}]", "exec"),
        ("containers := [", "allow_dump_stacks := true\ncontainers := [", "dump-stacks"),
        ("containers := [", "allow_runtime_logging := true\ncontainers := [", "runtime-logging"),
        ("containers := [", "allow_unencrypted_scratch := true\ncontainers := [", "unencrypted-scratch"),
        (
            "containers := [",
            "fragments := [{\"feed\": \"f\", \"issuer\": \"x\", \"minimum_svn\": \"5\"}]\ncontainers := [",
            "fragment-unpinned",
        ),
        (
            "containers := [",
            "fragments := [{\"feed\": \"f\", \"issuer\": \"did:x509:0:sha256:A::eku:1\", \"minimum_svn\": \"1\"}]\ncontainers := [",
            "fragment-svn",
        ),
        ("containers := [", "external_processes := [{\"command\": [\"ls\"]}]\ncontainers := [", "external-process"),
        ("containers := [", "extra { true }\ncontainers := [", "not-understood"),
        ("containers := [", "surprise := 1\ncontainers := [", "unknown-definition"),
        ("exec_external := data.framework.exec_external\n", "", "delegation-missing"),
        ("data.framework.exec_external", "data.framework.create_container", "rule"),
        ("\napi", "\r\napi", "crlf"),
        ("api_version", "containers := []\napi_version", "defined-twice"),
        ("\"allow_elevated\": false", "\"allow_elevated\": false, \"allow_elevated\": true", "defined-twice"),
        ("\"env_rules\": []", "\"env_rules\": data.x", "not-understood"),
        ("\"env_rules\": []", "\"allow_it_all\": true", "unknown-definition"),
        ("\"env_rules\": []", "\"capabilities\": {\"bounding\": [\"CAP_KILL\", \"CAP_SYS_ADMIN\"]}", "capabilities"),
        (
            "\"env_rules\": []",
            "\"env_rules\": [{\"pattern\": \"^(.*)=.*$\", \"strategy\": \"re2\"}]",
            "environment-any",
        ),
        (
            "\"env_rules\": []",
            "\"env_rules\": [{\"pattern\": \"A=1\", \"strategy\": \"regex\"}]",
            "environment-strategy",
        ),
        ("containers := [", "fragments := data.other.fragments\ncontainers := [", "not-understood"),
        ("containers := [", "platform_rules := [{}]\ncontainers := [", "platform-rules"),
        ("containers := [", "allow_host_network := true\ncontainers := [", "host-network"),
        ("containers := [", "allow_next_years_thing := true\ncontainers := [", "switch"),
        ("containers := [", "next_years_rule := {\"allowed\": true}\ncontainers := [", "allow-all"),
        (
            "\"env_rules\": []",
            "\"env_rules\": [{\"pattern\": \"[A-Za-z0-9_]+=.+\", \"strategy\": \"re2\"}]",
            "environment-any",
        ),
        (
            "\"env_rules\": []",
            "\"env_rules\": [{\"pattern\": \"[A-Z0-9_]+_PORT=.+\", \"strategy\": \"re2\"}]",
            "environment-open",
        ),
        ("containers := [", "allow_environment_variable_dropping := true\ncontainers := [", "variable-dropping"),
        (
            "containers := [",
            "fragments := [{\"feed\": \"f\", \"issuer\": \"did:x509:0:sha256:A::eku:1\"}]\ncontainers := [",
            "fragment-svn",
        ),
        ("package policy", "\u{feff}package policy", "byte-order-mark"),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        let review = Review::of(changed.as_bytes());
        assert!(names(&review).contains(&warning), "{warning}: {:?}", review.warnings);
    }
}

#[test]
fn what_the_tools_of_today_write_is_understood() {
    let rules: String = RULES.iter().map(|r| format!("{r} := data.framework.{r}\n")).collect();
    let policy = format!(
        "package policy\n\nimport future.keywords.every\nimport future.keywords.in\n\napi_version := \"0.11.0\"\n\
         framework_version := \"0.2.3\"\n\nfragments := [\n  {{\n    \"feed\": \"f\",\n    \"includes\": [\n      \
         \"containers\"\n    ],\n    \"issuer\": \"did:x509:0:sha256:A::eku:1.2\",\n    \"minimum_svn\": \"4\"\n  }}\n]\n\n\
         containers := [{{\"command\":null,\"env_rules\":[{{\"pattern\":\"T(E)?MP=.+\",\"required\":false,\"strategy\":\"re2\"}},\
         {{\"pattern\":\"HOSTNAME=.+\",\"strategy\":\"re2\"}}],\"layers\":[\"00\"],\"user\":{{\"user_idname\":\
         {{\"pattern\":\"\",\"strategy\":\"any\"}}}},\"signals\":[15],\"seccomp_profile_sha256\":\"\"}}]\n\n\
         allow_capability_dropping := true\n\n{rules}next_years_rule := data.framework.next_years_rule\n\n\
         reason := {{\"errors\": data.framework.errors}}\n\n\n"
    );
    let review = Review::of(policy.as_bytes());
    assert_eq!(names(&review), ["fragment", "environment-open"], "{:?}", review.warnings);
    assert!(review.warnings[1].detail.contains("T(E)?MP=.+, HOSTNAME=.+"));
    let container = &review.containers[0];
    assert_eq!((container.user.as_deref(), &container.signals[..]), (Some("any"), &["15".to_owned()][..]));
    assert_eq!((container.seccomp_profile_sha256.as_deref(), container.command.len()), (None, 0));
    assert_eq!(review.rules.len(), RULES.len() + 1);
}

#[test]
fn a_fragment_is_called_one() {
    let fragment =
        "package infra\n\nsvn := \"1\"\nframework_version := \"0.5.0\"\n\ncontainers := [{\"layers\": [\"00\"]}]\n";
    let review = Review::of(fragment.as_bytes());
    assert_eq!(names(&review), ["package"]);
    assert!(review.is_fragment() && review.warnings[0].detail.contains("package infra"));
}
