//! What a change of a table means, in words.

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{shown_key, shown_value};
use crate::constitution::Effect;
use crate::cose::MemberCertificate;
use crate::evidence::policy::{Review, difference};
use crate::kv::row::rows;
use crate::kv::{Change, Tables, table};
use crate::review::Diff;
use crate::text::{clip, excerpt, visible};

/// With so many registered policies a new one is compared, to find the most similar.
const MOST_POLICIES: usize = 16;
/// The longest value that is shown whole.
const LONG: usize = 300;

/// A line or more for each change, at most `limit` for a changed text; what is not known in words is given as JSON. `tables` are those
/// before or after, for names.
pub fn changes_in_words(changes: &[Change], tables: &Tables, limit: usize) -> Vec<String> {
    let policies = policies(changes, tables);
    changes.iter().flat_map(|change| in_words(change, tables, &policies, limit)).collect()
}

/// What the service does beside its tables, in words.
pub fn effect_in_words(effect: &Effect) -> String {
    match effect {
        Effect::TriggerLedgerRekey => "the ledger gets a new secret (rekey)".into(),
        Effect::TransitionServiceToOpen { previous: None, .. } => "the service opens for its users".into(),
        Effect::TransitionServiceToOpen { previous: Some(_), .. } => {
            "the recovery of the service goes on: members submit their recovery shares".into()
        }
        Effect::TriggerRecoverySharesRefresh => "every member with an encryption key gets a new recovery share".into(),
        Effect::TriggerLedgerChunk => "a ledger chunk ends at the next signature".into(),
        Effect::TriggerSnapshot => "the primary makes a snapshot".into(),
        Effect::ShuffleSealedShares => "the sealed shares of the ledger secret are made anew".into(),
        Effect::RefreshAppBytecodeCache => "the application is compiled".into(),
        Effect::SetJwtPublicSigningKeys { issuer, .. } => {
            format!("the keys of token issuer {} are set", visible(issuer))
        }
        Effect::RemoveJwtPublicSigningKeys { issuer } => {
            format!("the keys of token issuer {} are removed", visible(issuer))
        }
    }
}

fn in_words(change: &Change, tables: &Tables, policies: &[Policy], limit: usize) -> Vec<String> {
    let key = visible(&shown_key(&change.key));
    let (before, after) = (change.before.as_deref().map(shown_value), change.after.as_deref().map(shown_value));
    let line = match change.table.as_str() {
        table::NODE_INFO => status(&format!("node {key}"), before.as_ref(), after.as_ref()),
        table::MEMBER_INFO => status(&format!("member {}", member(&key, tables)), before.as_ref(), after.as_ref()),
        table::PROPOSALS_INFO => return proposal(&key, before.as_ref(), after.as_ref()),
        table::PROPOSALS => return Vec::new(),
        table::NODE_ENDORSED_CERTS => certificate(&format!("node {key}"), after.as_ref()),
        table::MEMBER_CERTS => had(&format!("member {}", member(&key, tables)), "certificate", change),
        table::MEMBER_ENCRYPTION_KEYS => had(&format!("member {}", member(&key, tables)), "encryption key", change),
        table::MEMBER_ACKS => had(&format!("member {}", member(&key, tables)), "acknowledgement", change),
        table::USER_CERTS => had(&format!("user {key}"), "certificate", change),
        table::USER_INFO => fields(&format!("user {key}"), before.as_ref(), after.as_ref()),
        table::VIRTUAL_HOST_DATA => joins("virtual host data", &key, change),
        table::VIRTUAL_MEASUREMENTS => joins("virtual measurement", &key, change),
        table::SNP_MEASUREMENTS => joins("SNP measurement", &key, change),
        table::NODE_CODE_IDS => joins("SGX measurement (MRENCLAVE)", &key, change),
        table::SNP_HOST_DATA => return host_data(&key, change, policies, limit),
        table::SNP_UVM_ENDORSEMENTS => fields(&format!("UVM endorsements of {key}"), before.as_ref(), after.as_ref()),
        table::SNP_TCB_VERSIONS => fields(&format!("minimum TCB of CPUID {key}"), before.as_ref(), after.as_ref()),
        table::SERVICE_INFO => fields("the service", before.as_ref(), after.as_ref()),
        table::SERVICE_CONFIG => fields("the service's configuration", before.as_ref(), after.as_ref()),
        table::JS_RUNTIME_OPTIONS => fields("limits of the application's scripts", before.as_ref(), after.as_ref()),
        table::JWT_ISSUERS => fields(&format!("token issuer {key}"), before.as_ref(), after.as_ref()),
        table::JWT_KEYS => fields(&format!("token key {key}"), before.as_ref(), after.as_ref()),
        table::CA_CERT_BUNDLES => had(&format!("CA bundle {key}"), "certificates", change),
        table::ENDPOINTS => fields(&format!("endpoint {key}"), before.as_ref(), after.as_ref()),
        table::CONSTITUTION => return text("the constitution", before.as_ref(), after.as_ref(), limit),
        table::MODULES => {
            let raw = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|b| Value::from(String::from_utf8_lossy(b)));
            return text(&format!("module {key}"), raw(&change.before).as_ref(), raw(&change.after).as_ref(), limit);
        }
        table::MODULES_BYTECODE | table::RECOVERY_SHARES => return Vec::new(),
        other => {
            let of = if key.is_empty() { String::new() } else { format!(" {key}") };
            fields(&format!("{}{of}", visible(other)), before.as_ref(), after.as_ref())
        }
    };
    vec![line]
}

