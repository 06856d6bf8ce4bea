use proptest::prelude::*;
use time::macros::datetime;

use super::*;
use crate::check::Verdict;
use crate::digest::sha256;
use crate::evidence::RevocationList;
use crate::evidence::snp::Root;
use crate::evidence::snp::testing::{self, Chip, EXPIRED, IN_DATE, extension, lab};
use crate::evidence::snp::uvm::TrustedUvm;
use crate::host_data;
use crate::skip::fixtures;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

fn roots() -> Roots {
    Roots::new(vec![Root { product: Product::Milan, spki_sha256: sha256(&lab().ark.spki()) }])
}

fn failures(checks: &Checks) -> Vec<&'static str> {
    checks.iter().filter(|c| matches!(c.verdict, Verdict::Fail | Verdict::Incomplete)).map(|c| c.name).collect()
}

/// A report with its endorsements, and nothing else.
fn signed<'a>(report: &'a Report, endorsements: &'a Endorsements) -> Evidence<'a> {
    Evidence { report, endorsements: Some(endorsements), uvm: &[], endorsed_tcb: None, revocations: &[] }
}

fn check(report: &[u8], chain: Vec<Vec<u8>>, expected: &Expected) -> Checks {
    let report = match Report::parse(report) {
        Ok(report) => report,
        Err(e) => {
            let mut checks = Checks::new();
            checks.fail("report-format", e.to_string());
            return checks;
        }
    };
    let endorsements = Endorsements::new(chain, None);
    let evidence = signed(&report, &endorsements);
    verify(&evidence, expected, &roots(), NOW).0
}

#[test]
fn a_made_up_report_passes_and_every_bad_one_fails_for_its_own_reason() {
    let none = Expected::default();
    let chain = lab().chain();
    let good = check(&lab().report(|_| {}), chain.clone(), &none);
    assert_eq!(good.verdict().as_str(), "pass", "{good:?}");
    // Nobody gave a list of what was revoked, which is said and is no failure.
    assert!(good.iter().all(|c| c.verdict == Verdict::Pass || c.name == "revocation"), "{good:?}");
    assert_eq!(good.get("revocation").unwrap().verdict, Verdict::Warn);

    type Change = fn(&mut [u8]);
    let reports: [(&str, Change); 13] = [
        ("report-version", |r| r[0] = 2),
        ("report-signature", |r| r[0x34] = 2),
        ("signing-key", |r| r[0x48] = 1 << 2),
        ("mask-chip-key", |r| r[0x48] = 2),
        ("vmpl", |r| r[0x30] = 4),
        ("debug", |r| r[0x0a] |= 8),
        ("migration", |r| r[0x0a] |= 4),
        ("policy-reserved", |r| r[0x0a] &= !2),
        ("reported-tcb", |r| r[0x187] = 0xda),
        ("reported-tcb", |r| r[0x180] = 3),
        ("chip-id", |r| r[0x1a0] = 0),
        ("product", |r| r[0x189] = 2),
        ("ark-pinned", |r| r[0x189] = 0x11),
    ];
    for (name, change) in reports {
        let checks = check(&lab().report(change), chain.clone(), &none);
        assert!(failures(&checks).contains(&name), "{name}: {checks:?}");
        let alone = ["ark-pinned", "product"].contains(&name) || failures(&checks) == [name];
        assert!(alone, "{name}: {checks:?}");
    }
    let warned = check(&lab().report(|r| r[0x50..0x90].fill(0)), chain.clone(), &none);
    assert_eq!(warned.get("report-data").unwrap().verdict, Verdict::Warn);
    let warned = check(&lab().report(|r| r[0x1e7] = 0xda), chain, &none);
    assert_eq!(warned.get("committed-tcb").unwrap().verdict, Verdict::Warn);
}

