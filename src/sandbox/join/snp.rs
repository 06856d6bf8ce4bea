//! An SNP node's evidence: report and certificates, host data, utility VM, TCB, and at last the node's key.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use time::OffsetDateTime;

use super::{Refusal, require};
use crate::check::{Checks, Conclusion};
use crate::evidence::snp::Endorsements;
use crate::evidence::snp::Report;
use crate::evidence::snp::Roots;
use crate::evidence::snp::uvm::UvmEndorsement;
use crate::evidence::snp::{Evidence, Expected, verify};
use crate::id::NodeId;
use crate::kv::row::read;
use crate::kv::{Tables, table};
use crate::tcb::{MinimumTcb, TcbVersion};

/// Checks in CCF's order. Whether signatures hold is `evidence`'s to say; what is admitted is read from the tables here.
pub(super) fn check(tables: &Tables, quote_info: &Value, id: NodeId, roots: &Roots) -> Result<(), Refusal> {
    let report = verified_report(quote_info, roots).ok_or(Refusal::Quote)?;
    let host_data = report.host_data().to_string();
    require(tables.has(table::SNP_HOST_DATA, host_data.as_bytes()), Refusal::HostData)?;
    match &quote_info["uvm_endorsements"] {
        Value::Null => {
            let measurement = report.measurement().to_string();
            require(tables.has(table::SNP_MEASUREMENTS, measurement.as_bytes()), Refusal::Measurement)?;
        }
        uvm => require(is_endorsed(tables, uvm, &report), Refusal::Uvm)?,
    }
    require(has_minimum_tcb(tables, &report), Refusal::Tcb)?;
    require(report.node_id() == id, Refusal::Key)
}

/// The report, if the chip signed it and its certificates end in one of `roots`.
fn verified_report(quote_info: &Value, roots: &Roots) -> Option<Report> {
    let report = Report::parse(&decode(&quote_info["quote"])?).ok()?;
    let endorsements = Endorsements::parse(&decode(&quote_info["endorsements"])?).ok()?;
    let endorsed_tcb = quote_info["endorsed_tcb"].as_str().map(TcbVersion::from_hex);
    let evidence = Evidence {
        report: &report,
        endorsements: Some(&endorsements),
        uvm: &[],
        endorsed_tcb: endorsed_tcb.unwrap_or_default(),
        revocations: &[],
    };
    let (checks, _) = verify(&evidence, &Expected::default(), roots, OffsetDateTime::now_utc());
    (checks.verdict() == Conclusion::Pass).then_some(report)
}

/// Whether the endorsement is of the report's measurement, and its feed is registered with at most its svn: integers.
fn is_endorsed(tables: &Tables, uvm: &Value, report: &Report) -> bool {
    let endorsement = decode(uvm).and_then(|cose| UvmEndorsement::parse(&cose).ok());
    let Some(uvm) = endorsement.filter(|uvm| uvm.check_signature(OffsetDateTime::now_utc(), &mut Checks::new())) else {
        return false;
    };
    let feeds = read(tables, table::SNP_UVM_ENDORSEMENTS, &uvm.did);
    let least =
        feeds.as_ref().and_then(|feeds| feeds[&uvm.feed]["svn"].as_str()).and_then(|svn| svn.parse::<u64>().ok());
    let is_new_enough = matches!((least, uvm.svn.parse::<u64>()), (Some(least), Ok(svn)) if svn >= least);
    is_new_enough && uvm.measurement == report.measurement()
}

/// Whether the processor has a minimum, and the reported TCB is not below it in any component. There is no default.
fn has_minimum_tcb(tables: &Tables, report: &Report) -> bool {
    let Some((cpuid, product)) = report.cpuid().zip(report.product()) else { return false };
    let least = read(tables, table::SNP_TCB_VERSIONS, &cpuid.to_string());
    let least = least.and_then(|least| MinimumTcb::from_json(&least).ok());
    least.is_some_and(|least| least.refusals(&report.reported_tcb().components(product)).is_empty())
}

