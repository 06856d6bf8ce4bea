//! Rules about which service could take the proposal.

use super::{Finding, Subject};
use crate::ccf_version::{CcfVersion, Doubt, Feature, Support};
use crate::check::Verdict::{Fail, Pass, Warn};
use crate::platform::Platform;
use crate::proposal::catalogue::Source;

/// Actions that CCF's own constitutions have, or that a template of the user's describes.
pub(super) fn known_actions(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let others = subject.actions().filter_map(|(at, action, template)| match template.map(|t| &t.source) {
        Some(Source::BuiltIn) => None,
        Some(Source::File(file)) => {
            Some((Pass, format!("{at}: checked by a template of your own, {}", file.display())))
        }
        None => {
            let near = subject.catalogue.nearest(&action.name);
            let near = near.map(|n| format!("; did you mean {n}?")).unwrap_or_default();
            Some((Warn, format!("{at}: only a custom constitution has it, so nothing about it was checked{near}")))
        }
    });
    Some(others.collect())
}

/// Actions and arguments that the service's version has.
pub(super) fn ccf_version(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let mut found = Vec::new();
    // With evidence, the verdict says that by itself.
    let newer = subject.version.filter(|_| subject.evidence.is_none()).and_then(CcfVersion::newer_than_known);
    if let Some(doubt) = newer {
        found.push((Warn, format!("{doubt}: what it has added or removed is not checked")));
    }
    for (at, action, template) in subject.actions() {
        let Some(template) = template else { continue };
        let whole = (String::new(), template.feature);
        let given = template.parameters.iter().filter(|p| action.arg(&p.name).is_some());
        let parts = given.map(|p| (format!(" {}", p.name), p.feature));
        for (what, feature) in std::iter::once(whole).chain(parts) {
            let finding = feature.and_then(|feature| availability(subject.version, feature));
            found.extend(finding.map(|(verdict, text)| (verdict, format!("{at}:{what} {text}"))));
        }
    }
    (subject.version.is_some() || !found.is_empty()).then_some(found)
}

fn availability(version: Option<CcfVersion>, feature: Feature) -> Option<Finding> {
    let Some(version) = version else {
        return feature.removal().map(|removal| (Warn, removal));
    };
    match version.has(feature) {
        Support::Yes | Support::Unknown(Doubt::Newer { .. }) => None,
        Support::No => Some((Fail, format!("{}, and the service runs {version}", feature.absence(version)))),
        Support::Unknown(doubt) => Some((Warn, format!("may not be there: {doubt}"))),
    }
}

/// Registrations that prove nothing, or that no node can meet.
pub(super) fn platform(subject: &Subject<'_>) -> Option<Vec<Finding>> {
    let registers = |name: &str| name.starts_with("add_") || name.starts_with("set_");
    let mut found = Vec::new();
    let (mut any, mut warned) = (false, false);
    for (at, action, template) in subject.actions() {
        let Some(platform) = template.and_then(|t| t.platform).filter(|_| registers(&action.name)) else { continue };
        any = true;
        match platform {
            // With evidence, every value has a line of its own.
            Platform::Virtual if subject.evidence.is_some() && warned => {}
            Platform::Virtual => {
                warned = true;
                let text = "virtual nodes prove nothing; on a production service this lets anybody's node join";
                found.push((Warn, format!("{at}: {text}")));
            }
            Platform::Sgx if subject.version.is_some_and(|v| v.major >= 6) => {
                found.push((Fail, format!("{at}: CCF 6 and later have no SGX nodes")));
            }
            Platform::Sgx => found.push((Warn, format!("{at}: SGX nodes exist up to CCF 5 only"))),
            Platform::Snp => {}
        }
    }
    any.then_some(found)
}
