//! What is served over TCP, where nobody knows who asks: metrics, and a page for people on the node itself.

use std::time::Duration;

use axum::{Json, Router, http::StatusCode};
use tokio::net::TcpListener;

use super::{
    metrics::Metrics,
    page::Page,
    serve::{Limits, serve_tcp},
};
use crate::view::ErrorView;

/// What strangers can take. They ask for what is small.
const LIMITS: Limits = Limits {
    connections: 64,
    patience: Duration::from_secs(10),
};

/// Serves metrics, and the page if there is one, for as long as it is polled.
pub async fn serve_open(listener: TcpListener, metrics: Metrics, page: Option<Page>) {
    let port = listener.local_addr().map_or(0, |address| address.port());
    serve_tcp(LIMITS, listener, routes(metrics, page, port)).await;
}

/// The routes. Nothing else is there, and nothing that changes anything.
pub(super) fn routes(metrics: Metrics, page: Option<Page>, port: u16) -> Router {
    let page = page.map(|page| page.routes(port)).unwrap_or_default();
    let routes = metrics.routes().merge(page);
    routes
        .fallback(unknown)
        .method_not_allowed_fallback(only_read)
}

async fn unknown() -> (StatusCode, Json<ErrorView>) {
    let view = ErrorView::new("there is nothing here")
        .hint("the interface is at the daemon's socket, for sgctl");
    (StatusCode::NOT_FOUND, Json(view))
}

async fn only_read() -> (StatusCode, Json<ErrorView>) {
    let view = ErrorView::new("what is here can only be read")
        .hint("orders are given at the daemon's socket, with sgctl");
    (StatusCode::METHOD_NOT_ALLOWED, Json(view))
}
