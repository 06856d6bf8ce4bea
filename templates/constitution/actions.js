// The actions that members can propose: what each is called, which arguments it takes, and what it does when it is
// accepted.
//
// First of the four files of a constitution: actions.js, validate.js, resolve.js, apply.js, in this order, make one
// module. It runs on CCF 6 and 7.

// --- The service's tables ------------------------------------------------------------------------------------------

function table(name) {
  return ccf.kv["public:ccf.gov." + name];
}

// The key of a table that holds a single value.
function onlyKey() {
  return new ArrayBuffer(8);
}

function readJson(name, key) {
  const value = table(name).get(key);
  return value === undefined ? undefined : ccf.bufToJsonCompatible(value);
}

function writeJson(name, key, value) {
  table(name).set(key, ccf.jsonCompatibleToBuf(value));
}

function writeText(name, key, text) {
  table(name).set(key, ccf.strToBuf(text));
}

function readOnly(name, what) {
  const value = readJson(name, onlyKey());
  if (value === undefined) {
    throw new Error(`the service has no ${what} (table public:ccf.gov.${name})`);
  }
  return value;
}

function serviceInfo() {
  return readOnly("service.info", "information about itself");
}

function serviceConfiguration() {
  return readOnly("service.config", "configuration");
}

// --- What an argument may be ---------------------------------------------------------------------------------------
//
// A check is a function of a value and of the path under which it stands; it throws an error that names the path.

function given(value) {
  return value !== undefined && value !== null;
}

function shown(value) {
  if (value === undefined) {
    return "and is missing";
  }
  return `not ${short(JSON.stringify(value))}`;
}

// A part of a text that is too long, never half of a character.
function short(text) {
  return text.length > 80 ? text.slice(0, 80).replace(/[\ud800-\udbff]$/, "") + "..." : text;
}

// A name that somebody else chose, for a message: what can't be printed is escaped.
function quoted(name) {
  return short(JSON.stringify(name).slice(1, -1));
}

function refuse(path, must, value) {
  throw new Error(`${path} must be ${must}, ${shown(value)}`);
}

function string(value, path) {
  if (typeof value !== "string") {
    refuse(path, "a string", value);
  }
  // A node would store such a text cut short, or as bytes that nobody can read.
  if (/[\0\ud800-\udfff]/u.test(value)) {
    refuse(path, "text without NUL characters and unpaired surrogates", value);
  }
}

function nonEmptyString(value, path) {
  string(value, path);
  if (value === "") {
    refuse(path, "a string that is not empty", value);
  }
}

function boolean(value, path) {
  if (typeof value !== "boolean") {
    refuse(path, "true or false", value);
  }
}

function object(value, path) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    refuse(path, "an object", value);
  }
}

function present(value, path) {
  if (value === undefined) {
    refuse(path, "given (null clears it)", value);
  }
}

function optional(check) {
  return (value, path) => {
    if (given(value)) {
      check(value, path);
    }
  };
}

function integer(least, most) {
  return (value, path) => {
    if (!Number.isSafeInteger(value) || value < least || value > most) {
      const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
      refuse(path, `a whole number ${range}`, value);
    }
  };
}

function oneOf(choices) {
  return (value, path) => {
    if (!choices.includes(value)) {
      refuse(path, `one of ${choices.map((choice) => JSON.stringify(choice)).join(", ")}`, value);
    }
  };
}

// Nodes compare identifiers as text, so an uppercase digit would never match anything.
function hex(digits) {
  const pattern = new RegExp(`^[0-9a-f]{${digits}}$`);
  return (value, path) => {
    if (typeof value !== "string" || !pattern.test(value)) {
      refuse(path, `${digits} lowercase hexadecimal digits`, value);
    }
  };
}

function listOf(check) {
  return (value, path) => {
    if (!Array.isArray(value)) {
      refuse(path, "an array", value);
    }
    value.forEach((item, index) => check(item, `${path}[${index}]`));
  };
}

function matching(pattern, must) {
  return (value, path) => {
    if (typeof value !== "string" || !pattern.test(value)) {
      refuse(path, must, value);
    }
  };
}

function certificates(value, path) {
  if (typeof value !== "string" || !value.includes("-----BEGIN CERTIFICATE-----") || !ccf.crypto.isValidX509CertBundle(value)) {
    refuse(path, "X.509 certificates in PEM format", value);
  }
}

function certificate(value, path) {
  certificates(value, path);
  if (value.split("-----BEGIN").length !== 2) {
    throw new Error(`${path} must be exactly one certificate`);
  }
  try {
    ccf.pemToId(value);
  } catch (error) {
    throw new Error(`${path} must be a certificate whose identity can be computed (${error.message})`);
  }
}

