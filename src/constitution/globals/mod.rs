//! The globals that constitutions and ballots see: `ccf` and `console`, as a CCF node provides them.

mod converters;
mod crypto;
mod effects;
mod gov;
mod jwk;
mod kv;
mod lacking;
mod x509;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rquickjs::function::{Rest, This};
use rquickjs::{ArrayBuffer, Ctx, Exception, Function, Object, Result, TypedArray, Value};

pub(super) use gov::check_constitution;

use super::script::{Ask, Deadline};
use super::{Effect, Touched};
use crate::ccf_version::{CcfVersion, Feature};
use crate::kv::Tables;

/// Which tables a script may read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableAccess {
    /// Ballots, `validate` and `resolve`.
    ReadOnly,
    /// `apply`.
    ReadWrite,
}

/// What one script sees and what it does.
#[derive(Clone)]
pub(super) struct World(Rc<State>);

pub(super) struct State {
    access: TableAccess,
    before: Tables,
    tables: RefCell<Tables>,
    effects: RefCell<Vec<Effect>>,
    written: Cell<usize>,
    ask: Ask,
    deadline: Deadline,
    version: Option<CcfVersion>,
    wanted: lacking::Wanted,
    touched: Touched,
}

/// What one script may write to the tables. A node has no such limit of its own, but takes no proposal nearly as large.
const MOST_WRITTEN_BYTES: usize = 32 * 1024 * 1024;

impl World {
    /// Of which version of CCF the functions are: without one, the newest that is known.
    pub(super) fn new(
        tables: Tables,
        access: TableAccess,
        ask: Ask,
        deadline: Deadline,
        version: Option<CcfVersion>,
    ) -> Self {
        Self(Rc::new(State {
            access,
            before: tables.clone(),
            tables: RefCell::new(tables),
            effects: RefCell::default(),
            written: Cell::new(0),
            ask,
            deadline,
            version,
            wanted: lacking::Wanted::default(),
            touched: Touched::default(),
        }))
    }

    /// The same world, before any script has seen it, that notes which tables are read.
    pub(super) fn noting(mut self, touched: Touched) -> Self {
        if let Some(state) = Rc::get_mut(&mut self.0) {
            state.touched = touched;
        }
        self
    }

    /// Whether a node has `feature`, or may have it.
    fn has(&self, feature: Feature) -> bool {
        match self.0.version {
            Some(version) => !version.has(feature).is_no(),
            None => feature.removed().is_none(),
        }
    }

    /// The tables and the effects when the script has ended.
    pub(super) fn into_outcome(self) -> (Tables, Vec<Effect>) {
        (self.0.tables.take(), self.0.effects.take())
    }

    /// Counts `bytes` that will stay in memory after the script.
    fn charge(&self, ctx: &Ctx<'_>, bytes: usize) -> Result<()> {
        let written = self.0.written.get().saturating_add(bytes);
        self.0.written.set(written);
        if written > MOST_WRITTEN_BYTES {
            return Err(Exception::throw_range(ctx, "the script has written more than 32 MiB"));
        }
        Ok(())
    }

    fn effect(&self, ctx: &Ctx<'_>, effect: Effect) -> Result<()> {
        self.charge(ctx, 64)?;
        self.0.effects.borrow_mut().push(effect);
        Ok(())
    }
}

