//! An application's endpoint, run for a service in this process: one module, reading only.

use rquickjs::{Function, Value};

use super::engine::{ScriptError, Stage};
use super::globals::{self, TableAccess, World};
use super::script;
use crate::kv::Tables;

/// Builds a request and reads an answer, both as JSON: bodies are text here.
const ADAPTER: &str = r#"(run, text) => {
  const request = JSON.parse(text);
  const body = request.body;
  request.body = { text: () => body, json: () => JSON.parse(body), arrayBuffer: () => ccf.strToBuf(body) };
  const answer = run(request) ?? {};
  const { body: content, statusCode, headers } = answer;
  const raw = content instanceof ArrayBuffer;
  const kind = content === undefined ? "none" : raw || typeof content === "string" ? "text" : "json";
  return JSON.stringify({ kind, statusCode, headers, body: raw ? ccf.bufToStr(content) : content });
}"#;

/// Calls `function` of the module `source` with a request, as JSON `{headers, query, path, params, body}` where the
/// body is text. The answer is JSON `{kind: none|text|json, statusCode?, headers?, body?}`.
pub fn call_endpoint(
    tables: &Tables,
    module: &str,
    source: &str,
    function: &str,
    request: &str,
) -> Result<String, ScriptError> {
    let (tables, request) = (tables.clone(), request.to_owned());
    let (module, source, name) = (module.to_owned(), source.to_owned(), function.to_owned());
    script::run(None, move |_, deadline| {
        let world = World::new(tables, TableAccess::ReadOnly, Box::new(|_| None), deadline, None);
        script::with_engine(deadline, |ctx| {
            let broken = |error: rquickjs::Error| ScriptError::new(Stage::Load, error.to_string());
            globals::install(ctx, &world).map_err(broken)?;
            let function = script::exported_function(ctx, deadline, &module, &source, &name)?;
            let adapter: Function<'_> = ctx.eval(ADAPTER).map_err(broken)?;
            let answer: Value<'_> = script::call(ctx, deadline, &adapter, (function, request))?;
            script::text(ctx, &answer).ok_or_else(|| ScriptError::new(Stage::Answer, "the answer is not JSON"))
        })
    })
}
