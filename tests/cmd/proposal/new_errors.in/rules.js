export function validate(input) {}
export function resolve(proposal, proposerId, votes) {}
