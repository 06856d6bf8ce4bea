//! The rules by which a proposal is judged: with nothing but the proposal ([`lint()`]), and with evidence ([`verify`]).
//!
//! `RULES` lists them in order. A rule that has nothing to look at is left out; one that finds nothing passes. With
//! evidence, what passes is reported of each value, and a rule only where it finds something.

mod beside;
mod code;
mod evidence;
mod form;
mod host_data;
mod meaning;
mod measurement;
mod platform;
mod scripts;
mod security_policy;
mod tcb;
mod tokens;
mod uvm;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use serde_json::Value;
use time::OffsetDateTime;

pub use self::evidence::{Registered, Terms, Verified, compare, judge, registers, verify};
use crate::ccf_version::{CcfVersion, Feature};
use crate::check::{Checks, Verdict};
use crate::evidence::policy::Review;
use crate::evidence::recognise::Evidence;
use crate::proposal::catalogue::{Catalogue, Template};
use crate::proposal::{Action, Proposal, ProposalError};

/// What a rule looks at.
struct Subject<'a> {
    proposal: &'a Proposal,
    /// What can be proposed, as far as is known.
    catalogue: &'a Catalogue,
    /// The version of CCF that the service runs, if it is known.
    version: Option<CcfVersion>,
    /// The time by which certificates are judged.
    now: OffsetDateTime,
    /// What the proposal is held against, if it is.
    evidence: Option<&'a [Evidence]>,
    /// The actions that may stand beside the values.
    also: Option<&'a BTreeSet<String>>,
    /// What a person calls the only action, if that is no proposal's, but a value that is registered.
    title: Option<String>,
    /// The security policies, each read once.
    policies: OnceCell<Vec<(String, Review)>>,
}

/// What a rule found.
type Finding = (Verdict, String);

/// One rule: `None` if the proposal has nothing that it concerns, else what it found.
struct Rule {
    name: &'static str,
    passes: &'static str,
    when: When,
    check: Check,
}

type Check = fn(&Subject<'_>) -> Option<Vec<Finding>>;

/// When a rule is looked at.
#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Without evidence: how the proposal is written, and what its other actions do. Evidence answers for values alone.
    Lint,
    /// With evidence or without: what is registered.
    Always,
    /// With evidence: what it cannot answer for.
    Evidence,
}

const fn lints(name: &'static str, passes: &'static str, check: Check) -> Rule {
    Rule { name, passes, when: When::Lint, check }
}

const fn always(name: &'static str, passes: &'static str, check: Check) -> Rule {
    Rule { name, passes, when: When::Always, check }
}

const fn with_evidence(name: &'static str, check: Check) -> Rule {
    Rule { name, passes: "", when: When::Evidence, check }
}

const RULES: &[Rule] = &[
    lints("shape", "a list of actions, and nothing else", form::shape),
    lints("numbers", "every number is read alike by all readers", form::numbers),
    lints("no-private-key", "it contains no private key", form::no_private_key),
    lints("known-actions", "CCF's own constitutions have every action", platform::known_actions),
    always("ccf-version", "that version of CCF has every action and argument", platform::ccf_version),
    lints("arguments", "every argument is there and of its type", form::arguments),
    lints("hex", "lowercase, and of the right length", form::hex),
    lints("times", "CCF reads every time as it is meant", form::times),
    lints("certificates", "every certificate and public key can be read", form::certificates),
    with_evidence("other-action", beside::other_actions),
    with_evidence("unknown-action", beside::unknown_actions),
    with_evidence("named-action", beside::named_actions),
    always("contradictions", "no two actions decide the same thing", meaning::contradictions),
    with_evidence("surplus", beside::surplus),
    with_evidence("deregisters", beside::deregisters),
    lints("drops", "no other open proposal is dropped", meaning::drops),
    lints("rules", "the service's rules stay as they are", meaning::rules),
    always("platform", "nothing is registered that proves nothing", platform::platform),
    always("host-data", "the SHA-256 of the security policy", host_data::host_data),
    always("policy-allow-all", "no policy admits everything", security_policy::allow_all),
    always("policy-contents", "raw Rego, with rules", security_policy::contents),
    always("uvm-svn", "decimal digits, of the type that the service takes", uvm::svn),
    always("uvm-did", "a did:x509 of a known issuer", uvm::did),
    always("uvm-feed", "the feed and the issuer belong together", uvm::feed),
    always("snp-measurement", "consulted for nodes without a UVM endorsement", measurement::measurement),
    always("tcb", "the components of that processor, none at its largest number", tcb::tcb),
    always("tcb-hexstring", "the text and the components are the same", tcb::hexstring),
    with_evidence("tcb-removed", tcb::removed),
    lints("constitution", "compiles, and exports validate, resolve and apply", scripts::constitution),
    always("join-policy-script", "compiles, exports apply, and needs nothing but the language", scripts::join_policy),
    lints("application", "its modules compile, and its endpoints fit them", scripts::application),
    lints("token-issuer", "its settings fit together", tokens::issuer),
    lints("token-keys", "nodes take every key, and verify tokens by it", tokens::keys),
    lints("ca-bundle", "certificates of root authorities, in date", tokens::ca_bundle),
    lints("members", "no member is removed, and no threshold is lowered to one", meaning::members),
];

