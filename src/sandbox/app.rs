//! The application's own endpoints.

use std::sync::Arc;

use super::network::{Network, Sight};
use super::reply::{Fault, Reply};
use super::router::Request;
use super::tables::read;
use crate::constitution::table;

/// Answers a request to `/app`.
pub(super) async fn answer(network: &Arc<Network>, sight: Sight, request: Request) -> Reply {
    let _ = network;
    let path = request.path.strip_prefix("/app").unwrap_or_default();
    let key = format!("{} {path}", request.method);
    match read(&sight.tables, table::ENDPOINTS, &key) {
        None => Fault::not_found(format!("There is nothing at {path}.")).into(),
        Some(_) => Fault::new(501, "NotImplemented", "The sandbox does not run application code.").into(),
    }
}
