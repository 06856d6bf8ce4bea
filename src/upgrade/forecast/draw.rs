//! The nodes, drawn phase by phase: for a terminal, and as Mermaid.

use serde::Serialize;

use super::Forecast;
use crate::service::NodeStatus;
use crate::upgrade::CodeKind;
use crate::upgrade::quorum::Quorum;

/// A node as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct DrawnNode {
    /// Its id; `new-1` and so on are nodes that are not started yet.
    pub node: String,
    /// Its standing.
    pub status: NodeStatus,
    /// What its code is to the plan.
    pub code: CodeKind,
    /// Whether it leads. After the primary was removed, any node may.
    pub primary: bool,
}

impl DrawnNode {
    fn short(&self) -> &str {
        self.node.get(..8).unwrap_or(&self.node)
    }
}

/// One line of nodes: `[old 1a2b3c4d*]` is trusted and the primary, `(new new-1)` waits, `~old 1a2b3c4d~` is retired.
pub fn drawing(nodes: &[DrawnNode]) -> String {
    let draw = |node: &DrawnNode| {
        let text = format!("{} {}{}", node.code, node.short(), if node.primary { "*" } else { "" });
        match node.status {
            NodeStatus::Trusted => format!("[{text}]"),
            NodeStatus::Pending => format!("({text})"),
            NodeStatus::Retired => format!("~{text}~"),
        }
    };
    nodes.iter().map(draw).collect::<Vec<_>>().join(" ")
}

/// A Mermaid flowchart: the nodes now, and after each phase that does something.
pub fn mermaid(forecast: &Forecast) -> String {
    let mut text = String::from("flowchart TB\n");
    let mut stages = vec![("now".to_owned(), forecast.quorum, forecast.nodes.as_slice())];
    for phase in forecast.phases() {
        if let Some(last) = forecast.steps.iter().rfind(|step| step.phase == phase.progress.name) {
            stages.push((format!("after: {}", phase.progress.name), last.after, last.nodes.as_slice()));
        }
    }
    for (at, (title, quorum, nodes)) in stages.iter().enumerate() {
        text += &stage(at, title, *quorum, nodes);
    }
    for at in 1..stages.len() {
        text += &format!("  stage{} --> stage{at}\n", at - 1);
    }
    text += "  classDef old fill:#f6c6a0,stroke:#8a4b14,color:#000\n";
    text += "  classDef new fill:#a9d8b8,stroke:#1d6b3a,color:#000\n";
    text + "  classDef other fill:#d0d0d0,stroke:#555,color:#000\n"
}

fn stage(at: usize, title: &str, quorum: Quorum, nodes: &[DrawnNode]) -> String {
    let Quorum { n, majority, f } = quorum;
    let mut text = format!("  subgraph stage{at}[\"{title} (n {n}, majority {majority}, f {f})\"]\n    direction LR\n");
    for (number, node) in nodes.iter().enumerate() {
        let standing = match node.status {
            NodeStatus::Trusted if node.primary => "<br/>primary",
            NodeStatus::Trusted => "",
            NodeStatus::Pending => "<br/>pending",
            NodeStatus::Retired => "<br/>retired",
        };
        let (code, short) = (node.code, node.short());
        text += &format!("    stage{at}node{number}[\"{code} {short}{standing}\"]:::{code}\n");
    }
    text + "  end\n"
}
