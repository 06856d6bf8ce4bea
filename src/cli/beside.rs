//! What is shown beside a request before it is signed: the proposal that it is about, in the service's terms.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::commands::proposal::not_held;
use super::common::Context;
use super::consent::Shown;
use super::error::{CliError, Kind};
use ccf_gov::cose::{self, Algorithm, Beside, Message, MessageType};
use ccf_gov::id::MemberId;
use ccf_gov::json;
use ccf_gov::proposal::{Proposal, annotated, ballot, difference, totals};
use ccf_gov::review::vain::{self, Effect};
use ccf_gov::review::{ServiceView, Subject, notes, proposed, votable};
use ccf_gov::service::Service;

/// How long signing waits for a service that it can do without.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many changed lines of a text are shown unless -v is given.
const FEW: usize = 40;
/// And so many if it is.
const MANY: usize = 100_000;

impl Context {
    /// What is known beside a ballot or a withdrawal.
    pub fn beside_subject(&self, subject: &Subject, me: MemberId) -> Beside {
        let actions = self.subject_actions(subject);
        Beside { lines: subject.lines(me), actions: Some(actions), script: self.verbose }
    }

    /// What a proposal that the service holds would do.
    pub fn subject_actions(&self, subject: &Subject) -> String {
        let content = &subject.content;
        let actions = self.actions(&content.raw, &subject.view);
        let totals = totals(&content.raw, &actions, content.length, &content.sha256);
        actions + &totals
    }

    /// What is known beside a proposal that is not there yet.
    pub fn beside_proposal(&self, content: &Value, standing: &ServiceView) -> Beside {
        Beside { actions: Some(self.actions(content, standing)), ..Beside::default() }
    }

    /// What a proposal would do, in a service's terms.
    pub fn actions(&self, content: &Value, standing: &ServiceView) -> String {
        let limit = if self.verbose { MANY } else { FEW };
        annotated(content, &notes(content, standing, limit), &self.catalogue)
    }

    /// What a person sees of a request that is signed here and sent by somebody else; what can only be in vain is refused.
    ///
    /// `service` is the one to ask, if there is one: see [`Context::service_if_any`].
    pub async fn shown(
        &self,
        service: Option<&Service>,
        message: &Message,
        member: MemberId,
        algorithm: Algorithm,
    ) -> Result<Shown, CliError> {
        if let Some(ahead) = message.created_at().ahead(OffsetDateTime::now_utc()) {
            self.output.warn(ahead);
        }
        let asked = match service {
            Some(service) => Some(timeout(PATIENCE, self.looked_up(service, message, member)).await),
            None => None,
        };
        let beside = match asked {
            Some(Ok(Ok(beside))) => beside,
            Some(Ok(Err(error))) if !matches!(error.kind, Kind::Unreachable | Kind::Failed) => return Err(error),
            Some(Ok(Err(error))) => self.not_looked_up(message, &error.message),
            Some(Err(_)) => self.not_looked_up(message, &late()),
            None => self.beside_nothing(message),
        };
        Ok(show(message, member, algorithm, &beside))
    }

    /// What is known beside a request that is signed already: refuses nothing.
    pub async fn beside_signed(&self, message: &Message, member: MemberId) -> Beside {
        let Some(id) = message.proposal_id() else { return self.beside_nothing(message) };
        let Some(service) = self.service_if_any([message]).await else {
            return Beside { lines: Vec::new(), ..self.beside_nothing(message) };
        };
        match timeout(PATIENCE, Subject::read(&service, id)).await {
            Ok(Ok(Some(subject))) => self.beside_ballot(message, &subject, member),
            Ok(Ok(None)) => {
                let lines = vec!["state       the service holds no such proposal".into()];
                Beside { lines, ..self.beside_nothing(message) }
            }
            Ok(Err(error)) => self.not_looked_up(message, &error.to_string()),
            Err(_) => self.not_looked_up(message, &late()),
        }
    }

