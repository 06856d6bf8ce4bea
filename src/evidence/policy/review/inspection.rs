//! What about a policy a person should look at.

use std::collections::HashSet;

use super::super::contents::{Container, command_line, plain, shorten};
use super::super::environment::EnvironmentRule;
use super::super::rego::{Module, Term};
use super::{ENDING_RULES, RULES, Review};

/// How many of them every policy of the framework has; the others are asked by newer platforms, or by Windows.
const OLD_RULES: usize = 15;

/// The switches whose meaning is known, whether they are warned of or not.
const SWITCHES: [&str; 7] = [
    "allow_properties_access",
    "allow_dump_stacks",
    "allow_runtime_logging",
    "allow_environment_variable_dropping",
    "allow_unencrypted_scratch",
    "allow_capability_dropping",
    "allow_host_network",
];

const SHELLS: [&str; 16] = [
    "sh",
    "bash",
    "ash",
    "dash",
    "zsh",
    "ksh",
    "mksh",
    "rbash",
    "csh",
    "tcsh",
    "fish",
    "busybox",
    "toybox",
    "env",
    "pwsh",
    "powershell",
];

impl Review {
    pub(super) fn check_module(&mut self, module: &Module) {
        match self.package.as_deref() {
            Some("policy") => {}
            Some(other) => self.warn(
                "package",
                format!("this is a fragment (package {other}), which a policy may load: it is not host data itself"),
            ),
            None => self.warn(
                "package",
                "the policy does not begin with `package policy`: the platform will not find its rules",
            ),
        }
        let mut seen = HashSet::new();
        for definition in &module.definitions {
            if !seen.insert(definition.name.as_str()) {
                self.warn("defined-twice", format!("{} is defined twice (line {})", definition.name, definition.line));
            }
        }
        let (ending, open): (Vec<_>, Vec<_>) =
            self.open_rules.iter().cloned().partition(|rule| ENDING_RULES.contains(&rule.as_str()));
        if !open.is_empty() {
            self.warn("allow-all", format!("everything is admitted by {}", open.join(", ")));
        }
        if !ending.is_empty() {
            self.warn("rule-open", format!("everything is admitted by {}", ending.join(", ")));
        }
        let has = |rule: &&&str| self.rules.iter().any(|(name, _)| name == **rule);
        let missing: Vec<_> = RULES[..OLD_RULES].iter().filter(|rule| !has(rule)).copied().collect();
        if !missing.is_empty() && !self.is_fragment() {
            let no_rule = if module.not_understood.is_empty() { "no rule" } else { "no rule that was understood" };
            self.warn("delegation-missing", format!("{no_rule} for {}", missing.join(", ")));
        }
        self.check_versions(module);
        for statement in &module.not_understood {
            // As tools print the policies of several container groups into one file.
            if statement.text.starts_with("package ") {
                self.warn(
                    "package",
                    format!("line {} names a package again: the platform reads no two policies in one", statement.line),
                );
            }
            let why = statement.why.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
            self.warn("not-understood", format!("line {}: {}{why}", statement.line, statement.text));
        }
        self.more("not-understood", module.more_not_understood);
    }

    /// Everything that was understood.
    pub(super) fn check_contents(&mut self) {
        self.check_switches();
        self.check_unknown_switches();
        self.check_fragments();
        let containers = std::mem::take(&mut self.containers);
        for (at, container) in containers.iter().enumerate() {
            self.check_container(&container.title(at), container);
        }
        self.containers = containers;
        let may_have_some = self.admits_any_container() || !self.fragments.is_empty() || !self.is_understood();
        if self.containers.is_empty() && !may_have_some {
            self.warn("no-containers", "no container may run under this policy");
        }
    }

    fn check_switches(&mut self) {
        for (switch, name, what) in [
            ("allow_dump_stacks", "dump-stacks", "the host may have stacks dumped, which hold data of the containers"),
            (
                "allow_runtime_logging",
                "runtime-logging",
                "the host may read the runtime's log, which shows what happens inside",
            ),
            (
                "allow_unencrypted_scratch",
                "unencrypted-scratch",
                "containers may write to disks that are not encrypted",
            ),
            (
                "allow_environment_variable_dropping",
                "variable-dropping",
                "variables that no rule admits are dropped instead of refused",
            ),
            ("allow_host_network", "host-network", "containers may use the host's network"),
        ] {
            if self.switches.iter().any(|(given, value)| given == switch && *value) {
                self.warn(name, what);
            }
        }
    }

