//! Manifests of Kubernetes.

use super::*;

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
        assert_eq!(names(&file.replace(ANNOTATION, ANNOTATIONS[1])), ["w"], "{file}");
    }
    let own = format!(
        "kind: Deployment\nmetadata: {{name: w, {annotations}}}\nspec:\n  template: {{spec: {{containers: []}}}}\n"
    );
    assert!(
        matches!(find(own.as_bytes()), Err(DeploymentError::Elsewhere(path)) if path.starts_with("metadata.annotations"))
    );
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