// Certificates of authorities and nothing else: whoever holds the key of one of them is trusted.
function rootCertificates(value, path) {
  certificates(value, path);
  const blocks = value.match(/-----BEGIN CERTIFICATE-----[\w+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  const others = blocks.reduce((text, block) => text.replace(block, ""), value);
  if (others.trim() !== "") {
    throw new Error(`${path} must have certificates and white space only, not ${short(JSON.stringify(others.trim()))}`);
  }
  blocks.forEach((block, index) => {
    const at = `${path}, certificate ${index + 1},`;
    certificates(block, at);
    // Older nodes can't tell.
    if (ccf.crypto.isValidX509RootCACert !== undefined && !ccf.crypto.isValidX509RootCACert(block)) {
      throw new Error(`${at} must be the self-signed certificate of an authority`);
    }
  });
}

// How many bytes a base64url text without padding stands for.
function byteLength(text) {
  return Math.floor((text.length * 3) / 4);
}

const leastRsaBytes = 2048 / 8;

// Recovery shares are encrypted with this key, so anything else would break the next rekey.
// OAEP with SHA-256 can't wrap a share in a key of 512 bits, and shorter keys than 2048 bits can be broken.
function rsaPublicKey(value, path) {
  let bytes = 0;
  try {
    nonEmptyString(value, path);
    bytes = byteLength(ccf.crypto.pubRsaPemToJwk(value).n);
  } catch (error) {
    refuse(path, "an RSA public key in PEM format", value);
  }
  if (bytes < leastRsaBytes) {
    throw new Error(`${path} must be an RSA key of at least 2048 bits`);
  }
}

const id = hex(64);
const cpuid = hex(8);
const byte = integer(0, 255);
const days = optional(integer(1, Infinity));
// What a node reads right: it would take an offset without a colon for none.
const moment = matching(
  /^(\d{12}(\d\d)?Z|\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?)$/,
  "a time such as 251122210000Z or 2025-11-22T21:00:00Z",
);

// --- Defining actions ----------------------------------------------------------------------------------------------

const actions = new Map();

// `parameters` maps each argument to its check; `also` checks what needs several arguments or the service's state.
// An action that changes who may join, or the rules, `drops` every other open proposal: they were voted on under
// other conditions.
function action(name, parameters, apply, { also = () => {}, drops = false } = {}) {
  function validate(given_args) {
    const args = given_args ?? {};
    object(args, "args");
    for (const argument of Object.keys(args)) {
      if (!Object.keys(parameters).includes(argument)) {
        throw new Error(`${quoted(argument)} is not an argument of this action`);
      }
    }
    for (const [argument, check] of Object.entries(parameters)) {
      check(args[argument], argument);
    }
    also(args);
  }
  function run(args, proposalId) {
    apply(args ?? {});
    if (drops) {
      dropOtherOpenProposals(proposalId);
    }
  }
  actions.set(name, { validate, run });
}

function dropOtherOpenProposals(exceptId) {
  table("proposals_info").forEach((value, key) => {
    const info = ccf.bufToJsonCompatible(value);
    if (info.state === "Open" && ccf.bufToStr(key) !== exceptId) {
      info.state = "Dropped";
      writeJson("proposals_info", key, info);
    }
  });
}

// --- Recovery ------------------------------------------------------------------------------------------------------

// While a service recovers, its members give the shares that they hold: nothing may change who holds one, or how many
// are needed. Checked when it is proposed, and again when it is applied.
function notWhileRecovering(what) {
  const info = readJson("service.info", onlyKey());
  if (info !== undefined && ["Recovering", "WaitingForRecoveryShares"].includes(info.status)) {
    throw new Error(`${what} can't change while the service is ${info.status}`);
  }
}

function holdsRecoveryKey(memberId) {
  return table("members.encryption_public_keys").has(ccf.strToBuf(memberId));
}

// --- Members and users ---------------------------------------------------------------------------------------------

// The greatest recovery threshold that the Active members can meet, one of them left out: participants each hold one
// share, and an owner alone can do what one share can.
function recoveryCapacity(exceptId) {
  let participants = 0;
  let owners = 0;
  table("members.encryption_public_keys").forEach((_, key) => {
    const info = readJson("members.info", key);
    if (info === undefined || info.status !== "Active" || ccf.bufToStr(key) === exceptId) {
      return;
    }
    if (info.recovery_role === "Owner") {
      owners++;
    } else if (info.recovery_role !== "NonParticipant") {
      participants++;
    }
  });
  return participants === 0 && owners > 0 ? 1 : participants;
}

// A member that is set again without a key loses the one that it has.
function checkRecoveryMember(args) {
  if (given(args.encryption_pub_key) || holdsRecoveryKey(ccf.pemToId(args.cert))) {
    notWhileRecovering("a recovery member");
  }
}

action(
  "set_member",
  {
    cert: certificate,
    encryption_pub_key: optional(rsaPublicKey),
    member_data: optional(object),
    recovery_role: optional(oneOf(["NonParticipant", "Participant", "Owner"])),
  },
  (args) => {
    checkRecoveryMember(args);
    const key = ccf.strToBuf(ccf.pemToId(args.cert));
    writeText("members.certs", key, args.cert);
    if (given(args.encryption_pub_key)) {
      writeText("members.encryption_public_keys", key, args.encryption_pub_key);
    } else {
      table("members.encryption_public_keys").delete(key);
    }
    const info = { status: "Accepted" };
    if (given(args.member_data)) {
      info.member_data = args.member_data;
    }
    if (given(args.recovery_role)) {
      info.recovery_role = args.recovery_role;
    }
    writeJson("members.info", key, info);

    // The state that the member will be asked to acknowledge first.
    const signature = ccf.kv["public:ccf.internal.signatures"].get(onlyKey());
    if (signature !== undefined) {
      writeJson("members.acks", key, { state_digest: ccf.bufToJsonCompatible(signature).root });
    }
  },
  {
    also: (args) => {
      if (given(args.recovery_role) && !given(args.encryption_pub_key)) {
        throw new Error("recovery_role must not be given without encryption_pub_key");
      }
      checkRecoveryMember(args);
    },
  },
);

function checkRemovedMember(args) {
  if (holdsRecoveryKey(args.member_id)) {
    notWhileRecovering("a recovery member");
  }
}

function removeMember(args) {
  checkRemovedMember(args);
  const key = ccf.strToBuf(args.member_id);
  const info = readJson("members.info", key);
  if (info === undefined) {
    return;
  }
  const recovers = holdsRecoveryKey(args.member_id) && info.recovery_role !== "NonParticipant";
  const holdsShares = info.status === "Active" && recovers;
  if (holdsShares) {
    const left = recoveryCapacity(args.member_id);
    const threshold = serviceConfiguration().recovery_threshold;
    if (left < threshold) {
      throw new Error(`only ${left} recovery shares would be left, and recovery needs ${threshold}`);
    }
  }
  for (const name of ["info", "certs", "encryption_public_keys", "acks"]) {
    table("members." + name).delete(key);
  }
  table("history").delete(key);
  if (holdsShares) {
    // The ledger from here on must not be readable with the shares that this member has.
    ccf.node.triggerLedgerRekey();
  }
}

action("remove_member", { member_id: id }, removeMember, { also: checkRemovedMember });

action("set_member_data", { member_id: id, member_data: object }, (args) => {
  const key = ccf.strToBuf(args.member_id);
  const info = readJson("members.info", key);
  if (info === undefined) {
    throw new Error(`there is no member ${args.member_id}`);
  }
  info.member_data = args.member_data;
  writeJson("members.info", key, info);
});

function writeUserData(key, data) {
  if (given(data)) {
    writeJson("users.info", key, { user_data: data });
  } else {
    table("users.info").delete(key);
  }
}

action("set_user", { cert: certificate, user_data: optional(object) }, (args) => {
  const key = ccf.strToBuf(ccf.pemToId(args.cert));
  writeText("users.certs", key, args.cert);
  writeUserData(key, args.user_data);
});

action("remove_user", { user_id: id }, (args) => {
  const key = ccf.strToBuf(args.user_id);
  table("users.certs").delete(key);
  table("users.info").delete(key);
});

action("set_user_data", { user_id: id, user_data: optional(object) }, (args) => {
  writeUserData(ccf.strToBuf(args.user_id), args.user_data);
});

// --- Recovery and the service --------------------------------------------------------------------------------------

function checkThreshold(change) {
  if (given(change.recovery_threshold)) {
    notWhileRecovering("the recovery threshold");
  }
}

function changeConfiguration(change) {
  checkThreshold(change);
  const config = serviceConfiguration();
  const refreshShares = given(change.recovery_threshold) && change.recovery_threshold !== config.recovery_threshold;
  if (refreshShares) {
    const most = recoveryCapacity();
    if (serviceInfo().status === "Open" && change.recovery_threshold > most) {
      throw new Error(`the recovery threshold can't be ${change.recovery_threshold}: the members can meet ${most}`);
    }
  }
  for (const [name, value] of Object.entries(change)) {
    if (given(value)) {
      config[name] = value;
    }
  }
  writeJson("service.config", onlyKey(), config);
  if (refreshShares) {
    ccf.node.triggerRecoverySharesRefresh();
  }
}

action("set_recovery_threshold", { recovery_threshold: integer(1, 254) }, changeConfiguration, { also: checkThreshold });

action(
  "set_service_configuration",
  {
    reconfiguration_type: optional(oneOf(["OneTransaction", "TwoTransaction"])),
    recovery_threshold: optional(integer(1, 254)),
    recent_cose_proposals_window_size: optional(integer(1, 10000)),
  },
  changeConfiguration,
  { also: checkThreshold },
);

// New shares or a new ledger secret, but not while the old shares are asked for.
function renewal(name, what, trigger) {
  const check = () => notWhileRecovering(what);
  const run = () => {
    check();
    trigger();
  };
  action(name, {}, run, { also: check });
}

renewal("trigger_recovery_shares_refresh", "recovery shares", () => ccf.node.triggerRecoverySharesRefresh());

renewal("trigger_ledger_rekey", "the ledger secret", () => ccf.node.triggerLedgerRekey());

action("trigger_ledger_chunk", {}, () => ccf.node.triggerLedgerChunk());

action("trigger_snapshot", {}, () => ccf.node.triggerSnapshot());

action(
  "transition_service_to_open",
  { previous_service_identity: optional(certificate), next_service_identity: certificate },
  (args) => {
    const previous = args.previous_service_identity;
    if (serviceInfo().status === "Recovering" && !given(previous)) {
      throw new Error("a service that recovers is opened with both its previous_ and its next_service_identity");
    }
    ccf.node.transitionServiceToOpen(
      given(previous) ? ccf.strToBuf(previous) : undefined,
      ccf.strToBuf(args.next_service_identity),
    );
  },
);

function checkServiceIdentity(args) {
  if (serviceInfo().cert.trim() !== args.service_identity.trim()) {
    throw new Error("service_identity must be the certificate of this service, and it is another one");
  }
}

// Binds a proposal to one service: elsewhere, it is not valid.
action("assert_service_identity", { service_identity: certificate }, checkServiceIdentity, {
  also: checkServiceIdentity,
});

action(
  "set_constitution",
  { constitution: nonEmptyString },
  (args) => writeJson("constitution", onlyKey(), args.constitution),
  {
    also: (args) => {
      // Older nodes can't check a constitution.
      if (ccf.gov !== undefined && ccf.gov.validateConstitution !== undefined) {
        try {
          ccf.gov.validateConstitution(args.constitution);
        } catch (error) {
          throw new Error(`constitution must be one: ${error.message}`);
        }
      }
    },
    drops: true,
  },
);

// --- Certificates --------------------------------------------------------------------------------------------------

function validityDays(asked, limit) {
  const most = limit ?? 365;
  if (given(asked) && asked > most) {
    throw new Error(`validity_period_days can't be ${asked}: this service allows ${most}`);
  }
  return given(asked) ? asked : most;
}

function endorseNode(nodeId, node, args) {
  const limit = serviceConfiguration().maximum_node_certificate_validity_days;
  const endorsed = ccf.network.generateEndorsedCertificate(
    node.certificate_signing_request,
    args.valid_from,
    validityDays(args.validity_period_days, limit),
  );
  writeText("nodes.endorsed_certificates", ccf.strToBuf(nodeId), endorsed);
}

function renewNode(nodeId, node, args) {
  if (!given(node.certificate_signing_request)) {
    throw new Error(`node ${nodeId} has left no certificate signing request`);
  }
  endorseNode(nodeId, node, args);
}

action("set_node_certificate_validity", { node_id: id, valid_from: moment, validity_period_days: days }, (args) => {
  const node = knownNode(args.node_id);
  if (node.status !== "Trusted") {
    throw new Error(`node ${args.node_id} is ${node.status}, not Trusted`);
  }
  renewNode(args.node_id, node, args);
});

action("set_all_nodes_certificate_validity", { valid_from: moment, validity_period_days: days }, (args) => {
  table("nodes.info").forEach((value, key) => {
    const node = ccf.bufToJsonCompatible(value);
    if (node.status === "Trusted") {
      renewNode(ccf.bufToStr(key), node, args);
    }
  });
});

action("set_service_certificate_validity", { valid_from: moment, validity_period_days: days }, (args) => {
  const limit = serviceConfiguration().maximum_service_certificate_validity_days;
  const info = serviceInfo();
  info.cert = ccf.network.generateNetworkCertificate(
    args.valid_from,
    validityDays(args.validity_period_days, limit),
  );
  writeJson("service.info", onlyKey(), info);
});

action("set_ca_cert_bundle", { name: nonEmptyString, cert_bundle: rootCertificates }, (args) =>
  writeJson("tls.ca_cert_bundles", ccf.strToBuf(args.name), args.cert_bundle),
);

action("remove_ca_cert_bundle", { name: string }, (args) =>
  table("tls.ca_cert_bundles").delete(ccf.strToBuf(args.name)),
);

// --- Nodes ---------------------------------------------------------------------------------------------------------

function knownNode(nodeId) {
  const node = readJson("nodes.info", ccf.strToBuf(nodeId));
  if (node === undefined) {
    throw new Error(`there is no node ${nodeId}`);
  }
  return node;
}

action("transition_node_to_trusted", { node_id: id, valid_from: moment, validity_period_days: days }, (args) => {
  const node = knownNode(args.node_id);
  if (node.status === "Retired") {
    throw new Error(`node ${args.node_id} is Retired, and never comes back`);
  }
  if (node.status !== "Pending") {
    return;
  }
  node.status = "Trusted";
  node.ledger_secret_seqno = ccf.network.getLatestLedgerSecretSeqno();
  writeJson("nodes.info", ccf.strToBuf(args.node_id), node);
  // A node that can recover by itself gets its share of the ledger secret; older CCF has no such nodes.
  if (ccf.node.shuffleSealedShares !== undefined) {
    ccf.node.shuffleSealedShares();
  }
  if (given(node.certificate_signing_request)) {
    endorseNode(args.node_id, node, args);
  }
});

// A node that was never trusted just goes; one that took part in consensus retires, and the service removes its entry
// when the retirement is committed.
action("remove_node", { node_id: id }, (args) => {
  const key = ccf.strToBuf(args.node_id);
  const node = readJson("nodes.info", key);
  if (node === undefined) {
    return;
  }
  if (node.status === "Pending") {
    table("nodes.info").delete(key);
  } else {
    node.status = "Retired";
    writeJson("nodes.info", key, node);
  }
});

action("set_node_data", { node_id: id, node_data: present }, (args) => {
  const node = knownNode(args.node_id);
  node.node_data = args.node_data;
  writeJson("nodes.info", ccf.strToBuf(args.node_id), node);
});

// --- Who may join --------------------------------------------------------------------------------------------------
//
// What is added is checked for its exact form; what is removed is any text, so that a wrong entry can be removed too.

function allowToJoin(name, argument) {
  return (args) => writeJson(name, ccf.strToBuf(args[argument]), "AllowedToJoin");
}

function forget(name, argument) {
  return (args) => table(name).delete(ccf.strToBuf(args[argument]));
}

// SGX nodes joined services up to CCF 5: what is left of them can only be removed.
action("remove_node_code", { code_id: string }, forget("nodes.code_ids", "code_id"));

action("add_snp_measurement", { measurement: hex(96) }, allowToJoin("nodes.snp.measurements", "measurement"), {
  drops: true,
});

action("remove_snp_measurement", { measurement: string }, forget("nodes.snp.measurements", "measurement"));

function hexOf(buffer) {
  return Array.from(new Uint8Array(buffer), (octet) => octet.toString(16).padStart(2, "0")).join("");
}

action(
  "add_snp_host_data",
  { host_data: hex(64), security_policy: string },
  (args) => writeJson("nodes.snp.host_data", ccf.strToBuf(args.host_data), args.security_policy),
  {
    also: (args) => {
      if (args.security_policy !== "") {
        const digest = hexOf(ccf.crypto.digest("SHA-256", ccf.strToBuf(args.security_policy)));
        if (digest !== args.host_data) {
          throw new Error(`host_data must be the SHA-256 of security_policy, which is ${digest}`);
        }
      }
    },
    drops: true,
  },
);

action("remove_snp_host_data", { host_data: string }, forget("nodes.snp.host_data", "host_data"));

action(
  "add_snp_uvm_endorsement",
  { did: nonEmptyString, feed: nonEmptyString, svn: matching(/^\d{1,18}$/, 'a whole number as text, such as "100"') },
  (args) => {
    const key = ccf.strToBuf(args.did);
    const feeds = readJson("nodes.snp.uvm_endorsements", key) ?? {};
    feeds[args.feed] = { svn: args.svn };
    writeJson("nodes.snp.uvm_endorsements", key, feeds);
  },
  { drops: true },
);

action("remove_snp_uvm_endorsement", { did: string, feed: string }, (args) => {
  const key = ccf.strToBuf(args.did);
  const feeds = readJson("nodes.snp.uvm_endorsements", key) ?? {};
  delete feeds[args.feed];
  if (Object.keys(feeds).length === 0) {
    table("nodes.snp.uvm_endorsements").delete(key);
  } else {
    writeJson("nodes.snp.uvm_endorsements", key, feeds);
  }
});

// Turin has a fifth component, fmc. CCF refuses every node of a CPU whose minimum has a component too many or too few.
function isTurin(cpu) {
  return cpu.slice(0, 3) === "00b";
}

action(
  "set_snp_minimum_tcb_version",
  { cpuid, tcb_version: object },
  (args) => writeJson("nodes.snp.tcb_versions", ccf.strToBuf(args.cpuid), args.tcb_version),
  {
    also: (args) => {
      const components = ["boot_loader", "tee", "snp", "microcode"];
      if (isTurin(args.cpuid)) {
        components.push("fmc");
      }
      for (const component of components) {
        byte(args.tcb_version[component], `tcb_version.${component}`);
      }
      for (const component of Object.keys(args.tcb_version)) {
        if (!components.includes(component)) {
          throw new Error(`tcb_version.${component} is not a component of this CPU's TCB version`);
        }
      }
    },
    drops: true,
  },
);

action(
  "set_snp_minimum_tcb_version_hex",
  { cpuid, tcb_version: hex(16) },
  (args) => {
    const minimum = ccf.tcbHexToPolicy(args.cpuid, args.tcb_version);
    writeJson("nodes.snp.tcb_versions", ccf.strToBuf(args.cpuid), minimum);
  },
  {
    also: (args) => {
      if (ccf.tcbHexToPolicy === undefined) {
        throw new Error("this CCF can't read a TCB version in hexadecimal: use set_snp_minimum_tcb_version");
      }
      try {
        ccf.tcbHexToPolicy(args.cpuid, args.tcb_version);
      } catch (error) {
        throw new Error(`tcb_version can't be read for cpuid ${args.cpuid}: ${error.message}`);
      }
    },
    drops: true,
  },
);

action("remove_snp_minimum_tcb_version", { cpuid }, (args) => {
  const key = ccf.strToBuf(args.cpuid);
  if (!table("nodes.snp.tcb_versions").has(key)) {
    throw new Error(`there is no minimum TCB version for cpuid ${args.cpuid}`);
  }
  table("nodes.snp.tcb_versions").delete(key);
});

action(
  "add_virtual_measurement",
  { measurement: nonEmptyString },
  allowToJoin("nodes.virtual.measurements", "measurement"),
  { drops: true },
);

action("remove_virtual_measurement", { measurement: string }, forget("nodes.virtual.measurements", "measurement"));

// This table is a set: its values mean nothing and are all the same eight bytes.
action(
  "add_virtual_host_data",
  { host_data: hex(64) },
  (args) => table("nodes.virtual.host_data").set(ccf.strToBuf(args.host_data), new ArrayBuffer(8)),
  { drops: true },
);

action("remove_virtual_host_data", { host_data: string }, forget("nodes.virtual.host_data", "host_data"));

action("set_node_join_policy", { policy: nonEmptyString }, (args) =>
  writeText("nodes.node_join_policy", onlyKey(), args.policy),
);

action("remove_node_join_policy", {}, () => table("nodes.node_join_policy").delete(onlyKey()));

// --- The application -----------------------------------------------------------------------------------------------

function modulePath(name) {
  return "/" + name.replace(/^\/+/, "");
}

function authenticationPolicy(value, path) {
  if (typeof value === "string") {
    return;
  }
  if (typeof value !== "object" || value === null) {
    refuse(path, "the name of a policy, or {all_of: [names]}", value);
  }
  listOf(string)(value.all_of, `${path}.all_of`);
}

function endpoint(value, path, modules) {
  object(value, path);
  nonEmptyString(value.js_module, `${path}.js_module`);
  nonEmptyString(value.js_function, `${path}.js_function`);
  oneOf(["readwrite", "readonly", "historical"])(value.mode, `${path}.mode`);
  oneOf(["sometimes", "always", "never"])(value.forwarding_required, `${path}.forwarding_required`);
  optional(oneOf(["none", "to_primary", "to_backup"]))(value.redirection_strategy, `${path}.redirection_strategy`);
  optional(object)(value.openapi, `${path}.openapi`);
  optional(boolean)(value.openapi_hidden, `${path}.openapi_hidden`);
  listOf(authenticationPolicy)(value.authn_policies, `${path}.authn_policies`);
  if (!modules.has(modulePath(value.js_module))) {
    throw new Error(`${path}.js_module must be the name of a module of the bundle, ${shown(value.js_module)}`);
  }
}

function bundle(value, path) {
  object(value, path);
  const modules = new Set();
  listOf((module, at) => {
    object(module, at);
    nonEmptyString(module.name, `${at}.name`);
    string(module.module, `${at}.module`);
    if (modules.has(modulePath(module.name))) {
      throw new Error(`${at}.name must not be that of another module, ${shown(module.name)}`);
    }
    modules.add(modulePath(module.name));
  })(value.modules, `${path}.modules`);
  object(value.metadata, `${path}.metadata`);
  object(value.metadata.endpoints, `${path}.metadata.endpoints`);
  for (const [url, methods] of Object.entries(value.metadata.endpoints)) {
    const at = `${path}.metadata.endpoints[${JSON.stringify(url)}]`;
    object(methods, at);
    for (const [method, definition] of Object.entries(methods)) {
      endpoint(definition, `${at}.${method}`, modules);
    }
  }
}

action("set_js_app", { bundle, disable_bytecode_cache: optional(boolean) }, (args) => {
  table("modules").clear();
  table("endpoints").clear();
  for (const { name, module } of args.bundle.modules) {
    writeText("modules", ccf.strToBuf(modulePath(name)), module);
  }
  for (const [url, methods] of Object.entries(args.bundle.metadata.endpoints)) {
    for (const [method, definition] of Object.entries(methods)) {
      const key = ccf.strToBuf(`${method.toUpperCase()} ${url}`);
      writeJson("endpoints", key, withoutNulls({ ...definition, js_module: modulePath(definition.js_module) }));
    }
  }
  if (args.disable_bytecode_cache) {
    forgetBytecode();
  } else {
    ccf.refreshAppBytecodeCache();
  }
  // Interpreters that nodes keep for the old application must go.
  writeJson("interpreter.flush", onlyKey(), true);
});

function forgetBytecode() {
  table("modules_quickjs_bytecode").clear();
  table("modules_quickjs_version").clear();
}

// Nodes read an optional field that is null as a mistake.
function withoutNulls(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => given(value)));
}

