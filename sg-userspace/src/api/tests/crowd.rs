//! Peers that are many, slow, or ask for too much.

use std::{
    io::{ErrorKind, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::task::spawn_blocking;

use super::*;
use crate::api::serve::{Limits, serve_within};

/// Longer than anything here takes.
const SOON: Duration = Duration::from_secs(20);

const FEW: Limits = Limits {
    connections: 3,
    patience: Duration::from_millis(300),
};

/// A daemon within limits, that follows an inventory.
fn daemon() -> Daemon {
    let daemon = Daemon::start();
    let (listener, socket) = bind(&daemon.directory.path().join("few.sock"), None).unwrap();
    let (agent, _) = agent();
    let source = Source::Inventory(Store::new(&daemon.directory.path().join("few.json")));
    let (table, shared) = (agent.hit_table(), Shared::new(agent));
    let gatherer = Gatherer::open(
        shared.clone(),
        table,
        daemon.directory.path().join("few.usage"),
    );
    let router = router(shared, source, gatherer);
    tokio::spawn(serve_within(FEW, listener, router));
    Daemon {
        _socket: socket,
        ..daemon
    }
}

/// What peers do that wait for the daemon, beside it.
async fn peers<T: Send + 'static>(
    daemon: &Daemon,
    done: impl FnOnce(PathBuf) -> T + Send + 'static,
) -> T {
    let socket = daemon.directory.path().join("few.sock");
    spawn_blocking(move || done(socket)).await.unwrap()
}

fn connect(socket: &Path) -> UnixStream {
    let stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_write_timeout(Some(SOON)).unwrap();
    stream
}

/// All that is answered until the connection ends.
fn rest(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let hung_up = read.err().map(|error| error.kind());
    // Who is refused may have more to say than was read.
    assert!(
        matches!(hung_up, None | Some(ErrorKind::ConnectionReset)),
        "{hung_up:?}"
    );
    String::from_utf8_lossy(&answer).into_owned()
}

fn ask(socket: &Path, request: &str) -> String {
    let mut stream = connect(socket);
    // It may have been refused before all of it was written.
    let _ = stream.write_all(request.as_bytes());
    rest(&mut stream)
}

const STATUS: &str = "GET /v1/settings HTTP/1.1\r\nhost: sgd\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn who_says_nothing_or_half_a_request_is_hung_up_on() {
    let daemon = daemon();
    peers(&daemon, |socket| {
        for said in [
            "",
            "GET /v1/sta",
            "GET /v1/status HTTP/1.1\r\nhost: sgd\r\n",
        ] {
            assert_eq!(ask(&socket, said), "", "{said:?}");
        }
        let half = "POST /v1/explain HTTP/1.1\r\nhost: sgd\r\nconnection: close\r\n\
                    content-length: 10\r\n\r\n{";
        let answer = ask(&socket, half);
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn as_many_are_served_as_there_is_room_for_and_the_others_are_told() {
    let daemon = daemon();
    peers(&daemon, |socket| {
        let mut taken: Vec<_> = (0..FEW.connections).map(|_| connect(&socket)).collect();
        let answer = ask(&socket, STATUS);
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        let view: crate::view::ErrorView = serde_json::from_str(body).unwrap();
        assert!(view.hint.is_some(), "{view:?}");
        // Those that say nothing go by themselves.
        for stream in &mut taken {
            assert_eq!(rest(stream), "");
        }
        let answer = ask(&socket, STATUS);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn a_body_of_gigabytes_is_refused_when_it_is_too_long() {
    let daemon = daemon();
    peers(&daemon, |socket| {
        let head = "POST /v1/explain HTTP/1.1\r\nhost: sgd\r\nconnection: close\r\n";
        for length in [
            "content-length: 10000000000\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n40000000\r\n",
        ] {
            let answer = ask(&socket, &format!("{head}{length}{}", " ".repeat(3 << 20)));
            assert!(answer.starts_with("HTTP/1.1 413"), "{length}: {answer}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_does_not_read_is_hung_up_on() {
    let daemon = daemon();
    peers(&daemon, |socket| {
        let mut stream = connect(&socket);
        // Each answer is some ten thousand bytes: soon no buffer takes any more.
        let request = "GET /v1/openapi.json HTTP/1.1\r\nhost: sgd\r\n\r\n";
        let error = loop {
            if let Err(error) = stream.write_all(request.as_bytes()) {
                break error;
            }
        };
        let hung_up = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
        assert!(hung_up.contains(&error.kind()), "{error}");
    })
    .await;
}

#[tokio::test]
async fn deep_json_is_refused_by_every_route_that_takes_a_body() {
    let daemon = Daemon::told();
    for (method, route) in [
        ("PUT", "/v1/inventory"),
        ("POST", "/v1/transactions"),
        ("POST", "/v1/flows"),
        ("DELETE", "/v1/flows"),
        ("POST", "/v1/adoptions"),
        ("POST", "/v1/explain"),
    ] {
        for deep in [
            "[".repeat(400_000),
            "{\"ports\":".repeat(40_000),
            format!("{{\"ports\":{}", "[".repeat(400_000)),
            format!("{{\"ports\":{}{}}}", "[".repeat(40_000), "]".repeat(40_000)),
        ] {
            let method = hyper::Method::from_bytes(method.as_bytes()).unwrap();
            let client = daemon.client();
            let answer = client.exchange(method, route, deep.into_bytes());
            let (status, _) = answer.await.unwrap();
            assert!(status.is_client_error(), "{route}: {status}");
        }
    }
}
