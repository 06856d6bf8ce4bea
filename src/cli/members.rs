//! Whom a name means in a service's state.

use super::common::Context;
use super::error::CliError;
use ccf_gov::cose::MemberCertificate;
use ccf_gov::id::MemberId;
use ccf_gov::review::simulate::Simulator;
use ccf_gov::text::visible;

/// The fewest digits of an id that name a member.
const FEWEST_DIGITS: usize = 4;

/// The members of a state, with the names in their certificates, which are read once.
pub struct Members {
    all: Vec<(MemberId, Option<String>)>,
    active: Vec<MemberId>,
}

impl Members {
    pub fn of(simulator: &Simulator) -> Self {
        Self { all: simulator.members(), active: simulator.active_members() }
    }

    /// The one member whose certificate has this name, or whose id begins with it.
    pub fn named(&self, name: &str) -> Result<MemberId, CliError> {
        if let Some(id) = name.parse::<MemberId>().ok().filter(|id| self.all.iter().any(|(known, _)| known == id)) {
            return Ok(id);
        }
        let has_name = |known: &&(MemberId, Option<String>)| known.1.as_deref() == Some(name);
        let has_id =
            |known: &&(MemberId, Option<String>)| name.len() >= FEWEST_DIGITS && known.0.to_string().starts_with(name);
        let mut meant: Vec<_> = self.all.iter().filter(has_name).collect();
        if meant.is_empty() {
            meant = self.all.iter().filter(has_id).collect();
        }
        match meant[..] {
            [(id, _)] => Ok(*id),
            [] => Err(CliError::usage(format!("the service has no member {name:?}")).hint(self.known())),
            _ => {
                Err(CliError::usage(format!("{name:?} could be any of several members"))
                    .hint("give the member's whole id"))
            }
        }
    }

    /// The same, of a member who can vote.
    pub fn voter(&self, name: &str) -> Result<MemberId, CliError> {
        let id = self.named(name)?;
        match self.active.contains(&id) {
            true => Ok(id),
            false => Err(CliError::usage(format!("member {} is not active, so cannot vote", visible(name)))),
        }
    }

    /// Who proposes what is not submitted: the member called `name`; without it, whose certificate --cert names, or the first active
    /// member.
    pub fn proposer(&self, context: &Context, name: Option<&str>) -> Result<MemberId, CliError> {
        if let Some(name) = name {
            return self.named(name);
        }
        let own = context.certificate()?.as_ref().map(MemberCertificate::member_id);
        own.filter(|id| self.active.contains(id))
            .or_else(|| self.active.first().copied())
            .ok_or_else(|| CliError::usage("the service has no active member, so nobody can propose or vote"))
    }

    fn known(&self) -> String {
        let shown = |(id, name): &(MemberId, Option<String>)| name.as_deref().map_or_else(|| id.to_string(), visible);
        format!("its members are {}", self.all.iter().take(20).map(shown).collect::<Vec<_>>().join(", "))
    }
}
