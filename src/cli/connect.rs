//! From the common options to a service, and from its refusals to errors with a hint.

use std::sync::Arc;

use super::common::Context;
use super::error::{CliError, Kind};
use ccf_gov::cose::CreatedAt;
use ccf_gov::files;
use ccf_gov::service::{NodeAddress, NodeFailure, Options, Refusal, Service, ServiceError, Settled, ShownCertificate};

/// The largest certificate file, in bytes.
pub const MAX_CERTIFICATE: u64 = 64 << 10;

impl Context {
    /// The service that `--service` and `--service-cert` name.
    pub async fn connect(&self) -> Result<Service, CliError> {
        if self.service.is_empty() {
            return Err(CliError::usage("there is no service to ask").hint(format!(
                "give --service https://HOST:PORT, set CCF_GOV_SERVICE, or write service = \"https://…\" into ccf-gov.toml ({})",
                self.looked
            )));
        }
        let Some(certificate) = &self.service_cert else {
            return Err(CliError::usage("the service's certificate is missing: it is the only root that is trusted")
                .hint("give --service-cert FILE, as the service's operator handed it to you"));
        };
        let addresses: Result<Vec<NodeAddress>, _> = self.service.iter().map(|s| s.parse()).collect();
        let addresses =
            addresses.map_err(|e| CliError::usage(e).hint("for example --service https://127.0.0.1:8000"))?;
        let pem = files::read(certificate, MAX_CERTIFICATE)?;
        files::check_encoding(certificate, &pem)?;
        let output = self.output;
        let own = ShownCertificate::from_pem(&pem);
        let options = Options {
            api_version: self.api_version.clone(),
            progress: Some(Arc::new(move |text| output.note(text))),
            ..Options::new(addresses.clone(), pem)
        };
        let service = Service::connect(options).await.map_err(|error| {
            let wrong_file = matches!(error, ServiceError::Certificate(_));
            let wrong_certificate = matches!(&error, ServiceError::Unreachable { nodes, .. }
                if nodes.iter().any(|(_, failure)| failure.shown_certificate().is_some()));
            let mut error = CliError::from(error);
            let file = files::shown(certificate);
            if wrong_file {
                error.message = format!("cannot use {file}: {}", error.message);
            } else if let (true, Some(own)) = (wrong_certificate, own) {
                error.hint = Some(format!(
                    "{file} holds the certificate with {own}. If that is this service's certificate, name the node by an address that its own \
                     certificate has; otherwise ask the service's operator for the right file: every service has its own certificate, and a \
                     new one after a disaster recovery"
                ));
            }
            error
        })?;
        self.warn_of_addresses(&service, &addresses);
        Ok(service)
    }

    /// Warns when given addresses go away, while one of them still tells where the other nodes are.
    fn warn_of_addresses(&self, service: &Service, given: &[NodeAddress]) {
        let published = service.published();
        let gone = |address: &&NodeAddress| {
            let failure = service.missing().iter().find(|(missing, _)| missing == *address).map(|(_, failure)| failure);
            failure.is_some_and(|f| *f == NodeFailure::NotTrusted || !published.contains(address))
        };
        let gone: Vec<String> = given.iter().filter(gone).map(ToString::to_string).collect();
        if gone.is_empty() || published.is_empty() {
            return;
        }
        self.output.warn(format!(
            "{} no trusted node of the service listens at {} any more; its trusted nodes listen at\n{}",
            if gone.len() == given.len() {
                "none of the addresses that were given is of use:"
            } else {
                "it is time to give other addresses:"
            },
            gone.join(", "),
            paste(&published)
        ));
    }
}

/// The addresses as `ccf-gov.toml` has them.
pub fn paste(addresses: &[NodeAddress]) -> String {
    let quoted: Vec<String> = addresses.iter().map(|a| format!("\"{a}\"")).collect();
    format!("service = [{}]", quoted.join(", "))
}

impl Context {
    /// Reads of the service's state: what was read, and whether it is committed. If it is not, that is said.
    pub async fn read<T>(
        &self,
        service: &Service,
        read: impl AsyncFn() -> Result<T, CliError>,
    ) -> Result<(T, bool), CliError> {
        let Settled { value, committed, .. } = self.settled(service, read).await?;
        Ok((value, committed))
    }

