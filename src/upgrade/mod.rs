//! The walk of a code upgrade: register, join and trust, retire, delete, rules and application, deregister.
//!
//! [`Upgrade`] walks it on any service: whoever starts and stops the processes is an [`Operator`], whoever
//! proposes and votes is a [`Consortium`]. [`rehearse`] walks it on a sandbox. Before a node is trusted or
//! retired, the [`quorum`] guard looks at the live configuration and refuses what could stop the service.

mod by_hand;
mod can_stop;
mod code;
mod consortium;
mod error;
mod goal;
mod intended;
mod named_node;
mod network;
mod network_change;
mod next;
mod observe;
mod observed;
mod operator;
mod phases;
mod plan;
mod preconditions;
pub mod quorum;
mod rehearsal;
mod step;
mod walk;
mod wanted;

pub use by_hand::{Basis, may_accept};
pub use can_stop::can_stop;
pub use code::{Code, CodeValue, Running, RunningUvm};
pub use consortium::{Consortium, Passed, Signing};
pub use error::UpgradeError;
pub use goal::{Distance, Goal};
pub use intended::{Intended, Unlike};
pub use named_node::{Effect, NamedNode, changes_network};
pub use network::Network;
pub use network_change::{NetworkChange, StopsTheService};
pub use next::{Act, Doing, Next, Waiting, Who, Whom, next};
pub use observe::observe;
pub use observed::{Observed, ObservedBallot, ObservedNode, ObservedProposal};
pub use operator::{Operator, OperatorError};
pub use plan::{CodeKind, Named, OldCode, Plan, PlanDigest};
pub use preconditions::{PRECONDITIONS, check_constitution, preconditions};
pub use rehearsal::{Rehearsal, example_signers, rehearse};
pub use step::{NodeLine, Phase, Step};
pub use walk::{Rules, Upgrade};
pub use wanted::{Need, Task, Wanted, wanted};
