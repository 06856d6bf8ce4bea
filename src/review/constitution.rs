//! A constitution before it is proposed: could a service go on with it?

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::simulate::{self, Again, Simulator};
use crate::ccf_version::CcfVersion;
use crate::check::Checks;
use crate::constitution::{self, Constitution, Stage};
use crate::id::MemberId;
use crate::kv::{SINGLETON, Tables, table};
use crate::proposal::Proposal;
use crate::proposal::catalogue::Catalogue;

/// What `validate` is asked about that is no proposal; it is to refuse them, not to throw.
const NONSENSE: [&str; 6] = ["", "x", "null", "[]", r#"{"actions": null}"#, r#"{"actions": [{"name": 1}]}"#];

/// Longer than `validate` takes on a few words.
const SLOW: Duration = Duration::from_secs(1);

/// What was found of a constitution.
#[derive(Clone, Debug)]
pub struct ConstitutionReview {
    /// The checks.
    pub checks: Checks,
    /// The templates whose example `validate` refuses, with its reason.
    pub refused: Vec<(String, String)>,
    /// How many templates it takes.
    pub taken: usize,
}

/// Checks `source`: that it parses and exports what a node calls, what it does with proposals of every template in `catalogue` and with
/// what is no proposal, and whether members could change it again: those in `simulator`, or three that are made up.
///
/// `place` names a line of the source, as it may be of several files. Every script runs within CCF's limits.
pub fn review_constitution(
    source: &str,
    place: &dyn Fn(u32) -> String,
    version: Option<CcfVersion>,
    simulator: Option<Simulator>,
    catalogue: &Catalogue,
) -> ConstitutionReview {
    let mut review = ConstitutionReview { checks: Checks::new(), refused: Vec::new(), taken: 0 };
    let checks = &mut review.checks;
    match constitution::check_constitution(source) {
        Ok(()) => checks.pass("constitution", "it parses, loads, and exports validate, resolve and apply"),
        Err(fault) if fault.is_of_engine() => return review.incomplete("constitution", fault.to_string()),
        Err(fault) => {
            let at = fault.line.map(|line| format!("{}: ", place(line))).unwrap_or_default();
            checks.fail("constitution", format!("{at}{}", fault.reason));
            return review;
        }
    }
    let rules = match Constitution::new(source) {
        Ok(rules) => rules,
        Err(error) => {
            checks.fail("constitution", error.to_string());
            return review;
        }
    };
    let rules = version.map_or_else(|| rules.clone(), |version| rules.clone().on(version));
    let simulator = simulator.unwrap_or_else(|| Simulator::new(three_members(source), version));
    let tables = simulator.tables().clone();
    let began = Instant::now();
    let throws = |text: &&str| rules.validate(&tables, text).err().filter(|error| error.stage != Stage::Engine);
    match NONSENSE.iter().find_map(|text| Some((text, throws(text)?))) {
        None => checks.pass("no-proposals", "validate refuses what is no proposal"),
        Some((text, error)) => {
            let reason = format!("validate throws on {text:?}, so a service answers 500 to it: {}", error.reason);
            // Rules that need seconds to refuse nothing are not tried on everything else.
            if began.elapsed() > SLOW {
                checks.fail("no-proposals", reason);
                return review;
            }
            checks.warn("no-proposals", reason);
        }
    }
    let mut lacks = BTreeSet::new();
    for template in catalogue.templates() {
        let example = Proposal::of(vec![template.example()]);
        let text = String::from_utf8_lossy(example.bytes()).into_owned();
        match rules.validate(&tables, &text) {
            Ok(answer) if answer.valid => review.taken += 1,
            Ok(answer) => review.refused.push((template.name.clone(), answer.description)),
            Err(error) if error.stage == Stage::Engine => drop(lacks.insert(error.reason)),
            Err(error) => review.refused.push((template.name.clone(), format!("validate throws: {}", error.reason))),
        }
    }
    if lacks.is_empty() {
        checks.pass("ccf-global", "what was called of it is there");
    }
    for reason in lacks {
        checks.incomplete("ccf-global", reason);
    }
    match (review.taken, &review.refused[..]) {
        (0, _) => checks.fail("templates", "validate refuses the example of every template"),
        (taken, []) => checks.pass("templates", format!("validate takes the examples of all {taken} templates")),
        (taken, refused) => {
            let names = refused.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            checks.warn("templates", format!("validate takes {taken} examples and refuses {names}"));
        }
    }
    can_be_changed(source, &simulator, checks);
    review
}

impl ConstitutionReview {
    fn incomplete(mut self, name: &'static str, detail: String) -> Self {
        self.checks.incomplete(name, detail);
        self
    }
}

fn can_be_changed(source: &str, simulator: &Simulator, checks: &mut Checks) {
    const NAME: &str = "can-be-changed";
    let found = simulator.clone().under(source).map_err(|error| error.to_string());
    match found.and_then(|simulator| simulate::again(&simulator, &[source]).map_err(|error| error.to_string())) {
        Ok(Again::Yes) => checks.pass(NAME, "there are votes that pass another set_constitution"),
        Ok(Again::No(why)) => checks.fail(
            NAME,
            format!("no votes that were tried pass another set_constitution, so nobody could change it again: {why}"),
        ),
        Ok(Again::Unknown(what)) => checks.incomplete(NAME, what),
        Err(error) => checks.fail(NAME, error),
    }
}

/// An open service with three active members.
fn three_members(source: &str) -> Tables {
    let mut tables = Tables::new();
    tables.put(table::CONSTITUTION, &SINGLETON, json!(source).to_string());
    tables.put(table::SERVICE_INFO, &SINGLETON, json!({"status": "Open"}).to_string());
    let config = json!({"recovery_threshold": 1, "maximum_node_certificate_validity_days": 365, "maximum_service_certificate_validity_days": 365});
    tables.put(table::SERVICE_CONFIG, &SINGLETON, config.to_string());
    for number in 1..=3 {
        let id = MemberId::from_bytes([number; 32]).to_string();
        tables.put(table::MEMBER_INFO, id.as_bytes(), json!({"status": "Active", "member_data": {}}).to_string());
    }
    tables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Conclusion;
    use crate::constitution::DEFAULT;

    fn check(source: &str) -> ConstitutionReview {
        review_constitution(source, &|line| format!("rules.js line {line}"), None, None, Catalogue::builtin())
    }

    #[test]
    fn our_constitution_takes_every_template_and_can_be_changed() {
        let review = check(DEFAULT);
        assert_eq!(review.checks.verdict(), Conclusion::Pass, "{:?} {:?}", review.checks, review.refused);
        assert!(review.taken > 20);
    }

    #[test]
    fn rules_that_do_not_parse_lack_a_function_or_lock_out_fail() {
        let detail = |source: &str, name: &str| check(source).checks.get(name).unwrap().detail.clone();
        assert!(
            detail("export function validate(input) {\n  return (;\n}", "constitution").starts_with("rules.js line 2")
        );
        assert!(detail("export function validate(input) {}", "constitution").contains("apply"));
        let locked = "export function validate(input) { return {valid: true, description: ''}; }
            export function resolve(proposal, proposerId, votes) { return 'Open'; }
            export function apply(proposal, proposalId) {}";
        assert!(detail(locked, "can-be-changed").contains("nobody could change it again"));
        assert_eq!(check(locked).checks.verdict(), Conclusion::Fail);
        let refuses = locked.replace("valid: true", "valid: false");
        assert!(detail(&refuses, "templates").contains("every template"));
        let loops = locked.replace("return {valid", "for (;;) {} return {valid");
        assert_eq!(check(&loops).checks.verdict(), Conclusion::Fail);
    }
}