#[test]
fn every_bad_chain_fails_for_its_own_reason() {
    let lab = lab();
    let [vcek, ask, ark] = <[Vec<u8>; 3]>::try_from(lab.chain()).unwrap();
    let with = |chip: Chip| vec![lab.vcek_certificate(&chip), ask.clone(), ark.clone()];
    let csp = extension("1.3.6.1.4.1.3704.1.5", false, &testing::tlv(0x16, b"cloud"));
    let other_ark =
        testing::certificate(("ARK-Milan", &lab.ask), ("ARK-Milan", &lab.ask), IN_DATE, &testing::authority());
    let cases = [
        ("certificate-count", vec![vcek.clone(), ask.clone()]),
        ("certificate-count", vec![vcek.clone(), ask.clone(), ark.clone(), ark.clone()]),
        ("certificate-count", vec![]),
        ("certificate-order", vec![ark.clone(), ask.clone(), vcek.clone()]),
        ("certificate-order", vec![ask.clone(), vcek.clone(), ark.clone()]),
        ("certificate-format", vec![vcek.clone(), vec![0x30, 0], ark.clone()]),
        ("ark-pinned", vec![vcek.clone(), ask.clone(), other_ark]),
        ("certificate-dates", with(Chip { dates: EXPIRED, ..Chip::default() })),
        ("vcek", with(Chip { name: "SEV-VLEK", ..Chip::default() })),
        ("vcek", with(Chip { more: vec![csp], ..Chip::default() })),
        ("vcek-product", with(Chip { product: "Genoa", ..Chip::default() })),
        ("vcek-tcb", with(Chip { tcb: [(1, 4), (2, 0), (3, 0x18), (7, 0)], ..Chip::default() })),
        ("reported-tcb", with(Chip { tcb: [(1, 5), (2, 0), (3, 0x18), (8, 0xdb)], ..Chip::default() })),
        ("chip-id", with(Chip { hardware_id: vec![0xc5; 8], ..Chip::default() })),
    ];
    for (name, chain) in cases {
        let checks = check(&lab.report(|_| {}), chain, &Expected::default());
        assert!(failures(&checks).contains(&name), "{name}: {checks:?}");
    }
    // A VLEK names no chip; what it signed is signed nevertheless, and that is said.
    let vlek = with(Chip { name: "SEV-VLEK", hardware_id: vec![], ..Chip::default() });
    let checks = check(&lab.report(|_| {}), vlek, &Expected::default());
    assert_eq!(failures(&checks), ["vcek"], "{checks:?}");
    assert_eq!(checks.get("report-signature").unwrap().verdict, Verdict::Pass);
    let checks =
        check(&lab.report(|_| {}), with(Chip { hardware_id: vec![], ..Chip::default() }), &Expected::default());
    assert_eq!(failures(&checks), ["chip-id"], "{checks:?}");
    // AMD's own roots do not vouch for the made-up one.
    let report = Report::parse(&lab.report(|_| {})).unwrap();
    let endorsements = Endorsements::new(lab.chain(), None);
    let evidence = signed(&report, &endorsements);
    let (checks, _) = verify(&evidence, &Expected::default(), &Roots::amd(), NOW);
    assert_eq!(failures(&checks), ["ark-pinned"]);
    // Without endorsements nothing is proved, and that is not a pass.
    let (checks, _) = verify(&Evidence { endorsements: None, ..evidence }, &Expected::default(), &roots(), NOW);
    assert_eq!(checks.verdict().as_str(), "incomplete");
}

