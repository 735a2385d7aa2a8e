//! The route of events: an answer that goes on for as long as it is read.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use futures_util::stream;

use super::{openapi::post, routes::Routes};
use crate::{
    error::{Error, Result},
    events::{Hub, Wanted},
    view::{EventLine, EventsRequest},
};

/// The route, to be merged with the others.
pub fn routes(hub: Arc<Hub>) -> Router {
    described().router.with_state(hub)
}

/// It, described.
pub(super) fn described() -> Routes<Arc<Hub>> {
    Routes::new().with(
        post(
            "/v1/events",
            "Tells packets as they are refused or open connections, until the reader goes.",
        )
        .takes::<EventsRequest>()
        .answers_lines::<EventLine>()
        .refuses(&[400]),
        events,
    )
}

/// What is asked for is told from before the answer begins until its reader has gone.
async fn events(State(hub): State<Arc<Hub>>, body: Bytes) -> Result<Response> {
    let request: EventsRequest = serde_json::from_slice(&body)
        .map_err(|error| Error::Usage(format!("the request is not understood: {error}")))?;
    let mut subscription = hub.subscribe(Wanted::parse(&request)?, request.last)?;
    let lines = stream::poll_fn(move |context| {
        let line = subscription.lines.poll_recv(context);
        line.map(|line| line.map(Ok::<_, std::convert::Infallible>))
    });
    let body = Body::from_stream(lines);
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
