//! The node API, as CCF's `/node` answers it: what operators use in an upgrade.

mod attestations;
mod node;
mod nodes;
mod status;

use super::router::{Endpoint, delete, get, head};

/// Every endpoint under `/node`.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    get("/version", status::version).local().without_transaction(),
    get("/state", node::state).local(),
    get("/network", nodes::network),
    get("/network/nodes", nodes::all),
    get("/network/nodes/self", nodes::own).local(),
    get("/network/nodes/primary", nodes::primary),
    get("/network/nodes/{node_id}", nodes::one),
    get("/network/removable_nodes", nodes::removable),
    delete("/network/nodes/{node_id}", nodes::delete),
    head("/primary", node::head_primary).local().without_transaction(),
    get("/primary", node::is_primary).local().without_transaction(),
    get("/backup", node::is_backup).local().without_transaction(),
    get("/config", node::config).local().without_transaction(),
    get("/consensus", node::consensus).local().without_transaction(),
    get("/self_signed_certificate", node::self_signed).local().without_transaction(),
    get("/ready/gov", status::ready_gov).local().without_transaction(),
    get("/ready/app", status::ready_app).local().without_transaction(),
    get("/service/configuration", status::configuration).local(),
    get("/service/previous_identity", status::previous_identity),
    get("/attestations", attestations::all),
    get("/attestations/self", attestations::own).local(),
    get("/quotes", attestations::all_quotes),
    get("/quotes/self", attestations::own).local(),
    get("/js_metrics", status::js_metrics),
    get("/commit", status::commit).without_transaction(),
    get("/tx", status::transaction).without_transaction(),
];
