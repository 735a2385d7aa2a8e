//! A follower's watch over a stream that tells several ranges at once.
//!
//! What one commit has changed may come in pieces, one for each range, and a range that was added catches up
//! beside the others. So a revision is handed out only when all of it is known to have come: the store is asked
//! how far it has told, and its answer comes behind what it is about (a fence). Stores whose answers may overtake
//! are given a moment instead; what comes too late is noticed, and all is read anew. A range alone needs neither.

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

/// How long the rest of a revision is waited for where there are no fences.
const HOLD: Duration = Duration::from_millis(50);

/// The same while ranges may be catching up, which etcd has them do every 100 ms.
const HOLD_YOUNG: Duration = Duration::from_millis(300);

/// How long a range may be catching up where nobody can tell: with many at once it takes seconds.
const YOUTH: Duration = Duration::from_secs(10);

/// How often a store is asked that says nothing, so that it is known how old is what is known.
const BEAT: Duration = Duration::from_secs(5);

/// What a stream tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A range is followed from now on.
    Created(i64),
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
    /// Ranges that may be catching up, without anybody who tells, and since when.
    young: BTreeMap<Range, Instant>,
    last_id: i64,
    /// Ranges that the store has not yet said it follows: it may hold back their changes, behind a fence.
    uncreated: BTreeSet<i64>,
    /// Ranges that may be catching up.
    is_young: bool,
    /// When it was last asked for what waits, or since when it is waited, and up to which revision.
    asked: Option<(Instant, Revision)>,
    /// Questions without an answer yet.
    open: u32,
    /// Of these, those from before ranges were added: their answers are not about these.
    stale: u32,
    beat: Instant,
}

impl<W: Wire> Ordered<W> {
    pub fn new(wire: W, has_fences: bool, behind: Revision) -> Self {
        Self {
            wire,
            order: Order::behind(behind),
            has_fences,
            ranges: BTreeMap::new(),
            young: BTreeMap::new(),
            last_id: 0,
            uncreated: BTreeSet::new(),
            is_young: false,
            asked: None,
            open: 0,
            stale: 0,
            beat: Instant::now() + BEAT,
        }
    }

    /// Follows ranges behind a revision, which is the one that was handed out last.
    pub async fn follow(&mut self, ranges: Vec<Range>, behind: Revision) -> Result<()> {
        for range in ranges {
            if self.ranges.contains_key(&range) {
                continue;
            }
            self.last_id += 1;
            let id = self.last_id;
            self.uncreated.insert(id);
            self.wire.create(id, &range, behind).await?;
            if !self.has_fences {
                self.young.insert(range.clone(), Instant::now());
            }
            self.ranges.insert(range, id);
            self.order.reopen(behind);
            (self.is_young, self.asked, self.stale) = (true, None, self.open);
        }
        Ok(())
    }

    /// Ranges that may still be catching up: what came of a revision may lack theirs.
    pub fn young(&mut self) -> Vec<Range> {
        self.young.retain(|_, since| since.elapsed() < YOUTH);
        self.young.keys().cloned().collect()
    }

    /// Follows ranges no more.
    pub async fn forget(&mut self, ranges: &[Range]) -> Result<()> {
        for range in ranges {
            self.young.remove(range);
            if let Some(id) = self.ranges.remove(range) {
                self.wire.cancel(id).await?;
            }
        }
        Ok(())
    }

    /// The next revision, whole.
    pub async fn next(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.order.next() {
                return Ok(batch);
            }
            let due = self.due();
            tokio::select! {
                biased;
                message = self.wire.message() => self.take(message?)?,
                () = sleep_until(due) => self.fence().await?,
            }
        }
    }

    /// The next revision, if it is here.
    pub fn ready(&mut self) -> Option<Batch> {
        self.order.next()
    }

    /// Up to here all was handed out.
    pub fn upto(&self) -> Revision {
        self.order.upto()
    }

    /// Whether there was never more than one range. etcd tells one in the order of revisions, each revision in one
    /// message (its guarantees of a watch): there is nothing to wait for.
    fn is_alone(&self) -> bool {
        self.last_id == 1
    }

    /// When there is something to do if nothing comes.
    fn due(&self) -> Instant {
        let pause = match (self.has_fences, self.is_young) {
            (true, _) => AGAIN,
            (false, true) => HOLD_YOUNG,
            (false, false) => HOLD,
        };
        match self.asked {
            _ if !self.uncreated.is_empty() => self.beat,
            Some((at, _)) => (at + pause).min(self.beat),
            None if self.order.is_waiting() => Instant::now(),
            None => self.beat,
        }
    }

    async fn fence(&mut self) -> Result<()> {
        let now = Instant::now();
        if self.beat <= now {
            self.beat = now + BEAT;
            self.open += 1;
            return self.wire.ask().await;
        }
        let newest = self.order.newest();
        match (self.has_fences, self.asked) {
            (true, Some(_)) if !self.order.is_waiting() => {
                self.asked = None;
                Ok(())
            }
            (false, Some((_, upto))) => {
                self.order.is_whole(upto);
                (self.asked, self.is_young) = (None, false);
                Ok(())
            }
            (false, None) => {
                self.asked = Some((now, newest));
                Ok(())
            }
            (true, _) => {
                self.asked = Some((now, newest));
                self.open += 1;
                self.wire.ask().await
            }
        }
    }

    fn take(&mut self, message: Message) -> Result<()> {
        match message {
            Message::Created(id) => {
                self.uncreated.remove(&id);
                Ok(())
            }
            Message::Changes(changes) => {
                self.order.take(changes)?;
                if self.is_alone() {
                    self.order.is_whole(self.order.newest());
                }
                Ok(())
            }
            Message::Progress(revision) => {
                self.open = self.open.saturating_sub(1);
                if self.stale > 0 {
                    self.stale -= 1;
                } else if !self.uncreated.is_empty() {
                    // Their changes may be held back.
                } else if self.has_fences {
                    self.order.is_whole(revision);
                    (self.asked, self.is_young) = (None, false);
                } else if self.asked.is_none() {
                    // What it has overtaken is here in a moment.
                    let upto = revision.max(self.order.newest());
                    self.asked = Some((Instant::now(), upto));
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
