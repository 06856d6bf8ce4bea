//! What a walk leaves as it is: what is neither the new code nor the old.

use super::{CodeKind, Observed, Plan};
use crate::service::NodeStatus;
use crate::text::{clip, visible};

impl Plan {
    /// The trusted nodes that do not run the new code, and whatever else may join, in words; none if the new code is alone.
    ///
    /// Where `upgrade.toml` names what is old, the walk ends with the rest still there.
    pub fn untouched(&self, seen: &Observed) -> Vec<String> {
        let old = self.old_code(seen);
        let nodes = seen.nodes_that_are(NodeStatus::Trusted).filter(|node| old.kind_of(self, node) != CodeKind::New);
        let values = self.new.others(&seen.join_policy);
        let values = values.iter().map(|(kind, key)| format!("the {} {}", kind.name(), visible(&clip(key, 120))));
        nodes.map(|node| format!("node {}", node.title())).chain(values).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::forecast::testing::{id, service, virtual_code};
    use crate::proposal::Registration;
    use crate::upgrade::{Doing, Named, Plan, Running, Who, forecast, next};

    #[test]
    fn an_end_with_something_else_left_says_what() {
        let named = |key: &str| BTreeSet::from([(Registration::VirtualHostData, key.to_owned())]);
        let mut plan = Plan::of(virtual_code(1), 3);
        plan.old = Some(Named { values: named(&"02".repeat(32)), nodes: BTreeSet::new() });
        let mut seen = service(&plan.new, 3);
        assert!(plan.untouched(&seen).is_empty() && forecast(&plan, &seen).untouched.is_empty());
        let other = Running { host_data: Some("03".repeat(32)), ..plan.new.running() };
        let mut node = seen.nodes[0].clone();
        (node.id, node.running) = (id(4), Some(other));
        seen.nodes.push(node);
        let network = seen.replication.as_mut().unwrap();
        network.configured.insert(id(4));
        network.caught_up.insert(id(4));
        network.heard.insert(id(4), network.heard[&id(2)]);
        seen.join_policy.virtual_.host_data.push("03".repeat(32));
        assert_eq!(next(&plan, &seen, Who::default()).doing, Doing::Done);
        let left = ["node 04040404".to_owned(), format!("the virtual host data {}", "03".repeat(32))];
        assert_eq!(plan.untouched(&seen), left);
        assert_eq!(forecast(&plan, &seen).untouched, left);
    }
}
