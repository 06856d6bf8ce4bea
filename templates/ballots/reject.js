export function vote(proposal, proposerId) {
  return false;
}