#[test]
fn what_is_expected_is_compared() {
    let report = lab().report(|_| {});
    let right = Expected {
        measurement: Some(SnpMeasurement([0x22; 48])),
        host_data: Some(HostData([0x33; 32])),
        node_id: Some(NodeId::from_bytes([0x11; 32])),
        minimum_tcb: Some(TcbVersion(testing::TCB)),
        ..Expected::default()
    };
    let checks = check(&report, lab().chain(), &right);
    assert_eq!(checks.verdict().as_str(), "pass", "{checks:?}");
    let wrong = Expected {
        measurement: Some(SnpMeasurement([0; 48])),
        host_data: Some(HostData([0; 32])),
        node_id: Some(NodeId::from_bytes([0; 32])),
        minimum_tcb: Some(TcbVersion(testing::TCB + 1)),
        ..Expected::default()
    };
    let checks = check(&report, lab().chain(), &wrong);
    assert_eq!(failures(&checks), ["measurement", "host-data", "node-id", "minimum-tcb"]);

    let reversed = Expected { minimum_tcb: Some(TcbVersion(testing::TCB).reversed()), ..Expected::default() };
    let checks = check(&report, lab().chain(), &reversed);
    assert!(checks.get("minimum-tcb").unwrap().detail.contains("db18000000000004 with its bytes in reverse order"));
    assert_eq!(failures(&checks), ["minimum-tcb"]);

    let tcb = MinimumTcb::of(TcbVersion(testing::TCB).components(Product::Milan));
    let policy = Admission {
        measurements: vec![SnpMeasurement([0x22; 48])],
        host_data: vec![HostData([0x33; 32])],
        uvm: vec![],
        minimum_tcb: vec![("00a00f11".into(), Ok(tcb.clone()))],
    };
    let with = |policy| Expected { policy: Some(policy), ..Expected::default() };
    assert_eq!(check(&report, lab().chain(), &with(policy.clone())).verdict().as_str(), "pass");
    let none = with(Admission { minimum_tcb: vec![("00a10f11".into(), Ok(tcb.clone()))], ..Admission::default() });
    let checks = check(&report, lab().chain(), &none);
    assert_eq!(failures(&checks), ["policy-host-data", "policy-measurement", "policy-minimum-tcb"]);
    // One entry that can't be read switches nothing off; there is no default, and an empty table admits nobody.
    let unreadable = || MinimumTcb::from_json(&serde_json::json!({"microcode": 300}));
    for (entries, verdict) in [
        (vec![("00a00f11", unreadable())], "fail"),
        (vec![("00a10f11", unreadable())], "fail"),
        (vec![("00a10f11", unreadable()), ("00A00F11", Ok(tcb.clone()))], "pass"),
        (vec![("any", unreadable()), ("00a00f11", Ok(tcb.clone()))], "incomplete"),
        (vec![], "incomplete"),
    ] {
        let minimum_tcb = entries.into_iter().map(|(cpuid, minimum)| (cpuid.to_owned(), minimum)).collect();
        let expected = with(Admission { minimum_tcb, ..policy.clone() });
        let checks = check(&report, lab().chain(), &expected);
        assert_eq!(checks.verdict().as_str(), verdict, "{checks:?}");
    }
    let empty = with(Admission { minimum_tcb: vec![], ..policy.clone() });
    let empty = Expected { ccf: Some(CcfVersion::new(7, 0, 0)), ..empty };
    assert_eq!(failures(&check(&report, lab().chain(), &empty)), ["policy-minimum-tcb"]);
    let older = with(Admission { minimum_tcb: vec![], ..policy });
    let older = Expected { ccf: Some(CcfVersion::new(5, 0, 3)), ..older };
    assert!(check(&report, lab().chain(), &older).get("policy-minimum-tcb").is_none(), "no such table before 6");
    let reserved = Expected { minimum_tcb: Some(TcbVersion(0x0400_db18_0000_0004)), ..Expected::default() };
    assert_eq!(failures(&check(&report, lab().chain(), &reserved)), ["minimum-tcb"]);
}

