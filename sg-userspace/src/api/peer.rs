//! Who asks: what changes something is logged with the process that has asked for it.

use axum::{
    Router,
    extract::{
        ConnectInfo, Request,
        connect_info::{Connected, IntoMakeServiceWithConnectInfo},
    },
    http::Method,
    middleware::{self, Next},
    response::Response,
    serve::IncomingStream,
};
use procfs::process::Process;
use tokio::net::UnixListener;

/// These are asked by POST, and change nothing.
const QUESTIONS: [&str; 2] = ["/v1/explain", "/v1/events"];

/// The routes, with a line in the log for each change.
pub fn named(routes: Router) -> IntoMakeServiceWithConnectInfo<Router, Peer> {
    let routes = routes.layer(middleware::from_fn(name));
    routes.into_make_service_with_connect_info()
}

/// The process at the other end, as the kernel knew it when it connected (SO_PEERCRED).
#[derive(Clone, Debug, Default)]
pub struct Peer {
    uid: Option<u32>,
    pid: Option<i32>,
    /// Its name, if it was still there to be asked.
    command: String,
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        let Ok(credentials) = stream.io().peer_cred() else {
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

async fn name(ConnectInfo(peer): ConnectInfo<Peer>, request: Request, next: Next) -> Response {
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
