
export function apply(proposal, proposalId {}
