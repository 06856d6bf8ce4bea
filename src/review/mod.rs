//! What is judged before something is signed.
//!
//! - [`rules`]: a proposal, with evidence or without.
//! - [`vain`]: signatures that the service would refuse, or holds already.
//! - [`Subject`]: a proposal that the service holds, with the votes on it; [`votable()`]: whether a ballot can be cast on it.
//! - [`ServiceView`] and [`notes()`]: what the actions of a proposal mean to a service.
//! - [`ObservedNode`]: a node as its operator needs to see it.
//! - [`node`], [`review_service`] and [`against_registered`]: a node, a whole service, and a proposal beside what is registered now.
//! - [`simulate`]: what a proposal would do on a service, under its own rules.
//! - [`review_constitution()`]: a constitution before it is proposed.
//! - [`state`]: a service's governance state, as tables.
//! - [`report`]: all of that about one proposal, for a member who is about to vote; [`page`]: what reports in HTML share.
//! - [`Diff`] and [`Application`]: what changes in its rules and in its application.

mod application;
mod constitution;
mod diff;
mod inbox;
pub mod node;
mod notes;
mod observed_node;
pub mod page;
mod registered;
pub mod report;
pub mod rules;
mod script;
mod service;
mod service_view;
pub mod simulate;
pub mod state;
mod subject;
pub mod vain;
mod votable;

pub use application::Application;
pub use constitution::{ConstitutionReview, review_constitution};
pub use diff::Diff;
pub use inbox::{Inbox, Listed, News};
pub use notes::notes;
pub use observed_node::{NodeDetails, NotDeletable, ObservedNode, RunningCode};
pub use registered::against_registered;
pub use script::check_script;
pub use service::{RegisteredValue, ReviewedNode, ServiceReview, ShownNode, ShownService, ValueState, review_service};
pub use service_view::ServiceView;
pub use subject::{Subject, proposed, waits_for};
pub use votable::{NotVotable, still_votable, votable};
