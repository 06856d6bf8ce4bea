//! The members who propose and vote.

use serde::Serialize;
use serde_json::Value;

use super::UpgradeError;
use crate::cose::{CreatedAt, Envelope, Message, MessageType, SigningRequest};
use crate::id::{MemberId, ProposalId, TransactionId};
use crate::proposal::{Proposal, ballot};
use crate::service::{ProposalState, Service, Submission};
use crate::signer::{self, Signer};

/// How a member's signature comes about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// Signed where it is made.
    Direct,
    /// Prepared as a request file, signed apart from it, finished from the file and the signature.
    PrepareAndFinish,
}

/// The members whose keys are at hand: the first proposes, all vote.
#[derive(Debug)]
pub struct Consortium {
    signers: Vec<Box<dyn Signer>>,
    signing: Signing,
}

/// A proposal that was accepted.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "shapes", derive(schemars::JsonSchema))]
pub struct Passed {
    /// Its id.
    pub proposal_id: ProposalId,
    /// Who made it.
    pub proposer: MemberId,
    /// Who signed a ballot for it, in their order, until it was accepted.
    pub voters: Vec<MemberId>,
    /// What it did.
    pub actions: Vec<Value>,
    /// The committed transaction of the ballot that decided.
    pub transaction: TransactionId,
}

impl Consortium {
    /// Members who sign in this way.
    pub fn new(signers: Vec<Box<dyn Signer>>, signing: Signing) -> Self {
        Self { signers, signing }
    }

    /// Proposes, and votes with one member after the other until it is accepted, each time committed.
    ///
    /// Every ballot is an exact one: it accepts these actions and no others.
    pub async fn pass(&self, service: &Service, proposal: &Proposal) -> Result<Passed, UpgradeError> {
        let Some(first) = self.signers.first() else {
            return Err(UpgradeError::Claim("there is no member to propose anything".into()));
        };
        let payload = proposal.bytes().to_vec();
        let made = self.send(service, &**first, MessageType::Proposal, None, payload).await?;
        let Some(made_proposal) = &made.proposal else {
            return Err(UpgradeError::Claim("the service took a proposal and did not say which".into()));
        };
        let id = made_proposal.proposal_id;
        let ballot = ballot::exact(proposal)?.payload();
        let (mut state, mut transaction) = (made_proposal.proposal_state, made.transaction);
        let mut voters = Vec::new();
        for voter in &self.signers {
            if state != ProposalState::Open {
                break;
            }
            let voted = self.send(service, &**voter, MessageType::Ballot, Some(id), ballot.clone()).await?;
            voters.push(voter.certificate().member_id());
            transaction = voted.transaction;
            state = voted.proposal.map_or(state, |p| p.proposal_state);
        }
        if state != ProposalState::Accepted {
            return Err(UpgradeError::NotAccepted { id, state });
        }
        let actions = proposal.value().get("actions").and_then(Value::as_array).cloned().unwrap_or_default();
        let proposer = first.certificate().member_id();
        Ok(Passed { proposal_id: id, proposer, voters, actions, transaction })
    }

    async fn send(
        &self,
        service: &Service,
        signer: &dyn Signer,
        kind: MessageType,
        proposal: Option<ProposalId>,
        payload: Vec<u8>,
    ) -> Result<Submission, UpgradeError> {
        let message = Message::new(kind, CreatedAt::now()?, proposal, payload)?;
        let envelope = match self.signing {
            Signing::Direct => signer::sign(signer, message).await?,
            Signing::PrepareAndFinish => prepare_and_finish(signer, message).await?,
        };
        Ok(service.submit(&envelope).await?)
    }
}

/// Writes the request file, reads it back as whoever holds the key does, signs, and finishes from the file.
async fn prepare_and_finish(signer: &dyn Signer, message: Message) -> Result<Envelope, UpgradeError> {
    let file = SigningRequest::new(message, signer.certificate().clone()).to_json().to_string();
    let mut read = SigningRequest::parse_file(file.as_bytes())?;
    let (Some(request), true) = (read.pop(), read.is_empty()) else {
        return Err(UpgradeError::Claim("a request was prepared, and its file holds another number of them".into()));
    };
    let signature = signer.sign(&request.to_be_signed()).await?;
    Ok(request.finish(signature)?)
}
