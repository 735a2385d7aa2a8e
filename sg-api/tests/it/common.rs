//! A server without a network, and its answers.

use std::net::SocketAddr;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use axum::{Extension, Router};
use serde_json::Value;
use sg_api::commit::Desk;
use sg_api::serve::{Client, Front, Rates};
use sg_store::Store;
use tower::ServiceExt;

/// Where requests come from, and where they go to.
const CLIENT: ([u8; 4], u16) = ([127, 0, 0, 1], 40000);
pub const HOST: &str = "127.0.0.1:9696";

/// An answer.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answered {
    /// The body as JSON; `null` if it is empty.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A server in front of a store.
#[derive(Clone)]
pub struct Server(Router);

impl Server {
    /// One that lets everybody in.
    pub async fn before(store: &Store) -> Self {
        Self::of(Front {
            desk: Desk::open(store.clone()).await.unwrap(),
            scheme: "http",
            users: None,
            rates: Rates::new(1_000_000),
            only_by_address: true,
        })
    }

    /// What stands at this front.
    pub fn of(front: Front) -> Self {
        Self(
            front
                .routes()
                .layer(Extension(Client(SocketAddr::from(CLIENT)))),
        )
    }

    /// Asks.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> Answered {
        let mut request = Request::builder().method(method).uri(path);
        let says = |name: &str| {
            headers
                .iter()
                .any(|(said, _)| said.eq_ignore_ascii_case(name))
        };
        if !says("host") {
            request = request.header("host", HOST);
        }
        if body.is_some() && !says("content-type") {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.unwrap_or_default().to_owned()))
            .unwrap();
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answered {
            status: head.status.as_u16(),
            headers: head.headers,
            body: to_bytes(body, usize::MAX).await.unwrap().to_vec(),
        }
    }

    /// Asks with a body of JSON, and has one back.
    pub async fn say(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = (!body.is_null()).then(|| body.to_string());
        let answered = self.ask(method, path, &[], text.as_deref()).await;
        (answered.status, answered.json())
    }

    /// Makes something, and has its id.
    pub async fn make(&self, path: &str, body: Value) -> String {
        let (status, answer) = self.say("POST", path, body).await;
        assert_eq!(status, 201, "{answer}");
        let made = answer.as_object().unwrap().values().next().unwrap();
        made["id"].as_str().unwrap().to_owned()
    }
}

/// A store in a folder that goes with it.
pub fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::embedded(&folder.path().join("state.redb")).unwrap();
    (folder, store)
}
