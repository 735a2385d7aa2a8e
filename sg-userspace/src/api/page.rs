//! A page for operators, on the port of the metrics: what the ports do, why a packet would fall, what falls now.
//!
//! Nobody knows who asks there, so all of it only reads, and it is told to this node alone: [`door`] lets in
//! whoever asks by a name of the loopback, and no other page that a browser has open. What others chose is escaped
//! before it is sent.

mod door;
mod drops;
mod ports;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::header::CONTENT_TYPE,
    middleware,
    response::{IntoResponse, Response},
    routing::{MethodRouter, get},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tokio::sync::Semaphore;

use super::{
    fresh::Fresh,
    server::{Asked, Named, port_detail, status_of},
};
use crate::{
    agent::{Gatherer, Shared, beside},
    error::{Error, Result},
    events::Hub,
    host,
    packet::PacketArgs,
    plain::plain_answer,
    view::{ExplainRequest, Way},
};

/// Pages that follow what falls, at once: the kernel tells for each of them.
const READERS: usize = 8;

/// Questions that are answered at once: each reads tables of the kernel.
const QUESTIONS: usize = 2;

/// One file for browsers.
const SCRIPT: &str = concat!(
    include_str!("page/script/elements.js"),
    include_str!("page/script/readings.js"),
    include_str!("page/script/ports.js"),
    include_str!("page/script/port.js"),
    include_str!("page/script/explain.js"),
    include_str!("page/script/drops.js"),
    include_str!("page/script/views.js"),
);

/// What the page is read from.
#[derive(Clone)]
pub struct Page {
    shared: Shared,
    gatherer: Gatherer,
    hub: Arc<Hub>,
    last: Fresh,
    readers: Arc<Semaphore>,
    questions: Arc<Semaphore>,
}

impl Page {
    /// Of this agent, of what its rules have permitted, and of what is told one by one.
    pub fn new(shared: Shared, gatherer: Gatherer, hub: Arc<Hub>) -> Self {
        Self {
            shared,
            gatherer,
            hub,
            last: Fresh::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            questions: Arc::new(Semaphore::new(QUESTIONS)),
        }
    }

    /// The routes, for whoever reaches this port of the loopback.
    pub(super) fn routes(self, port: u16) -> Router {
        let html = file("text/html", include_str!("page/index.html"));
        let style = file("text/css", include_str!("page/style.css"));
        let script = file("text/javascript", SCRIPT);
        let icon = file("image/svg+xml", include_str!("page/icon.svg"));
        Router::new()
            .route("/", html)
            .route("/page/style.css", style)
            .route("/page/script.js", script)
            .route("/page/icon.svg", icon)
            .route("/page/ports", get(ports_of))
            .route("/page/ports/{port}", get(port_of))
            .route("/page/explain", get(explain))
            .route("/page/drops", get(drops::drops))
            .layer(middleware::from_fn_with_state(port, door::keep))
            .with_state(self)
    }

    /// Has a question answered when there is room.
    async fn answer<T>(&self, question: impl Future<Output = Result<T>>) -> Result<T> {
        // It is never closed.
        let _permit = self.questions.acquire().await.ok();
        question.await
    }
}

fn file(kind: &'static str, text: &'static str) -> MethodRouter<Page> {
    let media_type = format!("{kind}; charset=utf-8");
    get(move || async move { ([(CONTENT_TYPE, media_type)], text) })
}

/// The ports, with what was counted of each.
async fn ports_of(State(page): State<Page>) -> Response {
    let read = async {
        let sampler = page.shared.agent().await.sampler()?;
        let sample = beside(move || sampler.read()).await?;
        Ok(json(ports::rows(host::name(), sample)))
    };
    match page.last.or(read).await {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => refused(error),
    }
}

/// A port with its filter.
async fn port_of(State(page): State<Page>, named: Named) -> Response {
    let detail = async {
        let Path(port) = named?;
        let detail = port_detail(&page.shared, &page.gatherer, &port);
        page.answer(detail).await
    };
    shown(detail.await)
}

/// A packet in the words of `sgctl explain`.
#[derive(Deserialize)]
struct Typed {
    port: String,
    direction: Way,
    words: String,
}

/// The walk of a packet through a port's filter.
async fn explain(State(page): State<Page>, typed: Asked<Typed>) -> Response {
    let walk = async {
        let Query(typed) = typed?;
        let args = PacketArgs::read(&typed.words);
        let words = args.and_then(|args| args.parse());
        let request = ExplainRequest {
            port: typed.port,
            direction: typed.direction,
            packet: Some(words.map_err(|error| Error::Usage(error.to_string()))?),
            frame: None,
        };
        let explain = async { page.shared.agent().await.explain(&request) };
        page.answer(explain).await
    };
    shown(walk.await)
}

/// An answer as people may see it.
fn shown<T: Serialize + DeserializeOwned + Clone>(answer: Result<T>) -> Response {
    match answer {
        Ok(answer) => Json(plain(answer)).into_response(),
        Err(error) => refused(error),
    }
}

fn refused(error: Error) -> Response {
    (status_of(&error), Json(plain(error.view()))).into_response()
}

fn plain<T: Serialize + DeserializeOwned + Clone>(answer: T) -> T {
    // Every answer has a JSON form.
    plain_answer(&answer).ok().flatten().unwrap_or(answer)
}

fn json<T: Serialize + DeserializeOwned + Clone>(answer: T) -> String {
    serde_json::to_string(&plain(answer)).unwrap_or_default()
}