action("remove_js_app", {}, () => {
  table("modules").clear();
  table("endpoints").clear();
  table("interpreter.flush").clear();
  forgetBytecode();
});

action("refresh_js_app_bytecode_cache", {}, () => ccf.refreshAppBytecodeCache());

action(
  "set_js_runtime_options",
  {
    max_heap_bytes: integer(1, Infinity),
    max_stack_bytes: integer(1, Infinity),
    max_execution_time_ms: integer(1, Infinity),
    log_exception_details: optional(boolean),
    return_exception_details: optional(boolean),
    max_cached_interpreters: optional(integer(0, Infinity)),
  },
  (args) => writeJson("js_runtime_options", onlyKey(), withoutNulls(args)),
);

// --- Tokens that the application accepts ---------------------------------------------------------------------------

// A key that is proposed is public for ever.
const privateMembers = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
const coordinateBytes = { "P-256": 32, "P-384": 48, "P-521": 66 };
const algorithms = { "P-256": "ES256", "P-384": "ES384", "P-521": "ES512" };

function base64url(value, path) {
  if (typeof value !== "string" || !/^[A-Za-z0-9_-]+$/.test(value) || value.length % 4 === 1) {
    refuse(path, "base64url without padding", value);
  }
}

// A node reads the key as it would for a token.
function readable(key, convert, kind, path) {
  try {
    convert(key);
  } catch (error) {
    throw new Error(`${path} must be a valid ${kind} public key (${error.message})`);
  }
}

