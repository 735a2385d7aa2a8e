//! Bodies of requests. The first line of an input is the method and the path.

use std::sync::LazyLock;

use axum::{Router, body::Body, http::Request};
use http_body_util::BodyExt;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::runtime::{Builder, Runtime};

use crate::agent::{
    Gatherer, Shared,
    tests::{LINK, agent, inventory},
};
use crate::api::{Source, router};
use crate::netlink::LinkEvent;
use crate::store::Store;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().unwrap());

/// The routes over an agent that enforces something.
fn routes() -> Router {
    let (mut agent, _) = agent();
    agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
    let read = crate::agent::Read::new(
        &inventory(serde_json::json!({})),
        &agent.inventory().unwrap(),
    );
    agent.take(read.unwrap()).unwrap();
    agent.settle().unwrap();
    // Nothing can be kept there.
    let source = Source::Inventory(Store::new("/proc/sg/inventory.json".as_ref()));
    let (table, shared) = (agent.hit_table(), Shared::new(agent));
    let gatherer = Gatherer::open(shared.clone(), table, "/proc/sg/usage.json".into());
    router(shared, source, gatherer)
}

fn check(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n');
    let (line, body) = match end {
        Some(end) => (&input[..end], &input[end + 1..]),
        None => (input, &[][..]),
    };
    let line = String::from_utf8_lossy(line);
    let (method, path) = line.split_once(' ').unwrap_or(("GET", &line));
    let request = Request::builder().method(method).uri(path);
    let Ok(request) = request.body(Body::from(body.to_vec())) else {
        return;
    };
    let answer = RUNTIME.block_on(async {
        let response = TowerToHyperService::new(routes())
            .call(request)
            .await
            .unwrap();
        let status = response.status();
        (status, response.into_body().collect().await)
    });
    let (status, body) = answer;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    assert!(status.as_u16() >= 200, "{line}: {status}");
    if status.is_client_error() && status != 404 && status != 405 {
        let said: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert!(said["error"].is_string(), "{line}: {said}");
    }
}

super::target!("api", check);
