//! `service wait`: until a transaction is durable.

use clap::Args;
use serde::Serialize;

use crate::cli::common::Context;
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use ccf_gov::id::TransactionId;
use ccf_gov::service::TransactionStatus;

/// Wait until a transaction is committed
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 Committed; 3 Invalid or Unknown: it was lost, or never was; 6 still Pending after a minute.

Example:
  ccf-gov service wait 2.19"
)]
pub struct Wait {
    /// The transaction, VIEW.SEQNO
    #[arg(value_name = "TXID")]
    id: TransactionId,
}

/// The result as it is printed.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    transaction_id: TransactionId,
    status: TransactionStatus,
}

impl Wait {
    pub async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let status = context.connect().await?.wait_transaction(self.id).await?;
        let json = Waited { transaction_id: self.id, status };
        context.output.result(&json, || format!("{} {status:?}\n", self.id))?;
        Ok(match status.is_durable() {
            Some(true) => Exit::Done,
            Some(false) => Exit::No,
            None => Exit::Waiting,
        })
    }
}
