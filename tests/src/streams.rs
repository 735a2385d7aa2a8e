//! Traffic that goes on while something is done to a node, and what came of it: connections, questions and
//! pings that are permitted, and datagrams that are not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto,
    setsockopt, socket,
    sockopt::{RcvBufForce, ReceiveTimeout},
};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::netns::Netns;

/// Longer than any retransmission of a few lost segments.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// Long enough for what passes to have come.
pub const SILENCE: Duration = Duration::from_millis(400);
/// How often each stream sends.
pub const BEAT: Duration = Duration::from_millis(5);

/// Both ends of an open TCP connection.
pub struct Pair {
    /// The side that has opened it.
    pub client: TcpStream,
    /// The other.
    pub server: TcpStream,
}

impl Pair {
    /// Opens a connection, and has both sides speak.
    pub fn open(client: &Netns, server: &Netns, address: &str) -> Self {
        let address: SocketAddr = address.parse().unwrap();
        let listener = server.run(|| TcpListener::bind(address)).unwrap();
        let client = client.run(|| TcpStream::connect_timeout(&address, PATIENCE));
        let client = client.unwrap_or_else(|e| panic!("{address}: {e}"));
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
            end.set_read_timeout(Some(PATIENCE)).unwrap();
        }
        let mut pair = Self { client, server };
        pair.client_first("the opening");
        pair.server_first("the opening");
        pair
    }

    /// The client speaks, and the server hears it.
    #[track_caller]
    pub fn client_first(&mut self, when: &str) {
        say(&mut self.client, &mut self.server).unwrap_or_else(|e| panic!("{when}: {e}"));
    }

    /// The server speaks, and the client hears it.
    #[track_caller]
    pub fn server_first(&mut self, when: &str) {
        say(&mut self.server, &mut self.client).unwrap_or_else(|e| panic!("{when}: {e}"));
    }

    /// Whether what the server says does not get to its client.
    pub fn is_cut(&mut self) -> bool {
        self.client.set_read_timeout(Some(SILENCE)).unwrap();
        say(&mut self.server, &mut self.client).is_err()
    }
}

/// One end speaks, and the other hears it.
fn say(from: &mut TcpStream, to: &mut TcpStream) -> io::Result<()> {
    from.write_all(b"hello")?;
    to.read_exact(&mut [0; 5])
}

/// A socket for datagrams that waits a moment for each.
pub fn datagrams(netns: &Netns, address: &str) -> UdpSocket {
    let bound = netns.run(|| UdpSocket::bind(address));
    let bound = bound.unwrap_or_else(|e| panic!("{address}: {e}"));
    bound.set_read_timeout(Some(SILENCE)).unwrap();
    bound
}

/// One end sends a datagram, and the other gets it.
#[track_caller]
pub fn datagram(from: &UdpSocket, to: &UdpSocket) {
    from.send_to(b"hello", to.local_addr().unwrap()).unwrap();
    to.recv(&mut [0; 16]).expect("the datagram has come");
}

/// A socket that pings.
pub struct Pinger(OwnedFd);

impl Pinger {
    /// In a namespace.
    pub fn new(netns: &Netns, patience: Duration) -> Self {
        netns.set("ipv4/ping_group_range", "0 0");
        let (family, kind) = (AddressFamily::Inet, SockType::Datagram);
        let open = || socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp);
        let pinger = netns.run(open).unwrap();
        let timeout = TimeVal::milliseconds(patience.as_millis() as i64);
        setsockopt(&pinger, ReceiveTimeout, &timeout).unwrap();
        Self(pinger)
    }

    /// Whether an echo is answered.
    pub fn ping(&self, [a, b, c, d]: [u8; 4]) -> bool {
        let echo = [8, 0, 0, 0, 0, 0, 0, 1];
        let (socket, to) = (self.0.as_raw_fd(), SockaddrIn::new(a, b, c, d, 0));
        sendto(socket, &echo, &to, MsgFlags::empty()).unwrap();
        matches!(recv(socket, &mut [0; 64], MsgFlags::empty()), Ok(8))
    }
}

/// What goes on all the time, and what came of it.
#[derive(Default)]
pub struct Traffic {
    ended: AtomicBool,
    /// Exchanges over TCP and over UDP, and pings.
    pub answered: [AtomicU64; 3],
    /// Those that were not.
    pub lost: [AtomicU64; 3],
    /// The longest that TCP has waited for an answer, in milliseconds.
    pub longest: AtomicU64,
    /// Datagrams that no filter permits.
    pub sent: AtomicU64,
    /// Those that came.
    pub passed: AtomicU64,
}

impl Traffic {
    fn goes_on(&self) -> bool {
        thread::sleep(BEAT);
        !self.ended.load(Relaxed)
    }

    fn note(&self, kind: usize, answered: bool) {
        let of = if answered { &self.answered } else { &self.lost };
        of[kind].fetch_add(1, Relaxed);
    }

