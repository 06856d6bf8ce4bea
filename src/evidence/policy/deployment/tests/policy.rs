//! What stands where a policy should, and is none.

use super::super::pods::KATA;
use super::*;

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
    let inside = STANDARD.encode(utf16(REGO));
    for file in [inside.clone(), template(&inside), pod(&inside)] {
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Utf16Inside(_))), "{file}");
    }
    let kata = "package agent_policy\n\ndefault CreateContainerRequest := true\n";
    let annotated = pod(&STANDARD.encode(kata));
    for file in [kata.to_owned(), STANDARD.encode(kata), annotated.replace(ANNOTATION, KATA[0]), annotated] {
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Kata)), "{file}");
    }
    let parameters = format!(
        r#"{{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#", "parameters": {{"p": {{"value": "{encoded}"}}}}}}"#
    );
    assert_eq!(names(&parameters), ["p"]);
}

#[test]
fn policies_among_the_values_of_parameters_are_found() {
    let encoded = STANDARD.encode(REGO);
    let json = |value: &str| {
        format!(
            r#"{{"$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentParameters.json#", "parameters": {{"tag": {{"value": "latest"}}, "ccePolicies": {{"value": {value}}}}}}}"#
        )
    };
    let bicep = |value: &str| {
        format!(
            "// For tests\nusing './main.bicep'\n\nparam tag = 'it\\'s'\nparam count = 3\nparam id = az.getSecret('a', 'b') /* x */\n\
             param list=[\n  'a'\n  max(1, 2)\n]\nparam ccePolicies={value}\n\nparam more={{ a: true, b: [] }}\n"
        )
    };
    assert_eq!(names(&json(&format!(r#"{{"node": "{encoded}"}}"#))), ["ccePolicies.node"]);
    assert_eq!(names(&json(&format!(r#""{encoded}""#))), ["ccePolicies"]);
    let both = format!("{{\n  node: '{encoded}'\n  'the other': '{encoded}'\n}}");
    assert_eq!(names(&bicep(&both)), ["ccePolicies.node", "ccePolicies.the other"]);
    assert_eq!(names(&bicep(&format!("'{encoded}'"))), ["ccePolicies"]);
    assert_eq!(names(&bicep(&format!("'''\n{encoded}'''"))), ["ccePolicies"]);
    // One that is called otherwise is one all the same.
    assert_eq!(names(&format!("using none\nparam rules = '{encoded}'\n")), ["rules"]);
    let remark = find(bicep(&both).as_bytes()).unwrap()[0].remark.clone();
    assert!(remark.is_some_and(|remark| remark.contains("parameter")));
    for file in [json(r#""""#), bicep("''"), bicep("{ node: '' }")] {
        assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Empty(_))), "{file}");
    }
    for value in ["readEnvironmentVariable('POLICY')", "'${prefix}x'", "loadTextContent('policy')"] {
        let refused = find(bicep(value).as_bytes());
        let told = matches!(&refused, Err(DeploymentError::Unresolved { expression, .. }) if expression == value.trim_matches('\''));
        assert!(told, "{value}: {refused:?}");
    }
    assert!(matches!(find(bicep("'no policy!'").as_bytes()), Err(DeploymentError::NotBase64(_))));
    let deep = format!("using none\nparam a = {}", "[".repeat(100));
    assert!(matches!(find(deep.as_bytes()), Err(DeploymentError::Nested)));
    let many = format!("using none\nparam a = [{}]", "'x'\n".repeat(20_000));
    assert!(matches!(find(many.as_bytes()), Err(DeploymentError::LargeDeployment)));
}

#[test]
fn json_policies_are_refused_by_name() {
    for policy in [
        r#"{"allow_all": true, "containers": {"length": 0, "elements": null}}"#,
        r#"{"containers": {"length": 1, "elements": {"0": {"command": {"length": 0, "elements": {}}}}}}"#,
    ] {
        let encoded = STANDARD.encode(policy);
        for (file, what) in [
            (policy.to_owned(), "the file"),
            (encoded.clone(), "the file"),
            (pod(&encoded), "the policy of pod"),
            (template(&encoded), "the policy of [variables('n')]"),
        ] {
            assert_eq!(
                refusal(&file),
                format!(
                    "{what} is a JSON security policy: only older platforms read it (hcsshim until October 2025); \
                     make one in Rego, with `az confcom acipolicygen` for instance"
                )
            );
        }
    }
}

#[test]
fn base64_of_what_is_no_policy_is_refused() {
    for text in ["hello world", "{\n", "{\"a\": 1}", "# package policy\n", "packages := 1"] {
        let encoded = STANDARD.encode(text);
        for (file, what) in [(encoded.clone(), "the file"), (pod(&encoded), "the policy of pod")] {
            assert_eq!(
                refusal(&file),
                format!("{what} is base64, but does not decode to a Rego policy: no line names a package")
            );
        }
    }
    // Which package, and where it is named, is for a review to say.
    for text in ["package fragment\n", "api_svn := \"0.10.0\"\r  package policy\n", "package framework"] {
        let found = find(STANDARD.encode(text).as_bytes()).unwrap();
        assert_eq!(found[0].policy, text.as_bytes());
    }
}

#[test]
fn sources_are_named_with_what_to_do() {
    let bicep = "Bicep: give the template that `az bicep build` makes of it";
    let terraform = "Terraform: give the policy's base64 alone, as `terraform show -json` of the plan shows it";
    let helm = "a Helm template: give the manifest that `helm template` makes of it";
    for (file, what) in [
        ("// a: b\nparam ccePolicy string\n", bicep),
        ("resource group 'Microsoft.ContainerInstance/containerGroups@2023-05-01' = {\n  name: 'g'\n}", bicep),
        ("@description('x')\nparam location string = resourceGroup().location\n", bicep),
        (
            "resource \"azapi_resource\" \"g\" {\n  type = \"Microsoft.ContainerInstance/containerGroups\"\n}\n",
            terraform,
        ),
        ("apiVersion: v1\nmetadata:\n  name: {{ .Values.name }}\n", helm),
        ("{{- if .Values.a }}\nannotations:\n  x: {{ .Values.ccePolicy }}\n{{- end }}\n", helm),
    ] {
        assert_eq!(refusal(file), format!("the file is {what}"), "{file}");
    }
    assert!(matches!(find(b"using './main.bicep'\nparam a = 'b'\n"), Err(DeploymentError::Parameters)));
    for other in ["name: a\nname: {{\n", "a: b: c\nparam x\n", "- a: b: c\n  resource group is\n"] {
        let error = find(other.as_bytes()).unwrap_err();
        assert!(matches!(error, DeploymentError::Yaml(_)), "{error}");
        assert!(!error.to_string().contains("error:"), "{error}");
    }
}

#[test]
fn what_stands_in_a_policys_place_is_called_by_its_name() {
    let empty = |name: &str| {
        format!(
            "the annotation {ANNOTATION} of {name} is empty: without a policy a pod does not run as a confidential one"
        )
    };
    assert_eq!(refusal(&pod("''")), empty("pod"));
    assert_eq!(refusal(&pod("")), empty("pod"));
    assert_eq!(refusal(&format!("podAnnotations:\n  {ANNOTATION}: ' '\n")), empty("the pod"));
    for placeholder in ["<CCE_POLICY>", "{{ .Values.x }}", "${POLICY}", "$(cat policy)"] {
        let said = format!("is the placeholder {placeholder}, not a policy: fill it in");
        assert_eq!(refusal(&pod(&format!("'{placeholder}'"))), format!("the policy of pod {said}"));
        assert_eq!(refusal(&template(placeholder)), format!("the policy of [variables('n')] {said}"));
    }
    assert_eq!(refusal(&pod("{a: b}")), "the policy of pod is not base64; ccePolicy is the base64 of the Rego text");
}

#[test]
fn damaged_base64_is_named() {
    let encoded = STANDARD.encode("package policy\n\n");
    let unpadded = encoded.trim_end_matches('=');
    assert_ne!(encoded, unpadded);
    let lacks =
        |what: &str| format!("{what} lacks the = at its end, with which base64 is padded: was it copied whole?");
    let quotes = |what: &str| format!("{what} has quotes around its base64: remove them");
    assert_eq!(refusal(unpadded), lacks("the file"));
    assert_eq!(refusal(&pod(unpadded)), lacks("the policy of pod"));
    assert_eq!(refusal(&format!("\"{encoded}\"\n")), quotes("the file"));
    assert_eq!(refusal(&format!("'{encoded}'")), quotes("the file"));
    assert_eq!(refusal(&pod(&format!("'\"{encoded}\"'"))), quotes("the policy of pod"));
    assert!(matches!(find(b"\"hello\""), Err(DeploymentError::Unknown)));
}
