//! The least TCB of SNP nodes, against the reports of nodes that are to go on running.

use serde_json::Value;

use super::comparison::Comparison;
use crate::ccf_version::{Answer, Feature};
use crate::evidence::recognise::EvidenceKind;
use crate::evidence::snp::report::Report;
use crate::processor::{Cpuid, Product};
use crate::proposal::Action;
use crate::tcb::minimum::MinimumTcb;
use crate::tcb::{Tcb, TcbVersion};

impl Comparison<'_> {
    pub(super) fn minimum_tcb(&mut self, action: &Action) {
        let Some((cpuid, product)) = self.cpuid(action) else { return };
        let written = action.arg("tcb_version").cloned().unwrap_or(Value::Null);
        let is_hex = action.name.ends_with("_hex");
        let read = match &written {
            Value::String(text) if is_hex => match TcbVersion::from_hex(text) {
                Some(_) if text.bytes().any(|b| b.is_ascii_uppercase()) => {
                    Err("its tcb_version has uppercase digits, and the constitution takes lowercase ones".to_owned())
                }
                Some(version) if version.sets_reserved(product) && version.meant(product).is_none() => {
                    Err(format!("it has values where a {product} has no component"))
                }
                Some(version) => Ok(MinimumTcb::of(version.components(product))),
                None => Err("its tcb_version is not 16 hexadecimal digits, the highest byte first".to_owned()),
            },
            Value::Object(_) if !is_hex => MinimumTcb::from_json(&written).map_err(|error| error.to_string()),
            _ if is_hex => Err("its tcb_version is no text; the action without _hex takes an object".to_owned()),
            _ => Err("its tcb_version is no object; the action with _hex takes 16 hexadecimal digits".to_owned()),
        };
        let minimum = match read {
            Ok(minimum) => minimum,
            Err(why) => return self.malformed(action, &shown(cpuid, product, &written), why),
        };
        let as_written = written.as_str().and_then(TcbVersion::from_hex);
        let (backed, mistake) = self.compare_tcb(cpuid, product, &minimum, as_written);
        let backed = if mistake.is_some() { Vec::new() } else { backed };
        if !backed.is_empty() {
            self.tcb_below_reports(cpuid, product, &minimum);
        }
        self.settle(action, shown(cpuid, product, &written), backed, mistake);
        self.tcb_contents(cpuid, product, &minimum);
    }

    /// Deregistering an entry is about the nodes with that processor, which a report shows.
    pub(super) fn remove_minimum_tcb(&mut self, action: &Action) {
        let Some((cpuid, product)) = self.cpuid(action) else { return };
        let backed = self.backing(|kind| reported(kind).is_some_and(|report| report.cpuid() == Some(cpuid)));
        self.settle(action, format!("{cpuid} ({product})"), backed, None);
        self.checks.warn(
            "tcb-removed",
            format!("{cpuid}: without an entry no {product} of this cpuid can join; CCF 6 and later have no default"),
        );
    }

    fn cpuid(&mut self, action: &Action) -> Option<(Cpuid, Product)> {
        let Some(written) = action.text("cpuid") else {
            self.malformed(action, "", "it has no text cpuid".into());
            return None;
        };
        let cpuid = match written.parse::<Cpuid>() {
            Ok(cpuid) => cpuid,
            Err(error) => {
                self.malformed(action, written, error.to_string());
                return None;
            }
        };
        let known = cpuid.product();
        if known.is_none() {
            let reversed = Cpuid(cpuid.0.swap_bytes());
            let why = match reversed.product() {
                Some(product) => format!("its bytes stand in reverse order: {reversed} is a {product}"),
                None => "no processor that CCF knows has this cpuid".into(),
            };
            self.malformed(action, written, why);
        }
        known.map(|product| (cpuid, product))
    }

    /// The reports that back a minimum, and the mistake in it, if there is one.
    fn compare_tcb(
        &self,
        cpuid: Cpuid,
        product: Product,
        minimum: &MinimumTcb,
        as_written: Option<TcbVersion>,
    ) -> (Vec<String>, Option<String>) {
        let newest =
            Tcb { fmc: product.has_fmc().then_some(255), boot_loader: 255, tee: 255, snp: 255, microcode: 255 };
        if let Some(refusal) = minimum.refusals(&newest).into_iter().next() {
            return (Vec::new(), Some(refusal));
        }
        let version = as_written.or(minimum.version(product));
        if let Some(meant) = version.and_then(|version| version.meant(product)) {
            return (Vec::new(), Some(format!("its bytes stand in reverse order: was {meant} meant?")));
        }
        let reports = self.evidence.iter().filter_map(|e| reported(&e.kind).map(|report| (&e.name, report)));
        let (mut backed, mut mistake) = (Vec::new(), None);
        for (name, report) in reports {
            let tcb = report.reported_tcb();
            let refusals = minimum.refusals(&tcb.components(product));
            match report.cpuid() {
                Some(own) if own == cpuid && refusals.is_empty() => backed.push(name.clone()),
                Some(own) if own == cpuid => {
                    let reversed = version.is_some_and(|version| version.reversed() == tcb);
                    let why = if reversed { "its bytes stand in reverse order".into() } else { refusals.join("; ") };
                    return (Vec::new(), Some(format!("the node of {name} reports {tcb} and would be refused: {why}")));
                }
                Some(own) if own.product() == Some(product) => {
                    mistake = Some(format!("the report {name} is of cpuid {own}: CCF wants an entry for exactly that"));
                }
                _ => {}
            }
        }
        let unreachable = minimum.unreachable();
        let beyond = (!unreachable.is_empty())
            .then(|| format!("{} at 255, which no firmware has: no {product} node could join", unreachable.join(", ")));
        let mistake = if backed.is_empty() { mistake.or(beyond) } else { None };
        (backed, mistake)
    }

    /// What lies between the minimum and the oldest node that is known: firmware that no node runs, and that may join.
    fn tcb_below_reports(&mut self, cpuid: Cpuid, product: Product, minimum: &MinimumTcb) {
        let known = self.evidence.iter().filter_map(|e| reported(&e.kind)).filter(|r| r.cpuid() == Some(cpuid));
        let known: Vec<Tcb> = known.map(|report| report.reported_tcb().components(product)).collect();
        let component = |of: fn(&Tcb) -> Option<u8>| known.iter().filter_map(of).min();
        let components = [
            ("fmc", component(|t| t.fmc), minimum.fmc),
            ("boot_loader", component(|t| Some(t.boot_loader)), minimum.boot_loader),
            ("tee", component(|t| Some(t.tee)), minimum.tee),
            ("snp", component(|t| Some(t.snp)), minimum.snp),
            ("microcode", component(|t| Some(t.microcode)), minimum.microcode),
        ];
        let below = components.into_iter().filter_map(|(name, reported, minimum)| {
            let (reported, minimum) = reported.zip(minimum).filter(|(reported, minimum)| minimum < reported)?;
            Some(format!("{name} {minimum} where the nodes report {reported}"))
        });
        let below: Vec<String> = below.collect();
        if !below.is_empty() {
            let detail = format!("{cpuid}: older firmware than that of the reports may join: {}", below.join(", "));
            self.checks.warn("tcb-below-report", detail);
        }
    }

    fn tcb_contents(&mut self, cpuid: Cpuid, product: Product, minimum: &MinimumTcb) {
        if product == Product::Turin {
            let since = Feature::SnpTurin.since().unwrap_or_default();
            match self.ccf.map(|ccf| (ccf, ccf.has(Feature::SnpTurin))) {
                _ if !cpuid.is_turin_of_ccf() => self.checks.fail(
                    "tcb-product",
                    format!("{cpuid}: no node matches it, for CCF knows Turin as 00b00f21 (nodes of CCF before 7.0.0-dev13 registered this)"),
                ),
                Some((_, Answer::Yes)) => {}
                Some((ccf, Answer::No)) => {
                    self.checks.fail("tcb-product", format!("{cpuid}: CCF {ccf} trusts no root for Turin: no such node can join"));
                }
                Some((_, Answer::Unknown(doubt))) => self.checks.incomplete("tcb-product", format!("{cpuid}: {doubt}")),
                None => self.warn_once("tcb-product", format!("{cpuid}: nodes on Turin can join from CCF {since} on")),
            }
        }
        let Some(version) = minimum.version(product) else { return };
        if version.0 == 0 {
            self.checks.warn("tcb-zero", format!("{cpuid}: every component is 0, so any firmware is admitted"));
        }
        if let Some(text) = minimum.hexstring.as_deref().filter(|text| TcbVersion::from_hex(text) != Some(version)) {
            let text: String = text.chars().take(40).collect();
            self.checks.warn(
                "tcb-hexstring",
                format!("{cpuid}: hexstring says {text:?} and the components {version}; CCF compares the components"),
            );
        }
    }
}

fn reported(kind: &EvidenceKind) -> Option<&Report> {
    match kind {
        EvidenceKind::Report { report, valid: true, .. } => Some(report),
        _ => None,
    }
}

fn shown(cpuid: Cpuid, product: Product, written: &Value) -> String {
    format!("{cpuid} ({product}) {written}")
}
