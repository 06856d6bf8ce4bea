//! docs/evidence.md, docs/proposals.md (of lint), docs/simulate.md (of constitutions) and docs/review.md name every check.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn every_check_is_documented() {
    let mut names = BTreeSet::new();
    for folder in ["src/evidence", "src/review", "src/cli/commands/verify", "src/cli/commands/measure"] {
        collect(&Path::new(ROOT).join(folder), &mut names);
    }
    assert!(names.len() > 100, "{names:?}");
    let pages = ["docs/evidence.md", "docs/proposals.md", "docs/simulate.md", "docs/review.md"]
        .map(|page| fs::read_to_string(Path::new(ROOT).join(page)).unwrap());
    let missing: Vec<_> = names.iter().filter(|name| !pages.concat().contains(&format!("`{name}`"))).collect();
    assert!(
        missing.is_empty(),
        "docs/evidence.md, docs/proposals.md, docs/simulate.md and docs/review.md do not explain {missing:?}"
    );
}

fn collect(folder: &Path, names: &mut BTreeSet<String>) {
    let constant = Regex::new(r#"const ([A-Z_]+): &str = "([a-z0-9-]+)";"#).unwrap();
    // The table of rules has its names first; those of lint alone are documented with lint.
    let rule = Regex::new(r#"\b(?:always|with_evidence)\(\s*"([a-z0-9-]+)","#).unwrap();
    let check =
        Regex::new(r#"\.(?:pass|warn|fail|incomplete|require|push|warn_once)\(\s*(?:"([a-z0-9-]+)"|([A-Z_]+)),"#)
            .unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, names);
            continue;
        }
        if path.file_name().unwrap() == "tests.rs" || path.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let source = source.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
        let constants: BTreeMap<&str, &str> = constant
            .captures_iter(source)
            .map(|found| (found.get(1).unwrap().as_str(), found.get(2).unwrap().as_str()))
            .collect();
        names.extend(rule.captures_iter(source).map(|found| found[1].to_owned()));
        for found in check.captures_iter(source) {
            let name = match (found.get(1), found.get(2)) {
                (Some(literal), _) => Some(literal.as_str()),
                (_, Some(named)) => constants.get(named.as_str()).copied(),
                _ => None,
            };
            names.extend(name.map(str::to_owned));
        }
    }
}
