//! The routes of connections. The agent hands out what does the work, and is free again before it begins.

use std::ops::ControlFlow;

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Path, Query, State},
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{sync::mpsc, task};

use super::{Asked, Daemon, Named, Which};
use crate::{
    agent::beside,
    error::{Error, Result},
    flows::{FlowDocument, FlowFilter},
    view::{DeleteRequest, FlowView, ImportReport},
};

/// Pages that wait for the reader of the answer; then the walk waits too.
const PAGES: usize = 2;

/// Where the parts of an answer go.
type Pages = mpsc::Sender<Result<Bytes>>;

/// Sees a page of connections, and says whether to go on.
type Show<'a> = dyn FnMut(Vec<FlowView>) -> ControlFlow<()> + 'a;

/// A list that is written while the tables are walked: however many connections there are, only some pages
/// of them are in memory.
pub async fn list(State(daemon): State<Daemon>, filter: Asked<FlowFilter>) -> Result<Response> {
    let Query(filter) = filter?;
    let reader = daemon.shared.agent().await.flows(filter)?;
    Ok(answer(move |pages| write(pages, |show| reader.views(show))))
}

/// The connections that are deleted, or would be, as [`list`] writes them. They are deleted while their
/// list is read: who stops reading stops it.
pub async fn delete(State(daemon): State<Daemon>, body: Bytes) -> Result<Response> {
    let DeleteRequest {
        filter,
        all,
        dry_run,
    } = serde_json::from_slice(&body)
        .map_err(|error| Error::Usage(format!("the request is not understood: {error}")))?;
    if filter.is_everything() && !all {
        return Err(Error::Usage(
            "no filter is given, which means every connection of the node; if that is meant, say so \
             with --all"
                .into(),
        ));
    }
    let reader = daemon.shared.agent().await.flows(filter)?;
    Ok(answer(move |pages| {
        if dry_run {
            return write(pages, |show| reader.views(show));
        }
        let mut deleted = 0;
        write(pages, |show| {
            reader.delete(|views| {
                deleted += views.len();
                show(views)
            })
        });
        tracing::info!(deleted, "deleted connections on request");
    }))
}

pub async fn export(State(daemon): State<Daemon>, named: Named) -> Result<Json<FlowDocument>> {
    let Path(port) = named?;
    let filter = FlowFilter {
        port: Some(port),
        ..FlowFilter::default()
    };
    let reader = daemon.shared.agent().await.flows(filter)?;
    beside(move || reader.export()).await.map(Json)
}

pub async fn import(
    State(daemon): State<Daemon>,
    which: Asked<Which>,
    body: Bytes,
) -> Result<Json<ImportReport>> {
    let Query(Which { port }) = which?;
    let document =
        beside(move || FlowDocument::parse(&body).map_err(Error::MalformedFlows)).await?;
    let import = daemon
        .shared
        .change(|change| async move { change.import(document, port.as_deref()).await });
    let import = import.await?;
    let report = beside(move || import.run()).await?;
    tracing::info!(
        port = %report.port,
        imported = report.imported,
        existing = report.existing,
        expired = report.expired,
        refused = report.refused.len(),
        "took over connections"
    );
    Ok(Json(report))
}

/// An answer that is written beside the tasks that wait for events, and while it is read.
fn answer(write: impl FnOnce(&Pages) + Send + 'static) -> Response {
    let (pages, mut written) = mpsc::channel(PAGES);
    task::spawn_blocking(move || write(&pages));
    let body = Body::from_stream(stream::poll_fn(move |context| written.poll_recv(context)));
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// Writes a JSON list, page by page. An error ends the answer before its end, which its reader cannot
/// take for the whole; so does a reader that has gone.
fn write(pages: &Pages, walk: impl FnOnce(&mut Show<'_>) -> Result<()>) {
    let mut first = true;
    let done = walk(&mut |views| {
        let page = text(&views, &mut first);
        match pages.blocking_send(Ok(page.into())) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    let end = match done {
        Ok(()) if first => Ok(Bytes::from_static(b"[]")),
        Ok(()) => Ok(Bytes::from_static(b"]")),
        Err(error) => Err(error),
    };
    let _ = pages.blocking_send(end);
}

fn text(views: &[FlowView], first: &mut bool) -> Vec<u8> {
    let mut text = Vec::new();
    for view in views {
        text.push(if *first { b'[' } else { b',' });
        *first = false;
        // A view is strings and numbers: it has a JSON form, and memory takes it.
        let _ = serde_json::to_writer(&mut text, view);
    }
    text
}
