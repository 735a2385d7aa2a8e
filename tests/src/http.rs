//! Questions over TCP, as a program in a namespace asks them.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::netns::Netns;

/// How long an answer may take to go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status; 0 if there is none.
    pub status: u16,
    /// The lines before the body.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Asks, with these lines after those that every request has.
///
/// # Errors
/// When nobody listens, or whoever does hangs up.
pub fn ask(
    netns: &Netns,
    address: &str,
    request: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<Answer> {
    let mut stream = send(netns, address, request, headers, body)?;
    let mut answer = Vec::new();
    let mut bytes = [0; 1 << 16];
    // Some servers leave the connection open, whatever they were asked.
    while !is_whole(&answer) {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1);
    Ok(Answer {
        status: status
            .and_then(|status| status.parse().ok())
            .unwrap_or_default(),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// Sends a question whose answer the caller reads. `Host` is the address, unless a line says otherwise.
///
/// # Errors
/// When nobody listens.
pub fn send(
    netns: &Netns,
    address: &str,
    request: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<TcpStream> {
    let mut stream = netns.run(|| TcpStream::connect(address))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let host = format!("Host: {address}");
    let names_host = headers.iter().any(|line| line.starts_with("Host:"));
    let first = (!names_host).then_some(host.as_str());
    let lines: Vec<&str> = first.into_iter().chain(headers.iter().copied()).collect();
    let length = body.len();
    let head = format!(
        "{request} HTTP/1.1\r\n{}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n",
        lines.join("\r\n")
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    Ok(stream)
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return false;
    };
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|length| length.trim().parse::<usize>().ok());
    length.is_some_and(|length| answer.len() >= end + 4 + length)
}
