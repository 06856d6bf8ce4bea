//! Whom a name means in a service's state.

use crate::cli::error::CliError;
use ccf_gov::id::MemberId;
use ccf_gov::review::simulate::Simulator;

/// The one member whose certificate has this name, or whose id begins with it.
pub fn member(simulator: &Simulator, name: &str) -> Result<MemberId, CliError> {
    let members = simulator.members();
    let by_name: Vec<MemberId> =
        members.iter().filter(|(_, known)| known.as_deref() == Some(name)).map(|(id, _)| *id).collect();
    let by_id =
        || members.iter().filter(|(id, _)| name.len() >= 4 && id.to_string().starts_with(name)).map(|(id, _)| *id);
    let meant = if by_name.is_empty() { by_id().collect() } else { by_name };
    let known = || {
        let list = members
            .iter()
            .map(|(id, name)| name.clone().map_or_else(|| id.to_string(), |name| ccf_gov::text::visible(&name)));
        format!("its members are {}", list.take(20).collect::<Vec<_>>().join(", "))
    };
    match meant[..] {
        [id] => Ok(id),
        [] => Err(CliError::usage(format!("the service has no member {name:?}")).hint(known())),
        _ => Err(CliError::usage(format!("several members are called {name:?}")).hint("give the member's id")),
    }
}
