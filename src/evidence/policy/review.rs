//! What a security policy admits, and what about it a person should look at.

use serde::Serialize;

use super::rego::{self, Definition, Module, Statement, Term};

/// The layer of the pause container that every Azure container group runs.
pub const PAUSE_LAYER: &str = "16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415";

/// The rules that the platform asks; each delegates to the framework, or decides by itself.
const RULES: [&str; 17] = [
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
];

/// Rules without which a policy of the framework is not whole; the newer ones are asked only by newer platforms.
const LATE_RULES: [&str; 2] = ["scratch_mount", "scratch_unmount"];

const SHELLS: [&str; 8] = ["sh", "bash", "ash", "dash", "zsh", "ksh", "busybox", "pwsh"];

/// What a policy admits.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Review {
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

/// A fragment: whoever its issuer is, may add what it includes.
#[derive(Clone, Debug, Serialize)]
pub struct Fragment {
    /// A did:x509.
    pub issuer: Option<String>,
    /// Its name.
    pub feed: Option<String>,
    /// The least version.
    pub minimum_svn: Option<String>,
    /// What of it counts.
    pub includes: Vec<String>,
}

/// A container that may run.
#[derive(Clone, Debug, Serialize)]
pub struct Container {
    /// Its name, where the policy gives one.
    pub name: Option<String>,
    /// The image, where the policy gives it.
    pub id: Option<String>,
    /// The command.
    pub command: Vec<String>,
    /// The layers' dm-verity roots.
    pub layers: Vec<String>,
    /// Environment rules.
    pub environment: Vec<EnvironmentRule>,
    /// Mounts: source, destination, options.
    pub mounts: Vec<Mount>,
    /// Further commands that may be run in it.
    pub exec_processes: Vec<Vec<String>>,
    /// The folder in which it starts.
    pub working_dir: Option<String>,
    /// `allow_…` and `no_new_privileges`.
    pub switches: Vec<(String, bool)>,
    /// The capabilities that it may have.
    pub capabilities: Vec<String>,
    /// Whether it is Azure's pause container.
    pub pause: bool,
}

/// A rule about environment variables.
#[derive(Clone, Debug, Serialize)]
pub struct EnvironmentRule {
    /// `NAME=value`, or a regular expression of it.
    pub pattern: String,
    /// `string` or `re2`.
    pub strategy: String,
    /// Whether it must be set.
    pub required: bool,
}

/// A mount that a container may have.
#[derive(Clone, Debug, Serialize)]
pub struct Mount {
    /// Where it comes from, a regular expression.
    pub source: String,
    /// Where it is in the container.
    pub destination: String,
    /// Its options.
    pub options: Vec<String>,
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

impl Review {
    /// Reads a policy's bytes.
    pub fn of(policy: &[u8]) -> Self {
        let text = String::from_utf8_lossy(policy);
        let module = rego::parse(&text);
        let mut review = Self::default();
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
        review.check_containers();
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
            "fragments" => self.fragments.extend(term.list().iter().map(fragment)),
            "containers" => self.containers.extend(term.list().iter().map(container)),
            "external_processes" => {
                self.external_processes.extend(term.list().iter().map(|p| texts(p.get("command"))));
            }
            "reason" => {}
            switch if switch.starts_with("allow_") => match term.boolean() {
                Some(value) => self.switches.push((name.clone(), value)),
                None => self.warn("switch", format!("{name} is no boolean (line {line})")),
            },
            rule if RULES.contains(&rule) => {
                self.rules.push((name.clone(), plain(term)));
                match term {
                    Term::Reference(target) if *target == format!("data.framework.{rule}") => {}
                    Term::Object(_) if term.get("allowed").and_then(Term::boolean) == Some(true) => {
                        self.allow_all = true;
                        self.warn("allow-all", format!("{rule} admits everything"));
                    }
                    Term::Object(_) if term.get("allowed").and_then(Term::boolean) == Some(false) => {}
                    _ => self.warn("rule", format!("{rule} does not delegate to data.framework.{rule} (line {line})")),
                }
            }
            _ => self.warn("unknown-definition", format!("{name} is not known (line {line})")),
        }
    }

