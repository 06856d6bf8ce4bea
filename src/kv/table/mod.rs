//! The names of the tables that this library itself reads or writes.

/// The constitution: a JSON string, under [`SINGLETON`](crate::kv::SINGLETON).
pub const CONSTITUTION: &str = "public:ccf.gov.constitution";
/// Per proposal, its text as submitted.
pub const PROPOSALS: &str = "public:ccf.gov.proposals";
/// Per proposal, JSON: proposer, state, ballots, and how it ended.
pub const PROPOSALS_INFO: &str = "public:ccf.gov.proposals_info";
/// Per member, the certificate: PEM text.
pub const MEMBER_CERTS: &str = "public:ccf.gov.members.certs";
/// Per member, the recovery encryption key: PEM text.
pub const MEMBER_ENCRYPTION_KEYS: &str = "public:ccf.gov.members.encryption_public_keys";
/// Per member, JSON `{status, member_data, recovery_role?}`.
pub const MEMBER_INFO: &str = "public:ccf.gov.members.info";
/// Per member, JSON `{state_digest, signed_req?}`.
pub const MEMBER_ACKS: &str = "public:ccf.gov.members.acks";
/// Per user, the certificate: PEM text.
pub const USER_CERTS: &str = "public:ccf.gov.users.certs";
/// Per user, JSON `{user_data}`.
pub const USER_INFO: &str = "public:ccf.gov.users.info";
/// Per node, JSON: status, quote, addresses, certificate signing request.
pub const NODE_INFO: &str = "public:ccf.gov.nodes.info";
/// Per node, the certificate that the service endorsed: PEM text.
pub const NODE_ENDORSED_CERTS: &str = "public:ccf.gov.nodes.endorsed_certificates";
/// SGX measurements (MRENCLAVE) that may join, JSON `"AllowedToJoin"`.
pub const NODE_CODE_IDS: &str = "public:ccf.gov.nodes.code_ids";
/// SNP host data that may join; the value is the security policy as a JSON string.
pub const SNP_HOST_DATA: &str = "public:ccf.gov.nodes.snp.host_data";
/// SNP measurements that may join, JSON `"AllowedToJoin"`.
pub const SNP_MEASUREMENTS: &str = "public:ccf.gov.nodes.snp.measurements";
/// Per DID, JSON `{feed: {svn}}`: the UVM endorsements that may join.
pub const SNP_UVM_ENDORSEMENTS: &str = "public:ccf.gov.nodes.snp.uvm_endorsements";
/// Per CPUID, JSON: the lowest TCB version that may join.
pub const SNP_TCB_VERSIONS: &str = "public:ccf.gov.nodes.snp.tcb_versions";
/// Host data of virtual nodes that may join; a set, so each value is eight zero bytes.
pub const VIRTUAL_HOST_DATA: &str = "public:ccf.gov.nodes.virtual.host_data";
/// Measurements of virtual nodes that may join, JSON `"AllowedToJoin"`.
pub const VIRTUAL_MEASUREMENTS: &str = "public:ccf.gov.nodes.virtual.measurements";
/// JSON `{cert, status, …}`, under [`SINGLETON`](crate::kv::SINGLETON).
pub const SERVICE_INFO: &str = "public:ccf.gov.service.info";
/// JSON: recovery threshold and limits, under [`SINGLETON`](crate::kv::SINGLETON).
pub const SERVICE_CONFIG: &str = "public:ccf.gov.service.config";
/// The application's modules: name to source text.
pub const MODULES: &str = "public:ccf.gov.modules";
/// The application's endpoints: `METHOD path` to JSON.
pub const ENDPOINTS: &str = "public:ccf.gov.endpoints";
/// The newest signature over the ledger, JSON, under [`SINGLETON`](crate::kv::SINGLETON).
pub const SIGNATURES: &str = "public:ccf.internal.signatures";
/// Per member, the newest signed request: base64 as a JSON string.
pub const COSE_HISTORY: &str = "public:ccf.gov.cose_history";
/// `created_at:digest` of recent proposals, to the proposal's id.
pub const RECENT_PROPOSALS: &str = "public:ccf.gov.cose_recent_proposals";
/// JSON: limits for the application's scripts, under [`SINGLETON`](crate::kv::SINGLETON).
pub const JS_RUNTIME_OPTIONS: &str = "public:ccf.gov.js_runtime_options";
/// The application's modules, compiled: name to bytecode.
pub const MODULES_BYTECODE: &str = "public:ccf.gov.modules_quickjs_bytecode";
/// Per issuer of JSON web tokens, JSON: how its keys are had.
pub const JWT_ISSUERS: &str = "public:ccf.gov.jwt.issuers";
/// Per key id, JSON: the public keys that sign tokens, each with its issuer.
pub const JWT_KEYS: &str = "public:ccf.gov.jwt.public_signing_keys_metadata_v2";
/// Per name, a bundle of root certificates as a JSON string of PEM.
pub const CA_CERT_BUNDLES: &str = "public:ccf.gov.tls.ca_cert_bundles";
/// Per member, the encrypted recovery share, base64.
pub const RECOVERY_SHARES: &str = "public:ccf.internal.recovery_shares";
