//! A QuickJS for one script: fresh for each, made beforehand where there is time.

use std::cell::RefCell;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ccf_gov_quickjs_bytecode::Loaded;
use rquickjs::loader::{Loader, Resolver};
use rquickjs::{Context, Ctx, Persistent, Runtime};

use super::Compiled;
use crate::constitution::{ScriptError, Stage};

/// CCF's default limits, which governance never lowers.
const HEAP_BYTES: usize = 100 * 1024 * 1024;
const STACK_BYTES: usize = 1024 * 1024;
const TIME: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 5 });
/// How much is allocated before cycles are looked for: few scripts get there. Where memory is short, it makes no difference.
const GARBAGE_BYTES: usize = 4 * 1024 * 1024;

/// When a script must be done.
#[derive(Clone, Copy, Debug)]
pub(in crate::constitution) struct Deadline(Instant);

impl Deadline {
    pub(super) fn new() -> Self {
        Self(Instant::now() + TIME)
    }

    /// How long it is until `grace` after it.
    pub(super) fn left(self, grace: Duration) -> Duration {
        (self.0 + grace).saturating_duration_since(Instant::now())
    }

    pub(in crate::constitution) fn passed(self) -> bool {
        Instant::now() >= self.0
    }
}

/// A runtime and its only context. No script ran in it before, and none does after the first.
struct Engine {
    context: Context,
    runtime: Runtime,
}

/// An engine that has a module loaded, of which nothing has run.
struct Prepared {
    // Before its engine, as it is part of that.
    module: Persistent<Loaded<'static>>,
    engine: Engine,
    of: Weak<Compiled>,
}

thread_local! {
    /// The engine for the next script of this thread, if it was made beforehand.
    static NEXT: RefCell<Option<Engine>> = const { RefCell::new(None) };
    /// The engine for the next call of a module, if it was made beforehand.
    static PREPARED: RefCell<Option<Prepared>> = const { RefCell::new(None) };
    /// The module that this thread called last: the next call is probably one of it.
    static CALLED: RefCell<Weak<Compiled>> = const { RefCell::new(Weak::new()) };
    /// One that has run its script, and is freed when nobody waits.
    static USED: RefCell<Option<Engine>> = const { RefCell::new(None) };
}

impl Engine {
    fn new() -> Result<Self, ScriptError> {
        let fail = |error| ScriptError::new(Stage::Load, format!("no script engine: {error}"));
        let runtime = Runtime::new().map_err(fail)?;
        runtime.set_memory_limit(HEAP_BYTES);
        runtime.set_max_stack_size(STACK_BYTES);
        runtime.set_gc_threshold(GARBAGE_BYTES);
        Ok(Self { context: Context::full(&runtime).map_err(fail)?, runtime })
    }

    fn run<T>(
        &self,
        deadline: Deadline,
        body: impl FnOnce(&Ctx<'_>) -> Result<T, ScriptError>,
    ) -> Result<T, ScriptError> {
        self.runtime.set_interrupt_handler(Some(Box::new(move || deadline.passed())));
        self.context.with(|ctx| body(&ctx))
    }
}

impl Prepared {
    fn new(compiled: &Arc<Compiled>) -> Result<Self, ScriptError> {
        let engine = Engine::new()?;
        let module = engine.context.with(|ctx| Ok(Persistent::save(&ctx, compiled.load(&ctx)?)))?;
        Ok(Self { module, engine, of: Arc::downgrade(compiled) })
    }

    fn is_of(&self, compiled: &Weak<Compiled>) -> bool {
        self.of.ptr_eq(compiled)
    }
}

/// Held while a thread prepares a module. One does at a time: the other cores are for those who wait for an answer.
static PREPARING: Mutex<()> = Mutex::new(());

/// Frees what the last script of this thread left, and makes the engines for the next one.
pub(super) fn prepare() {
    let called = CALLED.with_borrow(Weak::clone);
    let prepared = PREPARED.with_borrow(|ready| ready.as_ref().is_some_and(|ready| ready.is_of(&called)));
    let module = if prepared { None } else { called.upgrade() };
    let _alone = module.is_some().then(|| PREPARING.lock().unwrap_or_else(PoisonError::into_inner));
    drop(USED.take());
    // Where there is none, the next script says why.
    if NEXT.with_borrow(Option::is_none) {
        NEXT.set(Engine::new().ok());
    }
    if !prepared {
        PREPARED.set(module.and_then(|compiled| Prepared::new(&compiled).ok()));
    }
}

/// Gives `body` a fresh engine within the limits. Imports of other modules fail: there are none.
pub(in crate::constitution) fn with_engine<T>(
    deadline: Deadline,
    body: impl FnOnce(&Ctx<'_>) -> Result<T, ScriptError>,
) -> Result<T, ScriptError> {
    let engine = NEXT.take().map_or_else(Engine::new, Ok)?;
    let result = engine.run(deadline, body);
    USED.set(Some(engine));
    result
}

/// As [`with_engine`], with `compiled` loaded into the engine. Nothing of it has run.
pub(in crate::constitution) fn with_module<T>(
    deadline: Deadline,
    compiled: &Arc<Compiled>,
    body: impl for<'js> FnOnce(&Ctx<'js>, Loaded<'js>) -> Result<T, ScriptError>,
) -> Result<T, ScriptError> {
    let called = Arc::downgrade(compiled);
    let ready = PREPARED.with_borrow_mut(|ready| ready.take_if(|ready| ready.is_of(&called)));
    CALLED.set(called);
    let Some(Prepared { module, engine, .. }) = ready else {
        return with_engine(deadline, |ctx| body(ctx, compiled.load(ctx)?));
    };
    let result = engine.run(deadline, |ctx| {
        let lost = |error| ScriptError::new(Stage::Load, format!("no script engine: {error}"));
        body(ctx, module.restore(ctx).map_err(lost)?)
    });
    USED.set(Some(engine));
    result
}

/// As [`with_engine`], with modules that may import one another.
pub(in crate::constitution) fn with_loader<T>(
    deadline: Deadline,
    resolver: impl Resolver + 'static,
    loader: impl Loader + 'static,
    body: impl FnOnce(&Ctx<'_>) -> Result<T, ScriptError>,
) -> Result<T, ScriptError> {
    let engine = Engine::new()?;
    engine.runtime.set_loader(resolver, loader);
    engine.run(deadline, body)
}
