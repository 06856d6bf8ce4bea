//! The walk of a code upgrade: register, join and trust, retire, delete, rules and application, deregister.
//!
//! - [`Plan`]: the end to which a service is to be brought; [`Code`]: what its nodes are to run.
//! - [`observe`](observe()): one look at the service, with everything verified here that can be; [`Observed`] is what was seen.
//! - [`wanted`](wanted()): what the service needs next; [`next`](next()): what one person does about it. Both are pure.
//! - [`Walk::step`]: look, decide, act, until somebody else has to do something.
//! - [`quorum`]: whether a change of the network is safe now.
//! - [`rehearse`]: everybody's steps, one after the other, on a sandbox.

mod act;
mod artefacts;
mod by_hand;
mod can_stop;
mod code;
mod error;
mod forecast;
mod goal;
mod intended;
mod intent;
mod join_configuration;
mod load;
mod named_node;
mod network;
mod network_change;
mod new_code;
mod new_launch;
mod next;
mod observe;
mod observed;
mod page;
mod phase;
mod plan;
mod plan_file;
mod preconditions;
mod progress;
pub mod quorum;
pub mod record;
mod rehearsal;
mod report;
mod retirement;
mod rollback;
mod step;
mod superseded;
mod task;
mod topology;
mod trusting;
mod untouched;
mod verification;
mod waiver;
mod wanted;
mod way;

pub use act::{Request, was_outrun};
pub use by_hand::{Basis, may_accept};
pub use can_stop::Dependence;
pub use code::{Code, CodeValue, Running, RunningUvm};
pub use error::UpgradeError;
pub use forecast::{
    DrawnNode, Forecast, ForecastPhase, ForecastStep, Role, drawing, forecast, mermaid, plan_checks, plan_waivers,
};
pub use goal::{Distance, Goal, Watch};
pub use intended::{Intended, Unlike};
pub use intent::{
    Intent, IntentError, LaunchIntent, MeasurementIntent, NewIntent, OldIntent, OldUvm, OneOrMore, RulesIntent,
    ServiceIntent, TcbIntent, UvmIntent, UvmValues,
};
pub use join_configuration::JoinConfiguration;
pub use load::LoadError;
pub use named_node::{Effect, NamedNode, changes_network};
pub use network::Network;
pub use network_change::{NetworkChange, StopsTheService};
pub use next::{Act, Doing, Next, Waiting, Who, Whom, next};
pub use observe::observe;
pub use observed::{Observed, ObservedBallot, ObservedNode, ObservedProposal};
pub use phase::Phase;
pub use plan::{CodeKind, Named, OldCode, Plan, PlanDigest};
pub use plan_file::{MAX_PLAN_FILE, PlanFile, PlanFileError};
pub use preconditions::{PRECONDITIONS, check_constitution, preconditions};
pub use progress::{Progress, State};
pub use rehearsal::{
    CopyError, End, Event, Fault, FaultError, FaultKind, Rehearsal, Rehearsed, RehearsedFault, RehearsedStep,
    RehearsedWait, Signing, example_signers, rehearse,
};
pub use report::{Line, Proven, Report};
pub use rollback::NoWayBack;
pub use step::{Did, Stepped, Walk};
pub use task::Task;
pub use topology::{NodeLine, Topology};
pub use trusting::{Candidate, NotNow, Trusting, choose, passing, pending};
pub use verification::Verification;
pub use waiver::{Waiver, waivers_now};
pub use wanted::{Need, Wanted, wanted};
pub use way::Way;
