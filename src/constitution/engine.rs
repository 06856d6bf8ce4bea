//! A constitution, ready to run: what a CCF node does with one, in this process.

use std::sync::Arc;

use ccf_gov_quickjs_bytecode::Loaded;
use rquickjs::{Ctx, Object, Value};

use super::globals::{self, TableAccess, World};
use super::script::{self, Compiled, Deadline};
use super::{Effect, Host, Touched};
use crate::ccf_version::CcfVersion;
use crate::id::{MemberId, ProposalId};
use crate::kv::{Tables, table};

/// A constitution whose source was checked: a module that exports `validate`, `resolve` and `apply`.
///
/// Each call runs in a fresh QuickJS with CCF's limits: 100 MiB of heap, 1 MiB of stack, 5 seconds. A script can
/// neither outlive them nor reach anything but its `ccf` global.
#[derive(Clone, Debug)]
pub struct Constitution {
    source: Arc<str>,
    compiled: Arc<Compiled>,
    version: Option<CcfVersion>,
    touched: Touched,
}

/// Why a source is not a constitution.
#[derive(Debug, thiserror::Error)]
#[error("this is not a constitution: {0}")]
pub struct ConstitutionError(String);

/// A proposal as ballots and constitutions are given it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal<'a> {
    /// The proposal as submitted; any text, it need not be JSON.
    pub text: &'a str,
    /// Its id.
    pub id: ProposalId,
    /// Who proposed it.
    pub proposer: MemberId,
}

/// A script that threw, ran out of time or memory, or gave an answer of the wrong kind.
///
/// `reason` and `trace` are what `voteFailures` and `failure` of a proposal show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ScriptError {
    /// Where it went wrong.
    pub stage: Stage,
    /// What happened, as the service words it.
    pub reason: String,
    /// The stack of calls, if there was one.
    pub trace: Option<String>,
}

impl ScriptError {
    pub(super) fn new(stage: Stage, reason: impl Into<String>) -> Self {
        Self { stage, reason: reason.into(), trace: None }
    }
}

/// How far a script got before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It does not compile, or lacks the function. A CCF node answers the whole request with 500 InternalError, for a
    /// ballot too.
    Load,
    /// The function threw or ran out of a limit. For a ballot this is a vote failure.
    Call,
    /// The function returned something that is no answer: `validate` no object, `resolve` an unknown state.
    Answer,
    /// It called something that a node may have and this engine does not: what a node would have answered is not known.
    Engine,
}

/// What `validate` answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validation {
    /// Whether the proposal may be created.
    pub valid: bool,
    /// What is wrong with it; empty if nothing is.
    pub description: String,
}

/// What `resolve` answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Not decided yet.
    Open,
    /// To be applied.
    Accepted,
    /// Refused for good.
    Rejected,
}

impl Constitution {
    /// Checks `source` as `ccf.gov.validateConstitution` does.
    pub fn new(source: &str) -> Result<Self, ConstitutionError> {
        let owned = source.to_owned();
        let compiled = script::run(None, move |_, deadline| {
            globals::check_constitution(&owned, deadline)
                .map_err(|fault| ScriptError::new(Stage::Load, fault.reason))?;
            Compiled::new(deadline, &format!("{}[0]", table::CONSTITUTION), &owned)
        });
        let compiled = Arc::new(compiled.map_err(|error| ConstitutionError(error.reason))?);
        Ok(Self { source: source.into(), compiled, version: None, touched: Touched::default() })
    }

    /// The same constitution on nodes of `version`, with the functions that they have. Without this, with those of the newest version
    /// that is known.
    pub fn on(self, version: CcfVersion) -> Self {
        Self { version: Some(version), ..self }
    }

    /// The same constitution, whose scripts and ballots note in `touched` which tables they read.
    pub fn watched(self, touched: Touched) -> Self {
        Self { touched, ..self }
    }

    /// The source, as it stands in the constitution table.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Calls `validate(proposal)`. The proposal is any text: it need not be JSON.
    pub fn validate(&self, tables: &Tables, proposal: &str) -> Result<Validation, ScriptError> {
        let (compiled, tables, proposal) = (self.compiled.clone(), tables.clone(), proposal.to_owned());
        let (version, touched) = (self.version, self.touched.clone());
        script::run(None, move |_, deadline| {
            let world = reading(tables, deadline, version, touched);
            in_module(&world, deadline, &compiled, |ctx, module| {
                let function = compiled.function(ctx, deadline, module, "validate")?;
                let answer = script::call(ctx, deadline, &function, (proposal,))?;
                let Some(answer) = answer.into_object() else {
                    return Err(ScriptError::new(Stage::Answer, "Validation failed to return an object"));
                };
                let field = |name: &str| answer.get::<_, Value<'_>>(name).ok();
                let description = field("description").filter(Value::is_string);
                let description = description.and_then(|text| script::text(ctx, &text)).unwrap_or_default();
                let valid = field("valid").is_some_and(|valid| script::is_truthy(&valid));
                match world.missing(&description).filter(|_| !valid) {
                    Some(names) => Err(lacking(&names, Some(&description))),
                    None => Ok(Validation { valid, description }),
                }
            })
        })
    }

