//! `service app`: the application that runs.

use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::object::Read;
use ccf_gov::digest::sha256;
use ccf_gov::service::{Service, ServiceError};
use ccf_gov::text::visible;

/// Show the application's endpoints and modules; or print one module
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov service app
  ccf-gov service app --module hello.js")]
pub struct App {
    /// Print this module's source; the slash that a service puts before a module's name may be left out
    #[arg(long, value_name = "NAME")]
    module: Option<String>,
}

/// The application as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shown<'a> {
    /// Named as in a bundle; null if no application is set.
    endpoints: Option<&'a Value>,
    modules: &'a [Module],
    #[serde(flatten)]
    read: Read,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Module {
    name: String,
    sha256: String,
}

/// One module as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source<'a> {
    name: &'a str,
    module: &'a str,
    #[serde(flatten)]
    read: Read,
}

impl App {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        if let Some(name) = &self.module {
            return module(context, &service, name).await;
        }
        let read = async || {
            let app = service.application().await?;
            let mut modules = Vec::new();
            for name in service.modules().await? {
                let sha256 = hex::encode(sha256(service.module(&name).await?.as_bytes()));
                modules.push(Module { name, sha256 });
            }
            Ok((app, modules))
        };
        let settled = context.settled(&service, read).await?;
        let (app, modules) = &settled.value;
        let endpoints = app.raw.get("endpoints");
        let read = Read { committed: settled.committed, transaction_id: app.transaction };
        context.output.result(&Shown { endpoints, modules, read }, || human(endpoints, modules))?;
        Ok(Exit::Done)
    }
}

/// Prints the module of this name, with or without the slash.
async fn module(context: &Context, service: &Service, given: &str) -> Result<Exit, CliError> {
    let other = given.strip_prefix('/').map_or_else(|| format!("/{given}"), str::to_owned);
    let names = [given.to_owned(), other];
    let read = async || {
        for name in &names {
            match service.module(name).await {
                Ok(source) => return Ok(Some((name.clone(), source))),
                Err(ServiceError::Refused(refusal)) if refusal.status == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    };
    let settled = context.settled(service, read).await?;
    let Some((name, source)) = &settled.value else {
        let known: Vec<String> = service.modules().await?.iter().take(20).map(|name| visible(name)).collect();
        let hint =
            if known.is_empty() { "no application is set".into() } else { format!("it has {}", known.join(", ")) };
        let message = format!("the application has no module {}", visible(given));
        return Err(CliError::refused(message).hint(hint));
    };
    if context.output.is_json() {
        let read = Read { committed: settled.committed, transaction_id: settled.transaction };
        context.output.result(&Source { name, module: source, read }, String::new)?;
    } else {
        context.output.bytes(source.as_bytes())?;
    }
    Ok(Exit::Done)
}

fn human(endpoints: Option<&Value>, modules: &[Module]) -> String {
    let mut text = String::new();
    for (path, methods) in endpoints.and_then(Value::as_object).into_iter().flatten() {
        for (method, endpoint) in methods.as_object().into_iter().flatten() {
            let of = |name: &str| visible(endpoint.get(name).and_then(Value::as_str).unwrap_or("?"));
            let (method, path) = (visible(method), visible(path));
            text += &format!("{method:6} {path}  {} in {}\n", of("js_function"), of("js_module"));
        }
    }
    for Module { name, sha256 } in modules {
        text += &format!("Module {}  SHA-256 {sha256}\n", visible(name));
    }
    if text.is_empty() { "No application is set.\n".into() } else { text }
}
