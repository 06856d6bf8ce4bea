//! What a policy lists: containers with their rules.

use serde::Serialize;

use super::environment::EnvironmentRule;
use super::rego::Term;
use super::version::Version;

/// The layer of the pause container that every Azure container group runs.
pub const PAUSE_LAYER: &str = "16b514057a06ad665f92c02863aca074fd5976c755d26bff16365299169e8415";

/// The capabilities that every container has unless it asks for others.
pub const USUAL_CAPABILITIES: [&str; 14] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_MKNOD",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// The members of a container that are read here or say nothing that widens it.
const MEMBERS: [&str; 16] = [
    "allow_elevated",
    "allow_stdio_access",
    "capabilities",
    "command",
    "env_rules",
    "exec_processes",
    "id",
    "layers",
    "mounts",
    "name",
    "no_new_privileges",
    "seccomp_profile_sha256",
    "signals",
    "user",
    "working_dir",
    "mounted_cim",
];

/// What every container may have beside its own rules.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct PlatformRules {
    /// Environment rules.
    pub environment: Vec<EnvironmentRule>,
    /// Mounts.
    pub mounts: Vec<Mount>,
}

/// A container that may run.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Container {
    /// Its name, where the policy gives one.
    pub name: Option<String>,
    /// The image, where the policy gives it.
    pub id: Option<String>,
    /// The command; empty where the policy gives none.
    pub command: Vec<String>,
    /// The layers' dm-verity roots.
    pub layers: Vec<String>,
    /// Environment rules.
    pub environment: Vec<EnvironmentRule>,
    /// Mounts: source, destination, options.
    pub mounts: Vec<Mount>,
    /// Further commands that may be run in it.
    pub exec_processes: Vec<Vec<String>>,
    /// The signals that the host may send.
    pub signals: Vec<String>,
    /// The folder in which it starts.
    pub working_dir: Option<String>,
    /// As whom it runs: a pattern and its strategy, or anybody.
    pub user: Option<String>,
    /// The digest of its system call filter, where it has one.
    pub seccomp_profile_sha256: Option<String>,
    /// `allow_…` and `no_new_privileges`.
    pub switches: Vec<(String, bool)>,
    /// The capabilities that it may have.
    pub capabilities: Vec<String>,
    /// Whether it is Azure's pause container.
    pub pause: bool,
    /// The members that keep something out, of those at which older frameworks do not look.
    #[serde(skip)]
    pub restricts: Vec<&'static str>,
}

/// A mount that a container may have.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Mount {
    /// Where it comes from, a regular expression.
    pub source: String,
    /// Where it is in the container.
    pub destination: String,
    /// Its options.
    pub options: Vec<String>,
}

impl PlatformRules {
    pub(super) fn read(term: &Term) -> Self {
        let each = |name| term.get(name).map(Term::list).unwrap_or_default().iter();
        Self {
            environment: each("env_rules").map(EnvironmentRule::read).collect(),
            mounts: each("mounts").map(Mount::read).collect(),
        }
    }
}

impl Container {
    pub(super) fn read(term: &Term) -> Self {
        let each = |name| term.get(name).map(Term::list).unwrap_or_default().iter();
        let layers = texts(term.get("layers"));
        let switches = members(term)
            .filter(|(name, _)| name.starts_with("allow_") || *name == "no_new_privileges")
            .filter_map(|(name, value)| Some((name.to_owned(), value.boolean()?)))
            .collect();
        let mut capabilities: Vec<String> =
            term.get("capabilities").into_iter().flat_map(members).flat_map(|(_, set)| texts(Some(set))).collect();
        capabilities.sort();
        capabilities.dedup();
        Self {
            name: text(term, "name"),
            id: text(term, "id"),
            command: texts(term.get("command")),
            pause: is_pause(term, &layers),
            restricts: restricts(term),
            layers,
            environment: each("env_rules").map(EnvironmentRule::read).collect(),
            mounts: each("mounts").map(Mount::read).collect(),
            exec_processes: each("exec_processes").map(|process| texts(process.get("command"))).collect(),
            signals: texts(term.get("signals")),
            working_dir: text(term, "working_dir"),
            user: term.get("user").map(user),
            seccomp_profile_sha256: text(term, "seccomp_profile_sha256").filter(|digest| !digest.is_empty()),
            switches,
            capabilities,
        }
    }

    /// As whom it runs, under a framework of this version: before 0.2.1 it does not look at the user.
    pub fn user_under(&self, framework: Option<&str>) -> String {
        match (&self.user, framework.and_then(|version| version.parse::<Version>().ok())) {
            (_, Some(old)) if old < Version(0, 2, 1) => {
                "any: this version of the framework does not look at it".to_owned()
            }
            (Some(user), _) => user.clone(),
            (None, _) => "none is given".to_owned(),
        }
    }

    /// How a person would call it: by its name, else by its place.
    pub fn title(&self, at: usize) -> String {
        self.name.as_deref().map_or_else(|| format!("container {}", at + 1), shorten)
    }

    /// The capabilities beside the usual ones.
    pub fn unusual_capabilities(&self) -> Vec<&str> {
        self.capabilities.iter().map(String::as_str).filter(|c| !USUAL_CAPABILITIES.contains(c)).collect()
    }
}