#[test]
fn real_reports_give_their_values() {
    let Some(folder) = fixtures() else { return };
    let folder = folder.join("snp");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    for (product, tcb, cpuid) in [("milan", "db18000000000004", "00a00f11"), ("genoa", "541700000000000a", "00a10f11")]
    {
        let report = Report::parse(&read(&format!("ccf/{product}_attestation.bin"))).unwrap();
        let endorsements = Endorsements::parse(&read(&format!("ccf/{product}_endorsements.pem"))).unwrap();
        let evidence = signed(&report, &endorsements);
        let (checks, values) = verify(&evidence, &Expected::default(), &Roots::amd(), NOW);
        assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
        assert_eq!((values.reported_tcb.as_str(), values.cpuid.as_deref()), (tcb, Some(cpuid)));
        assert!(values.measurement.to_string().starts_with("5feee30d"));
        let policy = read("sidecar-security-context/security-policy-base64");
        assert_eq!(host_data::from_file(&policy).host_data(), values.host_data);

        // Another chip's certificate.
        let other = Endorsements::parse(&read("sidecar-security-context/host-amd-cert-base64")).unwrap();
        let (checks, _) =
            verify(&Evidence { endorsements: Some(&other), ..evidence }, &Expected::default(), &Roots::amd(), NOW);
        let failed = failures(&checks);
        assert!(
            failed.contains(&"report-signature") && failed.contains(&"chip-id") && failed.contains(&"host-tcb"),
            "{checks:#?}"
        );
    }

    let report = Report::parse(&read("sidecar-attest/snp_report.bin")).unwrap();
    for name in ["json", "pem"] {
        let endorsements =
            Endorsements::parse(&read(&format!("sidecar-attest/uvm_host_amd_certificate.{name}"))).unwrap();
        let uvm = UvmEndorsement::parse(&read("sidecar-attest/body.uvm_reference_info.bin")).unwrap();
        let policy = host_data::from_file(&read("sidecar-attest/uvm_security_policy.base64"));
        let evidence = Evidence { uvm: std::slice::from_ref(&uvm), ..signed(&report, &endorsements) };
        let expected = Expected {
            ccf: Some(CcfVersion::new(5, 0, 0)),
            host_data: Some(policy.host_data()),
            ..Expected::default()
        };
        let (checks, values) = verify(&evidence, &expected, &Roots::amd(), NOW);
        assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
        assert_eq!(values.product, Some(Product::Milan));
        assert_eq!(values.reported_tcb, "7308000000000003");
        let (checks, _) = verify(&evidence, &Expected::default(), &Roots::amd(), NOW);
        assert_eq!(failures(&checks), ["report-version"]);
    }

    let v2 = Report::parse(&read("ccf/v2_format_milan_attestation.bin")).unwrap();
    assert!(v2.measurement().to_string().starts_with("02c3b0d5") && v2.node_id().to_string().starts_with("7a6a68c0"));
    assert!(v2.cpuid().is_none());
}

#[test]
fn what_amd_revoked_fails_and_stale_lists_are_a_warning() {
    let lab = lab();
    let report = Report::parse(&lab.report(|_| {})).unwrap();
    let endorsements = Endorsements::new(lab.chain(), None);
    let ark = ("ARK-Milan", &lab.ark);
    let check = |lists: &[Vec<u8>]| {
        let lists: Vec<_> = lists.iter().map(|der| RevocationList::parse(der).unwrap()).collect();
        let evidence = Evidence { revocations: &lists, ..signed(&report, &endorsements) };
        let checks = verify(&evidence, &Expected::default(), &roots(), NOW).0;
        let told: Vec<_> = checks.iter().filter(|c| c.name == "revocation").map(|c| c.verdict).collect();
        (told, checks.verdict().as_str())
    };
    let list = |issuer, dates, serials: &[u8]| testing::revocation_list(issuer, dates, serials);
    let future = ("480101000000Z", "490101000000Z");
    let (good, revoking) = (list(ark, IN_DATE, &[7]), list(ark, IN_DATE, &[7, 1]));
    assert_eq!(check(&[list(ark, IN_DATE, &[])]), (vec![Verdict::Pass], "pass"));
    assert_eq!(check(std::slice::from_ref(&good)), (vec![Verdict::Pass], "pass"));
    assert_eq!(check(&[list(ark, EXPIRED, &[7])]), (vec![Verdict::Warn], "pass"));
    assert_eq!(check(&[list(ark, future, &[7])]), (vec![Verdict::Fail], "fail"));
    assert_eq!(check(std::slice::from_ref(&revoking)), (vec![Verdict::Fail], "fail"));
    // However old the list: what was revoked stays so.
    assert_eq!(check(&[list(ark, EXPIRED, &[1])]), (vec![Verdict::Fail], "fail"));
    assert_eq!(check(&[good.clone(), revoking]), (vec![Verdict::Pass, Verdict::Fail], "fail"));
    // The ASK's own list is about the chip.
    assert_eq!(check(&[list(("SEV-Milan", &lab.ask), IN_DATE, &[1])]), (vec![Verdict::Fail], "fail"));
    assert_eq!(check(&[list(("ARK-Milan", &lab.ask), IN_DATE, &[7])]), (vec![Verdict::Fail], "fail"));
    assert_eq!(check(&[list(("ARK-Genoa", &lab.ask), IN_DATE, &[1])]), (vec![Verdict::Incomplete], "incomplete"));
    let pem = pem::encode(&pem::Pem::new("X509 CRL", good.clone()));
    assert_eq!(check(&[pem.into_bytes()]), (vec![Verdict::Pass], "pass"));
    for at in 0..good.len() {
        let mut list = good.clone();
        list[at] ^= 1;
        if RevocationList::parse(&list).is_ok() {
            assert_ne!(check(&[list]).1, "pass", "byte {at}");
        }
    }
}

