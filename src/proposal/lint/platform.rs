//! Rules about which service could take the proposal.

use super::{Finding, Subject};
use crate::evidence::check::Verdict::{Fail, Warn};
use crate::evidence::snp::version::CcfVersion;
use crate::proposal::catalogue::{self, Platform, nearest};

/// Actions that CCF's own constitutions have.
pub fn known_actions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let unknown = subject.actions().filter(|(_, _, template)| template.is_none()).map(|(at, action, _)| {
        let near = nearest(&action.name, catalogue::all().iter().map(|t| t.name));
        let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
        (Warn, format!("{at}: only a constitution of its own has it, so nothing about it was checked{near}"))
    });
    Some(unknown.collect())
}

/// Actions and arguments that the service's version has.
pub fn ccf_version(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = Vec::new();
    for (at, action, template) in subject.actions() {
        let Some(template) = template else { continue };
        let whole = (String::new(), template.since.as_deref(), template.removed.as_deref());
        let given = template.parameters.iter().filter(|p| action.arg(&p.name).is_some());
        let parts = given.map(|p| (format!(" {}", p.name), p.since.as_deref(), p.removed.as_deref()));
        for (what, since, removed) in std::iter::once(whole).chain(parts) {
            found.extend(
                availability(subject.version, since, removed).map(|(v, text)| (v, format!("{at}:{what} {text}"))),
            );
        }
    }
    (subject.version.is_some() || !found.is_empty()).then_some(found)
}

fn availability(version: Option<CcfVersion>, since: Option<&str>, removed: Option<&str>) -> Option<Finding> {
    match version {
        Some(version) => {
            let early = since.is_some_and(|since| version < parse(since));
            let late = removed.is_some_and(|removed| version >= parse(removed));
            let text = match (early, late) {
                (true, _) => format!("came with CCF {}", since.unwrap_or_default()),
                (_, true) => format!("was removed from CCF {}", removed.unwrap_or_default()),
                _ => return None,
            };
            Some((Fail, format!("{text}, and the service runs {version}")))
        }
        None => removed.map(|removed| (Warn, format!("was removed from CCF {removed}"))),
    }
}

/// A version of the catalogue: two or three numbers.
fn parse(text: &str) -> CcfVersion {
    let mut numbers = text.split('.').map(|n| n.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    CcfVersion::new(next(), next(), next())
}

/// Registrations that prove nothing, or that no node can meet.
pub fn platform(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let registers = |name: &str| name.starts_with("add_") || name.starts_with("set_");
    let mut found = Vec::new();
    let mut any = false;
    for (at, action, template) in subject.actions() {
        let Some(platform) = template.and_then(|t| t.platform).filter(|_| registers(&action.name)) else { continue };
        any = true;
        match platform {
            Platform::Virtual => found.push((
                Warn,
                format!("{at}: virtual nodes prove nothing; on a production service this lets anybody's node join"),
            )),
            Platform::Sgx if subject.version.is_some_and(|v| v.major >= 6) => {
                found.push((Fail, format!("{at}: CCF 6 and later have no SGX nodes")));
            }
            Platform::Sgx => found.push((Warn, format!("{at}: SGX nodes exist up to CCF 5 only"))),
            Platform::Snp => {}
        }
    }
    any.then_some(found)
}
