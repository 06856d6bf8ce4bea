export function resolve(proposal, proposerId, votes) {}
export function apply(proposal, proposalId) {}