/// Puts `ccf` and `console` into the global object.
pub(super) fn install(ctx: &Ctx<'_>, world: &World) -> Result<()> {
    let ccf = Object::new(ctx.clone())?;
    ccf.set("kv", kv::tables(ctx, world)?)?;
    converters::install(ctx, &ccf, world)?;
    let crypto = crypto::object(ctx, world)?;
    lacking::watch(ctx, world, "ccf.crypto", &crypto)?;
    ccf.set("crypto", crypto)?;
    if world.has(Feature::ValidateConstitution) {
        let gov = gov::object(ctx, world)?;
        lacking::watch(ctx, world, "ccf.gov", &gov)?;
        ccf.set("gov", gov)?;
    }
    if world.0.access == TableAccess::ReadWrite {
        effects::install(ctx, &ccf, world)?;
    }
    lacking::watch(ctx, world, "ccf", &ccf)?;
    ctx.globals().set("ccf", ccf)?;

    let attestation = Object::new(ctx.clone())?;
    let verify = lacking::stub(ctx, world, "snp_attestation", "verifySnpAttestation")?;
    attestation.set("verifySnpAttestation", verify)?;
    ctx.globals().set("snp_attestation", attestation)?;

    // What a script prints goes to the node's log, which nobody here reads.
    let console = Object::new(ctx.clone())?;
    for name in ["log", "info", "warn", "error"] {
        console.set(name, Function::new(ctx.clone(), |_: Rest<Value<'_>>| ())?.with_name(name)?)?;
    }
    ctx.globals().set("console", console)
}

/// A function that takes between `least` and `most` arguments and refuses any other number, as CCF's functions do.
fn function<'js, F>(ctx: &Ctx<'js>, name: &str, least: usize, most: usize, body: F) -> Result<Function<'js>>
where
    F: Fn(&Ctx<'js>, &Object<'js>, &[Value<'js>]) -> Result<Value<'js>> + 'js,
{
    let wrapped = move |ctx: Ctx<'js>, this: This<Value<'js>>, arguments: Rest<Value<'js>>| -> Result<Value<'js>> {
        let count = arguments.0.len();
        if count < least || count > most {
            let expected = if most == 0 {
                "none".to_owned()
            } else if least == most {
                most.to_string()
            } else {
                format!("{least} or {most}")
            };
            let message = format!("Passed {count} arguments, but expected {expected}");
            return Err(Exception::throw_type(&ctx, &message));
        }
        let this = match this.0.into_object() {
            Some(object) => object,
            None => Object::new(ctx.clone())?,
        };
        body(&ctx, &this, &arguments.0)
    };
    Function::new(ctx.clone(), wrapped)?.with_name(name)?.with_length(if most == usize::MAX { least } else { most })
}

fn undefined<'js>(ctx: &Ctx<'js>) -> Value<'js> {
    Value::new_undefined(ctx.clone())
}

/// A copy of `bytes` in the script's own memory, where it counts against its limit.
fn buffer<'js>(ctx: &Ctx<'js>, bytes: &[u8]) -> Result<Value<'js>> {
    Ok(ArrayBuffer::new_copy(ctx.clone(), bytes)?.into_value())
}

/// The bytes of an ArrayBuffer argument; anything else is a TypeError with `message`.
fn bytes<'js>(ctx: &Ctx<'js>, value: &Value<'js>, message: &str) -> Result<Vec<u8>> {
    let refused = || Exception::throw_type(ctx, message);
    let array_buffer = ArrayBuffer::from_value(value.clone()).ok_or_else(refused)?;
    let length = array_buffer.as_raw().ok_or_else(refused)?.len();
    // As text, since reading memory that belongs to the engine would not be safe Rust.
    let view = TypedArray::<u8>::from_arraybuffer(array_buffer)?;
    let encode: Function<'js> = view.get("toBase64")?;
    let encoded: rquickjs::String<'js> = encode.call((This(view),))?;
    let bytes = STANDARD.decode(encoded.to_string()?).ok().filter(|bytes| bytes.len() == length);
    bytes.ok_or_else(|| Exception::throw_internal(ctx, "the script has replaced Uint8Array"))
}

/// The text of an argument, converted as `String(argument)` is.
///
/// CCF takes it as a C string, so it ends at the first NUL.
fn text<'js>(ctx: &Ctx<'js>, value: &Value<'js>) -> Result<String> {
    let string: rquickjs::Coerced<rquickjs::String<'js>> = value.get()?;
    let mut text = string.0.to_string().map_err(|_| {
        Exception::throw_type(ctx, "the string has an unpaired surrogate, which UTF-8 cannot represent")
    })?;
    if let Some(end) = text.find('\0') {
        text.truncate(end);
    }
    Ok(text)
}
