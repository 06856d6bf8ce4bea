use std::fs;

use super::*;
use crate::digest::sha256;
use crate::upgrade::CodeValue;

const SERVICE: &str = "[service]\nurl = \"https://127.0.0.1:8000\"\ncert = \"service_cert.pem\"\n";
const VIRTUAL: &str = "[new]\nplatform = \"virtual\"\npackage = \"js_generic\"\nnodes = 3\n";
const RULES: [(&str, &str); 4] = [
    ("actions.js", include_str!("../../../templates/constitution/actions.js")),
    ("validate.js", include_str!("../../../templates/constitution/validate.js")),
    ("resolve.js", include_str!("../../../templates/constitution/resolve.js")),
    ("apply.js", include_str!("../../../templates/constitution/apply.js")),
];
const DIGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The plan of a file in a folder with artefacts.
fn load(text: &str) -> Result<Plan, String> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("service_cert.pem", include_str!("../../../tests/vectors/keys/certificate.pem"));
    write("js_generic", "\u{7f}ELF new");
    write("empty", "");
    write("policy.rego", "package policy\n\napi_version := \"0.10.0\"\n");
    for (name, text) in RULES {
        write(name, text);
    }
    write("app.json", r#"{"metadata": {"endpoints": {}}, "modules": []}"#);
    write("upgrade.toml", text);
    let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
    let loaded = Plan::load(&folder.path().join("upgrade.toml"), &Trust::pinned(now), now);
    let place = folder.path().display().to_string() + "/";
    let told = |error: LoadError| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{source}").replace(&place, "")
    };
    loaded.map(|(_, plan)| plan).map_err(told)
}

fn keys(plan: &Plan) -> Vec<String> {
    plan.new.values.iter().map(CodeValue::key).collect()
}

#[test]
fn a_plan_is_the_same_for_everybody_with_the_same_file_and_artefacts() {
    let plan = load(&(SERVICE.to_owned() + VIRTUAL)).unwrap();
    let other = SERVICE.replace("\"https://127.0.0.1:8000\"", "[\"https://10.0.0.4\", \"https://10.0.0.5\"]");
    let same =
        load(&format!("# mine\n{other}{VIRTUAL}[rules]\nminimum_fault_tolerance = 1\nvalidity_days = 90\n")).unwrap();
    assert_eq!(plan.digest(), same.digest());
    assert_eq!(plan.artefacts["package"], sha256("\u{7f}ELF new".as_bytes()));
    assert_eq!(plan.digest().to_string().len(), 19);
    for changed in ["nodes = 4", "nodes = 3\nversion = \"7.0.1\""] {
        let other = load(&(SERVICE.to_owned() + &VIRTUAL.replace("nodes = 3", changed))).unwrap();
        assert_ne!(plan.digest(), other.digest(), "{changed}");
    }
}

#[test]
fn the_template_is_a_plan() {
    let plan = load(include_str!("../../../templates/upgrade.toml")).unwrap();
    assert_eq!((plan.nodes, plan.minimum_f, plan.validity_days), (3, 1, 90));
    // What is commented out is understood too, apart from what goes with another platform.
    let text = include_str!("../../../templates/upgrade.toml");
    let rules = text.replace("# constitution", "constitution");
    let waived = rules
        .replace("# version-path", "version-path")
        .replace("# [old] ", "[old] ")
        .replace("# host_data = [", "host_data = [");
    let plan = load(&waived).unwrap();
    assert!(plan.constitution.is_some() && plan.waived.len() == 1 && plan.old.unwrap().values.len() == 1);
}

#[test]
fn rules_and_waivers_are_part_of_it() {
    let rules = "[rules]\nconstitution = [\"actions.js\", \"validate.js\", \"resolve.js\", \"apply.js\"]\napplication = \"app.json\"\nminimum_fault_tolerance = 0\n\
                 validity_days = 30\n[waive]\nversion-path = \"both are test builds\"\n";
    let plan = load(&format!("{SERVICE}{VIRTUAL}{rules}")).unwrap();
    let joined = RULES.map(|(_, text)| text).join("\n");
    assert_eq!(plan.constitution, Some(joined), "joined as `proposal new set_constitution` does");
    assert!(plan.application.is_some());
    assert_eq!((plan.minimum_f, plan.validity_days), (0, 30));
    assert_eq!(plan.waived["version-path"], "both are test builds");
}

