//! What was heard of a cluster.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Counts of what watches have brought, and when the cluster was heard last.
#[derive(Debug, Default)]
pub struct Traffic {
    events: AtomicU64,
    bytes: AtomicU64,
    heard: Mutex<Option<Instant>>,
}

impl Traffic {
    /// How many changes of keys watches have brought.
    pub fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// How many bytes these have, keys and values.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// How long ago the cluster was heard last, if it ever was.
    pub fn silence(&self) -> Option<Duration> {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.map(|heard| heard.elapsed())
    }

    pub(crate) fn heard(&self) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = Some(Instant::now());
    }

    pub(crate) fn brought(&self, bytes: usize) {
        self.events.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