function rsaKey(key, path) {
  base64url(key.n, `${path}.n`);
  base64url(key.e, `${path}.e`);
  if (byteLength(key.n) < leastRsaBytes) {
    throw new Error(`${path}.n must be of at least 2048 bits`);
  }
  readable(key, ccf.crypto.pubRsaJwkToPem, "RSA", path);
}

function ecKey(key, path) {
  oneOf(Object.keys(coordinateBytes))(key.crv, `${path}.crv`);
  for (const name of ["x", "y"]) {
    base64url(key[name], `${path}.${name}`);
    if (byteLength(key[name]) !== coordinateBytes[key.crv]) {
      throw new Error(`${path}.${name} must be of ${coordinateBytes[key.crv]} bytes, as its curve is`);
    }
  }
  readable(key, ccf.crypto.pubJwkToPem, "EC", path);
}

// Certificates, standard base64 of DER: the key's own first, each issued by the next, the last one trusted as the root.
function certificateChain(value, path) {
  const blocks = [];
  listOf((der, at) => {
    matching(/^[A-Za-z0-9+/]+={0,2}$/, "base64")(der, at);
    const block = `-----BEGIN CERTIFICATE-----\n${der.replace(/.{64}/g, "$&\n").trim()}\n-----END CERTIFICATE-----\n`;
    certificates(block, at);
    blocks.push(block);
  })(value, path);
  if (blocks.length === 0) {
    throw new Error(`${path} must have a certificate, and is empty`);
  }
  if (!ccf.crypto.isValidX509CertChain(blocks.join(""), blocks[blocks.length - 1])) {
    throw new Error(`${path} must be a chain of certificates in date, which ends in that of an authority`);
  }
}

