//! What a writer tells.

use std::time::Instant;

use axum::{Json, body::Bytes, extract::State};

use super::{Daemon, Source};
use crate::{
    error::Result,
    view::{TransactionReport, TransactionsView},
};

/// What is new in it is kept before it is taken: what the kernel refuses is tried again, by a restarted
/// daemon too. The agent stays locked, so that the file has the steps in their order.
pub(super) async fn take(
    State(daemon): State<Daemon>,
    body: Bytes,
) -> Result<Json<TransactionReport>> {
    let begun = Instant::now();
    let mut agent = daemon.agent.lock().await;
    let waited = begun.elapsed();
    let (step, named) = agent.step(&body)?;
    let read = begun.elapsed();
    let Source::Transactions(journal) = &daemon.source else {
        return agent.take_step(step, &named).map(Json);
    };
    let mut journal = journal.lock().await;
    journal.append(&step)?;
    let kept = begun.elapsed();
    let report = agent.take_step(step, &named);
    let done = begun.elapsed();
    tracing::debug!(?waited, ?read, ?kept, ?done, "a transaction");
    if journal.is_long()
        && let Err(error) = journal.rewrite(&agent.snapshot())
    {
        tracing::error!("{error}; it goes on growing");
    }
    report.map(Json)
}

pub(super) async fn show(State(daemon): State<Daemon>) -> Result<Json<TransactionsView>> {
    daemon.agent.lock().await.transactions().map(Json)
}
