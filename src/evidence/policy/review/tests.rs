use super::*;
use crate::check::Verdict;

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
fn a_rule_about_the_environment_is_called_what_it_admits() {
    let told = |rule: &str| {
        let policy = format!("package policy\ncontainers := [{{\"layers\": [\"00\"], \"env_rules\": [{rule}]}}]\n");
        let about = ["environment-any", "environment-open", "not-understood"];
        names(&Review::of(policy.as_bytes())).into_iter().find(|name| about.contains(name)).unwrap_or("")
    };
    for (pattern, warning) in [
        ("^A=b$", ""),
        (r"^A=1\\.2$", ""),
        ("A=b", "environment-open"),
        ("^A=1.2$", "environment-open"),
        (r"^A=\\d\\d$", "environment-open"),
        ("LD_PRELOAD=/tmp/........", "environment-open"),
        (r"SERVER_ADDR=[\\w-_]+:\\d{1,5}", "environment-open"),
        ("........=........", "environment-any"),
        ("=", "environment-any"),
        (r"\\C\\C\\C", "environment-any"),
        // Of two sides of a bar, the second has no name.
        ("TLS_KEY=^$|.*", "environment-any"),
    ] {
        assert_eq!(told(&format!(r#"{{"pattern": "{pattern}", "strategy": "re2"}}"#)), warning, "{pattern}");
    }
    let new = r#""name": "A", "name_strategy": "string", "value": "b", "value_strategy": "string""#;
    assert_eq!(told(&format!("{{{new}}}")), "");
    // Frameworks differ in which of the two forms they read.
    assert_eq!(told(&format!(r#"{{"pattern": ".+", "strategy": "re2", {new}}}"#)), "not-understood");
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
            "fragments := [{\"feed\": \"f\", \"issuer\": \"did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6\", \"minimum_svn\": \"1\"}]\ncontainers := [",
            "fragment-svn",
        ),
        ("containers := [", "external_processes := [{\"command\": [\"ls\"]}]\ncontainers := [", "external-process"),
        (
            "containers := [",
            "external_processes := [{\"env_rules\": [{\"pattern\": \".+\", \"strategy\": \"re2\"}]}]\ncontainers := [",
            "environment-any",
        ),
        (
            "containers := [",
            "platform_rules := [{\"env_rules\": [{\"pattern\": \"A=.+\", \"strategy\": \"re2\"}]}]\ncontainers := [",
            "environment-open",
        ),
        ("containers := [", "platform_rules := [{\"env_rules\": [{}]}]\ncontainers := [", "not-understood"),
        ("containers := [", "extra { true }\ncontainers := [", "not-understood"),
        ("containers := [", "surprise := 1\ncontainers := [", "unknown-definition"),
        ("containers := [", "package policy\n\ncontainers := [", "package"),
        ("exec_external := data.framework.exec_external\n", "", "delegation-missing"),
        ("data.framework.exec_external", "data.framework.create_container", "rule"),
        ("\napi", "\r\napi", "crlf"),
        ("api_version", "containers := []\napi_version", "defined-twice"),
        ("\"allow_elevated\": false", "\"allow_elevated\": false, \"allow_elevated\": true", "not-understood"),
        ("\"env_rules\": []", "\"capabilities\": data.x", "not-understood"),
        ("\"env_rules\": []", "\"capabilities\": [\"CAP_SYS_ADMIN\"]", "not-understood"),
        ("\"env_rules\": []", "\"env_rules\": [data.x]", "not-understood"),
        ("[\"00\"]", "[x]", "not-understood"),
        ("\"0.10.0\"", "data.x", "not-understood"),
        ("package policy", "package policy\nimport data.x", "not-understood"),
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
            "fragments := [{\"feed\": \"f\", \"issuer\": \"did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6\"}]\ncontainers := [",
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
         \"containers\"\n    ],\n    \"issuer\": \"did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6\",\n    \"minimum_svn\": \"4\"\n  }}\n]\n\n\
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

fn with_every_rule(rule: impl Fn(&str) -> String) -> Review {
    let rules: String = RULES.iter().map(|name| format!("{}\n", rule(name))).collect();
    Review::of(format!("package policy\n\napi_version := \"0.10.0\"\nt := true\n{rules}").as_bytes())
}

#[test]
fn allow_all_is_no_pass_in_any_spelling() {
    for spelling in [
        "NAME := {\"allowed\": true}",
        "default NAME := {\"allowed\": true}",
        "NAME = {`allowed`: true, \"env_list\": null}",
        "NAME := {\"allowed\": true} { true }",
        "NAME := {\"allowed\": true} if { true }",
        "NAME := {\"\\u0061llowed\": true}",
        "default NAME := data.framework.NAME\nelse := {\"allowed\": true}",
    ] {
        let review = with_every_rule(|name| spelling.replace("NAME", name));
        assert!(review.allow_all, "{spelling}");
        assert_eq!(review.gravest().map(|w| w.name), Some("allow-all"), "{spelling}");
    }
    for spelling in [
        "NAME = x { x := {\"allowed\": true} }",
        "NAME := {\"allowed\": t}",
        "NAME := t",
        "NAME := {\"allowed\": false, \"allowed\": true}",
        "NAME := {\"allowed\": true} { not false }",
        "NAME := {\"allowed\": 1 == 1}",
        "NAME[\"allowed\"] := true",
        "NAME.allowed := true",
        "data.policy.NAME := {\"allowed\": t}",
        "NAME := data.framework.NAME\nNAME := {\"allowed\": false}",
        "NAME := {\"allowed\": false, \"metadata\": data.framework.NAME.metadata}",
        "next_years_NAME := {\"allowed\": t}",
        "import data.x.y\nNAME := data.framework.NAME",
    ] {
        let review = with_every_rule(|name| spelling.replace("NAME", name));
        assert!(!review.is_understood(), "{spelling}");
        assert!(!names(&review).contains(&"no-containers"), "{spelling}");
    }
}

#[test]
fn what_an_open_rule_lets_in_is_told_apart() {
    let with = |open: &str| {
        with_every_rule(|name| match name == open {
            true => format!("{name} := {{\"allowed\": true}}"),
            false => format!("{name} := data.framework.{name}"),
        })
    };
    for (rule, warning, all, containers) in [
        ("create_container", "allow-all", true, true),
        ("mount_overlay", "allow-all", true, true),
        ("exec_external", "allow-all", true, false),
        ("get_properties", "rule-open", false, false),
        ("shutdown_container", "rule-open", false, false),
    ] {
        let review = with(rule);
        assert!(names(&review).contains(&warning), "{rule}: {:?}", review.warnings);
        assert_eq!((review.allow_all, review.admits_any_container()), (all, containers), "{rule}");
        assert_eq!(review.open_rules, [rule]);
    }
}

#[test]
fn what_widens_a_policy_is_shown_whole() {
    let container = r#"{"command": ["/app"], "layers": ["00"], "env_rules": [ENV], "user": {"user_idname": {"pattern": "1000", "strategy": "id"}, "group_idnames": [{"pattern": "", "strategy": "any"}], "umask": "0022"}}"#;
    let policy = |env: &str, framework: &str| {
        Review::of(format!(
            "package policy\nframework_version := \"{framework}\"\nplatform_rules := [{{\"env_rules\": [{{\"name\": \"A\", \"name_strategy\": \"re2\", \"value\": \".+\", \"value_strategy\": \"re2\"}}], \"mounts\": [{{\"source\": \"s\", \"destination\": \"/d\", \"options\": [\"ro\"]}}]}}]\nfragments := [{{\"feed\": \"f\", \"issuer\": \"i\", \"includes\": [], \"minimum_svn\": \"3\", \"parameters\": {{\"a\": 1}}, \"other\": 1}}]\ncontainers := [{}]\n",
            container.replace("ENV", env)
        ).as_bytes())
    };
    let review = policy(r#"{"pattern": "A=1", "strategy": "string", "required": true}"#, "0.2.3");
    assert_eq!(
        (review.platform_rules[0].environment.len(), &*review.platform_rules[0].mounts[0].destination),
        (1, "/d")
    );
    assert_eq!(review.fragments[0].parameters.as_deref(), Some(r#"{"a":1}"#));
    let unknown: Vec<_> = review.warnings.iter().filter(|w| w.verdict() == Verdict::Incomplete).collect();
    assert!(matches!(unknown[..], [one] if one.detail.starts_with("other of a fragment")), "{unknown:?}");
    let user = |framework: &str| review.containers[0].user_under(Some(framework));
    assert_eq!(user("0.2.3"), "1000 (id), groups any, umask 0022");
    assert!(user("0.1.0").starts_with("any"));
    for odd in
        [r#"{"patern": "A=1", "strategy": "string"}"#, r#"{"pattern": "A", "strategy": "re2", "required": "yes"}"#]
    {
        let review = policy(odd, "0.2.3");
        assert!(review.warnings.iter().any(|w| w.detail.contains("is not a rule about the environment")), "{odd}");
    }
}

#[test]
fn what_is_understood_is_not_called_anything_else() {
    let review = |rule: &str| {
        let rules: String = RULES.iter().map(|name| format!("{}\n", rule.replace("NAME", name))).collect();
        Review::of(format!("package policy\napi_version := \"0.10.0\"\n{rules}").as_bytes())
    };
    for rule in
        ["NAME := data.framework.NAME", "NAME := {\"allowed\": false}", "default NAME := {\"allowed\": false} # no"]
    {
        let review = review(rule);
        assert_eq!(names(&review), ["no-containers"], "{rule}");
        assert!(review.is_understood() && !review.allow_all);
    }
}

#[test]
fn no_more_is_said_than_a_person_reads() {
    let all = RULES.iter().map(|name| format!("{name} := data.framework.{name}\n")).collect::<String>();
    let warnings = |rest: &str| Review::of(format!("package policy\n{all}{rest}").as_bytes());
    for (rest, name, count) in [
        ("?\n".repeat(20_000), "not-understood", 20_000),
        ((0..20_000).map(|n| format!("a{n} := 1\n")).collect(), "unknown-definition", 20_000),
        ("reason := 1\n".repeat(20_000), "defined-twice", 19_999),
        (format!("fragments := [{}]\n", "{\"a\":1},".repeat(900)), "fragment", 900),
        (
            format!("containers := [{{{}}}]\n", (0..20_000).map(|n| format!("\"a{n}\":0,")).collect::<String>()),
            "unknown-definition",
            20_000,
        ),
        (
            format!("containers := [{{\"exec_processes\": [{}]}}]\n", "{\"command\":[\"/x\"]},".repeat(5000)),
            "exec",
            5000,
        ),
    ] {
        let review = warnings(&rest);
        let of: Vec<_> = review.warnings.iter().filter(|w| w.name == name).collect();
        assert_eq!((of.len(), of[100].detail.as_str()), (101, format!("and {} more", count - 100).as_str()), "{name}");
        assert!(review.not_understood.len() <= rego::MAX_STATEMENTS);
        assert!(review.not_understood.len() + review.more_not_understood <= 20_000);
    }
}

#[test]
fn no_more_is_kept_than_any_policy_has() {
    let review = Review::of(format!("package policy\ncontainers := [{}]\n", "{},".repeat(20_000)).as_bytes());
    assert_eq!(review.containers.len(), MAX_ENTRIES);
    assert!(!review.is_understood() && review.warnings.iter().any(|w| w.detail.contains("20000 entries")));
    let name = "n".repeat(100_000);
    let process = "{\"command\":[\"/x\"]},".repeat(1000);
    let container = format!("{{\"name\": \"{name}\", \"layers\": [\"00\"], \"exec_processes\": [{process}]}}");
    let review = Review::of(format!("package policy\ncontainers := [{container}]\n").as_bytes());
    assert!(review.warnings.iter().map(|w| w.detail.len()).sum::<usize>() < 50_000);
    let long = Review::of(format!("package policy\n{} := 1\n", "n".repeat(1_000_000)).as_bytes());
    assert!(!long.warnings.is_empty() && long.warnings.iter().all(|w| w.detail.len() < 10_000));
}

#[test]
fn a_policy_larger_than_any_is_not_read() {
    let mut policy = b"package policy\n".to_vec();
    policy.resize(MAX_POLICY, b'\n');
    assert!(Review::of(&policy).is_understood());
    policy.push(b'\n');
    let review = Review::of(&policy);
    assert_eq!((names(&review), review.is_understood()), (vec!["too-large"], false));
}

#[test]
fn what_no_platform_reads_as_its_policy_is_none() {
    assert!(Review::of(b"package policy\n").is_policy());
    assert!(!Review::of(b"package other\n").is_policy());
    assert!(!Review::of(b"containers := []\n").is_policy());
}
