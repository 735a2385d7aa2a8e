//! A follower's watch over a stream that tells several ranges at once.
//!
//! What one commit has changed may come in pieces, one for each range, and a range that was added catches up
//! beside the others. So a revision is handed out only when all of it is known to have come: the store is asked
//! how far it has told, and its answer comes behind what it is about (a fence). Of a store whose answers may
//! overtake is only known that something has changed. A range alone needs neither.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::kv::{Batch, Change, Range, Revision};
use crate::order::Order;
use crate::{Error, Result};

/// A store that still catches up does not answer: after this it is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// For how long a store with fences may owe an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// How often a store is asked that says nothing, so that it is known how old is what is known.
const BEAT: Duration = Duration::from_secs(5);

/// What a stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A range is followed from now on; and which revision the store has come to when it says so.
    Created(i64, Revision),
    /// Something has changed in a range.
    Changes(Vec<Change>),
    /// The answer to [`Wire::ask`]: all up to here was told.
    Progress(Revision),
    /// A range is not followed any more.
    Cancelled {
        /// Which, or none of them.
        id: i64,
        /// Because it lies further back than the store remembers.
        compacted: bool,
        /// Why else.
        reason: String,
    },
}

/// A stream of watches.
pub(crate) trait Wire {
    /// Has a range followed.
    async fn create(&mut self, id: i64, range: &Range, behind: Revision) -> Result<()>;
    /// Has it followed no more.
    async fn cancel(&mut self, id: i64) -> Result<()>;
    /// Asks how far all was told.
    async fn ask(&mut self) -> Result<()>;
    /// The next message. May be dropped at any time.
    async fn message(&mut self) -> Result<Message>;
}

/// A watch over a stream.
#[derive(Debug)]
pub(crate) struct Ordered<W> {
    wire: W,
    order: Order,
    has_fences: bool,
    ranges: BTreeMap<Range, i64>,
    last_id: i64,
    /// Ranges that the store has not yet said it follows: it may hold back their changes, behind a fence.
    uncreated: BTreeSet<i64>,
    /// The newest revision at which it has said so.
    created: Revision,
    /// When it is asked for what waits.
    due: Option<Instant>,
    /// Something has changed up to here, of which nobody knows whether it is all.
    changed: Option<Revision>,
    /// Questions that have no answer yet, and may never get one: those asked since ranges were added last, and those
    /// from before, whose answers are not about these.
    open: u32,
    stale: u32,
    beat: Instant,
    /// Behind this revision the ranges that begin latest are followed, and this is the newest that was heard of: as long
    /// as that is no newer, etcd gives no answer (from 3.4.38, 3.5.22 and 3.6.2 on).
    behind: Revision,
    heard: Revision,
    /// When a question was asked first to which an answer is owed.
    owed: Option<Instant>,
}

impl<W: Wire> Ordered<W> {
    pub fn new(wire: W, has_fences: bool, behind: Revision) -> Self {
        Self {
            wire,
            order: Order::behind(behind),
            has_fences,
            ranges: BTreeMap::new(),
            last_id: 0,
            uncreated: BTreeSet::new(),
            created: 0,
            due: None,
            changed: None,
            open: 0,
            stale: 0,
            beat: Instant::now() + BEAT,
            behind,
            heard: 0,
            owed: None,
        }
    }

    /// Follows ranges behind a revision, up to which all was read.
    pub async fn follow(&mut self, ranges: Vec<Range>, behind: Revision) -> Result<()> {
        for range in ranges {
            if self.ranges.contains_key(&range) {
                continue;
            }
            self.last_id += 1;
            let id = self.last_id;
            self.uncreated.insert(id);
            self.wire.create(id, &range, behind).await?;
            self.ranges.insert(range, id);
            self.order.reopen(behind);
            self.stale += std::mem::take(&mut self.open);
        }
        self.due = self.order.is_waiting().then(Instant::now);
        self.behind = self.behind.max(behind);
        self.owed = None;
        Ok(())
    }

