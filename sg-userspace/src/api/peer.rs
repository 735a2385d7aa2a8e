//! Who asks: what changes something is logged with the process that has asked for it.

use axum::{Extension, extract::Request, http::Method, middleware::Next, response::Response};
use procfs::process::Process;
use tokio::net::UnixStream;

/// These are asked by POST, and change nothing.
const QUESTIONS: [&str; 3] = ["/v1/explain", "/v1/events", "/v1/diff"];

/// The process at the other end, as the kernel knew it when it connected (SO_PEERCRED).
#[derive(Clone, Debug, Default)]
pub struct Peer {
    uid: Option<u32>,
    pid: Option<i32>,
    /// Its name, if it was still there to be asked.
    command: String,
}

impl Peer {
    /// Of a connection.
    pub fn of(stream: &UnixStream) -> Self {
        let Ok(credentials) = stream.peer_cred() else {
            return Self::default();
        };
        let pid = credentials.pid();
        let process = pid.and_then(|pid| Process::new(pid).ok()?.stat().ok());
        Self {
            uid: Some(credentials.uid()),
            pid,
            command: process.map(|stat| stat.comm).unwrap_or_default(),
        }
    }
}

/// Writes a line in the log for each change.
pub async fn name(Extension(peer): Extension<Peer>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answer = next.run(request).await;
    if changes(&method, &path) {
        let Peer { uid, pid, command } = peer;
        let status = answer.status().as_u16();
        tracing::info!(uid, pid, command, status, "asked for {method} {path}");
    }
    answer
}

fn changes(method: &Method, path: &str) -> bool {
    method != Method::GET && !QUESTIONS.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_is_told_from_questions() {
        for (method, path) in [
            (Method::PUT, "/v1/inventory"),
            (Method::POST, "/v1/transactions"),
            (Method::DELETE, "/v1/flows"),
            (Method::POST, "/v1/adoptions"),
        ] {
            assert!(changes(&method, path), "{method} {path}");
        }
        for (method, path) in [(Method::GET, "/v1/flows"), (Method::POST, "/v1/explain")] {
            assert!(!changes(&method, path), "{method} {path}");
        }
    }
}
