//! Serves many at once. Whoever is slow, or asks for too much, takes nothing from the others.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

/// What whoever connects can take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// How long a handshake and the head of a request may take, and how long nothing of an answer may be read.
    pub patience: Duration,
    /// How long requests that are under way are waited for in the end.
    pub farewell: Duration,
}

/// The other side of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub SocketAddr);

/// Serves these routes to whoever connects until it is told to stop, and to the end what is under way then.
pub async fn serve(
    limits: Limits,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(limits.connections));
    loop {
        let (stream, client) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = told(&mut stop) => break,
        };
        // What finds no room is closed.
        let Ok(permit) = room.clone().try_acquire_owned() else {
            continue;
        };
        let router = router.clone().layer(Extension(Client(client)));
        let (tls, stop) = (tls.clone(), stop.clone());
        tokio::spawn(async move {
            let conversation = Conversation {
                router,
                patience: limits.patience,
                stop,
                _permit: permit,
            };
            conversation.begin(stream, tls).await;
        });
    }
    let all = u32::try_from(limits.connections).unwrap_or(u32::MAX);
    if timeout(limits.farewell, room.acquire_many(all))
        .await
        .is_err()
    {
        tracing::warn!("some requests were not answered to the end");
    }
}

/// Comes back when it is told to stop, or nobody can tell any more.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("nobody can connect for a moment: {error}");
                sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// One connection.
struct Conversation {
    router: Router,
    patience: Duration,
    stop: watch::Receiver<bool>,
    _permit: OwnedSemaphorePermit,
}

impl Conversation {
    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Answers are small, and each is waited for.
        let _ = stream.set_nodelay(true);
        let Some(tls) = tls else {
            return self.go_on(stream).await;
        };
        match timeout(self.patience, tls.accept(stream)).await {
            Ok(Ok(stream)) => self.go_on(stream).await,
            Ok(Err(error)) => tracing::debug!("no handshake: {error}"),
            Err(_) => tracing::debug!("no handshake in time"),
        }
    }

    /// Until either side ends it.
    async fn go_on(mut self, stream: impl AsyncRead + AsyncWrite + Send + 'static) {
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(self.patience));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience)
            .serve_connection(
                TokioIo::new(Box::pin(stream)),
                TowerToHyperService::new(self.router),
            );
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = told(&mut self.stop) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!("a connection ended early: {error}");
        }
    }
}
