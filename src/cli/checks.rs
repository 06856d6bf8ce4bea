//! How checks are shown, and the exit code that follows from them.

use super::exit::Exit;
use ccf_gov::check::{Checks, Conclusion};
use ccf_gov::text::visible;

/// One line for each check, and one for the verdict.
pub fn lines(checks: &Checks) -> String {
    let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
    let mut text: String =
        checks.iter().map(|c| format!("{:10}  {:width$}  {}\n", c.verdict, c.name, visible(&c.detail))).collect();
    text += &format!("Verdict: {}\n", checks.verdict());
    text
}

/// 0 if they pass; else 3, for what could not be checked is no "yes".
pub fn exit(checks: &Checks) -> Exit {
    if checks.verdict() == Conclusion::Pass { Exit::Done } else { Exit::No }
}
