//! What can be checked of a proposal with nothing but the proposal: the mistakes that people make.
//!
//! `RULES` lists the rules in order. A rule that has nothing to look at is left out; one that finds nothing passes.

mod form;
mod meaning;
mod platform;
mod scripts;
mod snp;
mod tokens;

use serde_json::Value;
use time::OffsetDateTime;

use crate::ccf_version::{CcfVersion, Feature};
use crate::check::{Checks, Verdict};
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
}

/// What a rule found.
type Finding = (Verdict, String);

/// One rule: `None` if the proposal has nothing that it concerns, else what it found.
struct Rule {
    name: &'static str,
    passes: &'static str,
    check: fn(&Subject<'_>) -> Option<Vec<Finding>>,
}

const RULES: &[Rule] = &[
    Rule { name: "shape", passes: "a list of actions, and nothing else", check: form::shape },
    Rule { name: "numbers", passes: "every number is read alike by all readers", check: form::numbers },
    Rule { name: "no-private-key", passes: "no private key stands in it", check: form::no_private_key },
    Rule { name: "known-actions", passes: "CCF's own constitutions have every action", check: platform::known_actions },
    Rule {
        name: "ccf-version",
        passes: "that version of CCF has every action and argument",
        check: platform::ccf_version,
    },
    Rule { name: "arguments", passes: "every argument is there and of its type", check: form::arguments },
    Rule { name: "hex", passes: "lowercase, and of the right length", check: form::hex },
    Rule { name: "times", passes: "CCF reads every time as it is meant", check: form::times },
    Rule { name: "certificates", passes: "every certificate and public key can be read", check: form::certificates },
    Rule { name: "contradictions", passes: "no two actions decide the same thing", check: meaning::contradictions },
    Rule { name: "drops", passes: "no other open proposal is dropped", check: meaning::drops },
    Rule { name: "rules", passes: "the service's rules stay as they are", check: meaning::rules },
    Rule { name: "platform", passes: "nothing is registered that proves nothing", check: platform::platform },
    Rule { name: "host-data", passes: "the SHA-256 of the security policy", check: snp::host_data },
    Rule { name: "security-policy", passes: "raw Rego, with rules", check: snp::security_policy },
    Rule { name: "uvm-svn", passes: "decimal digits, of the type that the service takes", check: snp::uvm_svn },
    Rule { name: "uvm-did", passes: "a did:x509 of a known issuer", check: snp::uvm_did },
    Rule { name: "uvm-feed", passes: "the feed and the issuer belong together", check: snp::uvm_feed },
    Rule { name: "snp-measurement", passes: "consulted for nodes without a UVM endorsement", check: snp::measurement },
    Rule { name: "tcb", passes: "the components of that processor, none at its largest number", check: snp::tcb },
    Rule {
        name: "constitution",
        passes: "compiles, and exports validate, resolve and apply",
        check: scripts::constitution,
    },
    Rule {
        name: "join-policy-script",
        passes: "compiles, exports apply, and needs nothing but the language",
        check: scripts::join_policy,
    },
    Rule {
        name: "application",
        passes: "its modules compile, and its endpoints fit them",
        check: scripts::application,
    },
    Rule { name: "token-issuer", passes: "its settings fit together", check: tokens::issuer },
    Rule { name: "token-keys", passes: "nodes take every key, and verify tokens by it", check: tokens::keys },
    Rule { name: "ca-bundle", passes: "certificates of root authorities, in date", check: tokens::ca_bundle },
    Rule {
        name: "members",
        passes: "no member is removed, and no threshold is lowered to one",
        check: meaning::members,
    },
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
    let mut checks = Checks::new();
    let subject = Subject { proposal, catalogue, version, now };
    for rule in RULES {
        match (rule.check)(&subject) {
            None => {}
            Some(found) if found.is_empty() => checks.pass(rule.name, rule.passes),
            Some(found) => found.into_iter().for_each(|(verdict, detail)| checks.push(rule.name, verdict, detail)),
        }
    }
    checks
}

impl<'a> Subject<'a> {
    /// The actions, each with its place, for a person, and its template.
    fn actions(&self) -> impl Iterator<Item = (String, &'a Action, Option<&'a Template>)> {
        let numbered = self.proposal.actions().iter().enumerate();
        numbered.map(|(at, action)| (action.title(at), action, self.catalogue.find(&action.name)))
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
