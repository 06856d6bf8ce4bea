//! The report as one page of HTML: nothing is loaded, nothing runs, and no foreign text is markup.

use std::fmt::Write;

use super::{CodeKind, Report, Topology};
use crate::review::page::{checks, page, text};

impl Report {
    /// The page.
    pub fn to_html(&self) -> String {
        let mut body = String::new();
        // Writing into a text cannot fail.
        let _ = self.write(&mut body);
        page("Upgrade report", &body)
    }

    fn write(&self, html: &mut String) -> std::fmt::Result {
        if self.rehearsal {
            write!(html, "<p class=\"rehearsal\">REHEARSAL: attestations were verified under made-up roots</p>")?;
        }
        write!(html, "<h1>Upgrade report</h1>")?;
        write!(html, "<p class=\"muted\">Plan <code>{}</code>, {}</p>", text(&self.digest), text(&self.at))?;
        let verdict = self.verdict.as_str();
        let said = match verdict {
            "pass" => "The upgrade is done: only the new code runs, and only the new code is let in.",
            "fail" => "The upgrade is not done.",
            _ => "Whether the upgrade is done could not be established.",
        };
        write!(html, "<p class=\"verdict {verdict}\">{said}</p>")?;
        write!(html, "<h2>Proof</h2>")?;
        checks(html, &self.proof)?;
        write!(html, "<h2>Nodes</h2>")?;
        nodes(html, &self.topology)?;
        if let Some(leftover) = &self.leftover {
            write!(html, "<p class=\"warn\">{}</p>", text(leftover))?;
        }
        self.evidence(html)?;
        write!(html, "<h2>Phases</h2><table><tbody>")?;
        for phase in &self.phases {
            write!(
                html,
                "<tr><td>{}</td><td>{}</td></tr>",
                text(&phase.name.to_string()),
                text(&phase.state.to_string())
            )?;
        }
        write!(html, "</tbody></table>")?;
        self.waivers(html)?;
        write!(html, "<h2>Preconditions</h2>")?;
        checks(html, &self.preconditions)?;
        self.acts(html)?;
        write!(html, "<h2>Plan</h2>")?;
        if let Some(reason) = &self.without_artefact {
            write!(html, "<p>Values are given instead of artefacts: {}</p>", text(reason))?;
        }
        write!(html, "<details><summary>The plan in full</summary><pre>")?;
        write!(html, "{}</pre></details>", text(&format!("{:#}", self.plan)))
    }

    fn evidence(&self, html: &mut String) -> std::fmt::Result {
        write!(html, "<h2>Attestations</h2><div class=\"scroll\"><table><thead><tr><th>Node</th><th>Code</th>")?;
        write!(html, "<th>Host data</th><th>Measurement</th><th>Verified here</th></tr></thead><tbody>")?;
        for node in &self.evidence {
            let value = |value: &Option<String>| value.as_deref().map_or_else(|| "–".to_owned(), text);
            let verified = match &node.fault {
                None => "<span class=\"pass\">yes</span>".to_owned(),
                Some(fault) => format!("<span class=\"fail\">no</span>: {}", text(fault)),
            };
            write!(
                html,
                "<tr><td class=\"id\">{}</td><td>{}</td><td class=\"id\">{}</td><td class=\"id\">{}</td><td>{verified}</td></tr>",
                text(&node.node_id.to_string()),
                node.code,
                value(&node.host_data),
                value(&node.measurement),
            )?;
        }
        write!(html, "</tbody></table></div>")
    }

    fn waivers(&self, html: &mut String) -> std::fmt::Result {
        if self.waived.is_empty() {
            return Ok(());
        }
        write!(html, "<h2>Waived preconditions</h2><table><tbody>")?;
        for waiver in &self.waived {
            let (name, reason, says) = (text(&waiver.name), text(&waiver.reason), text(&waiver.says()));
            write!(html, "<tr><td class=\"warn\">{name}</td><td>{reason}</td><td>{says}</td></tr>")?;
        }
        write!(html, "</tbody></table>")
    }

    fn acts(&self, html: &mut String) -> std::fmt::Result {
        write!(html, "<h2>What was done</h2>")?;
        if self.done.is_empty() {
            write!(html, "<p class=\"muted\">No record was given: a service forgets its proposals.</p>")?;
        }
        if self.unreadable > 0 {
            let lines = if self.unreadable == 1 { "line" } else { "lines" };
            write!(html, "<p class=\"warn\">{} {lines} of the records cannot be read.</p>", self.unreadable)?;
        }
        write!(html, "<ol class=\"done\">")?;
        for line in &self.done {
            write!(html, "<li><p><strong>{}</strong>: {} ", text(&line.who), text(&line.what))?;
            write!(html, "<span class=\"muted\">({}, {})</span></p>", text(&line.phase.to_string()), text(&line.at))?;
            if let Some(id) = &line.proposal_id {
                write!(html, "<p class=\"muted\">Proposal <code>{}</code></p>", text(&id.to_string()))?;
            }
            if let Some(transaction) = &line.transaction {
                write!(html, "<p class=\"muted\">Committed in transaction <code>{}</code></p>", text(transaction))?;
            }
            if !line.votes.is_empty() {
                let vote = |(who, yes): &(String, bool)| format!("{} {}", text(who), if *yes { "yes" } else { "no" });
                let votes: Vec<String> = line.votes.iter().map(vote).collect();
                write!(html, "<p>Decided: {}</p>", votes.join(", "))?;
            }
            nodes(html, &line.before)?;
            write!(html, "</li>")?;
        }
        write!(html, "</ol>")
    }
}

fn nodes(html: &mut String, topology: &Topology) -> std::fmt::Result {
    let quorum = topology.quorum;
    write!(html, "<p class=\"muted\">n {}, majority {}, f {}</p>", quorum.n, quorum.majority, quorum.f)?;
    write!(html, "<ul class=\"nodes\">")?;
    for node in &topology.nodes {
        let code = match node.code {
            CodeKind::New => "new",
            CodeKind::Old => "old",
            CodeKind::Other => "other",
        };
        let primary = if node.primary { " primary" } else { "" };
        let title =
            format!("{} {} {}{}", node.node_id.short(), code, node.status, if node.primary { ", primary" } else { "" });
        write!(html, "<li class=\"{code} {}{primary}\">{}</li>", node.status, text(&title))?;
    }
    write!(html, "</ul>")
}
