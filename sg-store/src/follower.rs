//! A node that follows a store: at first all there is for it, then what changes, revision by revision.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::kv::{Batch, Entry, Revision};
use crate::layout::{Identity, LAYOUT, Layout, Position};
use crate::mirror::{Mirror, Want};
use crate::telling::Telling;
use crate::{Error, Range, Result, Store, Watch};

/// How often what was followed is compared with what the store has: a change that was never told is found so.
const AUDIT: Duration = Duration::from_secs(300);

/// For so many times as long as it took to read what is new, nothing is read again: however much comes, a store is
/// not asked all the time, and what comes meanwhile is taken together.
const REST: u32 = 4;

/// The longest time for that, however long it took.
const LONGEST_REST: Duration = Duration::from_secs(5);

/// A node that follows a store.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    host: String,
    known: Option<Position>,
    /// The lowest revision at which the store was that is known: one that has gone back comes further again.
    lowest: Option<Revision>,
    following: Option<Following>,
}

#[derive(Debug)]
struct Following {
    mirror: Mirror,
    watch: Watch,
    ranges: Ranges,
    /// What answers, by its own number.
    place: u64,
    identity: Identity,
    /// Up to here all was told.
    told: Revision,
    /// Up to here all was read, where it is not handed out whole.
    read: Revision,
    /// When something may be read again.
    rested: Instant,
    audit: Instant,
    /// Up to here all was handed out when it was compared last.
    audited: Revision,
}

/// What is followed, and where it is.
type Ranges = BTreeMap<Want, Range>;

