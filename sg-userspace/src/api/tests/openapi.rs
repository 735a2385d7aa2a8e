//! The description of the interface, beside the interface.

use std::collections::BTreeSet;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{super::openapi::VERSION, Daemon, schema::Schemas};
use crate::agent::tests::{WEB1, inventory};

const METHODS: [Method; 5] = [
    Method::GET,
    Method::PUT,
    Method::POST,
    Method::DELETE,
    Method::PATCH,
];

impl Daemon {
    async fn ask(&self, method: Method, path: &str, body: &[u8]) -> (StatusCode, Vec<u8>) {
        let answer = self.client().exchange(method, path, body.to_vec()).await;
        let (status, body) = answer.unwrap();
        (status, body.to_vec())
    }

    async fn description(&self) -> Value {
        let (status, body) = self.ask(Method::GET, "/v1/openapi.json", b"").await;
        assert_eq!(status, StatusCode::OK);
        serde_json::from_slice(&body).unwrap()
    }

    /// Asks, and compares the answer with what the description says of it; returns its status.
    async fn check(&self, method: Method, path: &str, route: &str, body: &[u8]) -> u16 {
        let document = self.description().await;
        let (status, answer) = self.ask(method.clone(), path, body).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let operation = &document["paths"][route][method.as_str().to_lowercase()];
        let response = &operation["responses"][status.as_str()];
        let schema = &response["content"]["application/json"]["schema"];
        assert!(
            schema.is_object(),
            "{method} {route}: {status} is not described"
        );
        let checked = Schemas(&document).check(schema, &answer);
        checked.unwrap_or_else(|wrong| panic!("{method} {path}: {status}: {wrong}"));
        status.as_u16()
    }
}

/// `METHOD path` of each operation.
fn described(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    operations.collect()
}

