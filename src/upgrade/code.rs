//! Code that nodes run: what has to be registered for it to join, and which nodes run it.

use serde::Serialize;
use serde_json::{Value, json};

use crate::digest::HostData;
use crate::evidence::node::SnpValues;
use crate::evidence::virt::MEASUREMENT;
use crate::platform::Platform;
use crate::proposal::{Action, Registration};
use crate::service::JoinPolicy;
use crate::tcb::MinimumTcb;

/// Code, as a join policy names it.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// What it runs on.
    pub platform: Platform,
    /// What has to be registered for it to join, in the order in which it is proposed.
    pub values: Vec<CodeValue>,
}

/// One value by which code is known.
#[derive(Clone, Debug, PartialEq)]
pub struct CodeValue {
    /// What kind of value.
    pub kind: Registration,
    /// The arguments of the action that registers it.
    pub args: Value,
}

/// What a node runs, by its attestation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Running {
    /// What it runs on.
    pub platform: Platform,
    /// The host data, where the platform has them: hexadecimal.
    pub host_data: Option<String>,
    /// The launch measurement, the MRENCLAVE, or CCF's constant.
    pub measurement: String,
    /// Issuer, feed and security version of the endorsement of its utility VM, if it shows one.
    pub uvm: Option<RunningUvm>,
}

/// The endorsement that a node shows of its utility VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct RunningUvm {
    /// The issuer, a did:x509.
    pub did: String,
    /// The feed.
    pub feed: String,
    /// The security version, decimal digits.
    pub svn: String,
}

impl Running {
    /// What tells one code from another: the host data or, with SGX, the enclave's measurement.
    pub fn identity(&self) -> &str {
        self.host_data.as_deref().unwrap_or(&self.measurement)
    }
}

impl CodeValue {
    /// Which one of its kind it is, as a join policy names it.
    pub fn key(&self) -> String {
        self.kind.identity().iter().map(|argument| self.text(argument)).collect::<Vec<_>>().join(" ")
    }

    /// Whether a join policy names it so.
    fn is_called(&self, key: &str) -> bool {
        match self.kind.identity() {
            [argument] => self.text(argument) == key,
            _ => self.key() == key,
        }
    }

    /// The action that registers it.
    pub fn addition(&self) -> Action {
        let wanted = self.args.get("tcb_version").is_some_and(Value::is_string);
        let name = self.kind.adds().get(usize::from(wanted)).or(self.kind.adds().first()).copied().unwrap_or_default();
        Action::new(name, Some(self.args.clone()))
    }

    fn text(&self, argument: &str) -> &str {
        self.args.get(argument).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether `policy` admits this value as it stands: an entry that asks for more than this does not.
    fn is_admitted(&self, policy: &JoinPolicy) -> bool {
        match self.kind {
            Registration::SnpUvmEndorsement => self.registered_svn(policy).is_some_and(|known| known <= self.svn()),
            kind => policy.has(kind, &self.key()),
        }
    }

    /// The action that makes an entry of `policy` ask for what this value does, if it asks for less or, of a TCB, for something else.
    fn raise(&self, policy: &JoinPolicy) -> Option<Action> {
        let lower = match self.kind {
            Registration::SnpUvmEndorsement => self.registered_svn(policy)? < self.svn(),
            Registration::SnpMinimumTcb => {
                let entry = policy.snp.tcb_versions.get(&self.key())?;
                let wanted = MinimumTcb::from_json(self.args.get("tcb_version")?).ok()?;
                entry.minimum.as_ref() != Ok(&wanted)
            }
            _ => false,
        };
        lower.then(|| self.addition())
    }

    fn svn(&self) -> u64 {
        self.text("svn").parse().unwrap_or(0)
    }

    fn registered_svn(&self, policy: &JoinPolicy) -> Option<u64> {
        let key = self.key();
        let entry =
            policy.snp.uvm_endorsements.iter().find(|e| e.has_feed() && format!("{} {}", e.did, e.feed) == key)?;
        entry.svn.as_deref()?.parse().ok()
    }
}

impl Code {
    /// Code of the virtual platform: host data, and CCF's constant measurement.
    pub fn virtual_node(host_data: HostData) -> Self {
        let value = |kind, args| CodeValue { kind, args };
        let values = vec![
            value(Registration::VirtualMeasurement, json!({ "measurement": MEASUREMENT })),
            value(Registration::VirtualHostData, json!({ "host_data": host_data })),
        ];
        Self { platform: Platform::Virtual, values }
    }

    /// Whether values of this kind tell one code from another, on whichever platform.
    pub fn tells_apart(kind: Registration) -> bool {
        matches!(kind, Registration::SgxCode | Registration::SnpHostData | Registration::VirtualHostData)
    }

    /// The kind of value that tells one code from another on this platform.
    pub fn identifying(&self) -> Registration {
        match self.platform {
            Platform::Sgx => Registration::SgxCode,
            Platform::Snp => Registration::SnpHostData,
            Platform::Virtual => Registration::VirtualHostData,
        }
    }

    /// Whether `policy` lets it join.
    pub fn is_admitted(&self, policy: &JoinPolicy) -> bool {
        self.registration(policy).is_empty()
    }

    /// What a node shows that runs it.
    pub fn running(&self) -> Running {
        let of = |kinds: &[Registration]| self.values.iter().find(|value| kinds.contains(&value.kind));
        let host_data = of(&[Registration::VirtualHostData, Registration::SnpHostData]);
        let measurement = of(&[Registration::VirtualMeasurement, Registration::SnpMeasurement, Registration::SgxCode]);
        let uvm = of(&[Registration::SnpUvmEndorsement]).map(|value| RunningUvm {
            did: value.text("did").to_owned(),
            feed: value.text("feed").to_owned(),
            svn: value.text("svn").to_owned(),
        });
        Running {
            platform: self.platform,
            host_data: host_data.map(CodeValue::key),
            measurement: measurement.map(CodeValue::key).unwrap_or_default(),
            uvm,
        }
    }