    /// Runs the ballot of `voter`: its `vote(proposal, proposer)`; whatever JavaScript takes for true is a yes, a promise too, as on a node. The tables cannot be
    /// written.
    pub fn vote(
        &self,
        tables: &Tables,
        proposal: &Proposal<'_>,
        voter: MemberId,
        ballot: &str,
    ) -> Result<bool, ScriptError> {
        let path = format!("{}[{}].ballots[{voter}]", table::PROPOSALS_INFO, proposal.id);
        let (tables, ballot) = (tables.clone(), ballot.to_owned());
        let (version, touched) = (self.version, self.touched.clone());
        let arguments = (proposal.text.to_owned(), proposal.proposer.to_string());
        script::run(None, move |_, deadline| {
            let world = reading(tables, deadline, version, touched);
            let result = script::with_engine(deadline, |ctx| {
                install(ctx, &world)?;
                let function = script::exported_function(ctx, deadline, &path, &ballot, "vote")?;
                let answer = script::call(ctx, deadline, &function, arguments)?;
                Ok(script::is_truthy(&answer))
            });
            explained(&world, result)
        })
    }

    /// Calls `resolve(proposal, proposer, votes, proposal_id)`, the votes in the order of member ids.
    pub fn resolve(
        &self,
        tables: &Tables,
        proposal: &Proposal<'_>,
        votes: &[(MemberId, bool)],
    ) -> Result<Resolution, ScriptError> {
        let (compiled, tables, text) = (self.compiled.clone(), tables.clone(), proposal.text.to_owned());
        let (id, proposer) = (proposal.id.to_string(), proposal.proposer.to_string());
        let mut votes = votes.to_vec();
        votes.sort();
        let (version, touched) = (self.version, self.touched.clone());
        script::run(None, move |_, deadline| {
            let world = reading(tables, deadline, version, touched);
            in_module(&world, deadline, &compiled, |ctx, module| {
                let function = compiled.function(ctx, deadline, module, "resolve")?;
                let votes = votes.into_iter().map(|vote| as_object(ctx, vote)).collect::<Result<Vec<_>, _>>();
                let votes = votes.map_err(|error| ScriptError::new(Stage::Call, error.to_string()))?;
                let answer = script::call(ctx, deadline, &function, (text, proposer, votes, id))?;
                let state = script::text(ctx, &answer).unwrap_or_default();
                match state.as_str() {
                    "Open" => Ok(Resolution::Open),
                    "Accepted" => Ok(Resolution::Accepted),
                    "Rejected" => Ok(Resolution::Rejected),
                    _ => {
                        let reason = format!("resolve() returned invalid status value: \"{state}\"");
                        Err(ScriptError::new(Stage::Answer, reason))
                    }
                }
            })
        })
    }

    /// Calls `apply(proposal, proposal_id)`; returns what the node is to do. On an error the tables are as they were.
    pub fn apply(
        &self,
        tables: &mut Tables,
        proposal: &Proposal<'_>,
        host: &dyn Host,
    ) -> Result<Vec<Effect>, ScriptError> {
        let (compiled, before) = (self.compiled.clone(), tables.clone());
        let (version, touched) = (self.version, self.touched.clone());
        let arguments = (proposal.text.to_owned(), proposal.id.to_string());
        let (after, effects) = script::run(Some(host), move |ask, deadline| {
            let world = World::new(before, TableAccess::ReadWrite, ask, deadline, version).noting(touched);
            in_module(&world, deadline, &compiled, |ctx, module| {
                let function = compiled.function(ctx, deadline, module, "apply")?;
                script::call(ctx, deadline, &function, arguments)?;
                Ok(())
            })?;
            Ok(world.into_outcome())
        })?;
        *tables = after;
        Ok(effects)
    }
}

/// What a script sees that only reads.
fn reading(tables: Tables, deadline: Deadline, version: Option<CcfVersion>, touched: Touched) -> World {
    World::new(tables, TableAccess::ReadOnly, Box::new(|_| None), deadline, version).noting(touched)
}

/// Runs `body` in an engine with the globals of `world` and the module `compiled`, of which nothing has run.
fn in_module<T>(
    world: &World,
    deadline: Deadline,
    compiled: &Arc<Compiled>,
    body: impl for<'js> FnOnce(&Ctx<'js>, Loaded<'js>) -> Result<T, ScriptError>,
) -> Result<T, ScriptError> {
    let result = script::with_module(deadline, compiled, |ctx, module| {
        install(ctx, world)?;
        body(ctx, module)
    });
    explained(world, result)
}

/// The same result; whatever it is, what this engine lacks is the reason if it was called.
fn explained<T>(world: &World, result: Result<T, ScriptError>) -> Result<T, ScriptError> {
    if let Some(name) = world.lacking() {
        return Err(lacking(&name, None));
    }
    result.map_err(|error| match world.missing(&error.reason) {
        Some(names) => lacking(&names, Some(&error.reason)),
        None => error,
    })
}

fn lacking(names: &str, complaint: Option<&str>) -> ScriptError {
    ScriptError::new(Stage::Engine, super::check::lacks(names, complaint))
}

fn install(ctx: &Ctx<'_>, world: &World) -> Result<(), ScriptError> {
    globals::install(ctx, world).map_err(|error| ScriptError::new(Stage::Load, format!("no ccf global: {error}")))
}

fn as_object<'js>(ctx: &Ctx<'js>, (member, vote): (MemberId, bool)) -> rquickjs::Result<Object<'js>> {
    let object = Object::new(ctx.clone())?;
    object.set("member_id", member.to_string())?;
    object.set("vote", vote)?;
    Ok(object)
}
