// Votes for one proposal only, the one below, and only while the service is what it was when this ballot was written: every
// guard must hold. Whatever cannot be read is a no.
const expected = JSON.parse(PROPOSAL);
const guards = JSON.parse(GUARDS);

// Whether two values are the same. The order of keys does not matter; anything else does.
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

// Whether two lists of texts hold the same, in any order.
function sameSet(a, b) {
  return same([...a].sort(), [...b].sort());
}

function table(name) {
  return ccf.kv["public:ccf.gov." + name];
}

// The value of a table that holds only one.
function only(name) {
  return ccf.bufToJsonCompatible(table(name).get(new ArrayBuffer(8)));
}

// The value of a row.
function row(name, id) {
  return ccf.bufToJsonCompatible(table(name).get(ccf.strToBuf(id)));
}

// The keys of the rows that are wanted.
function keys(name, wanted) {
  const found = [];
  table(name).forEach((value, key) => {
    if (wanted(value)) {
      found.push(ccf.bufToStr(key));
    }
  });
  return found;
}

// The keys of the rows with a status.
function withStatus(name, status) {
  return keys(name, (value) => ccf.bufToJsonCompatible(value).status === status);
}

// The keys of the rows that say that a measurement may join.
function allowed(name) {
  return keys(name, (value) => ccf.bufToJsonCompatible(value) === "AllowedToJoin");
}

// All rows.
function rows(name) {
  const found = Object.create(null);
  table(name).forEach((value, key) => {
    found[ccf.bufToStr(key)] = ccf.bufToJsonCompatible(value);
  });
  return found;
}

function sha256(text) {
  const bytes = new Uint8Array(ccf.crypto.digest("SHA-256", ccf.strToBuf(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// Each kind of guard.
const kinds = {
  // The service's certificate: SHA-256 of its DER.
  certificate: (guard) => ccf.pemToId(only("service.info").cert) === guard,
  // The constitution: SHA-256 of its text.
  constitution: (guard) => sha256(only("constitution")) === guard,
  // All that is registered, on every platform.
  joinPolicy: (guard) =>
    sameSet(guard.sgx.measurements, allowed("nodes.code_ids")) &&
    same(guard.snp.hostData, rows("nodes.snp.host_data")) &&
    sameSet(guard.snp.measurements, allowed("nodes.snp.measurements")) &&
    same(guard.snp.tcbVersions, rows("nodes.snp.tcb_versions")) &&
    same(guard.snp.uvmEndorsements, rows("nodes.snp.uvm_endorsements")) &&
    sameSet(guard.virtual.hostData, keys("nodes.virtual.host_data", () => true)) &&
    sameSet(guard.virtual.measurements, allowed("nodes.virtual.measurements")),
  // Exactly which nodes are trusted.
  trustedNodes: (guard) => sameSet(guard, withStatus("nodes.info", "Trusted")),
  // A node's status; its id is the digest of its key, which its attestation names.
  node: (guard) => row("nodes.info", guard.id).status === guard.status,
  // Exactly which members are active.
  activeMembers: (guard) => sameSet(guard, withStatus("members.info", "Active")),
  // A member's status and data; its id is the digest of its certificate.
  member: (guard) => {
    const { status, member_data = null } = row("members.info", guard.id);
    return status === guard.status && same(member_data, guard.data);
  },
};

function holds(guard) {
  const entries = Object.entries(guard);
  return entries.length === 1 && kinds[entries[0][0]](entries[0][1]) === true;
}

export function vote(proposal, proposerId) {
  try {
    return same(expected, JSON.parse(proposal)) && guards.every(holds);
  } catch (error) {
    return false;
  }
}
