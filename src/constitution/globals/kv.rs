//! `ccf.kv`: the tables. `ccf.kv[name]` is a handle that behaves like a Map of ArrayBuffers.

use rquickjs::object::Accessor;
use rquickjs::proxy::{Proxy, ProxyHandler, ProxyProperty, ProxyReceiver, ProxyTarget};
use rquickjs::{Ctx, Exception, Object, Result, Value};

use super::{TableAccess, World, buffer, bytes, function, undefined};

const NOT_A_BUFFER: &str = "Argument must be an ArrayBuffer";

/// The object whose every property is a table.
pub(super) fn tables<'js>(ctx: &Ctx<'js>, world: &World) -> Result<Proxy<'js>> {
    let world = world.clone();
    let get = move |target: ProxyTarget<'js>, name: ProxyProperty<'js>, _: ProxyReceiver<'js>| {
        let ctx = target.0.ctx().clone();
        if name.is_symbol() {
            return Ok(undefined(&ctx));
        }
        handle(&ctx, &world, &name.to_string()?).map(Object::into_value)
    };
    let handler = ProxyHandler::new(ctx.clone())?.with_getter(get)?.with_has(|_, _| Ok(true))?;
    Proxy::new(ctx.clone(), Object::new(ctx.clone())?, handler)
}

/// What a script may do with a table.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Permission {
    read: bool,
    write: bool,
}

/// CCF's rules for governance: its own tables are read, and written while applying; the service's internal ones are
/// read; an application's public tables can be written while applying, never read; private ones are out of reach.
fn permission(name: &str, access: TableAccess) -> Permission {
    let applying = access == TableAccess::ReadWrite;
    let Some(public) = name.strip_prefix("public:") else {
        return Permission { read: false, write: false };
    };
    if public.starts_with("ccf.gov.") {
        Permission { read: true, write: applying }
    } else if public.starts_with("ccf.internal.") {
        Permission { read: true, write: false }
    } else {
        Permission { read: false, write: applying }
    }
}

fn explain(permission: Permission, access: TableAccess) -> String {
    let kind = match (permission.read, permission.write) {
        (true, _) => "read-only",
        (false, true) => "write-only",
        (false, false) => "inaccessible",
    };
    let context = match access {
        TableAccess::ReadOnly => "read-only governance",
        TableAccess::ReadWrite => "read-write governance",
    };
    format!("This table is {kind} in current ({context}) execution context.")
}

fn handle<'js>(ctx: &Ctx<'js>, world: &World, name: &str) -> Result<Object<'js>> {
    let handle = Object::new(ctx.clone())?;
    let access = world.0.access;
    let allowed = permission(name, access);
    let explanation = explain(allowed, access);
    handle.set("_map_name", name)?;

    let method = |method: &'static str, arity: usize, permitted: bool, body: Method| -> Result<()> {
        let (world, table) = (world.clone(), name.to_owned());
        let denied = format!("Cannot call {method} on table named {name}. {explanation}");
        let function = if permitted {
            function(ctx, method, arity, arity, move |ctx, this, arguments| {
                world.0.touched.note(&table, method == "getVersionOfPreviousWrite");
                body(&Call { ctx, world: &world, table: &table, this, arguments })
            })?
        } else {
            function(ctx, method, 0, usize::MAX, move |ctx, _, _| Err(Exception::throw_type(ctx, &denied)))?
        };
        handle.set(method, function)
    };
    method("has", 1, allowed.read, has)?;
    method("get", 1, allowed.read, get)?;
    method("forEach", 1, allowed.read, for_each)?;
    method("getVersionOfPreviousWrite", 1, allowed.read, version_of_previous_write)?;
    method("set", 2, allowed.write, set)?;
    method("delete", 1, allowed.write, delete)?;
    method("clear", 0, allowed.write, clear)?;

    let (world, table) = (world.clone(), name.to_owned());
    let denied = format!("Cannot call size on table named {name}. {explanation}");
    let size = move |ctx: Ctx<'js>| {
        if allowed.read {
            world.0.touched.note(&table, false);
            Ok(world.0.tables.borrow().len(&table))
        } else {
            Err(Exception::throw_type(&ctx, &denied))
        }
    };
    handle.prop("size", Accessor::new_get(size))?;
    Ok(handle)
}

/// A call of a table's method.
struct Call<'a, 'js> {
    ctx: &'a Ctx<'js>,
    world: &'a World,
    table: &'a str,
    this: &'a Object<'js>,
    arguments: &'a [Value<'js>],
}

type Method = for<'js> fn(&Call<'_, 'js>) -> Result<Value<'js>>;

fn has<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, arguments, .. } = *call;
    let key = bytes(ctx, &arguments[0], NOT_A_BUFFER)?;
    Ok(Value::new_bool(ctx.clone(), world.0.tables.borrow().has(table, &key)))
}

fn get<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, arguments, .. } = *call;
    let key = bytes(ctx, &arguments[0], NOT_A_BUFFER)?;
    match world.0.tables.borrow().get(table, &key) {
        Some(value) => buffer(ctx, value),
        None => Ok(undefined(ctx)),
    }
}

fn version_of_previous_write<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, arguments, .. } = *call;
    let key = bytes(ctx, &arguments[0], NOT_A_BUFFER)?;
    // What this script itself wrote has no version yet.
    match world.0.before.version_of_previous_write(table, &key) {
        Some(version) => Ok(Value::new_number(ctx.clone(), version as f64)),
        None => Ok(undefined(ctx)),
    }
}

/// The callback sees the table as it was when the walk began, and may write to it.
fn for_each<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, this, arguments } = *call;
    let Some(callback) = arguments[0].as_function() else {
        return Err(Exception::throw_type(ctx, "Argument must be a function"));
    };
    let snapshot = world.0.tables.borrow().clone();
    for (key, value) in snapshot.iter(table) {
        callback.call::<_, Value<'js>>((buffer(ctx, value)?, buffer(ctx, key)?, this.clone()))?;
    }
    Ok(undefined(ctx))
}

fn set<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, this, arguments } = *call;
    let refused = "Arguments must be ArrayBuffers";
    let key = bytes(ctx, &arguments[0], refused)?;
    let value = bytes(ctx, &arguments[1], refused)?;
    world.charge(ctx, table.len() + key.len() + value.len())?;
    world.0.tables.borrow_mut().put(table, &key, value);
    Ok(this.clone().into_value())
}

fn delete<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, arguments, .. } = *call;
    let key = bytes(ctx, &arguments[0], NOT_A_BUFFER)?;
    world.0.tables.borrow_mut().remove(table, &key);
    Ok(undefined(ctx))
}

fn clear<'js>(call: &Call<'_, 'js>) -> Result<Value<'js>> {
    let Call { ctx, world, table, .. } = *call;
    world.0.tables.borrow_mut().clear(table);
    Ok(undefined(ctx))
}