    /// A client that never rests.
    pub fn busy(&self, mut pair: Pair) {
        while self.goes_on() {
            let begun = Instant::now();
            pair.client_first("a busy client");
            pair.server_first("a busy server");
            self.note(0, true);
            self.longest
                .fetch_max(begun.elapsed().as_millis() as u64, Relaxed);
        }
    }

    /// A VM that asks a server.
    pub fn asks(&self, vm: &UdpSocket, server: &UdpSocket) {
        let to = server.local_addr().unwrap();
        while self.goes_on() {
            vm.send_to(b"ask", to).unwrap();
            let answered = server
                .recv_from(&mut [0; 16])
                .and_then(|(_, from)| server.send_to(b"answer", from))
                .and_then(|_| vm.recv(&mut [0; 16]));
            self.note(1, answered.is_ok());
        }
    }

    /// A client that pings a VM.
    pub fn pings(&self, pinger: &Pinger, vm: [u8; 4]) {
        while self.goes_on() {
            self.note(2, pinger.ping(vm));
        }
    }

    /// Sends what is refused, each way, and counts what comes.
    pub fn refused(&self, ways: [(&UdpSocket, &UdpSocket); 2]) {
        for (_, to) in ways {
            to.set_nonblocking(true).unwrap();
        }
        while self.goes_on() {
            for (from, to) in ways {
                from.send_to(b"let me in", to.local_addr().unwrap())
                    .unwrap();
                self.sent.fetch_add(1, Relaxed);
                while to.recv(&mut [0; 16]).is_ok() {
                    self.passed.fetch_add(1, Relaxed);
                }
            }
        }
    }

    /// Waits until all has been answered again, and then many times without a loss.
    #[track_caller]
    pub fn flows(&self, when: &str) {
        // What was lost before is known to be by then.
        self.answers(1, when);
        let lost = || self.lost.each_ref().map(|count| count.load(Relaxed));
        let before = lost();
        self.answers(10, when);
        assert_eq!(before, lost(), "{when}: lost");
    }

    /// Waits until each of them has been answered so many times more.
    #[track_caller]
    pub fn answers(&self, times: u64, when: &str) {
        let answered = || self.answered.each_ref().map(|count| count.load(Relaxed));
        let (before, deadline) = (answered(), Instant::now() + PATIENCE);
        while answered()
            .iter()
            .zip(before)
            .any(|(now, before)| *now < before + times)
        {
            assert!(Instant::now() < deadline, "{when}: {:?}", answered());
            thread::sleep(BEAT);
        }
    }
}

/// Ends the traffic, also if the test fails: its threads are waited for.
pub struct Ends<'a>(pub &'a Traffic);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
    }
}

/// What became of a stream.
#[derive(Debug)]
pub struct Delivery {
    /// Datagrams that were sent.
    pub sent: u64,
    /// Those that have come.
    pub came: u64,
    /// The longest time between two that came.
    pub silence: Duration,
}

/// Datagrams that go one way, ten each millisecond, and are counted where they come out.
pub struct Stream {
    from: UdpSocket,
    to: UdpSocket,
    /// So many at a time, and how often.
    pace: (u64, Duration),
}

impl Stream {
    /// From one socket to another, which has room for what comes while it is not read.
    pub fn new(from: UdpSocket, to: UdpSocket) -> Self {
        setsockopt(&to, RcvBufForce, &(64 << 20)).unwrap();
        let pace = (10, Duration::from_millis(1));
        Self { from, to, pace }
    }

    /// The same, with one datagram each two milliseconds.
    #[must_use]
    pub fn slow(self) -> Self {
        let pace = (1, Duration::from_millis(2));
        Self { pace, ..self }
    }

    /// Sends until the traffic ends.
    pub fn run(&self, traffic: &Traffic) -> Delivery {
        let (sent, to) = (AtomicU64::new(0), self.to.local_addr().unwrap());
        thread::scope(|scope| {
            let came = scope.spawn(|| {
                let (mut came, mut last, mut longest) = (0, None::<Instant>, Duration::ZERO);
                // The last ones have come when there is silence after the end.
                loop {
                    match self.to.recv(&mut [0; 64]) {
                        Ok(_) => {
                            let now = Instant::now();
                            longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
                            (came, last) = (came + 1, Some(now));
                        }
                        Err(_) if traffic.ended.load(Relaxed) => return (came, longest),
                        Err(_) => {}
                    }
                }
            });
            let mut next = Instant::now();
            while !traffic.ended.load(Relaxed) {
                let (many, often) = self.pace;
                for _ in 0..many {
                    self.from.send_to(&[7; 32], to).unwrap();
                }
                sent.fetch_add(many, Relaxed);
                next += often;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
            let (came, silence) = came.join().unwrap();
            let sent = sent.load(Relaxed);
            Delivery {
                sent,
                came,
                silence,
            }
        })
    }
}
