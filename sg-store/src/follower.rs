//! A node that follows a store: at first all there is for it, then what changes, revision by revision.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::kv::{Batch, Range, Revision};
use crate::layout::{Identity, LAYOUT, Layout, Position};
use crate::mirror::Mirror;
use crate::telling::Telling;
use crate::{Error, PREFIX, Result, Store, Watch};

/// How often what was followed is compared with what the store has: a change that was never told is found so.
const AUDIT: Duration = Duration::from_secs(300);

/// How long is waited for each range that may be catching up until these are compared again.
const COMPARED: Duration = Duration::from_millis(10);

/// A node that follows a store.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    host: String,
    known: Option<Position>,
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    mirror: Mirror,
    watch: Watch,
    ranges: BTreeSet<Range>,
    identity: Identity,
    /// Up to here all was told.
    told: Revision,
    audit: Instant,
    /// When ranges were compared last that may have been catching up.
    compared: Instant,
}

impl Follower {
    /// The node with this name follows a store, which it may have followed before, up to a position.
    pub fn new(store: Store, host: &str, known: Option<Position>) -> Self {
        Self {
            store,
            host: host.into(),
            known,
            following: None,
        }
    }

    /// How far it has come.
    pub fn position(&self) -> Option<Position> {
        self.known
    }

    /// How many ports the node has, if that is known.
    pub fn ports(&self) -> Option<usize> {
        let following = self.following.as_ref();
        following.map(|following| following.mirror.ports())
    }

    /// Has all there is told again, next time.
    pub fn begin_anew(&mut self) {
        self.following = None;
    }

    /// What is to be told next: all there is, at first and after an error; then what has changed.
    ///
    /// # Errors
    ///
    /// The store cannot be read or does not tell any more, or is not one to be followed
    /// ([`Error::is_refusal`], [`Error::NoLayout`]): nothing is to be taken away then. Whoever asks again, after
    /// a while, has all read anew; so does whoever drops the future before it is ready.
    pub async fn next(&mut self) -> Result<Telling> {
        let told = match self.following.take() {
            None => self.begin().await,
            Some(following) => self.go_on(following).await,
        };
        let (following, telling) = told?;
        self.known = Some(Position {
            identity: following.identity,
            revision: following.told,
        });
        self.following = Some(following);
        Ok(telling)
    }

    async fn begin(&self) -> Result<(Following, Telling)> {
        let mut mirror = Mirror::new(&self.host);
        let (ranges, first) = self.read(&mut mirror, BTreeSet::new(), None).await?;
        let Some((store, revision)) = first else {
            return Err(Error::NoLayout);
        };
        let layout = Layout::read(mirror.layout())?;
        let identity = Identity {
            store,
            generation: layout.generation,
        };
        let here = Position { identity, revision };
        if let Some(known) = self.known {
            known.goes_on_at(here)?;
        }
        let wanted = ranges.iter().cloned().collect();
        let watch = self.store.watch(wanted, revision).await?;
        let mut following = Following {
            mirror,
            watch,
            ranges,
            identity,
            told: revision,
            audit: next_audit(),
            compared: Instant::now(),
        };
        let telling = following.tell(None, revision);
        Ok((following, telling))
    }

    /// Reads what is wanted and not read, until nothing is missing; returns what is read then, and of which store
    /// and at which revision.
    async fn read(
        &self,
        mirror: &mut Mirror,
        mut read: BTreeSet<Range>,
        at: Option<Revision>,
    ) -> Result<(BTreeSet<Range>, Option<(u64, Revision)>)> {
        let mut first = None;
        loop {
            let wanted = self.wanted(mirror);
            let missing: Vec<Range> = wanted.difference(&read).cloned().collect();
            if missing.is_empty() {
                return Ok((read, first));
            }
            let at = at.or(first.map(|(_, revision)| revision));
            let snapshot = self.store.read(&missing, at).await?;
            first = first.or(Some((snapshot.store, snapshot.revision)));
            for entry in snapshot.entries {
                mirror.put(entry);
            }
            read.extend(missing);
        }
    }

    /// A file is read as a whole: it is here, and knows no revision but the newest.
    fn wanted(&self, mirror: &Mirror) -> BTreeSet<Range> {
        match self.store {
            Store::Embedded(_) => {
                let all = [Range::Key(LAYOUT.into()), Range::Prefix(PREFIX.into())];
                all.into()
            }
            Store::Etcd(_) => mirror.ranges(),
        }
    }

