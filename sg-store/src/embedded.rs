//! A store in a file of this node's, for one process.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task;

use crate::kv::{Batch, Change, Condition, Entry, Outcome, Range, Revision, Snapshot, Write};
use crate::{Error, Result};

/// When each key was written last, and its value.
const ENTRIES: TableDefinition<'_, &str, (Revision, &[u8])> = TableDefinition::new("entries");

/// The number of the store, under the only key.
const NUMBER: TableDefinition<'_, (), u64> = TableDefinition::new("number");

/// The newest revision, under the only key.
const NEWEST: TableDefinition<'_, (), Revision> = TableDefinition::new("newest");

/// How many commits a follower may lag behind.
const BACKLOG: usize = 1024;

/// The store. Its clones are the same store.
#[derive(Clone, Debug)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    file: Database,
    /// Held while a commit is made: followers are told in the order of revisions.
    told: Mutex<broadcast::Sender<Arc<Batch>>>,
}

impl Embedded {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    ///
    /// The file cannot be used, or another process has it open.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |source: redb::Error| failed(path, source);
        let file = Database::create(path).map_err(|error| failed(error.into()))?;
        make_tables(&file).map_err(failed)?;
        let (told, _) = broadcast::channel(BACKLOG);
        Ok(Self(Arc::new(Inner {
            path: path.into(),
            file,
            told: Mutex::new(told),
        })))
    }

    pub(crate) async fn read(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        let ranges = ranges.to_vec();
        let snapshot = self.beside(move |inner| read(&inner.file, &ranges)).await?;
        match at {
            Some(at) if at != snapshot.revision => Err(Error::Compacted(at)),
            _ => Ok(snapshot),
        }
    }

    pub(crate) async fn commit(
        &self,
        conditions: Vec<Condition>,
        writes: Vec<Write>,
    ) -> Result<Outcome> {
        self.beside(move |inner| {
            let told = inner.told.lock().unwrap_or_else(PoisonError::into_inner);
            let (outcome, batch) = commit(&inner.file, &conditions, writes)?;
            if let Some(batch) = batch {
                // Nobody may be listening.
                let _ = told.send(Arc::new(batch));
            }
            Ok(outcome)
        })
        .await
    }

    pub(crate) fn watch(&self, ranges: Vec<Range>, behind: Revision) -> Result<Watch> {
        let told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = newest(&self.0.file).map_err(|source| failed(&self.0.path, source))?;
        // What was written between the reading and now is told to nobody any more.
        if newest > behind {
            return Err(Error::Compacted(behind));
        }
        Ok(Watch {
            told: told.subscribe(),
            ranges,
            seen: behind,
        })
    }

    /// Files take their time: what waits for one waits beside.
    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> std::result::Result<T, redb::Error> + Send + 'static,
    ) -> Result<T> {
        let inner = self.0.clone();
        let path = self.0.path.clone();
        let done = task::spawn_blocking(move || work(&inner)).await;
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(|source| failed(&path, source))
    }
}

/// The changes of an embedded store.
#[derive(Debug)]
pub struct Watch {
    told: broadcast::Receiver<Arc<Batch>>,
    ranges: Vec<Range>,
    seen: Revision,
}

impl Watch {
    pub(crate) fn upto(&self) -> Revision {
        self.seen
    }

    /// Follows more ranges, from the changes on that come next.
    pub(crate) fn follow(&mut self, ranges: Vec<Range>) {
        self.ranges.extend(ranges);
    }

    pub(crate) fn forget(&mut self, ranges: &[Range]) {
        self.ranges.retain(|range| !ranges.contains(range));
    }

    pub(crate) async fn next(&mut self) -> Result<Batch> {
        loop {
            let batch = match self.told.recv().await {
                Ok(batch) => batch,
                Err(RecvError::Lagged(_) | RecvError::Closed) => {
                    return Err(Error::Compacted(self.seen));
                }
            };
            if batch.revision <= self.seen {
                continue;
            }
            self.seen = batch.revision;
            let is_wanted = |change: &&Change| {
                let key = change.key();
                self.ranges.iter().any(|range| range.contains(key))
            };
            let changes: Vec<Change> = batch.changes.iter().filter(is_wanted).cloned().collect();
            if !changes.is_empty() {
                return Ok(Batch {
                    revision: batch.revision,
                    changes,
                    is_whole: true,
                });
            }
        }
    }
}

fn make_tables(file: &Database) -> std::result::Result<(), redb::Error> {
    let writing = file.begin_write()?;
    writing.open_table(ENTRIES)?;
    writing.open_table(NEWEST)?;
    {
        let mut number = writing.open_table(NUMBER)?;
        let is_new = number.get(())?.is_none();
        if is_new {
            number.insert((), fastrand::u64(1..))?;
        }
    }
    writing.commit()?;
    Ok(())
}

fn newest(file: &Database) -> std::result::Result<Revision, redb::Error> {
    let table = file.begin_read()?.open_table(NEWEST)?;
    Ok(table.get(())?.map_or(0, |newest| newest.value()))
}

fn read(file: &Database, ranges: &[Range]) -> std::result::Result<Snapshot, redb::Error> {
    let reading = file.begin_read()?;
    let revision = reading
        .open_table(NEWEST)?
        .get(())?
        .map_or(0, |newest| newest.value());
    let store = reading.open_table(NUMBER)?.get(())?;
    let store = store.map_or(0, |number| number.value());
    let table = reading.open_table(ENTRIES)?;
    let mut entries = Vec::new();
    for range in ranges {
        let first = match range {
            Range::Key(key) | Range::Prefix(key) => key.as_str(),
        };
        for entry in table.range(first..)? {
            let (key, value) = entry?;
            let (revision, value) = value.value();
            let key = key.value();
            if !range.contains(key) {
                break;
            }
            entries.push(Entry {
                key: key.into(),
                value: value.into(),
                revision,
            });
        }
    }
    entries.sort_by(|a: &Entry, b| a.key.cmp(&b.key));
    entries.dedup_by(|a, b| a.key == b.key);
    Ok(Snapshot {
        store,
        revision,
        entries,
    })
}

fn commit(
    file: &Database,
    conditions: &[Condition],
    writes: Vec<Write>,
) -> std::result::Result<(Outcome, Option<Batch>), redb::Error> {
    let writing = file.begin_write()?;
    let batch = {
        let mut newest = writing.open_table(NEWEST)?;
        let mut entries = writing.open_table(ENTRIES)?;
        for condition in conditions {
            let now = entries.get(condition.key.as_str())?;
            if now.map_or(0, |now| now.value().0) != condition.revision {
                return Ok((Outcome::Conflict, None));
            }
        }
        let revision = newest.get(())?.map_or(0, |newest| newest.value()) + 1;
        newest.insert((), revision)?;
        let mut changes = Vec::with_capacity(writes.len());
        for write in writes {
            match write {
                Write::Put { key, value } => {
                    entries.insert(key.as_str(), (revision, value.as_slice()))?;
                    changes.push(Change::Put(Entry {
                        key,
                        value,
                        revision,
                    }));
                }
                Write::Delete { key } => {
                    if entries.remove(key.as_str())?.is_some() {
                        changes.push(Change::Delete { key, revision });
                    }
                }
            }
        }
        changes.sort_by(|a, b| a.key().cmp(b.key()));
        Batch {
            revision,
            changes,
            is_whole: true,
        }
    };
    writing.commit()?;
    Ok((Outcome::Written(batch.revision), Some(batch)))
}

fn failed(path: &Path, source: redb::Error) -> Error {
    Error::File {
        path: path.into(),
        source: Box::new(source),
    }
}
