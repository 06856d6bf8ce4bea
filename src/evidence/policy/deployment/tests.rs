use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;

mod arm;
mod pods;
mod policy;

const REGO: &str = "package policy\n\napi_svn := \"0.10.0\"\n";

fn template(policy: &str) -> String {
    format!(
        r#"{{"parameters": {{"p": {{"type": "string", "defaultValue": "[variables('v')]"}}, "empty": {{"type": "string"}}}},
        "variables": {{"v": "{}", "rego": "{}", "circle": "[variables('circle')]"}},
        "resources": [{{"type": "Microsoft.ContainerInstance/containerGroups", "name": "[variables('n')]",
          "properties": {{"confidentialComputeProperties": {{"ccePolicy": "{policy}"}}}}}},
          {{"type": "Microsoft.Network/x", "name": "y", "properties": {{}}}}]}}"#,
        STANDARD.encode(REGO),
        REGO.escape_default(),
    )
}

fn pod(policy: &str) -> String {
    format!(
        "kind: Service\nmetadata: {{name: s}}\n---\nkind: Deployment\nmetadata:\n  name: d\nspec:\n  template:\n    metadata:\n      name: pod\n      annotations:\n        {ANNOTATION}: {policy}\n"
    )
}

fn names(file: &str) -> Vec<String> {
    let found = find(file.as_bytes()).unwrap_or_else(|e| panic!("{e}: {file}"));
    assert!(found.iter().all(|f| f.policy == REGO.as_bytes()), "{file}");
    found.into_iter().map(|f| f.name.unwrap_or_default()).collect()
}

#[test]
fn every_way_to_carry_a_policy_gives_the_same_host_data() {
    let encoded = STANDARD.encode(REGO);
    let wrapped = format!("{}\r\n{}\r\n", &encoded[..20], &encoded[20..]);
    let yaml = |policy: &str| {
        format!(
            "apiVersion: '2023-05-01'\nname: group\nproperties:\n  confidentialComputeProperties:\n    ccePolicy: {policy}\ntype: Microsoft.ContainerInstance/containerGroups\n"
        )
    };
    let block = format!("|\n      {}\n      {}", &encoded[..20], &encoded[20..]);
    for (file, name) in [
        (REGO.to_owned(), ""),
        (encoded.clone(), ""),
        (format!("{encoded}\n"), ""),
        (wrapped, ""),
        (format!("\u{feff}{encoded}"), ""),
        (template(&encoded), "[variables('n')]"),
        (format!("\u{feff}{}", template(&encoded)), "[variables('n')]"),
        (template("[parameters('P')]"), "[variables('n')]"),
        (template("[ variables( 'v' ) ]"), "[variables('n')]"),
        (template("[base64(variables('rego'))]"), "[variables('n')]"),
        (template(&format!("[concat('{}', '{}')]", &encoded[..9], &encoded[9..])), "[variables('n')]"),
        (yaml(&encoded), "group"),
        (yaml(&block), "group"),
        (yaml(&format!("&anchor {encoded} # a comment")), "group"),
        (format!("x: &p {encoded}\n{}", yaml("*p")), "group"),
        (pod(&encoded), "pod"),
        (pod(&format!(">-\n          {encoded}")), "pod"),
    ] {
        assert_eq!(names(&file), [name], "{file}");
    }
    assert!(find(template("[parameters('p')]").as_bytes()).unwrap()[0].remark.is_some());
}

