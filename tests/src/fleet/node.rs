//! A node without a kernel: the daemon's own code follows the store and keeps the inventory that it would enforce.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sg_store::{EtcdOptions, Follower, Revision, Store};
use sg_userspace::model::{Inventory, Told, Transaction};
use tokio::time::sleep;

use super::history::Enforced;

/// How many states of a node are kept whole, to say how they differ.
const WHOLE: usize = 50;

/// The longest pause between two tries to reach the store.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// What a node has done so far.
#[derive(Debug, Default)]
pub struct Record {
    /// Which revisions it has applied when, from the first that came to the one that was applied; in order, and the
    /// first are its start.
    pub applied: Vec<(RangeInclusive<Revision>, Instant)>,
    /// What it enforced then, as a number, if that is kept.
    pub states: Vec<(Revision, u64)>,
    /// The first of these states, whole.
    pub first: Vec<Enforced>,
    /// How often it has read all anew, but for the first time.
    pub relists: u64,
    /// What was wrong last.
    pub error: Option<String>,
    /// What it was told so far, and what that comes to.
    told: Told,
    inventory: Inventory,
}

/// The record of a node that runs.
pub type Shared = Arc<Mutex<Record>>;

/// Follows the store as this host until dropped.
///
/// # Errors
/// If the options make no sense.
pub async fn run(
    urls: String,
    host: String,
    keep_states: bool,
    record: Shared,
) -> sg_store::Result<()> {
    let store = Store::etcd(EtcdOptions::at(urls))?;
    let mut follower = Follower::new(store, &host, None);
    let mut pause = Duration::from_millis(50);
    loop {
        match follower.next().await {
            Ok(telling) => {
                pause = Duration::from_millis(50);
                let (since, revision) = (telling.since, telling.revision);
                let complete = telling.complete;
                let body = telling.to_json();
                let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
                record.apply(&body);
                if complete && !record.applied.is_empty() {
                    record.relists += 1;
                }
                record.applied.push((since..=revision, Instant::now()));
                record.error = None;
                if keep_states {
                    let now = record.now();
                    record.states.push((revision, number(&now)));
                    if record.first.len() < WHOLE {
                        record.first.push(now);
                    }
                }
            }
            Err(error) => {
                record.lock().unwrap_or_else(PoisonError::into_inner).error =
                    Some(error.to_string());
                sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// A state as a number, to compare many.
#[must_use]
pub fn number(enforced: &Enforced) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{enforced:?}").hash(&mut hasher);
    hasher.finish()
}

impl Record {
    /// What it enforces now.
    #[must_use]
    pub fn now(&self) -> Enforced {
        Enforced::of(&self.inventory)
    }

    fn apply(&mut self, body: &[u8]) {
        let transaction = Transaction::parse(body);
        let transaction =
            transaction.unwrap_or_else(|e| panic!("what is told is not understood: {e}"));
        let step = self.told.step(&self.inventory, transaction);
        let step =
            step.unwrap_or_else(|e| panic!("what is told does not follow what was told: {e}"));
        self.told.take(&mut self.inventory, step);
    }
}
