//! `node list`.

use std::collections::BTreeMap;

use clap::Args;
use time::OffsetDateTime;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::{Read, beside};
use crate::cli::table::{Table, abridged};
use ccf_gov::platform::Platform;
use ccf_gov::review::{ObservedNode, RunningCode};
use ccf_gov::service::Validity;
use ccf_gov::text::visible;

/// List the nodes: the state of each, what it runs, and which one is the primary
///
/// Trusted nodes come first, the primary before the others, then Pending and Retired ones, by address. Ids and codes are
/// shown by their first digits, which every command takes; -v shows them whole. The code is the one in the node's
/// attestation, which `ccf-gov verify node` checks; the version is the one that the node reports.
#[derive(Args)]
#[command(after_help = "Example:
  ccf-gov node list --service https://127.0.0.1:8000 --service-cert service_cert.pem")]
pub struct List {}

impl List {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        let settled = context.settled(&service, async || Ok(ObservedNode::all(&service).await?)).await?;
        let (answer, nodes) = &settled.value;
        let mut json = beside(&answer.raw, &Read { committed: settled.committed, transaction_id: answer.transaction })?;
        json["value"] = nodes.iter().map(ObservedNode::json).collect();
        context.output.result(&json, || table(nodes, context.verbose))?;
        Ok(Exit::Done)
    }
}

fn table(nodes: &[ObservedNode], whole: bool) -> String {
    let of_node = abridged(nodes.iter().map(|n| n.node.node_id.to_string()), whole);
    let codes = nodes.iter().filter_map(|n| n.more.code.as_ref());
    let of_code = abridged(codes.clone().flat_map(|c| [c.label().to_owned(), c.measurement.clone()]), whole);
    let name = |code: &RunningCode| {
        let same = |other: &&RunningCode| other.label() == code.label() && *other != code;
        let more =
            if codes.clone().any(|c| same(&c)) { format!("/{}", of_code(&code.measurement)) } else { String::new() };
        visible(&format!("{}{more}", of_code(code.label())))
    };
    let mut table = Table::new(["Node", "Address", "Status", "Code", ""]);
    let mut groups: BTreeMap<&RunningCode, Vec<&ObservedNode>> = BTreeMap::new();
    for standing in nodes {
        let code = standing.more.code.as_ref();
        let describe = standing.describe();
        let brief = matches!(describe.as_str(), "primary" | "caught up");
        table.row([
            of_node(&standing.node.node_id.to_string()),
            visible(standing.node.address().unwrap_or_default()),
            standing.node.status.to_string(),
            code.map(name).unwrap_or_default(),
            if brief { describe.clone() } else { String::new() },
        ]);
        if !brief {
            table.note(describe);
        }
        if let Some(code) = code {
            groups.entry(code).or_default().push(standing);
        }
    }
    let mut text = table.text();
    let certificates = first_to_end(nodes, of_node);
    for (at, (code, nodes)) in groups.into_iter().enumerate() {
        let count = if nodes.len() == 1 { "1 node".into() } else { format!("{} nodes", nodes.len()) };
        text += &format!(
            "{}Code {}: {count}, {}{}\n",
            if at == 0 { "\n" } else { "" },
            name(code),
            code.platform,
            versions(&nodes)
        );
        if code.platform == Platform::Snp {
            text += &format!("  measurement {}\n", of_code(&code.measurement));
        }
    }
    text + &certificates
}

/// Until when all certificates are valid, by the one that ends first, of the nodes that are part of the service.
fn first_to_end(nodes: &[ObservedNode], id: impl Fn(&str) -> String) -> String {
    let line = |(validity, node): (Validity, &ObservedNode)| {
        let id = id(&node.node.node_id.to_string());
        format!("Certificates: {} ({id})\n", validity.describe(OffsetDateTime::now_utc()))
    };
    ObservedNode::first_to_expire(nodes).map(line).unwrap_or_default()
}

/// The versions that nodes say they run.
fn versions(nodes: &[&ObservedNode]) -> String {
    let mut versions: Vec<&str> = nodes.iter().filter_map(|n| n.more.ccf_version.as_deref()).collect();
    versions.sort_unstable();
    versions.dedup();
    let said = |version: &&str| format!(", CCF {}", visible(version.trim_start_matches("ccf-")));
    versions.iter().map(said).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use ccf_gov::review::NodeDetails;

    fn standing(digit: char, status: &str, port: u16, more: NodeDetails) -> ObservedNode {
        let raw: Value = json!({"nodeId": digit.to_string().repeat(64), "status": status,
            "rpcInterfaces": {"main": {"publishedAddress": format!("127.0.0.1:{port}")}}});
        ObservedNode { node: serde_json::from_value(raw.clone()).unwrap(), raw, more }
    }

    #[test]
    fn nodes_are_shown_with_the_code_that_each_runs() {
        let code = |digit: char| {
            let host_data = Some(digit.to_string().repeat(64));
            Some(RunningCode { platform: Platform::Virtual, host_data, measurement: "constant".into() })
        };
        let version = Some("ccf-7.0.0-dev5".to_owned());
        let leads =
            NodeDetails { primary: true, code: code('c'), ccf_version: version.clone(), ..NodeDetails::default() };
        let behind =
            NodeDetails { caught_up: Some(false), code: code('c'), ccf_version: version, ..NodeDetails::default() };
        let joined = NodeDetails { code: code('d'), ..NodeDetails::default() };
        let nodes = [
            standing('1', "Trusted", 19000, leads),
            standing('2', "Trusted", 19002, behind),
            standing('3', "Pending", 19010, joined),
            standing('4', "Retired", 19004, NodeDetails::default()),
        ];
        let text = "\
Node      Address          Status   Code
11111111  127.0.0.1:19000  Trusted  cccccccc  primary
22222222  127.0.0.1:19002  Trusted  cccccccc
  not caught up yet
33333333  127.0.0.1:19010  Pending  dddddddd
  not trusted yet
44444444  127.0.0.1:19004  Retired
  its retirement is not committed yet: keep it running

Code cccccccc: 2 nodes, virtual, CCF 7.0.0-dev5
Code dddddddd: 1 node, virtual
";
        assert_eq!(table(&nodes, false), text);
        assert!(text.lines().all(|line| line.len() <= 60));
        assert!(table(&nodes, true).contains(&"c".repeat(64)));
    }
}
