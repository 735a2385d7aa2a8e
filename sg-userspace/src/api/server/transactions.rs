//! What a writer tells.

use axum::{Json, body::Bytes, extract::State};

use super::{Daemon, Source};
use crate::{
    error::Result,
    view::{TransactionReport, TransactionsView},
};

pub(super) async fn take(
    State(daemon): State<Daemon>,
    body: Bytes,
) -> Result<Json<TransactionReport>> {
    let Daemon { shared, source, .. } = daemon;
    let report = shared.change(|change| async move {
        match source {
            Source::Transactions(journal) => change.kept_transaction(body, journal).await,
            Source::Inventory(_) | Source::Etcd => {
                change.agent().await.check_takes_transactions()?;
                change.transaction(body, |_| Ok(())).await
            }
        }
    });
    report.await.map(Json)
}

pub(super) async fn show(State(daemon): State<Daemon>) -> Result<Json<TransactionsView>> {
    daemon.shared.agent().await.transactions().map(Json)
}
