//! A module's bytecode: compiled once, loaded into many contexts.
//!
//! QuickJS trusts the bytecode that it reads, so reading it is `unsafe`. This package is the only one of ccf-gov that does it, and
//! does nothing else: a [`Bytecode`] is made by compiling a source in this process, its bytes cannot be had or given from outside, and
//! [`Bytecode::load`] is the one unsafe step. That a [`Loaded`] module may be kept with its engine is the one unsafe promise.

use rquickjs::module::{Declared, WriteOptions};
use rquickjs::{Ctx, JsLifetime, Module, Result};

/// A compiled module, with its source and its line numbers: what it throws, and what its functions are as text, is the same as when it
/// is compiled anew.
#[derive(Debug)]
pub struct Bytecode(Vec<u8>);

impl Bytecode {
    /// Compiles `source` as the module `name`. Nothing of it is run.
    ///
    /// # Errors
    /// It does not compile, or an import of it is not found: the exception is in `ctx`.
    pub fn compile(ctx: &Ctx<'_>, name: &str, source: &str) -> Result<Self> {
        let module = Module::declare(ctx.clone(), name, source)?;
        module.write(WriteOptions::default()).map(Self)
    }

    /// Puts the module into `ctx`, as [`Module::declare`] with its source would. Nothing of it is run.
    ///
    /// # Errors
    /// There is no memory for it, or an import of it is not found: the exception is in `ctx`.
    pub fn load<'js>(&self, ctx: &Ctx<'js>) -> Result<Loaded<'js>> {
        // SAFETY: QuickJS itself wrote these bytes, in this process and for a module, and nobody could change them since.
        unsafe { Module::load(ctx.clone(), &self.0) }.map(Loaded)
    }
}

/// A module in its context. Nothing of it was run. [`rquickjs::Persistent`] keeps it while nobody uses the context.
#[derive(Debug)]
pub struct Loaded<'js>(pub Module<'js, Declared>);

// SAFETY: `'js` stands for the context, wherever it is in `Module<'js, Declared>`; `Changed` replaces it by another, and nothing else.
unsafe impl<'js> JsLifetime<'js> for Loaded<'js> {
    type Changed<'to> = Loaded<'to>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use rquickjs::convert::List;
    use rquickjs::{Context, Function, Persistent, Runtime};

    fn with<T>(body: impl FnOnce(&Ctx<'_>) -> T) -> T {
        let runtime = Runtime::new().unwrap();
        Context::full(&runtime).unwrap().with(|ctx| body(&ctx))
    }

    #[test]
    fn what_was_compiled_in_one_engine_runs_in_another() {
        let source = "let n = 1;\nexport function f() {\n  return [++n, f.toString(), new Error('x').stack];\n}";
        let bytecode = with(|ctx| Bytecode::compile(ctx, "a module", source)).unwrap();
        let call = |module: Module<'_, Declared>| -> (i32, String, String) {
            let (module, _) = module.eval().unwrap();
            module.get::<_, Function<'_>>("f").unwrap().call::<_, List<_>>(()).unwrap().0
        };
        let compiled = with(|ctx| call(Module::declare(ctx.clone(), "a module", source).unwrap()));
        for _ in 0..2 {
            assert_eq!(with(|ctx| call(bytecode.load(ctx).unwrap().0)), compiled);
        }
        assert!(compiled.1.starts_with("function f()") && compiled.2.contains("a module:3"), "{compiled:?}");
    }

    #[test]
    fn a_loaded_module_is_kept_with_its_engine() {
        let bytecode = with(|ctx| Bytecode::compile(ctx, "a module", "export function f() { return 5; }")).unwrap();
        let runtime = Runtime::new().unwrap();
        let context = Context::full(&runtime).unwrap();
        let load = || context.with(|ctx| Persistent::save(&ctx, bytecode.load(&ctx).unwrap()));
        let (kept, forgotten) = (load(), load());
        drop(forgotten);
        let five = context.with(|ctx| {
            let (module, _) = kept.restore(&ctx).unwrap().0.eval().unwrap();
            module.get::<_, Function<'_>>("f").unwrap().call::<_, i32>(()).unwrap()
        });
        assert_eq!(five, 5);
    }

    #[test]
    fn a_module_may_import_itself_and_nothing_else() {
        let source = "import * as me from 'self'; export function f() { return me.f === f; }";
        let bytecode = with(|ctx| Bytecode::compile(ctx, "self", source)).unwrap();
        assert!(with(|ctx| {
            let (module, _) = bytecode.load(ctx).unwrap().0.eval().unwrap();
            module.get::<_, Function<'_>>("f").unwrap().call::<_, bool>(()).unwrap()
        }));
        for broken in ["import 'other';", "export function ("] {
            assert!(with(|ctx| Bytecode::compile(ctx, "self", broken).is_err()), "{broken}");
        }
    }

    #[test]
    fn no_memory_is_an_error() {
        let source = format!("export const a = [{}];", "'x', ".repeat(100_000));
        let bytecode = with(|ctx| Bytecode::compile(ctx, "large", &source)).unwrap();
        let runtime = Runtime::new().unwrap();
        let context = Context::full(&runtime).unwrap();
        for spare in (0..200_000).step_by(5_000) {
            runtime.set_memory_limit(runtime.memory_usage().malloc_size as usize + spare);
            context.with(|ctx| drop(bytecode.load(&ctx).map_err(|_| ctx.catch())));
        }
    }
}
