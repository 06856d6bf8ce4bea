//! What a person means where an id is taken: looked up where it is not given whole, and shown.

use std::io::{self, IsTerminal};

use super::common::Context;
use super::error::CliError;
use ccf_gov::id::{MemberId, NodeId, ProposalId};
use ccf_gov::proposal::{ParameterSubject, Setting, ValueSource};
use ccf_gov::service::{Meant, Referable, Reference, Service};

impl Context {
    /// The proposal that `given` refers to; without it, the only open one.
    pub async fn proposal(
        &self,
        service: &Service,
        given: Option<&Reference<ProposalId>>,
    ) -> Result<ProposalId, CliError> {
        Ok(self.show_meant(given.map(Reference::text), service.meant_proposal(given).await?))
    }

    /// As [`Self::proposal`], for something that is signed: one that nobody gave is not signed for while nobody is asked.
    pub async fn proposal_to_sign(
        &self,
        service: &Service,
        given: Option<&Reference<ProposalId>>,
    ) -> Result<ProposalId, CliError> {
        if given.is_none() && !self.yes && !io::stderr().is_terminal() {
            return Err(CliError::usage("the proposal's id is missing, and there is no terminal to ask at")
                .hint("give the id; or give --yes to mean the only open proposal, whichever it is"));
        }
        self.proposal(service, given).await
    }

    /// The node that `given` refers to.
    pub async fn node(&self, service: &Service, given: &Reference<NodeId>) -> Result<NodeId, CliError> {
        Ok(self.show_meant(Some(given.text()), service.meant_node(given).await?))
    }

    /// The member that `given` refers to.
    pub async fn member_meant(&self, service: &Service, given: &Reference<MemberId>) -> Result<MemberId, CliError> {
        Ok(self.show_meant(Some(given.text()), service.meant_member(given).await?))
    }

    /// The id of a proposal for a command that works without a service too: then it has to be given whole.
    pub async fn proposal_anywhere(&self, given: &str) -> Result<ProposalId, CliError> {
        let given: Reference<ProposalId> =
            given.parse().map_err(|e| CliError::from(e).doing("the proposal id is not valid"))?;
        match given.whole() {
            Some(id) => Ok(*id),
            None => {
                let service = self.connect_for("the proposal", &given).await?;
                self.proposal(&service, Some(&given)).await
            }
        }
    }

    /// Puts whole ids where the settings of a template give nodes and members otherwise.
    pub async fn resolve_settings(&self, template: &str, settings: &mut [Setting]) -> Result<(), CliError> {
        let Some(template) = self.catalogue.find(template) else { return Ok(()) };
        let mut connection = None;
        for Setting { name, source } in settings {
            let (Some(subject), ValueSource::Text(text)) = (template.parameter(name).and_then(|p| p.subject()), source)
            else {
                continue;
            };
            let invalid = |e| CliError::from(e).doing(format!("the value of {name} cannot be used"));
            let id = match subject {
                ParameterSubject::Node => {
                    let given: Reference<NodeId> = text.parse().map_err(invalid)?;
                    match given.whole() {
                        Some(id) => id.to_string(),
                        None => {
                            let service = self.connect_once(&mut connection, name, &given).await?;
                            self.node(service, &given).await?.to_string()
                        }
                    }
                }
                ParameterSubject::Member => {
                    let given: Reference<MemberId> = text.parse().map_err(invalid)?;
                    match given.whole() {
                        Some(id) => id.to_string(),
                        None => {
                            let service = self.connect_once(&mut connection, name, &given).await?;
                            self.show_meant(Some(given.text()), service.meant_member(&given).await?).to_string()
                        }
                    }
                }
            };
            *text = id;
        }
        Ok(())
    }

    async fn connect_once<'s, Id: Referable>(
        &self,
        connection: &'s mut Option<Service>,
        what: &str,
        given: &Reference<Id>,
    ) -> Result<&'s Service, CliError> {
        let service = match connection.take() {
            Some(service) => service,
            None => self.connect_for(what, given).await?,
        };
        Ok(connection.insert(service))
    }

    /// Connects for nothing but to learn what was meant.
    async fn connect_for<Id: Referable>(&self, what: &str, given: &Reference<Id>) -> Result<Service, CliError> {
        if self.service.is_empty() {
            let noun = Id::NOUN;
            return Err(CliError::usage(format!(
                "{what} is not a whole id, and there is no service to look up {given}"
            ))
            .hint(format!("give all 64 digits of the {noun}'s id, or the service with --service and --service-cert")));
        }
        self.connect().await
    }

    /// Shows what was looked up, and gives its id.
    fn show_meant<Id: Referable>(&self, given: Option<&str>, meant: Meant<Id>) -> Id {
        if let Some(what) = meant.what {
            let (noun, id) = (Id::NOUN, meant.id);
            self.output.note(match given {
                Some(given) => format!("{given} is {noun} {id}\n  {what}"),
                None => format!("The only open {noun} is {id}\n  {what}"),
            });
        }
        meant.id
    }
}
