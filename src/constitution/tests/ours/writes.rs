//! When a proposal is accepted, and what each action then writes.

use super::*;

#[test]
fn more_than_half_of_the_active_members_accept() {
    let resolve = |tables: &Tables, votes: &[(u8, bool)]| {
        let votes: Vec<_> = votes.iter().map(|(number, yes)| (member(*number), *yes)).collect();
        let proposal = Proposal { text: "{}", id: ProposalId::from_bytes([7; 32]), proposer: member(1) };
        RULES.resolve(tables, &proposal, &votes).unwrap()
    };
    let mut tables = service();
    assert_eq!(resolve(&tables, &[]), Resolution::Open);
    assert_eq!(resolve(&tables, &[(1, true)]), Resolution::Open);
    assert_eq!(resolve(&tables, &[(1, true), (2, false)]), Resolution::Open);
    assert_eq!(resolve(&tables, &[(1, true), (2, true)]), Resolution::Accepted);
    // The third is not active: with the others' no, nothing is decided.
    assert_eq!(resolve(&tables, &[(1, true), (3, true)]), Resolution::Open);
    assert_eq!(resolve(&tables, &[(1, false), (2, false), (3, false)]), Resolution::Open);
    tables.put(table::MEMBER_INFO, member(3).to_string().as_bytes(), json!({"status": "Active"}).to_string());
    assert_eq!(resolve(&tables, &[(1, true), (3, true)]), Resolution::Accepted);
    assert_eq!(resolve(&Tables::new(), &[]), Resolution::Open);
}

#[test]
fn what_changes_who_may_join_or_the_rules_drops_other_proposals() {
    let dropping = [
        "set_constitution",
        "add_snp_measurement",
        "add_snp_host_data",
        "add_snp_uvm_endorsement",
        "set_snp_minimum_tcb_version",
        "set_snp_minimum_tcb_version_hex",
        "add_virtual_measurement",
        "add_virtual_host_data",
    ];
    let state = |tables: &Tables, number: u8| {
        let id = ProposalId::from_bytes([number; 32]).to_string();
        let info: Value = serde_json::from_slice(tables.get(table::PROPOSALS_INFO, id.as_bytes()).unwrap()).unwrap();
        assert_eq!(info["ballots"], json!({}));
        info["state"].as_str().unwrap().to_owned()
    };
    let mut refused = Vec::new();
    for (name, args) in examples() {
        let mut tables = service();
        if apply(&mut tables, name, &args).is_err() {
            refused.push(name);
            continue;
        }
        let expected = if dropping.contains(&name) { "Dropped" } else { "Open" };
        assert_eq!([state(&tables, 7), state(&tables, 8), state(&tables, 9)], ["Open", expected, "Accepted"], "{name}");
    }
    // What these need is not there.
    let needy = [
        "set_service_certificate_validity",
        "remove_snp_minimum_tcb_version",
        "set_jwt_issuer",
        "set_jwt_public_signing_keys",
        "cleanup_legacy_jwt_records",
    ];
    assert_eq!(refused, needy);
}

