//! The daemon's side of the interface: each route is one call of the agent.

mod adopt;
mod flows;
mod transactions;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{
    agent::{Shared, beside},
    error::{Error, Result},
    flows::FlowFilter,
    store::{Journal, Store},
    view::{
        ApplyReport, ErrorView, ExplainRequest, ExplainView, GroupView, PortCounters, PortDetail,
        PortView, SettingsView, StatusView,
    },
};

/// A hundred thousand ports with their groups are well below this.
const LARGEST_INVENTORY: usize = 512 << 20;

/// What the routes work on.
#[derive(Clone)]
struct Daemon {
    shared: Shared,
    source: Source,
}

/// Where what is to be enforced is kept.
#[derive(Clone)]
pub enum Source {
    /// In a file that holds a whole inventory.
    Inventory(Store),
    /// In a file of what transactions have told.
    Transactions(Arc<Mutex<Journal>>),
}

/// Every route of the interface.
pub fn router(shared: Shared, source: Source) -> Router {
    Router::new()
        .route("/v1/inventory", put(inventory))
        .route(
            "/v1/transactions",
            get(transactions::show).post(transactions::take),
        )
        .route("/v1/status", get(status))
        .route("/v1/settings", get(settings))
        .route("/v1/ports", get(ports))
        .route("/v1/ports/{port}", get(port))
        .route("/v1/groups", get(groups))
        .route(
            "/v1/flows",
            get(flows::list).delete(flows::delete).post(flows::import),
        )
        .route("/v1/ports/{port}/flows", get(flows::export))
        .route("/v1/adoptions", post(adopt::adopt))
        .route("/v1/counters", get(counters))
        .route("/v1/explain", post(explain))
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(LARGEST_INVENTORY))
        .with_state(Daemon { shared, source })
}

async fn inventory(State(daemon): State<Daemon>, body: Bytes) -> Result<Json<ApplyReport>> {
    let Daemon { shared, source } = daemon;
    let keep = move |document: &[u8]| match source {
        Source::Inventory(store) => store.replace(document),
        Source::Transactions(_) => Ok(()),
    };
    let report = shared.change(|change| async move { change.document(body, keep).await });
    report.await.map(Json)
}

async fn settings(State(daemon): State<Daemon>) -> Result<Json<SettingsView>> {
    daemon.shared.agent().await.settings().map(Json)
}

/// Counts the connections beside the agent.
async fn status(State(daemon): State<Daemon>) -> Result<Json<StatusView>> {
    let tables = daemon.shared.agent().await.flow_tables();
    let flows = beside(move || tables.fill()).await?;
    daemon.shared.agent().await.status(flows).map(Json)
}

async fn ports(State(daemon): State<Daemon>) -> Json<Vec<PortView>> {
    let mut agent = daemon.shared.agent().await;
    agent.look();
    Json(agent.ports())
}

/// Reads the port's connections beside the agent.
async fn port(State(daemon): State<Daemon>, Path(port): Path<String>) -> Result<Json<PortDetail>> {
    let filter = FlowFilter {
        port: Some(port.clone()),
        ..FlowFilter::default()
    };
    let reader = daemon.shared.agent().await.flows(filter)?;
    let flows = beside(move || reader.all()).await?;
    daemon.shared.agent().await.port(&port, &flows).map(Json)
}

async fn groups(State(daemon): State<Daemon>) -> Json<Vec<GroupView>> {
    Json(daemon.shared.agent().await.groups())
}

#[derive(Deserialize)]
struct Which {
    port: Option<String>,
}

async fn counters(
    State(daemon): State<Daemon>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<PortCounters>>> {
    let mut agent = daemon.shared.agent().await;
    agent.counters(which.port.as_deref()).map(Json)
}

async fn explain(State(daemon): State<Daemon>, body: Bytes) -> Result<Json<ExplainView>> {
    let request: ExplainRequest = serde_json::from_slice(&body)
        .map_err(|error| Error::Usage(format!("the request is not understood: {error}")))?;
    daemon.shared.agent().await.explain(&request).map(Json)
}

async fn unknown() -> (StatusCode, Json<ErrorView>) {
    let view = ErrorView::new("this daemon has no such route")
        .hint("use the sgctl that belongs to the running sgd");
    (StatusCode::NOT_IMPLEMENTED, Json(view))
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::Malformed(_)
            | Self::MalformedTransaction(_)
            | Self::MalformedFlows(_)
            | Self::Settings { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Usage(_) => StatusCode::BAD_REQUEST,
            Self::NoSuchPort(_) | Self::AmbiguousPort { .. } => StatusCode::NOT_FOUND,
            Self::PortPending(_) | Self::NoSlot(_) | Self::Conflict(_) | Self::OtherSource(_) => {
                StatusCode::CONFLICT
            }
            Self::Unreachable { .. }
            | Self::Host(_)
            | Self::File { .. }
            | Self::State { .. }
            | Self::System { .. }
            | Self::Datapath(_)
            | Self::Answered { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(self.view())).into_response()
    }
}
