export function vote(proposal, proposerId) {
  return true;
}
