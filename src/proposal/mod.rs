//! What members say: actions, proposals, and ballots on them.
//!
//! - [`Proposal`]: a list of [`Action`]s, read strictly, kept byte for byte.
//! - [`catalogue`]: every action that CCF's constitutions know, with every [`Parameter`] that it takes, and the user's own.
//! - [`from_template`]: a proposal from a template and settings; [`read_value`], [`read_bundle`], [`time`] and [`pem_text`] read them.
//! - [`application`] and [`jwks`]: what nodes refuse of a JavaScript application and of a token issuer's keys.
//! - [`private_key`]: what no proposal may hold.
//! - [`merge`](merge()): one proposal of several.
//! - [`summary`](summary()) and [`annotated`]: what a proposal says, for a person; [`title`]: the same in a line.
//! - [`difference`](difference()): where two proposals are not the same.
//! - [`shown`]: a proposal as `proposal show` prints it.
//! - [`ballot`]: votes, as scripts.
//!
//! ```
//! use ccf_gov::proposal::{Proposal, Setting, catalogue::Catalogue, from_template};
//! use ccf_gov::review::check_script;
//!
//! let settings = Setting::parse("host_data=8f434346648f6b96df89dda901c5176b10a6d83961dd3c1ac88b59b2dc327aa4")?;
//! let now = time::OffsetDateTime::now_utc();
//! let proposal = from_template(Catalogue::builtin(), "add_virtual_host_data", &settings, now, check_script)?;
//! assert_eq!(Proposal::parse(proposal.bytes())?, proposal);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod application;
pub mod ballot;
mod bundle;
pub mod catalogue;
mod difference;
mod document;
pub mod jwks;
mod measured;
mod merge;
mod new;
mod parameter;
pub mod pem_text;
pub mod private_key;
mod registration;
mod script;
pub mod shown;
mod summary;
mod template;
pub mod time;
mod title;
mod value;

pub use bundle::{BundleError, check_bundle, read_bundle};
pub use difference::{Difference, difference};
pub use document::{Action, MAX_PROPOSAL, Proposal, ProposalError};
pub use measured::{MeasuredValue, MeasuredValues};
pub use merge::{Conflict, MergeError, conflicts, merge};
pub use new::{NewError, Setting, SettingError, from_template};
pub use parameter::{Parameter, ParameterDefault, ParameterKind, ParameterSubject};
pub use registration::Registration;
pub use script::{Script, ScriptCheck, ScriptRefusal};
pub use summary::{Note, annotated, summary, totals};
pub use title::{begins, title};
pub use value::{MAX_SAFE_INTEGER, ValueError, ValueSource, read_value};
pub(crate) use value::{hex, shaped};
