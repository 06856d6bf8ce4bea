//! The whole code upgrade on real CCF nodes (virtual platform), walked by `upgrade step` alone.
//!
//! `CCF_NODE` names a node's executable: an application such as `js_generic` (CCF 7), or `cchost` (CCF 6) with its
//! application library `libjs_generic*.so` beside it. `CCF_NODE_NEXT` names the code to upgrade to; without it, a copy of
//! `CCF_NODE` with another host data is used. No repository can bring a CCF node along: where the variable is not set, the
//! test is skipped.

mod network;
mod node;

pub use network::Network;
pub use node::Code;

use crate::support::skip::skip;

#[test]
fn three_nodes_are_upgraded_by_step_alone() {
    let Ok(executable) = std::env::var("CCF_NODE") else {
        return skip("CCF_NODE does not name a CCF node's executable");
    };
    let folder = tempfile::tempdir().unwrap();
    let old = Code::new(executable.as_ref());
    let new = match std::env::var("CCF_NODE_NEXT") {
        Ok(next) => Code::new(next.as_ref()),
        Err(_) => old.with_other_host_data(folder.path()),
    };

    let mut network = Network::start(folder.path(), &old);
    network.open(&old);
    network.plan(&old, &new);
    network.walk(&new);

    network.prove(&new);
    network.refuses(&old);
}