    async fn go_on(&self, mut following: Following) -> Result<(Following, Telling)> {
        loop {
            let audit = following.audit;
            let batch = tokio::select! {
                batch = following.watch.next() => batch?,
                () = sleep_until(audit) => {
                    self.audit(&mut following).await?;
                    continue;
                }
            };
            if let Some(telling) = self.take(&mut following, batch).await? {
                return Ok((following, telling));
            }
        }
    }

    /// Takes a batch with all that are here behind it, and what they make the node want; nothing, if they change
    /// nothing for the node.
    async fn take(&self, following: &mut Following, batch: Batch) -> Result<Option<Telling>> {
        let mut revision = batch.revision;
        let young = following.watch.young();
        if !young.is_empty() {
            // However much comes, no node asks for all that it has all the time: what comes meanwhile is taken together.
            let pause = COMPARED * u32::try_from(young.len()).unwrap_or(u32::MAX);
            sleep_until(following.compared + pause).await;
            following.compared = Instant::now();
        }
        following.apply(batch)?;
        while let Some(batch) = following.watch.ready() {
            revision = batch.revision;
            following.apply(batch)?;
        }
        if !young.is_empty() {
            self.compare(following, &young, revision).await?;
        }
        let before = following.ranges.clone();
        let (mut ranges, _) = self
            .read(&mut following.mirror, before.clone(), Some(revision))
            .await?;
        let wanted = self.wanted(&following.mirror);
        let more: Vec<Range> = ranges.difference(&before).cloned().collect();
        let less: Vec<Range> = ranges.difference(&wanted).cloned().collect();
        if !more.is_empty() {
            following.watch.follow(more, revision).await?;
        }
        if !less.is_empty() {
            following.watch.forget(&less).await?;
            for range in &less {
                following.mirror.forget(range);
                ranges.remove(range);
            }
        }
        following.ranges = ranges;
        let base = following.told;
        let telling = following.tell(Some(base), revision);
        Ok((telling.objects() > 0).then_some(telling))
    }

    /// Compares what was followed with what the store has.
    async fn audit(&self, following: &mut Following) -> Result<()> {
        following.audit = next_audit();
        let revision = following.watch.upto();
        let ranges: Vec<Range> = following.ranges.iter().cloned().collect();
        match self.compare(following, &ranges, revision).await {
            // It was too long ago; there is a next time.
            Err(Error::Compacted(_)) => Ok(()),
            compared => compared,
        }
    }

    /// Compares what is here of some ranges with what the store had at a revision.
    async fn compare(
        &self,
        following: &Following,
        ranges: &[Range],
        revision: Revision,
    ) -> Result<()> {
        let listed = self.store.list(ranges, revision).await?;
        let has = listed.into_iter().map(|entry| (entry.key, entry.revision));
        let has: BTreeSet<(String, Revision)> = has.collect();
        let here = following.mirror.revisions().iter();
        let here = here.filter(|(key, _)| ranges.iter().any(|range| range.contains(key)));
        let here: BTreeSet<(String, Revision)> = here.map(|(key, at)| (key.clone(), *at)).collect();
        match has.symmetric_difference(&here).next() {
            None => Ok(()),
            Some((key, _)) => Err(Error::Missed {
                revision,
                key: key.clone(),
            }),
        }
    }
}

impl Following {
    fn apply(&mut self, batch: Batch) -> Result<()> {
        let layout = batch.changes.iter().find(|change| change.key() == LAYOUT);
        if layout.is_some() {
            // Whoever empties a store takes this away as well: nothing of it is to be taken.
            return Err(Error::Ended(format!("its {LAYOUT} has changed")));
        }
        for change in batch.changes {
            // One of a range that is followed no more may still come.
            let key = change.key();
            if self.ranges.iter().any(|range| range.contains(key)) {
                self.mirror.take(change);
            }
        }
        Ok(())
    }

    fn tell(&mut self, base: Option<Revision>, revision: Revision) -> Telling {
        let identity = self.identity;
        let telling = self.mirror.tell(Position { identity, revision }, base);
        // What is told of nothing is not told.
        if base.is_none() || telling.objects() > 0 {
            self.told = revision;
        }
        telling
    }
}

/// Not all nodes at the same time.
fn next_audit() -> Instant {
    Instant::now() + AUDIT.mul_f64(0.75 + fastrand::f64() / 2.0)
}
