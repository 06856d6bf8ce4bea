//! `--report`: what operators provide of their nodes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::CliError;
use ccf_gov::evidence::node::Attestation;
use ccf_gov::id::NodeId;
use ccf_gov::text::visible;

/// The operators' files, by the node that each is of.
pub fn read(paths: &[PathBuf]) -> Result<BTreeMap<NodeId, Attestation>, CliError> {
    let mut reports = BTreeMap::new();
    for path in paths {
        let mut given = Attestation::default();
        given.add_path(path)?;
        let id = given.bound_node().ok_or_else(|| {
            CliError::usage(format!("{} holds no node's report", visible(&path.display().to_string())))
                .hint("give, for each node, one folder with its report and endorsements")
        })?;
        if reports.insert(id, given).is_some() {
            return Err(CliError::usage(format!("there are two reports of node {id}")));
        }
    }
    Ok(reports)
}
