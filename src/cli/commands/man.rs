//! `man`: manual pages, one for each command.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::files::{self, FileError, NewFile, Readers};

/// Write manual pages into a folder, one for each command
///
/// The folder is made if it does not exist. Pages that an earlier run wrote are replaced; any other file of the same
/// name is not.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov man ~/.local/share/man/man1")]
pub struct Man {
    /// The folder
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Also replace files that ccf-gov did not write
    #[arg(long)]
    force: bool,
}

/// How a page of ours begins: a comment.
const MARK: &str = ".\\\" Written by ccf-gov man.\n";

impl Man {
    pub fn run(self, context: &Context) -> Result<Exit, CliError> {
        let failed = |source| FileError::Write { path: self.folder.clone(), source };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let pages = pages().map_err(|e| CliError::failed("cannot write the manual pages", e))?;
        let pages: Vec<_> = pages.iter().map(|(name, page)| (self.folder.join(name), page)).collect();
        if !self.force {
            pages
                .iter()
                .filter(|(path, _)| !is_ours(path))
                .try_for_each(|(path, _)| files::refuse_existing(path, false))?;
        }
        // All or none: a full disk leaves no half of a page.
        let set: Vec<_> = pages.iter().map(|(path, page)| NewFile::new(path, page, Readers::Shared)).collect();
        files::write_set(&set, true)?;
        context.output.wrote(&self.folder);
        Ok(Exit::Done)
    }
}

fn is_ours(path: &Path) -> bool {
    files::read(path, files::MAX_FILE).is_ok_and(|page| page.starts_with(MARK.as_bytes()))
}

/// The pages and their files' names.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = crate::cli::Cli::command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add(&command, &mut pages)?;
    pages.sort();
    Ok(pages)
}

fn add(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    for command in command.get_subcommands().filter(|c| !c.is_hide_set()) {
        add(command, pages)?;
    }
    let page = page(command.clone())?;
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    pages.push((format!("{name}.1"), page));
    Ok(())
}

fn page(mut command: Command) -> io::Result<Vec<u8>> {
    // The command's own words, which say what is required and what is not.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let further = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let has_subcommands = command.has_subcommands();
    let man = clap_mangen::Man::new(command.override_usage(usage))
        .source(concat!("ccf-gov ", env!("CARGO_PKG_VERSION")))
        .manual("ccf-gov");
    let mut page = MARK.as_bytes().to_vec();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_subcommands {
        man.render_subcommands_section(&mut page)?;
    }
    page.extend(further.map(|text| sections(&text)).unwrap_or_default().into_bytes());
    Ok(page)
}

/// What follows a command's help: what is indented stays as it is, to be pasted; a line that ends with a colon begins a section.
fn sections(text: &str) -> String {
    let mut page = String::new();
    let mut verbatim = false;
    for line in text.lines() {
        let indented = line.starts_with("  ");
        if indented != verbatim && !line.is_empty() {
            page += if indented { ".EX\n" } else { ".EE\n" };
            verbatim = indented;
        }
        match line.strip_suffix(':').filter(|title| !indented && !title.contains(' ')) {
            Some(title) => page += &format!(".SH {}\n", title.to_uppercase()),
            None if page.is_empty() => page += &format!(".SH NOTES\n{}\n", escaped(line)),
            None if line.is_empty() && verbatim => page += "\n",
            None if line.is_empty() => page += ".PP\n",
            None => page += &format!("{}\n", escaped(line)),
        }
    }
    if verbatim {
        page += ".EE\n";
    }
    page
}

/// A line as troff shows it: no control line, no escape, and hyphens that can be pasted.
fn escaped(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_can_be_pasted() {
        let page = sections("Examples:\n  ccf-gov x --y \\\n    z\n\n  .hidden\n\nAfterwards.\n\nMore.");
        let expected =
            ".SH EXAMPLES\n.EX\n  ccf\\-gov x \\-\\-y \\e\n    z\n\n  .hidden\n\n.EE\nAfterwards.\n.PP\nMore.\n";
        assert_eq!(page, expected);
        assert_eq!(sections("Some text."), ".SH NOTES\nSome text.\n");
    }

    #[test]
    fn pages_have_environment_variables_and_the_programs_own_name() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let (_, page) = pages.iter().find(|(file, _)| file == name).unwrap();
            String::from_utf8(page.clone()).unwrap()
        };
        let wait = page("ccf-gov-proposal-wait.1");
        assert!(wait.starts_with(MARK));
        assert!(wait.contains("CCF_GOV_SERVICE_CERT"), "{wait}");
        assert!(
            wait.contains(&format!("\"ccf-gov {}\"", env!("CARGO_PKG_VERSION"))) && !wait.contains("\"wait "),
            "{wait}"
        );
        let finish = page("ccf-gov-finish.1");
        assert!(finish.contains(".SH EXAMPLES\n.EX\n") && !finish.contains("EXTRA"), "{finish}");
        assert!(finish.contains("[OPTIONS] \\-\\-signature <FILE>"), "{finish}");
    }
}