function publicKey(key, path) {
  object(key, path);
  nonEmptyString(key.kid, `${path}.kid`);
  const secret = privateMembers.find((name) => given(key[name]));
  if (secret !== undefined) {
    throw new Error(`${path}.${secret} is part of a private key, and must not be given: proposals are public`);
  }
  oneOf(["RSA", "EC"])(key.kty, `${path}.kty`);
  optional(oneOf(["sig"]))(key.use, `${path}.use`);
  const known = algorithms[key.crv];
  const fitting = key.kty === "RSA" ? ["RS256"] : known === undefined ? Object.values(algorithms) : [known];
  optional(oneOf(fitting))(key.alg, `${path}.alg`);
  if (given(key.x5c)) {
    certificateChain(key.x5c, `${path}.x5c`);
  }
  const rsa = given(key.n) || given(key.e);
  const ec = given(key.x) || given(key.y);
  if (rsa ? key.kty !== "RSA" || ec : ec && key.kty !== "EC") {
    throw new Error(`${path}.kty must be RSA for n and e, and EC for x and y`);
  }
  if (rsa) {
    rsaKey(key, path);
  } else if (ec) {
    ecKey(key, path);
  } else if (!given(key.x5c)) {
    throw new Error(`${path} must have x5c, or n and e (RSA), or x, y and crv (elliptic curve)`);
  }
}

