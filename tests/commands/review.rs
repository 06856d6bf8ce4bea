//! `proposal review`: its commands in a shell, and its page in a browser.

use std::net::TcpListener;

use serde_json::json;

use super::report::field as service_of;
use super::*;
use crate::support::browser::browse;

impl Field {
    /// Member 0 proposes.
    async fn puts_up(&self, name: &str, actions: &Value) -> String {
        let file = self.file(name, &json!({ "actions": actions }).to_string()).display().to_string();
        let made = self.run_as(0, &["proposal", "submit", &file, "--again"]).await.done();
        made["proposalId"].as_str().unwrap().to_owned()
    }

    /// Pastes a command into a shell, as a member whose key a variable names.
    async fn paste(&self, member: usize, command: &str) -> Value {
        let binary = Path::new(env!("CARGO_BIN_EXE_ccf-gov")).parent().unwrap().display();
        let path = format!("{binary}:{}", std::env::var("PATH").unwrap());
        let file = |kind: &str| keys().join(format!("member{member}_{kind}.pem"));
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.folder.path()).stdin(std::process::Stdio::null());
        shell.env("PATH", path).env("CCF_GOV_KEY", file("privk")).env("CCF_GOV_CERT", file("cert"));
        shell.env("CCF_GOV_YES", "1").env("CCF_GOV_OUTPUT", "json");
        let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

fn registration(byte: &str) -> Value {
    json!([{"name": "add_virtual_host_data", "args": {"host_data": byte.repeat(32)}}])
}

fn commands(review: &Value) -> Vec<&str> {
    review["ballot"]["commands"].as_array().unwrap().iter().map(|command| command.as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_commands_of_a_review_do_what_it_says_when_they_are_pasted() {
    let field = Field::start().await;
    let id = field.puts_up("p.json", &registration("ab")).await;
    let review = field.run(&["proposal", "review", &id[..12]]).await.done();
    assert_eq!((&review["verdict"], &review["ballot"]["kind"]), (&json!("pass"), &json!("guarded")), "{review}");
    assert_eq!(review["votes"]["missing"].as_array().unwrap().len(), 3);
    // The ballot of the review is the one that the commands make.
    let [new, submit] = commands(&review)[..] else { panic!("{review}") };
    field.paste(0, new).await;
    assert_eq!(field.paste(0, submit).await["proposalState"], "Open");
    let written = std::fs::read_to_string(field.path(&format!("ballot-{}.json", &id[..8]))).unwrap();
    let written: Value = serde_json::from_str(&written).unwrap();
    assert_eq!(written["ballot"], review["ballot"]["script"]);
    // And the file that the review writes does the same, for what was reviewed.
    let ballot = ["proposal", "review", "p.json", "--ballot-out", "my ballot.json"];
    let review = field.run(&ballot).await.done();
    assert_eq!((&review["proposal_id"], &review["votes"]["cast"][0]["kind"]), (&json!(id), &json!("guarded")));
    let [submit] = commands(&review)[..] else { panic!("{review}") };
    assert_eq!(field.paste(1, submit).await["proposalState"], "Accepted");
    assert!(field.run(&ballot).await.error(2).contains("already exists"));
    let over = field.run(&["proposal", "review", &id]).await.error(4);
    assert!(over.contains("no open proposal"), "{over}");

    // What takes no effect any more is said; what locks the members out is rejected.
    let again = field.puts_up("again.json", &registration("ab")).await;
    let review = field.run_as(1, &["proposal", "review", &again]).await.done();
    assert!(review["checks"].to_string().contains("takes-effect"), "{review}");
    let locked = "export function validate(input) { return {valid: true, description: ''}; }
export function resolve(proposal, proposerId, votes) { return 'Open'; }
export function apply(proposal, proposalId) {}";
    let rules = json!([{"name": "set_constitution", "args": {"constitution": locked}}]);
    let id = field.puts_up("locked.json", &rules).await;
    let review = field.run(&["proposal", "review", &id]).await.no();
    assert_eq!((&review["verdict"], &review["ballot"]["kind"]), (&json!("fail"), &json!("reject")));
    let [reject] = commands(&review)[..] else { panic!("{review}") };
    for member in [1, 2] {
        field.paste(member, reject).await;
    }
    let shown = field.run(&["ballot", "show", &id]).await.done();
    let kinds = shown["ballots"].as_array().unwrap().iter().map(|ballot| ballot["kind"].clone());
    assert_eq!(kinds.collect::<Vec<_>>(), ["reject", "reject"], "{shown}");
}

#[tokio::test]
async fn a_node_to_trust_is_shown_with_its_code_and_a_state_file_says_what_changed() {
    let field = Field::start().await;
    let state = field.path("before.json").display().to_string();
    field.run(&["state", "export", "-o", &state]).await.done();
    let node = field.run(&["node", "list"]).await.done()["value"][2]["nodeId"].as_str().unwrap().to_owned();
    let removal = json!([{"name": "remove_node", "args": {"node_id": node}}]);
    let id = field.puts_up("remove.json", &removal).await;
    let review = field.run_as(2, &["proposal", "review", &id, "--since", &state]).await.done();
    assert!(review["actions"].to_string().contains("runs virtual host data"), "{review}");
    assert!(review["ballot"]["rests_on"].to_string().contains("the trusted nodes are exactly"), "{review}");
    assert!(review["since"]["known"].to_string().contains("it was proposed after"), "{review}");
    assert!(review["simulation"]["in_words"][0].as_str().unwrap().contains("Trusted → Retired"), "{review}");
    // Offline: the same proposal, on the state of before and from a file alone.
    let offline = |arguments: &[&str]| {
        let all = ["proposal", "review", "remove.json", "--output", "json"].iter().chain(arguments);
        field.run_plain(all.map(ToString::to_string).collect())
    };
    let review = offline(&["--state", &state]).await.done();
    assert_eq!((&review["proposal_id"], &review["verdict"]), (&Value::Null, &json!("pass")));
    let review = offline(&[]).await.no();
    assert_eq!((&review["verdict"], &review["ballot"]["kind"]), (&json!("incomplete"), &json!("exact")));
    let error = offline(&["--since", &state]).await.error(2);
    assert!(error.contains("there is none to ask"), "{error}");
}

/// A page that shows the review as a phone does, and writes what it finds into its own title.
fn phone(page: &str) -> String {
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    format!(
        "<!doctype html><title>not measured</title><iframe id=f width=360 height=700 srcdoc=\"{quoted}\"></iframe><script>
f.onload = () => {{
    const page = f.contentDocument, all = selector => [...page.querySelectorAll(selector)];
    all('details').forEach(one => {{ one.open = true; }});
    const focused = all('summary, pre').filter(one => {{ one.focus(); return page.activeElement === one; }}).length;
    const own = all('summary, pre').length;
    document.title = JSON.stringify({{width: page.documentElement.scrollWidth, focused, own,
        colour: f.contentWindow.getComputedStyle(page.body).backgroundColor, scripts: all('script, img, iframe, link').length}});
}};
</script>"
    )
}

#[tokio::test]
async fn a_browser_shows_a_hostile_proposal_as_text_on_a_phone_in_the_dark_and_asks_for_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let image = format!("<img src=http://{}/x onerror=\"document.title='ran'\">", listener.local_addr().unwrap());
    let evil =
        format!("</pre></details></script><script>document.title='ran'</script>{image}\u{202e}\u{1b} javascript:x");
    let field = service_of(&format!("mallory{image}")).await;
    let own = ["--key", "key.pem", "--cert", "cert.pem"];
    let note = json!({"name": evil, "long": "x".repeat(20_000), "lines": format!("{evil}\n{evil}\n")});
    let member = field.run(&["member", "list"]).await.done()["value"][1]["memberId"].clone();
    let actions = json!({"actions": [{"name": "set_member_data", "args": {"member_id": member, "member_data": note}}]});
    field.file("p.json", &actions.to_string());
    let made = field.run(&[&["proposal", "submit", "p.json"], &own[..]].concat()).await.done();
    let id = made["proposalId"].as_str().unwrap();
    let script = format!("export function vote() {{ throw new Error({}); }}", json!(evil));
    field.file("ballot.json", &json!({ "ballot": script }).to_string());
    field.run_as(1, &["ballot", "submit", id, "--ballot", "ballot.json", "--anyway"]).await.done();
    field.run(&["proposal", "review", id, "-o", "review.html"]).await.done();

    let page = std::fs::read_to_string(field.path("review.html")).unwrap();
    let Some(dom) = browse(&field.path("review.html"), &["--dump-dom"]).await else { return };
    for loads in ["<script", "<img", "<link", "<iframe", "<object", "<title>ran"] {
        assert!(!dom.contains(loads), "{loads}");
    }
    assert!(dom.contains("mallory&lt;img") && dom.contains("\\u{202e}"), "{dom}");
    let phone = field.file("phone.html", &phone(&page));
    for (dark, colour) in [
        ("--blink-settings=preferredColorScheme=1", "rgb(255, 255, 255)"),
        ("--blink-settings=preferredColorScheme=0", "rgb(20, 23, 26)"),
    ] {
        let dom = browse(&phone, &[dark, "--virtual-time-budget=5000", "--dump-dom"]).await.unwrap();
        let title = dom.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
        let found: Value = serde_json::from_str(title).unwrap_or_else(|e| panic!("{e}: {title}"));
        assert!(found["width"].as_u64().unwrap() <= 360, "{found}");
        assert_eq!((&found["focused"], &found["scripts"]), (&found["own"], &json!(0)), "{found}");
        assert!(found["own"].as_u64().unwrap() > 5 && found["colour"] == colour, "{found}");
    }
    let pdf = format!("--print-to-pdf={}", field.path("review.pdf").display());
    browse(&field.path("review.html"), &[&pdf]).await;
    let pdf = std::fs::read(field.path("review.pdf")).unwrap();
    let pages = String::from_utf8_lossy(&pdf).matches("/Type /Page\n").count();
    assert!(pdf.starts_with(b"%PDF-") && pages > 10, "what is behind clicks is on {pages} pages");
    assert!(listener.accept().is_err(), "a request was made");
}
