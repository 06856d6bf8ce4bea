//! What is shown beside a request before it is signed: the proposal that it is about, in the service's terms.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::timeout;

use super::commands::proposal::not_held;
use super::common::Context;
use super::consent::Shown;
use super::error::{CliError, Kind};
use super::tested::Precautions;
use ccf_gov::cose::{self, Algorithm, Beside, Message, MessageType};
use ccf_gov::id::MemberId;
use ccf_gov::json;
use ccf_gov::proposal::ballot::{self, Ballot};
use ccf_gov::proposal::{Proposal, annotated, difference, totals};
use ccf_gov::review::vain::{self, Effect};
use ccf_gov::review::{ServiceView, Subject, notes, proposed, votable};
use ccf_gov::service::Service;
use ccf_gov::upgrade::{NetworkChange, may_accept};

/// How long signing waits for a service that it can do without.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many changed lines of a text are shown unless -v is given.
const FEW: usize = 40;
/// And so many if it is.
const MANY: usize = 100_000;

impl Context {
    /// What is known beside a ballot or a withdrawal, with the guard's judgement.
    pub fn beside_subject(&self, subject: &Subject, me: MemberId, guard: Option<&NetworkChange>) -> Beside {
        let actions = self.subject_actions(subject);
        let lines = subject.lines(me).into_iter().chain(guarded(guard)).collect();
        Beside { lines, actions: Some(actions), script: self.verbose }
    }

    /// What a proposal that the service holds would do.
    pub fn subject_actions(&self, subject: &Subject) -> String {
        let content = &subject.content;
        let actions = self.actions(&content.raw, &subject.view);
        let totals = totals(&content.raw, &actions, content.length, &content.sha256);
        actions + &totals
    }

    /// What is known beside a proposal that is not there yet, with the guard's judgement.
    pub fn beside_proposal(&self, content: &Value, standing: &ServiceView, guard: Option<&NetworkChange>) -> Beside {
        let lines = guarded(guard).collect();
        Beside { lines, actions: Some(self.actions(content, standing)), ..Beside::default() }
    }

    /// What a proposal would do, in a service's terms.
    pub fn actions(&self, content: &Value, standing: &ServiceView) -> String {
        let limit = if self.verbose { MANY } else { FEW };
        annotated(content, &notes(content, standing, limit), &self.catalogue)
    }

    /// What a person sees of a request that is signed here and sent by somebody else; what can only be in vain is refused.
    ///
    /// `service` is the one to ask, if there is one: see [`Context::service_if_any`]. With it comes the guard's judgement.
    pub async fn shown(
        &self,
        service: Option<&Service>,
        message: &Message,
        member: MemberId,
        algorithm: Algorithm,
        precautions: &Precautions,
    ) -> Result<(Shown, Option<NetworkChange>), CliError> {
        if let Some(ahead) = message.created_at().ahead(OffsetDateTime::now_utc()) {
            self.output.warn(ahead);
        }
        let answer = precautions.on_state(self, message, member).await?;
        let asked = match service {
            Some(service) => Some(timeout(PATIENCE, self.looked_up(service, message, member, precautions)).await),
            None => None,
        };
        let mut guarded = None;
        let mut beside = match asked {
            Some(Ok(Ok((beside, found)))) => {
                guarded = found;
                beside
            }
            Some(Ok(Err(error))) if !matches!(error.kind, Kind::Unreachable | Kind::Failed) => return Err(error),
            Some(Ok(Err(error))) => self.not_looked_up(message, &error.message),
            Some(Err(_)) => self.not_looked_up(message, &late()),
            None => self.beside_nothing(message),
        };
        beside.lines.extend(answer);
        Ok((show(message, member, algorithm, &beside), guarded))
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
        let Some(exact) = exact(message) else { return self.beside_subject(subject, member, None) };
        let Some(difference) = difference(exact.value(), &subject.content.raw) else {
            return self.beside_subject(subject, member, None);
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
        let beside = content.map_or_else(Beside::default, |c| self.beside_proposal(&c, &ServiceView::default(), None));
        let lines = is_about_proposals(message).then(|| "compared    with no service".to_owned());
        Beside { script: self.verbose, lines: lines.into_iter().collect(), ..beside }
    }

    async fn looked_up(
        &self,
        service: &Service,
        message: &Message,
        member: MemberId,
        precautions: &Precautions,
    ) -> Result<(Beside, Option<NetworkChange>), CliError> {
        let content = json::parse(message.payload()).unwrap_or_default();
        let Precautions { guard, tested, state } = precautions;
        match (message.kind(), message.proposal_id()) {
            (MessageType::Proposal, _) => {
                vain::active(&service.members().await?, member)?;
                if let Err(there) = vain::proposal(&content, &proposed(service).await?) {
                    self.output.warn(there);
                }
                let view = ServiceView::read(service, &content).await?;
                let found = guard.judge(self, service, &content, &view).await.map_err(CliError::unsigned)?;
                Ok((self.beside_proposal(&content, &view, found.as_ref()), found))
            }
            (MessageType::Ballot, Some(id)) => {
                let subject = Subject::read(service, id).await?.ok_or_else(|| not_held(id))?;
                let ballot = Ballot::of_script(content.get("ballot").and_then(Value::as_str).unwrap_or_default());
                let expected = ballot.proposal();
                votable(id, expected.as_ref(), &subject.content.raw).map_err(|why| CliError::from(why).unsigned())?;
                let answer = match subject.ballot(member, ballot.script())? {
                    Effect::Held => {
                        self.output.warn("the service holds this ballot already: signing it again changes nothing");
                        Vec::new()
                    }
                    Effect::New if state.is_some() => Vec::new(),
                    Effect::New => tested.at(self, service, &subject, member, &ballot).await?,
                };
                let found = match may_accept(message.payload()) {
                    true => guard.judge(self, service, &subject.content.raw, &subject.view).await,
                    false => Ok(None),
                };
                let found = found.map_err(CliError::unsigned)?;
                let mut beside = self.beside_subject(&subject, member, found.as_ref());
                beside.lines.extend(answer);
                Ok((beside, found))
            }
            (MessageType::Withdrawal, Some(id)) => {
                let subject = Subject::read(service, id).await?.ok_or_else(|| not_held(id))?;
                if subject.withdrawal(member)? == Effect::Held {
                    self.output.warn("the proposal is withdrawn already: signing this again changes nothing");
                }
                Ok((self.beside_subject(&subject, member, None), None))
            }
            _ => Ok((Beside { script: self.verbose, ..Beside::default() }, None)),
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

/// The guard's judgement, in lines.
fn guarded(found: Option<&NetworkChange>) -> impl Iterator<Item = String> {
    found.map(NetworkChange::lines).into_iter().flatten()
}

/// The proposal that an exact ballot is for.
fn exact(message: &Message) -> Option<Proposal> {
    let content = json::parse(message.payload()).ok().filter(|_| message.kind() == MessageType::Ballot)?;
    ballot::one_proposal(content.get("ballot")?.as_str()?)
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