impl Follower {
    /// The node with this name follows a store, which it may have followed before, up to a position.
    pub fn new(store: Store, host: &str, known: Option<Position>) -> Self {
        Self {
            store,
            host: host.into(),
            known,
            lowest: None,
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

    async fn begin(&mut self) -> Result<(Following, Telling)> {
        let mut mirror = Mirror::new(&self.host);
        let (ranges, (place, revision)) = self.read(&mut mirror, Ranges::new(), None).await?;
        let identity = Layout::read(mirror.layout())?.identity(place);
        if let Some(known) = self.known {
            let mut here = Position { identity, revision };
            if identity == known.identity {
                here.revision = self.lowest.map_or(revision, |lowest| lowest.min(revision));
                self.lowest = Some(here.revision);
            }
            known.goes_on_at(here)?;
        }
        self.lowest = None;
        let wanted = ranges.values().cloned().collect();
        let watch = self.store.watch_at(Some(place), wanted, revision).await?;
        let mut following = Following {
            mirror,
            watch,
            ranges,
            place,
            identity,
            told: revision,
            read: revision,
            rested: Instant::now(),
            audit: next_audit(),
            audited: 0,
        };
        let telling = following.tell(None, revision);
        Ok((following, telling))
    }

    /// Reads what is wanted and not read, at this place and revision, or at the one that there is and its newest,
    /// until nothing is missing; returns what is read then, and at which place and revision.
    async fn read(
        &self,
        mirror: &mut Mirror,
        mut read: Ranges,
        mut at: Option<(u64, Revision)>,
    ) -> Result<(Ranges, (u64, Revision))> {
        loop {
            let wanted = self.wanted(mirror).into_iter();
            let missing = wanted.filter(|want| !read.contains_key(want));
            let missing: Ranges = missing.map(|want| (want, want.range(&self.host))).collect();
            if let (true, Some(at)) = (missing.is_empty(), at) {
                return Ok((read, at));
            }
            let ranges: Vec<Range> = missing.values().cloned().collect();
            let revision = at.map(|(_, revision)| revision);
            let snapshot = self.store.read(&ranges, revision).await?;
            let (place, _) = *at.get_or_insert((snapshot.store, snapshot.revision));
            refuse_other(place, snapshot.store)?;
            for entry in snapshot.entries {
                mirror.put(entry);
            }
            read.extend(missing);
        }
    }

    /// A file is read as a whole: it is here, and knows no revision but the newest.
    fn wanted(&self, mirror: &Mirror) -> BTreeSet<Want> {
        match self.store {
            Store::Embedded(_) => [Want::Layout, Want::Everything].into(),
            Store::Etcd(_) => mirror.wanted(),
        }
    }

    async fn go_on(&self, mut following: Following) -> Result<(Following, Telling)> {
        loop {
            let audit = following.audit;
            let batch = tokio::select! {
                batch = following.watch.next() => Some(batch?),
                () = sleep_until(audit) => None,
            };
            let since = batch.as_ref().map(|batch| batch.revision);
            let revision = match batch {
                Some(batch) if batch.is_whole => following.take(batch)?,
                Some(batch) if batch.revision <= following.read => continue,
                Some(_) => self.read_news(&mut following).await?,
                None => {
                    following.audit = next_audit();
                    match following.watch.tells_whole() {
                        true => self.compare(&mut following).await?,
                        false => self.read_news(&mut following).await?,
                    }
                }
            };
            if following.mirror.is_turned() {
                self.turn(&mut following, revision).await?;
            }
            let base = following.told;
            let mut telling = following.tell(Some(base), revision);
            if telling.objects() > 0 {
                telling.since = since.unwrap_or(revision);
                return Ok((following, telling));
            }
        }
    }

    /// Reads what has changed of what is followed since it was read last, as of the newest revision: no part of a
    /// commit is taken, whatever has come of it.
    async fn read_news(&self, following: &mut Following) -> Result<Revision> {
        let Store::Etcd(store) = &self.store else {
            // A file hands out each revision whole.
            return Ok(following.watch.upto());
        };
        sleep_until(following.rested).await;
        let begun = Instant::now();
        let ranges: Vec<Range> = following.ranges.values().cloned().collect();
        let (news, counts) = store.news(&ranges, following.read).await?;
        refuse_other(following.place, news.store)?;
        if news.revision < following.read {
            return Err(Error::Ended("it has gone back".into()));
        }
        for entry in news.entries {
            refuse_layout(&entry.key)?;
            following.mirror.put(entry);
        }
        let fewer =
            |(range, count): &(Range, usize)| following.mirror.revisions(range).count() != *count;
        let fewer = ranges.into_iter().zip(counts).filter(fewer);
        let fewer: Vec<Range> = fewer.map(|(range, _)| range).collect();
        if !fewer.is_empty() {
            let listed = store.list(&fewer, Some(news.revision)).await?;
            refuse_other(news.store, listed.store)?;
            let listed = listed.entries.into_iter();
            let there: BTreeSet<String> = listed.map(|entry| entry.key).collect();
            let here = fewer
                .iter()
                .flat_map(|range| following.mirror.revisions(range));
            let gone = here.filter(|(key, _)| !there.contains(*key));
            let gone: Vec<String> = gone.map(|(key, _)| key.to_owned()).collect();
            for key in gone {
                refuse_layout(&key)?;
                following.mirror.remove(&key);
            }
        }
        following.read = news.revision;
        let rest = (begun.elapsed() * REST).min(LONGEST_REST);
        following.rested = Instant::now() + rest;
        Ok(news.revision)
    }

    /// Follows from a revision on what is wanted as of it, and nothing else.
    async fn turn(&self, following: &mut Following, revision: Revision) -> Result<()> {
        let before = following.ranges.clone();
        let at = Some((following.place, revision));
        let (ranges, _) = self.read(&mut following.mirror, before.clone(), at).await?;
        let wanted = self.wanted(&following.mirror);
        let (ranges, less): (Ranges, Ranges) = ranges
            .into_iter()
            .partition(|(want, _)| wanted.contains(want));
        let more = ranges.iter().filter(|(want, _)| !before.contains_key(want));
        let more: Vec<Range> = more.map(|(_, range)| range.clone()).collect();
        let less: Vec<Range> = less.into_values().collect();
        if !more.is_empty() {
            following.watch.follow(more, revision).await?;
        }
        if !less.is_empty() {
            following.watch.forget(&less).await?;
        }
        for range in &less {
            following.mirror.forget(range);
        }
        following.ranges = ranges;
        Ok(())
    }

    /// Compares the keys of what was followed with those that the store has; returns as of which revision.
    async fn compare(&self, following: &mut Following) -> Result<Revision> {
        let revision = following.watch.upto();
        let ranges: Vec<Range> = following.ranges.values().cloned().collect();
        let is_silent = std::mem::replace(&mut following.audited, revision) == revision;
        if is_silent {
            // It may be that nothing has changed, or that nobody says so.
            let newest = self.store.list(&ranges, None).await?.entries;
            let untold = newest.into_iter().find(|entry| entry.revision > revision);
            if let Some(Entry { key, .. }) = untold {
                return Err(Error::Missed { revision, key });
            }
        }
        let listed = match self.store.list(&ranges, Some(revision)).await {
            // It was too long ago; there is a next time.
            Err(Error::Compacted(_)) => return Ok(revision),
            listed => listed?,
        };
        refuse_other(following.place, listed.store)?;
        let has: BTreeSet<(&str, Revision)> = listed
            .entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.revision))
            .collect();
        let here = ranges
            .iter()
            .flat_map(|range| following.mirror.revisions(range));
        let here: BTreeSet<(&str, Revision)> = here.collect();
        match has.symmetric_difference(&here).next() {
            None => Ok(revision),
            Some((key, _)) => Err(Error::Missed {
                revision,
                key: (*key).to_owned(),
            }),
        }
    }
}

impl Following {
    /// Takes a batch with all that are here behind it; returns which revision they make.
    fn take(&mut self, batch: Batch) -> Result<Revision> {
        let mut revision = batch.revision;
        self.apply(batch)?;
        while let Some(batch) = self.watch.ready() {
            revision = batch.revision;
            self.apply(batch)?;
        }
        Ok(revision)
    }

    fn apply(&mut self, batch: Batch) -> Result<()> {
        for change in batch.changes {
            let key = change.key();
            refuse_layout(key)?;
            // One of a range that is followed no more may still come.
            if self.ranges.values().any(|range| range.contains(key)) {
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

/// A name may lead to another cluster from one question to the next.
fn refuse_other(followed: u64, answered: u64) -> Result<()> {
    match followed == answered {
        true => Ok(()),
        false => Err(Error::Ended("it is another store".into())),
    }
}

/// Whoever empties a store takes the layout away as well: nothing of it is to be taken.
fn refuse_layout(key: &str) -> Result<()> {
    match key == LAYOUT {
        true => Err(Error::Ended(format!("its {LAYOUT} has changed"))),
        false => Ok(()),
    }
}

/// Not all nodes at the same time.
fn next_audit() -> Instant {
    Instant::now() + AUDIT.mul_f64(0.75 + fastrand::f64() / 2.0)
}
