//! What falls now, as server-sent events: an answer that goes on for as long as the page shows it.

use std::{convert::Infallible, task::Poll, time::Duration};

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::{Deserialize, Serialize};

use super::{Page, READERS, json, refused};
use crate::{
    api::server::Asked,
    error::Result,
    events::{Subscription, Wanted},
    view::{ErrorView, EventAction, EventLine, EventsRequest},
};

/// More than this nobody reads on a page; what is over it is counted.
const RATE: u32 = 20;
const BURST: u32 = 50;

/// How often a reader that is told nothing is tried: one that went without a word is noticed by that.
const ALIVE: Duration = Duration::from_secs(5);

/// The digits of a frame that are told: its Ethernet header. What machines say to each other is not for everybody
/// on this node.
const HEADER: usize = 2 * 14;

#[derive(Deserialize)]
pub(super) struct Which {
    /// The port's id; all ports if none is named.
    port: Option<String>,
}

/// A line, and its reason as a sentence.
#[derive(Clone, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    line: EventLine,
    sentence: Option<String>,
}

/// Tells refused packets from before the answer begins until its reader has gone.
pub(super) async fn drops(State(page): State<Page>, which: Asked<Which>) -> Response {
    let Ok(permit) = page.readers.clone().try_acquire_owned() else {
        let view = ErrorView::new(format!("{READERS} pages follow already what is refused"))
            .hint("close one of them, or use `sgctl monitor --action drop`");
        return (StatusCode::SERVICE_UNAVAILABLE, Json(view)).into_response();
    };
    let mut subscription = match subscribe(&page, which) {
        Ok(subscription) => subscription,
        Err(error) => return refused(error),
    };
    let events = stream::poll_fn(move |context| {
        // Both are given back with the stream.
        let _ = &permit;
        loop {
            match subscription.lines.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(line)) => {
                    if let Some(told) = told(&line) {
                        let event = Event::default().data(told);
                        return Poll::Ready(Some(Ok::<_, Infallible>(event)));
                    }
                }
            }
        }
    });
    let alive = KeepAlive::new().interval(ALIVE);
    Sse::new(events).keep_alive(alive).into_response()
}

fn subscribe(page: &Page, which: Asked<Which>) -> Result<Subscription> {
    let Query(Which { port }) = which?;
    let actions = vec![EventAction::Drop];
    let mut request = EventsRequest {
        rate: Some(RATE),
        burst: Some(BURST),
        ..EventsRequest::default()
    };
    match port {
        Some(port) => drop(request.ports.insert(port, actions)),
        None => request.all = actions,
    }
    page.hub.subscribe(Wanted::parse(&request)?, false)
}

/// A line of the hub, as the page is told it.
pub(super) fn told(line: &[u8]) -> Option<String> {
    let mut line: EventLine = serde_json::from_slice(line).ok()?;
    let mut sentence = None;
    if let EventLine::Packet(packet) = &mut line {
        packet.frame.truncate(HEADER);
        sentence = Some(packet.sentence().to_owned());
    }
    Some(json(Line { line, sentence }))
}
