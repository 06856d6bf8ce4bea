//! In what two policies differ, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::contents::{Container, Mount, command_line};
use super::environment::EnvironmentRule;
use super::review::Review;

/// What a policy says, by what it is about; in the order in which it is told.
type Facts = BTreeMap<(usize, String), Vec<String>>;

/// Each thing about which `new` says something else than `old`, as a line: a single value before and after, and of several which are
/// new and which are gone. Empty: nothing of what was read differs; the policies may still differ in what this review does not read,
/// which their warnings name.
pub fn difference(old: &Review, new: &Review) -> Vec<String> {
    let (old, new) = (facts(old), facts(new));
    let subjects: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let none = Vec::new();
    let of = |facts: &Facts, subject: &(usize, String)| facts.get(subject).unwrap_or(&none).clone();
    subjects.into_iter().filter_map(|subject| line(&subject.1, &of(&old, subject), &of(&new, subject))).collect()
}

fn line(subject: &str, old: &[String], new: &[String]) -> Option<String> {
    if old == new {
        return None;
    }
    if let ([old], [new]) = (old, new) {
        return Some(format!("{subject}: {old} → {new}"));
    }
    let lacking = |these: &[String], others: &[String]| -> Vec<String> {
        these.iter().filter(|one| !others.contains(one)).cloned().collect()
    };
    let (added, gone) = (lacking(new, old), lacking(old, new));
    let said = |what: &str, values: Vec<String>| (!values.is_empty()).then(|| format!("{what} {}", values.join(", ")));
    let parts: Vec<String> = said("new", added).into_iter().chain(said("no longer", gone)).collect();
    Some(match parts.is_empty() {
        true => format!("{subject}: the same in another order or number"),
        false => format!("{subject}: {}", parts.join("; ")),
    })
}

fn facts(review: &Review) -> Facts {
    let mut facts = Facts::new();
    let mut say = |about: &str, values: Vec<String>| {
        if !values.is_empty() {
            facts.insert((facts.len(), about.to_owned()), values);
        }
    };
    say("api version", review.api_version.iter().cloned().collect());
    say("framework version", review.framework_version.iter().cloned().collect());
    say("rules that admit everything", review.open_rules.clone());
    let titles: Vec<String> = titles(&review.containers);
    say("containers", titles.clone());
    for (container, title) in review.containers.iter().zip(&titles) {
        container_facts(container, title, review.framework_version.as_deref(), &mut say);
    }
    for rules in &review.platform_rules {
        say("every container: environment", environment(&rules.environment));
        say("every container: mounts", mounts(&rules.mounts));
    }
    say("external processes", review.external_processes.iter().map(|command| command_line(command)).collect());
    let fragment = |fragment: &super::Fragment| {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "not given".into());
        let (feed, svn, issuer) = (text(&fragment.feed), text(&fragment.minimum_svn), text(&fragment.issuer));
        let more = [&fragment.parameters, &fragment.required_receipts].into_iter().flatten().cloned();
        let more: String = more.map(|text| format!(" {text}")).collect();
        format!("{feed} from svn {svn} by {issuer}, adds {}{more}", fragment.includes.join(" "))
    };
    say("fragments", review.fragments.iter().map(fragment).collect());
    say("switches", switches(&review.switches));
    say("rules", review.rules.iter().map(|(rule, says)| format!("{rule}: {says}")).collect());
    say("not understood", review.not_understood.iter().map(|remark| remark.text.clone()).collect());
    say("warnings", review.warnings.iter().map(|warning| format!("{}: {}", warning.name, warning.detail)).collect());
    // The order in which one policy says things is not the other's.
    facts.into_iter().map(|((_, about), values)| ((rank(&about), about), values)).collect()
}

fn container_facts(
    container: &Container,
    title: &str,
    framework: Option<&str>,
    say: &mut impl FnMut(&str, Vec<String>),
) {
    let mut say = |what: &str, values: Vec<String>| say(&format!("container {title}: {what}"), values);
    let one = |value: &Option<String>| value.iter().cloned().collect::<Vec<_>>();
    say("image", one(&container.id));
    say("command", vec![command_line(&container.command)]);
    say("user", vec![container.user_under(framework)]);
    say("working folder", one(&container.working_dir));
    say("layers", container.layers.clone());
    say("environment", environment(&container.environment));
    say("mounts", mounts(&container.mounts));
    say("further processes", container.exec_processes.iter().map(|command| command_line(command)).collect());
    say("signals", container.signals.clone());
    say("system call filter", one(&container.seccomp_profile_sha256));
    say("switches", switches(&container.switches));
    say("capabilities", container.capabilities.clone());
}

