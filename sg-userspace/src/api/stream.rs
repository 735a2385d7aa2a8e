//! The client's side of an answer that goes on: its lines, as they come.

use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http1,
};
use tokio::task::JoinHandle;

use crate::error::{Error, Result};

/// An answer of lines. Dropped, it ends, and the daemon forgets that it was asked.
pub struct Lines {
    body: Incoming,
    /// What has come and was not given out.
    rest: Vec<u8>,
    socket: PathBuf,
    /// The conversation goes on as long as these are there.
    _sender: Sender,
    connection: JoinHandle<()>,
}

/// What requests are sent by.
pub(super) type Sender = http1::SendRequest<Full<Bytes>>;

impl Lines {
    pub(super) fn new(
        body: Incoming,
        socket: PathBuf,
        sender: Sender,
        connection: JoinHandle<()>,
    ) -> Self {
        Self {
            body,
            rest: Vec::new(),
            socket,
            _sender: sender,
            connection,
        }
    }

    /// The next line, when it comes. It may be given up between two of them.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] when the daemon has ended, or hung up because nothing was read for long.
    pub async fn next(&mut self) -> Result<String> {
        loop {
            if let Some(line) = self.here() {
                return Ok(line);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    let bytes: Bytes = frame.into_data().unwrap_or_default();
                    self.rest.extend_from_slice(&bytes);
                }
                Some(Err(error)) => return Err(self.ended(&error.to_string())),
                None => return Err(self.ended("the daemon has ended")),
            }
        }
    }

    /// The next line, if it is here already.
    pub fn here(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn ended(&self, cause: &str) -> Error {
        Error::Unreachable {
            socket: self.socket.clone(),
            cause: format!("it tells no more: {cause}"),
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.connection.abort();
    }
}
