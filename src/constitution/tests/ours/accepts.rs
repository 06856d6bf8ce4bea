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
    "ensure_new_records_exist",
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
        ("set_jwt_issuer", json!({"issuer": "http://a"}), "issuer must be an https:// URL"),
        ("set_jwt_issuer", json!({"issuer": "https://a", "auto_refresh": true}), "ca_cert_bundle_name must be given"),
        (
            "set_jwt_issuer",
            json!({"issuer": "https://i", "jwks": {"keys": []}}),
            "jwks.keys must have a key, and is empty",
        ),
        (
            "set_jwt_public_signing_keys",
            json!({"issuer": "i", "jwks": {"keys": [{"kid": "a", "kty": "RSA"}]}}),
            "jwks.keys[0] must have x5c",
        ),
        (
            "set_member",
            json!({"cert": CERT, "encryption_pub_key": WEAK_KEY}),
            "encryption_pub_key must be an RSA key of at least 2048 bits",
        ),
        (
            "set_ca_cert_bundle",
            json!({"name": "ca", "cert_bundle": format!("{}{CERT}", *ROOT)}),
            "cert_bundle, certificate 2, must be the self-signed certificate of an authority",
        ),
        (
            "set_ca_cert_bundle",
            json!({"name": "ca", "cert_bundle": format!("# Roots\n{}", *ROOT)}),
            "cert_bundle must have certificates and white space only, not \"# Roots\"",
        ),
        ("add_node_code", json!({"code_id": HEX64}), "there is no such action"),
        ("no_such_action", json!({}), "there is no such action"),
    ] {
        let said = validate(name, &args);
        assert!(!said.valid, "{name} {args}");
        assert!(said.description.starts_with(&format!("action 1, {name}: {says}")), "{}", said.description);
    }
}

#[test]
fn keys_of_tokens_are_public_keys_that_a_node_can_read() {
    let keys = |keys: &[Value]| {
        validate("set_jwt_public_signing_keys", &json!({"issuer": "https://i", "jwks": {"keys": keys}})).description
    };
    let [rsa, ec, certified] = [0, 1, 2].map(|at| jwks()["keys"][at].clone());
    let changed = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        keys(&[key])
    };
    assert_eq!(keys(&[rsa.clone(), ec.clone(), certified.clone()]), "");
    let mut both = certified.clone();
    both.as_object_mut().unwrap().extend(ec.as_object().unwrap().clone());
    assert_eq!(keys(&[both]), "");
    let expired = {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        base64_of(&params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem())
    };
    for (said, rule) in [
        (keys(&[rsa.clone(), rsa.clone()]), "[1].kid must not be that of another key"),
        (changed(&rsa, "kid", json!(5)), ".kid must be a string"),
        (changed(&rsa, "kty", json!("oct")), ".kty must be one of"),
        (changed(&rsa, "kty", json!("EC")), ".kty must be RSA for n and e"),
        (changed(&ec, "kty", json!("RSA")), ".alg must be one of \"RS256\""),
        (changed(&rsa, "use", json!("enc")), ".use must be one of \"sig\""),
        (changed(&rsa, "alg", json!("none")), ".alg must be one of"),
        (changed(&rsa, "alg", json!("PS256")), ".alg must be one of"),
        (changed(&ec, "alg", json!("ES384")), ".alg must be one of \"ES256\""),
        (changed(&rsa, "n", json!("AQAB")), ".n must be of at least 2048 bits"),
        (changed(&rsa, "n", json!("AQAB=")), ".n must be base64url"),
        (changed(&rsa, "e", Value::Null), ".e must be base64url"),
        (changed(&rsa, "x", json!("AQAB")), ".kty must be RSA for n and e, and EC for x and y"),
        (changed(&rsa, "d", json!("AQAB")), ".d is part of a private key"),
        (changed(&ec, "d", json!("AQAB")), ".d is part of a private key"),
        (changed(&ec, "x", json!("AQAB")), ".x must be of 32 bytes"),
        (changed(&ec, "x", ec["y"].clone()), " must be a valid EC public key"),
        (changed(&ec, "crv", json!("secp256k1")), ".crv must be one of"),
        (changed(&certified, "x5c", json!([])), ".x5c must have a certificate"),
        (changed(&certified, "x5c", json!(["AQAB"])), ".x5c[0] must be X.509 certificates"),
        (changed(&certified, "x5c", json!(["a b"])), ".x5c[0] must be base64"),
        (changed(&certified, "x5c", json!([base64_of(CERT)])), ".x5c must be a chain of certificates in date"),
        (changed(&certified, "x5c", json!([expired])), ".x5c must be a chain of certificates in date"),
    ] {
        assert!(said.contains(rule) && said.contains("jwks.keys["), "{rule}: {said}");
    }
}

#[test]
fn nothing_changes_who_can_recover_while_a_service_recovers() {
    let mut recovering = service();
    let proposed = |tables: &Tables, name: &str, args: &Value| RULES.validate(tables, &proposing(name, args)).unwrap();
    let refused = [
        ("set_member", json!({"cert": CERT, "encryption_pub_key": ENCRYPTION_KEY})),
        ("remove_member", json!({"member_id": member(2).to_string()})),
        ("set_recovery_threshold", json!({"recovery_threshold": 1})),
        ("set_service_configuration", json!({"recovery_threshold": 1})),
        ("trigger_recovery_shares_refresh", Value::Null),
        ("trigger_ledger_rekey", Value::Null),
    ];
    let allowed = [
        ("set_member", json!({"cert": CERT})),
        ("remove_member", json!({"member_id": member(9).to_string()})),
        ("set_service_configuration", json!({"recent_cose_proposals_window_size": 50})),
        ("remove_node", json!({"node_id": NODE})),
    ];
    for status in ["Recovering", "WaitingForRecoveryShares"] {
        recovering.put(table::SERVICE_INFO, &SINGLETON, json!({"cert": CERT, "status": status}).to_string());
        for (name, args) in &refused {
            let said = proposed(&recovering, name, args);
            assert!(said.description.contains(&format!("can't change while the service is {status}")), "{said:?}");
            assert!(apply(&mut recovering.clone(), name, args).is_err(), "{name}");
        }
        for (name, args) in &allowed {
            assert!(proposed(&recovering, name, args).valid, "{name}");
            assert!(apply(&mut recovering.clone(), name, args).is_ok(), "{name}");
        }
    }
    for (name, args) in &refused {
        assert!(proposed(&service(), name, args).valid, "{name}");
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
