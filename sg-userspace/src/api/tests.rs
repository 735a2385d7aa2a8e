//! The interface from end to end: a client, a socket, the routes, an agent on a pretended kernel.

mod crowd;
mod openapi;
mod page;
mod schema;

use std::{path::Path, sync::Arc};

use clap::Parser;
use serde_json::json;
use sg_common::hook::Hook;
use tokio::sync::Mutex;

use super::*;
use crate::{
    agent::{
        Agent, Gatherer, Shared,
        double::Double,
        tests::{LINK, WEB1, agent, flow, inventory},
    },
    cli::Sgctl,
    events::{self, Hub},
    exit::Exit,
    flows::FlowFilter,
    model::Step,
    netlink::LinkEvent,
    store::{Journal, Store},
};

/// A daemon in a directory of its own, which lives as long as the test.
struct Daemon {
    directory: tempfile::TempDir,
    kernel: Double,
    _socket: Socket,
}

/// A kernel that tells nothing.
struct Quiet;

impl events::Source for Quiet {
    fn want(&self, _: &events::Wanted) -> crate::error::Result<()> {
        Ok(())
    }

    fn lost(&self) -> crate::error::Result<Vec<events::Lost>> {
        Ok(Vec::new())
    }

    fn accounts(&self) -> crate::error::Result<Vec<events::Accounted>> {
        Ok(Vec::new())
    }
}

impl Daemon {
    /// One that follows an inventory.
    fn start() -> Self {
        Self::of(|_, directory| Source::Inventory(Store::new(&directory.join("inventory.json"))))
    }

    /// One that transactions tell.
    fn told() -> Self {
        Self::of(|agent, directory| {
            let (journal, steps) = Journal::open::<Step>(&directory.join("state")).unwrap();
            agent.recall(steps).unwrap();
            Source::Transactions(Arc::new(Mutex::new(journal)))
        })
    }

    fn of(source: impl FnOnce(&mut Agent, &Path) -> Source) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (listener, socket) = bind(&directory.path().join("sgd.sock"), None).unwrap();
        let (mut agent, kernel) = agent();
        agent.links(LinkEvent::All(vec![LINK.clone()])).unwrap();
        let source = source(&mut agent, directory.path());
        let table = agent.hit_table();
        let shared = Shared::new(agent);
        let gatherer = Gatherer::open(shared.clone(), table, directory.path().join("usage"));
        let router = router(shared.clone(), source, gatherer)
            .merge(Metrics::new(shared, Hub::new(Arc::new(Quiet))).routes());
        tokio::spawn(serve(listener, router));
        Self {
            directory,
            kernel,
            _socket: socket,
        }
    }

    fn socket(&self) -> std::path::PathBuf {
        self.directory.path().join("sgd.sock")
    }

    fn client(&self) -> Client {
        Client::new(&self.socket())
    }

    fn file(&self, document: &[u8]) -> String {
        let file = self.directory.path().join("given.json");
        std::fs::write(&file, document).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// Runs `sgctl` with these arguments.
    async fn sgctl(&self, arguments: &str) -> Exit {
        let socket = self.socket();
        let command = format!("sgctl --socket {} {arguments}", socket.display());
        let sgctl = Sgctl::try_parse_from(command.split(' ')).unwrap();
        sgctl.run().await.unwrap_or_else(|error| error.exit())
    }
}

