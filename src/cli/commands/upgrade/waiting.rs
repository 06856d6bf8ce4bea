//! Whom an upgrade waits for, by name, and with the command that they run.

use std::fmt;

use serde::Serialize;

use super::planned::Planned;
use ccf_gov::id::MemberId;
use ccf_gov::upgrade::{Doing, Stepped, Whom};

/// Somebody who is waited for.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Waited {
    whom: Kind,
    /// Of members: who.
    members: Vec<Named>,
    /// What they are to do.
    what: String,
    /// What they run; null where the service has to do something by itself.
    pub command: Option<String>,
}

#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum Kind {
    Members,
    Operator,
    Service,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Named {
    member_id: MemberId,
    /// The name in the member's certificate or, without one, the start of the id.
    name: String,
}

/// Whom a step waits for.
pub fn waited(planned: &Planned, stepped: &Stepped) -> Vec<Waited> {
    let Doing::Wait(waiting) = &stepped.next.doing else { return Vec::new() };
    let one = |waiting: &ccf_gov::upgrade::Waiting| {
        let command = planned.command();
        let (whom, members, command) = match &waiting.whom {
            Whom::Members(ids) => {
                let named = |id: &MemberId| Named { member_id: *id, name: stepped.seen.name(*id) };
                let mut members: Vec<Named> = ids.iter().map(named).collect();
                members.sort_by(|a, b| (&a.name, a.member_id).cmp(&(&b.name, b.member_id)));
                (Kind::Members, members, Some(format!("{command} --key KEY --cert CERT")))
            }
            Whom::Operator => (Kind::Operator, Vec::new(), Some(format!("{command} --operate"))),
            Whom::Service => (Kind::Service, Vec::new(), None),
        };
        Waited { whom, members, what: waiting.what.clone(), command }
    };
    waiting.iter().map(one).collect()
}

impl fmt::Display for Waited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whom {
            Kind::Service => write!(f, "the service: {}", self.what),
            Kind::Operator => write!(f, "the operator: {}", self.what),
            Kind::Members => {
                let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
                write!(f, "{}: {}", names.join(", "), self.what)
            }
        }
    }
}
