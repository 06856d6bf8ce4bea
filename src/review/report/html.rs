//! A review as one page of HTML.

use std::fmt::{self, Write};

use serde_json::Value;

use super::Review;
use crate::check::{Checks, Verdict};
use crate::review::page::{checks, page, text};

/// So many lines of each part are shown at once.
const FIRST: usize = 100;
/// So many more of each are on the page.
const LINES: usize = 2000;
/// So many bytes of the proposal itself and of its texts are on the page, all together.
const WHOLE: usize = 2 << 20;
/// A text of so many bytes, or of several lines, is shown by itself, too.
const LONG: usize = 2000;
/// So many texts are shown by themselves.
const TEXTS: usize = 200;

impl Review {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        // Writing into a text cannot fail.
        let _ = self.write(&mut body);
        page("Proposal review", &body)
    }

    fn write(&self, html: &mut String) -> fmt::Result {
        let verdict = self.verdict.as_str();
        write!(html, "<h1>Proposal review</h1><p>{}</p>", text(&self.title))?;
        write!(html, "<p class=\"verdict {verdict}\">{}</p>", text(self.says()))?;
        checks(html, &self.checks)?;
        self.facts(html)?;
        write!(html, "<h2>What it says</h2>")?;
        words(html, &self.actions)?;
        if let Some(told) = &self.simulation {
            write!(html, "<h2>What would happen</h2>")?;
            words(html, &told.lines())?;
        }
        if let Some(votes) = &self.votes {
            write!(html, "<h2>Votes</h2>")?;
            votes.write(html)?;
        }
        self.what_changed(html)?;
        write!(html, "<h2>Lint</h2>")?;
        folded(html, &self.lint)?;
        if let Some(evidence) = &self.evidence {
            let verdict = evidence.verdict.as_str();
            write!(html, "<h2>Evidence</h2><p class=\"{verdict}\">{verdict}</p>")?;
            checks(html, &evidence.checks)?;
        }
        self.to_sign(html)?;
        self.whole(html)
    }

    fn facts(&self, html: &mut String) -> fmt::Result {
        let id = self.proposal_id.map(|id| id.to_string());
        let mut facts = vec![("Proposal", id.unwrap_or_else(|| format!("{}, not submitted", self.proposal)))];
        facts.extend(self.proposer.as_ref().map(|one| ("Proposed by", one.who())));
        facts.push(("Size", format!("{} bytes", self.bytes)));
        facts.push(("SHA-256", self.sha256.to_string()));
        facts.push(("Reviewed", self.reviewed_at.clone()));
        if let Some(state) = &self.state {
            facts.push(("State", format!("{}, read {}", state.age, state.read_at)));
            facts.extend(state.service.map(|digest| ("Service certificate, SHA-256", digest.to_string())));
        }
        write!(html, "<h2>Facts</h2><table><tbody>")?;
        for (name, value) in facts {
            write!(html, "<tr><td class=\"muted\">{name}</td><td class=\"id\">{}</td></tr>", text(&value))?;
        }
        write!(html, "</tbody></table>")
    }

    fn what_changed(&self, html: &mut String) -> fmt::Result {
        let since = &self.since;
        write!(html, "<h2>Since it was proposed</h2><ul>")?;
        for line in &since.known {
            write!(html, "<li>{}</li>", text(line))?;
        }
        for line in &since.unknown {
            write!(html, "<li class=\"muted\">Not known: {}</li>", text(line))?;
        }
        if self.proposal_id.is_none() {
            write!(html, "<li>It is not submitted.</li>")?;
        }
        write!(html, "</ul>")?;
        let Some(at) = &since.compared_with else { return Ok(()) };
        write!(html, "<p>Compared with the state of {}:</p>", text(at))?;
        match since.changes.is_empty() {
            true => write!(html, "<p>Nothing else differs.</p>"),
            false => words(html, &since.changes),
        }
    }

    fn to_sign(&self, html: &mut String) -> fmt::Result {
        let ballot = &self.ballot;
        write!(html, "<h2>{}</h2><p>{}</p>", text(&ballot.heading()), text(&ballot.why))?;
        if !ballot.rests_on.is_empty() {
            write!(html, "<details><summary>What it rests on</summary><ul>")?;
            for guard in &ballot.rests_on {
                write!(html, "<li>while {}</li>", text(guard))?;
            }
            write!(html, "</ul></details>")?;
        }
        for command in &ballot.commands {
            write!(html, "<pre class=\"command\" tabindex=\"0\">{}</pre>", text(command))?;
        }
        if let Some(otherwise) = &ballot.otherwise {
            write!(html, "<p>To vote no instead:</p><pre class=\"command\" tabindex=\"0\">{}</pre>", text(otherwise))?;
        }
        if let Some(script) = &ballot.script {
            write!(html, "<details><summary>The ballot's script</summary>")?;
            preformatted(html, script, &mut { WHOLE })?;
            write!(html, "</details>")?;
        }
        Ok(())
    }

    /// The proposal as JSON, and its long texts with their own line breaks.
    fn whole(&self, html: &mut String) -> fmt::Result {
        write!(html, "<h2>In full</h2><details><summary>The proposal as JSON</summary>")?;
        let mut room = WHOLE;
        preformatted(html, &format!("{:#}", self.content), &mut room)?;
        write!(html, "</details>")?;
        let mut texts = Vec::new();
        long_texts(&self.content, "", &mut texts);
        for (path, value) in texts.iter().take(TEXTS) {
            let lines = value.lines().count();
            write!(html, "<details><summary>{}: {} bytes, {lines} lines</summary>", text(path), value.len())?;
            preformatted(html, value, &mut room)?;
            write!(html, "</details>")?;
        }
        match texts.len().saturating_sub(TEXTS) {
            0 => Ok(()),
            more => write!(html, "<p class=\"warn\">{more} more texts are in the JSON only.</p>"),
        }
    }
}

