//! Transcripts of commands: `cmd/FAMILY/NAME.trycmd`, with its files in `NAME.in/`, is the test `cmd::FAMILY::NAME`.
//!
//! `TRYCMD=overwrite cargo test --test all cmd::FAMILY::NAME` writes what the command says now into the transcript.

use std::collections::BTreeSet;
use std::path::Path;

/// A test for each transcript, and the list of them all.
macro_rules! transcripts {
    ($($family:ident: $($name:ident)+;)+) => {
        $(mod $family {
            $(#[test]
            fn $name() {
                super::agrees(concat!(stringify!($family), "/", stringify!($name), ".trycmd"));
            })+
        })+

        const LISTED: &[&str] = &[$($(concat!(stringify!($family), "/", stringify!($name), ".trycmd")),+),+];
    };
}

transcripts! {
    air_gap: refused walk;
    ballot: new show tested;
    encodings: encodings;
    help: help;
    inspect: ballot envelopes refused;
    keys: files generate_refused show;
    measure: layers sgx snp_policy virtual_code;
    policy: images not_understood show;
    proposal: lint merge new new_errors numbers own_templates own_templates_errors review submit templates;
    sandbox: broken_state no_certificate no_constitution no_folder no_members no_nodes platform;
    service: address ballot certificate ids no_service node not_an_envelope rehearse unreachable;
    shell: near_misses;
    sign: refused_content refused_headers refused_keys spellings types;
    signers: uris;
    upgrade: plan_errors report_errors step_errors;
    verify: attestation proposal service;
}

const FOLDER: &str = "tests/cmd";

fn agrees(transcript: &str) {
    trycmd::TestCases::new().case(Path::new(FOLDER).join(transcript));
}

#[test]
fn every_transcript_is_listed() {
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let families = entries(Path::new(FOLDER)).filter(|path| path.is_dir());
    let there: BTreeSet<_> = families
        .flat_map(|family| entries(&family))
        .filter(|path| path.extension().is_some_and(|extension| extension == "trycmd"))
        .map(|path| path.strip_prefix(FOLDER).unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(there, LISTED.iter().map(ToString::to_string).collect());
}
