//! What a security policy admits, and what about it a person should look at.

use serde::Serialize;

use super::contents::{Container, Fragment, command_line, oddities, plain, texts};
use super::rego::{self, Definition, Module, Statement, Term};

/// The rules that the platform asks; each delegates to the framework, or decides by itself.
const RULES: [&str; 20] = [
    "mount_device",
    "unmount_device",
    "mount_overlay",
    "unmount_overlay",
    "create_container",
    "exec_in_container",
    "exec_external",
    "shutdown_container",
    "signal_container_process",
    "plan9_mount",
    "plan9_unmount",
    "get_properties",
    "dump_stacks",
    "runtime_logging",
    "load_fragment",
    "scratch_mount",
    "scratch_unmount",
    "rw_mount_device",
    "rw_unmount_device",
    "mount_cims",
];

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

const SHELLS: [&str; 8] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "busybox", "pwsh"];

/// What a policy admits.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Review {
    /// The package: `policy`, unless this is a fragment or something else.
    pub package: Option<String>,
    /// The version of the platform's interface.
    pub api_version: Option<String>,
    /// The version of the framework that the rules delegate to.
    pub framework_version: Option<String>,
    /// Whether some rule admits everything.
    pub allow_all: bool,
    /// Other people's policies that may widen this one.
    pub fragments: Vec<Fragment>,
    /// The containers that may run.
    pub containers: Vec<Container>,
    /// Processes that may run beside the containers.
    pub external_processes: Vec<Vec<String>>,
    /// `allow_…`, in the policy's order.
    pub switches: Vec<(String, bool)>,
    /// Each rule: to what it delegates, or what it says.
    pub rules: Vec<(String, String)>,
    /// What this review did not understand.
    pub not_understood: Vec<Remark>,
    /// What a person should look at.
    pub warnings: Vec<Warning>,
}

/// A statement that was not understood.
#[derive(Clone, Debug, Serialize)]
pub struct Remark {
    /// The line, from 1.
    pub line: usize,
    /// Its beginning.
    pub text: String,
}

/// Something that a person should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The warning's name, the same in every version.
    pub name: &'static str,
    /// What it is about.
    pub detail: String,
}

impl Warning {
    /// Whether the policy proves nothing, or can't be registered, whatever the person means by it.
    pub fn is_grave(&self) -> bool {
        matches!(self.name, "allow-all" | "not-utf8")
    }
}

impl Review {
    /// Reads a policy's bytes.
    pub fn of(policy: &[u8]) -> Self {
        let text = String::from_utf8_lossy(policy);
        let module = rego::parse(&text);
        let mut review = Self { package: module.package.clone(), ..Self::default() };
        review.check_bytes(policy);
        for definition in &module.definitions {
            review.take(definition);
        }
        review.not_understood = module
            .not_understood
            .iter()
            .map(|Statement { line, text }| Remark { line: *line, text: text.clone() })
            .collect();
        review.check_module(&module);
        review.check_switches();
        review.check_unknown_switches();
        review.check_fragments();
        for (at, container) in review.containers.clone().iter().enumerate() {
            review.check_container(&container.title(at), container);
        }
        if review.containers.is_empty() && !review.allow_all {
            review.warn("no-containers", "no container may run under this policy");
        }
        review
    }

    fn warn(&mut self, name: &'static str, detail: impl Into<String>) {
        self.warnings.push(Warning { name, detail: detail.into() });
    }

    fn check_bytes(&mut self, policy: &[u8]) {
        if str::from_utf8(policy).is_err() {
            self.warn("not-utf8", "the policy is not UTF-8: a proposal cannot carry it");
        }
        if policy.windows(2).any(|pair| pair == b"\r\n") {
            self.warn("crlf", "lines end with CR LF; a policy with LF alone has other host data");
        }
        if policy.starts_with(b"\xef\xbb\xbf") {
            self.warn("byte-order-mark", "the policy begins with a byte order mark, which counts for the host data");
        }
    }

    fn take(&mut self, definition: &Definition) {
        let Definition { name, term, line } = definition;
        match name.as_str() {
            "api_version" | "api_svn" => self.api_version = Some(plain(term)),
            "framework_version" | "framework_svn" => self.framework_version = Some(plain(term)),
            "fragments" => {
                let entries = self.entries(definition);
                self.fragments.extend(entries.iter().map(|term| Fragment::read(term)));
            }
            "containers" => {
                for term in self.entries(definition) {
                    let container = Container::read(term);
                    for (warning, detail) in oddities(term) {
                        let who = container.title(self.containers.len());
                        self.warn(warning, format!("{who}: {detail}"));
                    }
                    self.containers.push(container);
                }
            }
            "external_processes" => {
                let entries = self.entries(definition);
                self.external_processes.extend(entries.iter().map(|p| texts(p.get("command"))));
            }
            "platform_rules" => self.warn(
                "platform-rules",
                format!("rules that widen the environment and the mounts of every container (line {line})"),
            ),
            "reason" => {}
            "svn" | "parameters" if self.is_fragment() => {}
            switch if switch.starts_with("allow_") => match term.boolean() {
                Some(value) => self.switches.push((name.clone(), value)),
                None => self.warn("switch", format!("{name} is no boolean (line {line})")),
            },
            // An object that allows decides by itself, be the rule known or one of a newer platform.
            rule if RULES.contains(&rule) || allows(term) => self.take_rule(rule, definition),
            // A rule of a platform that is newer than this list.
            rule if matches!(term, Term::Reference(target) if *target == format!("data.framework.{rule}")) => {
                self.rules.push((name.clone(), plain(term)));
            }
            _ => self.warn("unknown-definition", format!("{name} is not known (line {line})")),
        }
    }

