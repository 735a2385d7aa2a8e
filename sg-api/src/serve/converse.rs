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

use super::share::{Share, Shares};

/// What whoever connects can take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; one client has half of them at most.
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
    let shares = Shares::new(limits.connections.div_ceil(2));
    loop {
        let (stream, client) = tokio::select! {
            accepted = accepted(&listener) => accepted,
            () = told(&mut stop) => break,
        };
        // What finds no room is closed.
        let (Some(share), Ok(permit)) =
            (shares.take(client.ip()), room.clone().try_acquire_owned())
        else {
            continue;
        };
        let router = router.clone().layer(Extension(Client(client)));
        let (tls, stop) = (tls.clone(), stop.clone());
        tokio::spawn(async move {
            let conversation = Conversation {
                router,
                patience: limits.patience,
                stop,
                _place: (permit, share),
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
    _place: (OwnedSemaphorePermit, Share),
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpSocket;

    use super::*;

    /// A connection from an address of the loopback.
    async fn connected(from: u8, to: SocketAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        let from = Ipv4Addr::new(127, 0, 0, from);
        socket.bind((from, 0).into()).unwrap();
        socket.connect(to).await.unwrap()
    }

    /// The first byte of an answer, if there is one.
    async fn answered(stream: &mut TcpStream) -> Option<u8> {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        asked.await.ok()?;
        stream.read_u8().await.ok()
    }

    #[tokio::test]
    async fn a_client_that_holds_all_it_can_leaves_room_for_another() {
        let limits = Limits {
            connections: 4,
            patience: Duration::from_secs(10),
            farewell: Duration::ZERO,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_told, stop) = watch::channel(false);
        tokio::spawn(serve(limits, listener, None, Router::new(), stop));
        let mut held = Vec::new();
        for _ in 0..4 {
            held.push(connected(1, address).await);
        }
        assert_eq!(answered(&mut held[3]).await, None);
        assert_eq!(answered(&mut connected(2, address).await).await, Some(b'H'));
        assert_eq!(answered(&mut held[1]).await, Some(b'H'));
    }
}
