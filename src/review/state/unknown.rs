//! What a service's API does not tell, or tells in another form.

use crate::kv::table;

/// The tables that are rebuilt whole.
const WHOLE: [&str; 19] = [
    table::CONSTITUTION,
    table::PROPOSALS,
    table::PROPOSALS_INFO,
    table::MEMBER_CERTS,
    table::MEMBER_ENCRYPTION_KEYS,
    table::MEMBER_INFO,
    table::USER_CERTS,
    table::NODE_ENDORSED_CERTS,
    table::NODE_CODE_IDS,
    table::SNP_HOST_DATA,
    table::SNP_MEASUREMENTS,
    table::SNP_UVM_ENDORSEMENTS,
    table::SNP_TCB_VERSIONS,
    table::VIRTUAL_HOST_DATA,
    table::VIRTUAL_MEASUREMENTS,
    table::SERVICE_INFO,
    table::SERVICE_CONFIG,
    table::MODULES,
    table::ENDPOINTS,
];

/// The tables that cannot be rebuilt, or not whole, and why.
const REASONS: [(&str, &str); 12] = [
    (table::USER_INFO, "the API does not tell the data of users who have no certificate"),
    (
        table::NODE_INFO,
        "the API tells a node's status, attestation, published addresses and data, not the rest of its row",
    ),
    (table::JWT_ISSUERS, "the API tells whether an issuer's keys are refreshed, not the rest of its row"),
    (table::JWT_KEYS, "the API shows token keys in another form than the table has"),
    (table::CA_CERT_BUNDLES, "only some versions of CCF tell the bundles"),
    (table::MEMBER_ACKS, "the API does not tell what members acknowledged"),
    (table::JS_RUNTIME_OPTIONS, "the API does not tell the limits of scripts"),
    (table::MODULES_BYTECODE, "the API does not tell compiled modules"),
    (table::RECENT_PROPOSALS, "the API does not tell which requests are remembered"),
    (table::COSE_HISTORY, "the API does not tell the members' signed requests"),
    (table::RECOVERY_SHARES, "recovery shares are encrypted for their members"),
    (table::SIGNATURES, "the API does not tell the ledger's signatures; a text stands in the place of the newest root"),
];

/// Why what a script read in `table` may not be what the service has; `None` if the table is rebuilt whole.
pub fn why_not_known(table: &str) -> Option<&'static str> {
    if WHOLE.contains(&table) {
        return None;
    }
    let known = REASONS.iter().find(|(name, _)| *name == table).map(|(_, why)| *why);
    Some(known.unwrap_or("the governance API does not tell this table"))
}

/// What cannot be rebuilt, and why: tables, and what is not a table of its own.
pub fn unknown() -> impl Iterator<Item = (&'static str, &'static str)> {
    let others = [
        ("proposals that were purged", "a service deletes closed proposals when another one is decided"),
        ("certificate signing requests of nodes", "the API does not tell them; a text stands in their place"),
        ("ledger secrets", "they never leave the nodes"),
        ("row versions", "the API does not tell which transaction wrote a row"),
    ];
    REASONS.into_iter().chain(others)
}
