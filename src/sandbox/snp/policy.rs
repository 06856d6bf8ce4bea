//! Security policies for SNP nodes of a sandbox: one container each, whose layer is made up.

use crate::digest::sha256;

/// The security policy of code called `name`: Rego, as a container group is deployed with. Its SHA-256 is the node's host data.
pub fn security_policy(name: &str) -> String {
    let layer = hex::encode(sha256(format!("layer of {name}").as_bytes()));
    include_str!("policy.rego").replace("NAME", name).replace("LAYER", &layer)
}
