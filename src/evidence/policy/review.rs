//! What a security policy admits, and what about it a person should look at.

mod inspection;
mod older;
mod warning;

use std::collections::BTreeMap;

use serde::Serialize;

use super::contents::{Container, PlatformRules, command_line, oddities, plain, shorten, texts};
use super::fragment::{Fragment, unknown_of_fragment};
use super::rego::{self, Definition, Statement, Term};
pub use warning::Warning;

/// The largest policy that is read: 4 MiB. Those of container groups have some hundred KiB at most.
pub const MAX_POLICY: usize = 4 << 20;

/// How many containers, fragments and processes of a policy are read.
const MAX_ENTRIES: usize = 1000;

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

/// The rules with which nothing begins: to admit them always lets nothing in that the others keep out.
const ENDING_RULES: [&str; 10] = [
    "unmount_device",
    "unmount_overlay",
    "shutdown_container",
    "signal_container_process",
    "plan9_unmount",
    "get_properties",
    "dump_stacks",
    "runtime_logging",
    "scratch_unmount",
    "rw_unmount_device",
];

/// The rules that decide what containers are made of.
const CONTAINER_RULES: [&str; 5] = ["create_container", "mount_device", "mount_overlay", "mount_cims", "load_fragment"];

/// What a policy admits.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Review {
    /// The package: `policy`, unless this is a fragment or something else.
    pub package: Option<String>,
    /// The version of the platform's interface.
    pub api_version: Option<String>,
    /// The version of the framework that the rules delegate to.
    pub framework_version: Option<String>,
    /// Whether some rule by which something begins admits everything.
    pub allow_all: bool,
    /// The rules that admit everything.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub open_rules: Vec<String>,
    /// Other people's policies that may widen this one.
    pub fragments: Vec<Fragment>,
    /// The containers that may run.
    pub containers: Vec<Container>,
    /// What every container may have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platform_rules: Vec<PlatformRules>,
    /// Processes that may run beside the containers.
    pub external_processes: Vec<Vec<String>>,
    /// `allow_…`, in the policy's order.
    pub switches: Vec<(String, bool)>,
    /// Each rule: to what it delegates, or what it says.
    pub rules: Vec<(String, String)>,
    /// What this review did not understand: the first statements of it.
    pub not_understood: Vec<Remark>,
    /// How many more statements were not understood.
    #[serde(skip_serializing_if = "is_zero")]
    pub more_not_understood: usize,
    /// What a person should look at; of each name some, and then how many more there are.
    pub warnings: Vec<Warning>,
    #[serde(skip)]
    told: BTreeMap<&'static str, usize>,
}

/// A statement that was not understood.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Remark {
    /// The line, from 1.
    pub line: usize,
    /// Its beginning.
    pub text: String,
    /// Why not, where its beginning does not show it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl Review {
    /// Reads a policy's bytes.
    pub fn of(policy: &[u8]) -> Self {
        let mut review = Self::default();
        review.check_bytes(policy);
        if policy.len() > MAX_POLICY {
            review.warn("too-large", format!("the policy has more than {MAX_POLICY} bytes, and was not read"));
            return review;
        }
        let module = rego::parse(&String::from_utf8_lossy(policy));
        review.package.clone_from(&module.package);
        for definition in &module.definitions {
            review.take(definition);
        }
        review.check_module(&module);
        review.check_contents();
        let remark = |Statement { line, text, why }| Remark { line, text, why };
        review.not_understood = module.not_understood.into_iter().map(remark).collect();
        review.more_not_understood = module.more_not_understood;
        review.tell_of_more();
        review
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
            "api_version" | "api_svn" => {
                self.check_plain(definition);
                self.api_version = Some(plain(term));
            }
            "framework_version" | "framework_svn" => {
                self.check_plain(definition);
                self.framework_version = Some(plain(term));
            }
            "fragments" => {
                for term in self.entries(definition) {
                    for member in unknown_of_fragment(term) {
                        self.warn("unknown-definition", format!("{member} of a fragment is not known (line {line})"));
                    }
                    self.fragments.push(Fragment::read(term));
                }
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
                for process in entries {
                    let command = texts(process.get("command"));
                    self.take_environment(&format!("the process {}", shorten(&command_line(&command))), process);
                    self.external_processes.push(command);
                }
            }
            "platform_rules" => {
                let entries = self.entries(definition);
                for term in entries {
                    self.take_environment("every container", term);
                    self.platform_rules.push(PlatformRules::read(term));
                }
                self.warn(
                    "platform-rules",
                    format!("rules that widen the environment and the mounts of every container (line {line})"),
                );
            }
            "reason" => {}
            "svn" | "parameters" if self.is_fragment() => {}
            switch if switch.starts_with("allow_") => match term.boolean() {
                Some(value) => self.switches.push((name.clone(), value)),
                None => self.warn("switch", format!("{name} is not a boolean (line {line})")),
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
            _ if allows(term) => {
                self.allow_all |= !ENDING_RULES.contains(&rule);
                self.open_rules.push(rule.to_owned());
            }
            _ if denies(term) => {}
            _ => self.warn("rule", format!("{rule} does not delegate to data.framework.{rule} (line {line})")),
        }
    }

    /// The objects of a list; whatever else stands there is told.
    fn entries<'t>(&mut self, definition: &'t Definition) -> Vec<&'t Term> {
        let Definition { name, term, line } = definition;
        let (mut objects, others): (Vec<_>, Vec<_>) =
            term.list().iter().partition(|term| matches!(term, Term::Object(_)));
        if !matches!(term, Term::List(_)) || !others.is_empty() {
            self.warn("not-understood", format!("{name} is not a list of objects (line {line})"));
        }
        if objects.len() > MAX_ENTRIES {
            let what = format!("{name} has {} entries, and only {MAX_ENTRIES} were read (line {line})", objects.len());
            self.warn("not-understood", what);
            objects.truncate(MAX_ENTRIES);
        }
        self.check_plain(definition);
        objects
    }

    /// What a reference stands for is not looked up.
    fn check_plain(&mut self, Definition { name, term, line }: &Definition) {
        if let Some(reference) = term.reference() {
            self.warn("not-understood", format!("{name} refers to {} (line {line})", shorten(reference)));
        }
    }

    /// Whether containers of any layers may run, by the rules themselves.
    pub fn admits_any_container(&self) -> bool {
        self.open_rules.iter().any(|rule| CONTAINER_RULES.contains(&rule.as_str()) || !RULES.contains(&rule.as_str()))
    }

    /// Whether this is something that a policy loads, instead of a policy.
    pub fn is_fragment(&self) -> bool {
        self.package.as_deref().is_some_and(|package| package != "policy")
    }
}

/// Whether a term is an object that allows everything.
fn allows(term: &Term) -> bool {
    term.get("allowed").and_then(Term::boolean) == Some(true)
}

/// Whether a term is an object that plainly denies: it says so, and nothing that the platform might act on.
fn denies(term: &Term) -> bool {
    let plain = term.members().iter().all(|(_, value)| matches!(value, Term::Boolean(_) | Term::Null));
    plain && term.get("allowed").and_then(Term::boolean) == Some(false)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests;
