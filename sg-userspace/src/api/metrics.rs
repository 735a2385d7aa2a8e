//! Metrics for Prometheus.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};

use super::{fresh::Fresh, openapi::get, routes::Routes};
use crate::{
    agent::{Shared, beside},
    error::Result,
    events::Hub,
    metrics::{MEDIA_TYPE, exposition},
};

/// What the metrics are read from, and what was read last.
#[derive(Clone)]
pub struct Metrics {
    shared: Shared,
    hub: Arc<Hub>,
    last: Fresh,
}

impl Metrics {
    /// Of this agent, and of what is told one by one.
    pub fn new(shared: Shared, hub: Arc<Hub>) -> Self {
        Self {
            shared,
            hub,
            last: Fresh::default(),
        }
    }

    /// The route, for the socket.
    pub fn routes(self) -> Router {
        routes().router.with_state(self)
    }

    async fn read(&self) -> Result<String> {
        let tables = self.shared.agent().await.flow_tables();
        let flows = beside(move || tables.fill()).await?;
        let read = self.shared.agent().await.sample(flows, self.hub.totals())?;
        Ok(exposition(beside(read).await?))
    }
}

/// The route, described.
pub(super) fn routes() -> Routes<Metrics> {
    Routes::new().with(
        get(
            "/metrics",
            "Tells metrics in the text format of OpenMetrics.",
        )
        .answers_text(MEDIA_TYPE)
        .refuses(&[500]),
        metrics,
    )
}

async fn metrics(State(metrics): State<Metrics>) -> Response {
    match metrics.last.or(metrics.read()).await {
        Ok(text) => ([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => error.into_response(),
    }
}
