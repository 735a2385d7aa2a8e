//! A network that misbehaves: TCP through it is late, cut off, stands still, or has bytes twice.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// What happens to what is sent, a piece at a time; probabilities are of a piece.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// The longest delay. Each connection has delays of its own, so that they overtake each other.
    pub delay: Duration,
    /// How often a connection is cut off.
    pub cut: f64,
    /// How often a piece comes twice.
    pub twice: f64,
}

impl Faults {
    /// None at all.
    pub const NONE: Self = Self {
        delay: Duration::ZERO,
        cut: 0.0,
        twice: 0.0,
    };
}

/// What went through, both ways together.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Connections that were made.
    pub connections: AtomicU64,
    /// Bytes from the clients.
    pub asked: AtomicU64,
    /// Bytes to the clients.
    pub answered: AtomicU64,
    /// Connections that were cut off.
    pub cut: AtomicU64,
    /// Pieces that came twice.
    pub twice: AtomicU64,
}

/// The way to one server, for as long as it lives.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Way {
    server: SocketAddr,
    faults: Mutex<Faults>,
    /// Nothing passes, and no connection is refused.
    stands: AtomicBool,
    traffic: Arc<Traffic>,
}

impl Proxy {
    /// A way to a server, on a free port of the loopback. Several may count to the same traffic.
    ///
    /// # Panics
    /// If there is no such port.
    pub async fn to(server: SocketAddr, traffic: Arc<Traffic>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.unwrap_or_else(|e| panic!("cannot listen on the loopback: {e}"));
        let address = listener.local_addr();
        let address = address.unwrap_or_else(|e| panic!("a listener has no address: {e}"));
        let way = Arc::new(Way {
            server,
            faults: Mutex::new(Faults::NONE),
            stands: AtomicBool::new(false),
            traffic,
        });
        let accepting = tokio::spawn(accept(listener, way.clone()));
        Self {
            address,
            way,
            accepting,
        }
    }

    /// Where clients connect.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on, to connections that there are, too.
    pub fn set(&self, faults: Faults) {
        *self
            .way
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// Has everything stand still, as behind a cable that was pulled; or go on.
    pub fn stand(&self, stands: bool) {
        self.way.stands.store(stands, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    loop {
        let Ok((client, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        way.traffic.connections.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(converse(client, way.clone()));
    }
}

/// One connection: cut off on both sides when either ends.
async fn converse(client: TcpStream, way: Arc<Way>) {
    let Ok(server) = TcpStream::connect(way.server).await else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let traffic = way.traffic.clone();
    tokio::select! {
        () = pass(&way, from_client, to_server, &traffic.asked) => {}
        () = pass(&way, from_server, to_client, &traffic.answered) => {}
    }
}

async fn pass(way: &Way, mut from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes: &AtomicU64) {
    let mut piece = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        bytes.fetch_add(length as u64, Ordering::Relaxed);
        let faults = *way.faults.lock().unwrap_or_else(PoisonError::into_inner);
        if faults.delay > Duration::ZERO {
            sleep(faults.delay.mul_f64(fastrand::f64())).await;
        }
        while way.stands.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(20)).await;
        }
        if fastrand::f64() < faults.cut {
            way.traffic.cut.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let times = if fastrand::f64() < faults.twice {
            way.traffic.twice.fetch_add(1, Ordering::Relaxed);
            2
        } else {
            1
        };
        for _ in 0..times {
            if to.write_all(&piece[..length]).await.is_err() {
                return;
            }
        }
    }
}
