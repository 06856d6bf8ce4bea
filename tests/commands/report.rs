//! `upgrade report`: the page of a whole walk, as a browser reads it.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ccf_gov::cose::MemberCertificate;
use serde_json::json;

use super::*;
use crate::support::browser::browse;

/// A service whose first member has this name; the member's keys are in the folder.
pub async fn field(name: &str) -> Field {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = parameters.self_signed(&key).unwrap().pem();
    let mut options = options(3);
    options.members[0].certificate = MemberCertificate::from_pem(certificate.as_bytes()).unwrap();
    let field = Field::with(options).await;
    field.file("key.pem", &key.serialize_pem());
    field.file("cert.pem", &certificate);
    field
}

#[tokio::test]
async fn a_browser_shows_the_whole_upgrade_and_nothing_foreign_is_markup_or_is_loaded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let image = format!("<img src=http://{}/x>", listener.local_addr().unwrap());
    let field = field(&format!("mallory{image}")).await;
    field.plan_upgrade(1, &format!("waived</pre></td><script>document.title='ran'</script>{image}\"'"));
    let own = ["upgrade", "step", "--yes", "--output", "json", "--key", "key.pem", "--cert", "cert.pem"];
    let end = Instant::now() + Duration::from_secs(90);
    loop {
        let first = field.run_plain(own.map(String::from).to_vec()).await.code;
        let codes = [first, field.step(Some(1)).await.code, field.operate().await.code];
        if codes == [0, 0, 0] {
            break;
        }
        assert!(codes.iter().all(|code| [0, 6].contains(code)) && Instant::now() < end, "{codes:?}");
    }
    let record = std::fs::read_to_string(field.path("upgrade.record")).unwrap();
    let acts: Vec<Value> = record.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut forged = acts[0].clone();
    forged["did"] = json!({"what": format!("forged</li></ol><script>document.title='ran'</script>{image}"),
        "proposal_id": null, "transaction_id": null, "votes": {}});
    field.file("others.record", &format!("{forged}\n<script>\n"));

    let report = |arguments: &[&str]| {
        let all = ["upgrade", "report", "-o", "report.html", "--output", "json"].iter().chain(arguments);
        all.map(ToString::to_string).collect::<Vec<_>>()
    };
    let made = field.run_plain(report(&["--record", "upgrade.record", "--record", "others.record"])).await.done();
    assert_eq!((&made["verdict"], &made["rehearsal"]), (&json!("pass"), &json!(false)), "{made}");
    assert!(field.run_plain(report(&[])).await.error(2).contains("report.html already exists"));

    let Some(dom) = browse(&field.path("report.html"), &["--dump-dom"]).await else { return };
    for loads in ["<script", "<img", "<link", "<iframe", "<object", "<title>ran"] {
        assert!(!dom.contains(loads), "{loads}: {dom}");
    }
    let shown = image.replace('<', "&lt;").replace('>', "&gt;");
    for says in [
        "The upgrade is done: only the new code runs, and only the new code is let in.",
        "1 line of the records cannot be read",
        &format!("mallory{shown}"),
        &format!("waived&lt;/pre&gt;&lt;/td&gt;&lt;script&gt;document.title='ran'&lt;/script&gt;{shown}\"'"),
        &format!("forged&lt;/li&gt;&lt;/ol&gt;&lt;script&gt;document.title='ran'&lt;/script&gt;{shown}"),
    ] {
        assert!(dom.contains(says), "{says}: {dom}");
    }
    let nodes = field.run(&["node", "list"]).await.done();
    let ids = nodes["value"].as_array().unwrap().iter().map(|node| &node["nodeId"]);
    let proposals = acts.iter().map(|act| &act["did"]["proposal_id"]).filter(|id| !id.is_null());
    let ids: Vec<&str> = ids.chain(proposals).map(|id| id.as_str().unwrap()).collect();
    assert!(ids.len() > 6, "{ids:?}");
    assert_eq!(ids.iter().find(|id| !dom.contains(**id)), None, "{dom}");

    let pdf = format!("--print-to-pdf={}", field.path("report.pdf").display());
    browse(&field.path("report.html"), &[&pdf]).await;
    assert!(std::fs::read(field.path("report.pdf")).unwrap().starts_with(b"%PDF-"));
    assert!(listener.accept().is_err(), "a request was made");
}
