//! Whom to believe about which nodes there are.
//!
//! A node that was removed may go on answering and believe that it is part of the network, and one that runs old code may say
//! anything. So nobody is believed about himself alone:
//!
//! - Who a node is, the key of its certificate proves; what it says of its own id counts only where no node proves one.
//! - A node that is not trusted in its own list has nothing to say about who is.
//! - A newer list of trusted nodes is believed only when a second node shows it too, and one of those that show it is trusted in
//!   the older list. An older list that nobody else shows does not hold up one that two nodes show.
//! - If that leaves nodes that contradict each other, nobody is believed, and both sides are named.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fmt;

use super::model::{NetworkNode, NodeStatus};
use super::{NodeAddress, RpcInterface};
use crate::id::{NodeId, TransactionId};

/// How many nodes are looked at, at most.
pub(super) const MAX_NODES: usize = 64;

/// One node's word.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub address: NodeAddress,
    /// Its place in the order in which nodes were given and found.
    pub rank: usize,
    /// Who it is, by the key of its certificate.
    pub peer: Option<NodeId>,
    /// Who it says that it is.
    pub claimed: Option<NodeId>,
    /// The transaction at which it showed the list.
    pub at: Option<TransactionId>,
    /// Empty if its node API is closed.
    pub nodes: Vec<NetworkNode>,
    pub leads: bool,
}

/// What is believed of the network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Belief {
    /// Addresses in the order in which they are to be asked: the primary first.
    pub order: Vec<NodeAddress>,
    /// Those that answered and are not trusted.
    pub removed: Vec<NodeAddress>,
    /// The trusted nodes, where nodes prove who they are.
    pub trusted: Option<BTreeSet<NodeId>>,
    /// Where the trusted nodes listen.
    pub published: Vec<NodeAddress>,
    /// How many nodes are trusted, and how many of them answered.
    pub count: (usize, usize),
    /// Whether one of them leads.
    pub has_primary: bool,
}

/// Two nodes that cannot both be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    pub sides: Vec<(NodeAddress, String)>,
}

/// So few trusted nodes answer that the service cannot commit anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LostQuorum {
    /// How many nodes are trusted.
    pub trusted: usize,
    /// How many of them answer.
    pub answering: usize,
}

impl LostQuorum {
    /// How many have to answer.
    pub fn needed(&self) -> usize {
        self.trusted / 2 + 1
    }
}

impl fmt::Display for LostQuorum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answer, are) =
            (if self.answering == 1 { "answers" } else { "answer" }, if self.needed() == 1 { "is" } else { "are" });
        write!(f, "{} of {} trusted nodes {answer}, {} {are} needed", self.answering, self.trusted, self.needed())
    }
}

impl Belief {
    /// Whether the service stands still, by what is known.
    pub(super) fn lost_quorum(&self) -> Option<LostQuorum> {
        let (trusted, answering) = self.count;
        let quorum = LostQuorum { trusted, answering };
        (!self.has_primary && trusted > 0 && answering < quorum.needed()).then_some(quorum)
    }
}

impl Report {
    fn trusted(&self) -> BTreeSet<NodeId> {
        self.nodes.iter().filter(|n| n.status == NodeStatus::Trusted).map(|n| n.node_id).collect()
    }

    /// Where the trusted nodes that it lists listen, itself aside; or the primary among them alone.
    pub(super) fn others(&self, primary_only: bool) -> Vec<NodeAddress> {
        let own = self.peer.filter(|id| self.nodes.iter().any(|n| n.node_id == *id)).or(self.claimed);
        let trusted = self.nodes.iter().filter(|n| n.status == NodeStatus::Trusted && (n.primary || !primary_only));
        trusted.filter(|n| Some(n.node_id) != own).filter_map(|n| self.address_of(n)).take(MAX_NODES).collect()
    }

    /// The address of `node` on the interface by which this node was reached.
    fn address_of(&self, node: &NetworkNode) -> Option<NodeAddress> {
        let here = |i: &RpcInterface| NodeAddress::from_published(&i.published_address).ok();
        let own = self.nodes.iter().flat_map(|n| &n.rpc_interfaces);
        let interface = own.filter(|(_, i)| here(i).as_ref() == Some(&self.address)).map(|(name, _)| name).next();
        let same = interface.and_then(|name| node.rpc_interfaces.get(name));
        here(same.or_else(|| node.rpc_interfaces.values().next())?)
    }

