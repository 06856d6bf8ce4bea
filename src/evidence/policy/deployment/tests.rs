use super::*;

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
fn workloads_of_every_kind_are_looked_through() {
    let encoded = STANDARD.encode(REGO);
    let annotations = format!("annotations: {{{ANNOTATION}: {encoded}}}");
    for file in [
        format!("kind: Pod\nmetadata:\n  name: w\n  {annotations}\n"),
        format!(
            "kind: StatefulSet\nmetadata: {{name: w}}\nspec:\n  template:\n    metadata:\n      {annotations}\n    spec: {{containers: [{{name: c}}]}}\n"
        ),
        format!(
            "kind: CronJob\nmetadata: {{name: w}}\nspec:\n  jobTemplate:\n    spec:\n      template:\n        metadata: {{{annotations}}}\n"
        ),
        format!("kind: List\nitems:\n- kind: Pod\n  metadata:\n    name: w\n    {annotations}\n- kind: Service\n"),
        format!(r#"{{"kind":"Pod","metadata":{{"name":"w","annotations":{{"{ANNOTATION}":"{encoded}"}}}}}}"#),
    ] {
        assert_eq!(names(&file), ["w"], "{file}");
    }
}

/// A nested template, `scope` its evaluation, whose parameter `p` has the default `inner` and is given `given`.
fn nested(scope: &str, inner: &str, given: &str) -> String {
    let group = |policy: &str| {
        format!(
            r#"{{"type": "microsoft.containerinstance/containerGroupProfiles", "name": "g", "properties": {{"sku": "Confidential",
            "confidentialComputeProperties": {{"ccePolicy": "{policy}"}}}}}}"#
        )
    };
    format!(
        r#"{{"languageVersion": "2.0", "parameters": {{"p": {{"defaultValue": "{}"}}}}, "resources": {{"module": {{
        "type": "Microsoft.Resources/deployments", "name": "m", "properties": {{ {scope} {given} "template": {{
        "parameters": {{"p": {{"type": "string", {inner}}}}}, "resources": [{}]}}}}}}}}}}"#,
        STANDARD.encode(REGO),
        group("[parameters('p')]"),
    )
}

#[test]
fn a_nested_deployment_is_read_in_the_scope_that_azure_evaluates_it_in() {
    let inner = r#""expressionEvaluationOptions": {"scope": "Inner"},"#;
    let other = r#""defaultValue": "cGFja2FnZSBvdGhlcgo=""#;
    let same = format!(r#""defaultValue": "{}""#, STANDARD.encode(REGO));
    // By default the outer template's parameter is meant, whatever the inner one's default.
    assert_eq!(names(&nested("", other, "")), ["g"]);
    assert_eq!(names(&nested(inner, &same, "")), ["g"]);
    let given = r#""parameters": {"p": {"value": "[parameters('p')]"}},"#;
    assert_eq!(names(&nested(inner, other, given)), ["g"]);
    let reference = r#""parameters": {"p": {"reference": {"keyVault": {}}}},"#;
    let error = find(nested(inner, other, reference).as_bytes()).unwrap_err();
    assert!(matches!(error, DeploymentError::Unresolved { .. }), "{error}");
}

#[test]
fn what_cannot_be_resolved_is_refused() {
    for policy in [
        "[parameters('empty')]",
        "[parameters('other')]",
        "[variables('circle')]",
        "[format('{0}', 'a')]",
        "[concat('a', 'b'), 'x']",
        "[concat('a']",
        "[concat('a)]",
        "[parameters('p'), 'x']",
        "[parameters('p').x]",
    ] {
        let error = find(template(policy).as_bytes()).unwrap_err();
        assert!(matches!(error, DeploymentError::Unresolved { .. }), "{policy}: {error}");
    }
    assert!(matches!(find(template("%").as_bytes()), Err(DeploymentError::NotBase64(_))));
    assert!(matches!(find(b"{\"resources\": []}"), Err(DeploymentError::NoPolicy)));
    assert!(matches!(find(b"a: b"), Err(DeploymentError::NoPolicy)));
    assert!(matches!(find(b"hello"), Err(DeploymentError::Unknown)));
    assert!(matches!(find(b" \n"), Err(DeploymentError::Nothing)));
    assert!(matches!(find(b"{\"resources\": [], \"resources\": []}"), Err(DeploymentError::Json(_))));
    assert!(matches!(find(b"name: a\nname: b\n"), Err(DeploymentError::Yaml(_))));
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
    assert!(matches!(find(pod("").as_bytes()), Err(DeploymentError::Empty(_))));
}

#[test]
fn what_is_mistaken_for_a_policy_is_called_by_its_name() {
    let encoded = STANDARD.encode(REGO);
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let marked = [b"\xff\xfe".to_vec(), utf16(&encoded)].concat();
    for file in [marked, utf16(REGO), utf16(&template(&encoded))] {
        assert!(matches!(find(&file), Err(DeploymentError::Utf16)));
    }
    let twice = STANDARD.encode(&encoded);
    for file in [twice.clone(), template(&twice), pod(&twice)] {
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Twice(_))), "{file}");
    }
    let kata = "package agent_policy\n\ndefault CreateContainerRequest := true\n";
    let annotated = pod(&STANDARD.encode(kata));
    for file in [kata.to_owned(), STANDARD.encode(kata), annotated.replace(ANNOTATION, KATA[0]), annotated] {
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Kata)), "{file}");
    }
    let parameters = format!(
        r#"{{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#", "parameters": {{"p": {{"value": "{encoded}"}}}}}}"#
    );
    assert!(matches!(find(parameters.as_bytes()), Err(DeploymentError::Parameters)));
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
fn a_file_of_expressions_of_expressions_is_refused_soon() {
    let mut variables = String::from(r#""v0": "aaaaaaaaaa""#);
    for level in 1..15 {
        let previous = vec![format!("variables('v{}')", level - 1); 10].join(", ");
        variables += &format!(r#", "v{level}": "[concat({previous})]""#);
    }
    let group = r#"{"type": "Microsoft.ContainerInstance/containerGroups", "name": "g", "properties":
        {"confidentialComputeProperties": {"ccePolicy": "[variables('v14')]"}}}"#;
    let file = format!(r#"{{"variables": {{{variables}}}, "resources": [{group}]}}"#);
    assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Unresolved { .. })));
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
    assert!(says(format!("a: {}", "b".repeat(MAX_DEPLOYMENT)).as_bytes()).contains("neither"));
    let group = format!(
        "{{\"type\": \"Microsoft.ContainerInstance/containerGroups\", \"properties\": {{\"confidentialComputeProperties\": {{\"ccePolicy\": \"{}\"}}}}}}",
        STANDARD.encode("package policy\n")
    );
    assert_eq!(find(&template(vec![group.as_str(); MAX_POLICIES].join(","))).unwrap().len(), MAX_POLICIES);
    assert!(says(&template(vec![group.as_str(); MAX_POLICIES + 1].join(","))).contains("more than 100 policies"));
    // A policy by itself may be as large as any file: its digest needs no reading.
    let mut policy = b"package policy\n".to_vec();
    policy.resize(MAX_FILE, b'#');
    assert_eq!(find(&policy).unwrap().len(), 1);
}
