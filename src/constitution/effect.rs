//! What applying a proposal asks of the node around it.

use std::fmt::Debug;

/// Something that the node does because an applied proposal asked for it, after the transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `ccf.node.triggerLedgerRekey()`.
    TriggerLedgerRekey,
    /// `ccf.node.transitionServiceToOpen(previous, next)`: the service is to open (or to recover).
    TransitionServiceToOpen {
        /// The identity (PEM) before a recovery; `None` for a service that opens for the first time.
        previous: Option<String>,
        /// The identity (PEM) that is to open.
        next: String,
    },
    /// `ccf.node.triggerRecoverySharesRefresh()`.
    TriggerRecoverySharesRefresh,
    /// `ccf.node.triggerLedgerChunk()`.
    TriggerLedgerChunk,
    /// `ccf.node.triggerSnapshot()`.
    TriggerSnapshot,
    /// `ccf.node.shuffleSealedShares()`: shares of the ledger secret for nodes that can recover without members. No
    /// public table shows them unless sealing is configured.
    ShuffleSealedShares,
    /// `ccf.refreshAppBytecodeCache()`.
    RefreshAppBytecodeCache,
    /// `ccf.setJwtPublicSigningKeys(issuer, metadata, jwks)`.
    SetJwtPublicSigningKeys {
        /// The issuer.
        issuer: String,
        /// The issuer's metadata, JSON.
        metadata: String,
        /// The key set, JSON.
        jwks: String,
    },
    /// `ccf.removeJwtPublicSigningKeys(issuer)`.
    RemoveJwtPublicSigningKeys {
        /// The issuer.
        issuer: String,
    },
}

/// What a constitution asks the service for while it applies a proposal.
pub trait Host: Debug {
    /// Endorses a node's certificate signing request (PEM) with the service key; returns the certificate's PEM.
    ///
    /// `valid_from` is as the proposal has it: `YYMMDDhhmmssZ` or ISO 8601.
    fn endorse(&self, csr_pem: &str, valid_from: &str, validity_days: u64) -> Result<String, String>;

    /// Renews the service's own certificate, same key; returns its PEM.
    fn network_certificate(&self, valid_from: &str, validity_days: u64) -> Result<String, String>;

    /// The seqno from which the newest ledger secret holds.
    fn latest_ledger_secret_seqno(&self) -> u64;
}