    fn check_module(&mut self, module: &Module) {
        if module.package.as_deref() != Some("policy") {
            self.warn(
                "package",
                "the policy does not begin with `package policy`: the platform will not find its rules",
            );
        }
        for (at, definition) in module.definitions.iter().enumerate() {
            if module.definitions[..at].iter().any(|d| d.name == definition.name) {
                self.warn("defined-twice", format!("{} is defined twice (line {})", definition.name, definition.line));
            }
        }
        let missing: Vec<_> = RULES
            .iter()
            .filter(|rule| !LATE_RULES.contains(rule) && self.rules.iter().all(|(name, _)| name != *rule))
            .copied()
            .collect();
        if !missing.is_empty() {
            self.warn("delegation-missing", format!("no rule for {}", missing.join(", ")));
        }
        for statement in &module.not_understood {
            self.warn("not-understood", format!("line {}: {}", statement.line, statement.text));
        }
        for (name, what) in [
            ("allow_dump_stacks", "the host may have stacks dumped, which hold data of the containers"),
            ("allow_runtime_logging", "the host may have the runtime's log, which tells what happens inside"),
            ("allow_unencrypted_scratch", "containers may write to disks that are not encrypted"),
            ("allow_environment_variable_dropping", "variables that no rule admits are dropped instead of refused"),
        ] {
            if self.switches.iter().any(|(switch, value)| switch == name && *value) {
                let name = if name.contains("dropping") { "variable-dropping" } else { known(name) };
                self.warn(name, what);
            }
        }
        for fragment in self.fragments.clone() {
            let feed = fragment.feed.as_deref().unwrap_or("a fragment without a feed");
            self.warn("fragment", format!("whoever issues {feed} may add {}", fragment.includes.join(", ")));
            if !fragment
                .issuer
                .as_deref()
                .is_some_and(|issuer| issuer.starts_with("did:x509:0:sha") && issuer.contains("::"))
            {
                self.warn("fragment-unpinned", format!("the issuer of {feed} is not pinned by a did:x509"));
            }
            match fragment.minimum_svn.as_deref().map(str::parse::<u64>) {
                Some(Ok(2..)) => {}
                Some(Ok(low)) => {
                    self.warn("fragment-svn", format!("{feed}: any version from svn {low} on, old ones included"))
                }
                _ => self.warn("fragment-svn", format!("{feed} has no least svn")),
            }
        }
        for command in self.external_processes.clone() {
            self.warn("external-process", format!("beside the containers may run: {}", command.join(" ")));
        }
    }

    fn check_containers(&mut self) {
        let containers = std::mem::take(&mut self.containers);
        for (at, container) in containers.iter().enumerate() {
            let who = container.name.clone().unwrap_or_else(|| format!("container {}", at + 1));
            for (name, value) in &container.switches {
                if name == "allow_elevated" && *value {
                    self.warn("elevated", format!("{who} may run with all privileges"));
                }
            }
            for rule in &container.environment {
                let wide = rule.strategy == "re2"
                    && (rule.pattern == ".*"
                        || rule.pattern == ".+"
                        || rule.pattern.starts_with(".+=")
                        || rule.pattern.starts_with(".*="));
                if wide {
                    self.warn(
                        "environment-any",
                        format!("{who}: any environment variable is admitted: {}", rule.pattern),
                    );
                } else if rule.strategy == "re2" && (rule.pattern.contains(".+") || rule.pattern.contains(".*")) {
                    self.warn("environment-open", format!("{who}: the host chooses {}", rule.pattern));
                } else if rule.strategy != "re2" && rule.strategy != "string" {
                    self.warn("environment-strategy", format!("{who}: unknown strategy {:?}", rule.strategy));
                }
            }
            for command in &container.exec_processes {
                let program = command.first().map(|c| c.rsplit('/').next().unwrap_or(c));
                if program.is_some_and(|program| SHELLS.contains(&program)) {
                    self.warn("shell", format!("{who}: the host may start a shell: {}", command.join(" ")));
                } else {
                    self.warn("exec", format!("{who}: the host may start {}", command.join(" ")));
                }
            }
            if container.layers.is_empty() {
                self.warn("no-layers", format!("{who} has no layers, so its files are not fixed"));
            }
            if container.capabilities.iter().any(|c| c == "CAP_SYS_ADMIN" || c == "CAP_SYS_PTRACE") {
                self.warn("capabilities", format!("{who} may have {}", container.capabilities.join(", ")));
            }
        }
        if containers.is_empty() && !self.allow_all {
            self.warn("no-containers", "no container may run under this policy");
        }
        self.containers = containers;
    }
}

fn known(switch: &str) -> &'static str {
    match switch {
        "allow_dump_stacks" => "dump-stacks",
        "allow_runtime_logging" => "runtime-logging",
        _ => "unencrypted-scratch",
    }
}

/// A term on one line.
fn plain(term: &Term) -> String {
    match term {
        Term::Reference(name) => name.clone(),
        term => term.text().map_or_else(|| term.to_json().to_string(), str::to_owned),
    }
}

fn texts(term: Option<&Term>) -> Vec<String> {
    term.map(|t| t.list().iter().map(plain).collect()).unwrap_or_default()
}

fn fragment(term: &Term) -> Fragment {
    let text = |name| term.get(name).map(plain);
    Fragment {
        issuer: text("issuer"),
        feed: text("feed"),
        minimum_svn: text("minimum_svn"),
        includes: texts(term.get("includes")),
    }
}