/// A row with a status: what becomes of it, and what else differs.
fn status(what: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    let state = |row: Option<&Value>| row.and_then(|row| row.get("status")?.as_str()).map(visible);
    match (state(before), state(after)) {
        (Some(old), Some(new)) if old != new => {
            let others = differing(before, after).into_iter().filter(|name| name != "status").collect::<Vec<_>>();
            let others =
                if others.is_empty() { String::new() } else { format!(" (also changed: {})", others.join(", ")) };
            format!("{what}: {old} → {new}{others}")
        }
        (None, Some(new)) => format!("{what}: new, {new}"),
        (Some(old), None) => format!("{what}: removed (was {old})"),
        _ => fields(what, before, after),
    }
}

fn proposal(id: &str, before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let state = |row: Option<&Value>| row.and_then(|row| row.get("state")?.as_str()).map(visible);
    match (state(before), state(after)) {
        (Some(old), Some(new)) if old != new => vec![format!("proposal {id}: {old} → {new}")],
        _ => vec![fields(&format!("proposal {id}"), before, after)],
    }
}

fn certificate(what: &str, after: Option<&Value>) -> String {
    match after {
        Some(Value::String(text)) if text.starts_with('(') => {
            format!("{what}: {}", visible(text.trim_matches(['(', ')'])))
        }
        Some(_) => format!("{what}: another certificate"),
        None => format!("{what}: its certificate is removed"),
    }
}

fn had(whose: &str, what: &str, change: &Change) -> String {
    match (&change.before, &change.after) {
        (None, _) => format!("{whose}: {what} added"),
        (_, None) => format!("{whose}: {what} removed"),
        _ => format!("{whose}: {what} replaced"),
    }
}

fn joins(what: &str, value: &str, change: &Change) -> String {
    match (&change.before, &change.after) {
        (None, _) => format!("{what} {value} may join"),
        (_, None) => format!("{what} {value} may no longer join"),
        _ => format!("{what} {value} may join as before, and its entry changes"),
    }
}

/// A security policy that is registered, or was: its host data, and its text.
type Policy = (String, String);

/// The policies with which a new one is compared: none if there is no new one.
fn policies(changes: &[Change], tables: &Tables) -> Vec<Policy> {
    let of_host_data = || changes.iter().filter(|change| change.table == table::SNP_HOST_DATA);
    if of_host_data().all(|change| change.after.is_none()) {
        return Vec::new();
    }
    let registered = rows(tables, table::SNP_HOST_DATA).filter_map(|(key, row)| Some((key, row.as_str()?.to_owned())));
    let before = of_host_data().map(|change| (shown_key(&change.key), policy(change.before.as_deref())));
    let new: Vec<_> = of_host_data().filter(|c| c.before.is_none()).map(|c| shown_key(&c.key)).collect();
    let all: BTreeMap<String, String> = registered.chain(before).filter(|(key, _)| !new.contains(key)).collect();
    all.into_iter().filter(|(_, policy)| !policy.is_empty()).take(MOST_POLICIES).collect()
}

