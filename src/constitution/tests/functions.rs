//! The functions that current constitutions call, and what happens when one is lacking here.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, Issuer, KeyPair};
use time::{Duration, OffsetDateTime};

use super::*;

const RSA_KEY: &str = include_str!("../../../keys-example/member0_enc_pubk.pem");
const CERT: &str = include_str!("../../../keys-example/member0_cert.pem");

/// What the JavaScript expression is, as JSON, with `PEM0`, `PEM1`, … standing for `pems`.
fn value(expression: &str, pems: &[&str]) -> Result<String, String> {
    let names = pems.iter().enumerate().map(|(at, pem)| format!("const PEM{at} = {};", serde_json::json!(pem)));
    let body = format!(
        "{} ccf.kv['public:ccf.gov.x'].set(new ArrayBuffer(8), ccf.jsonCompatibleToBuf({expression}));",
        names.collect::<String>()
    );
    let mut tables = Tables::new();
    apply(&mut tables, &body).map_err(|error| error.reason)?;
    Ok(String::from_utf8(tables.get("public:ccf.gov.x", &SINGLETON).unwrap().to_vec()).unwrap())
}

fn validating(body: &str) -> Constitution {
    Constitution::new(&RULES.replace("return {valid: true, description: ''};", body)).unwrap()
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn issued(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> String {
    params.signed_by(&KeyPair::generate().unwrap(), issuer).unwrap().pem()
}

#[test]
fn what_this_engine_lacks_is_never_the_proposals_fault() {
    let catching = |call: &str| {
        format!("try {{ {call}; }} catch (e) {{ return {{valid: false, description: 'wrong: ' + e.message}}; }}")
    };
    for (call, names) in [
        ("ccf.crypto.generateAesKey(256)", "ccf.crypto.generateAesKey"),
        ("snp_attestation.verifySnpAttestation('', '')", "snp_attestation.verifySnpAttestation"),
        ("ccf.crypto.ofTomorrow(1)", "ccf.crypto.ofTomorrow"),
        ("ccf.ofTomorrow()", "ccf.ofTomorrow"),
        ("ccf.tomorrow.call()", "ccf.tomorrow"),
        (
            "ccf.crypto.verifySignature({name: 'RSA-PSS', hash: 'SHA-256'}, 'k', new ArrayBuffer(1), new ArrayBuffer(1))",
            "ccf.crypto.verifySignature for RSA-PSS with a saltLength of 0",
        ),
    ] {
        for body in [catching(call), call.to_owned()] {
            let error = validating(&body).validate(&Tables::new(), "{}").unwrap_err();
            assert_eq!(error.stage, Stage::Engine, "{body}: {error}");
            assert!(error.reason.starts_with(&format!("this engine does not have {names}, which")), "{error}");
        }
        let ballot = vote(&Tables::new(), &format!("export function vote() {{ {call}; return true; }}"));
        assert_eq!(ballot.unwrap_err().stage, Stage::Engine, "{call}");
        assert_eq!(apply(&mut Tables::new(), call).unwrap_err().stage, Stage::Engine, "{call}");
    }
    // Swallowed without a trace, too.
    let swallowed = validating("try { ccf.crypto.sign(); } catch (e) {} return {valid: true};");
    assert_eq!(swallowed.validate(&Tables::new(), "{}").unwrap_err().stage, Stage::Engine);
}

#[test]
fn what_is_asked_for_before_it_is_called_is_not_there() {
    let body = "ok = typeof ccf.node.ofTomorrow === 'undefined' && !('ofTomorrow' in ccf.node)
            && ccf.ofTomorrow?.() === undefined && ccf.crypto.ofTomorrow === undefined
            && Object.keys(ccf).includes('kv') && `${ccf}` === '[object Object]' && 'shuffleSealedShares' in ccf.node;
        if (!ok) { throw new Error('found'); }";
    assert_eq!(apply(&mut Tables::new(), &format!("let ok; {body}")), Ok(vec![]));
    // A proposal that is wrong stays wrong.
    let rules = validating("if (ccf.ofTomorrow) {} return {valid: false, description: 'no such node'};");
    assert!(!rules.validate(&Tables::new(), "{}").unwrap().valid);
    let faulty = validating("({}).nothing(); return {valid: true};").validate(&Tables::new(), "{}").unwrap_err();
    assert_eq!(faulty.stage, Stage::Call);
}

#[test]
fn nodes_of_a_version_have_its_functions() {
    let source = "export function validate(i) { return {valid: true, description: [
            'isValidX509RootCACert' in ccf.crypto, ccf.gov !== undefined, 'tcbHexToPolicy' in ccf].join() }; }
        export function resolve(p, o, v) { return 'Open'; }
        export function apply(p, i) { if (ccf.node.shuffleSealedShares !== undefined) ccf.node.shuffleSealedShares(); }";
    let rules = Constitution::new(source).unwrap();
    let on = |version: &str| rules.clone().on(version.parse().unwrap());
    let has = |rules: &Constitution| rules.validate(&Tables::new(), "{}").unwrap().description;
    assert_eq!(has(&rules), "true,true,true");
    assert_eq!(has(&on("7.0.5")), "true,true,true");
    assert_eq!(has(&on("7.0.0-dev7")), "false,true,true");
    assert_eq!(has(&on("6.0.28")), "false,true,true");
    assert_eq!(has(&on("5.0.0")), "false,false,false");
    let applied = |rules: &Constitution| rules.apply(&mut Tables::new(), &proposal("{}"), &Desk).unwrap();
    assert_eq!(applied(&rules), [Effect::ShuffleSealedShares]);
    assert_eq!(applied(&on("6.0.28")), []);
    let acme = Constitution::new(&RULES.replace("proposalId) {}", "proposalId) { ccf.node.triggerACMERefresh(); }"));
    let acme = acme.unwrap();
    let run = |rules: &Constitution| rules.apply(&mut Tables::new(), &proposal("{}"), &Desk).unwrap_err();
    assert_eq!(run(&acme.clone().on("6.0.18".parse().unwrap())).stage, Stage::Engine);
    // Nodes of today do not have it either.
    assert_eq!(run(&acme).stage, Stage::Call);
}

