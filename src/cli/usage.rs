//! What clap says of a command line that cannot be parsed, in the words and the shape of every other error.

use std::collections::BTreeSet;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory};

use super::error::CliError;

/// What people call commands by other names than ours, and where to find them.
const SYNONYMS: [(&str, &str); 18] = [
    ("accept", "ballot submit ID --accept"),
    ("ack", "member activate"),
    ("approve", "ballot submit ID --accept"),
    ("check", "proposal lint"),
    ("keygen", "keys generate"),
    ("propose", "proposal submit"),
    ("reject", "ballot submit ID --reject"),
    ("remove", "proposal new remove_node"),
    ("retire", "proposal new remove_node"),
    ("send", "submit"),
    ("start", "sandbox serve"),
    ("state", "service info"),
    ("status", "service info"),
    ("status", "proposal show ID"),
    ("trust", "proposal new transition_node_to_trusted"),
    ("validate", "proposal lint"),
    ("version", "--version"),
    ("vote", "ballot submit ID --accept"),
];

/// A command line that is wrong: what is wrong, what to do, and how the command is used.
pub struct Usage {
    pub error: CliError,
    /// `Usage: …`, for people.
    pub usage: Option<String>,
}

/// Takes apart what clap says.
pub fn explain(error: &clap::Error) -> Usage {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let error = CliError::usage("there is no command").hint("see the commands with --help");
        return Usage { error, usage: None };
    }
    let text = error.render().to_string();
    let (mut message, mut tips, mut usage) = (Vec::new(), Vec::new(), None);
    for paragraph in text.trim().split("\n\n") {
        if paragraph.starts_with("Usage: ") {
            usage = Some(paragraph.to_owned());
        } else if paragraph.trim_start().starts_with("tip: ") {
            tips.extend(paragraph.lines().map(|line| line.trim().trim_start_matches("tip: ").to_owned()));
        } else if !paragraph.starts_with("For more information") {
            message.push(paragraph.trim_start_matches("error: "));
        }
    }
    let meant = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(name))) => meant(name),
        _ => BTreeSet::new(),
    };
    if !meant.is_empty() {
        let commands: Vec<_> = meant.iter().map(|command| format!("`ccf-gov {command}`")).collect();
        tips = vec![format!("did you mean {}?", commands.join(" or "))];
    }
    let error = CliError::usage(message.join("\n\n"));
    let error = if tips.is_empty() { error } else { error.hint(tips.join("; ")) };
    Usage { error, usage }
}

/// The commands that may be meant by a name that is none at its place: those of that name at another, and by synonyms.
fn meant(name: &str) -> BTreeSet<String> {
    let mut command = super::Cli::command();
    command.build();
    let mut found: BTreeSet<String> =
        SYNONYMS.iter().filter(|(synonym, _)| *synonym == name).map(|(_, command)| (*command).to_owned()).collect();
    find(&command, name, "", &mut found);
    found
}

fn find(command: &Command, name: &str, path: &str, found: &mut BTreeSet<String>) {
    for command in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let path = format!("{path} {}", command.get_name());
        if command.get_name() == name {
            found.insert(path.trim_start().to_owned());
        }
        find(command, name, &path, found);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn explained(words: &[&str]) -> Usage {
        let words = ["ccf-gov"].iter().chain(words);
        explain(&super::super::Cli::try_parse_from(words).err().unwrap())
    }

    #[test]
    fn near_misses_get_a_tip() {
        for (words, tip) in [
            (&["vote"][..], "`ccf-gov ballot submit ID --accept`"),
            (&["status"], "`ccf-gov service info`"),
            (&["proposal", "vote"], "`ccf-gov ballot submit ID --accept`"),
            (&["show"], "`ccf-gov proposal show`"),
            (&["activate"], "`ccf-gov member activate`"),
            (&["node", "withdraw"], "`ccf-gov proposal withdraw`"),
            (&["proposl"], "'proposal'"),
        ] {
            let Usage { error, .. } = explained(words);
            let hint = error.hint.unwrap_or_default();
            assert!(hint.contains(tip), "{words:?}: {hint}");
            assert!(error.message.starts_with("unrecognized subcommand"), "{}", error.message);
        }
    }

    #[test]
    fn a_message_is_the_fault_alone() {
        let Usage { error, usage } = explained(&["inspect"]);
        assert_eq!(error.message, "the following required arguments were not provided:\n  <ENVELOPE>");
        assert!(usage.unwrap().starts_with("Usage: ccf-gov inspect"));
        let Usage { error, .. } = explained(&["inspect", "x", "--certt", "y"]);
        assert_eq!(error.hint.as_deref(), Some("a similar argument exists: '--cert'"));
    }

    #[test]
    fn every_synonym_leads_to_a_command() {
        let mut command = super::super::Cli::command();
        command.build();
        for (_, target) in SYNONYMS.iter().filter(|(_, target)| !target.starts_with("--")) {
            let words = target.split(' ').take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
            let mut at = &command;
            for word in words {
                at = at.find_subcommand(word).unwrap_or_else(|| panic!("{target}"));
            }
        }
    }
}
