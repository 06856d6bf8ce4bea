//! The least TCB of SNP nodes, against the reports of nodes that are to go on running.

use serde_json::Value;

use super::Kind;
use super::comparison::Comparison;
use crate::evidence::snp::tcb::{Cpuid, MinimumTcb, TcbVersion};
use crate::proposal::Action;

impl Comparison<'_> {
    pub(super) fn minimum_tcb(&mut self, action: &Action) {
        let cpuid = match action.text("cpuid").map(str::parse::<Cpuid>) {
            Some(Ok(cpuid)) => cpuid,
            Some(Err(error)) => {
                return self.malformed(action, action.text("cpuid").unwrap_or_default(), error.to_string());
            }
            None => return self.malformed(action, "", "it has no text cpuid".into()),
        };
        let Some(product) = cpuid.product() else {
            return self.malformed(action, &cpuid.to_string(), "no processor that CCF knows has this cpuid".into());
        };
        let written = action.arg("tcb_version").cloned().unwrap_or(Value::Null);
        let version = written.as_str().and_then(TcbVersion::from_hex);
        let minimum = match (&written, version) {
            (Value::String(_), Some(version)) => MinimumTcb::of(version.components(product)),
            (Value::Object(_), _) => match MinimumTcb::from_json(&written) {
                Ok(minimum) => minimum,
                Err(error) => return self.malformed(action, &written.to_string(), error.to_string()),
            },
            _ => {
                return self.malformed(
                    action,
                    &written.to_string(),
                    "its tcb_version is neither 16 hexadecimal digits nor an object".into(),
                );
            }
        };
        let reports: Vec<(String, TcbVersion)> = self
            .evidence
            .iter()
            .filter_map(|e| match &e.kind {
                Kind::Report { report, valid: true, .. } if report.product() == Some(product) => {
                    Some((e.name.clone(), report.reported_tcb()))
                }
                _ => None,
            })
            .collect();
        let mut locked_out = None;
        for (name, tcb) in &reports {
            let refusals = minimum.refusals(&tcb.components(product));
            if !refusals.is_empty() {
                let reversed = version.is_some_and(|v| v.reversed() == *tcb);
                let why = if reversed { "its bytes stand in reverse order".into() } else { refusals.join("; ") };
                locked_out = Some(format!("the node of {name} reports {tcb} and would be refused: {why}"));
            }
        }
        let backed =
            if locked_out.is_some() { Vec::new() } else { reports.into_iter().map(|(name, _)| name).collect() };
        self.settle(action, format!("{cpuid} ({product}) {written}"), backed, locked_out);
    }
}