fn policy(row: Option<&[u8]>) -> String {
    row.and_then(|row| shown_value(row).as_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether host data may join, and in what its policy differs from the most similar of the others.
fn host_data(value: &str, change: &Change, policies: &[Policy], limit: usize) -> Vec<String> {
    let mut lines = vec![joins("SNP host data", value, change)];
    let (old, new) = (policy(change.before.as_deref()), policy(change.after.as_deref()));
    if change.after.is_none() || change.before.is_some() && old == new {
        return lines;
    }
    if new.is_empty() {
        lines.push("  | without its security policy".into());
        return lines;
    }
    let review = Review::of(new.as_bytes());
    let others = policies.iter().filter(|(key, _)| *key != shown_key(&change.key));
    let compared = others.map(|(key, other)| (difference(&Review::of(other.as_bytes()), &review), key, other));
    let Some((words, key, other)) = compared.min_by_key(|(words, ..)| words.len()) else {
        let containers = review.containers.len();
        lines.push(format!(
            "  | its security policy admits {}: see `ccf-gov policy show`",
            count(containers, "container")
        ));
        return lines;
    };
    lines.push(format!("  | its security policy, beside that of {}:", visible(key)));
    if words.is_empty() {
        let texts = Diff::between(other, &new).title();
        lines.push(format!("  |   nothing differs of what was read in them; as texts: {texts}"));
    }
    let longest = if limit == usize::MAX { usize::MAX } else { LONG };
    lines.extend(words.iter().take(limit).map(|line| format!("  |   {}", excerpt(line, longest))));
    if words.len() > limit {
        lines.push(format!("  |   and {} more", count(words.len() - limit, "difference")));
    }
    lines
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn text(what: &str, before: Option<&Value>, after: Option<&Value>, limit: usize) -> Vec<String> {
    let of = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
    let diff = Diff::between(&of(before), &of(after));
    let head = match (before, after) {
        (None, _) => format!("{what}: new, {} bytes", of(after).len()),
        (_, None) => format!("{what}: removed"),
        _ => format!("{what}: {}", diff.title()),
    };
    let lines = diff.lines(limit).into_iter().map(|line| format!("  | {line}"));
    let shown = before.is_some() && after.is_some();
    [head].into_iter().chain(lines.filter(|_| shown)).collect()
}

/// A row of named values: each that differs.
fn fields(what: &str, before: Option<&Value>, after: Option<&Value>) -> String {
    match (before, after) {
        (None, Some(new)) => format!("{what}: new, {}", short(new)),
        (Some(old), None) => format!("{what}: removed (was {})", short(old)),
        (Some(Value::Object(_)), Some(Value::Object(_))) => {
            let of =
                |row: Option<&Value>, name: &str| row.and_then(|row| row.get(name)).map_or("nothing".into(), short);
            let names = differing(before, after);
            let each = names.iter().map(|name| format!("{} {} → {}", visible(name), of(before, name), of(after, name)));
            format!("{what}: {}", each.collect::<Vec<_>>().join("; "))
        }
        (Some(old), Some(new)) => format!("{what}: {} → {}", short(old), short(new)),
        (None, None) => what.to_owned(),
    }
}

/// The names of the values that differ between two rows.
fn differing(before: Option<&Value>, after: Option<&Value>) -> Vec<String> {
    let keys = |row: Option<&Value>| {
        row.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    let mut names = keys(before);
    names.extend(keys(after));
    names.sort();
    names.dedup();
    let of = |row: Option<&Value>, name: &str| row.and_then(|row| row.get(name)).cloned();
    names.retain(|name| of(before, name) != of(after, name));
    names
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    let start = clip(&text, LONG);
    if start.len() < text.len() { format!("{}… ({} bytes)", visible(&start), text.len()) } else { visible(&text) }
}

/// The name in the certificate of member `id`, fit to be shown.
pub fn name_of(id: &str, tables: &Tables) -> Option<String> {
    let certificate = MemberCertificate::from_pem(tables.get(table::MEMBER_CERTS, id.as_bytes())?).ok()?;
    certificate.common_name().map(visible)
}

/// A member's id, with its name.
fn member(id: &str, tables: &Tables) -> String {
    name_of(id, tables).map_or_else(|| id.to_owned(), |name| format!("{id} ({name})"))
}
