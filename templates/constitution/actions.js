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

// Recovery shares are encrypted with this key, so anything else would break the next rekey.
// OAEP with SHA-256 can't wrap a share in a key of 512 bits, and shorter keys than 2048 bits can be broken.
function rsaPublicKey(value, path) {
  let bytes = 0;
  try {
    nonEmptyString(value, path);
    bytes = Math.floor((ccf.crypto.pubRsaPemToJwk(value).n.length * 3) / 4);
  } catch (error) {
    refuse(path, "an RSA public key in PEM format", value);
  }
  if (bytes < 256) {
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

action(
  "set_member",
  {
    cert: certificate,
    encryption_pub_key: optional(rsaPublicKey),
    member_data: optional(object),
    recovery_role: optional(oneOf(["NonParticipant", "Participant", "Owner"])),
  },
  (args) => {
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
    },
  },
);

action("remove_member", { member_id: id }, (args) => {
  const key = ccf.strToBuf(args.member_id);
  const info = readJson("members.info", key);
  if (info === undefined) {
    return;
  }
  const recovers = table("members.encryption_public_keys").has(key) && info.recovery_role !== "NonParticipant";
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
});

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

function changeConfiguration(change) {
  const config = serviceConfiguration();
  const refreshShares = given(change.recovery_threshold) && change.recovery_threshold !== config.recovery_threshold;
  if (refreshShares) {
    const status = serviceInfo().status;
    if (status === "WaitingForRecoveryShares") {
      throw new Error("the recovery threshold can't change while the service waits for recovery shares");
    }
    const most = recoveryCapacity();
    if (status === "Open" && change.recovery_threshold > most) {
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

action("set_recovery_threshold", { recovery_threshold: integer(1, 254) }, changeConfiguration);

action(
  "set_service_configuration",
  {
    reconfiguration_type: optional(oneOf(["OneTransaction", "TwoTransaction"])),
    recovery_threshold: optional(integer(1, 254)),
    recent_cose_proposals_window_size: optional(integer(1, 10000)),
  },
  changeConfiguration,
);

action("trigger_recovery_shares_refresh", {}, () => ccf.node.triggerRecoverySharesRefresh());

action("trigger_ledger_rekey", {}, () => ccf.node.triggerLedgerRekey());

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

action("set_ca_cert_bundle", { name: nonEmptyString, cert_bundle: certificates }, (args) =>
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

action("add_node_code", { code_id: hex(64) }, allowToJoin("nodes.code_ids", "code_id"), { drops: true });

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

function keySet(value, path) {
  object(value, path);
  listOf((key, at) => {
    object(key, at);
    nonEmptyString(key.kid, `${at}.kid`);
    nonEmptyString(key.kty, `${at}.kty`);
    if (given(key.x5c)) {
      listOf((der, certificateAt) => {
        string(der, certificateAt);
        certificates(`-----BEGIN CERTIFICATE-----\n${der}\n-----END CERTIFICATE-----`, certificateAt);
      })(key.x5c, `${at}.x5c`);
      if (key.x5c.length === 0) {
        throw new Error(`${at}.x5c must have a certificate, and is empty`);
      }
      return;
    }
    const fields = given(key.n) ? ["n", "e"] : given(key.x) ? ["x", "y", "crv"] : undefined;
    if (fields === undefined) {
      throw new Error(`${at} must have x5c, or n and e (RSA), or x, y and crv (elliptic curve)`);
    }
    fields.forEach((field) => nonEmptyString(key[field], `${at}.${field}`));
  })(value.keys, `${path}.keys`);
  // Nodes fail to apply an empty set.
  if (value.keys.length === 0) {
    throw new Error(`${path}.keys must have a key, and is empty`);
  }
}

action(
  "set_jwt_issuer",
  {
    issuer: nonEmptyString,
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
      if (!args.auto_refresh) {
        return;
      }
      if (!given(args.ca_cert_bundle_name)) {
        throw new Error("ca_cert_bundle_name must be given when auto_refresh is true");
      }
      if (!/^https:\/\/[^/?#]+[^?#]*$/.test(args.issuer)) {
        refuse("issuer", "an https:// URL without query and fragment when auto_refresh is true", args.issuer);
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
