//! A reader of what the daemon tells as it happens.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use sg_common::layout::events::Asked;

use crate::node::Node;
use crate::testrun::elements;

/// A request for events, whose answer is read. Dropped, it is gone as if its process had been killed.
#[derive(Debug)]
pub struct Listener {
    socket: UnixStream,
    read: Vec<u8>,
}

impl Listener {
    /// Asks the daemon of a node. When this returns, the kernel tells what was asked for.
    ///
    /// # Panics
    /// If the daemon refuses.
    #[must_use]
    pub fn start(node: &Node, request: &Value) -> Self {
        let request = request.to_string();
        let mut socket = UnixStream::connect(node.socket())
            .unwrap_or_else(|e| panic!("the daemon does not listen: {e}"));
        // Of this version, because the body of the answer is then lines and nothing else.
        write!(
            socket,
            "POST /v1/events HTTP/1.0\r\nHost: sgd\r\nContent-Length: {}\r\n\r\n{request}",
            request.len()
        )
        .unwrap_or_else(|e| panic!("the daemon does not listen: {e}"));
        let mut listener = Self {
            socket,
            read: Vec::new(),
        };
        let status = listener.line(Duration::from_secs(10));
        let status = status.unwrap_or_else(|| panic!("the daemon does not answer"));
        assert!(
            status.contains(" 200 "),
            "{status}: {:?}",
            listener.line(Duration::from_secs(1))
        );
        while listener
            .line(Duration::from_secs(10))
            .is_some_and(|line| !line.is_empty())
        {}
        listener
    }

    /// The next event, unless none comes within a while.
    pub fn next(&mut self, within: Duration) -> Option<Value> {
        let line = self.line(within)?;
        Some(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line:?} is no JSON: {e}")))
    }

    /// All that comes until nothing has come for a while.
    pub fn all(&mut self, quiet: Duration) -> Vec<Value> {
        std::iter::from_fn(|| self.next(quiet)).collect()
    }

    fn line(&mut self, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = left.max(Duration::from_millis(1));
            self.socket
                .set_read_timeout(Some(left))
                .unwrap_or_else(|e| panic!("cannot set a timeout: {e}"));
            let mut bytes = [0; 1 << 16];
            match self.socket.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.read.extend_from_slice(&bytes[..count]),
                Err(error) if is_timeout(error.kind()) => return None,
                // A signal, of another test or of who debugs.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the daemon has hung up: {error}"),
            }
        }
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The slots of which the kernel is asked to tell anything.
#[must_use]
pub fn asked(node: &Node) -> Vec<u32> {
    const SIZE: usize = size_of::<Asked>();
    let rows = elements::<SIZE>(&node.map("asked"));
    let asked = (0..).zip(rows).filter(|(_, row)| *row != [0; SIZE]);
    asked.map(|(slot, _)| slot).collect()
}
