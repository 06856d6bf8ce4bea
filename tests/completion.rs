//! Completion, in the shells themselves.

use std::path::Path;
use std::process::Command;

use crate::support::skip::missing;

/// Runs `script` in `shell`; what it printed. `None` where the shell is missing.
fn run(shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    if Command::new(shell).args(arguments).arg("-c").arg("exit 0").output().is_err() {
        missing(&format!("{shell} (apt-get install {shell})"));
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_ccf-gov")).parent().unwrap();
    let path = std::env::join_paths(
        [program.to_owned()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let output = Command::new(shell)
        .args(arguments)
        .args(["-c", script])
        .current_dir(&folder)
        .env("PATH", path.unwrap())
        .env("HOME", folder.path())
        .env("TERM", "dumb")
        .env("CCF_GOV_TEMPLATES", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd/proposal/own_templates.in/kms"))
        .env_remove("CCF_GOV_SERVICE")
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is offered after each of these, and what is not.
const WORDS: [(&str, &str, &str); 6] = [
    ("pro", "proposal", "ballot"),
    ("proposal new add_snp_h", "add_snp_host_data", "add_snp_measurement"),
    ("proposal new set_k", "set_key_release_policy", "set_user"),
    ("ballot su", "submit", "new"),
    ("--output=j", "json", "human"),
    ("inspect --cer", "--cert", "--key"),
];

#[test]
fn bash_completes_after_the_first_word() {
    // At an equals sign bash divides words, and completes what follows it as a word of its own.
    for (words, offered, other) in WORDS.into_iter().filter(|(words, ..)| !words.contains('=')) {
        // As bash does when somebody presses Tab: the function that is registered for the program, with the words so far.
        let script = format!(
            "source <(ccf-gov completions bash)
             function=$(complete -p ccf-gov | sed 's/.*-F \\([^ ]*\\).*/\\1/')
             COMP_WORDS=(ccf-gov {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
             \"$function\" ccf-gov \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let Some(shown) = run("bash", &["--norc"], &script) else { return };
        assert!(shown.contains(offered) && !shown.contains(other), "{words}: {shown}");
    }
}

#[test]
fn fish_completes_after_the_first_word() {
    for (words, offered, other) in WORDS {
        let script = format!("ccf-gov completions fish | source; complete -C 'ccf-gov {words}'");
        let Some(shown) = run("fish", &["--no-config"], &script) else { return };
        assert!(shown.contains(offered) && !shown.contains(other), "{words}: {shown}");
    }
}

#[test]
fn zsh_completes_after_the_first_word() {
    for (words, offered, _) in WORDS {
        // An interactive zsh at a terminal of its own, in which somebody presses Tab.
        let script = format!(
            "zmodload zsh/zpty
             zpty shell zsh -f -i
             zpty -w shell 'PS1=; autoload -Uz compinit; compinit -u -D; source <(ccf-gov completions zsh); echo REA\"\"DY'
             while zpty -r shell line; do [[ $line == *READY* ]] && break; done
             zpty -w -n shell $'ccf-gov {words}\\t'
             for i in {{1..100}}; do
                 zpty -r -t shell line && shown+=$line
                 [[ $shown == *'{offered}'* ]] && break
                 sleep 0.1
             done
             zpty -d shell
             print -r -- \"$shown\""
        );
        let Some(shown) = run("zsh", &["-f"], &script) else { return };
        assert!(shown.contains(offered), "{words}: {shown}");
    }
}

#[test]
fn without_a_service_no_id_is_offered_and_nothing_is_said() {
    let script =
        "ccf-gov completions fish | source; complete -C 'ccf-gov --service https://127.0.0.1:1 proposal show '";
    let Some(shown) = run("fish", &["--no-config"], script) else { return };
    assert!(shown.contains("--votes") && shown.lines().all(|line| line.starts_with('-')), "{shown}");
}
