// Votes for one proposal only: the one below. The order of keys does not matter; anything else does.
const expected = JSON.parse(PROPOSAL);

function same(a, b) {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
    return Object.is(a, b);
  }
  if (Array.isArray(a) !== Array.isArray(b)) {
    return false;
  }
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.prototype.hasOwnProperty.call(b, key) && same(a[key], b[key]))
  );
}

export function vote(proposal, proposerId) {
  return same(expected, JSON.parse(proposal));
}