#[test]
fn members_and_users() {
    let id = id_of(CERT);
    let all =
        json!({"cert": CERT, "encryption_pub_key": ENCRYPTION_KEY, "member_data": {"a": 1}, "recovery_role": "Owner"});
    assert_eq!(
        changes("set_member", &all),
        [
            json!(["members.acks", id, r#"{"state_digest":"00ff"}"#]),
            json!(["members.certs", id, CERT]),
            json!(["members.encryption_public_keys", id, ENCRYPTION_KEY]),
            json!(["members.info", id, r#"{"status":"Accepted","member_data":{"a":1},"recovery_role":"Owner"}"#]),
        ]
    );
    let mut before = service();
    before.put(table::MEMBER_ENCRYPTION_KEYS, id.as_bytes(), "old");
    before.remove("public:ccf.internal.signatures", &SINGLETON);
    assert_eq!(
        changes_to(before, "set_member", &json!({"cert": CERT, "member_data": null, "recovery_role": null})),
        [
            json!(["members.certs", id, CERT]),
            json!(["members.encryption_public_keys", id, null]),
            json!(["members.info", id, r#"{"status":"Accepted"}"#]),
        ]
    );

    let second = member(2).to_string();
    let mut tables = service();
    let effects = apply(&mut tables, "remove_member", &json!({"member_id": second}));
    assert_eq!(effects, Ok(vec![Effect::TriggerLedgerRekey]));
    assert!(!tables.has(table::MEMBER_INFO, second.as_bytes()));
    assert!(!tables.has(table::MEMBER_ENCRYPTION_KEYS, second.as_bytes()));
    let error = apply(&mut tables, "remove_member", &json!({"member_id": member(1).to_string()})).unwrap_err();
    assert!(error.reason.contains("only 0 recovery shares would be left, and recovery needs 1"), "{error}");
    assert_eq!(apply(&mut tables, "remove_member", &json!({"member_id": member(3).to_string()})), Ok(vec![]));
    assert!(changes("remove_member", &json!({"member_id": HEX64})).is_empty());

    let data = changes("set_member_data", &json!({"member_id": second, "member_data": {"b": 2}}));
    assert_eq!(data, [json!(["members.info", second, r#"{"status":"Active","member_data":{"b":2}}"#])]);
    assert!(apply(&mut service(), "set_member_data", &json!({"member_id": HEX64, "member_data": {}})).is_err());

    assert_eq!(
        changes("set_user", &json!({"cert": CERT, "user_data": {"a": 1}})),
        [json!(["users.certs", id, CERT]), json!(["users.info", id, r#"{"user_data":{"a":1}}"#])]
    );
    let mut user = service();
    apply(&mut user, "set_user", &json!({"cert": CERT, "user_data": {"a": 1}})).unwrap();
    assert_eq!(changes_to(user.clone(), "set_user_data", &json!({"user_id": id})), [json!(["users.info", id, null])]);
    assert_eq!(
        changes_to(user, "remove_user", &json!({"user_id": id})),
        [json!(["users.certs", id, null]), json!(["users.info", id, null])]
    );
}

#[test]
fn the_service_and_its_recovery() {
    let mut tables = service();
    let effects = apply(&mut tables, "set_recovery_threshold", &json!({"recovery_threshold": 2}));
    assert_eq!(effects, Ok(vec![Effect::TriggerRecoverySharesRefresh]));
    let config = tables.get(table::SERVICE_CONFIG, &SINGLETON).unwrap();
    assert_eq!(config, br#"{"recovery_threshold":2,"maximum_node_certificate_validity_days":90}"#);
    assert_eq!(apply(&mut tables, "set_recovery_threshold", &json!({"recovery_threshold": 2})), Ok(vec![]));
    let error = apply(&mut tables, "set_recovery_threshold", &json!({"recovery_threshold": 3})).unwrap_err();
    assert!(error.reason.contains("can't be 3: the members can meet 2"), "{error}");
    assert_eq!(
        changes("set_service_configuration", &json!({"recent_cose_proposals_window_size": 5})),
        [json!([
            "service.config",
            "0",
            r#"{"recovery_threshold":1,"maximum_node_certificate_validity_days":90,"recent_cose_proposals_window_size":5}"#
        ])]
    );

    let open = |tables: &mut Tables, args: Value| apply(tables, "transition_service_to_open", &args);
    let next = CERT.to_owned();
    let effect = |previous| Ok(vec![Effect::TransitionServiceToOpen { previous, next: next.clone() }]);
    assert_eq!(open(&mut service(), json!({"next_service_identity": CERT})), effect(None));
    let mut recovering = service();
    recovering.put(table::SERVICE_INFO, &SINGLETON, r#"{"cert": "x", "status": "Recovering"}"#);
    assert!(open(&mut recovering, json!({"next_service_identity": CERT})).is_err());
    let both = json!({"next_service_identity": CERT, "previous_service_identity": OTHER_CERT});
    assert_eq!(open(&mut recovering, both), effect(Some(OTHER_CERT.to_owned())));
    recovering.put(table::SERVICE_INFO, &SINGLETON, r#"{"cert": "x", "status": "WaitingForRecoveryShares"}"#);
    assert!(apply(&mut recovering, "set_recovery_threshold", &json!({"recovery_threshold": 2})).is_err());

    for (name, effect) in [
        ("trigger_recovery_shares_refresh", Effect::TriggerRecoverySharesRefresh),
        ("trigger_ledger_rekey", Effect::TriggerLedgerRekey),
        ("trigger_ledger_chunk", Effect::TriggerLedgerChunk),
        ("trigger_snapshot", Effect::TriggerSnapshot),
        ("refresh_js_app_bytecode_cache", Effect::RefreshAppBytecodeCache),
    ] {
        assert_eq!(apply(&mut service(), name, &Value::Null), Ok(vec![effect]));
    }
    let constitution = changes("set_constitution", &json!({"constitution": "text\n\"x\""}));
    assert_eq!(constitution[0], json!(["constitution", "0", r#""text\n\"x\"""#]));
    assert!(changes("assert_service_identity", &json!({"service_identity": CERT})).is_empty());
}

#[test]
fn nodes() {
    let trust = json!({"node_id": NODE, "valid_from": "251122210000Z", "validity_period_days": 30});
    assert_eq!(
        changes("transition_node_to_trusted", &trust),
        [
            json!(["nodes.endorsed_certificates", NODE, "endorsed csr 251122210000Z 30"]),
            json!([
                "nodes.info",
                NODE,
                r#"{"status":"Trusted","certificate_signing_request":"csr","x":1,"ledger_secret_seqno":42}"#
            ]),
        ]
    );
    let whole = json!({"node_id": NODE, "valid_from": "251122210000Z"});
    assert_eq!(changes("transition_node_to_trusted", &whole)[0][2], "endorsed csr 251122210000Z 90");
    let long = json!({"node_id": NODE, "valid_from": "251122210000Z", "validity_period_days": 91});
    let error = apply(&mut service(), "transition_node_to_trusted", &long).unwrap_err();
    assert_eq!(
        error.reason,
        "Error: action 1, transition_node_to_trusted: validity_period_days can't be 91: this service allows 90"
    );
    let again = json!({"node_id": OTHER_NODE, "valid_from": "251122210000Z"});
    assert!(changes("transition_node_to_trusted", &again).is_empty());
    let unknown = json!({"node_id": HEX64, "valid_from": "251122210000Z"});
    assert!(apply(&mut service(), "transition_node_to_trusted", &unknown).is_err());

    assert_eq!(changes("remove_node", &json!({"node_id": NODE})), [json!(["nodes.info", NODE, null])]);
    let retired = changes("remove_node", &json!({"node_id": OTHER_NODE}));
    let info = r#"{"status":"Retired","certificate_signing_request":"csr"}"#;
    assert_eq!(retired, [json!(["nodes.info", OTHER_NODE, info])]);
    assert!(changes("remove_node", &json!({"node_id": HEX64})).is_empty());
    let mut gone = service();
    apply(&mut gone, "remove_node", &json!({"node_id": OTHER_NODE})).unwrap();
    let back = apply(&mut gone, "transition_node_to_trusted", &again).unwrap_err();
    assert!(back.reason.contains("is Retired"), "{back}");

    let data = changes("set_node_data", &json!({"node_id": OTHER_NODE, "node_data": ["x"]}));
    assert_eq!(data[0][2], r#"{"status":"Trusted","certificate_signing_request":"csr","node_data":["x"]}"#);

    let renew = json!({"node_id": OTHER_NODE, "valid_from": "251122210000Z", "validity_period_days": 5});
    let renewed = [json!(["nodes.endorsed_certificates", OTHER_NODE, "endorsed csr 251122210000Z 5"])];
    assert_eq!(changes("set_node_certificate_validity", &renew), renewed);
    let pending = json!({"node_id": NODE, "valid_from": "251122210000Z"});
    assert!(apply(&mut service(), "set_node_certificate_validity", &pending).is_err());
    let every = json!({"valid_from": "251122210000Z", "validity_period_days": 5});
    assert_eq!(changes("set_all_nodes_certificate_validity", &every), renewed);
    let closed = apply(&mut service(), "set_service_certificate_validity", &every).unwrap_err();
    assert!(closed.reason.contains("the desk is closed"), "{closed}");
    assert_eq!(
        changes("set_ca_cert_bundle", &json!({"name": "ca", "cert_bundle": "a\nb"})),
        [json!(["tls.ca_cert_bundles", "ca", r#""a\nb""#])]
    );
}

#[test]
fn who_may_join() {
    let dropped = 1;
    let written = |name: &str, args: Value| -> Value {
        let changes = changes(name, &args);
        assert_eq!(changes.len(), 1 + dropped, "{name}");
        changes[0].clone()
    };
    let allowed = r#""AllowedToJoin""#;
    assert_eq!(
        written("add_snp_measurement", json!({"measurement": HEX96})),
        json!(["nodes.snp.measurements", HEX96, allowed])
    );
    assert_eq!(
        written("add_virtual_measurement", json!({"measurement": "m"})),
        json!(["nodes.virtual.measurements", "m", allowed])
    );
    assert_eq!(
        written("add_virtual_host_data", json!({"host_data": HEX64})),
        json!(["nodes.virtual.host_data", HEX64, "0"])
    );
    assert_eq!(
        written("add_snp_host_data", json!({"host_data": HEX64, "security_policy": "a\"b"})),
        json!(["nodes.snp.host_data", HEX64, r#""a\"b""#])
    );
    let tcb = json!({"cpuid": "00a00f11", "tcb_version": {"boot_loader": 4, "tee": 0, "snp": 21, "microcode": 211}});
    assert_eq!(
        written("set_snp_minimum_tcb_version", tcb),
        json!(["nodes.snp.tcb_versions", "00a00f11", r#"{"boot_loader":4,"tee":0,"snp":21,"microcode":211}"#])
    );
    assert_eq!(
        written("set_snp_minimum_tcb_version_hex", json!({"cpuid": "00a00f11", "tcb_version": "d315000000000004"})),
        json!([
            "nodes.snp.tcb_versions",
            "00a00f11",
            r#"{"hexstring":"d315000000000004","microcode":211,"snp":21,"tee":0,"boot_loader":4}"#
        ])
    );

    let mut tables = service();
    let feed = |feed: &str, svn: &str| json!({"did": "d", "feed": feed, "svn": svn});
    apply(&mut tables, "add_snp_uvm_endorsement", &feed("a", "1")).unwrap();
    apply(&mut tables, "add_snp_uvm_endorsement", &feed("b", "2")).unwrap();
    let feeds = tables.get(table::SNP_UVM_ENDORSEMENTS, b"d").unwrap();
    assert_eq!(feeds, br#"{"a":{"svn":"1"},"b":{"svn":"2"}}"#);
    let forget = |feed: &str| json!({"did": "d", "feed": feed});
    apply(&mut tables, "remove_snp_uvm_endorsement", &forget("a")).unwrap();
    assert_eq!(tables.get(table::SNP_UVM_ENDORSEMENTS, b"d").unwrap(), br#"{"b":{"svn":"2"}}"#);
    apply(&mut tables, "remove_snp_uvm_endorsement", &forget("b")).unwrap();
    apply(&mut tables, "remove_snp_uvm_endorsement", &forget("b")).unwrap();
    assert!(tables.is_empty(table::SNP_UVM_ENDORSEMENTS));

    assert!(apply(&mut tables, "remove_snp_minimum_tcb_version", &json!({"cpuid": "00a00f11"})).is_err());
    for (name, argument, of) in [
        ("remove_node_code", "code_id", table::NODE_CODE_IDS),
        ("remove_snp_measurement", "measurement", table::SNP_MEASUREMENTS),
        ("remove_snp_host_data", "host_data", table::SNP_HOST_DATA),
        ("remove_virtual_measurement", "measurement", table::VIRTUAL_MEASUREMENTS),
        ("remove_virtual_host_data", "host_data", table::VIRTUAL_HOST_DATA),
        ("remove_snp_minimum_tcb_version", "cpuid", table::SNP_TCB_VERSIONS),
    ] {
        tables.put(of, b"entry", "1");
        apply(&mut tables, name, &json!({argument: "entry"})).unwrap();
        assert!(tables.is_empty(of), "{name}");
    }
    let policy = changes("set_node_join_policy", &json!({"policy": "export ..."}));
    assert_eq!(policy, [json!(["nodes.node_join_policy", "0", "export ..."])]);
}

#[test]
fn the_application() {
    let mut before = service();
    for (name, key) in [
        ("modules", &b"/old.js"[..]),
        ("endpoints", b"GET /old"),
        ("modules_quickjs_bytecode", b"/old.js"),
        ("modules_quickjs_version", &SINGLETON),
    ] {
        before.put(&format!("public:ccf.gov.{name}"), key, "1");
    }
    let endpoint = r#"{"js_module":"/hello.js","js_function":"hello","mode":"readonly","forwarding_required":"never","authn_policies":["member_cert",{"all_of":["user_cert","jwt"]}],"interpreter_reuse":{"key":"k"}}"#;
    let app = [
        json!(["endpoints", "GET /hello", endpoint]),
        json!(["endpoints", "GET /old", null]),
        json!(["interpreter.flush", "0", "true"]),
        json!(["modules", "/b.js", ""]),
        json!(["modules", "/hello.js", "export function hello() {}"]),
        json!(["modules", "/old.js", null]),
    ];
    assert_eq!(changes_to(before.clone(), "set_js_app", &json!({"bundle": bundle()})), app);
    let effects = apply(&mut before.clone(), "set_js_app", &json!({"bundle": bundle()}));
    assert_eq!(effects, Ok(vec![Effect::RefreshAppBytecodeCache]));
    let uncached = json!({"bundle": bundle(), "disable_bytecode_cache": true});
    assert_eq!(changes_to(before.clone(), "set_js_app", &uncached).len(), app.len() + 2);
    apply(&mut before, "remove_js_app", &Value::Null).unwrap();
    for name in ["modules", "endpoints", "interpreter.flush", "modules_quickjs_bytecode", "modules_quickjs_version"] {
        assert!(before.is_empty(&format!("public:ccf.gov.{name}")), "{name}");
    }
    let options =
        json!({"max_heap_bytes": 1, "max_stack_bytes": 2, "max_execution_time_ms": 3, "log_exception_details": null});
    assert_eq!(
        changes("set_js_runtime_options", &options),
        [json!(["js_runtime_options", "0", r#"{"max_heap_bytes":1,"max_stack_bytes":2,"max_execution_time_ms":3}"#])]
    );
}

#[test]
fn tokens() {
    let issuer = json!({"issuer": "i", "jwks": jwks(), "auto_refresh": null});
    let mut tables = service();
    let set = |metadata: &str| Effect::SetJwtPublicSigningKeys {
        issuer: "i".into(),
        metadata: metadata.into(),
        jwks: jwks().to_string(),
    };
    let metadata = r#"{"auto_refresh":false}"#;
    assert_eq!(apply(&mut tables, "set_jwt_issuer", &issuer), Ok(vec![set(metadata)]));
    assert_eq!(tables.get("public:ccf.gov.jwt.issuers", b"i"), Some(metadata.as_bytes()));
    let keys = json!({"issuer": "i", "jwks": jwks()});
    assert_eq!(apply(&mut tables, "set_jwt_public_signing_keys", &keys), Ok(vec![set(metadata)]));
    let removed = apply(&mut tables, "remove_jwt_issuer", &json!({"issuer": "i"}));
    assert_eq!(removed, Ok(vec![Effect::RemoveJwtPublicSigningKeys { issuer: "i".into() }]));
    assert_eq!(apply(&mut tables, "remove_jwt_issuer", &json!({"issuer": "i"})), Ok(vec![]));
    assert!(apply(&mut tables, "set_jwt_public_signing_keys", &keys).is_err());
    let refreshing = json!({"issuer": "https://i", "auto_refresh": true, "ca_cert_bundle_name": "ca"});
    assert!(apply(&mut tables, "set_jwt_issuer", &refreshing).is_err());
    tables.put("public:ccf.gov.tls.ca_cert_bundles", b"ca", "\"pem\"");
    assert_eq!(apply(&mut tables, "set_jwt_issuer", &refreshing), Ok(vec![]));
}

#[test]
fn older_tables_of_token_keys_are_cleared() {
    let legacy = ["public_signing_keys", "public_signing_keys_metadata", "public_signing_key_issuer"];
    let legacy = legacy.map(|name| format!("public:ccf.gov.jwt.{name}"));
    let mut tables = service();
    legacy.iter().for_each(|name| tables.put(name, b"kid", "old"));
    let careful = json!({"ensure_new_records_exist": true});
    let error = apply(&mut tables, "cleanup_legacy_jwt_records", &careful).unwrap_err();
    assert!(error.reason.contains("there are no keys in the new table"), "{error}");
    tables.put("public:ccf.gov.jwt.public_signing_keys_metadata_v2", b"kid", "[]");
    let before = tables.clone();
    assert_eq!(apply(&mut tables, "cleanup_legacy_jwt_records", &careful), Ok(vec![]));
    assert_eq!(tables.changes_since(&before).len(), 3);
    assert!(legacy.iter().all(|name| tables.is_empty(name)));
    legacy.iter().for_each(|name| tables.put(name, b"kid", "old"));
    assert_eq!(apply(&mut service(), "cleanup_legacy_jwt_records", &json!({})), Ok(vec![]));
}

/// CCF's own sample, one file made of its parts, when `CCF_GOV_SAMPLE_CONSTITUTION` names it.
#[test]
fn ours_writes_what_the_sample_writes() {
    let Some(path) = std::env::var_os("CCF_GOV_SAMPLE_CONSTITUTION") else {
        return crate::skip::skip("CCF_GOV_SAMPLE_CONSTITUTION does not name a file");
    };
    let sample = Constitution::new(&std::fs::read_to_string(path).unwrap()).unwrap();
    let outcome = |rules: &Constitution, name: &str, args: &Value| {
        let text = proposing(name, args);
        let proposal = Proposal { text: &text, id: ProposalId::from_bytes([7; 32]), proposer: member(1) };
        let before = service();
        let validation = rules.validate(&before, &text).unwrap();
        let mut after = before.clone();
        let effects = rules.apply(&mut after, &proposal, &Desk);
        let read =
            |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(bytes)));
        let changes: Vec<_> =
            after.changes_since(&before).into_iter().map(|c| (c.table, c.key, c.after.map(|v| read(&v)))).collect();
        // Samples up to 7.0.0 do not ask for it.
        let asked =
            effects.ok().map(|all| all.into_iter().filter(|e| *e != Effect::ShuffleSealedShares).collect::<Vec<_>>());
        (validation.valid, asked, changes)
    };
    for (name, args) in examples() {
        if !sample.source().contains(name) {
            crate::skip::skip(&format!("the sample has no {name}"));
            continue;
        }
        // docs/constitution.md says how these differ.
        if !["set_service_configuration", "set_js_app"].contains(&name) {
            assert_eq!(outcome(&RULES, name, &args), outcome(&sample, name, &args), "{name}");
        }
    }
}
