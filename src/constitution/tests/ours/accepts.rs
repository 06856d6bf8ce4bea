//! What the constitution accepts, and with which reason it refuses the rest.

use proptest::prelude::*;

use super::*;

/// The arguments that an action can do without.
const OPTIONAL: &[&str] = &[
    "encryption_pub_key",
    "member_data",
    "recovery_role",
    "user_data",
    "recent_cose_proposals_window_size",
    "reconfiguration_type",
    "previous_service_identity",
    "validity_period_days",
    "disable_bytecode_cache",
    "log_exception_details",
    "return_exception_details",
    "max_cached_interpreters",
    "auto_refresh",
    "jwks",
];

#[test]
fn every_action_accepts_its_example() {
    for (name, args) in examples() {
        assert_eq!(validate(name, &args), Validation { valid: true, description: String::new() }, "{name}");
    }
}

#[test]
fn every_argument_that_is_wrong_is_named() {
    for (name, args) in examples() {
        let unknown = validate(name, &json!({"surplus": 1}));
        assert_eq!(unknown.description, format!("action 1, {name}: surplus is not an argument of this action"));
        let not_an_object = validate(name, &json!(["x"]));
        assert_eq!(not_an_object.description, format!("action 1, {name}: args must be an object, not [\"x\"]"));

        for argument in args.as_object().into_iter().flat_map(|args| args.keys()) {
            for wrong in [json!(-1.5), json!("no\u{0}"), json!([]), json!({"a": [1]}), Value::Null] {
                let mut broken = args.clone();
                let missing = wrong.is_null();
                broken[argument] = wrong;
                let any_object = argument.ends_with("_data") && broken[argument].is_object();
                if argument == "node_data" || any_object || missing && OPTIONAL.contains(&argument.as_str()) {
                    continue;
                }
                let said = validate(name, &broken);
                let optional_threshold = missing && name == "set_service_configuration";
                assert_eq!(said.valid, optional_threshold, "{name} {broken}");
                let names_it = said.description.starts_with(&format!("action 1, {name}: {argument}"));
                assert!(names_it || optional_threshold, "{name}.{argument}: {}", said.description);
            }
            let mut without = args.clone();
            without.as_object_mut().unwrap().remove(argument);
            let said = validate(name, &without);
            let dispensable = OPTIONAL.contains(&argument.as_str()) || name == "set_service_configuration";
            let needs_it =
                ["set_jwt_public_signing_keys", "set_member_data"].contains(&name) || argument == "encryption_pub_key";
            if dispensable && !needs_it {
                assert!(said.valid, "{name} without {argument}: {}", said.description);
            } else {
                assert!(!said.valid && said.description.contains(argument.as_str()), "{name} {argument}: {said:?}");
            }
        }
    }
}