    /// A switch of a newer platform, of which nobody here knows what it lets in.
    fn check_unknown_switches(&mut self) {
        let on = |(name, value): &&(String, bool)| *value && !SWITCHES.contains(&name.as_str());
        let unknown: Vec<String> = self.switches.iter().filter(on).map(|(name, _)| name.clone()).collect();
        for name in unknown {
            self.warn("switch", format!("{name} is on, and not known"));
        }
    }

    fn check_fragments(&mut self) {
        for fragment in self.fragments.clone() {
            let feed = shorten(fragment.feed.as_deref().unwrap_or("a fragment without a feed"));
            let adds = if fragment.includes.is_empty() { "nothing".to_owned() } else { fragment.includes.join(", ") };
            self.warn("fragment", format!("the issuer of {feed} may add {adds}"));
            if let Some(why) = fragment.unpinned() {
                self.warn("fragment-unpinned", format!("the issuer of {feed} {why}"));
            }
            let low = match fragment.minimum_svn.as_deref().map(|svn| (svn, svn.parse::<u64>())) {
                None => format!("{feed} has no least svn"),
                Some((_, Ok(2..))) => continue,
                Some((_, Ok(low))) => format!("{feed}: any version from svn {low} on, old ones included"),
                Some((other, Err(_))) => format!("{feed}: its minimum svn {other:?} is not a number"),
            };
            self.warn("fragment-svn", low);
        }
        for command in self.external_processes.clone() {
            self.warn("external-process", format!("may run alongside the containers: {}", command_line(&command)));
        }
    }

    fn check_container(&mut self, who: &str, container: &Container) {
        self.check_looked_at(who, &container.restricts);
        if container.switches.iter().any(|(name, value)| name == "allow_elevated" && *value) {
            self.warn("elevated", format!("{who} may run with all privileges"));
        }
        self.check_environment(who, &container.environment);
        for command in &container.exec_processes {
            let program = command.first().map(|c| c.rsplit('/').next().unwrap_or(c));
            if program.is_some_and(|program| SHELLS.contains(&program)) {
                self.warn("shell", format!("{who}: the host may start a shell: {}", command_line(command)));
            } else {
                self.warn("exec", format!("{who}: the host may start {}", command_line(command)));
            }
        }
        if container.layers.is_empty() {
            self.warn("no-layers", format!("{who} has no layers, so its files are not fixed"));
        }
        let unusual = container.unusual_capabilities();
        if !unusual.is_empty() {
            self.warn("capabilities", format!("{who} may also have {}", unusual.join(", ")));
        }
    }

    /// The environment rules of what is no container, and has some too.
    pub(super) fn take_environment(&mut self, who: &str, term: &Term) {
        let rules = term.get("env_rules").map(Term::list).unwrap_or_default();
        if let Some(odd) = rules.iter().find(|rule| !EnvironmentRule::is_rule(rule)) {
            let what = format!("{who}: {} is not a rule about the environment", shorten(&plain(odd)));
            self.warn("not-understood", what);
        }
        let rules: Vec<EnvironmentRule> = rules.iter().map(EnvironmentRule::read).collect();
        self.check_environment(who, &rules);
    }

    fn check_environment(&mut self, who: &str, rules: &[EnvironmentRule]) {
        let mut open = Vec::new();
        for rule in rules {
            if rule.admits_any() {
                self.warn("environment-any", format!("{who}: any environment variable is admitted: {}", rule.pattern));
            } else if rule.is_open() {
                open.push(rule.pattern.as_str());
            } else if rule.strategy != "re2" && rule.strategy != "string" {
                self.warn("environment-strategy", format!("{who}: unknown strategy {:?}", rule.strategy));
            }
        }
        if !open.is_empty() {
            self.warn("environment-open", format!("{who}: the host chooses {}", open.join(", ")));
        }
    }
}
