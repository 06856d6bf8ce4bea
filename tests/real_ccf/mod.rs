//! The whole code upgrade on real CCF nodes (virtual platform), walked with the commands alone.
//!
//! `CCF_NODE` names a node's executable: an application such as `js_generic` (CCF 7), or `cchost` (CCF 6) with its
//! application library `libjs_generic*.so` beside it. `CCF_NODE_NEXT` names the code to upgrade to; without it, a copy of
//! `CCF_NODE` with another host data is used. No repository can bring a CCF node along: where the variable is not set, the
//! test is skipped.

mod network;
mod node;

use network::Network;
use node::Code;

use crate::support::skip::skip;

#[test]
fn three_nodes_are_upgraded_one_by_one() {
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
    let first = network.nodes()[0].id.clone();
    for member in 0..3 {
        network.member(member, &["member", "activate", "--yes"]);
    }
    for _ in 0..2 {
        let id = network.join(&old);
        network.trust(&id, &old);
    }
    network.open();

    network.register(&new);
    network.refuses_unregistered(&old.with_other_host_data(&folder.path().join("stranger")));
    let joined: Vec<String> = (0..3).map(|_| network.join(&new)).collect();
    for id in &joined {
        network.trust(id, &new);
        network.caught_up(id);
    }

    network.verify_service(&[&old, &new]);

    let primary = network.primary();
    let mut retiring = network.old_nodes(&joined);
    assert!(retiring.contains(&first));
    retiring.sort_by_key(|id| *id == primary);
    for id in &retiring {
        network.retire(id);
    }
    for id in &retiring {
        network.delete(id);
    }

    network.set_constitution();
    network.set_application();
    network.deregister(&old);
    network.refuses_unregistered(&old);
    network.verify_service(&[&new]);
    assert_eq!(network.trusted(), {
        let mut ids = joined;
        ids.sort();
        ids
    });
}