#[test]
fn what_fits_no_rule_is_refused_with_its_reason() {
    let policy_digest = hex::encode(sha256(b"other"));
    let turin = json!({"boot_loader": 4, "tee": 0, "snp": 21, "microcode": 211});
    let mut strange_bundle = bundle();
    strange_bundle["metadata"]["endpoints"]["/hello"]["get"]["js_module"] = json!("absent.js");
    let mut strange_policy = bundle();
    strange_policy["metadata"]["endpoints"]["/hello"]["get"]["authn_policies"][1] = json!({"any_of": []});
    for (name, args, says) in [
        ("set_member", json!({"cert": ""}), "cert must be X.509 certificates in PEM format, not \"\""),
        ("set_member", json!({"cert": format!("{CERT}{OTHER_CERT}")}), "cert must be exactly one certificate"),
        (
            "set_member",
            json!({"cert": CERT, "encryption_pub_key": WEAK_KEY}),
            "encryption_pub_key must be an RSA key of at least 2048 bits",
        ),
        (
            "set_member",
            json!({"cert": CERT, "encryption_pub_key": CERT.replace('M', "N")}),
            "encryption_pub_key must be an RSA",
        ),
        ("set_member", json!({"cert": CERT, "recovery_role": "Owner"}), "recovery_role must not be given without"),
        ("remove_node", json!({"node_id": NODE.replace('1', "A")}), "node_id must be 64 lowercase hexadecimal digits"),
        (
            "add_snp_host_data",
            json!({"host_data": HEX64, "security_policy": "other"}),
            &*format!("host_data must be the SHA-256 of security_policy, which is {policy_digest}"),
        ),
        (
            "add_snp_uvm_endorsement",
            json!({"did": "d", "feed": "f", "svn": 5}),
            "svn must be a whole number as text, such as \"100\", not 5",
        ),
        (
            "set_snp_minimum_tcb_version",
            json!({"cpuid": "00b00f11", "tcb_version": turin}),
            "tcb_version.fmc must be a whole number from 0 to 255, and is missing",
        ),
        (
            "set_snp_minimum_tcb_version",
            json!({"cpuid": "00a00f11", "tcb_version": {"boot_loader": 1, "tee": 1, "snp": 1, "microcode": 1, "fmc": 1}}),
            "tcb_version.fmc is not a component",
        ),
        (
            "set_snp_minimum_tcb_version_hex",
            json!({"cpuid": "00000000", "tcb_version": "d315000000000004"}),
            "tcb_version can't be read for cpuid 00000000",
        ),
        (
            "set_constitution",
            json!({"constitution": "export function validate(i) {}"}),
            "constitution must be one: proposed constitution does not export a function named apply",
        ),
        (
            "assert_service_identity",
            json!({"service_identity": OTHER_CERT}),
            "service_identity must be the certificate of this service",
        ),
        ("transition_node_to_trusted", json!({"node_id": NODE, "valid_from": "tomorrow"}), "valid_from must be a time"),
        (
            "transition_node_to_trusted",
            json!({"node_id": NODE, "valid_from": "2025-11-22T21:00:00+0100"}),
            "valid_from must be a time",
        ),
        (
            "set_js_app",
            json!({"bundle": strange_bundle}),
            "bundle.metadata.endpoints[\"/hello\"].get.js_module must be the name of a module",
        ),
        (
            "set_js_app",
            json!({"bundle": strange_policy}),
            "bundle.metadata.endpoints[\"/hello\"].get.authn_policies[1].all_of must be an array",
        ),
        (
            "set_js_app",
            json!({"bundle": {"modules": [{"name": "a"}], "metadata": {"endpoints": {}}}}),
            "bundle.modules[0].module must be a string, and is missing",
        ),
        (
            "set_jwt_issuer",
            json!({"issuer": "http://a", "auto_refresh": true, "ca_cert_bundle_name": "c"}),
            "issuer must be an https:// URL",
        ),
        ("set_jwt_issuer", json!({"issuer": "https://a", "auto_refresh": true}), "ca_cert_bundle_name must be given"),
        ("set_jwt_issuer", json!({"issuer": "i", "jwks": {"keys": []}}), "jwks.keys must have a key, and is empty"),
        (
            "set_jwt_public_signing_keys",
            json!({"issuer": "i", "jwks": {"keys": [{"kid": "a", "kty": "RSA"}]}}),
            "jwks.keys[0] must have x5c",
        ),
        ("no_such_action", json!({}), "there is no such action"),
    ] {
        let said = validate(name, &args);
        assert!(!said.valid, "{name} {args}");
        assert!(said.description.starts_with(&format!("action 1, {name}: {says}")), "{}", said.description);
    }
}

#[test]
fn a_text_that_is_no_proposal_is_refused() {
    for (text, says) in [
        ("not json", "a proposal must be JSON"),
        ("", "a proposal must be JSON"),
        ("null", "an object with an array named actions"),
        ("{\"x\": 1}", "an object with an array named actions"),
        ("{\"actions\": []}", "at least one action"),
        (
            "{\"actions\": [5, {\"name\": 5}, {\"name\": \"__proto__\"}]}",
            "action 1, without a name: an action must be an object, not 5; action 2, without a name: name must be a string, not 5; action 3, __proto__: there is no such action",
        ),
        ("{\"actions\": [{\"name\": \"\\ud800\\u0000\"}]}", r"action 1, \ud800\u0000: name must be text without NUL"),
    ] {
        let said = RULES.validate(&service(), text).unwrap();
        assert!(!said.valid && said.description.contains(says), "{text}: {said:?}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(!RULES.validate(&service(), &deep).unwrap().valid);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
        Just(json!(CERT)),
        Just(json!(NODE)),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,8}", inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn validate_never_throws(values in prop::collection::vec(any_json(), 8)) {
        let known = examples();
        let actions: Vec<Value> = values.iter().enumerate().map(|(at, value)| {
            let (name, args) = &known[(value.to_string().len() + at) % known.len()];
            // A known action with one argument replaced, or with none of its arguments.
            let mut args = args.clone();
            match args.as_object_mut().and_then(|args| args.iter_mut().nth(at % 2)) {
                Some((_, argument)) => *argument = value.clone(),
                None => args = value.clone(),
            }
            json!({"name": name, "args": args})
        }).collect();
        for proposal in [json!({"actions": actions}), json!({"actions": values}), values[0].clone()] {
            let said = RULES.validate(&service(), &proposal.to_string());
            prop_assert!(said.is_ok(), "{said:?}");
            prop_assert_eq!(said.as_ref().unwrap().valid, said.unwrap().description.is_empty());
        }
    }

    #[test]
    fn validate_never_throws_on_text(text in ".{0,200}") {
        prop_assert!(RULES.validate(&Tables::new(), &text).is_ok());
    }
}

/// An RSA key of 512 bits.
const WEAK_KEY: &str = "-----BEGIN PUBLIC KEY-----\nMFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAMEo2jnnLYBCvQMg4RtX3pCjVxj+Ws0r\nXcoVi3hN8he0aq1C0TYOLpNFzVnMHrqS6c/yUZ5Qm891sN8PpqCxfYMCAwEAAQ==\n-----END PUBLIC KEY-----\n";