    /// What is known beside a ballot or a withdrawal that is signed already: an exact ballot may be for another proposal than
    /// the one that the service holds, and then its own actions are shown, and that it votes no.
    fn beside_ballot(&self, message: &Message, subject: &Subject, member: MemberId) -> Beside {
        let Some(exact) = exact(message) else { return self.beside_subject(subject, member) };
        let Some(difference) = difference(exact.value(), &subject.content.raw) else {
            return self.beside_subject(subject, member);
        };
        let mut lines = subject.lines(member);
        lines.push("this ballot NO: it is for other actions than the service holds".into());
        let mut next: Option<&dyn std::error::Error> = Some(&difference);
        while let Some(line) = next {
            lines.push(format!("            {line}"));
            next = line.source();
        }
        Beside { lines, actions: None, script: self.verbose }
    }

    /// Goes on without a service that was to be asked.
    fn not_looked_up(&self, message: &Message, why: &str) -> Beside {
        let why = why.lines().next().unwrap_or_default();
        self.output.warn(format!("this was not compared with what the service holds: {why}"));
        self.beside_nothing(message)
    }

    /// What is known without a service.
    fn beside_nothing(&self, message: &Message) -> Beside {
        let content = json::parse(message.payload()).ok().filter(|_| message.kind() == MessageType::Proposal);
        let beside = content.map_or_else(Beside::default, |c| self.beside_proposal(&c, &ServiceView::default()));
        let lines = is_about_proposals(message).then(|| "compared    with no service".to_owned());
        Beside { script: self.verbose, lines: lines.into_iter().collect(), ..beside }
    }

    async fn looked_up(&self, service: &Service, message: &Message, member: MemberId) -> Result<Beside, CliError> {
        let content = json::parse(message.payload()).unwrap_or_default();
        match (message.kind(), message.proposal_id()) {
            (MessageType::Proposal, _) => {
                vain::active(&service.members().await?, member)?;
                if let Err(there) = vain::proposal(&content, &proposed(service).await?) {
                    self.output.warn(there);
                }
                Ok(self.beside_proposal(&content, &ServiceView::read(service, &content).await?))
            }
            (MessageType::Ballot, Some(id)) => {
                let subject = Subject::read(service, id).await?.ok_or_else(|| not_held(id))?;
                let script = content.get("ballot").and_then(Value::as_str).unwrap_or_default();
                let expected = ballot::exact_proposal(script);
                votable(id, expected.as_ref(), &subject.content.raw).map_err(|why| CliError::from(why).unsigned())?;
                if subject.ballot(member, script)? == Effect::Held {
                    self.output.warn("the service holds this ballot already: signing it again changes nothing");
                }
                Ok(self.beside_subject(&subject, member))
            }
            (MessageType::Withdrawal, Some(id)) => {
                let subject = Subject::read(service, id).await?.ok_or_else(|| not_held(id))?;
                if subject.withdrawal(member)? == Effect::Held {
                    self.output.warn("the proposal is withdrawn already: signing this again changes nothing");
                }
                Ok(self.beside_subject(&subject, member))
            }
            _ => Ok(Beside { script: self.verbose, ..Beside::default() }),
        }
    }

    /// The service, where one is configured and answers: signing needs none, and goes on without it.
    pub async fn service_if_any(&self, messages: impl IntoIterator<Item = &Message>) -> Option<Service> {
        if self.service.is_empty() || self.service_cert.is_none() || !messages.into_iter().any(is_about_proposals) {
            return None;
        }
        let why = match timeout(PATIENCE, self.connect()).await {
            Ok(Ok(service)) => return Some(service),
            Ok(Err(error)) => error.message,
            Err(_) => late(),
        };
        let why = why.lines().next().unwrap_or_default();
        self.output.warn(format!("this was not compared with what the service holds: {why}"));
        None
    }
}

/// The proposal that an exact ballot is for.
fn exact(message: &Message) -> Option<Proposal> {
    let content = json::parse(message.payload()).ok().filter(|_| message.kind() == MessageType::Ballot)?;
    ballot::exact_proposal(content.get("ballot")?.as_str()?)
}

/// Whether a service knows anything of what a request is about.
fn is_about_proposals(message: &Message) -> bool {
    message.kind() == MessageType::Proposal || message.kind().names_proposal()
}

fn late() -> String {
    format!("no answer within {} s", PATIENCE.as_secs())
}

/// A request as it is shown.
pub fn show(message: &Message, member: MemberId, algorithm: Algorithm, beside: &Beside) -> Shown {
    Shown { lines: cose::summary_with(message, member, algorithm, beside), essence: cose::essence(message) }
}
