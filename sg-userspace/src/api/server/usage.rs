//! What rules have permitted.

use axum::{
    Json,
    extract::{Query, State},
};

use super::{Asked, Daemon};
use crate::{agent::Scope, error::Result, view::UsageView};

/// Takes what was counted out of the kernel, and tells all.
pub async fn show(State(daemon): State<Daemon>, scope: Asked<Scope>) -> Result<Json<UsageView>> {
    let Query(scope) = scope?;
    daemon.gatherer.view(scope).await.map(Json)
}