#[test]
fn a_real_v2_report_and_a_turin_chain_give_their_values() {
    let Some(folder) = fixtures() else { return };
    let read = |name: &str| std::fs::read(folder.join("snp/virtee-sev").join(name)).unwrap();
    let chain = |vcek: &str, above: &str| {
        let above = Endorsements::parse(&read(above)).unwrap();
        Endorsements::new(vec![read(vcek)], None).joined(&above).unwrap()
    };
    let report = Report::parse(&hex::decode(read("report_milan.hex").trim_ascii()).unwrap()).unwrap();
    let endorsements = chain("vcek_milan.der", "cert_chain_milan");
    let evidence = signed(&report, &endorsements);
    let (checks, values) = verify(&evidence, &Expected::default(), &Roots::amd(), NOW);
    assert_eq!((values.report_version, values.product), (2, Some(Product::Milan)));
    assert_eq!(checks.get("report-signature").unwrap().verdict, Verdict::Pass, "{checks:#?}");
    assert!(failures(&checks).contains(&"report-version"), "{checks:#?}");
    let old = Expected { ccf: Some(CcfVersion::new(5, 0, 0)), ..Expected::default() };
    let (checks, _) = verify(&evidence, &old, &Roots::amd(), NOW);
    assert_eq!(checks.get("report-version").unwrap().verdict, Verdict::Pass);

    let mut checks = Checks::new();
    let vcek =
        chain("vcek_turin.der", "cert_chain_turin").check(Some(Product::Turin), &Roots::amd(), NOW, &[], &mut checks);
    let vcek = vcek.unwrap();
    assert_eq!(checks.verdict().as_str(), "pass", "{checks:#?}");
    assert_eq!((vcek.product, vcek.hardware_id.len(), vcek.tcb.fmc.is_some()), (Product::Turin, 8, true));
}

fn trusted_did() -> String {
    let root = &lab().uvm_chain(IN_DATE)[1];
    lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(root)))
}

/// The report, the chain and the endorsement, and whether they all hold.
fn holds(report: &[u8], chain: &[Vec<u8>], uvm: &[u8]) -> bool {
    let Ok(report) = Report::parse(report) else { return false };
    let Ok(uvm) = UvmEndorsement::parse(uvm) else { return false };
    let endorsements = Endorsements::new(chain.to_vec(), None);
    let evidence = Evidence { uvm: std::slice::from_ref(&uvm), ..signed(&report, &endorsements) };
    let did = DID.get_or_init(trusted_did).clone();
    let trusted = TrustedUvm { did, feed: "ContainerPlat-AMD-UVM".into(), svn: "100".into() };
    let policy = Admission { host_data: vec![report.host_data()], uvm: vec![trusted], ..Admission::default() };
    let any = MinimumTcb::of(TcbVersion(0).components(Product::Milan));
    let policy = Admission { minimum_tcb: vec![("00a00f11".into(), Ok(any))], ..policy };
    let expected = Expected { policy: Some(policy), ..Expected::default() };
    verify(&evidence, &expected, &roots(), NOW).0.verdict().as_str() == "pass"
}