#[test]
fn root_certificates_are_those_of_authorities() {
    let root = authority("root");
    let leaf = issued(params("leaf"), &root);
    let mut intermediate = params("intermediate");
    intermediate.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let intermediate = issued(intermediate, &root);
    let own = params("own").self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let is_root = |pem: &str| value("ccf.crypto.isValidX509RootCACert(PEM0)", &[pem]).unwrap();
    assert_eq!(is_root(&root.pem()), "true");
    for other in [&leaf, &intermediate, &own, "", "no PEM", RSA_KEY] {
        assert_eq!(is_root(other), "false", "{other}");
    }
    let mut expired = params("expired");
    expired.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    expired.not_after = OffsetDateTime::now_utc() - Duration::days(1);
    assert_eq!(is_root(&expired.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()), "true");
    let count = value("ccf.crypto.isValidX509RootCACert()", &[]).unwrap_err();
    assert_eq!(count, "TypeError: Passed 0 arguments, but expected 1");
}

#[test]
fn chains_lead_to_an_authority_that_is_trusted_and_are_in_date() {
    let root = authority("root");
    let leaf = issued(params("leaf"), &root);
    let leads = |chain: &str, trusted: &str| {
        value("ccf.crypto.isValidX509CertChain(PEM0, PEM1)", &[chain, trusted]).unwrap() == "true"
    };
    assert!(leads(&leaf, &root.pem()));
    assert!(leads(&root.pem(), &root.pem()));
    let now = OffsetDateTime::now_utc();
    let dated = |from, to| {
        let mut params = params("leaf");
        (params.not_before, params.not_after) = (now + Duration::days(from), now + Duration::days(to));
        issued(params, &root)
    };
    assert!(leads(&dated(-2, 2), &root.pem()));
    assert!(!leads(&dated(-2, -1), &root.pem()), "expired");
    assert!(!leads(&dated(1, 2), &root.pem()), "not yet valid");
    // Only an authority is trusted, and only an authority may stand between.
    assert!(!leads(&leaf, &leaf));
    assert!(!leads(&leaf, &authority("root").pem()));
    let between = KeyPair::generate().unwrap();
    let no_authority = params("between").signed_by(&between, &root).unwrap().pem();
    let below = issued(params("below"), &Issuer::new(params("between"), between));
    assert!(!leads(&format!("{below}{no_authority}"), &root.pem()));
    assert!(!leads("", &root.pem()) && !leads(&leaf, ""));
}

