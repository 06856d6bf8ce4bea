//! A review for a terminal.

use super::Review;
use crate::check::{Check, Checks, Conclusion, Verdict};
use crate::text::visible;

impl Review {
    /// The verdict in a sentence.
    pub fn says(&self) -> &'static str {
        match self.verdict {
            Conclusion::Pass => "Nothing was found that speaks against it.",
            Conclusion::Fail => "NO: something speaks against it.",
            Conclusion::Incomplete => "NOT ESTABLISHED: something could not be checked.",
        }
    }

    /// The review in lines, fit to be shown; of each long part at most `most` lines.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let mut lines = vec![format!("{}: {}", visible(&self.proposal), visible(&self.title))];
        if let Some(proposer) = &self.proposer {
            lines.push(format!("  proposed by {}", visible(&proposer.who())));
        }
        lines.push(format!("  {} bytes, SHA-256 {}", self.bytes, self.sha256));
        if let Some(state) = &self.state {
            lines.push(format!("  on the state of the service, {}", state.age));
        }
        lines.push(String::new());
        lines.push(self.says().to_owned());
        lines.extend(table(&self.checks, |_| true));
        lines.push(String::new());
        lines.push("What it says".into());
        part(&mut lines, &self.actions, most);
        self.simulation_lines(&mut lines, most);
        if let Some(votes) = &self.votes {
            lines.push("Votes".into());
            let each: Vec<String> = votes.lines().iter().map(|line| format!("  {}", visible(line))).collect();
            part(&mut lines, &each, most);
        }
        lines.push("Since it was proposed".into());
        self.since_lines(&mut lines, most);
        lines.push("Findings of lint that are no pass".into());
        findings(&mut lines, &self.lint);
        if let Some(evidence) = &self.evidence {
            lines.push(format!("Evidence: {}", evidence.verdict));
            lines.extend(table(&evidence.checks, |_| true));
            lines.push(String::new());
        }
        lines.push(self.ballot.heading());
        lines.push(format!("  {}", visible(&self.ballot.why)));
        lines.extend(self.ballot.rests_on.iter().map(|guard| format!("  while {}", visible(guard))));
        lines.extend(self.ballot.commands.iter().map(|command| format!("    {}", visible(command))));
        if let Some(otherwise) = &self.ballot.otherwise {
            lines.push("  to vote no instead:".into());
            lines.push(format!("    {}", visible(otherwise)));
        }
        lines
    }

    fn simulation_lines(&self, lines: &mut Vec<String>, most: usize) {
        let Some(told) = &self.simulation else { return };
        lines.push("What would happen".into());
        part(lines, &told.lines(), most);
    }

    fn since_lines(&self, lines: &mut Vec<String>, most: usize) {
        let since = &self.since;
        let known = since.known.iter().map(|line| format!("  {}", visible(line)));
        let unknown = since.unknown.iter().map(|line| format!("  not known: {}", visible(line)));
        let mut each: Vec<String> = known.chain(unknown).collect();
        if let Some(at) = &since.compared_with {
            each.push(match since.changes.is_empty() {
                true => format!("  nothing else differs from the state of {at}"),
                false => format!("  what differs from the state of {at}:"),
            });
            each.extend(since.changes.iter().map(|line| format!("    {}", visible(line))));
        }
        if each.is_empty() {
            each.push("  it is not submitted".into());
        }
        part(lines, &each, most);
    }
}

impl super::Advice {
    /// What stands above the ballot.
    pub fn heading(&self) -> String {
        match self.kind {
            Some(kind) => format!("The ballot to sign: {kind}"),
            None => "The ballot to sign: none".into(),
        }
    }
}

/// Lines, at most `most`, how many are left out, and an empty one.
fn part(lines: &mut Vec<String>, each: &[String], most: usize) {
    lines.extend(each.iter().take(most).cloned());
    if each.len() > most {
        lines.push(format!("  {} more lines: -v shows them", each.len() - most));
    }
    lines.push(String::new());
}

fn findings(lines: &mut Vec<String>, checks: &Checks) {
    let found = table(checks, |check| check.verdict != Verdict::Pass);
    if found.is_empty() {
        lines.push("  none".into());
    }
    lines.extend(found);
    lines.push(String::new());
}

fn table(checks: &Checks, shown: impl Fn(&Check) -> bool) -> Vec<String> {
    let width = checks.iter().filter(|check| shown(check)).map(|check| check.name.len()).max().unwrap_or(0);
    let line = |check: &Check| {
        let verdict = check.verdict.to_string();
        format!("  {verdict:10}  {:width$}  {}", check.name, visible(&check.detail))
    };
    checks.iter().filter(|check| shown(check)).map(line).collect()
}
