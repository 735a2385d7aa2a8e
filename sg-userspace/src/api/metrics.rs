//! Metrics for Prometheus, over the daemon's socket and, if the operator wants, over TCP.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use tokio::{net::TcpListener, sync::Mutex};

use super::{
    openapi::get,
    routes::Routes,
    serve::{Limits, serve_tcp},
};
use crate::{
    agent::{Shared, beside},
    error::Result,
    events::Hub,
    metrics::{MEDIA_TYPE, exposition},
};

/// Whoever asks again so soon is given the same: a hundred scrapes cost one.
const FRESH: Duration = Duration::from_secs(1);

/// What strangers can take. They ask for one thing that is small.
const LIMITS: Limits = Limits {
    connections: 64,
    patience: Duration::from_secs(10),
};

/// What the metrics are read from, and what was read last.
#[derive(Clone)]
pub struct Metrics {
    shared: Shared,
    hub: Arc<Hub>,
    last: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Metrics {
    /// Of this agent, and of what is told one by one.
    pub fn new(shared: Shared, hub: Arc<Hub>) -> Self {
        Self {
            shared,
            hub,
            last: Arc::default(),
        }
    }

    /// The route, for the socket.
    pub fn routes(self) -> Router {
        routes().router.with_state(self)
    }

    /// Serves it over TCP, for as long as it is polled.
    pub async fn serve(self, listener: TcpListener) {
        serve_tcp(LIMITS, listener, self.routes()).await;
    }

    async fn text(&self) -> Result<String> {
        // Who comes meanwhile waits for the same.
        let mut last = self.last.lock().await;
        if let Some((at, text)) = &*last
            && at.elapsed() < FRESH
        {
            return Ok(text.clone());
        }
        let tables = self.shared.agent().await.flow_tables();
        let flows = beside(move || tables.fill()).await?;
        let read = self.shared.agent().await.sample(flows, self.hub.totals())?;
        let text = exposition(beside(read).await?);
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
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
    match metrics.text().await {
        Ok(text) => ([(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(error) => error.into_response(),
    }
}
