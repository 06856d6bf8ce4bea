//! How checks are shown, and the exit code that follows from them.

use super::exit::Exit;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::text::visible;

/// One line for each check, and one for the verdict. In a rehearsal, each says so.
pub fn lines(checks: &Checks) -> String {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut text: String =
        checks.iter().map(|c| format!("{:10}  {:width$}  {}\n", c.verdict, c.name, visible(&c.detail))).collect();
    text += &format!("Verdict: {}\n", checks.verdict());
    mark(text, checks.is_rehearsal())
}

/// Lines of values, and those of the checks that were made on them.
pub fn report(values: &str, checks: &Checks) -> String {
    format!("{}\n{}", mark(values.to_owned(), checks.is_rehearsal()), lines(checks))
}

/// Text about a rehearsal says so in each of its lines.
pub fn mark(text: String, rehearsal: bool) -> String {
    if !rehearsal {
        return text;
    }
    text.split_inclusive('\n')
        .map(|line| if line == "\n" { line.into() } else { format!("REHEARSAL  {line}") })
        .collect()
}

/// 0 if they pass; else 3, for what could not be checked is no "yes".
pub fn exit(checks: &Checks) -> Exit {
    if checks.verdict() == Conclusion::Pass { Exit::Done } else { Exit::No }
}
