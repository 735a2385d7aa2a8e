//! Who writes to the store, as the API does: each commit only if the one before it is the last.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use sg_store::{Condition, EtcdOptions, Key, Outcome, Revision, Store, Write};
use tokio::time::sleep;

use super::history::History;

/// etcd takes no more than 128 operations in one commit.
const OPERATIONS: usize = 100;

/// How long etcd may be away.
const PATIENCE: Duration = Duration::from_secs(120);

/// The only writer.
#[derive(Debug)]
pub struct Writer {
    store: Store,
    history: History,
    /// The last commit, and how many there were.
    head: Revision,
    count: u64,
}

impl Writer {
    /// Writes to the cluster that is reached so.
    ///
    /// # Errors
    /// If it cannot be written to.
    pub async fn new(urls: &str) -> Result<Self> {
        let store = Store::etcd(EtcdOptions::at(urls))?;
        store.prepare().await?;
        Ok(Self {
            store,
            history: History::default(),
            head: 0,
            count: 0,
        })
    }

    /// All that was written.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Writes many commits, several at once where they fit; returns of how many keys.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub async fn fill(&mut self, commits: Vec<Vec<Write>>) -> Result<usize> {
        let (mut waiting, mut count) = (Vec::new(), 0);
        for writes in commits {
            count += writes.len();
            if waiting.len() + writes.len() > OPERATIONS {
                self.write(std::mem::take(&mut waiting)).await?;
            }
            waiting.extend(writes);
        }
        self.write(waiting).await?;
        Ok(count)
    }

    /// Writes once, however often it has to be tried; returns at which revision.
    ///
    /// # Errors
    /// The store is away for too long, or somebody else writes.
    pub async fn write(&mut self, mut writes: Vec<Write>) -> Result<Revision> {
        self.count += 1;
        let key = Key::Head.to_string();
        writes.push(Write::Put {
            key: key.clone(),
            value: self.count.to_string().into_bytes(),
        });
        let only_behind = [Condition {
            key: key.clone(),
            revision: self.head,
        }];
        let deadline = Instant::now() + PATIENCE;
        let revision = loop {
            let written = self
                .store
                .commit_once(&key, &only_behind, &writes, PATIENCE);
            match written.await {
                Ok(Outcome::Written(revision)) => break revision,
                Ok(Outcome::Conflict) => bail!("somebody else writes, too"),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        };
        self.head = revision;
        self.history.note(revision, &writes);
        Ok(revision)
    }
}
