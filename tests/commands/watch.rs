//! `proposal watch` of a member who waits, while others propose and vote.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use super::*;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::timeout;

impl Field {
    async fn proposes(&self, member: usize, digit: &str) -> String {
        let actions = json!([{"name": "add_virtual_host_data", "args": {"host_data": digit.repeat(64)}}]);
        let file = self.file(&format!("{digit}.json"), &json!({ "actions": actions }).to_string());
        let submitted = self.run_as(member, &["proposal", "submit", &file.display().to_string()]).await.done();
        submitted["proposalId"].as_str().unwrap().to_owned()
    }

    async fn accepts(&self, member: usize, id: &str) {
        self.run_as(member, &["ballot", "submit", id, "--accept"]).await.done();
    }
}

/// A `proposal watch` that runs, until it is dropped.
struct Watching {
    process: Child,
    lines: mpsc::Receiver<String>,
    last: Value,
}

impl Watching {
    fn start(field: &Field, member: usize) -> Self {
        let certificate = keys().join(format!("member{member}_cert.pem")).display().to_string();
        let mut arguments: Vec<String> =
            ["proposal", "watch", "--output", "json", "--service-cert", "service_cert.pem"].map(String::from).into();
        arguments.extend(["--cert".to_owned(), certificate]);
        arguments.extend(field.urls.iter().flat_map(|url| ["--service".into(), url.clone()]));
        let mut process = command(field.folder.path(), arguments).stdout(Stdio::piped()).spawn().unwrap();
        let (told, lines) = mpsc::channel(8);
        let stdout = BufReader::new(process.stdout.take().unwrap());
        thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| told.blocking_send(line)));
        Self { process, lines, last: Value::Null }
    }

    /// The next event, and of which proposal.
    async fn next(&mut self) -> (String, String) {
        let line = timeout(Duration::from_secs(60), self.lines.recv()).await.expect("an event in time").unwrap();
        self.last = serde_json::from_str(&line).expect("one line each");
        event(&self.last)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn event(line: &Value) -> (String, String) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&line["event"]), text(&line["proposalId"]))
}

fn events(ran: &Ran) -> Vec<(String, String)> {
    let lines = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("one line each"));
    lines.map(|line| event(&line)).collect()
}

#[tokio::test]
async fn what_waits_for_a_vote_is_told_as_it_comes_and_as_it_goes() {
    let field = Field::start().await;
    let first = field.proposes(0, "1").await;
    let mut watch = Watching::start(&field, 2);
    assert_eq!(watch.next().await, ("waits".into(), first.clone()));
    field.accepts(2, &first).await;
    assert_eq!(watch.next().await, ("no-longer-waits".into(), first.clone()));
    let second = field.proposes(0, "2").await;
    assert_eq!(watch.next().await, ("waits".into(), second.clone()));
    field.accepts(0, &second).await;
    field.accepts(1, &second).await;
    assert_eq!(watch.next().await, ("resolved".into(), second));
    let last = &watch.last;
    assert_eq!((&last["proposalState"], &last["waitsForYou"]), (&json!("Accepted"), &json!(false)));
    assert_eq!(last["title"], "register code 22222222…", "{last}");
}

#[tokio::test]
async fn a_script_looks_once() {
    let field = Field::start().await;
    let once = ["proposal", "watch", "--timeout", "0"];
    let ran = field.run_as(1, &once).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (6, ""), "{ran:?}");
    let people = field.run_for_people(1, &once).await;
    assert_eq!((people.code, people.stderr.as_str()), (6, "Nothing waits for your vote.\n"));
    let id = field.proposes(0, "1").await;
    let ran = field.run_as(1, &once).await;
    assert_eq!((ran.code, events(&ran)), (0, vec![("waits".into(), id.clone())]), "{ran:?}");
    let people = field.run_for_people(1, &once).await;
    let head = format!("{} waits for your vote: ", &id[..8]);
    assert!(people.code == 0 && people.stdout.starts_with(&head), "{people:?}");
    assert!(people.stdout.contains("\n  proposed by member0, 0 ballots so far; "), "{people:?}");
    let error = field.run(&once).await.error(2);
    assert!(error.contains("--cert") || error.contains("certificate"), "{error}");
}
