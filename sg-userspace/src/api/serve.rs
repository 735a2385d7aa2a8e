//! Serves the interface to many at once. Whoever is slow, or asks for too much, takes neither memory nor files
//! from the others, nor from the filter.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Json, Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{Method, StatusCode, header::CONTENT_LENGTH},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_io_timeout::TimeoutStream;

use super::{
    peer::{self, Peer},
    server::LARGEST_BODY,
};
use crate::view::ErrorView;

/// What whoever connects can take.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once: each costs a file, of which the filter needs some for every port.
    pub connections: usize,
    /// How long a request may take until it is here, its head and then its body; and how long nothing of an
    /// answer may be read.
    pub patience: Duration,
}

const LIMITS: Limits = Limits {
    connections: 128,
    patience: Duration::from_secs(30),
};

/// A body that every request may have.
const SMALL_BODY: usize = 1 << 20;

/// Larger ones in memory at once.
const LARGE_BODIES: usize = 2;

/// The routes that take large ones.
const LARGE: [(Method, &str); 4] = [
    (Method::POST, "/v1/diff"),
    (Method::PUT, "/v1/inventory"),
    (Method::POST, "/v1/transactions"),
    (Method::POST, "/v1/flows"),
];

/// Serves these routes to whoever connects, for as long as it is polled.
pub async fn serve(listener: UnixListener, router: Router) {
    serve_within(LIMITS, listener, router).await;
}

/// The same, within other limits.
pub(super) async fn serve_within(limits: Limits, listener: UnixListener, router: Router) {
    let Limits {
        connections,
        patience,
    } = limits;
    let reception = Reception {
        patience,
        large: Arc::new(Semaphore::new(LARGE_BODIES)),
    };
    let router = router
        .layer(middleware::from_fn(peer::name))
        .layer(middleware::from_fn_with_state(reception, receive));
    let room = Arc::new(Semaphore::new(connections));
    loop {
        let (stream, _) = accepted(|| listener.accept()).await;
        match room.clone().try_acquire_owned() {
            Ok(permit) => {
                let router = router.clone().layer(Extension(Peer::of(&stream)));
                tokio::spawn(converse(stream, router, patience, permit));
            }
            Err(_) => refuse(&stream),
        }
    }
}

/// The same over TCP, where nobody knows who asks.
pub(super) async fn serve_tcp(limits: Limits, listener: TcpListener, router: Router) {
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let (stream, _) = accepted(|| listener.accept()).await;
        // What finds no room is closed.
        if let Ok(permit) = room.clone().try_acquire_owned() {
            let router = router.clone();
            tokio::spawn(converse(stream, router, limits.patience, permit));
        }
    }
}

/// What a listener accepts next, however long it cannot.
async fn accepted<T, F: Future<Output = io::Result<T>>>(accept: impl Fn() -> F) -> T {
    loop {
        match accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("nobody can connect for a moment: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// One connection, until either side ends it.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    router: Router,
    patience: Duration,
    _permit: OwnedSemaphorePermit,
) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(patience));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .serve_connection(
            TokioIo::new(Box::pin(stream)),
            TowerToHyperService::new(router),
        );
    if let Err(error) = connection.await {
        tracing::debug!("a connection ended early: {error}");
    }
}

/// Says that there is no room, without waiting for the request.
fn refuse(stream: &UnixStream) {
    const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\
        content-type: application/json\r\n\r\n\
        {\"error\":\"too many programs are connected to this daemon\",\
        \"hint\":\"close connections that wait for nothing\"}";
    // It fits into the buffer of a socket that was just opened.
    let _: io::Result<usize> = stream.try_write(ANSWER.as_bytes());
}

/// How bodies are waited for.
#[derive(Clone)]
struct Reception {
    patience: Duration,
    large: Arc<Semaphore>,
}

/// Has the body here, whole, before the request is passed on.
async fn receive(State(reception): State<Reception>, request: Request, next: Next) -> Response {
    let Reception { patience, large } = reception;
    let (head, body) = request.into_parts();
    let takes_large = is_large(&head.method, head.uri.path());
    let length = head.headers.get(CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let most = match takes_large {
        true => LARGEST_BODY,
        false => SMALL_BODY,
    };
    // Without a length it may be anything.
    let is_small = !takes_large || length.is_some_and(|length| length <= SMALL_BODY);
    let _permit = match is_small {
        true => None,
        false => large.acquire_owned().await.ok(),
    };
    match timeout(patience, to_bytes(body, most)).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Ok(Err(_)) => refused(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is not whole, or longer than the {most} bytes that are read here"),
        ),
        Err(_) => refused(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body was not here after {} s", patience.as_secs()),
        ),
    }
}

fn is_large(method: &Method, path: &str) -> bool {
    LARGE
        .iter()
        .any(|(large, at)| large == method && *at == path)
}

fn refused(status: StatusCode, why: String) -> Response {
    (status, Json(ErrorView::new(why))).into_response()
}
