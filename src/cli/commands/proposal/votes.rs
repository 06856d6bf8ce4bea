//! Who voted on a proposal, as it is printed.

use serde::Serialize;

use crate::cli::commands::ballot::kind;
use crate::cli::table::{Table, abridged};
use ccf_gov::id::MemberId;
use ccf_gov::service::{Proposal, Vote, Votes};

/// One member's part.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Vote"))]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    member_id: MemberId,
    /// The name in the certificate.
    name: Option<&'a str>,
    /// Whether it is the member of `--cert`; null without one.
    you: Option<bool>,
    active: bool,
    voted: bool,
    /// What the ballot does: `accept`, `reject`, `exact`, `guarded` or `other`.
    kind: Option<&'static str>,
    /// What the service counted, once the proposal is resolved.
    vote: Option<bool>,
    ballot: Option<&'a str>,
}

impl<'a> Line<'a> {
    pub fn of(vote: &'a Vote, you: Option<MemberId>) -> Self {
        Self {
            member_id: vote.member,
            name: vote.name.as_deref(),
            you: you.map(|you| you == vote.member),
            active: vote.active,
            voted: vote.voted(),
            kind: vote.ballot.as_deref().map(kind),
            vote: vote.counted,
            ballot: vote.ballot.as_deref(),
        }
    }
}

/// The votes for people.
pub fn table(proposal: &Proposal, votes: &Votes, you: Option<MemberId>, whole: bool) -> String {
    let short = abridged(votes.each.iter().map(|v| v.member.to_string()), whole);
    let mut table = Table::new(["Member", "Name", "Vote"]);
    for vote in &votes.each {
        let name = vote.name.clone().unwrap_or_default();
        let you = if you == Some(vote.member) { " (you)" } else { "" };
        table.row([short(&vote.member.to_string()), format!("{name}{you}"), said(proposal, vote)]);
    }
    let mut text = format!("Votes     {} of {} members\n{}", votes.voted(), votes.each.len(), table.text());
    match votes.by_nobody_listed {
        0 => {}
        1 => text += "  and 1 ballot of a member that was removed, which still counts\n",
        n => text += &format!("  and {n} ballots of members that were removed, which still count\n"),
    }
    text
}

fn said(proposal: &Proposal, vote: &Vote) -> String {
    let counted = |yes| if yes { "yes" } else { "no" };
    let word = match (vote.ballot.as_deref().map(kind), vote.counted) {
        (None, _) if !vote.voted() && proposal.proposal_state.is_final() => "did not vote".to_owned(),
        (None, _) if !vote.voted() => "not yet".to_owned(),
        (_, None) if vote.failed => "voted, and the ballot failed".to_owned(),
        (None, None) => "voted".to_owned(),
        (None, Some(yes)) => format!("voted {}", counted(yes)),
        (Some(kind), None) => format!("voted ({kind})"),
        (Some(kind), Some(yes)) => format!("voted {} ({kind})", counted(yes)),
    };
    if vote.active { word } else { format!("{word}, not active") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resolved_proposal_was_not_voted_on_by_whoever_is_missing() {
        let proposal = |state: &str| -> Proposal {
            serde_json::from_value(json!({"proposalId": "1".repeat(64), "proposerId": "2".repeat(64),
                "proposalState": state, "ballotCount": 2}))
            .unwrap()
        };
        let vote = |n: u8, name: &str, counted| Vote {
            member: MemberId::from_bytes([n; 32]),
            name: Some(name.into()),
            ballot: None,
            counted,
            failed: false,
            active: true,
        };
        let votes = Votes { each: vec![vote(1, "alice", Some(true)), vote(2, "bob", None)], by_nobody_listed: 1 };
        let you = Some(MemberId::from_bytes([2; 32]));
        assert_eq!(
            table(&proposal("Accepted"), &votes, you, false),
            "Votes     1 of 2 members\nMember    Name       Vote\n01010101  alice      voted yes\n02020202  bob (you)  \
             did not vote\n  and 1 ballot of a member that was removed, which still counts\n"
        );
        assert!(table(&proposal("Open"), &votes, you, false).contains("bob (you)  not yet\n"));
    }
}