    fn claim(&self) -> String {
        let at = self.at.map_or_else(String::new, |at| format!(" (at transaction {at})"));
        let trusted = self.nodes.iter().filter(|n| n.status == NodeStatus::Trusted);
        let name = |n: &NetworkNode| {
            let id = n.node_id.short();
            self.address_of(n).map_or_else(|| id.clone(), |address| format!("{address} ({id})"))
        };
        let names: Vec<_> = trusted.map(name).collect();
        let more = if names.len() > 5 { format!(", and {} more", names.len() - 5) } else { String::new() };
        format!("that the trusted nodes are {}{more}{at}", names[..names.len().min(5)].join(", "))
    }
}

/// Those who show the same trusted nodes.
struct Group<'s> {
    trusted: BTreeSet<NodeId>,
    voices: Vec<&'s Report>,
}

impl<'s> Group<'s> {
    fn newest(&self) -> Option<&'s Report> {
        self.voices.iter().copied().max_by_key(|s| (s.at, Reverse(s.rank)))
    }

    /// How many different nodes there are among those who show it.
    fn size(&self, id: impl Fn(&Report) -> Option<NodeId>) -> usize {
        let known: BTreeSet<_> = self.voices.iter().filter_map(|s| id(s)).collect();
        known.len() + self.voices.iter().filter(|s| id(s).is_none()).count()
    }
}

/// What to believe when these were seen. Each contradicting pair is worth asking again before this is final.
pub(super) fn conclude(reports: &[Report]) -> Result<Belief, Contradiction> {
    let proven = reports.iter().any(|s| s.peer.is_some_and(|id| s.trusted().contains(&id)));
    let id = |s: &Report| if proven { s.peer } else { s.claimed };
    let has_a_say = |s: &Report| match id(s) {
        Some(id) => s.trusted().contains(&id),
        None => !proven && !s.nodes.is_empty(),
    };
    let mut groups: Vec<Group<'_>> = Vec::new();
    for report in reports.iter().filter(|s| has_a_say(s)) {
        let trusted = report.trusted();
        match groups.iter_mut().find(|g| g.trusted == trusted) {
            Some(group) => group.voices.push(report),
            None => groups.push(Group { trusted, voices: vec![report] }),
        }
    }
    let Some(best) = groups.iter().max_by_key(|g| (g.newest().and_then(|s| s.at), g.size(id))) else {
        return Ok(without_a_word(reports));
    };
    for other in groups.iter().filter(|g| g.trusted != best.trusted) {
        let knows = best.voices.iter().any(|s| id(s).is_some_and(|id| other.trusted.contains(&id)));
        if best.size(id) < 2 || (other.size(id) > 1 && !knows) {
            let sides = [best.newest(), other.newest()].into_iter().flatten();
            return Err(Contradiction { sides: sides.map(|s| (s.address.clone(), s.claim())).collect() });
        }
    }
    let out = |s: &&Report| match id(s) {
        Some(id) => !best.trusted.contains(&id),
        None => proven,
    };
    let (removed, mut usable): (Vec<_>, Vec<_>) = reports.iter().partition(out);
    let shows = |s: &Report| best.voices.iter().any(|v| v.address == s.address);
    usable.sort_by_key(|s| (!s.leads, Reverse(s.at), s.rank));
    let answering: BTreeSet<_> = usable.iter().filter_map(|s| id(s)).collect();
    let answering = answering.len() + usable.iter().filter(|s| id(s).is_none()).count();
    let has_primary = usable.iter().any(|s| s.leads && shows(s));
    let published = best.newest().map(listed).unwrap_or_default();
    let mut order: Vec<_> = usable.iter().map(|s| s.address.clone()).collect();
    for address in best.newest().map(|s| s.others(false)).unwrap_or_default() {
        if !order.contains(&address) && !removed.iter().any(|s| s.address == address) {
            order.push(address);
        }
    }
    Ok(Belief {
        order,
        removed: removed.iter().map(|s| s.address.clone()).collect(),
        published,
        count: (best.trusted.len(), answering),
        has_primary,
        trusted: proven.then(|| best.trusted.clone()),
    })
}

fn listed(report: &Report) -> Vec<NodeAddress> {
    let trusted = report.nodes.iter().filter(|n| n.status == NodeStatus::Trusted);
    trusted.filter_map(|n| report.address_of(n)).take(MAX_NODES).collect()
}