    fn take_rule(&mut self, rule: &str, Definition { term, line, .. }: &Definition) {
        self.rules.push((rule.to_owned(), plain(term)));
        match term {
            Term::Reference(target) if *target == format!("data.framework.{rule}") => {}
            _ if allows(term) => self.allow_all = true,
            Term::Object(_) if term.get("allowed").and_then(Term::boolean) == Some(false) => {}
            _ => self.warn("rule", format!("{rule} does not delegate to data.framework.{rule} (line {line})")),
        }
    }

    /// The objects of a list; whatever else stands there is told.
    fn entries<'t>(&mut self, Definition { name, term, line }: &'t Definition) -> Vec<&'t Term> {
        let (objects, others): (Vec<_>, Vec<_>) = term.list().iter().partition(|term| matches!(term, Term::Object(_)));
        if !matches!(term, Term::List(_)) || !others.is_empty() {
            self.warn("not-understood", format!("{name} is no list of objects (line {line})"));
        }
        objects
    }

    /// Whether this is something that a policy loads, instead of a policy.
    pub fn is_fragment(&self) -> bool {
        self.package.as_deref().is_some_and(|package| package != "policy")
    }

    fn check_module(&mut self, module: &Module) {
        match self.package.as_deref() {
            Some("policy") => {}
            Some(other) => self.warn(
                "package",
                format!("this is a fragment (package {other}), which a policy may load: it is nobody's host data"),
            ),
            None => self.warn(
                "package",
                "the policy does not begin with `package policy`: the platform will not find its rules",
            ),
        }
        for (at, definition) in module.definitions.iter().enumerate() {
            if module.definitions[..at].iter().any(|d| d.name == definition.name) {
                self.warn("defined-twice", format!("{} is defined twice (line {})", definition.name, definition.line));
            }
        }
        let open: Vec<&str> = module.definitions.iter().filter(|d| allows(&d.term)).map(|d| d.name.as_str()).collect();
        if self.allow_all {
            self.warn("allow-all", format!("everything is admitted by {}", open.join(", ")));
        }
        let has = |rule: &&&str| self.rules.iter().any(|(name, _)| name == **rule);
        let missing: Vec<_> = RULES[..OLD_RULES].iter().filter(|rule| !has(rule)).copied().collect();
        if !missing.is_empty() && !self.is_fragment() {
            self.warn("delegation-missing", format!("no rule for {}", missing.join(", ")));
        }
        for statement in &module.not_understood {
            self.warn("not-understood", format!("line {}: {}", statement.line, statement.text));
        }
    }

    fn check_switches(&mut self) {
        for (switch, name, what) in [
            ("allow_dump_stacks", "dump-stacks", "the host may have stacks dumped, which hold data of the containers"),
            (
                "allow_runtime_logging",
                "runtime-logging",
                "the host may have the runtime's log, which tells what happens inside",
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
            let feed = fragment.feed.as_deref().unwrap_or("a fragment without a feed");
            self.warn("fragment", format!("whoever issues {feed} may add {}", fragment.includes.join(", ")));
            let pinned = |issuer: &str| issuer.starts_with("did:x509:0:sha") && issuer.contains("::");
            if !fragment.issuer.as_deref().is_some_and(pinned) {
                self.warn("fragment-unpinned", format!("the issuer of {feed} is not pinned by a did:x509"));
            }
            let low = match fragment.minimum_svn.as_deref().map(|svn| (svn, svn.parse::<u64>())) {
                None => format!("{feed} has no least svn"),
                Some((_, Ok(2..))) => continue,
                Some((_, Ok(low))) => format!("{feed}: any version from svn {low} on, old ones included"),
                Some((other, Err(_))) => format!("{feed}: its least svn {other:?} is no number"),
            };
            self.warn("fragment-svn", low);
        }
        for command in self.external_processes.clone() {
            self.warn("external-process", format!("beside the containers may run: {}", command_line(&command)));
        }
    }

    fn check_container(&mut self, who: &str, container: &Container) {
        if container.switches.iter().any(|(name, value)| name == "allow_elevated" && *value) {
            self.warn("elevated", format!("{who} may run with all privileges"));
        }
        let mut open = Vec::new();
        for rule in &container.environment {
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
}

/// Whether a term is an object that allows whatever is asked.
fn allows(term: &Term) -> bool {
    term.get("allowed").and_then(Term::boolean) == Some(true)
}

#[cfg(test)]
mod tests;
