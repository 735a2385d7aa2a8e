//! The daemon of the node that the API runs on is told what the store has for it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use sg_api::commit::Desk;
use sg_api::node;
use sg_api::serve::{Front, Rates};
use tokio::net::UnixListener;
use tokio::time::sleep;

use crate::common::{Server, store};

/// A daemon that takes what it is told, from the revision that it has.
#[derive(Clone, Default)]
struct Daemon(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    transactions: Vec<Value>,
    in_force: Option<u64>,
    ports: Vec<String>,
    /// How often it was asked how its ports are.
    asked: usize,
}

impl Daemon {
    fn listen(&self, listener: UnixListener) {
        let routes = Router::new()
            .route("/v1/transactions", post(Self::take))
            .route("/v1/ports", get(Self::ports))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
    }

    async fn take(
        State(daemon): State<Self>,
        Json(told): Json<Value>,
    ) -> (StatusCode, Json<Value>) {
        let mut state = daemon.0.lock().unwrap();
        let is_complete = told["complete"] == true;
        if !is_complete && told["base"].as_u64() != state.in_force {
            return (
                StatusCode::CONFLICT,
                Json(json!({"error": "not what is in force"})),
            );
        }
        state.in_force = told["revision"].as_u64();
        for (id, port) in told["ports"].as_object().unwrap() {
            state.ports.retain(|other| other != id);
            if !port.is_null() {
                state.ports.push(id.clone());
            }
        }
        let revision = state.in_force;
        state.transactions.push(told);
        (
            StatusCode::OK,
            Json(json!({"revision": revision, "ports": {}, "faults": []})),
        )
    }

    async fn ports(State(daemon): State<Self>) -> Json<Value> {
        let mut state = daemon.0.lock().unwrap();
        state.asked += 1;
        let ports = state.ports.iter();
        Json(
            ports
                .map(|id| json!({"id": id, "state": "enforcing"}))
                .collect(),
        )
    }

    fn transactions(&self) -> Vec<Value> {
        self.0.lock().unwrap().transactions.clone()
    }

    /// The transaction in which a port was told last.
    async fn told(&self, port: &str) -> Value {
        for _ in 0..200 {
            let transactions = self.transactions();
            let named = |told: &&Value| told["ports"].get(port).is_some();
            if let Some(told) = transactions.iter().rev().find(named) {
                return told.clone();
            }
            sleep(Duration::from_millis(50)).await;
        }
        panic!("{port} was not told");
    }
}

#[tokio::test]
async fn a_node_is_told_its_ports_and_what_they_hang_on_and_says_how_they_are() {
    let (folder, store) = store();
    let socket = folder.path().join("sgd.sock");
    let daemon = Daemon::default();
    daemon.listen(UnixListener::bind(&socket).unwrap());
    let desk = Desk::open(store.clone()).await.unwrap();
    let server = Server::of(Front {
        desk: desk.on(node::tell(store, &socket, "here")),
        scheme: "http",
        users: None,
        rates: Rates::new(1000),
        only_by_address: true,
    });
    let web = json!({"security_group": {"name": "web"}});
    let web = server.make("/v2.0/security-groups", web).await;
    let net = server.make("/v2.0/networks", json!({"network": {}})).await;
    let port = |host: &str| json!({"port": {"network_id": net, "security_groups": [web], "binding:host_id": host}});
    let here = server.make("/v2.0/ports", port("here")).await;
    let there = server.make("/v2.0/ports", port("there")).await;
    let told = daemon.told(&here).await;
    assert_eq!(told["ports"][&here]["security_groups"], json!([web]));
    let group = &told["security_groups"][&web];
    assert_eq!(group["security_group_rules"].as_array().unwrap().len(), 2);
    // A rule that comes later is told with its group.
    let rule = json!({"security_group_id": web, "direction": "ingress", "protocol": "tcp"});
    server
        .make(
            "/v2.0/security-group-rules",
            json!({"security_group_rule": rule}),
        )
        .await;
    let is_told = |told: &Value| {
        let rules = told["security_groups"][&web]["security_group_rules"].as_array();
        rules.is_some_and(|rules| rules.len() == 3)
    };
    for _ in 0..100 {
        if daemon.transactions().iter().any(is_told) {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let transactions = daemon.transactions();
    assert!(transactions.iter().any(is_told));
    // What is on another host is nobody's business here.
    assert!(
        transactions
            .iter()
            .all(|told| told["ports"].get(&there).is_none())
    );
    let status = async |id: &str| {
        let (_, answer) = server
            .say("GET", &format!("/v2.0/ports/{id}"), Value::Null)
            .await;
        let port = &answer["port"];
        (port["status"].clone(), port["binding:vif_type"].clone())
    };
    assert_eq!(status(&here).await, (json!("ACTIVE"), json!("tap")));
    assert_eq!(
        status(&there).await,
        (json!("DOWN"), json!("binding_failed"))
    );
    let (_, agents) = server
        .say("GET", "/v2.0/agents?fields=host&fields=alive", Value::Null)
        .await;
    assert_eq!(agents, json!({"agents": [{"host": "here", "alive": true}]}));
    // A daemon that has forgotten everything is told everything.
    *daemon.0.lock().unwrap() = Told::default();
    let rule = json!({"security_group_id": web, "direction": "ingress", "protocol": "udp"});
    server
        .make(
            "/v2.0/security-group-rules",
            json!({"security_group_rule": rule}),
        )
        .await;
    assert_eq!(daemon.told(&here).await["complete"], true);
}

#[tokio::test]
async fn a_node_for_which_nothing_changes_is_told_nothing_however_often_it_is_asked() {
    let (folder, store) = store();
    let socket = folder.path().join("sgd.sock");
    let daemon = Daemon::default();
    daemon.listen(UnixListener::bind(&socket).unwrap());
    // Whoever opens the store lays it out.
    let _desk = Desk::open(store.clone()).await.unwrap();
    let _local = node::tell(store, &socket, "here");
    let asked = || daemon.0.lock().unwrap().asked;
    for _ in 0..400 {
        if asked() >= 4 {
            break;
        }
        sleep(Duration::from_millis(50)).await;
    }
    assert!(asked() >= 4, "asked {} times", asked());
    let transactions = daemon.transactions();
    assert_eq!(transactions.len(), 1, "{transactions:#?}");
}
