//! A QuickJS for one script: fresh for each, made beforehand where there is time.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use rquickjs::loader::{Loader, Resolver};
use rquickjs::{Context, Ctx, Runtime};

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

thread_local! {
    /// The engine for the next script of this thread, if it was made beforehand.
    static NEXT: RefCell<Option<Engine>> = const { RefCell::new(None) };
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

/// Frees what the last script of this thread left, and makes the engine for the next one.
pub(super) fn prepare() {
    drop(USED.take());
    if NEXT.with_borrow(Option::is_none) {
        // Where there is none, the next script says why.
        NEXT.set(Engine::new().ok());
    }
}

/// Gives `body` a fresh engine within the limits. Imports of other modules fail: there are none.
pub(in crate::constitution) fn with_engine<T>(
    deadline: Deadline,
    body: impl FnOnce(&Ctx<'_>) -> Result<T, ScriptError>,
) -> Result<T, ScriptError> {
    match NEXT.take() {
        Some(engine) => {
            let result = engine.run(deadline, body);
            USED.set(Some(engine));
            result
        }
        None => Engine::new()?.run(deadline, body),
    }
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
