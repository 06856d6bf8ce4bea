//! From the common options to a service.

use std::path::Path;
use std::sync::Arc;

use super::common::Context;
use super::error::CliError;
use ccf_gov::files;
use ccf_gov::service::{NodeAddress, NodeFailure, Options, Service, ServiceError, Settled, ShownCertificate};

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
            return Err(CliError::usage("the service's certificate is missing: it is the only trusted root")
                .hint("give --service-cert FILE, which the service's operator provides"));
        };
        let addresses: Result<Vec<NodeAddress>, _> = self.service.iter().map(|s| s.parse()).collect();
        let addresses =
            addresses.map_err(|e| CliError::usage(e).hint("for example --service https://127.0.0.1:8000"))?;
        let service = self.connect_to(&addresses, certificate).await?;
        self.warn_of_addresses(&service, &addresses);
        Ok(service)
    }

    /// The service with this certificate, some of whose nodes listen at these addresses.
    pub async fn connect_to(&self, addresses: &[NodeAddress], certificate: &Path) -> Result<Service, CliError> {
        let pem = files::read(certificate, MAX_CERTIFICATE)?;
        files::check_encoding(certificate, &pem)?;
        let output = self.output;
        let own = ShownCertificate::from_pem(&pem);
        let options = Options {
            api_version: self.api_version.clone(),
            progress: Some(Arc::new(move |text| output.note(text))),
            ..Options::new(addresses.to_vec(), pem)
        };
        Service::connect(options).await.map_err(|error| {
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
        })
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
                None => "the service does not say at which transaction this is its state, so it is not known whether it is committed".into(),
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