#[test]
fn no_confidential_group_is_passed_over() {
    let encoded = STANDARD.encode(REGO);
    let file = |group: &str| {
        format!(
            r#"{{"parameters": {{"s": {{"defaultValue": "Confidential"}}}},
            "variables": {{"p": {{"sku": "Confidential", "confidentialComputeProperties": {{"ccePolicy": "{encoded}"}}}}}},
            "Resources": [{{"Type": "Microsoft.ContainerInstance/containerGroups", "Name": "g", {group}}}]}}"#
        )
    };
    for group in [
        r#""properties": "[variables('p')]""#.to_owned(),
        format!(r#""Properties": {{"ConfidentialComputeProperties": {{"CcePolicy": "{encoded}"}}}}"#),
    ] {
        assert_eq!(names(&file(&group)), ["g"], "{group}");
    }
    let error = find(file(r#""sku": "[parameters('s')]", "properties": {}"#).as_bytes()).unwrap_err();
    assert!(matches!(error, DeploymentError::Empty(_)), "{error}");
    let error = find(file(r#""properties": "[reference('x')]""#).as_bytes()).unwrap_err();
    assert!(matches!(error, DeploymentError::Unresolved { .. }), "{error}");
    let linked = r#""properties": "[variables('p')]"}, {"type": "Microsoft.Resources/deployments", "properties": {"templateLink": {}}"#;
    let remark = find(file(linked).as_bytes()).unwrap()[0].remark.clone();
    assert!(remark.is_some_and(|remark| remark.contains("templateLink")));
}

#[test]
fn a_confidential_group_without_a_policy_is_told_beside_one_that_has_one() {
    let encoded = STANDARD.encode(REGO);
    let group = |properties: &str| {
        format!(
            r#"{{"type": "Microsoft.ContainerInstance/containerGroups", "name": "g", "properties": {{{properties}}}}}"#
        )
    };
    let good = group(&format!(r#""confidentialComputeProperties": {{"ccePolicy": "{encoded}"}}"#));
    for bad in [
        r#""confidentialComputeProperties": {"ccePolicy": ""}"#,
        r#""confidentialComputeProperties": {"ccePolicy": null}"#,
        r#""confidentialComputeProperties": {}"#,
        r#""sku": "Confidential""#,
    ] {
        let file = format!(r#"{{"resources": [{good}, {}]}}"#, group(bad));
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Empty(_))), "{bad}");
    }
    let plain = format!(r#"{{"resources": [{good}, {}]}}"#, group(r#""sku": "Standard""#));
    assert_eq!(names(&plain), ["g"]);
    assert!(matches!(find(pod("").as_bytes()), Err(DeploymentError::EmptyAnnotation(..))));
}

#[test]
fn a_file_of_aliases_is_refused_soon() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let previous = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{previous}]\n");
    }
    assert!(matches!(find(bomb.as_bytes()), Err(DeploymentError::Yaml(_))));
    assert!(find(format!("a: {}", "[".repeat(10_000)).as_bytes()).is_err());
}

#[test]
fn a_deployment_larger_than_any_is_refused() {
    let template = |resources: String| format!("{{\"resources\": [{resources}]}}").into_bytes();
    let says = |file: &[u8]| match find(file) {
        Err(DeploymentError::Json(error)) => std::error::Error::source(&error).unwrap().to_string(),
        other => other.unwrap_err().to_string(),
    };
    assert!(says(&template(vec!["{}"; MAX_VALUES as usize].join(","))).contains("more values"));
    assert!(says(&template(" ".repeat(MAX_DEPLOYMENT))).contains("larger than"));
    assert!(says(format!("a: {}", "b".repeat(MAX_DEPLOYMENT)).as_bytes()).contains("is not Rego"));
    let group = |policy: &str| {
        format!(
            "{{\"type\": \"Microsoft.ContainerInstance/containerGroups\", \"properties\": {{\"confidentialComputeProperties\": {{\"ccePolicy\": \"{}\"}}}}}}",
            STANDARD.encode(policy)
        )
    };
    let groups = |count: usize, policy: &str| template(vec![group(policy); count].join(","));
    assert_eq!(find(&groups(MAX_POLICIES, "package policy\n")).unwrap().len(), MAX_POLICIES);
    assert!(says(&groups(MAX_POLICIES + 1, "package policy\n")).contains("more than 100 policies"));
    let half = format!("package policy\n#{}", "x".repeat(MAX_TOTAL / 2 - 16));
    assert_eq!(find(&groups(2, &half)).unwrap().len(), 2);
    assert!(says(&groups(2, &format!("{half}x"))).contains("bytes of them"));
    // A policy by itself may be as large as any file: its digest needs no reading.
    let mut policy = b"package policy\n".to_vec();
    policy.resize(MAX_FILE, b'#');
    assert_eq!(find(&policy).unwrap().len(), 1);
}

/// What the refusal of a file says.
fn refusal(file: &str) -> String {
    find(file.as_bytes()).map(|_| ()).expect_err(file).to_string()
}

#[test]
fn what_az_container_prints_is_read() {
    let encoded = STANDARD.encode(REGO);
    let shown = |name: &str| {
        format!(
            r#"{{"name": "{name}", "sku": "Confidential", "containers": [{{"name": "c", "resources": {{}}}}],
            "confidentialComputeProperties": {{"ccePolicy": "{encoded}"}}}}"#
        )
    };
    assert_eq!(names(&shown("g")), ["g"]);
    assert_eq!(names(&format!("[{},\n\t{}]", shown("g"), shown("h"))), ["g", "h"]);
    let exported =
        format!("name: g\nsku: Confidential\ncontainers: []\nconfidentialComputeProperties:\n  ccePolicy: {encoded}\n");
    assert_eq!(names(&exported), ["g"]);
    let properties = format!(r#"[{{"name": "g", "properties": {}}}]"#, shown("x"));
    assert_eq!(names(&properties), ["g"]);
    assert_eq!(names(&format!(r#"{{"value": {properties}}}"#)), ["g"]);
    let plain = r#"{"name": "g", "sku": "Standard", "containers": [], "confidentialComputeProperties": null}"#;
    assert!(matches!(find(plain.as_bytes()), Err(DeploymentError::NoPolicy)));
    let empty = shown("g").replace(&encoded, "");
    assert_eq!(refusal(&empty), "g is confidential and has no policy yet: its ccePolicy is missing or empty");
}
