//! Templates of Azure Resource Manager.

use super::*;

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
fn comments_in_a_template_are_read_over() {
    let encoded = STANDARD.encode(REGO);
    let commented = template(&encoded).replace("\"resources\"", "/* \"resources\": 1, */ \"resources\"");
    for file in [format!("// a template\n{commented}// its end"), format!("/* a\n */{commented}")] {
        assert_eq!(names(&file), ["[variables('n')]"], "{file}");
    }
    // All else stays strict JSON.
    for bad in ["{\"resources\": [],}", "{'resources': []}", "{\"resources\": []} /*", "{\"resources\": [] # a\n}"] {
        assert!(matches!(find(bad.as_bytes()), Err(DeploymentError::Json(_))), "{bad}");
    }
}

#[test]
fn members_of_parameters_and_variables_are_resolved() {
    let encoded = STANDARD.encode(REGO);
    let file = |policy: &str| {
        let objects = format!(
            r#""o": {{"type": "object", "defaultValue": {{"a": "{encoded}", "in": {{"Deep_1": "[variables('v')]"}}}}}}, "empty""#
        );
        template(policy).replace("\"empty\"", &objects).replace(
            "\"circle\": \"[variables('circle')]\"",
            "\"ccp\": {\"x\": \"[parameters('o').in]\"}, \"circle\": {\"a\": \"[variables('circle').a]\"}",
        )
    };
    for policy in ["[parameters('o').a]", "[ parameters('o') . A ]", "[variables('ccp').x.deep_1]"] {
        assert_eq!(names(&file(policy)), ["[variables('n')]"], "{policy}");
        let remark = find(file(policy).as_bytes()).unwrap()[0].remark.clone().unwrap();
        assert_eq!(remark, "the default of the parameter o: a deployment may give another one");
    }
    for (policy, why) in [
        ("[parameters('o').b]", "there is no such member"),
        ("[parameters('o').a.b]", "a member is requested of something that is not an object"),
        ("[parameters('o')]", "its value is not text"),
        ("[parameters('o').]", "there is no such member"),
        ("[variables('circle').a]", "it leads in a circle"),
        ("[parameters('o')['a']]", "only parameters, variables, members of them, base64 and concat are resolved"),
    ] {
        assert_eq!(
            refusal(&file(policy)),
            format!("the policy of [variables('n')] is {policy}, which cannot be resolved: {why}")
        );
    }
}

#[test]
fn an_object_with_expressions_is_not_evaluated_in_another_templates_scope() {
    let encoded = STANDARD.encode(REGO);
    let file = |given: &str| {
        format!(
            r#"{{"parameters": {{"q": {{"defaultValue": "{encoded}"}}}}, "resources": [{{"type": "Microsoft.Resources/deployments",
            "name": "m", "properties": {{"expressionEvaluationOptions": {{"scope": "inner"}},
            "parameters": {{"o": {{"value": {{"a": "{given}"}}}}}}, "template": {{
            "parameters": {{"o": {{"type": "object"}}, "q": {{"defaultValue": "cGFja2FnZSBvdGhlcgo="}}}},
            "resources": [{{"type": "Microsoft.ContainerInstance/containerGroups", "name": "g", "properties":
            {{"confidentialComputeProperties": {{"ccePolicy": "[parameters('o').a]"}}}}}}]}}}}}}]}}"#
        )
    };
    assert_eq!(names(&file(&encoded)), ["g"]);
    assert!(refusal(&file("[parameters('q')]")).ends_with("the outer template gives it an object with expressions"));
}
