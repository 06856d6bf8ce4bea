//! A page as a browser reads it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::skip::missing;

/// What headless Chromium prints for a page; `None` without a browser.
pub async fn browse(page: &Path, arguments: &[&str]) -> Option<String> {
    const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
                         --disable-component-update --disable-sync";
    let profile = tempfile::tempdir().unwrap();
    let mut command = tokio::process::Command::new("chromium");
    command.args(FLAGS.split_whitespace()).arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(arguments).arg(format!("file://{}", page.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let Ok(child) = command.spawn() else {
        missing("chromium");
        return None;
    };
    let output = tokio::time::timeout(Duration::from_secs(90), child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    Some(String::from_utf8(output.stdout).unwrap())
}
