//! What a service admits, and whether it would let a node join, as CCF decides it.

use super::report::Report;
use super::uvm::{TrustedUvm, UvmEndorsement};
use crate::ccf_version::{CcfVersion, SvnOrder};
use crate::check::Checks;
use crate::digest::{HostData, SnpMeasurement};
use crate::processor::{Cpuid, Product};
use crate::service::JoinPolicy;
use crate::tcb::{MinimumTcb, TcbError};

/// What a service admits of SNP nodes, as its tables hold it: its join policy, read.
#[derive(Clone, Debug, Default)]
pub struct Admission {
    /// `snp.measurements`; not consulted for a node that shows a UVM endorsement.
    pub measurements: Vec<SnpMeasurement>,
    /// `snp.host_data`.
    pub host_data: Vec<HostData>,
    /// `snp.uvm_endorsements`.
    pub uvm: Vec<TrustedUvm>,
    /// `snp.tcb_versions`: each cpuid as the table spells it, and what is wrong with an entry that cannot be read.
    pub minimum_tcb: Vec<(String, Result<MinimumTcb, TcbError>)>,
}

impl Admission {
    /// What this join policy admits. What of it cannot be read admits nobody, and is never passed over.
    pub fn of(policy: &JoinPolicy) -> Self {
        let snp = &policy.snp;
        let uvm = snp.uvm_endorsements.iter().filter(|entry| entry.has_feed()).map(|entry| TrustedUvm {
            did: entry.did.clone(),
            feed: entry.feed.clone(),
            svn: entry.svn.clone().unwrap_or_default(),
        });
        let tcb = snp.tcb_versions.iter().map(|(cpuid, entry)| (cpuid.clone(), entry.minimum.clone()));
        Self {
            // Texts that are not in CCF's form never match, so they admit nobody.
            measurements: snp.measurements.iter().filter_map(|m| m.parse().ok()).collect(),
            host_data: snp.host_data.keys().filter_map(|h| h.parse().ok()).collect(),
            uvm: uvm.collect(),
            minimum_tcb: tcb.collect(),
        }
    }

    /// Checks that a service of version `ccf` with this policy lets the node with this report join.
    pub fn check(
        &self,
        report: &Report,
        uvm: &[&UvmEndorsement],
        product: Option<Product>,
        ccf: Option<CcfVersion>,
        checks: &mut Checks,
    ) {
        let order = ccf.map_or(SvnOrder::Integer, CcfVersion::svn_order);
        let host_data = report.host_data();
        let admitted = self.host_data.contains(&host_data);
        let detail = format!("{host_data} is {} by the service", if admitted { "admitted" } else { "not admitted" });
        checks.require("policy-host-data", admitted, detail);
        let measurement = report.measurement();
        // A node that shows an endorsement is admitted through it alone; of two, nobody can tell which it shows.
        for uvm in uvm {
            uvm.check_trusted(&self.uvm, order, checks);
        }
        if uvm.is_empty() {
            let admitted = self.measurements.contains(&measurement);
            let detail =
                format!("{measurement} is {} by the service", if admitted { "admitted" } else { "not admitted" });
            checks.require("policy-measurement", admitted, detail);
        }
        if ccf.is_none_or(CcfVersion::wants_minimum_tcb) || !self.minimum_tcb.is_empty() {
            self.check_minimum_tcb(report, product, ccf, checks);
        }
    }

    /// Since 6.0 a node needs an entry for its cpuid; there is no default, and an empty table admits nobody.
    fn check_minimum_tcb(
        &self,
        report: &Report,
        product: Option<Product>,
        ccf: Option<CcfVersion>,
        checks: &mut Checks,
    ) {
        const NAME: &str = "policy-minimum-tcb";
        let (Some(cpuid), Some(product)) = (report.cpuid(), product) else {
            return checks.incomplete(NAME, "the report does not state its cpuid");
        };
        let own = cpuid.to_string();
        match self.minimum_tcb.iter().find(|(key, _)| key.eq_ignore_ascii_case(&own)) {
            Some((_, Ok(minimum))) => minimum.check(NAME, &report.reported_tcb().components(product), checks),
            Some((_, Err(error))) => {
                checks.fail(NAME, format!("no node can meet what the service has for cpuid {own}: {error}"));
            }
            None if ccf.is_none() && self.minimum_tcb.is_empty() => checks.incomplete(
                NAME,
                "the service has no minimum TCB: from CCF 6 on no SNP node can join so, and its version is not known",
            ),
            None => checks.fail(NAME, format!("the service has no minimum TCB for cpuid {own}: it cannot join")),
        }
        for (key, _) in self.minimum_tcb.iter().filter(|(key, _)| key.to_ascii_lowercase().parse::<Cpuid>().is_err()) {
            checks.incomplete(
                NAME,
                format!("the service has an entry for {key:?}, which is not a cpuid, and may stop at it"),
            );
        }
    }
}
