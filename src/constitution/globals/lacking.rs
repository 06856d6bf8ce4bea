//! What CCF has and this engine lacks: a script that needs it fails for that reason, and for no other.

use std::cell::RefCell;

use rquickjs::proxy::{Proxy, ProxyHandler, ProxyProperty, ProxyReceiver, ProxyTarget};
use rquickjs::{Ctx, Exception, Function, IntoJs, Object, Result, Value};

use super::{World, function, undefined};

/// How many names that a script asked for in vain are remembered.
const MOST_NAMES: usize = 8;
/// The longest name that is remembered.
const LONGEST_NAME: usize = 80;

/// What this engine knows of: where it is not there, it would not be there on a node either.
const KNOWN: [&str; 11] = [
    "ccf.gov",
    "ccf.gov.validateConstitution",
    "ccf.network",
    "ccf.node",
    "ccf.node.shuffleSealedShares",
    "ccf.node.triggerACMERefresh",
    "ccf.crypto.isValidX509RootCACert",
    "ccf.refreshAppBytecodeCache",
    "ccf.removeJwtPublicSigningKeys",
    "ccf.setJwtPublicSigningKeys",
    "ccf.tcbHexToPolicy",
];

/// What a script wanted of CCF and this engine could not give.
#[derive(Default)]
pub(super) struct Wanted {
    /// Something that CCF has and this engine lacks was called.
    called: RefCell<Option<String>>,
    /// Members that were read and are not there: in a test for them, or by accident.
    read: RefCell<Vec<String>>,
}

impl World {
    /// The name of what was called and is lacking here, if anything was.
    pub(in crate::constitution) fn lacking(&self) -> Option<String> {
        self.0.wanted.called.borrow().clone()
    }

    /// The names of members that were read and are not there, if `complaint` is what calling one of them gives.
    pub(in crate::constitution) fn missing(&self, complaint: &str) -> Option<String> {
        let read = self.0.wanted.read.borrow();
        let fits = complaint.contains("not a function") || complaint.contains("of undefined");
        (fits && !read.is_empty()).then(|| read.join(", "))
    }

    /// Says that `name` is lacking here, whatever the script makes of it.
    pub(super) fn lack(&self, ctx: &Ctx<'_>, name: &str) -> rquickjs::Error {
        self.0.wanted.called.borrow_mut().get_or_insert_with(|| name.to_owned());
        Exception::throw_internal(ctx, &format!("this engine does not have {name}"))
    }

    fn note(&self, name: String) {
        let mut read = self.0.wanted.read.borrow_mut();
        let known = KNOWN.contains(&name.as_str()) || read.contains(&name);
        if !known && read.len() < MOST_NAMES && name.len() <= LONGEST_NAME {
            read.push(name);
        }
    }
}

/// A function that CCF has and this engine lacks.
pub(super) fn stub<'js>(ctx: &Ctx<'js>, world: &World, path: &str, name: &str) -> Result<Function<'js>> {
    let (world, full) = (world.clone(), format!("{path}.{name}"));
    function(ctx, name, 0, usize::MAX, move |ctx, _, _| Err(world.lack(ctx, &full)))
}

/// Has the members that are read of `object`, named `path`, and are not there, noted. They are undefined nevertheless, and `in` does
/// not find them.
pub(super) fn watch<'js>(ctx: &Ctx<'js>, world: &World, path: &'static str, object: &Object<'js>) -> Result<()> {
    let world = world.clone();
    let get = move |target: ProxyTarget<'js>, name: ProxyProperty<'js>, _: ProxyReceiver<'js>| -> Result<Value<'js>> {
        let ctx = target.0.ctx().clone();
        if name.is_symbol() {
            return Ok(undefined(&ctx));
        }
        let name = name.to_string()?;
        let inherited: Value<'js> = target.0.get(&*name)?;
        if inherited.is_undefined() {
            world.note(format!("{path}.{name}"));
        }
        Ok(inherited)
    };
    // The engine looks here for what the object itself does not have.
    let handler = ProxyHandler::new(ctx.clone())?.with_getter(get)?;
    let prototype = Proxy::new(ctx.clone(), Object::new(ctx.clone())?, handler)?;
    object.set_prototype(prototype.into_js(ctx)?.as_object())
}