impl super::Votes {
    fn write(&self, html: &mut String) -> fmt::Result {
        write!(html, "<table><tbody>")?;
        for one in &self.cast {
            let (word, verdict) = match one.vote {
                Some(true) => ("yes", "pass"),
                Some(false) => ("no", "fail"),
                None => ("no vote", "warn"),
            };
            let active = if one.active { "" } else { ", not active" };
            let (who, answer) = (text(&one.member.who()), text(&one.answer));
            write!(html, "<tr><td class=\"{verdict}\">{word}</td><td>{who}{active}</td>")?;
            write!(html, "<td>{} ballot: {answer}</td></tr>", one.kind)?;
        }
        for one in &self.missing {
            write!(html, "<tr><td class=\"muted\">not yet</td><td>{}</td><td></td></tr>", text(&one.who()))?;
        }
        write!(html, "</tbody></table>")
    }
}

/// Lines as they are: the first ones, others behind a click, and of very many that they are left out.
fn words(html: &mut String, lines: &[String]) -> fmt::Result {
    let (first, more) = lines.split_at(lines.len().min(FIRST));
    let (more, left) = more.split_at(more.len().min(LINES));
    block(html, first)?;
    if !more.is_empty() {
        write!(html, "<details><summary>{} more lines</summary>", more.len())?;
        block(html, more)?;
        write!(html, "</details>")?;
    }
    left_out(html, left.len(), "lines")
}

/// Lines that are wrapped go on further to the right than ours begin: what is foreign cannot look like one of them.
fn block(html: &mut String, lines: &[String]) -> fmt::Result {
    write!(html, "<pre class=\"words\" tabindex=\"0\">")?;
    for line in lines {
        write!(html, "<span class=\"line\">{}</span>", text(line))?;
    }
    write!(html, "</pre>")
}

/// A text as it is, up to half of the room that is left for such texts.
fn preformatted(html: &mut String, value: &str, room: &mut usize) -> fmt::Result {
    let most = *room / 2;
    let ends = value.char_indices().map(|(at, c)| at + c.len_utf8());
    let end = if value.len() <= most { value.len() } else { ends.take_while(|end| *end <= most).last().unwrap_or(0) };
    *room -= end;
    write!(html, "<pre tabindex=\"0\">{}</pre>", text(&value[..end]))?;
    left_out(html, value.len() - end, "bytes")
}

fn left_out(html: &mut String, count: usize, what: &str) -> fmt::Result {
    match count {
        0 => Ok(()),
        count => write!(html, "<p class=\"warn\">{count} more {what} are not on this page: --output json has all.</p>"),
    }
}

/// The checks that are no pass, and the others behind a click.
fn folded(html: &mut String, all: &Checks) -> fmt::Result {
    let (mut open, mut good) = (Checks::new(), Checks::new());
    for check in all {
        let list = if check.verdict == Verdict::Pass { &mut good } else { &mut open };
        list.push(check.name, check.verdict, check.detail.clone());
    }
    checks(html, &open)?;
    write!(html, "<details><summary>{} rules hold</summary>", good.iter().count())?;
    checks(html, &good)?;
    write!(html, "</details>")
}

/// Every text of several lines, or of many bytes, with where it stands.
fn long_texts<'v>(value: &'v Value, path: &str, texts: &mut Vec<(String, &'v str)>) {
    match value {
        Value::String(text) if text.len() > LONG || text.trim_end().contains('\n') => {
            texts.push((path.to_owned(), text));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(at, one)| long_texts(one, &format!("{path}[{at}]"), texts));
        }
        Value::Object(object) => {
            let dot = if path.is_empty() { "" } else { "." };
            object.iter().for_each(|(name, one)| long_texts(one, &format!("{path}{dot}{name}"), texts));
        }
        _ => {}
    }
}