    /// Follows ranges no more.
    pub async fn forget(&mut self, ranges: &[Range]) -> Result<()> {
        for range in ranges {
            if let Some(id) = self.ranges.remove(range) {
                self.wire.cancel(id).await?;
            }
        }
        Ok(())
    }

    /// The next revision, whole, or that something has changed.
    pub async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.ready() {
                return Ok(batch);
            }
            // However much comes, what waits is asked for.
            tokio::select! {
                biased;
                () = sleep_until(self.due()) => self.fence().await?,
                message = self.wire.message() => self.take(message?)?,
            }
        }
    }

    /// The next revision, if it is here.
    pub fn ready(&mut self) -> Option<Batch> {
        let changed = self.changed.take().map(|revision| Batch {
            revision,
            changes: Vec::new(),
            is_whole: false,
        });
        changed.or_else(|| self.order.next())
    }

    /// Up to here all was handed out.
    pub fn upto(&self) -> Revision {
        self.order.upto()
    }

    /// Whether revisions are handed out whole.
    pub fn tells_whole(&self) -> bool {
        self.has_fences || self.is_alone()
    }

    /// Whether there was never more than one range. etcd tells one in the order of revisions, each revision in one
    /// message (its guarantees of a watch): there is nothing to wait for.
    fn is_alone(&self) -> bool {
        self.last_id == 1
    }

    /// When there is something to do if nothing comes.
    fn due(&self) -> Instant {
        match self.due {
            Some(due) if self.uncreated.is_empty() => due.min(self.beat),
            _ => self.beat,
        }
    }

    async fn fence(&mut self) -> Result<()> {
        let now = Instant::now();
        let is_waiting = self.order.is_waiting();
        self.due = is_waiting.then_some(now + AGAIN);
        if self.beat + BEAT <= now {
            // Nobody has looked for a while: answers may be here.
            self.owed = None;
        }
        if self.beat <= now {
            self.beat = now + BEAT;
        } else if !is_waiting {
            return Ok(());
        }
        if self.has_fences && self.heard > self.behind {
            let since = *self.owed.get_or_insert(now);
            if since + SILENCE <= now {
                return Err(Error::Ended("it does not say how far it has told".into()));
            }
        }
        self.open += 1;
        self.wire.ask().await
    }

    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Created(id, revision) => {
                self.uncreated.remove(&id);
                self.created = self.created.max(revision);
                self.heard = self.heard.max(revision);
                Ok(())
            }
            Message::Changes(changes) if !self.tells_whole() => {
                let newest = changes.iter().map(Change::revision).max();
                self.changed = self.changed.max(newest);
                Ok(())
            }
            Message::Changes(changes) => {
                self.order.take(changes)?;
                self.heard = self.heard.max(self.order.newest());
                match self.is_alone() {
                    true => self.order.is_whole(self.order.newest()),
                    false => drop(self.due.get_or_insert_with(Instant::now)),
                }
                Ok(())
            }
            Message::Progress(revision) => {
                self.owed = None;
                self.heard = self.heard.max(revision);
                // Whatever was asked before ranges were added was answered, if at all, before the store came further.
                if self.uncreated.is_empty() && revision > self.created {
                    self.stale = 0;
                }
                if self.stale > 0 {
                    self.stale -= 1;
                    return Ok(());
                }
                self.open = self.open.saturating_sub(1);
                // The changes of a range that is not created yet may be held back.
                if self.has_fences && self.uncreated.is_empty() {
                    self.order.is_whole(revision);
                    self.due = Some(Instant::now());
                }
                Ok(())
            }
            Message::Cancelled {
                id,
                compacted,
                reason,
            } => match self.ranges.values().any(|own| *own == id) || id < 0 {
                // One that was forgotten.
                false => {
                    self.uncreated.remove(&id);
                    Ok(())
                }
                true if compacted => Err(Error::Compacted(self.order.newest())),
                true if reason.contains("no leader") => Err(Error::NoLeader),
                true => Err(Error::Ended(reason)),
            },
        }
    }
}
