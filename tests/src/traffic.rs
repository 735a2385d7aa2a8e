//! Real clients and servers, over the sockets of a namespace.

use std::fmt;
use std::io::{self, ErrorKind, PipeWriter, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::netns::Netns;

/// How long a client waits: long enough for a repeated SYN, which comes after a second.
pub const PATIENCE: Duration = Duration::from_millis(1500);

/// How an attempt to talk to a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server sent back what it was sent.
    Answered,
    /// Nothing came back in time: what a dropped packet looks like.
    Silence,
    /// The other side refused: it was reached, and nothing listens there.
    Refused,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Answered => "answers",
            Self::Silence => "no answer",
            Self::Refused => "refused by the other side",
        })
    }
}

impl From<io::Result<()>> for Outcome {
    fn from(result: io::Result<()>) -> Self {
        match result {
            Ok(()) => Self::Answered,
            Err(e) if e.kind() == ErrorKind::ConnectionRefused => Self::Refused,
            Err(_) => Self::Silence,
        }
    }
}

/// A server of both protocols and both families on one port that sends back what it receives.
#[derive(Debug)]
pub struct EchoServer {
    /// Dropped to stop the thread, which sees the pipe hang up.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl EchoServer {
    /// Starts it in a namespace.
    #[must_use]
    pub fn start(netns: &Netns, port: u16) -> Self {
        let address = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        let sockets = netns.run(|| -> io::Result<_> {
            let (tcp, udp) = (TcpListener::bind(address)?, UdpSocket::bind(address)?);
            tcp.set_nonblocking(true)?;
            udp.set_nonblocking(true)?;
            Ok((tcp, udp))
        });
        let (tcp, udp) = sockets
            .unwrap_or_else(|e| panic!("cannot listen on port {port} in {}: {e}", netns.name()));
        let (stopped, stop) = io::pipe().unwrap_or_else(|e| panic!("cannot make a pipe: {e}"));
        let serve = move || {
            while wait(&[stopped.as_fd(), tcp.as_fd(), udp.as_fd()]) != Some(0) {
                if let Ok((client, _)) = tcp.accept() {
                    thread::spawn(move || echo(client));
                }
                let mut datagram = [0; 2048];
                if let Ok((length, client)) = udp.recv_from(&mut datagram) {
                    let _ = udp.send_to(&datagram[..length], client);
                }
            }
        };
        Self {
            stop: Some(stop),
            thread: Some(thread::spawn(serve)),
        }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An open TCP connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Opens one from a namespace.
    ///
    /// # Errors
    /// If the server does not answer within [`PATIENCE`].
    pub fn open(netns: &Netns, server: IpAddr, port: u16) -> io::Result<Self> {
        let address = SocketAddr::new(server, port);
        let stream = netns.run(|| TcpStream::connect_timeout(&address, PATIENCE))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream })
    }

    /// Sends a question and waits for its echo.
    pub fn ask(&mut self) -> Outcome {
        const QUESTION: &[u8; 10] = b"are you up";

        let mut exchange = || {
            self.stream.write_all(QUESTION)?;
            self.stream.read_exact(&mut [0; QUESTION.len()])
        };
        exchange().into()
    }
}

/// Opens a TCP connection, asks once and closes it.
#[must_use]
pub fn ask_tcp(netns: &Netns, server: IpAddr, port: u16) -> Outcome {
    match Connection::open(netns, server, port) {
        Ok(mut connection) => connection.ask(),
        Err(e) => Outcome::from(Err(e)),
    }
}

/// Sends a datagram and waits for its echo; once more if the first is lost.
#[must_use]
pub fn ask_udp(netns: &Netns, server: IpAddr, port: u16) -> Outcome {
    let any: IpAddr = if server.is_ipv4() {
        [0, 0, 0, 0].into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let ask = || -> io::Result<()> {
        let socket = netns.run(|| UdpSocket::bind((any, 0)))?;
        socket.set_read_timeout(Some(PATIENCE / 2))?;
        socket.connect((server, port))?;
        socket.send(b"are you up")?;
        let mut answer = [0; 64];
        if socket.recv(&mut answer).is_err() {
            socket.send(b"are you up")?;
            socket.recv(&mut answer)?;
        }
        Ok(())
    };
    ask().into()
}

/// Sends back what comes until the client closes, or is silent for too long.
fn echo(mut client: TcpStream) {
    const SILENCE: Duration = Duration::from_secs(60);

    let _ = client.set_nonblocking(false);
    let _ = client.set_read_timeout(Some(SILENCE));
    let _ = client.set_write_timeout(Some(SILENCE));
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        if client.write_all(&buffer[..length]).is_err() {
            return;
        }
    }
}

/// Waits until one of them is readable or hung up; the first that is.
fn wait(fds: &[BorrowedFd<'_>]) -> Option<usize> {
    let mut fds: Vec<_> = fds
        .iter()
        .map(|fd| PollFd::new(*fd, PollFlags::POLLIN))
        .collect();
    let _ = poll(&mut fds, PollTimeout::NONE);
    fds.iter().position(|fd| fd.any().unwrap_or(true))
}
