//! What a node says of itself in the store, for as long as it lives.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;
use sg_store::{Etcd, Key, Lease};
use tokio::{
    sync::{Mutex, Notify},
    time::{Instant, sleep_until, timeout},
};

use super::contact::Contact;
use crate::{
    agent::Shared,
    events::time,
    model::Fault,
    view::{PortState, PortTally},
};

/// For so long it is there after the node was heard last.
const LIFETIME: Duration = Duration::from_secs(30);

/// How often the node says that it lives.
const ALIVE: Duration = Duration::from_secs(8);

/// How often it is written at most, and looked at whether it has changed.
const SELDOM: Duration = Duration::from_secs(5);

/// How long taking it away may take.
const LEAVING: Duration = Duration::from_secs(2);

/// How many faults it names.
const FAULTS: usize = 100;

/// The status of a node.
#[derive(Debug)]
pub(super) struct Status {
    key: String,
    host: String,
    etcd: Etcd,
    contact: Arc<Contact>,
    lease: Mutex<Option<Lease>>,
}

/// Its value.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Value {
    layout: u32,
    version: &'static str,
    host: String,
    revision: u64,
    ports: PortTally,
    states: BTreeMap<String, PortState>,
    faults: Vec<Fault>,
    /// How many faults there are more.
    more_faults: usize,
}

#[derive(Serialize)]
struct Stamped<'a> {
    #[serde(flatten)]
    value: &'a Value,
    time: String,
}

impl Status {
    pub fn new(host: &str, etcd: Etcd, contact: Arc<Contact>) -> Self {
        Self {
            key: Key::Status(host.into()).to_string(),
            host: host.into(),
            etcd,
            contact,
            lease: Mutex::default(),
        }
    }

    /// Takes it away.
    pub async fn leave(&self) {
        let lease = self.lease.lock().await.take();
        if let Some(lease) = lease {
            // What cannot be taken away now goes by itself.
            let _ = timeout(LEAVING, lease.revoke()).await;
        }
    }

    /// Keeps it, at once when there are news and nothing was written for a while. Never ends; may be dropped.
    pub async fn keep(&self, shared: &Shared, news: &Notify) {
        let mut written: Option<Value> = None;
        let mut next = Instant::now();
        let mut alive = Instant::now() + ALIVE;
        loop {
            let _ = timeout(SELDOM, news.notified()).await;
            sleep_until(next).await;
            next = Instant::now() + SELDOM;
            if alive <= Instant::now() {
                alive = Instant::now() + ALIVE;
                if !self.is_kept().await {
                    written = None;
                }
            }
            let value = self.value(shared).await;
            if written.as_ref() == Some(&value) || !self.contact.view().connected {
                continue;
            }
            match self.write(&value).await {
                Ok(()) => written = Some(value),
                Err(error) => {
                    tracing::warn!("the status of this node is not in the store: {error}");
                    *self.lease.lock().await = None;
                    written = None;
                }
            }
        }
    }

    /// Whether what was written is kept; it is forgotten if not.
    async fn is_kept(&self) -> bool {
        let mut lease = self.lease.lock().await;
        let Some(held) = lease.as_ref() else {
            return false;
        };
        let is_kept = held.keep_alive().await.is_ok();
        if !is_kept {
            *lease = None;
        }
        is_kept
    }

    async fn write(&self, value: &Value) -> sg_store::Result<()> {
        let mut lease = self.lease.lock().await;
        let held = match lease.take() {
            Some(held) => held,
            None => self.etcd.lease(LIFETIME).await?,
        };
        let held = lease.insert(held);
        let stamped = Stamped {
            value,
            time: time(SystemTime::now()),
        };
        // What it is made of always is JSON.
        let text = serde_json::to_vec(&stamped).unwrap_or_default();
        held.put(&self.key, &text).await
    }

    async fn value(&self, shared: &Shared) -> Value {
        let revision = self.contact.view().revision;
        let agent = shared.agent().await;
        let ports = agent.ports();
        let mut faults = agent.faults();
        let tally = agent.tally();
        drop(agent);
        let more_faults = faults.len().saturating_sub(FAULTS);
        faults.truncate(FAULTS);
        Value {
            layout: 1,
            version: env!("CARGO_PKG_VERSION"),
            host: self.host.clone(),
            revision,
            ports: tally,
            states: ports
                .into_iter()
                .map(|port| (port.id, port.state))
                .collect(),
            faults,
            more_faults,
        }
    }
}
