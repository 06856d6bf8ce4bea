//! How a service stands, as far as a proposal refers to it.

use serde_json::Value;

use super::application::Application;
use super::observed_node::ObservedNode;
use crate::service::{JoinPolicy, Member, Service, ServiceError};

/// What was read of a service. What it does not tell, or a proposal does not need, is `None`.
#[derive(Clone, Debug, Default)]
pub struct ServiceView {
    /// Its nodes, with what is known of each.
    pub nodes: Option<Vec<ObservedNode>>,
    /// Its members.
    pub members: Option<Vec<Member>>,
    /// The code that may join.
    pub join_policy: Option<JoinPolicy>,
    /// The constitution in force.
    pub constitution: Option<String>,
    /// The application that runs.
    pub application: Option<Application>,
    /// How many recovery shares it takes to recover.
    pub recovery_threshold: Option<u64>,
}

impl ServiceView {
    /// Reads what the actions of `proposal` refer to, and nothing else.
    ///
    /// # Errors
    /// Whatever is no answer. What the service refuses to tell is left out.
    pub async fn read(service: &Service, proposal: &Value) -> Result<Self, ServiceError> {
        let actions = || proposal.get("actions").and_then(Value::as_array).into_iter().flatten();
        let names = || actions().filter_map(|a| a.get("name")?.as_str());
        let argument = |name: &str| actions().any(|a| a.get("args").is_some_and(|args| args.get(name).is_some()));
        let code = |name: &str| {
            ["_host_data", "_measurement", "_uvm_endorsement", "_node_code"].iter().any(|end| name.ends_with(end))
                || name.contains("_snp_minimum_tcb_version")
        };
        let mut this = Self::default();
        let deregisters = |name: &str| name.starts_with("remove_") && code(name);
        if argument("node_id") || names().any(deregisters) {
            this.nodes = told(ObservedNode::all(service).await)?.map(|(_, nodes)| nodes);
        }
        if argument("member_id") || names().any(|name| name == "set_member") {
            this.members = told(service.members().await)?.map(|answer| answer.value);
        }
        if argument("node_id") || names().any(code) {
            this.join_policy = told(service.join_policy().await)?.map(|answer| answer.value);
        }
        if names().any(|name| name == "set_constitution") {
            this.constitution = told(service.constitution().await)?;
        }
        if names().any(|name| matches!(name, "set_js_app" | "remove_js_app")) {
            this.application = told(Application::read(service).await)?;
        }
        if names().any(|name| name == "set_recovery_threshold") {
            let info = told(service.info().await)?;
            this.recovery_threshold = info.and_then(|i| i.configuration.get("recoveryThreshold")?.as_u64());
        }
        Ok(this)
    }
}

/// What a service refuses to tell, or tells in another way, is not known.
fn told<T>(answer: Result<T, ServiceError>) -> Result<Option<T>, ServiceError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(ServiceError::Refused(_) | ServiceError::NotUnderstood { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