#[test]
fn public_keys_become_jwk_and_pem_again() {
    let same = |to_jwk: &str, to_pem: &str, pem: &str| {
        let again = value(&format!("ccf.crypto.{to_pem}(ccf.crypto.{to_jwk}(PEM0, 'k'))"), &[pem]).unwrap();
        serde_json::from_str::<String>(&again).unwrap() == pem.replace('\r', "")
    };
    let key = |algorithm| KeyPair::generate_for(algorithm).unwrap().public_key_pem();
    assert!(same("pubRsaPemToJwk", "pubRsaJwkToPem", RSA_KEY));
    assert!(same("pubPemToJwk", "pubJwkToPem", &key(&rcgen::PKCS_ECDSA_P256_SHA256)));
    assert!(same("pubPemToJwk", "pubJwkToPem", &key(&rcgen::PKCS_ECDSA_P384_SHA384)));
    assert!(same("pubEddsaPemToJwk", "pubEddsaJwkToPem", &key(&rcgen::PKCS_ED25519)));
    let p521 = key(&rcgen::PKCS_ECDSA_P521_SHA512);
    let error = value("ccf.crypto.pubPemToJwk(PEM0)", &[&p521]).unwrap_err();
    assert!(error.starts_with("InternalError: Failed to convert pem to jwk"), "{error}");

    let error = value("ccf.crypto.pubPemToJwk(PEM0)", &[CERT]).unwrap_err();
    assert!(error.starts_with("InternalError: Failed to convert pem to jwk"), "{error}");

    let p384 = key(&rcgen::PKCS_ECDSA_P384_SHA384);
    let changed = |change: &str| {
        value(&format!("ccf.crypto.pubJwkToPem({{...ccf.crypto.pubPemToJwk(PEM0), ...{change}}})"), &[&p384])
    };
    assert!(changed("{x5c: null, use: 'sig', d: 'private'}").is_ok());
    for wrong in
        ["{x: 'AQ'}", "{y: undefined}", "{crv: 'P-521'}", "{crv: 'P-256'}", "{kty: 'RSA'}", "{kid: 5}", "{x: '!'}"]
    {
        let error = changed(wrong).unwrap_err();
        assert!(error.starts_with("InternalError: Failed to convert jwk to pem "), "{wrong}: {error}");
    }
    for wrong in ["{kty: 'RSA', n: 'AQAB'}", "{n: 'AQAB', e: 'AQAB'}", "undefined", "5", "{kty: 'oct', k: 'x'}"] {
        let error = value(&format!("ccf.crypto.pubRsaJwkToPem({wrong})"), &[]).unwrap_err();
        assert!(error.starts_with("InternalError: Failed to convert jwk to pem "), "{wrong}: {error}");
    }
    for count in ["", "1, 2"] {
        let error = value(&format!("ccf.crypto.pubJwkToPem({count})"), &[]).unwrap_err();
        assert!(error.starts_with("TypeError: Passed "), "{error}");
    }
}

#[test]
fn tables_are_sized_cleared_and_set_with_two_buffers() {
    let body = "const t = ccf.kv['public:ccf.gov.x']; const k = ccf.strToBuf('k');
        t.set(k, k).set(new ArrayBuffer(8), k); const before = t.size; t.clear(); const after = t.size;";
    assert_eq!(value(&format!("(() => {{ {body} return [before, after]; }})()"), &[]).unwrap(), "[2,0]");
    for (arguments, says) in [
        ("new ArrayBuffer(8)", "TypeError: Passed 1 arguments, but expected 2"),
        ("new ArrayBuffer(8), new ArrayBuffer(8), 1", "TypeError: Passed 3 arguments, but expected 2"),
        ("'k', new ArrayBuffer(8)", "TypeError: Arguments must be ArrayBuffers"),
        ("new ArrayBuffer(8), undefined", "TypeError: Arguments must be ArrayBuffers"),
    ] {
        let error = apply(&mut Tables::new(), &format!("ccf.kv['public:ccf.gov.x'].set({arguments})"));
        assert_eq!(reason(error), says);
    }
    let counted = |call: &str| apply(&mut Tables::new(), call);
    assert_eq!(counted("ccf.node.triggerSnapshot(1, 2)"), Ok(vec![Effect::TriggerSnapshot]));
    assert!(reason(counted("ccf.node.triggerLedgerRekey(1)")).starts_with("TypeError: Passed 1 arguments"));
}
