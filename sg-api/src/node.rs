//! The node that the API runs on: its filter is told what the store has for it, and asked how its ports are.

mod daemon;

use std::path::Path;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};
use sg_store::{Follower, Store, Telling};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use daemon::Daemon;

/// How long is waited before all is told again, after something went wrong: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// How often the daemon is asked how its ports are.
const ASKED: Duration = Duration::from_secs(5);

/// What is known of the node: nothing, while its daemon does not answer.
pub type Local = watch::Receiver<Option<(String, Value)>>;

/// Tells the daemon at a socket what a store has for a host, for as long as somebody looks at what is known of it.
pub fn tell(store: Store, socket: &Path, host: &str) -> Local {
    let (told, local) = watch::channel(None);
    let node = Node {
        daemon: Daemon::new(socket),
        host: host.into(),
        told,
        forgot: Notify::new(),
    };
    let follower = Follower::new(store, host, None);
    tokio::spawn(async move {
        tokio::select! {
            () = node.follow(follower) => {}
            () = node.watch() => {}
            () = node.told.closed() => {}
        }
    });
    local
}

struct Node {
    daemon: Daemon,
    host: String,
    told: watch::Sender<Option<(String, Value)>>,
    /// The daemon did not answer: it may have forgotten what it was told.
    forgot: Notify,
}

impl Node {
    /// Tells the daemon what is new. Never ends.
    async fn follow(&self, mut follower: Follower) {
        let (first, longest) = PAUSES;
        let mut pause = first;
        loop {
            let told = tokio::select! {
                told = self.step(&mut follower) => told,
                () = self.forgot.notified() => {
                    follower.begin_anew();
                    continue;
                }
            };
            match told {
                Ok(()) => pause = first,
                Err(error) => {
                    self.lost(&error);
                    // What was told and what was not is not known any more.
                    follower.begin_anew();
                    sleep(pause).await;
                    pause = longest.min(pause * 2);
                }
            }
        }
    }

    async fn step(&self, follower: &mut Follower) -> Result<(), String> {
        let telling = follower.next().await.map_err(|error| error.to_string())?;
        self.pass_on(&telling).await?;
        // Whoever has waited for the change sees what became of it.
        self.look().await
    }

    /// Asks the daemon how its ports are, now and then. Never ends.
    async fn watch(&self) {
        loop {
            if let Err(error) = self.look().await {
                self.lost(&error);
                self.forgot.notify_one();
            }
            sleep(ASKED).await;
        }
    }

    fn lost(&self, error: &str) {
        tracing::warn!("the filter of this node: {error}");
        self.told.send_replace(None);
    }

    async fn pass_on(&self, telling: &Telling) -> Result<(), String> {
        let path = "/v1/transactions";
        let answer = self.daemon.ask(Method::POST, path, telling.to_json());
        let (status, answer) = answer.await?;
        match status {
            StatusCode::OK => Ok(()),
            // It is taken all the same, and tried again there.
            StatusCode::INTERNAL_SERVER_ERROR if answer.get("revision").is_some() => Ok(()),
            _ => Err(format!(
                "it refuses what it is told ({status}): {}",
                answer["error"].as_str().unwrap_or("without a reason")
            )),
        }
    }

    async fn look(&self) -> Result<(), String> {
        let (status, ports) = self
            .daemon
            .ask(Method::GET, "/v1/ports", Vec::new())
            .await?;
        let Some(ports) = ports.as_array().filter(|_| status == StatusCode::OK) else {
            return Err(format!("it does not say how its ports are ({status})"));
        };
        let states = ports.iter().filter_map(|port| {
            let id = port["id"].as_str()?;
            Some((id.to_owned(), port["state"].clone()))
        });
        let states: Map<String, Value> = states.collect();
        let known = json!({
            "host": self.host,
            "version": env!("CARGO_PKG_VERSION"),
            "states": states,
            "time": jiff::Timestamp::now().to_string(),
        });
        self.told.send_replace(Some((self.host.clone(), known)));
        Ok(())
    }
}