    /// What is missing in `policy` to admit it.
    pub fn registration(&self, policy: &JoinPolicy) -> Vec<Action> {
        self.values.iter().filter(|value| !value.is_admitted(policy)).map(CodeValue::addition).collect()
    }

    /// What `policy` has besides this code: whatever else lets nodes join, by whichever kind of value and on whichever platform.
    pub fn others(&self, policy: &JoinPolicy) -> Vec<(Registration, String)> {
        let mut kinds: Vec<Registration> = Vec::new();
        for kind in self.values.iter().rev().map(|value| value.kind).chain(Registration::ALL) {
            if kind != Registration::SnpMinimumTcb && !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let own = |kind, key: &str| self.values.iter().any(|value| value.kind == kind && value.is_called(key));
        let of = |kind: Registration| policy.keys(kind).into_iter().map(move |key| (kind, key));
        kinds.into_iter().flat_map(of).filter(|(kind, key)| !own(*kind, key)).collect()
    }

    /// The actions after which `policy` asks of joining nodes what this code is, where it asks for less.
    pub fn raises(&self, policy: &JoinPolicy) -> Vec<Action> {
        self.values.iter().filter_map(|value| value.raise(policy)).collect()
    }

    /// Why a node that shows these values is below the minimum TCB that goes with this code. A service asks joining nodes for what was
    /// registered when they joined, which may be less.
    pub fn tcb_fault(&self, shown: &SnpValues) -> Option<String> {
        let mut minimums = self.values.iter().filter(|value| value.kind == Registration::SnpMinimumTcb).peekable();
        minimums.peek()?;
        let (Some(cpuid), Some(tcb)) = (&shown.cpuid, &shown.tcb) else {
            return Some("minimum-tcb: the report does not state its processor, so its TCB cannot be judged".into());
        };
        let own = minimums.find(|value| value.text("cpuid").eq_ignore_ascii_case(cpuid))?;
        let minimum = MinimumTcb::from_json(own.args.get("tcb_version")?).ok()?;
        let refusals = minimum.refusals(tcb);
        (!refusals.is_empty()).then(|| format!("minimum-tcb: {}", refusals.join("; ")))
    }

    /// Whether `running` is this code.
    pub fn is(&self, running: &Running) -> bool {
        let of = |kinds: &'static [Registration]| self.values.iter().filter(|v| kinds.contains(&v.kind));
        let any = |kinds: &'static [Registration], is: &dyn Fn(&CodeValue) -> bool| {
            of(kinds).next().is_none() || of(kinds).any(is)
        };
        let host_data = running.host_data.as_deref().unwrap_or_default();
        running.platform == self.platform
            && any(&[Registration::VirtualHostData, Registration::SnpHostData], &|value| value.is_called(host_data))
            && any(&[Registration::VirtualMeasurement, Registration::SgxCode], &|value| {
                value.is_called(&running.measurement)
            })
            && any(&[Registration::SnpMeasurement, Registration::SnpUvmEndorsement], &|value| match value.kind {
                Registration::SnpMeasurement => value.is_called(&running.measurement),
                _ => running.uvm.as_ref().is_some_and(|uvm| {
                    let svn = uvm.svn.parse::<u64>().ok();
                    uvm.did == value.text("did") && uvm.feed == value.text("feed") && svn >= Some(value.svn())
                }),
            })
    }
}

/// The action that removes what a join policy has under this key.
pub(super) fn removal(kind: Registration, key: &str) -> Action {
    let identity = kind.identity();
    let parts = key.splitn(identity.len().max(1), ' ');
    let args = identity.iter().zip(parts).map(|(name, part)| ((*name).to_owned(), Value::from(part))).collect();
    kind.removal(&Value::Object(args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processor::Product;
    use crate::tcb::TcbVersion;

    #[test]
    fn a_node_of_a_lower_tcb_than_the_plans_minimum_is_not_the_new_code() {
        let tcb = |snp: u8| json!({"boot_loader": 4, "tee": 0, "snp": snp, "microcode": 219});
        let args = json!({"cpuid": "00a00f11", "tcb_version": tcb(24)});
        let mut code = Code::virtual_node(HostData([1; 32]));
        code.values.push(CodeValue { kind: Registration::SnpMinimumTcb, args });
        let values = |cpuid: Option<&str>, version: &str| SnpValues {
            report_version: 3,
            product: Some(Product::Milan),
            cpuid: cpuid.map(str::to_owned),
            reported_tcb: version.into(),
            tcb: TcbVersion::from_hex(version).map(|version| version.components(Product::Milan)),
            debug: false,
            uvm: None,
        };
        let fault = |cpuid, version| code.tcb_fault(&values(cpuid, version));
        assert_eq!(fault(Some("00a00f11"), "db18000000000004"), None);
        assert!(fault(Some("00a00f11"), "db17000000000004").is_some_and(|why| why.contains("snp")));
        // Of another processor the plan says nothing; of one that is not told, nobody knows.
        assert_eq!(fault(Some("00a10f11"), "0000000000000000"), None);
        assert!(fault(None, "db18000000000004").is_some());
        assert_eq!(Code::virtual_node(HostData([1; 32])).tcb_fault(&values(None, "0000000000000000")), None);
    }
}
