//! The daemon's side of the interface: each route is one call of the agent.

mod adopt;
mod flows;
mod transactions;
mod usage;

use std::sync::Arc;

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Path, Query, State,
        rejection::{PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::{
    events, metrics,
    openapi::{self, delete, get, post, put},
    routes::Routes,
};
use crate::{
    agent::{Gatherer, Scope, Shared, beside},
    error::{Error, Result},
    flows::{FlowDocument, FlowFilter},
    model::Transaction,
    store::{Journal, Store},
    view::{
        AdoptReport, AdoptRequest, ApplyReport, DeleteRequest, DiffView, ErrorView, ExplainRequest,
        ExplainView, FlowView, GroupView, ImportReport, PortCounters, PortDetail, PortView,
        SampleView, SettingsView, StatusView, TransactionReport, TransactionsView, UsageView,
    },
};

/// A hundred thousand ports with their groups are well below this.
pub(super) const LARGEST_BODY: usize = 512 << 20;

/// What the routes work on.
#[derive(Clone)]
struct Daemon {
    shared: Shared,
    source: Source,
    gatherer: Gatherer,
}

/// Where what is to be enforced is kept.
#[derive(Clone)]
pub enum Source {
    /// In a file that holds a whole inventory.
    Inventory(Store),
    /// In a file of what transactions have told.
    Transactions(Arc<Mutex<Journal>>),
    /// In a store that many nodes follow.
    Etcd,
}

/// Every route of the interface but that of events.
pub fn router(shared: Shared, source: Source, gatherer: Gatherer) -> Router {
    routes()
        .router
        .fallback(unknown)
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Daemon {
            shared,
            source,
            gatherer,
        })
}

fn routes() -> Routes<Daemon> {
    Routes::new()
        .with(
            get("/v1/openapi.json", "Describes this interface."),
            description,
        )
        .with(
            put("/v1/inventory", "Replaces the inventory.")
                .takes::<InventoryDocument>()
                .answers::<ApplyReport>()
                .refuses(&[409, 422, 500]),
            inventory,
        )
        .with(
            post("/v1/transactions", "Changes what is to be enforced.")
                .takes::<Transaction>()
                .answers::<TransactionReport>()
                .refuses(&[409, 422, 500]),
            transactions::take,
        )
        .with(
            get("/v1/transactions", "Says what transactions have told.")
                .answers::<TransactionsView>()
                .refuses(&[409]),
            transactions::show,
        )
        .with(
            get("/v1/status", "Says how the daemon is doing.")
                .answers::<StatusView>()
                .refuses(&[500]),
            status,
        )
        .with(
            get("/v1/settings", "Lists the settings in force.")
                .answers::<SettingsView>()
                .refuses(&[500]),
            settings,
        )
        .with(
            get("/v1/ports", "Lists the ports.").answers::<Vec<PortView>>(),
            ports,
        )
        .with(
            get("/v1/ports/{port}", "Shows a port with its filter.")
                .answers::<PortDetail>()
                .refuses(&[400, 404, 500]),
            port,
        )
        .with(
            get("/v1/groups", "Lists the security groups.").answers::<Vec<GroupView>>(),
            groups,
        )
        .with(
            get("/v1/flows", "Lists the connections that meet a filter.")
                .asks::<FlowFilter>()
                .answers::<Vec<FlowView>>()
                .refuses(&[400, 404, 500]),
            flows::list,
        )
        .with(
            delete("/v1/flows", "Deletes connections, and lists them.")
                .takes::<DeleteRequest>()
                .answers::<Vec<FlowView>>()
                .refuses(&[400, 404, 500]),
            flows::delete,
        )
        .with(
            get("/v1/ports/{port}/flows", "Exports a port's connections.")
                .answers::<FlowDocument>()
                .refuses(&[400, 404, 409, 500]),
            flows::export,
        )
        .with(
            post("/v1/flows", "Takes over the connections of an export.")
                .asks::<Which>()
                .takes::<FlowDocument>()
                .answers::<ImportReport>()
                .refuses(&[400, 404, 409, 422, 500]),
            flows::import,
        )
        .with(
            post("/v1/adoptions", "Takes over connections of nf_conntrack.")
                .takes::<AdoptRequest>()
                .answers::<AdoptReport>()
                .refuses(&[400, 404, 409, 500]),
            adopt::adopt,
        )
        .with(
            get("/v1/counters", "Lists what was counted at ports.")
                .asks::<Which>()
                .answers::<Vec<PortCounters>>()
                .refuses(&[400, 404, 500]),
            counters,
        )
        .with(
            get(
                "/v1/sample",
                "Says how the ports of this node are at one moment.",
            )
            .answers::<SampleView>()
            .refuses(&[500]),
            sample,
        )
        .with(
            get("/v1/usage", "Says what rules have permitted.")
                .asks::<Scope>()
                .answers::<UsageView>()
                .refuses(&[400, 404, 409, 500]),
            usage::show,
        )
        .with(
            post(
                "/v1/diff",
                "Says what an inventory would change, and changes nothing.",
            )
            .takes::<InventoryDocument>()
            .answers::<DiffView>()
            .refuses(&[422, 500]),
            diff,
        )
        .with(
            post("/v1/explain", "Walks a packet through a port's filter.")
                .takes::<ExplainRequest>()
                .answers::<ExplainView>()
                .refuses(&[400, 404, 409, 500]),
            explain,
        )
}

