//! Whether the new version can be reached from the one that runs.

use super::VERSION_PATH;
use crate::ccf_version::{CcfVersion, Stage};
use crate::check::Checks;
use crate::service::NodeStatus;
use crate::upgrade::{CodeKind, Observed, Plan, Way};

/// The first version of CCF 6 from which CCF 7 can be joined.
const SOURCE: CcfVersion = CcfVersion::new(6, 0, 21);
/// The first version of CCF 6 that answers the pre-votes of CCF 7.
const PRE_VOTE: CcfVersion = CcfVersion::new(6, 0, 17);
/// The first version of CCF 7 to go to.
const TARGET: CcfVersion = CcfVersion::new(7, 0, 1);

/// Judges the path.
pub(super) fn check(plan: &Plan, seen: &Observed, found: &mut Checks) {
    let old = plan.old_code(seen);
    let versions = |kind: CodeKind| {
        let nodes = seen.nodes_that_are(NodeStatus::Trusted).filter(move |node| old.kind_of(plan, node) == kind);
        nodes.filter_map(|node| node.version)
    };
    let to = plan.version.or(versions.clone()(CodeKind::New).min());
    let from = versions.clone()(CodeKind::Old).chain(versions(CodeKind::Other)).min();
    let (Some(from), Some(to)) = (from, to) else {
        let unknown = plan.word(if to.is_none() { CodeKind::New } else { CodeKind::Old });
        let hint = match plan.way {
            Way::Forward => "state [new] version, and read CCF's release notes",
            Way::Back => "read CCF's release notes",
        };
        found.warn(VERSION_PATH, format!("the version of the {unknown} code is not known: {hint}"));
        return;
    };
    match version_step(from, to) {
        Ok(None) => found.pass(VERSION_PATH, format!("from {from} to {to}")),
        Ok(Some(doubt)) => found.warn(VERSION_PATH, format!("from {from} to {to}: {doubt}")),
        Err(reason) => found.fail(VERSION_PATH, format!("from {from} to {to}: {reason}")),
    }
}

/// Whether nodes of one version can be replaced by nodes of another; a doubt, or why not. Source: CCF's release policy and its
/// migration guide from 6.x to 7.0.
fn version_step(from: CcfVersion, to: CcfVersion) -> Result<Option<&'static str>, &'static str> {
    let released = |version: CcfVersion| version.stage == Stage::Release && version.commits == 0;
    match (from.major, to.major) {
        (from, to) if to < from => Err("nodes of an older major version cannot read the ledger of a newer one"),
        (from, to) if to > from + 1 => Err("no major version may be skipped"),
        (6, 7) if from < PRE_VOTE => {
            Err("nodes before 6.0.17 do not answer the pre-votes of CCF 7: go to 6.0.28 first")
        }
        (6, 7) if from < SOURCE => Err("CCF 7 is reached from 6.0.21 or later: go to 6.0.28 first"),
        (6, 7) if to < TARGET => Err("CCF 7.0.0 and what came before it are to be skipped: go to 7.0.1 or later"),
        _ if !released(from) || !released(to) => {
            Ok(Some("one of them is no release: nobody promises that they run together"))
        }
        (from, to) if to == from + 1 && from != 6 => Ok(Some("read CCF's migration guide for this version")),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: &str, to: &str) -> Result<Option<&'static str>, &'static str> {
        version_step(from.parse().unwrap(), to.parse().unwrap())
    }

    #[test]
    fn the_path_from_6_to_7_is_the_documented_one() {
        assert_eq!(step("6.0.21", "7.0.1"), Ok(None));
        assert_eq!(step("6.0.28", "ccf-7.0.25"), Ok(None));
        assert!(step("6.0.20", "7.0.1").is_err());
        assert!(step("6.0.17", "7.0.25").is_err());
        assert!(step("6.0.16", "7.0.25").unwrap_err().contains("pre-votes"));
        assert!(step("6.0.28", "7.0.0").is_err());
        assert!(step("6.0.28", "7.0.0-dev7").is_err());
        assert!(step("6.0.28", "8.0.0").unwrap_err().contains("skipped"));
        assert!(step("7.0.5", "6.0.28").is_err());
    }

    #[test]
    fn patches_of_one_version_run_together_and_builds_are_doubted() {
        assert_eq!(step("7.0.5", "7.0.25"), Ok(None));
        assert_eq!(step("7.0.25", "7.0.25"), Ok(None));
        assert_eq!(step("6.0.28", "6.0.17"), Ok(None));
        assert!(step("7.0.0-dev5-12-gabcdef0", "7.0.0-dev7").unwrap().is_some());
        assert!(step("7.0.25", "8.0.0").unwrap().is_some());
    }
}