#[test]
fn snp_code_is_known_by_policy_endorsement_and_minimum_tcb() {
    let new = "[new]\nplatform = \"snp\"\nnodes = 3\npolicy = \"policy.rego\"\nwithout_artefact = \"the file is Microsoft's\"\n\
               uvm = { did = \"did:x509:a\", feed = \"f\", svn = \"101\" }\nminimum_tcb = { 00a00f11 = \"db18000000000004\" }\n";
    let plan = load(&format!("{SERVICE}{new}")).unwrap();
    let policy = crate::evidence::policy::deployment::find(b"package policy\n\napi_version := \"0.10.0\"\n").unwrap();
    assert_eq!(keys(&plan), ["00a00f11", "did:x509:a f", &policy[0].host_data().to_string()]);
    let tcb = plan.new.values[0].args["tcb_version"].to_string();
    assert_eq!(tcb, r#"{"boot_loader":4,"tee":0,"snp":24,"microcode":219}"#);
    assert_eq!(plan.without_artefact.as_deref(), Some("the file is Microsoft's"));
}

#[test]
fn old_code_and_nodes_can_be_named() {
    let old = format!("[old]\nhost_data = [\"{DIGEST}\"]\nnodes = [\"{DIGEST}\"]\n");
    let plan = load(&format!("{SERVICE}{VIRTUAL}{old}")).unwrap();
    let named = plan.old.unwrap();
    assert_eq!(named.values.into_iter().collect::<Vec<_>>(), [(Registration::VirtualHostData, DIGEST.to_owned())]);
    assert_eq!(named.nodes.len(), 1);
}

#[test]
fn values_by_themselves_need_a_reason() {
    let by_value = VIRTUAL.replace("package = \"js_generic\"", &format!("host_data = \"{DIGEST}\""));
    let error = load(&format!("{SERVICE}{by_value}")).unwrap_err();
    assert!(error.starts_with("[new] without_artefact in upgrade.toml: a value is given instead"), "{error}");
    let plan = load(&format!("{SERVICE}{by_value}without_artefact = \"built by others\"\n")).unwrap();
    assert_eq!(keys(&plan)[1], DIGEST);
    assert!(plan.artefacts.is_empty());
}

#[test]
fn what_is_wrong_is_told_with_its_key_or_line() {
    let snp = "[new]\nplatform = \"snp\"\nnodes = 3\npolicy = \"policy.rego\"\n";
    let uvm = "without_artefact = \"x\"\nuvm = { did = \"d\", feed = \"f\", svn = \"1\" }\n";
    for (text, says) in [
        (String::new(), "line 1: missing field `service`"),
        (format!("{SERVICE}{VIRTUAL}colour = 1\n"), "cannot read upgrade.toml, line 8: unknown field `colour`"),
        (format!("{SERVICE}{VIRTUAL}[rules]\nvalidity_days = -1\n"), "line 9: invalid value"),
        (format!("{SERVICE}{VIRTUAL}[waive]\nversions = \"x\"\n"), "there is no precondition \"versions\""),
        (format!("{SERVICE}{VIRTUAL}[waive]\nversion-path = \" \"\n"), "version-path is waived without a reason"),
        (
            SERVICE.to_owned() + &VIRTUAL.replace("virtual", "sgx"),
            "[new] package in upgrade.toml: nodes of the platform sgx",
        ),
        (
            SERVICE.to_owned() + &VIRTUAL.replace("js_generic", "empty"),
            "[new] package in upgrade.toml: the file is empty",
        ),
        (
            SERVICE.to_owned() + &VIRTUAL.replace("js_generic", "nowhere"),
            "[new] package in upgrade.toml names a file that cannot be used: cannot read nowhere",
        ),
        (
            SERVICE.replace("service_cert", "no_cert") + VIRTUAL,
            "[service] cert in upgrade.toml names a file that cannot be used: cannot read no_cert.pem",
        ),
        (
            format!("{SERVICE}{snp}measurement = {{ igvm = \"nowhere\" }}\n"),
            "[new] measurement.igvm in upgrade.toml names a file that cannot be used",
        ),
        (
            format!("{SERVICE}{snp}uvm = \"nowhere\"\n"),
            "[new] uvm in upgrade.toml names a file that cannot be used: cannot read nowhere",
        ),
        (SERVICE.to_owned() + &VIRTUAL.replace('3', "0"), "[new] nodes in upgrade.toml: a service has 1 to 1000"),
        (format!("{SERVICE}{VIRTUAL}version = \"seven\"\n"), "[new] version in upgrade.toml"),
        (format!("{SERVICE}{snp}"), "[new] in upgrade.toml: a node joins by its UVM endorsement or by its launch"),
        (format!("{SERVICE}{snp}uvm = {{ did = \"d\" }}\n"), "expected a file, or a table of the texts did"),
        (
            format!("{SERVICE}{snp}uvm = \"policy.rego\"\n"),
            "[new] uvm in upgrade.toml: policy.rego is not the endorsement",
        ),
        (format!("{SERVICE}{snp}measurement = {{ kernel = \"app.json\" }}\n"), "either igvm or ovmf"),
        (format!("{SERVICE}{snp}measurement = {{ igvm = \"app.json\", vcpus = 2 }}\n"), "remove the keys beside igvm"),
        (format!("{SERVICE}{snp}{uvm}minimum_tcb = {{ 00a00f11 = \"04000000000018db\" }}\n"), "write db18000000000004"),
        (format!("{SERVICE}{snp}{uvm}minimum_tcb = {{ 00a00f11 = {{ fmc = 1 }} }}\n"), "it locks every node out"),
        (format!("{SERVICE}{VIRTUAL}[old]\ncode_id = [\"{DIGEST}\"]\n"), "[old] code_id in upgrade.toml"),
        (format!("{SERVICE}{VIRTUAL}[old]\nnodes = [\"abc\"]\n"), "[old] nodes in upgrade.toml"),
        (
            format!("{SERVICE}{VIRTUAL}[rules]\nconstitution = [\"actions.js\"]\n"),
            "[rules] constitution in upgrade.toml cannot be proposed",
        ),
        (format!("{SERVICE}{VIRTUAL}[rules]\nproposer = \"\"\n"), "[rules] proposer in upgrade.toml"),
    ] {
        let error = load(&text).unwrap_err();
        assert!(error.contains(says), "{says}: {error}");
    }
}

/// The plan of a folder with recorded artefacts, from what stands after `[new]`.
fn recorded(new: &str) -> Option<Result<Plan, String>> {
    let folder = crate::skip::fixtures()?;
    let made = tempfile::tempdir().unwrap();
    fs::write(made.path().join("service_cert.pem"), include_str!("../../../tests/vectors/keys/certificate.pem"))
        .unwrap();
    fs::write(made.path().join("empty"), "").unwrap();
    let new = new.replace("FIXTURES", &folder.canonicalize().unwrap().display().to_string());
    fs::write(made.path().join("upgrade.toml"), format!("{SERVICE}[new]\nnodes = 3\n{new}")).unwrap();
    let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
    let loaded = Plan::load(&made.path().join("upgrade.toml"), &Trust::pinned(now), now);
    Some(loaded.map(|(_, plan)| plan).map_err(|error| error.to_string()))
}

fn file(name: &str) -> [u8; 32] {
    sha256(&fs::read(crate::skip::fixtures().unwrap().join(name)).unwrap())
}

#[test]
fn a_recorded_security_context_is_a_plan_for_its_policy_and_its_utility_vm() {
    let context = "snp/sidecar-security-context";
    let new = format!(
        "platform = \"snp\"\npolicy = \"FIXTURES/{context}/security-policy-base64\"\nuvm = \"FIXTURES/{context}/reference-info-base64\"\n"
    );
    let Some(plan) = recorded(&new) else { return };
    let plan = plan.unwrap();
    let [uvm, host_data] = &plan.new.values[..] else { panic!("{:?}", plan.new) };
    assert_eq!((uvm.kind, &uvm.args["svn"]), (Registration::SnpUvmEndorsement, &"100".into()));
    assert_eq!(uvm.args["feed"], "ContainerPlat-AMD-UVM");
    assert_eq!(host_data.key(), "4f4448c67f3c8dfc8de8a5e37125d807dadcc41f06cf23f615dbd52eec777d10");
    assert_eq!(plan.artefacts["policy"], file(&format!("{context}/security-policy-base64")));
    assert_eq!(plan.artefacts["uvm"], file(&format!("{context}/reference-info-base64")));
    assert!(plan.artefacts.len() == 2 && plan.without_artefact.is_none());
    // A policy is no endorsement, and an endorsement no policy.
    let swapped = new.replace("security-policy", "SWAP").replace("reference-info", "security-policy");
    let error = recorded(&swapped.replace("SWAP", "reference-info")).unwrap().unwrap_err();
    assert!(error.contains("in upgrade.toml: ") && error.contains("is not"), "{error}");
}

#[test]
fn recorded_enclaves_are_plans_unless_they_may_be_debugged_or_were_tampered_with() {
    let new =
        |name: &str| format!("platform = \"sgx\"\nenclave = \"FIXTURES/sgx/oe-synthetic/{name}.enclave.so.signed\"\n");
    let Some(plan) = recorded(&new("release")) else { return };
    let plan = plan.unwrap();
    assert_eq!(keys(&plan), ["389f9a7e949226d15da27084135b4c8703da002627812cc9187240a396a956ad"]);
    assert_eq!(plan.artefacts["enclave"], file("sgx/oe-synthetic/release.enclave.so.signed"));
    for (name, says) in [("debug", "never register it"), ("tampered", "mrenclave: ")] {
        let error = recorded(&new(name)).unwrap().unwrap_err();
        assert!(error.starts_with("[new] enclave in upgrade.toml: ") && error.contains(says), "{error}");
    }
}

#[test]
fn recorded_firmware_is_measured_as_published() {
    let Some(folder) = crate::skip::fixtures() else { return };
    let vectors = fs::read(folder.join("snp/launch-measure/vectors.json")).unwrap();
    let vectors = crate::json::parse(&vectors).unwrap();
    let whole = |vector: &&serde_json::Value| !vector["name"].as_str().unwrap().contains("ovmf-hash");
    let mut measured = 0;
    for vector in vectors["vectors"].as_array().unwrap().iter().filter(whole) {
        let text = |name: &str| vector[name].as_str().unwrap();
        let kernel = if vector["kernel"].is_string() { ", kernel = \"empty\"" } else { "" };
        let append = vector["append"].as_str().map_or_else(String::new, |line| format!(", append = \"{line}\""));
        let new = format!(
            "platform = \"snp\"\npolicy = \"FIXTURES/snp/sidecar-security-context/security-policy-base64\"\nmeasurement = \
             {{ ovmf = \"FIXTURES/snp/launch-measure/{}\", vcpus = {}, vcpu_type = \"{}\", guest_features = {}{kernel}{append} }}\n",
            text("ovmf"),
            vector["vcpus"],
            text("vcpu_type"),
            text("guest_features"),
        );
        let plan = recorded(&new).unwrap().unwrap();
        assert_eq!(keys(&plan)[0], text("expected_launch_digest"), "{vector}");
        assert_eq!(plan.artefacts["ovmf"], file(&format!("snp/launch-measure/{}", text("ovmf"))));
        assert_eq!(plan.artefacts.contains_key("kernel"), !kernel.is_empty());
        measured += 1;
    }
    assert!(measured >= 2, "{measured}");
}
