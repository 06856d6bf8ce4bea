//! A script as a module, and the function that it exports.

use ccf_gov_quickjs_bytecode::{Bytecode, Loaded};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Function, Module, Value};

use super::{Deadline, TIMED_OUT, describe, with_engine};
use crate::constitution::{ScriptError, Stage};

/// A module that is compiled once and called in many engines.
#[derive(Debug)]
pub(in crate::constitution) struct Compiled {
    path: String,
    bytecode: Bytecode,
}

impl Compiled {
    /// Compiles `source` as the module `path`, in an engine of its own.
    pub(in crate::constitution) fn new(deadline: Deadline, path: &str, source: &str) -> Result<Self, ScriptError> {
        with_engine(deadline, |ctx| {
            let bytecode = Bytecode::compile(ctx, path, source).map_err(|error| uncompiled(ctx, path, &error))?;
            Ok(Self { path: path.to_owned(), bytecode })
        })
    }

    /// Loads the module. Nothing of it is run.
    pub(super) fn load<'js>(&self, ctx: &Ctx<'js>) -> Result<Loaded<'js>, ScriptError> {
        self.bytecode.load(ctx).map_err(|error| uncompiled(ctx, &self.path, &error))
    }

    /// Runs the module and finds the function that it exports as `name`, as [`exported_function`] does.
    pub(in crate::constitution) fn function<'js>(
        &self,
        ctx: &Ctx<'js>,
        deadline: Deadline,
        module: Loaded<'js>,
        name: &str,
    ) -> Result<Function<'js>, ScriptError> {
        export(ctx, deadline, &self.path, module.0, name)
    }
}

/// Loads `source` as the module `path` and finds the function that it exports as `name`.
///
/// As on a node, a module that throws while it is loaded still counts if its function is there: function declarations
/// are, whatever happens further down.
pub(in crate::constitution) fn exported_function<'js>(
    ctx: &Ctx<'js>,
    deadline: Deadline,
    path: &str,
    source: &str,
    name: &str,
) -> Result<Function<'js>, ScriptError> {
    let module = Module::declare(ctx.clone(), path, source).map_err(|error| uncompiled(ctx, path, &error))?;
    export(ctx, deadline, path, module, name)
}

fn export<'js>(
    ctx: &Ctx<'js>,
    deadline: Deadline,
    path: &str,
    module: Module<'js, Declared>,
    name: &str,
) -> Result<Function<'js>, ScriptError> {
    let (module, _promise) = module.eval().map_err(|error| {
        let (reason, _) = describe(ctx, &error);
        fail(format!("Failed to execute {path}: {reason}"))
    })?;
    if deadline.passed() {
        return Err(fail(TIMED_OUT.into()));
    }
    let exports = module.namespace().map_err(|error| fail(describe(ctx, &error).0))?;
    if !exports.contains_key(name).unwrap_or(false) {
        return Err(fail(format!("Failed to find export '{name}' in module '{path}'")));
    }
    let export: Option<Value<'js>> = exports.get(name).map_err(|error| describe(ctx, &error)).ok();
    export
        .and_then(Value::into_function)
        .ok_or_else(|| fail(format!("Export '{name}' of module '{path}' is not a function")))
}

fn uncompiled(ctx: &Ctx<'_>, path: &str, error: &Error) -> ScriptError {
    fail(format!("Failed to compile {path}: {}", describe(ctx, error).0))
}

fn fail(reason: String) -> ScriptError {
    ScriptError::new(Stage::Load, reason)
}
