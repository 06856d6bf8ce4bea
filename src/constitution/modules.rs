//! An application's modules, compiled as a node compiles them before it takes them.

use crate::text::clip;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::Declared;
use rquickjs::{Ctx, Error, Module};

use super::check::ScriptFault;
use super::engine::{ScriptError, Stage};
use super::script::{self, Deadline};

/// What is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("module {module:?}, {fault}")]
pub struct ModuleFault {
    /// The module's name.
    pub module: String,
    /// What is wrong with it.
    pub fault: ScriptFault,
}

/// Compiles `modules` (sources by name, without a slash in front), and looks for the functions that `entries` call: pairs of
/// a module and a function. Nothing is run.
///
/// # Errors
/// They do not fit within the limits of scripts.
pub fn check_modules(
    modules: &BTreeMap<String, String>,
    entries: &BTreeSet<(String, String)>,
) -> Result<Vec<ModuleFault>, ScriptError> {
    let (modules, entries) = (modules.clone(), entries.clone());
    script::run(None, move |_, deadline| compile(modules, &entries, deadline))
}

/// [`check_modules`], on this thread.
pub(super) fn compile(
    modules: BTreeMap<String, String>,
    entries: &BTreeSet<(String, String)>,
    deadline: Deadline,
) -> Result<Vec<ModuleFault>, ScriptError> {
    let shelf = Shelf(Rc::new(Contents { modules, state: RefCell::default() }));
    script::with_loader(deadline, shelf.clone(), shelf.clone(), |ctx| {
        for name in shelf.0.modules.keys() {
            shelf.compile(ctx, name);
            in_time(deadline)?;
        }
        for (at, (module, function)) in entries.iter().enumerate() {
            shelf.find(ctx, at, module, function);
            in_time(deadline)?;
        }
        Ok(std::mem::take(&mut shelf.0.state.borrow_mut().faults))
    })
}

fn in_time(deadline: Deadline) -> Result<(), ScriptError> {
    match deadline.passed() {
        true => Err(ScriptError::new(Stage::Load, "Operation took too long to complete.")),
        false => Ok(()),
    }
}

/// The modules, and how far they are compiled.
#[derive(Clone)]
struct Shelf(Rc<Contents>);

struct Contents {
    modules: BTreeMap<String, String>,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    compiled: BTreeSet<String>,
    failed: BTreeSet<String>,
    faults: Vec<ModuleFault>,
    /// How often something was found; a module whose import is at fault is not at fault itself.
    found: usize,
}

impl State {
    fn add(&mut self, module: &str, fault: ScriptFault) {
        self.found += 1;
        self.faults.push(ModuleFault { module: module.into(), fault });
    }
}

/// The module that is evaluated first, and throws: nothing after it is run.
const STOP: &str = "ccf-gov:stop";
/// What the modules' names begin with that look for a function.
const FIND: &str = "ccf-gov:find";

impl Shelf {
    fn compile(&self, ctx: &Ctx<'_>, name: &str) {
        let is_new = self.0.state.borrow_mut().compiled.insert(name.into());
        if is_new {
            // What is wrong is noted.
            let _ = self.declare(ctx, name);
        }
    }

    fn declare<'js>(&self, ctx: &Ctx<'js>, name: &str) -> rquickjs::Result<Module<'js, Declared>> {
        let source = self.0.modules.get(name).ok_or_else(|| Error::new_loading(name))?;
        let before = self.0.state.borrow().found;
        Module::declare(ctx.clone(), name, source.as_str()).map_err(|error| {
            let fault = script::fault(ctx, &error);
            let mut state = self.0.state.borrow_mut();
            if state.found == before {
                state.add(name, fault);
            }
            state.failed.insert(name.into());
            Error::new_loading(name)
        })
    }

    /// Looks for a function by importing it: names are linked before anything is evaluated.
    fn find(&self, ctx: &Ctx<'_>, at: usize, module: &str, function: &str) {
        let broken = self.0.state.borrow().failed.contains(module) || !self.0.modules.contains_key(module);
        if broken {
            return;
        }
        let is_name = !function.starts_with(|c: char| c.is_ascii_digit())
            && !function.is_empty()
            && function.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        let missing = |reason| ScriptFault { reason, line: None };
        if !is_name {
            let function = clip(function, 60);
            return self
                .0
                .state
                .borrow_mut()
                .add(module, missing(format!("{function:?} is not the name of a function")));
        }
        let source = format!("import {STOP:?}; import {{ {function} as f }} from {};", serde_json::json!(module));
        let before = self.0.state.borrow().found;
        let linked = Module::declare(ctx.clone(), format!("{FIND}{at}"), source).and_then(Module::eval);
        if let Err(error) = linked {
            let reason = script::fault(ctx, &error).reason;
            let mut state = self.0.state.borrow_mut();
            if state.found == before {
                state.add(module, missing(format!("for its function {function}: {reason}")));
            }
        }
    }
}

