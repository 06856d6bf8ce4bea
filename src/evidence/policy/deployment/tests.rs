use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::pods::KATA;
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
    let own = format!(
        "kind: Deployment\nmetadata: {{name: w, {annotations}}}\nspec:\n  template: {{spec: {{containers: []}}}}\n"
    );
    assert!(
        matches!(find(own.as_bytes()), Err(DeploymentError::Elsewhere(path)) if path.starts_with("metadata.annotations"))
    );
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
    assert!(matches!(find(pod("").as_bytes()), Err(DeploymentError::EmptyAnnotation(_))));
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
fn katas_package_is_recognised_whatever_follows_it() {
    for line in ["package agent_policy # made by genpolicy", "package\tagent_policy;", "# a\n\n package agent_policy\r"]
    {
        let kata = format!("{line}\ndefault CreateContainerRequest := true\n");
        for file in [kata.clone(), STANDARD.encode(&kata), pod(&STANDARD.encode(&kata))] {
            assert!(matches!(find(file.as_bytes()), Err(DeploymentError::Kata)), "{file}");
        }
    }
    for other in ["package policy # agent_policy\n", "package agent_policy.x\n", "package agent_policy_2\n"] {
        assert_eq!(find(other.as_bytes()).unwrap()[0].policy, other.as_bytes());
    }
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
        ("[parameters('o').a.b]", "a member is asked of what is no object"),
        ("[parameters('o')]", "its value is no text"),
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
                format!("{what} is base64, but what it decodes to is no Rego policy: no line of it names a package")
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
fn a_value_where_no_platform_looks_is_shown() {
    let message = |path: &str| {
        format!(
            "the deployment holds no policy: there is {path}, but a policy is read from a confidential container group's \
             ccePolicy, in a template or by itself, and from a pod's annotation {ANNOTATION}; give the deployment that is \
             made of it, or the policy alone"
        )
    };
    let encoded = STANDARD.encode(REGO);
    assert_eq!(refusal("standbyPool:\n  ccePolicy: ''\n"), message("standbyPool.ccePolicy"));
    assert_eq!(refusal(&format!("hostdata: a\nccepolicy: {encoded}\n")), message("ccepolicy"));
    assert_eq!(refusal(&format!("pods:\n- a: {{ccePolicy: {encoded}}}\n")), message("pods.0.a.ccePolicy"));
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

#[test]
fn pods_without_a_name_are_numbered() {
    let encoded = STANDARD.encode(REGO);
    let one = format!("annotations:\n  {ANNOTATION}: {encoded}\n");
    assert_eq!(names(&one), ["the pod"]);
    assert_eq!(names(&format!("{one}---\n{}---\n{one}", pod(&encoded))), ["pod 1", "pod", "pod 2"]);
    // The values of a Helm chart.
    assert_eq!(names(&format!("resources: {{}}\npodAnnotations:\n  {ANNOTATION}: {encoded}\n")), ["the pod"]);
    let last = one.replace(&encoded, "<X>");
    assert_eq!(
        refusal(&format!("{one}---\n{last}")),
        "the policy of pod 2 is the placeholder <X>, not a policy: fill it in"
    );
}
