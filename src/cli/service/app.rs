//! `service app`: the application that runs.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::digest::sha256;
use ccf_gov::text::visible;

/// Show the application's endpoints and modules; or print one module
#[derive(Args)]
#[command(after_help = "Examples:
  ccf-gov service app
  ccf-gov service app --module /hello.js")]
pub struct App {
    /// Print this module's source
    #[arg(long, value_name = "NAME")]
    module: Option<String>,
}

impl App {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let service = context.connect().await?;
        if let Some(name) = &self.module {
            let (source, committed) = context.read(&service, async || Ok(service.module(name).await?)).await?;
            if context.output.is_json() {
                let json = json!({"name": name, "module": source, "committed": committed});
                context.output.result(&json, String::new)?;
            } else {
                context.output.bytes(source.as_bytes())?;
            }
            return Ok(Exit::Done);
        }
        let read = async || {
            let app = service.application().await?;
            let mut modules = Vec::new();
            for name in service.modules().await? {
                let digest = hex::encode(sha256(service.module(&name).await?.as_bytes()));
                modules.push((name, digest));
            }
            Ok((app, modules))
        };
        let ((app, modules), committed) = context.read(&service, read).await?;
        let list: Vec<Value> = modules.iter().map(|(name, digest)| json!({"name": name, "sha256": digest})).collect();
        let json = json!({"endpoints": app.raw.get("endpoints"), "modules": list, "committed": committed});
        context.output.result(&json, || {
            let mut text = String::new();
            for (path, methods) in app.raw.get("endpoints").and_then(Value::as_object).into_iter().flatten() {
                for (method, endpoint) in methods.as_object().into_iter().flatten() {
                    let of = |name: &str| visible(endpoint.get(name).and_then(Value::as_str).unwrap_or("?"));
                    text += &format!(
                        "{:6} {}  {} in {}\n",
                        visible(method),
                        visible(path),
                        of("js_function"),
                        of("js_module")
                    );
                }
            }
            for (name, digest) in &modules {
                text += &format!("Module {}  SHA-256 {digest}\n", visible(name));
            }
            if text.is_empty() { "No application is set.\n".into() } else { text }
        })?;
        Ok(Exit::Done)
    }
}