#[tokio::test]
async fn an_inventory_is_applied_kept_and_shown() {
    let daemon = Daemon::start();
    let document = inventory(json!({}));
    let report = daemon.client().apply(document.clone()).await.unwrap();
    assert_eq!((report.ports.enforcing, report.ports.elsewhere), (1, 1));
    assert_eq!(daemon.kernel.places(), [7]);
    let kept = std::fs::read(daemon.directory.path().join("inventory.json")).unwrap();
    assert_eq!(kept, document);

    let client = daemon.client();
    assert_eq!(client.status().await.unwrap().inventory.revision, 1);
    assert_eq!(client.ports().await.unwrap().len(), 2);
    assert_eq!(client.groups().await.unwrap()[0].name, "WEB_SERVERS");
    assert_eq!(client.port("WEB1").await.unwrap().port.id, WEB1);
    assert_eq!(client.port("2001:db8::5").await.unwrap().port.id, WEB1);
    assert!(
        client
            .flows(&FlowFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(client.counters(None).await.unwrap().len(), 2);
    assert_eq!(
        client.counters(Some("WEB1")).await.unwrap()[0].interface,
        "tapweb1"
    );
}

#[tokio::test]
async fn a_malformed_inventory_is_refused_and_not_kept() {
    let daemon = Daemon::start();
    let error = daemon.client().apply(b"{".to_vec()).await.unwrap_err();
    assert_eq!(error.exit(), Exit::Malformed, "{error}");
    assert!(error.to_string().contains("is not JSON"), "{error}");
    assert!(!daemon.directory.path().join("inventory.json").exists());
}

#[tokio::test]
async fn the_exit_code_says_how_it_went() {
    let daemon = Daemon::start();
    let good = daemon.file(&inventory(json!({})));
    assert_eq!(daemon.sgctl(&format!("apply -f {good}")).await, Exit::Ok);
    assert_eq!(daemon.sgctl("show port WEB1").await, Exit::Ok);
    assert_eq!(daemon.sgctl("-o json list ports").await, Exit::Ok);
    assert_eq!(daemon.sgctl("list groups").await, Exit::Ok);
    assert_eq!(daemon.sgctl("list flows").await, Exit::Ok);
    assert_eq!(daemon.sgctl("list flows -o conntrack").await, Exit::Ok);
    assert_eq!(
        daemon.sgctl("flows list --port WEB1 -p tcp").await,
        Exit::Ok
    );
    assert_eq!(
        daemon.sgctl("flows list --port NOBODY").await,
        Exit::NotFound
    );
    assert_eq!(daemon.sgctl("status -o conntrack").await, Exit::Usage);
    assert_eq!(daemon.sgctl("flows delete -p tcp").await, Exit::Ok);
    assert_eq!(daemon.sgctl("flows delete").await, Exit::Usage);
    assert_eq!(daemon.sgctl("flows delete --all").await, Exit::Ok);
    assert_eq!(daemon.sgctl("counters WEB1").await, Exit::Ok);
    assert_eq!(daemon.sgctl("status").await, Exit::Ok);
    assert_eq!(daemon.sgctl("show port NOBODY").await, Exit::NotFound);

    let to = |port| format!("explain --port WEB1 --ingress tcp 198.51.100.7:40000 10.0.0.5:{port}");
    assert_eq!(daemon.sgctl(&to(80)).await, Exit::Ok);
    assert_eq!(daemon.sgctl(&to(22)).await, Exit::Dropped);
    let pending = "explain --port CLIENT --ingress icmp 10.0.0.5 10.0.0.6";
    assert_eq!(daemon.sgctl(pending).await, Exit::Failure);
    let nonsense = "explain --port WEB1 --ingress tcp 10.0.0.5 10.0.0.6";
    assert_eq!(daemon.sgctl(nonsense).await, Exit::Usage);

    let faulty = daemon.file(&inventory(json!({"mac_address": "?"})));
    assert_eq!(
        daemon.sgctl(&format!("check -f {faulty}")).await,
        Exit::LeftOut
    );
    assert_eq!(
        daemon.sgctl(&format!("apply -f {faulty}")).await,
        Exit::LeftOut
    );
    let malformed = daemon.file(b"[]");
    assert_eq!(
        daemon.sgctl(&format!("check -f {malformed}")).await,
        Exit::Malformed
    );
    assert_eq!(
        daemon.sgctl(&format!("apply -f {malformed}")).await,
        Exit::Malformed
    );
    assert_eq!(daemon.sgctl("apply -f /nowhere.json").await, Exit::Failure);
}

#[tokio::test]
async fn without_a_daemon_the_socket_is_named() {
    let error = Client::new(Path::new("/nowhere/sgd.sock"))
        .status()
        .await
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Unreachable);
    assert!(error.to_string().contains("/nowhere/sgd.sock"), "{error}");
}

#[tokio::test]
async fn what_the_kernel_refuses_is_an_error_and_kept_to_be_tried_again() {
    let daemon = Daemon::start();
    daemon.kernel.kernel().broken = Some("grants: no memory".into());
    let error = daemon
        .client()
        .apply(inventory(json!({})))
        .await
        .unwrap_err();
    assert_eq!(
        (error.exit(), error.to_string().as_str()),
        (Exit::Failure, "grants: no memory")
    );
    assert!(daemon.directory.path().join("inventory.json").exists());
}

#[tokio::test]
async fn an_inventory_that_cannot_be_kept_is_not_applied() {
    let daemon = Daemon::start();
    let file = daemon.directory.path().join("inventory.json");
    std::fs::create_dir(&file).unwrap();
    let error = daemon
        .client()
        .apply(inventory(json!({})))
        .await
        .unwrap_err();
    assert_eq!(error.exit(), Exit::Failure, "{error}");
    assert!(daemon.kernel.calls().is_empty());
}

#[tokio::test]
async fn answers_have_the_names_that_programs_read() {
    let daemon = Daemon::start();
    daemon.client().apply(inventory(json!({}))).await.unwrap();
    let detail = daemon.client().port("WEB1").await.unwrap();
    let json = serde_json::to_value(&detail).unwrap();
    assert_eq!(json["state"], "enforcing");
    assert_eq!(json["mac_address"], "fa:16:3e:00:00:05");
    assert_eq!(
        json["counters"]["egress"]["spoofed_mac"],
        json!({"packets": 0, "bytes": 0})
    );
    assert_eq!(
        json["counters"]["ingress"]["no_rule"],
        json!({"packets": 0, "bytes": 0})
    );
    assert_eq!(json["ingress"][0]["outcome"], "drop");
}

#[tokio::test]
async fn connections_are_listed_page_by_page_and_carried_over() {
    let daemon = Daemon::start();
    daemon.client().apply(inventory(json!({}))).await.unwrap();
    daemon.kernel.kernel().now = 1;
    for number in 0..1000 {
        let (key, flow) = flow(Hook::ToVm, 40000 + number);
        daemon.kernel.kernel().flows.insert(key, flow);
    }
    let all = daemon.client().flows(&FlowFilter::default()).await.unwrap();
    assert_eq!(all.len(), 1000);
    assert!(
        all.iter()
            .zip(40000..)
            .all(|(flow, port)| flow.remote_port == port)
    );

    let file = daemon.directory.path().join("flows.json");
    let file = file.to_str().unwrap();
    let export = format!("flows export --port WEB1 -f {file}");
    assert_eq!(daemon.sgctl(&export).await, Exit::Ok);
    let import = format!("flows import --port WEB1 -f {file}");
    daemon.kernel.kernel().flows.clear();
    assert_eq!(daemon.sgctl(&import).await, Exit::Ok);
    assert_eq!(daemon.kernel.kernel().flows.len(), 1000);

    daemon.kernel.kernel().flows.clear();
    let other_port = format!("flows import --port CLIENT -f {file}");
    assert_eq!(daemon.sgctl(&other_port).await, Exit::Malformed);
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, &text[..text.len() / 2]).unwrap();
    assert_eq!(daemon.sgctl(&import).await, Exit::Malformed);
    assert!(daemon.kernel.kernel().flows.is_empty());
    std::fs::write(file, text).unwrap();
    let closed = inventory(json!({"security_groups": []}));
    daemon.client().apply(closed).await.unwrap();
    assert_eq!(daemon.sgctl(&import).await, Exit::LeftOut);
    assert!(daemon.kernel.kernel().flows.is_empty());
}

#[tokio::test]
async fn what_is_no_terminal_is_shown_rates_once() {
    let daemon = Daemon::start();
    let document = inventory(json!({}));
    daemon.client().apply(document).await.unwrap();
    for (arguments, exit) in [
        ("top --interval 100ms", Exit::Ok),
        (
            "top --interval 100ms --group WEB_SERVERS --limit 1 -o json",
            Exit::Ok,
        ),
        ("top --interval 100ms --port CLIENT", Exit::Ok),
        ("top --port NOBODY", Exit::NotFound),
        ("top --group NONE", Exit::NotFound),
    ] {
        assert_eq!(daemon.sgctl(arguments).await, exit, "{arguments}");
    }
}
