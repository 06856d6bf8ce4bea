// When a proposal is accepted: as soon as more than half of the members who are Active now have voted yes.
//
// Until then it stays open. It is never rejected, since a member may still vote, and a proposer can withdraw.
// A vote counts only while its member is Active: a removed member's ballot counts no longer.

export function resolve(proposal, proposerId, votes) {
  const active = new Set();
  table("members.info").forEach((value, key) => {
    if (ccf.bufToJsonCompatible(value).status === "Active") {
      active.add(ccf.bufToStr(key));
    }
  });
  const yes = votes.filter((vote) => vote.vote === true && active.has(vote.member_id)).length;
  return yes * 2 > active.size ? "Accepted" : "Open";
}