/// A command on one line, its arguments apart: whatever is not plain stands in quotes.
pub fn command_line(command: &[String]) -> String {
    let plain = |argument: &str| {
        !argument.is_empty() && argument.chars().all(|c| c.is_ascii_graphic() && !"'\"`\\".contains(c))
    };
    let shown = |argument: &String| if plain(argument) { argument.clone() } else { format!("{argument:?}") };
    command.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// A name, cut off where no real one goes on: it is said again in every warning about what it names.
pub(super) fn shorten(name: &str) -> String {
    const MAX_NAME: usize = 100;
    match name.char_indices().nth(MAX_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// What of a container's text is not read: as warnings' names and details.
pub(super) fn oddities(term: &Term) -> impl Iterator<Item = (&'static str, String)> {
    members(term).filter_map(|(name, value)| {
        let is_list = matches!(value, Term::List(_));
        let nothing = matches!(value, Term::Null);
        let wants_list =
            ["command", "env_rules", "exec_processes", "layers", "mounts", "signals"].contains(&name) && !nothing;
        let wants_objects = ["env_rules", "exec_processes", "mounts"].contains(&name);
        let is_objects = value.list().iter().all(|entry| matches!(entry, Term::Object(_)));
        let wants_switch = name.starts_with("allow_") || name == "no_new_privileges";
        let wants_sets = name == "capabilities" && !nothing;
        let is_sets = matches!(value, Term::Object(sets) if sets.iter().all(|(_, set)| matches!(set, Term::List(_) | Term::Null)));
        if !MEMBERS.contains(&name) {
            Some(("unknown-definition", format!("{} is not known", shorten(name))))
        } else if wants_objects && !is_objects {
            Some(("not-understood", format!("{name} is not a list of objects")))
        } else if (wants_list && !is_list) || (wants_switch && value.boolean().is_none()) || (wants_sets && !is_sets) {
            Some(("not-understood", format!("{name} is {}", shorten(&plain(value)))))
        } else if name == "env_rules" {
            let odd = value.list().iter().find(|rule| !EnvironmentRule::is_rule(rule))?;
            Some(("not-understood", format!("{} is not a rule about the environment", shorten(&plain(odd)))))
        } else {
            None
        }
    })
}

impl Mount {
    fn read(term: &Term) -> Self {
        let part = |name| text(term, name).unwrap_or_default();
        Self { source: part("source"), destination: part("destination"), options: texts(term.get("options")) }
    }
}

/// Whether a container is the platform's pause container: with its layer, and its command alone. Any other command could be a
/// program that the host brings along in a mount.
fn is_pause(term: &Term, layers: &[String]) -> bool {
    let none =
        |name| term.get(name).is_none_or(|value| matches!(value, Term::Null) || value == &Term::List(Vec::new()));
    layers == [PAUSE_LAYER] && texts(term.get("command")) == ["/pause"] && none("mounts") && none("exec_processes")
}

/// See [`Container::restricts`].
fn restricts(term: &Term) -> Vec<&'static str> {
    let given = |name| term.get(name).filter(|value| **value != Term::Null);
    let anybody = |user: &Term| user.get("user_idname").and_then(|name| name.get("strategy")?.text()) == Some("any");
    let restricting = [
        ("no_new_privileges", given("no_new_privileges").and_then(Term::boolean) == Some(true)),
        ("user", given("user").is_some_and(|user| !anybody(user))),
        ("capabilities", given("capabilities").is_some()),
        ("seccomp_profile_sha256", given("seccomp_profile_sha256").and_then(Term::text).is_some_and(|t| !t.is_empty())),
    ];
    restricting.into_iter().filter(|(_, restricts)| *restricts).map(|(name, _)| name).collect()
}

/// As whom a container runs, on one line.
fn user(term: &Term) -> String {
    let one = |name: &Term| {
        let part = |of| text(name, of).unwrap_or_default();
        if part("strategy") == "any" { "any".to_owned() } else { format!("{} ({})", part("pattern"), part("strategy")) }
    };
    let mut shown = term.get("user_idname").map_or_else(|| "none".to_owned(), one);
    let groups: Vec<String> = term.get("group_idnames").map(Term::list).unwrap_or_default().iter().map(one).collect();
    if !groups.is_empty() {
        shown += &format!(", groups {}", groups.join(" "));
    }
    text(term, "umask").map_or(shown.clone(), |umask| format!("{shown}, umask {umask}"))
}

pub(super) fn members(term: &Term) -> impl Iterator<Item = (&str, &Term)> {
    term.members().iter().map(|(name, value)| (name.as_str(), value))
}

/// A term on one line; text as it is.
pub(super) fn plain(term: &Term) -> String {
    term.text().map_or_else(|| term.to_string(), str::to_owned)
}

pub(super) fn text(term: &Term, name: &str) -> Option<String> {
    term.get(name).map(plain)
}

pub(super) fn texts(term: Option<&Term>) -> Vec<String> {
    term.map(|t| t.list().iter().map(plain).collect()).unwrap_or_default()
}