static DID: std::sync::OnceLock<String> = std::sync::OnceLock::new();
static ALL: std::sync::OnceLock<All> = std::sync::OnceLock::new();

/// A report, its chain, and both forms of its UVM endorsement.
type All = (Vec<u8>, Vec<Vec<u8>>, Vec<u8>, Vec<u8>);

fn all() -> &'static All {
    ALL.get_or_init(|| {
        // One chain, so that the fingerprint in the DID stays its root's: ECDSA signatures differ each time.
        let chain = lab().uvm_chain(IN_DATE);
        let did = lab().uvm_did(&BASE64_URL_SAFE_NO_PAD.encode(sha256(&chain[1])));
        DID.set(did.clone()).unwrap();
        let feed = "ContainerPlat-AMD-UVM";
        let payload =
            format!(r#"{{"x-ms-sevsnpvm-launchmeasurement":"{}","x-ms-sevsnpvm-guestsvn":"101"}}"#, "22".repeat(48));
        (
            lab().report(|_| {}),
            lab().chain(),
            lab().uvm_legacy(&did, feed, &chain, &payload),
            lab().uvm_cwt(&did, feed, 101, &chain, &[0x22; 48]),
        )
    })
}

#[test]
fn both_forms_of_uvm_endorsement_hold() {
    let (report, chain, legacy, cwt) = all();
    assert!(holds(report, chain, legacy));
    assert!(holds(report, chain, cwt));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn one_flipped_bit_anywhere_fails(which in 0..6_usize, at: prop::sample::Index, bit in 0..8_u32) {
        let (mut report, mut chain, mut legacy, mut cwt) = all().clone();
        {
            let bytes = match which {
                0 => &mut report,
                1..=3 => &mut chain[which - 1],
                4 => &mut legacy,
                _ => &mut cwt,
            };
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        prop_assert!(!(holds(&report, &chain, &legacy) && holds(&report, &chain, &cwt)));
    }
}

/// What a signature does not cover has no byte that could be changed either.
#[test]
fn every_bit_of_a_certificate_matters() {
    let chain = lab().chain();
    let ask = crate::certificate::parse(&chain[1]).unwrap();
    let holds = |der: &[u8]| {
        let vcek = crate::certificate::parse(der);
        vcek.is_ok_and(|vcek| crate::certificate::check_issued(&vcek, &ask).is_ok())
    };
    assert!(holds(&chain[0]));
    for at in 0..chain[0].len() {
        for bit in 0..8 {
            let mut der = chain[0].clone();
            der[at] ^= 1 << bit;
            assert!(!holds(&der), "byte {at}, bit {bit}");
        }
    }
}

/// Whoever trusts made-up roots trusts AMD's no more: what is real fails in a rehearsal.
#[test]
fn a_real_chain_fails_under_the_roots_of_a_rehearsal() {
    let Some(folder) = fixtures() else { return };
    let read = |name: &str| std::fs::read(folder.join("snp/ccf").join(name)).unwrap();
    let report = Report::parse(&read("milan_attestation.bin")).unwrap();
    let endorsements = Endorsements::parse(&read("milan_endorsements.pem")).unwrap();
    let ark = pem::encode(&pem::Pem::new("CERTIFICATE", lab().ark_certificate()));
    let made_up = Roots::rehearsal_from_pem(ark.as_bytes()).unwrap();
    let judge = |roots: &Roots| verify(&signed(&report, &endorsements), &Expected::default(), roots, NOW).0;
    let real = judge(&Roots::amd());
    assert_eq!(real.get("ark-pinned").unwrap().verdict, Verdict::Pass);
    let checks = judge(&made_up);
    assert_eq!(checks.get("ark-pinned").unwrap().verdict, Verdict::Fail, "{checks:#?}");
    assert_eq!(checks.verdict().as_str(), "fail");
}