/// What is about the whole policy comes first, then its containers, then the rest.
fn rank(about: &str) -> usize {
    match about {
        "api version" | "framework version" | "rules that admit everything" | "containers" => 0,
        about if about.starts_with("container ") => 1,
        "warnings" => 3,
        _ => 2,
    }
}

/// The containers' names; of several with one name the later ones with their number.
fn titles(containers: &[Container]) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let title = |(at, container): (usize, &Container)| {
        let title = container.title(at);
        let count = seen.entry(title.clone()).or_default();
        *count += 1;
        if *count > 1 { format!("{title} ({count})") } else { title }
    };
    containers.iter().enumerate().map(title).collect()
}

fn environment(rules: &[EnvironmentRule]) -> Vec<String> {
    let rule = |rule: &EnvironmentRule| {
        format!("{} ({}{})", rule.pattern, rule.strategy, if rule.required { ", required" } else { "" })
    };
    rules.iter().map(rule).collect()
}

fn mounts(mounts: &[Mount]) -> Vec<String> {
    let mount = |mount: &Mount| format!("{} at {} ({})", mount.source, mount.destination, mount.options.join(","));
    mounts.iter().map(mount).collect()
}

fn switches(switches: &[(String, bool)]) -> Vec<String> {
    switches.iter().map(|(name, value)| format!("{name} {value}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"package policy
api_version := "0.10.0"
framework_version := "0.2.3"
containers := [{"allow_elevated": false, "command": ["/ccf", "--config", "a b"], "env_rules": [{"pattern": "A=1", "required": false, "strategy": "string"}], "layers": ["aa", "bb"], "name": "ccf"}]
allow_properties_access := true
"#;

    fn compared(change: &[(&str, &str)]) -> Vec<String> {
        let new = change.iter().fold(POLICY.to_owned(), |policy, (old, new)| {
            assert!(policy.contains(old), "{old}");
            policy.replace(old, new)
        });
        difference(&Review::of(POLICY.as_bytes()), &Review::of(new.as_bytes()))
    }

    #[test]
    fn what_differs_is_said_by_container_and_what_does_not_is_not() {
        assert!(compared(&[]).is_empty());
        assert!(compared(&[("package policy\n", "package policy\n\n# a remark\n")]).is_empty());
        let lines = compared(&[("\"a b\"", "\"c\""), ("\"bb\"", "\"cc\""), ("0.10.0", "0.11.0"), ("A=1", "B=2")]);
        let said = [
            "api version: 0.10.0 → 0.11.0",
            r#"container ccf: command: /ccf --config "a b" → /ccf --config c"#,
            "container ccf: environment: A=1 (string) → B=2 (string)",
            "container ccf: layers: new cc; no longer bb",
        ];
        assert_eq!(lines[..4], said, "{lines:?}");
        let order = compared(&[(r#""aa", "bb""#, r#""bb", "aa""#)]);
        assert!(order.contains(&"container ccf: layers: the same in another order or number".to_owned()), "{order:?}");
        let open = compared(&[("allow_properties_access := true", "allow_properties_access := false")]);
        assert!(open.contains(&"switches: allow_properties_access true → allow_properties_access false".to_owned()));
    }

    #[test]
    fn another_container_is_new_with_all_that_it_has() {
        let lines = compared(&[(
            r#""name": "ccf"}]"#,
            r#""name": "ccf"}, {"command": ["/x"], "layers": ["dd"], "name": "x"}]"#,
        )]);
        assert_eq!(lines[0], "containers: new x", "{lines:?}");
        assert!(lines.contains(&"container x: layers: new dd".to_owned()), "{lines:?}");
        let renamed = compared(&[(r#""name": "ccf""#, r#""name": "other""#)]);
        assert_eq!(renamed[0], "containers: ccf → other");
    }
}
