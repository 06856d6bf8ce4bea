//! A constitution that is kept in several files, which are joined in their order.

use std::path::PathBuf;

use super::error::CliError;
use ccf_gov::files;

/// The largest file of a constitution, in bytes.
const MAX_CONSTITUTION: u64 = 16 << 20;

/// The files of a constitution, one after the other.
pub fn joined(paths: &[PathBuf]) -> Result<String, CliError> {
    Ok(texts(paths)?.join("\n"))
}

/// Names a line of files that were [`joined`]: the file, and the line in it.
pub fn place_in(paths: &[PathBuf]) -> Result<impl Fn(u32) -> String, CliError> {
    let mut starts = Vec::new();
    let mut line = 1;
    for (path, text) in paths.iter().zip(texts(paths)?) {
        starts.push((files::shown(path), line));
        // The line break that joins them counts where a file ends with one, too.
        line += text.matches('\n').count() as u32 + 1;
    }
    Ok(move |line: u32| {
        let found = starts.iter().rev().find(|(_, start)| *start <= line);
        found.map_or_else(|| format!("line {line}"), |(path, start)| format!("{path} line {}", line - start + 1))
    })
}

fn texts(paths: &[PathBuf]) -> Result<Vec<String>, CliError> {
    let read = |path: &PathBuf| files::read_script(path, MAX_CONSTITUTION);
    Ok(paths.iter().map(read).collect::<Result<_, _>>()?)
}