fn decode(text: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(text.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::digest::{HostData, SnpMeasurement};
    use crate::kv::row::write;
    use crate::processor::Cpuid;
    use crate::sandbox::code::{SnpCode, UvmEndorsement as Uvm};
    use crate::sandbox::join::JoinRefused;
    use crate::sandbox::snp::Hardware;

    const NODE: NodeId = NodeId::from_bytes([7; 32]);

    /// Tables that admit `code`, and nothing else.
    fn tables(code: &SnpCode, hardware: &Hardware) -> Tables {
        let mut tables = Tables::new();
        tables.put(table::SNP_HOST_DATA, code.host_data.to_string().as_bytes(), r#""""#);
        let least = json!({"ContainerPlat-AMD-UVM": {"svn": "100"}});
        write(&mut tables, table::SNP_UVM_ENDORSEMENTS, &hardware.did(), &least);
        let least = json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219});
        write(&mut tables, table::SNP_TCB_VERSIONS, "00a00f11", &least);
        tables
    }

    #[test]
    fn each_thing_that_is_not_admitted_is_refused_in_ccfs_words() {
        let hardware = Hardware::generate().unwrap();
        let code = SnpCode::named("old");
        let tables = tables(&code, &hardware);
        let roots = hardware.roots().unwrap();
        let told = |code: SnpCode, id: NodeId| {
            let shown = hardware.quote_info(&code, NODE).unwrap();
            check(&tables, &shown, id, &roots).map_err(|refusal| {
                let JoinRefused { status, message, .. } = refusal.into();
                (status, message)
            })
        };
        let refused = |status: u16, message: &str| Err((status, message.to_owned()));
        assert_eq!(told(code.clone(), NODE), Ok(()));
        let uvm = |feed: &str, svn: &str| Some(Uvm { feed: feed.into(), svn: svn.into() });
        let newer =
            SnpCode { uvm: uvm("ContainerPlat-AMD-UVM", "1000"), measurement: SnpMeasurement([1; 48]), ..code.clone() };
        assert_eq!(told(newer, NODE), Ok(()), "svn are numbers, and the issuer says what it endorses");

        let other = SnpCode { host_data: HostData([1; 32]), ..code.clone() };
        assert_eq!(told(other, NODE), refused(401, "Quote host data is not authorised"));
        for uvm in
            [uvm("ContainerPlat-AMD-UVM", "99"), uvm("ConfAKS-AMD-UVM", "100"), uvm("ContainerPlat-AMD-UVM", "x")]
        {
            let other = SnpCode { uvm, ..code.clone() };
            assert_eq!(told(other, NODE), refused(401, "UVM endorsements are not authorised"));
        }
        let bare = SnpCode { uvm: None, ..code.clone() };
        assert_eq!(told(bare, NODE), refused(401, "Quote does not contain known enclave measurement"));
        for (tcb, cpuid) in [(0xda18_0000_0000_0004, "00a00f11"), (0xdb18_0000_0000_0004, "00a10f11")] {
            let other = SnpCode { tcb: TcbVersion(tcb), cpuid: cpuid.parse().unwrap(), ..code.clone() };
            assert_eq!(told(other, NODE), refused(500, "Unknown quote verification error"), "{cpuid}");
        }
        let unknown = SnpCode { cpuid: Cpuid::new(0x17, 0x31, 0), ..code.clone() };
        assert_eq!(told(unknown, NODE), refused(401, "Quote could not be verified"));
        let other = NodeId::from_bytes([8; 32]);
        let message = "Quote report data does not match the hash of the public key for this node";
        assert_eq!(told(code, other), refused(401, message));
    }

    #[test]
    fn the_hardware_of_others_is_not_trusted_and_what_is_forged_is_found() {
        let (own, other) = (Hardware::generate().unwrap(), Hardware::generate().unwrap());
        let code = SnpCode::named("old");
        let tables = tables(&code, &own);
        let roots = own.roots().unwrap();
        let shown = own.quote_info(&code, NODE).unwrap();
        let foreign = other.quote_info(&code, NODE).unwrap();
        let check = |shown: &Value| super::check(&tables, shown, NODE, &roots);
        assert_eq!(check(&shown), Ok(()));
        assert_eq!(check(&foreign), Err(Refusal::Quote));
        assert_eq!(super::check(&tables, &shown, NODE, &Roots::amd()), Err(Refusal::Quote));
        let with = |name: &str, value: Value| {
            let mut changed = shown.clone();
            changed[name] = value;
            changed
        };
        for name in ["quote", "endorsements"] {
            assert_eq!(check(&with(name, foreign[name].clone())), Err(Refusal::Quote), "{name}");
            assert_eq!(check(&with(name, "".into())), Err(Refusal::Quote), "{name}");
        }
        assert_eq!(check(&with("endorsed_tcb", "db18000000000005".into())), Err(Refusal::Quote));
        assert_eq!(check(&with("uvm_endorsements", foreign["uvm_endorsements"].clone())), Err(Refusal::Uvm));
        // What the issuer says of another measurement.
        let vm = SnpCode { measurement: SnpMeasurement([9; 48]), ..code.clone() };
        let uvm = own.quote_info(&vm, NODE).unwrap()["uvm_endorsements"].take();
        assert_eq!(check(&with("uvm_endorsements", uvm)), Err(Refusal::Uvm));
        let mut report = STANDARD.decode(shown["quote"].as_str().unwrap()).unwrap();
        report[0x0c0] ^= 1;
        assert_eq!(check(&with("quote", STANDARD.encode(report).into())), Err(Refusal::Quote));
    }

    #[test]
    fn nodes_on_every_product_attest() {
        let saved = Hardware::generate().unwrap().save().unwrap();
        let hardware = Hardware::restore(&saved).unwrap();
        let roots = hardware.roots().unwrap();
        for (cpuid, tcb) in [("00a00f11", 1), ("00a10f11", 0x5417_0000_0000_000a), ("00b00f21", 0x5400_0000_0402_0301)]
        {
            let code = SnpCode { cpuid: cpuid.parse().unwrap(), tcb: TcbVersion(tcb), ..SnpCode::named("old") };
            let shown = hardware.quote_info(&code, NODE).unwrap();
            assert!(verified_report(&shown, &roots).is_some(), "{cpuid}");
        }
    }
}
