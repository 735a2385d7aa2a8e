//! How a store that is followed is doing.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use sg_store::{Error, Etcd};

use crate::view::{SourceKind, SourceView};

/// What is known of a store.
#[derive(Debug)]
pub(super) struct Contact {
    etcd: Etcd,
    urls: String,
    host: String,
    now: Mutex<Now>,
}

#[derive(Debug, Default)]
struct Now {
    connected: bool,
    revision: u64,
    error: Option<String>,
    /// Why the next complete reading will have been.
    reason: Option<&'static str>,
    relists: BTreeMap<String, u64>,
}

impl Contact {
    pub fn new(etcd: Etcd, urls: &str, host: &str, revision: u64) -> Self {
        let now = Now {
            revision,
            ..Now::default()
        };
        Self {
            etcd,
            urls: urls.into(),
            host: host.into(),
            now: Mutex::new(now),
        }
    }

    /// Something was taken.
    pub fn took(&self, revision: u64, is_complete: bool) {
        let mut now = self.now();
        if is_complete {
            let reason = now.reason.take().unwrap_or("start");
            *now.relists.entry(reason.into()).or_default() += 1;
        }
        if !now.connected {
            tracing::info!(revision, host = %self.host, "follows the store {}", self.urls);
        }
        (now.connected, now.error, now.revision) = (true, None, revision);
    }

    /// It is followed no more, until something is taken again.
    pub fn lost(&self, error: &Error) {
        let text = error.to_string();
        let mut now = self.now();
        if now.error.as_ref() != Some(&text) {
            let revision = now.revision;
            match error.is_refusal() {
                true => tracing::error!(revision, "what was told last stays in force: {text}"),
                false => tracing::warn!(revision, "what was told last stays in force: {text}"),
            }
        }
        now.reason.get_or_insert(error.reason());
        (now.connected, now.error) = (false, Some(text));
    }

    /// As it is shown.
    pub fn view(&self) -> SourceView {
        let now = self.now();
        let traffic = self.etcd.traffic();
        SourceView {
            kind: SourceKind::Etcd,
            at: self.urls.clone(),
            host: Some(self.host.clone()),
            connected: now.connected,
            revision: now.revision,
            seconds_ago: traffic.silence().map(|silence| silence.as_secs()),
            error: now.error.clone(),
            relists: now.relists.clone(),
            events: traffic.events(),
            bytes: traffic.bytes(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
