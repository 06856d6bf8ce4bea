//! Commands that a person is to paste into a shell.

use clap::CommandFactory;

/// A word as a POSIX shell reads it.
pub fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:=@%+,-".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// The common options of this command line that say where the service is and who signs, each with a blank before it. No secret can
/// be among them.
pub fn common_options() -> String {
    options(std::env::args().skip(1))
}

fn options(arguments: impl Iterator<Item = String>) -> String {
    let command = super::Cli::command();
    let takes_value = |name: &str| {
        let named = command
            .get_arguments()
            .find(|option| option.get_long_and_visible_aliases().is_some_and(|all| all.contains(&name)));
        named.is_some_and(|option| option.get_action().takes_values() && option.get_id() != "output")
    };
    let mut options = String::new();
    let mut arguments = arguments.take_while(|argument| argument != "--");
    while let Some(argument) = arguments.next() {
        let Some(option) = argument.strip_prefix("--") else { continue };
        let (name, value) = match option.split_once('=') {
            Some((name, value)) if takes_value(name) => (name, Some(value.to_owned())),
            None if takes_value(option) => (option, arguments.next()),
            _ => continue,
        };
        options += &value.map(|value| format!(" --{name} {}", word(&value))).unwrap_or_default();
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_for_a_shell() {
        assert_eq!(word("https://127.0.0.1:8000"), "https://127.0.0.1:8000");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's; rm -rf $HOME"), r"'it'\''s; rm -rf $HOME'");
        assert_eq!(word(""), "''");
    }

    #[test]
    fn what_reaches_the_service_is_repeated_and_nothing_else() {
        let line = "proposal review 71af --service https://a:1 -o x.html --service=https://b:2 --output json --since s.json --yes --cert my.pem -- --key k";
        let arguments = line.split(' ').map(str::to_owned);
        assert_eq!(options(arguments), " --service https://a:1 --service https://b:2 --cert my.pem");
    }
}