/// Nobody shows a list in which it is trusted: nodes whose node API is closed are used as they are, and those that were removed
/// only tell whom else to ask.
fn without_a_word(reports: &[Report]) -> Belief {
    let (mut closed, removed): (Vec<_>, Vec<_>) = reports.iter().partition(|s| s.nodes.is_empty());
    closed.sort_by_key(|s| s.rank);
    let mut order: Vec<_> = closed.iter().map(|s| s.address.clone()).collect();
    if order.is_empty() {
        let newest = removed.iter().max_by_key(|s| s.at);
        order = newest.map(|s| s.others(false)).unwrap_or_default();
        order.retain(|a| !removed.iter().any(|s| s.address == *a));
    }
    Belief { order, removed: removed.iter().map(|s| s.address.clone()).collect(), ..Belief::default() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::NodeStatus::{Pending, Retired, Trusted};
    use super::*;

    fn id(n: u8) -> NodeId {
        NodeId::from_bytes([n; 32])
    }

    fn address(n: u8) -> NodeAddress {
        NodeAddress::from_published(&format!("10.0.0.{n}:80")).unwrap()
    }

    fn listed(n: u8, status: NodeStatus, primary: bool) -> NetworkNode {
        let interface = RpcInterface { published_address: format!("10.0.0.{n}:80") };
        NetworkNode { node_id: id(n), status, primary, rpc_interfaces: BTreeMap::from([("main".into(), interface)]) }
    }

    fn trusted(nodes: &[u8]) -> Vec<NetworkNode> {
        nodes.iter().map(|n| listed(*n, Trusted, false)).collect()
    }

    /// The word of a node that proves who it is.
    fn report(n: u8, at: (u64, u64), nodes: Vec<NetworkNode>, leads: bool) -> Report {
        let at = Some(TransactionId { view: at.0, seqno: at.1 });
        Report { address: address(n), rank: n.into(), peer: Some(id(n)), claimed: Some(id(n)), at, nodes, leads }
    }

    fn named(contradiction: Result<Belief, Contradiction>) -> Vec<NodeAddress> {
        contradiction.unwrap_err().sides.into_iter().map(|(node, _)| node).collect()
    }

    #[test]
    fn a_removed_node_is_not_believed_and_the_primary_comes_first() {
        let old = vec![listed(1, Trusted, true), listed(2, Trusted, false), listed(3, Trusted, false)];
        let new = vec![listed(1, Retired, false), listed(2, Trusted, false), listed(3, Trusted, true)];
        let reports =
            [report(1, (2, 50), old, true), report(2, (4, 60), new.clone(), false), report(3, (4, 61), new, true)];
        let belief = conclude(&reports).unwrap();
        assert_eq!(belief.order, [address(3), address(2)]);
        assert_eq!(belief.removed, [address(1)]);
        assert_eq!(belief.trusted, Some(BTreeSet::from([id(2), id(3)])));
    }

    #[test]
    fn a_rogue_that_claims_a_huge_transaction_outvotes_nobody() {
        let honest = |n, at| report(n, at, trusted(&[1, 2, 3]), n == 1);
        let rogue = |list: &[u8]| report(9, (999_999, 999_999), trusted(list), true);
        for list in [&[9][..], &[9, 1, 2, 3], &[9, 7, 8], &[9, 2]] {
            let all = [honest(1, (2, 9)), honest(2, (2, 9)), honest(3, (2, 8)), rogue(list)];
            assert_eq!(named(conclude(&all)), [address(9), address(1)], "{list:?}");
            let two = [honest(2, (2, 9)), rogue(list)];
            assert_eq!(named(conclude(&two)), [address(9), address(2)], "{list:?}");
        }
        let text = conclude(&[honest(1, (2, 9)), rogue(&[9])]).unwrap_err().sides;
        assert_eq!(
            text[0].1,
            "that the trusted nodes are https://10.0.0.9:80 (09090909) (at transaction 999999.999999)"
        );
    }

    #[test]
    fn a_rogue_that_claims_to_be_another_is_known_by_its_key() {
        let honest = |n| report(n, (2, 9), trusted(&[1, 2, 3]), n == 1);
        let impostor = Report { claimed: Some(id(1)), ..report(9, (999, 999), trusted(&[1, 2, 3]), true) };
        let mute = Report { nodes: Vec::new(), at: None, claimed: None, ..report(8, (0, 0), Vec::new(), false) };
        let belief = conclude(&[impostor.clone(), mute, honest(1), honest(2)]).unwrap();
        assert_eq!(belief.order, [address(1), address(2), address(3)]);
        assert_eq!(belief.removed, [address(9), address(8)]);
        // With an own list, it contradicts; two impostors with one key are one node.
        let list = Report { nodes: trusted(&[1, 9]), ..impostor };
        let twice = Report { address: address(10), ..list.clone() };
        assert_eq!(named(conclude(&[list, twice, honest(2)])).len(), 2);
    }

    #[test]
    fn an_old_list_of_one_node_does_not_hold_up_two_that_agree() {
        let new = |n| report(n, (4, 90), trusted(&[4, 5, 6]), n == 4);
        for old in [&[1][..], &[1, 2, 3], &[1, 4, 5, 6]] {
            let belief = conclude(&[report(1, (2, 50), trusted(old), true), new(4), new(5)]).unwrap();
            assert_eq!((belief.order, belief.removed), (vec![address(4), address(5), address(6)], vec![address(1)]));
            // One alone cannot show that it is newer.
            assert_eq!(named(conclude(&[report(1, (2, 50), trusted(old), true), new(4)])), [address(4), address(1)]);
        }
        // Two that agree on the old list, of whom the new nodes are strangers.
        let old = |n| report(n, (2, 50), trusted(&[1, 2, 3]), false);
        assert_eq!(named(conclude(&[old(1), old(2), new(4), new(5)])), [address(4), address(1)]);
        // The old list has one of them.
        let old = |n| report(n, (2, 50), trusted(&[1, 2, 4]), false);
        assert_eq!(conclude(&[old(1), old(2), new(4), new(5)]).unwrap().removed, [address(1), address(2)]);
    }

    #[test]
    fn who_answers_alone_is_not_contradicted() {
        let alone = conclude(&[report(1, (2, 5), trusted(&[1]), true)]).unwrap();
        assert_eq!((alone.order, alone.count, alone.has_primary), (vec![address(1)], (1, 1), true));
        let one_new = conclude(&[report(4, (9, 5), trusted(&[4, 5, 6]), false)]).unwrap();
        assert_eq!(one_new.order, [address(4), address(5), address(6)]);
        assert_eq!(one_new.count, (3, 1));
    }

    #[test]
    fn a_node_that_knows_of_its_retirement_only_tells_whom_to_ask() {
        let retired = || vec![listed(1, Retired, false), listed(2, Trusted, true), listed(3, Pending, false)];
        let belief = conclude(&[report(1, (9, 9), retired(), true)]).unwrap();
        assert_eq!((belief.order, belief.removed), (vec![address(2)], vec![address(1)]));
        let belief = conclude(&[report(1, (9, 9), retired(), true), report(2, (4, 5), trusted(&[2]), true)]).unwrap();
        assert_eq!((belief.order, belief.removed), (vec![address(2)], vec![address(1)]));
    }

    #[test]
    fn a_primary_that_moved_leads_and_one_that_lags_comes_last() {
        let lags = report(1, (2, 50), trusted(&[1, 2, 3]), true);
        let leads = report(2, (4, 60), trusted(&[1, 2, 3]), true);
        let belief = conclude(&[lags, leads, report(3, (4, 59), trusted(&[1, 2, 3]), false)]).unwrap();
        assert_eq!(belief.order, [address(2), address(1), address(3)]);
    }

    #[test]
    fn a_lost_quorum_is_counted() {
        let report = |n: u8| report(n, (2, 5), trusted(&[1, 2, 3, 4]), false);
        let lost = conclude(&[report(1), report(2)]).unwrap().lost_quorum().unwrap();
        assert_eq!(lost.to_string(), "2 of 4 trusted nodes answer, 3 are needed");
        assert_eq!(LostQuorum { trusted: 2, answering: 1 }.to_string(), "1 of 2 trusted nodes answers, 2 are needed");
        assert_eq!(conclude(&[report(1), report(2), report(3)]).unwrap().lost_quorum(), None);
    }

    #[test]
    fn nodes_that_were_not_given_are_found() {
        let nodes = vec![listed(1, Trusted, true), listed(2, Trusted, false), listed(3, Pending, false)];
        let belief = conclude(&[report(1, (2, 5), nodes, true)]).unwrap();
        assert_eq!(belief.order, [address(1), address(2)]);
        assert_eq!(belief.published, [address(1), address(2)]);
    }

    #[test]
    fn nodes_that_say_nothing_of_the_network_are_used_as_they_are() {
        let closed = Report { at: None, claimed: None, ..report(9, (0, 0), Vec::new(), false) };
        let belief = conclude(&[closed.clone(), Report { address: address(8), ..closed }]).unwrap();
        assert_eq!(belief.order, [address(9), address(8)]);
        // Where nobody proves who it is, what it says of itself counts.
        let unproven = |n: u8| Report { peer: Some(id(99)), ..report(n, (2, 5), trusted(&[1, 2]), n == 2) };
        let belief = conclude(&[unproven(1), unproven(2), unproven(3)]).unwrap();
        assert_eq!((belief.order, belief.removed), (vec![address(2), address(1)], vec![address(3)]));
        assert_eq!(belief.trusted, None);
    }
}