function keySet(value, path) {
  object(value, path);
  const kids = new Set();
  listOf((key, at) => {
    publicKey(key, at);
    if (kids.has(key.kid)) {
      throw new Error(`${at}.kid must not be that of another key, ${shown(key.kid)}`);
    }
    kids.add(key.kid);
  })(value.keys, `${path}.keys`);
  // Nodes fail to apply an empty set.
  if (value.keys.length === 0) {
    throw new Error(`${path}.keys must have a key, and is empty`);
  }
}

const issuerUrl = matching(/^https:\/\/[^/?#]+[^?#]*$/, "an https:// URL without query and fragment");

action(
  "set_jwt_issuer",
  {
    issuer: issuerUrl,
    auto_refresh: optional(boolean),
    ca_cert_bundle_name: optional(nonEmptyString),
    jwks: optional(keySet),
  },
  (args) => {
    if (args.auto_refresh && !table("tls.ca_cert_bundles").has(ccf.strToBuf(args.ca_cert_bundle_name))) {
      throw new Error(`there is no CA certificate bundle named ${args.ca_cert_bundle_name}`);
    }
    const metadata = { auto_refresh: args.auto_refresh === true };
    if (given(args.ca_cert_bundle_name)) {
      metadata.ca_cert_bundle_name = args.ca_cert_bundle_name;
    }
    if (given(args.jwks)) {
      ccf.setJwtPublicSigningKeys(args.issuer, metadata, args.jwks);
    }
    writeJson("jwt.issuers", ccf.strToBuf(args.issuer), metadata);
  },
  {
    also: (args) => {
      if (args.auto_refresh && !given(args.ca_cert_bundle_name)) {
        throw new Error("ca_cert_bundle_name must be given when auto_refresh is true");
      }
    },
  },
);

action("set_jwt_public_signing_keys", { issuer: nonEmptyString, jwks: keySet }, (args) => {
  const metadata = readJson("jwt.issuers", ccf.strToBuf(args.issuer));
  if (metadata === undefined) {
    throw new Error(`there is no issuer ${args.issuer}`);
  }
  ccf.setJwtPublicSigningKeys(args.issuer, metadata, args.jwks);
});

action("remove_jwt_issuer", { issuer: string }, (args) => {
  const key = ccf.strToBuf(args.issuer);
  if (table("jwt.issuers").has(key)) {
    table("jwt.issuers").delete(key);
    ccf.removeJwtPublicSigningKeys(args.issuer);
  }
});

// Nodes of today read the tables of version 2 only.
action("cleanup_legacy_jwt_records", { ensure_new_records_exist: optional(boolean) }, (args) => {
  if (args.ensure_new_records_exist && table("jwt.public_signing_keys_metadata_v2").size === 0) {
    throw new Error("there are no keys in the new table (jwt.public_signing_keys_metadata_v2) yet");
  }
  for (const name of ["public_signing_keys", "public_signing_keys_metadata", "public_signing_key_issuer"]) {
    table("jwt." + name).clear();
  }
});