fn container(term: &Term) -> Container {
    let text = |name| term.get(name).map(plain);
    let each = |name| term.get(name).map(Term::list).unwrap_or_default().iter();
    let part = |term: &Term, name| term.get(name).map(plain).unwrap_or_default();
    let layers = texts(term.get("layers"));
    let switches = match term {
        Term::Object(members) => members
            .iter()
            .filter(|(name, _)| name.starts_with("allow_") || name == "no_new_privileges")
            .filter_map(|(name, value)| Some((name.clone(), value.boolean()?)))
            .collect(),
        _ => Vec::new(),
    };
    let mut capabilities: Vec<String> = match term.get("capabilities") {
        Some(Term::Object(sets)) => sets.iter().flat_map(|(_, set)| texts(Some(set))).collect(),
        _ => Vec::new(),
    };
    capabilities.sort();
    capabilities.dedup();
    Container {
        name: text("name"),
        id: text("id"),
        command: texts(term.get("command")),
        pause: layers == [PAUSE_LAYER],
        layers,
        environment: each("env_rules")
            .map(|rule| EnvironmentRule {
                pattern: part(rule, "pattern"),
                strategy: part(rule, "strategy"),
                required: rule.get("required").and_then(Term::boolean).unwrap_or(false),
            })
            .collect(),
        mounts: each("mounts")
            .map(|mount| Mount {
                source: part(mount, "source"),
                destination: part(mount, "destination"),
                options: texts(mount.get("options")),
            })
            .collect(),
        exec_processes: each("exec_processes").map(|process| texts(process.get("command"))).collect(),
        working_dir: text("working_dir"),
        switches,
        capabilities,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(review: &Review) -> Vec<&'static str> {
        review.warnings.iter().map(|w| w.name).collect()
    }

    #[test]
    fn an_open_door_is_called_one() {
        let review = Review::of(b"package policy\n\napi_svn := \"0.10.0\"\n\nmount_device := {\"allowed\": true}\n");
        assert!(review.allow_all);
        assert!(names(&review).contains(&"allow-all") && names(&review).contains(&"delegation-missing"));
    }

    #[test]
    fn every_mistake_of_a_policy_has_its_warning() {
        let rules: String = RULES.iter().map(|r| format!("{r} := data.framework.{r}\n")).collect();
        let good = format!(
            "package policy\napi_version := \"0.10.0\"\nframework_version := \"0.2.3\"\ncontainers := [{{\"command\": [\"/app\"], \"layers\": [\"00\"], \"env_rules\": [], \"allow_elevated\": false}}]\n{rules}"
        );
        assert_eq!(names(&Review::of(good.as_bytes())), Vec::<&str>::new());
        for (from, to, warning) in [
            ("package policy", "package other", "package"),
            ("\"allow_elevated\": false", "\"allow_elevated\": true", "elevated"),
            ("[\"00\"]", "[]", "no-layers"),
            (
                "\"env_rules\": []",
                "\"env_rules\": [{\"pattern\": \".+=.+\", \"strategy\": \"re2\"}]",
                "environment-any",
            ),
            (
                "\"env_rules\": []",
                "\"env_rules\": [{\"pattern\": \"A=.+\", \"strategy\": \"re2\"}]",
                "environment-open",
            ),
            ("\"env_rules\": []", "\"exec_processes\": [{\"command\": [\"/bin/sh\"]}]", "shell"),
            ("\"env_rules\": []", "\"exec_processes\": [{\"command\": [\"/x\"]}]", "exec"),
            ("containers := [", "allow_dump_stacks := true\ncontainers := [", "dump-stacks"),
            ("containers := [", "allow_runtime_logging := true\ncontainers := [", "runtime-logging"),
            ("containers := [", "allow_unencrypted_scratch := true\ncontainers := [", "unencrypted-scratch"),
            (
                "containers := [",
                "fragments := [{\"feed\": \"f\", \"issuer\": \"x\", \"minimum_svn\": \"5\"}]\ncontainers := [",
                "fragment-unpinned",
            ),
            (
                "containers := [",
                "fragments := [{\"feed\": \"f\", \"issuer\": \"did:x509:0:sha256:A::eku:1\", \"minimum_svn\": \"1\"}]\ncontainers := [",
                "fragment-svn",
            ),
            ("containers := [", "external_processes := [{\"command\": [\"ls\"]}]\ncontainers := [", "external-process"),
            ("containers := [", "extra { true }\ncontainers := [", "not-understood"),
            ("containers := [", "surprise := 1\ncontainers := [", "unknown-definition"),
            ("exec_external := data.framework.exec_external\n", "", "delegation-missing"),
            ("data.framework.exec_external", "data.framework.create_container", "rule"),
            ("\napi", "\r\napi", "crlf"),
            ("api_version", "containers := []\napi_version", "defined-twice"),
        ] {
            let changed = good.replacen(from, to, 1);
            assert_ne!(changed, good, "{from}");
            let review = Review::of(changed.as_bytes());
            assert!(names(&review).contains(&warning), "{warning}: {:?}", review.warnings);
        }
    }
}
