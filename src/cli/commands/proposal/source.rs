//! Where a proposal comes from, for every command that takes one: a file, what `proposal show` printed, or the service.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use ccf_gov::files;
use ccf_gov::id::ProposalId;
use ccf_gov::proposal::{MAX_PROPOSAL, Proposal, ProposalError, shown};
use ccf_gov::service::Reference;

/// A proposal's file, or its id at the service.
#[derive(Clone, Debug)]
pub enum ProposalSource {
    /// A file with the proposal, or with what `proposal show --output json` prints of it; - for standard input.
    File(PathBuf),
    /// One that the service holds.
    Id(Reference<ProposalId>),
}

impl FromStr for ProposalSource {
    type Err = Infallible;

    /// Hexadecimal digits are an id, unless a file has that name.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.parse() {
            Ok(id) if !Path::new(text).exists() => Self::Id(id),
            _ => Self::File(text.into()),
        })
    }
}

impl fmt::Display for ProposalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(&files::shown(path)),
            Self::Id(id) => write!(f, "proposal {id}"),
        }
    }
}

impl ProposalSource {
    /// The proposal. The service is asked only for an id.
    pub async fn read(&self, context: &Context) -> Result<Proposal, CliError> {
        let read = match self {
            Self::File(path) => shown::read(&files::read(path, MAX_PROPOSAL)?),
            Self::Id(id) => fetch(context, id).await?,
        };
        read.map_err(|error| self.not_a_proposal(error))
    }

    /// The error for what is not a proposal.
    pub fn not_a_proposal(&self, error: ProposalError) -> CliError {
        CliError::from(error).doing(format!("{self} is not a proposal"))
    }

    /// Its bytes, be they a proposal or not.
    pub async fn bytes(&self, context: &Context) -> Result<Vec<u8>, CliError> {
        match self {
            Self::File(path) => {
                let bytes = files::read(path, MAX_PROPOSAL)?;
                Ok(shown::read(&bytes).map_or(bytes, |proposal| proposal.bytes().to_vec()))
            }
            Self::Id(id) => match fetch(context, id).await? {
                Ok(proposal) => Ok(proposal.bytes().to_vec()),
                Err(error) => Err(CliError::no(format!("{self} is not a list of named actions")).because(error)),
            },
        }
    }
}

async fn fetch(context: &Context, id: &Reference<ProposalId>) -> Result<Result<Proposal, ProposalError>, CliError> {
    let service = context.connect().await?;
    let id = context.proposal(&service, Some(id)).await?;
    let actions = service.actions(id).await?.ok_or_else(|| super::not_held(id))?;
    Ok(Proposal::of_value(actions.raw))
}
