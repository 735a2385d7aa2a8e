//! What a writer tells.

use std::sync::Arc;

use axum::{Json, body::Bytes, extract::State};
use tokio::sync::Mutex;

use super::{Daemon, Source};
use crate::{
    agent::{Change, beside},
    error::Result,
    store::Journal,
    view::{TransactionReport, TransactionsView},
};

pub(super) async fn take(
    State(daemon): State<Daemon>,
    body: Bytes,
) -> Result<Json<TransactionReport>> {
    let Daemon { shared, source, .. } = daemon;
    let report = shared.change(|change| async move {
        let Source::Transactions(journal) = source else {
            return change.transaction(body, |_| Ok(())).await;
        };
        let kept = journal.clone();
        let keep = move |step: &_| kept.blocking_lock().append(step);
        let report = change.transaction(body, keep).await;
        tidy(&change, journal).await;
        report
    });
    report.await.map(Json)
}

/// Writes the journal anew when it has become long.
async fn tidy(change: &Change, journal: Arc<Mutex<Journal>>) {
    let Ok(basis) = change.basis().await else {
        return;
    };
    let tidied = beside(move || {
        let mut journal = journal.blocking_lock();
        match journal.is_long() {
            true => journal.rewrite(&basis.snapshot()),
            false => Ok(()),
        }
    });
    if let Err(error) = tidied.await {
        tracing::error!("{error}; it goes on growing");
    }
}

pub(super) async fn show(State(daemon): State<Daemon>) -> Result<Json<TransactionsView>> {
    daemon.shared.agent().await.transactions().map(Json)
}
