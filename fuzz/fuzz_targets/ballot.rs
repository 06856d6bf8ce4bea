//! Ballots: a payload's script or any text as one. An exact ballot for a proposal is known as that, and holds that proposal.
#![no_main]

use ccf_gov::json::same;
use ccf_gov::proposal::ballot::{Ballot, BallotKind, exact, kind, one_proposal};
use ccf_gov::proposal::shown;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(ballot) = Ballot::parse(data) {
        assert_eq!(Ballot::parse(&ballot.payload()).expect("what we write can be read"), ballot);
        let _ = ballot.kind();
    }
    if let Ok(script) = std::str::from_utf8(data) {
        let _ = kind(script);
    }
    if let Ok(proposal) = shown::read(data)
        && let Ok(ballot) = exact(&proposal)
    {
        assert_eq!(ballot.kind(), BallotKind::Exact);
        let held = one_proposal(ballot.script()).expect("it is exact");
        assert!(same(held.value(), proposal.value()));
    }
});