#[tokio::test]
async fn what_is_described_is_answered_and_nothing_else() {
    let daemon = Daemon::start();
    let document = daemon.description().await;
    let described = described(&document);
    for path in document["paths"].as_object().unwrap().keys() {
        // Where Prometheus looks by itself, and in a format that has its own versions.
        let is_of_others = path == "/metrics";
        let is_ours = path.starts_with(&format!("/v{VERSION}/"));
        assert!(is_ours || is_of_others, "{path}");
        // That of events is a router of its own.
        if path == "/v1/events" {
            continue;
        }
        for method in METHODS {
            let (status, _) = daemon.ask(method.clone(), path, b"").await;
            let is_route = status != StatusCode::METHOD_NOT_ALLOWED;
            let is_described = described.contains(&format!("{method} {path}"));
            assert_eq!(is_route, is_described, "{method} {path}: {status}");
            assert_ne!(status, StatusCode::NOT_IMPLEMENTED, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_table_of_routes_has_those_that_are_described() {
    let rows = include_str!("../mod.rs").lines();
    let routes = rows.filter_map(|row| {
        let (request, _) = row.strip_prefix("//! | `")?.split_once('`')?;
        let (route, _) = request.split_once('?').unwrap_or((request, ""));
        Some(route.to_owned())
    });
    let described = described(&Daemon::start().description().await);
    assert_eq!(routes.collect::<BTreeSet<_>>(), described);
}

#[tokio::test]
async fn whatever_is_named_is_there_and_whatever_is_there_is_named() {
    fn names<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|field| names(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }
    let document = Daemon::start().description().await;
    let mut named = BTreeSet::new();
    names(&document, &mut named);
    let there = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys();
    let there: Vec<_> = there
        .map(|name| format!("#/components/schemas/{name}"))
        .collect();
    assert_eq!(named, there.iter().map(String::as_str).collect());
    assert!(!document.to_string().contains("[`"), "a link of the code's");
}

#[tokio::test]
async fn answers_are_as_described() {
    let daemon = Daemon::start();
    let put = |body: Value| {
        let document = inventory(body);
        let daemon = &daemon;
        async move {
            daemon
                .check(Method::PUT, "/v1/inventory", "/v1/inventory", &document)
                .await
        }
    };
    assert_eq!(put(json!({"mac_address": "?"})).await, 200);
    assert_eq!(put(json!({})).await, 200);
    let (key, flow) = super::flow(super::Hook::ToVm, 40000);
    daemon.kernel.kernel().flows.insert(key, flow);

    let port = format!("/v1/ports/{WEB1}");
    let flows = format!("{port}/flows");
    for (path, route, status) in [
        ("/v1/openapi.json", "/v1/openapi.json", 200),
        ("/v1/status", "/v1/status", 200),
        ("/v1/settings", "/v1/settings", 200),
        ("/v1/ports", "/v1/ports", 200),
        (&port, "/v1/ports/{port}", 200),
        ("/v1/ports/NOBODY", "/v1/ports/{port}", 404),
        (&flows, "/v1/ports/{port}/flows", 200),
        ("/v1/groups", "/v1/groups", 200),
        ("/v1/flows?protocol=6", "/v1/flows", 200),
        ("/v1/flows?protocol=tcp", "/v1/flows", 400),
        ("/v1/flows?port=NOBODY", "/v1/flows", 404),
        ("/v1/counters", "/v1/counters", 200),
        ("/v1/sample", "/v1/sample", 200),
        ("/v1/counters?port=a&port=b", "/v1/counters", 400),
        ("/v1/transactions", "/v1/transactions", 409),
    ] {
        assert_eq!(
            daemon.check(Method::GET, path, route, b"").await,
            status,
            "{path}"
        );
    }

    let ask = |to: &str| {
        let words = json!({
            "ethertype": "ipv4", "source": "198.51.100.7", "destination": to,
            "transport":
                {"protocol": "tcp", "source_port": 40000, "destination_port": 80, "flags": ["syn"]},
        });
        json!({"port": WEB1, "direction": "ingress", "packet": words}).to_string()
    };
    let (allowed, nonsense) = (ask("10.0.0.5"), ask("10.0.0.256"));
    let (_, export) = daemon.ask(Method::GET, &flows, b"").await;
    for (method, path, body, status) in [
        (Method::POST, "/v1/explain", allowed.as_bytes(), 200),
        (Method::POST, "/v1/explain", nonsense.as_bytes(), 400),
        (Method::POST, "/v1/flows", &export, 200),
        (Method::POST, "/v1/flows", b"{}", 422),
        (Method::DELETE, "/v1/flows", b"{}", 400),
        (Method::DELETE, "/v1/flows", br#"{"all": true}"#, 200),
        (Method::POST, "/v1/transactions", b"{}", 409),
        (Method::PUT, "/v1/inventory", b"{", 422),
    ] {
        let answered = daemon.check(method, path, path, body).await;
        assert_eq!(answered, status, "{path} {}", String::from_utf8_lossy(body));
    }
}

#[tokio::test]
async fn what_the_documentation_shows_of_transactions_is_as_described_and_taken() {
    let blocks = include_str!("../../../../docs/transactions.md").split("```json\n");
    let blocks = blocks.skip(1).filter_map(|rest| rest.split("```").next());
    let shown: Vec<Value> = blocks
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let [request, answer] = shown.as_slice() else {
        panic!("a request and an answer, not {}", shown.len());
    };
    let daemon = Daemon::told();
    let document = daemon.description().await;
    let schemas = Schemas(&document);
    let named = |name: &str| &document["components"]["schemas"][name];
    schemas.check(named("Transaction"), request).unwrap();
    schemas.check(named("TransactionReport"), answer).unwrap();

    let route = "/v1/transactions";
    let take = |body: Value| {
        let daemon = &daemon;
        async move {
            daemon
                .check(Method::POST, route, route, body.to_string().as_bytes())
                .await
        }
    };
    assert_eq!(take(json!({})).await, 422);
    assert_eq!(take(request.clone()).await, 409);
    let mut first = request.clone();
    first["base"] = Value::Null;
    assert_eq!(take(first).await, 200);
    assert_eq!(daemon.check(Method::GET, route, route, b"").await, 200);

    let wrong = [
        (json!({"session": 7}), "session"),
        (json!({"session": request["session"], "base": "1"}), "base"),
        (json!({"session": request["session"], "bas": 1}), "bas"),
        (json!({"base": null}), "required"),
    ];
    for (body, what) in wrong {
        let error = schemas.check(named("Transaction"), &body).unwrap_err();
        assert!(error.contains(what), "{body}: {error}");
    }
}