impl Resolver for Shelf {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        base: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        if base.starts_with(FIND) {
            return Ok(name.into());
        }
        let path = resolved(base, name);
        let path = path.strip_prefix('/').unwrap_or(&path);
        if self.0.modules.contains_key(path) {
            return Ok(path.into());
        }
        let source = self.0.modules.get(base).map(String::as_str).unwrap_or_default();
        let is_import =
            |line: &str| [format!("'{name}'"), format!("\"{name}\"")].iter().any(|quoted| line.contains(quoted));
        let line = source.lines().position(is_import).and_then(|at| u32::try_from(at + 1).ok());
        let name = clip(name, 100);
        let fault = ScriptFault { reason: format!("it imports {name:?}, and there is no such module"), line };
        self.0.state.borrow_mut().add(base, fault);
        Err(Error::new_resolving(base, name))
    }
}

impl Loader for Shelf {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        if name == STOP {
            return Module::declare(ctx.clone(), STOP, "throw 0;");
        }
        if self.0.state.borrow().failed.contains(name) {
            self.0.state.borrow_mut().found += 1;
            return Err(Error::new_loading(name));
        }
        self.0.state.borrow_mut().compiled.insert(name.into());
        self.declare(ctx, name)
    }
}

/// The path that an import names: as QuickJS has it, only one that begins with a dot is relative, and only dots in front count.
fn resolved(base: &str, name: &str) -> String {
    if !name.starts_with('.') {
        return name.into();
    }
    let mut folders: Vec<&str> = base.split('/').collect();
    folders.pop();
    let mut rest = name;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) =
            rest.strip_prefix("../").filter(|_| folders.last().is_some_and(|f| !matches!(*f, "." | "..")))
        {
            folders.pop();
            rest = after;
        } else {
            break;
        }
    }
    folders.push(rest);
    folders.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(modules: &[(&str, &str)], entries: &[(&str, &str)]) -> Vec<String> {
        let modules = modules.iter().map(|(name, source)| (name.to_string(), source.to_string())).collect();
        let entries = entries.iter().map(|(module, function)| (module.to_string(), function.to_string())).collect();
        check_modules(&modules, &entries).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn modules_that_fit_together_have_no_fault_and_are_not_run() {
        let modules = [
            (
                "endpoints/a.js",
                "import * as b from '../lib/b.js'; import { g } from './c.js'; export function f() { g(b); }",
            ),
            ("endpoints/c.js", "import { f } from '/endpoints/a.js'; export const g = f; export default () => 1;"),
            ("lib/b.js", "for (;;) {}"),
        ];
        let entries = [("endpoints/a.js", "f"), ("endpoints/c.js", "g"), ("endpoints/c.js", "default")];
        assert_eq!(check(&modules, &entries), [""; 0]);
    }

    #[test]
    fn what_does_not_compile_is_named_once_with_its_line() {
        let modules = [
            ("a.js", "import './b.js';\nexport function f() {}"),
            ("b.js", "export function g() {}\n\nexport function list( {"),
            ("c.js", "import { g } from 'b.js';"),
            ("main.js.map", "{\"version\":3,\"sources\":[]}\n"),
        ];
        let found = check(&modules, &[("a.js", "f")]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("module \"b.js\", line 3: SyntaxError"), "{found:?}");
        assert!(found[1].starts_with("module \"main.js.map\", line 1: SyntaxError"), "{found:?}");
    }

    #[test]
    fn imports_and_functions_that_no_module_has_are_named() {
        let modules = [
            ("a.js", "import { g } from './b.js';\nexport function f() { return g; }\nexport const n = 1;"),
            ("b.js", "export const h = 1;"),
            ("c.js", "\nimport x from '../out.js';"),
            ("d.js", "export function f() {}"),
        ];
        let found = check(&modules, &[("a.js", "f"), ("d.js", "f"), ("d.js", "g"), ("d.js", "f()"), ("none.js", "f")]);
        assert_eq!(found.len(), 4, "{found:?}");
        assert_eq!(found[0], "module \"c.js\", line 2: it imports \"../out.js\", and there is no such module");
        assert!(
            found[1].contains("a.js") && found[1].contains("Could not find export 'g' in module 'b.js'"),
            "{found:?}"
        );
        assert!(found[2].contains("\"f()\" is not the name"), "{found:?}");
        assert!(
            found[3].contains("for its function g: SyntaxError: Could not find export 'g' in module 'd.js'"),
            "{found:?}"
        );
    }

    #[test]
    fn imports_are_resolved_as_quickjs_has_it() {
        for (base, name, path) in [
            ("a/b.js", "./c.js", "a/c.js"),
            ("a/b.js", "../c.js", "c.js"),
            ("b.js", "./c.js", "c.js"),
            ("b.js", "../c.js", "../c.js"),
            ("a/b.js", "c.js", "c.js"),
            ("a/b.js", "/c.js", "/c.js"),
            ("a/b.js", "./x/../c.js", "a/x/../c.js"),
        ] {
            assert_eq!(resolved(base, name), path, "{name} in {base}");
        }
    }
}
