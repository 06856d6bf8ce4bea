//! Starting a sandbox, and starting nodes that join it.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::code::NodeCode;
use super::genesis::{self, new_node};
use super::identity::Key;
use super::network::Network;
use super::node::{Node, NodeState};
use super::options::Options;
use super::snp::Hardware;
use super::state::Saved;
use super::{JoinRefused, SandboxError, join, server};
use crate::constitution::Constitution;
use crate::evidence::snp::Roots;
use crate::id::NodeId;
use crate::kv::row::write;
use crate::kv::table;

/// How often time passes.
const TICK: Duration = Duration::from_millis(5);

/// Starts the service and its nodes: new ones, or those of the state folder.
pub(super) async fn start(options: Options) -> Result<(Arc<Network>, tokio::task::JoinHandle<()>), SandboxError> {
    let saved = options.state.as_deref().map(Saved::load).transpose()?.flatten();
    let mut listeners = Vec::new();
    let (key, hardware, state) = match (saved, &options.state) {
        (Some(saved), Some(folder)) => {
            for address in saved.addresses() {
                listeners.push(listen(address).await?);
            }
            saved.restore(folder)?
        }
        _ => {
            for index in 0..options.first_nodes().count() {
                listeners.push(listen(address(&options, index)).await?);
            }
            if options.copied.is_none() {
                Constitution::new(&options.constitution)?;
            }
            let key = Key::generate()?;
            let addresses: Vec<SocketAddr> = listeners.iter().map(|(address, _)| *address).collect();
            let endorsed = options.copied.as_ref().is_some_and(|c| !c.tables.is_empty(table::SNP_UVM_ENDORSEMENTS));
            let needed = endorsed || options.first_nodes().any(|(code, _)| matches!(code, NodeCode::Snp(_)));
            let hardware = needed.then(Hardware::generate).transpose()?;
            let state = genesis::create(&options, &key, hardware.as_ref(), &addresses)?;
            (key, hardware, state)
        }
    };
    let network = Arc::new(Network::new(options, key, hardware, state));
    for (address, listener) in listeners {
        let id = network
            .state()
            .nodes
            .values()
            .find(|n| n.address == address && n.state == NodeState::Running)
            .map(|n| n.id);
        if let Some(id) = id {
            run(&network, id, listener);
        }
    }
    network.tick(Instant::now());
    refresh_tls(&network)?;
    store(&network)?;
    Ok((network.clone(), tokio::spawn(keep_time(network))))
}

async fn keep_time(network: Arc<Network>) {
    let mut interval = tokio::time::interval(TICK);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut stored = 0;
    loop {
        interval.tick().await;
        network.tick(Instant::now());
        // A certificate that cannot be used leaves the node with the one it has.
        let _ = refresh_tls(&network);
        let commit = network.state().ledger.commit();
        if commit != stored && network.options.state.is_some() {
            stored = commit;
            let storing = network.clone();
            let _ = tokio::task::spawn_blocking(move || store(&storing)).await;
        }
    }
}

/// Writes what is committed into the state folder, if there is one.
pub(super) fn store(network: &Network) -> Result<(), SandboxError> {
    let Some(folder) = &network.options.state else { return Ok(()) };
    let saved = Saved::take(&network.key, network.known_hardware(), &network.state())?;
    saved.store(folder)
}

/// Starts one more node with `code`, which joins as Pending, or is refused.
pub(super) async fn start_node(network: &Arc<Network>, code: NodeCode) -> Result<NodeId, SandboxError> {
    let index = network.state().nodes.len();
    let (address, listener) = listen(address(&network.options, index)).await?;
    let hardware = matches!(code, NodeCode::Snp(_)).then(|| network.hardware()).transpose()?;
    let node = new_node(code, hardware, address, Instant::now())?;
    let id = node.id;
    let waiting_until = Instant::now() + network.options.election_timeout * 4 + Duration::from_secs(1);
    let primary = loop {
        let primary = network.state().primary;
        match primary {
            Some(primary) => break primary,
            None if Instant::now() > waiting_until => return Err(SandboxError::NoPrimary),
            None => tokio::time::sleep(TICK).await,
        }
    };
    let joining = network.clone();
    let joined = tokio::task::spawn_blocking(move || admit(&joining, primary, node)).await;
    joined.map_err(|_| SandboxError::NoPrimary)??;
    run(network, id, listener);
    Ok(id)
}

/// Starts a node again whose process ended, where it listened before. Whether there was such a node.
pub(super) async fn restart_node(network: &Arc<Network>, id: NodeId) -> Result<bool, SandboxError> {
    let address = network.state().nodes.get(&id).filter(|n| n.state == NodeState::Stopped).map(|n| n.address);
    let Some(address) = address else { return Ok(false) };
    let (_, listener) = listen(address).await?;
    if let Some(node) = network.state().nodes.get_mut(&id) {
        node.state = NodeState::Running;
        node.heard = Instant::now();
    }
    run(network, id, listener);
    Ok(true)
}

fn admit(network: &Network, primary: NodeId, mut node: Node) -> Result<(), SandboxError> {
    let mut refused: Option<JoinRefused> = None;
    let row = node.info("Pending");
    let roots = network.known_hardware().map(Hardware::roots).transpose()?.unwrap_or_else(|| Roots::new(Vec::new()));
    let written = network.write(primary, |tables, _| {
        join::check(tables, &node.code, &node.quote_info, node.id, &roots)
            .map_err(|e| super::reply::Fault::from(refused.insert(e).clone()))?;
        write(tables, table::NODE_INFO, &node.id.to_string(), &row);
        Ok(())
    });
    match (written, refused) {
        (Ok(((), id)), _) => {
            node.startup_seqno = id.seqno;
            node.redirects = network.options.redirect;
            network.state().nodes.insert(node.id, node);
            Ok(())
        }
        (Err(_), Some(refused)) => Err(SandboxError::Refused(refused)),
        (Err(_), None) => Err(SandboxError::NoPrimary),
    }
}

fn address(options: &Options, index: usize) -> SocketAddr {
    let offset = u16::try_from(index).unwrap_or(u16::MAX);
    let port = if options.port == 0 { 0 } else { options.port.saturating_add(offset) };
    SocketAddr::new(options.address, port)
}

async fn listen(address: SocketAddr) -> Result<(SocketAddr, TcpListener), SandboxError> {
    let failed = |source| SandboxError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    Ok((listener.local_addr().map_err(failed)?, listener))
}

fn run(network: &Arc<Network>, id: NodeId, listener: TcpListener) {
    let (sender, receiver) = watch::channel(());
    if let Some(node) = network.state().nodes.get_mut(&id) {
        node.running = Some(sender);
    }
    tokio::spawn(server::serve(network.clone(), id, listener, receiver));
}

/// Gives every node the certificate that the service endorsed for it last.
fn refresh_tls(network: &Network) -> Result<(), SandboxError> {
    let now = Instant::now();
    let mut state = network.state();
    let new: Vec<(NodeId, u64, String)> = state
        .nodes
        .values()
        .filter_map(|n| state.certificate_of(n, now).map(|(seqno, pem)| (n.id, seqno, pem)))
        .filter(|(id, seqno, _)| state.nodes.get(id).is_some_and(|n| n.certified_at < *seqno))
        .collect();
    for (id, seqno, pem) in new {
        if let Some(node) = state.nodes.get_mut(&id) {
            node.certified_at = seqno;
            let acceptor = server::acceptor(&node.key, &pem)?;
            *node.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(acceptor);
        }
    }
    Ok(())
}