    /// As [`Self::read`], with the newest transaction that it shows.
    pub async fn settled<T>(
        &self,
        service: &Service,
        read: impl AsyncFn() -> Result<T, CliError>,
    ) -> Result<Settled<T>, CliError> {
        let settled = self.settled_quietly(service, read).await?;
        if !settled.committed {
            self.output.warn(match settled.transaction {
                Some(id) => format!(
                    "this is the state at transaction {id}, which is not committed yet: an election may still undo it"
                ),
                None => "the service does not say at which transaction this is its state, so nobody can tell whether it is committed".into(),
            });
        }
        Ok(settled)
    }

    /// As [`Self::settled`], without a word about what is not committed.
    pub async fn settled_quietly<T>(
        &self,
        service: &Service,
        read: impl AsyncFn() -> Result<T, CliError>,
    ) -> Result<Settled<T>, CliError> {
        service.settled(read).await
    }
}

impl From<ServiceError> for CliError {
    fn from(error: ServiceError) -> Self {
        let (kind, hint) = match &error {
            ServiceError::Certificate(_) => (
                Kind::Usage,
                Some("--service-cert names a PEM file with the service's certificate and nothing else".into()),
            ),
            ServiceError::NoAddress | ServiceError::NoSuchCall(_) => (Kind::Usage, None),
            ServiceError::Client(_) => (Kind::Failed, None),
            ServiceError::NotUnderstood { .. } => (Kind::Failed, Some("is this the address of a CCF node?".into())),
            ServiceError::Unreachable { quorum: Some(_), .. } => (
                Kind::Unreachable,
                Some("nothing was done; the service goes on when enough of its trusted nodes run and reach each other again".into()),
            ),
            ServiceError::Unreachable { .. } => (
                Kind::Unreachable,
                Some("nothing was done; look at the reasons above, and give the addresses of other nodes with --service".into()),
            ),
            ServiceError::Undecided { .. } => {
                (Kind::Unreachable, Some("send the same signed envelope again, which is safe; do not sign anew".into()))
            }
            ServiceError::Contradiction { .. } => (
                Kind::Unreachable,
                Some("one of them does not speak for the service: find out which, and give only addresses of the others with --service".into()),
            ),
            ServiceError::AnotherProposal(_) => (
                Kind::Failed,
                Some("compare what was sent with `ccf-gov proposal show ID`; the node that answered is not to be trusted".into()),
            ),
            ServiceError::Purged(_) => (Kind::Refused, None),
            ServiceError::Refused(refusal) => (Kind::Refused, hint(refusal)),
        };
        CliError { kind, message: error.to_string(), source: None, hint }
    }
}

/// What to do about a refusal.
fn hint(refusal: &Refusal) -> Option<String> {
    Some(match refusal.code.as_str() {
        "ProposalCreatedTooLongAgo" => {
            let minimum = refusal.message.rsplit(' ').next().and_then(|n| n.trim_end_matches('.').parse().ok());
            let minimum = minimum.and_then(|n| CreatedAt::from_seconds(n).ok());
            let after = minimum.map_or_else(String::new, |m| format!(" than {m} (created_at {})", m.seconds()));
            format!(
                "the service takes only proposals that are newer{after}, half of the recent ones being newer than that: sign it again now, and see whether this machine's clock is behind"
            )
        }
        "InvalidAuthenticationInfo" => {
            "the signer must be a member of this service, and active (`ccf-gov member list`, `ccf-gov member activate`)".into()
        }
        "ProposalFailedToValidate" => "the service's constitution does not take it: correct the proposal".into(),
        "VoteAlreadyExists" => "a ballot cannot be changed; what counts is the first (`ccf-gov proposal show ID --votes`)".into(),
        "ProposalNotOpen" => "see how it ended with `ccf-gov proposal show ID`".into(),
        "ProposalNotFound" => {
            "it never was, or it was resolved and then removed when another proposal was resolved; the ledger alone has those".into()
        }
        "MissingApiVersionParameter" | "UnsupportedApiVersionValue" => "name one of these with --api-version".into(),
        "RequestBodyTooLarge" => {
            "the service's nodes take no request of this size: make it smaller (an application without what it does not need), or ask \
             the operator to raise max_body_size in the http_configuration of the nodes' interfaces"
                .into()
        }
        "NodeNotRetiredCommitted" => "a node is deleted after the members have removed it and that is committed".into(),
        "InternalError" if refusal.message.starts_with("Failed to apply") => {
            "the proposal was accepted, but applying it failed, so the service took nothing of it: it stands as if this last request had not been sent".into()
        }
        _ => return None,
    })
}
