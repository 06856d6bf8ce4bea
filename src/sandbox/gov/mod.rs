//! The governance API, as CCF's `/gov` answers it: version 2024-07-01, and its preview.

mod app;
mod ballots;
mod envelope;
mod members;
mod policy;
mod proposals;
mod recovery;
mod service;
mod shown;
mod signed;
mod transactions;

use super::reply::Fault;
use super::router::{Call, Endpoint, get, post};
use crate::id::ProposalId;
use crate::text::clip;

const VERSIONS: [&str; 2] = ["2023-06-01-preview", "2024-07-01"];

/// Every endpoint under `/gov`.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    post("/members/proposals:create", proposals::create),
    post("/members/proposals/{proposalId}:withdraw", proposals::withdraw),
    get("/members/proposals/{proposalId}", proposals::one),
    get("/members/proposals", proposals::all),
    get("/members/proposals/{proposalId}/actions", proposals::actions),
    post("/members/proposals/{proposalId}/ballots/{memberId}:submit", ballots::submit),
    get("/members/proposals/{proposalId}/ballots/{memberId}", ballots::one),
    get("/members/state-digests/{memberId}", members::digest),
    post("/members/state-digests/{memberId}:update", members::update_digest),
    post("/members/state-digests/{memberId}:ack", members::acknowledge),
    get("/recovery/encrypted-shares/{memberId}", recovery::encrypted_share),
    post("/recovery/members/{memberId}:recover", recovery::recover),
    get("/service/info", service::info),
    get("/service/constitution", service::constitution),
    get("/service/members", members::all),
    get("/service/members/{memberId}", members::one),
    get("/service/users", members::users),
    get("/service/users/{userId}", members::user),
    get("/service/nodes", service::nodes),
    get("/service/nodes/{nodeId}", service::node),
    get("/service/join-policy", policy::join_policy),
    get("/service/jwk", policy::jwk),
    get("/service/javascript-app", app::endpoints).since(VERSIONS[1]),
    get("/service/javascript-modules", app::modules).since(VERSIONS[1]),
    get("/service/javascript-modules/{moduleName}", app::module).since(VERSIONS[1]),
    get("/service/transactions/{transactionId}", transactions::status).without_transaction(),
    get("/service/transactions/commit", transactions::commit).without_transaction(),
];

/// Checks the `api-version`, which CCF does after authentication.
fn version(call: &Call<'_>) -> Result<(), Fault> {
    let accepted: Vec<&str> = VERSIONS.into_iter().filter(|v| call.endpoint.since.is_none_or(|s| *v >= s)).collect();
    let list = accepted.join(" and ");
    match call.request.query("api-version") {
        None => {
            let message = format!("Every request needs the query parameter api-version. This service knows {list}.");
            Err(Fault::new(400, "MissingApiVersionParameter", message))
        }
        Some(version) if accepted.contains(&version.as_str()) => Ok(()),
        Some(version) => {
            let message = format!("The api-version {version:?} is not supported. This service knows {list}.");
            Err(Fault::new(400, "UnsupportedApiVersionValue", message))
        }
    }
}

/// Reads an identifier from the path. CCF takes either case of hexadecimal and compares it as text.
fn hex_name(call: &Call<'_>, index: usize, what: &str) -> Result<String, Fault> {
    let text = call.parameter(index);
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(text.to_owned());
    }
    let shown = clip(text, 80);
    Err(Fault::bad_name(format!("{shown:?} is not a {what}: it is 64 hexadecimal digits.")))
}

fn proposal_name(call: &Call<'_>, index: usize) -> Result<String, Fault> {
    hex_name(call, index, "proposal id")
}

fn member_name(call: &Call<'_>, index: usize) -> Result<String, Fault> {
    hex_name(call, index, "member id")
}

fn node_name(call: &Call<'_>, index: usize) -> Result<String, Fault> {
    hex_name(call, index, "node id")
}

fn no_proposal(id: &str) -> Fault {
    Fault::new(404, "ProposalNotFound", format!("There is no proposal {id}."))
}

/// The identifiers that CCF keeps as text always parse; a table that somebody else wrote may not.
fn proposal_id(text: &str) -> Result<ProposalId, Fault> {
    text.parse().map_err(|_| no_proposal(text))
}
