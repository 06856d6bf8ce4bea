//! The wire: TLS, retries, redirects, the governance and node API.
//!
//! [`Service`] speaks with a whole service, not with one node: it knows several addresses, finds the
//! others, asks the primary first, and passes over what is dead, removed or behind (`nodes` says whom it believes). A read is
//! repeated on the next node (`retry`); a write ([`Service::submit`]) sends the same bytes again until one of them is *committed*.
//!
//! The service's certificate is the only root: whoever cannot show a certificate under it is not asked.

mod activation;
mod address;
mod answer;
mod client;
mod commit;
mod error;
mod governance;
mod http;
mod leadership;
mod model;
mod names;
mod node_api;
mod nodes;
mod outcome;
mod own_word;
mod reference;
mod replication;
mod resolve;
mod retry;
mod seen;
mod settled;
mod submit;
mod survey;
mod tls;
mod votes;

pub use activation::Activation;
pub use address::{AddressError, NodeAddress};
pub use answer::Answer;
pub use client::{Options, Progress, Service};
pub use commit::TransactionStatus;
pub use error::{NodeFailure, Refusal, ServiceError};
pub use leadership::Leadership;
pub use model::{
    Ack, Configuration, Configured, Consensus, JoinPolicy, JoinPolicyError, Member, MemberStatus, MinimumTcbEntry,
    Network, NetworkNode, Node, NodeStatus, Proposal, ProposalState, QuoteInfo, RpcInterface, ServiceInfo,
    ServiceStatus, SgxPolicy, SnpPolicy, StateDigest, UvmEntry, Validity, VirtualPolicy, VoteFailure,
};
pub use names::Names;
pub use nodes::LostQuorum;
pub use outcome::Outcome;
pub use own_word::OwnWord;
pub use reference::{Referable, Reference, ReferenceError, SHORTEST};
pub use replication::{Follower, Replication};
pub use resolve::{Meant, ResolveError};
pub use settled::Settled;
pub use submit::{Repeated, Submission};
pub use tls::{ShownCertificate, WrongCertificate};
pub use votes::{Vote, Votes};
