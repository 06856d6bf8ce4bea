//! What the verdict of a review rests on.

use serde_json::Value;
use time::Duration;

use super::{Parts, Since, Tried};
use crate::check::{Check, Checks, Conclusion, Verdict};
use crate::kv::{Tables, table};
use crate::proposal::{Proposal, Registration};
use crate::review::simulate::{Again, Outcome, Validity};
use crate::review::state::State;
use crate::text::clip;

/// A state that is older than this is to be looked at.
const OLD: Duration = Duration::days(1);
/// The longest text that a check quotes.
const QUOTED: usize = 500;

/// What there is to judge.
pub(super) struct Found<'a> {
    pub parts: &'a Parts<'a>,
    pub content: &'a Value,
    pub proposal: Option<&'a Proposal>,
    pub lint: &'a Checks,
    pub tried: Option<&'a Tried>,
    pub since: &'a Since,
}

/// Judges it.
pub(super) fn checks(found: &Found<'_>) -> Checks {
    let mut checks = Checks::new();
    together("lint", "rule", found.lint, &mut checks);
    match &found.parts.evidence {
        Some(verified) => together("evidence-backs", "check", &verified.checks, &mut checks),
        None if registers(found.proposal) => {
            let detail = "it registers or removes code, and no evidence was given: --evidence names the artefacts";
            checks.warn("evidence-backs", detail);
        }
        None => {}
    }
    match found.parts.state {
        Some(state) => age(state, found.parts, &mut checks),
        None => checks.incomplete("state", "no service and no state file was given, so nothing was simulated"),
    }
    if let Some(tried) = found.tried {
        simulated(tried, &mut checks);
        if let Some(missing) = missing(found.content, &tried.simulated.before) {
            checks.warn("subjects", missing);
        }
    }
    since(found, &mut checks);
    checks
}

/// Several checks as one: its detail names those that do not pass.
fn together(name: &'static str, noun: &str, all: &Checks, checks: &mut Checks) {
    let with = |verdict: Verdict| {
        let mut names: Vec<&str> =
            all.iter().filter(|check| check.verdict == verdict).map(|check| check.name).collect();
        names.dedup();
        names.join(", ")
    };
    match all.verdict() {
        Conclusion::Fail => checks.fail(name, format!("fails: {}", with(Verdict::Fail))),
        Conclusion::Incomplete => {
            checks.incomplete(name, format!("could not be checked: {}", with(Verdict::Incomplete)))
        }
        Conclusion::Pass => {
            let passed = all.iter().count();
            let plural = if passed == 1 { "" } else { "s" };
            match with(Verdict::Warn) {
                warned if warned.is_empty() => checks.pass(name, format!("{passed} {noun}{plural} hold")),
                warned => checks.warn(name, format!("to be looked at: {warned}")),
            }
        }
    }
}

fn registers(proposal: Option<&Proposal>) -> bool {
    proposal.is_some_and(|p| p.actions().iter().any(|action| Registration::of(&action.name).is_some()))
}

fn age(state: &State, parts: &Parts<'_>, checks: &mut Checks) {
    let age = parts.now - state.read_at;
    let old = age > OLD || age.is_negative() || !state.committed;
    checks.push("state", if old { Verdict::Warn } else { Verdict::Pass }, state.age(parts.now));
}

fn simulated(tried: &Tried, checks: &mut Checks) {
    let simulation = &tried.simulated.simulation;
    match (simulation.obstacle(), simulation.outcome) {
        (None, _) => checks.pass("passes", tried.simulated.passes().unwrap_or_default()),
        (Some(why), Outcome::Unknown) => checks.incomplete("passes", clip(&why, QUOTED)),
        (Some(_), _) => checks.fail("passes", clip(&tried.simulated.ends(), QUOTED)),
    }
    match &tried.valid_today {
        None | Some(Validity::Valid) => {}
        Some(other) => {
            let why = clip(other.reason().unwrap_or_default(), QUOTED);
            checks.warn(
                "valid-today",
                format!("proposed today, it would be refused, and an open one is not asked again: {why}"),
            );
        }
    }
    let quiet = simulation.changes.is_empty() && simulation.effects.is_empty();
    if simulation.passes() && quiet {
        checks.warn("takes-effect", "nothing would change: what it asks for is in force already, or is not there");
    }
    match tried.simulated.rules.as_ref().map(|rules| &rules.again) {
        None => {}
        Some(Again::Yes) => checks.pass("can-be-changed", "the new constitution could be changed again"),
        Some(Again::No(why)) => {
            let why = clip(why, QUOTED);
            checks.fail("can-be-changed", format!("under the new constitution nobody could change it again: {why}"));
        }
        Some(Again::Unknown(why)) => checks.incomplete("can-be-changed", clip(why, QUOTED)),
    }
    if !simulation.drops.is_empty() {
        let ids: Vec<String> = simulation.drops.iter().map(ToString::to_string).collect();
        checks.warn("drops-others", format!("it drops the open proposals {}", ids.join(", ")));
    }
    let broken = simulation.ballots.iter().filter(|run| run.answer.vote().is_none()).count();
    if broken > 0 {
        checks.warn("ballots", format!("{broken} of the ballots that were cast give no vote"));
    }
    for one in &simulation.uncertain {
        checks.warn("certain", format!("{}: {}", one.what, clip(&one.why, QUOTED)));
    }
}

/// The nodes and members that an action names and the service does not have.
fn missing(content: &Value, tables: &Tables) -> Option<String> {
    let actions = content.get("actions").and_then(Value::as_array)?;
    let named = |(at, action): (usize, &Value)| {
        let lacks = |argument: &str, name: &str| {
            let id = action.get("args")?.get(argument)?.as_str()?;
            (!tables.has(name, id.as_bytes())).then(|| format!("action {}: {argument} {}", at + 1, clip(id, 64)))
        };
        lacks("node_id", table::NODE_INFO).or_else(|| lacks("member_id", table::MEMBER_INFO))
    };
    let missing: Vec<String> = actions.iter().enumerate().filter_map(named).take(10).collect();
    (!missing.is_empty()).then(|| format!("the service does not have what is named: {}", missing.join("; ")))
}

fn since(found: &Found<'_>, checks: &mut Checks) {
    let (Some(older), Some(state)) = (found.parts.since, found.parts.state) else { return };
    let since = found.since;
    let (verdict, detail) = match () {
        () if older.identity() != state.identity() => (
            Verdict::Fail,
            "the older state has another service certificate: it is of another service, or of before a recovery".into(),
        ),
        () if older.read_at > state.read_at => {
            (Verdict::Incomplete, "the state that was given as older is newer than the one that was judged".into())
        }
        () if since.constitution_changed == Some(true) => (Verdict::Warn, "the constitution has changed since".into()),
        () if !since.overlaps.is_empty() => {
            let rows = if since.overlaps.len() == 1 { "1 line" } else { "several lines" };
            (Verdict::Warn, format!("what it would change has changed since: {rows} of what is listed"))
        }
        () if since.changes.is_empty() => (Verdict::Pass, "nothing else has changed since".into()),
        () => (Verdict::Pass, "nothing that it would change, and no rule, has changed since".to_owned()),
    };
    checks.push("since", verdict, detail);
}

/// The checks of a verdict that speak against it, in one text.
pub(super) fn against(checks: &Checks) -> String {
    let bad = |check: &&Check| check.verdict == Verdict::Fail;
    let each = checks.iter().filter(bad).map(|check| format!("{}: {}", check.name, check.detail));
    each.collect::<Vec<_>>().join("; ")
}