/// The paths of this interface.
#[cfg(test)]
pub(super) fn paths() -> Vec<&'static str> {
    let operations = routes().operations.into_iter();
    operations.map(|operation| operation.path).collect()
}

async fn description() -> Json<Value> {
    let mut operations = routes().operations;
    operations.extend(events::described().operations);
    operations.extend(metrics::routes().operations);
    Json(openapi::document(&operations))
}

async fn inventory(State(daemon): State<Daemon>, body: Bytes) -> Result<Json<ApplyReport>> {
    let Daemon { shared, source, .. } = daemon;
    let keep = move |document: &[u8]| match source {
        Source::Inventory(store) => store.replace(document),
        Source::Transactions(_) | Source::Etcd => Ok(()),
    };
    let report = shared.change(|change| async move { change.document(body, keep).await });
    report.await.map(Json)
}

/// Compares beside the agent.
async fn diff(State(daemon): State<Daemon>, body: Bytes) -> Result<Json<DiffView>> {
    let preview = daemon.shared.agent().await.preview()?;
    beside(move || preview.run(&body)).await.map(Json)
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

async fn port(State(daemon): State<Daemon>, named: Named) -> Result<Json<PortDetail>> {
    let Path(port) = named?;
    let detail = port_detail(&daemon.shared, &daemon.gatherer, &port).await;
    detail.map(Json)
}

/// A port with its filter. Its connections are read beside the agent.
pub(super) async fn port_detail(
    shared: &Shared,
    gatherer: &Gatherer,
    port: &str,
) -> Result<PortDetail> {
    let filter = FlowFilter {
        port: Some(port.to_owned()),
        ..FlowFilter::default()
    };
    let reader = shared.agent().await.flows(filter)?;
    let flows = beside(move || reader.all()).await?;
    let mut detail = shared.agent().await.port(port, &flows)?;
    gatherer.mark(&mut detail).await?;
    Ok(detail)
}

async fn groups(State(daemon): State<Daemon>) -> Json<Vec<GroupView>> {
    Json(daemon.shared.agent().await.groups())
}

/// The parameters, or why they are not understood.
pub(super) type Asked<T> = std::result::Result<Query<T>, QueryRejection>;

/// A part of the path, or why it is not understood.
pub(super) type Named = std::result::Result<Path<String>, PathRejection>;

impl From<PathRejection> for Error {
    fn from(rejection: PathRejection) -> Self {
        Self::Usage(rejection.body_text())
    }
}

impl From<QueryRejection> for Error {
    fn from(rejection: QueryRejection) -> Self {
        Self::Usage(rejection.body_text())
    }
}

#[derive(Deserialize, JsonSchema)]
struct Which {
    /// Of this port, by id, interface, MAC, IP address or name; of the one that the document names, or of
    /// all, if none is named.
    port: Option<String>,
}

/// Lists of objects in the shape of Neutron's API.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "the model reads objects one by one")]
struct InventoryDocument {
    /// The ports of the whole cloud, or of what this node has to know.
    ports: Vec<Map<String, Value>>,
    /// The security groups, with their rules.
    security_groups: Vec<Map<String, Value>>,
    /// The address groups.
    #[schemars(default)]
    address_groups: Vec<Map<String, Value>>,
}

async fn counters(
    State(daemon): State<Daemon>,
    which: Asked<Which>,
) -> Result<Json<Vec<PortCounters>>> {
    let Query(which) = which?;
    let mut agent = daemon.shared.agent().await;
    agent.counters(which.port.as_deref()).map(Json)
}

/// Reads the counters beside the agent.
async fn sample(State(daemon): State<Daemon>) -> Result<Json<SampleView>> {
    let sampler = daemon.shared.agent().await.sampler()?;
    beside(move || sampler.read()).await.map(Json)
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
        (status_of(&self), Json(self.view())).into_response()
    }
}

/// The status that an error is answered with.
pub(super) fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::Malformed(_)
        | Error::MalformedTransaction(_)
        | Error::MalformedFlows(_)
        | Error::Capture { .. }
        | Error::Settings { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Usage(_) => StatusCode::BAD_REQUEST,
        Error::NoSuchPort(_)
        | Error::AmbiguousPort { .. }
        | Error::NoSuchGroup(_)
        | Error::AmbiguousGroup { .. }
        | Error::NoPortsOfGroup(_)
        | Error::NoDrop { .. } => StatusCode::NOT_FOUND,
        Error::PortPending(_) | Error::NoSlot(_) | Error::Conflict(_) | Error::OtherSource(_) => {
            StatusCode::CONFLICT
        }
        Error::Unreachable { .. }
        | Error::Host(_)
        | Error::Listen { .. }
        | Error::File { .. }
        | Error::State { .. }
        | Error::Store(_)
        | Error::System { .. }
        | Error::Datapath(_)
        | Error::Unfinished(_)
        | Error::Answered { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
