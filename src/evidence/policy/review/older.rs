//! What the platform does with policies for older versions of it: it admits what they could not know, and looks at less.

use super::super::rego::Module;
use super::super::version::Version;
use super::{ENDING_RULES, Review};

/// The rules that came later than the first version of the interface, and that the platform takes for granted where an older
/// policy does not have them.
const GRANTED_BEFORE: [(&str, Version); 13] = [
    ("exec_in_container", Version(0, 2, 0)),
    ("unmount_device", Version(0, 2, 0)),
    ("exec_external", Version(0, 3, 0)),
    ("shutdown_container", Version(0, 4, 0)),
    ("signal_container_process", Version(0, 5, 0)),
    ("unmount_overlay", Version(0, 6, 0)),
    ("plan9_mount", Version(0, 6, 0)),
    ("plan9_unmount", Version(0, 6, 0)),
    ("get_properties", Version(0, 7, 0)),
    ("dump_stacks", Version(0, 7, 0)),
    ("runtime_logging", Version(0, 8, 0)),
    ("scratch_mount", Version(0, 10, 0)),
    ("scratch_unmount", Version(0, 10, 0)),
];

/// The members of a container at which a policy's framework looks only from some version on.
const LOOKED_AT_SINCE: [(&str, Version); 4] = [
    ("no_new_privileges", Version(0, 2, 0)),
    ("user", Version(0, 2, 1)),
    ("capabilities", Version(0, 2, 2)),
    ("seccomp_profile_sha256", Version(0, 2, 3)),
];

impl Review {
    /// Versions that cannot be ordered, and rules that are missing from a policy of an older interface.
    pub(super) fn check_versions(&mut self, module: &Module) {
        for (what, given) in [("api", self.api_version.clone()), ("framework", self.framework_version.clone())] {
            if let Some(odd) = given.filter(|given| given.parse::<Version>().is_err()) {
                self.warn("not-understood", format!("the {what} version {odd:?} is not three numbers"));
            }
        }
        let Some(api) = self.api_version.as_deref().and_then(|api| api.parse::<Version>().ok()) else { return };
        // A rule that is there, and was not understood, is told by itself.
        if self.is_fragment() || !module.not_understood.is_empty() {
            return;
        }
        let missing = |rule: &&str| !self.rules.iter().any(|(name, _)| name == rule);
        let granted = GRANTED_BEFORE.iter().filter(|(_, since)| api < *since).map(|(rule, _)| *rule);
        let (mut open, mut ending) = (Vec::new(), Vec::new());
        let mut scratch = false;
        for rule in granted.filter(missing) {
            match rule {
                "scratch_mount" => scratch = true,
                rule if ENDING_RULES.contains(&rule) => ending.push(rule),
                rule => open.push(rule),
            }
        }
        let why = format!("and for a policy of api {api} the platform then admits everything");
        for (name, rules) in [("allow-all", &open), ("rule-open", &ending)] {
            if !rules.is_empty() {
                self.warn(name, format!("there is no rule for {}, {why}", rules.join(", ")));
            }
        }
        if scratch {
            let what = format!("there is no rule for scratch_mount, {why}: also disks that are not encrypted");
            self.warn("unencrypted-scratch", what);
        }
        self.allow_all |= !open.is_empty();
        self.open_rules.extend(open.into_iter().chain(ending).map(str::to_owned));
    }

    /// Whether the framework of this policy looks at a container's member.
    fn looks_at(&self, member: &str) -> bool {
        let framework = self.framework_version.as_deref().and_then(|version| version.parse::<Version>().ok());
        let since = LOOKED_AT_SINCE.iter().find(|(name, _)| *name == member).map(|(_, since)| *since);
        framework.zip(since).is_none_or(|(framework, since)| framework >= since)
    }

    /// What a container's text keeps out, and the framework of the policy lets in.
    pub(super) fn check_looked_at(&mut self, who: &str, restricts: &[&'static str]) {
        let moot: Vec<&str> = restricts.iter().copied().filter(|member| !self.looks_at(member)).collect();
        if !moot.is_empty() {
            let framework = self.framework_version.as_deref().unwrap_or_default();
            let what = format!("{who}: framework {framework} does not look at its {}", moot.join(", "));
            self.warn("not-enforced", what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::contents::PAUSE_LAYER;
    use super::super::{RULES, Review};

    fn with(api: &str, without: &[&str], framework: &str) -> Review {
        let rules = RULES.iter().filter(|rule| !without.contains(rule));
        let rules: String = rules.map(|rule| format!("{rule} := data.framework.{rule}\n")).collect();
        let container = format!(
            r#"{{"name": "c", "layers": ["{PAUSE_LAYER}"], "no_new_privileges": true, "user": {{"user_idname": {{"pattern": "1000", "strategy": "id"}}}}, "capabilities": {{"bounding": []}}, "seccomp_profile_sha256": "ab"}}"#
        );
        let versions = format!("api_version := \"{api}\"\nframework_version := \"{framework}\"\n");
        Review::of(format!("package policy\n{versions}containers := [{container}]\n{rules}").as_bytes())
    }

    fn about<'r>(review: &'r Review, name: &str) -> Option<&'r str> {
        review.warnings.iter().find(|w| w.name == name).map(|w| w.detail.as_str())
    }

    #[test]
    fn an_older_policy_without_a_rule_admits_whatever_is_asked() {
        for (api, rule, warning) in [
            ("0.1.0", "exec_in_container", Some("allow-all")),
            ("0.2.9", "exec_external", Some("allow-all")),
            ("0.5.0", "plan9_mount", Some("allow-all")),
            ("0.6.0", "plan9_mount", None),
            ("0.7.0", "runtime_logging", Some("rule-open")),
            ("0.9.0", "scratch_mount", Some("unencrypted-scratch")),
            ("0.10.0", "scratch_mount", None),
            ("0.10.0", "exec_in_container", None),
            // Of these the platform admits nothing by itself.
            ("0.1.0", "create_container", None),
            ("0.1.0", "load_fragment", None),
        ] {
            let review = with(api, &[rule], "0.2.3");
            let all = ["allow-all", "rule-open", "unencrypted-scratch"];
            let told = all.into_iter().find(|name| about(&review, name).is_some());
            assert_eq!((told, review.allow_all), (warning, warning == Some("allow-all")), "{api} {rule}");
            if let Some(warning) = warning {
                let detail = about(&review, warning).unwrap();
                assert!(detail.contains(rule) && detail.contains(api), "{detail}");
            }
        }
        assert!(!with("0.1.0", &[], "0.2.3").allow_all);
    }

    #[test]
    fn a_version_that_cannot_be_ordered_is_not_understood() {
        for review in [with("0.1.0-rc1", &["exec_in_container"], "0.2.3"), with("0.10.0", &[], "next")] {
            assert!(!review.is_understood(), "{:?}", review.warnings);
        }
    }

    #[test]
    fn what_an_old_framework_does_not_look_at_is_told() {
        for (framework, moot) in [
            ("0.1.0", Some("no_new_privileges, user, capabilities, seccomp_profile_sha256")),
            ("0.2.0", Some("user, capabilities, seccomp_profile_sha256")),
            ("0.2.2", Some("seccomp_profile_sha256")),
            ("0.2.3", None),
            ("0.5.0", None),
        ] {
            let review = with("0.10.0", &[], framework);
            assert_eq!(about(&review, "not-enforced").map(|d| d.rsplit(" its ").next().unwrap()), moot, "{framework}");
        }
    }
}
