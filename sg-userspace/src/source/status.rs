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

use super::{contact::Contact, pause::Pause};
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

/// How often it is written though nothing has changed: somebody may have taken the key away, if only another daemon by
/// the same name that has ended.
const ANYWAY: Duration = Duration::from_secs(60);

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
    /// Whether the node follows the store, and why not.
    connected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    revision: u64,
    ports: PortTally,
    states: BTreeMap<String, PortState>,
    faults: Vec<Fault>,
    /// How many faults there are more.
    more_faults: usize,
}

/// What was written last, and when.
#[derive(Debug, Default)]
struct Written(Option<(Value, Instant)>);

impl Written {
    /// Whether a value is to be written now.
    fn is_old(&self, value: &Value, now: Instant) -> bool {
        let written = self.0.as_ref();
        written.is_none_or(|(written, at)| written != value || now >= *at + ANYWAY)
    }
}

/// What the store has refused to take, and until when it is left alone with it.
#[derive(Debug, Default)]
struct Refused {
    text: Option<String>,
    pause: Pause,
    until: Option<Instant>,
}

impl Refused {
    /// Whether it is to be tried. A store that is followed again is there.
    fn is_over(&self, is_connected: bool, now: Instant) -> bool {
        is_connected || self.until.is_none_or(|until| until <= now)
    }

    fn again(&mut self, error: &sg_store::Error, now: Instant) {
        let text = error.to_string();
        if self.text.as_ref() != Some(&text) {
            tracing::warn!("the status of this node is not in the store: {text}");
        }
        self.text = Some(text);
        self.until = Some(now + self.pause.next(fastrand::f64()));
    }
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

    /// Keeps it, at once when there are news and nothing was written for a while: of a store that is followed, and of
    /// one that is not taken, whose readers would take what was written last for how the node is. Never ends; may be
    /// dropped.
    pub async fn keep(&self, shared: &Shared, news: &Notify) {
        let (mut written, mut refused) = (Written::default(), Refused::default());
        let mut next = Instant::now();
        let mut alive = Instant::now() + ALIVE;
        loop {
            let _ = timeout(SELDOM, news.notified()).await;
            sleep_until(next).await;
            next = Instant::now() + SELDOM;
            if alive <= Instant::now() {
                alive = Instant::now() + ALIVE;
                if !self.is_kept().await {
                    written = Written::default();
                }
            }
            let value = self.value(shared).await;
            let now = Instant::now();
            if !written.is_old(&value, now) || !refused.is_over(value.connected, now) {
                continue;
            }
            match self.write(&value).await {
                Ok(()) => {
                    written = Written(Some((value, now)));
                    refused = Refused::default();
                }
                Err(error) => {
                    refused.again(&error, Instant::now());
                    *self.lease.lock().await = None;
                    written = Written::default();
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
        let source = self.contact.view();
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
            connected: source.connected,
            error: source.error,
            revision: source.revision,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn value(error: Option<&str>) -> Value {
        Value {
            layout: 1,
            version: "0",
            host: "n1".into(),
            connected: error.is_none(),
            error: error.map(str::to_owned),
            revision: 7,
            ports: PortTally::default(),
            states: BTreeMap::new(),
            faults: Vec::new(),
            more_faults: 0,
        }
    }

    #[test]
    fn it_is_written_when_it_has_changed_and_every_minute() {
        let begun = Instant::now();
        let after = |seconds| begun + Duration::from_secs(seconds);
        assert!(Written::default().is_old(&value(None), begun));
        let written = Written(Some((value(None), begun)));
        assert!(!written.is_old(&value(None), after(59)));
        assert!(written.is_old(&value(None), after(60)));
        assert!(written.is_old(&value(Some("no room")), after(1)));
    }

    #[test]
    fn a_node_that_does_not_follow_the_store_says_why_in_it() {
        let json = |error| serde_json::to_value(value(error)).unwrap();
        let follows = json(None);
        assert_eq!(follows["connected"], true);
        assert_eq!(follows.get("error"), None);
        let refuses = json(Some("it is another store"));
        assert_eq!(refuses["connected"], false);
        assert_eq!(refuses["error"], "it is another store");
        assert_eq!(refuses["revision"], 7);
    }

    #[test]
    fn a_store_that_cannot_be_written_is_left_alone_until_it_is_followed_again() {
        let begun = Instant::now();
        let error = sg_store::Error::NoLeader;
        let mut refused = Refused::default();
        assert!(refused.is_over(false, begun));
        for _ in 0..6 {
            refused.again(&error, begun);
        }
        refused.until = Some(begun + Duration::from_secs(20));
        assert!(!refused.is_over(false, begun + Duration::from_secs(19)));
        assert!(refused.is_over(false, begun + Duration::from_secs(20)));
        assert!(refused.is_over(true, begun));
    }
}