/// Checks a proposal's bytes by every rule that concerns it; its actions are those of the `catalogue`, `version` is the service's, if it is known, and certificates are
/// judged by the time `now`.
///
/// What is not JSON, or not a proposal, fails; the other rules then have nothing to look at.
pub fn lint(bytes: &[u8], catalogue: &Catalogue, version: Option<CcfVersion>, now: OffsetDateTime) -> Checks {
    let mut checks = Checks::new();
    let json = "strict JSON: UTF-8, no key twice, nothing after it";
    let proposal = match Proposal::parse(bytes) {
        Ok(proposal) => proposal,
        Err(ProposalError::Json(error)) => {
            let cause = std::error::Error::source(&error).map(|c| format!(": {c}")).unwrap_or_default();
            checks.fail("json", format!("{error}{cause}"));
            return checks;
        }
        Err(error) => {
            checks.pass("json", json);
            checks.fail("shape", error.to_string());
            return checks;
        }
    };
    checks.pass("json", json);
    checks.append(lint_proposal(&proposal, catalogue, version, now));
    checks
}

/// Checks a proposal that has been read.
pub fn lint_proposal(
    proposal: &Proposal,
    catalogue: &Catalogue,
    version: Option<CcfVersion>,
    now: OffsetDateTime,
) -> Checks {
    Subject::new(proposal, catalogue, version, now).checks()
}

/// Why a proposal with these findings is kept back: the first rule that fails. Warnings and open questions keep none back.
pub fn keeps_back(found: &Checks) -> Option<&crate::check::Check> {
    found.iter().find(|check| check.verdict == Verdict::Fail)
}

impl<'a> Subject<'a> {
    /// A proposal without evidence.
    fn new(proposal: &'a Proposal, catalogue: &'a Catalogue, version: Option<CcfVersion>, now: OffsetDateTime) -> Self {
        let (evidence, also, title, policies) = (None, None, None, OnceCell::new());
        Self { proposal, catalogue, version, now, evidence, also, title, policies }
    }

    /// What every rule that is to be looked at finds.
    fn checks(&self) -> Checks {
        let mut checks = Checks::new();
        for rule in RULES.iter().filter(|rule| self.is_concerned(rule.when)) {
            match (rule.check)(self) {
                None => {}
                Some(found) if found.is_empty() && self.evidence.is_none() => checks.pass(rule.name, rule.passes),
                Some(found) => found.into_iter().for_each(|(verdict, detail)| checks.push(rule.name, verdict, detail)),
            }
        }
        checks
    }

    fn is_concerned(&self, when: When) -> bool {
        match when {
            When::Lint => self.evidence.is_none(),
            When::Always => true,
            When::Evidence => self.evidence.is_some() && self.title.is_none(),
        }
    }

    /// The evidence; nothing, if none was given.
    fn given(&self) -> &'a [Evidence] {
        self.evidence.unwrap_or_default()
    }

    /// The actions, each with its place, for a person, and its template.
    fn actions(&self) -> impl Iterator<Item = (String, &'a Action, Option<&'a Template>)> {
        let numbered = self.proposal.actions().iter().enumerate();
        let title = |at, action: &Action| self.title.clone().unwrap_or_else(|| action.title(at));
        numbered.map(move |(at, action)| (title(at, action), action, self.catalogue.find(&action.name)))
    }

    /// The actions of these names.
    fn named(&self, names: &'static [&'static str]) -> impl Iterator<Item = (String, &'a Action)> {
        let named = self.actions().filter(move |(_, action, _)| names.contains(&action.name.as_str()));
        named.map(|(at, action, _)| (at, action))
    }

    /// What `check` finds in the actions of these names; `None` if there are none.
    fn each(
        &self,
        names: &'static [&'static str],
        mut check: impl FnMut(&Action, &mut dyn FnMut(Verdict, String)),
    ) -> Option<Vec<Finding>> {
        let mut actions = self.named(names).peekable();
        actions.peek()?;
        let mut found = Vec::new();
        for (at, action) in actions {
            check(action, &mut |verdict, detail| found.push((verdict, format!("{at}: {detail}"))));
        }
        Some(found)
    }
}

impl Subject<'_> {
    /// What constitutions refuse in versions that have `rule`: a failure there, and a warning where that is not known.
    fn strict(&self, rule: Feature, text: String) -> Finding {
        if self.version.is_some_and(|version| version.has(rule).is_yes()) {
            return (Verdict::Fail, text);
        }
        let since = rule.since().unwrap_or_default();
        (Verdict::Warn, format!("{text}; CCF {} and later refuse it", since.trim_start_matches("≤ ")))
    }
}

/// What kind of JSON a value is, for a person.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
