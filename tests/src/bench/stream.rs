//! An established TCP connection between two machines: bytes per second with the filter, as a ratio to
//! an empty program in the same places.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use aya::programs::SchedClassifier;
use aya::programs::links::{FdLink, PinnedLink};

use super::Spread;
use crate::netns::Netns;

/// How long one sample is taken, after a pause for what is still on the way.
const SAMPLE: Duration = Duration::from_millis(250);
const PAUSE: Duration = Duration::from_millis(30);

/// The programs that stand in the pinned links of the taps.
pub struct Places {
    links: Vec<PathBuf>,
}

impl Places {
    /// The links below the pins of a daemon.
    ///
    /// # Panics
    /// If there are none.
    #[must_use]
    pub fn below(pins: &Path) -> Self {
        let version = std::fs::read_dir(pins).ok().and_then(|mut all| all.next());
        let version = version
            .expect("a daemon has pinned something")
            .expect("a directory");
        let directory = version.path().join("links");
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|e| panic!("cannot read {}: {e}", directory.display()));
        let links: Vec<_> = entries.map(|entry| entry.expect("a link").path()).collect();
        assert!(!links.is_empty(), "nothing is attached");
        Self { links }
    }

    /// Puts the program that `at` names for each hook in all places, each atomically.
    ///
    /// # Panics
    /// If the kernel refuses.
    pub fn put(&self, at: impl Fn(&str) -> PathBuf) {
        for pin in &self.links {
            let name = pin
                .file_name()
                .and_then(|name| name.to_str())
                .unwrap_or_default();
            let hook = if name.ends_with("from_vm") {
                "from_vm"
            } else {
                "to_vm"
            };
            let mut program = SchedClassifier::from_pin(at(hook)).expect("a pinned program");
            let link = PinnedLink::from_pin(pin).expect("a pinned link");
            let link = FdLink::from(link).try_into().expect("a tcx link");
            program
                .attach_to_link(link)
                .expect("the link takes the program");
        }
    }
}

/// A connection that sends as fast as it can until it is dropped.
pub struct Stream {
    received: Arc<AtomicU64>,
    socket: TcpStream,
}

impl Stream {
    /// Opens it between two machines.
    ///
    /// # Panics
    /// If the connection cannot be opened.
    #[must_use]
    pub fn open(client: &Netns, server: &Netns, address: IpAddr) -> Self {
        const PORT: u16 = 80;
        let address = SocketAddr::new(address, PORT);
        let listener = server
            .run(|| TcpListener::bind(address))
            .expect("the server listens");
        let received = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&received);
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("a client");
            let mut buffer = vec![0; 1 << 18];
            while let Ok(length @ 1..) = socket.read(&mut buffer) {
                count.fetch_add(length as u64, Ordering::Relaxed);
            }
        });
        let patience = Duration::from_secs(3);
        let socket = client.run(|| TcpStream::connect_timeout(&address, patience));
        let socket = socket.expect("the server answers");
        let mut sender = socket.try_clone().expect("a socket can be shared");
        thread::spawn(move || while sender.write_all(&[0; 1 << 16]).is_ok() {});
        Self { received, socket }
    }

    fn sample(&self) -> f64 {
        thread::sleep(PAUSE);
        let (start, before) = (Instant::now(), self.received.load(Ordering::Relaxed));
        thread::sleep(SAMPLE);
        let bytes = self.received.load(Ordering::Relaxed) - before;
        bytes as f64 / start.elapsed().as_secs_f64()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}

/// What [`measure`] found.
#[derive(Debug)]
pub struct Throughput {
    /// The filter against the empty program.
    pub filter: Spread,
    /// The empty program against itself.
    pub control: Spread,
    /// Bytes per second with the empty program.
    pub empty: Spread,
}

/// Takes samples between samples of the empty program: each is divided by the mean of its neighbours.
pub fn measure(
    stream: &Stream,
    rounds: usize,
    mut put_filter: impl FnMut(),
    mut put_empty: impl FnMut(),
) -> Throughput {
    let (mut filter, mut control, mut empty) = (Vec::new(), Vec::new(), Vec::new());
    put_empty();
    let mut before = stream.sample();
    for round in 0..rounds * 2 {
        let is_control = round.is_multiple_of(2);
        if is_control {
            put_empty()
        } else {
            put_filter()
        }
        let sample = stream.sample();
        put_empty();
        let after = stream.sample();
        let ratio = sample / ((before + after) / 2.0);
        if is_control {
            control.push(ratio)
        } else {
            filter.push(ratio)
        }
        empty.push(after);
        before = after;
    }
    Throughput {
        filter: Spread::of(filter),
        control: Spread::of(control),
        empty: Spread::of(empty),
    }
}
