//! Where the desired state of a fleet is kept: objects of Neutron's shape under keys, each change at a revision
//! of the whole.
//!
//! A reader takes all that it wants at one revision, and then follows the changes behind it. A writer says what
//! has to be as it has read it; if it is not, nothing is written. Which store it is, etcd or a file of this
//! node, makes no difference to either. What a node wants of it, and what it tells its filter, is a [`Follower`].

mod embedded;
mod error;
mod etcd;
mod follower;
pub mod json;
mod keys;
mod kv;
mod layout;
mod mirror;
mod once;
mod order;
mod ordered;
mod telling;
#[cfg(feature = "testing")]
pub mod testing;

use std::path::Path;

pub use embedded::Embedded;
pub use error::{Error, Result};
pub use etcd::{Etcd, EtcdArgs, EtcdOptions, Lease, Traffic};
pub use follower::Follower;
pub use keys::{BadKey, Key, Kind, PREFIX};
pub use kv::{Batch, Change, Condition, Entry, Outcome, Range, Revision, Snapshot, Write};
pub use layout::{Identity, LAYOUT, Layout, Position};
pub use mirror::Mirror;
pub use telling::{Members, Telling, session_of};

/// A store of one kind or another.
#[derive(Clone, Debug)]
pub enum Store {
    /// A file of this node's.
    Embedded(Embedded),
    /// A cluster.
    Etcd(Etcd),
}

impl Store {
    /// Opens a store in a file, and makes it if need be.
    ///
    /// # Errors
    ///
    /// The file cannot be used, or somebody else has it open.
    pub fn embedded(path: &Path) -> Result<Self> {
        Embedded::open(path).map(Self::Embedded)
    }

    /// A store in an etcd cluster. Nobody is asked yet.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] for what makes no sense.
    pub fn etcd(options: EtcdOptions) -> Result<Self> {
        Etcd::new(options).map(Self::Etcd)
    }

    /// All that lies in some ranges, as of one revision: `at`, or the newest.
    ///
    /// # Errors
    ///
    /// The store cannot be read; [`Error::Compacted`] if it does not know `at` any more.
    pub async fn read(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        match self {
            Self::Embedded(store) => store.read(ranges, at).await,
            Self::Etcd(store) => store.read(ranges, at).await,
        }
    }

    /// The keys of some ranges as of one revision, or the newest, without their values.
    pub(crate) async fn list(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        match self {
            Self::Embedded(store) => store.read(ranges, at).await,
            Self::Etcd(store) => store.list(ranges, at).await,
        }
    }

    /// Writes all, if all conditions hold, at one revision; or else nothing.
    ///
    /// # Errors
    ///
    /// The store cannot be written to; with [`Error::Unknown`] it is not known whether it was.
    pub async fn commit(&self, conditions: Vec<Condition>, writes: Vec<Write>) -> Result<Outcome> {
        match self {
            Self::Embedded(store) => store.commit(conditions, writes).await,
            Self::Etcd(store) => store.commit(conditions, writes).await,
        }
    }

    /// Follows the changes of some ranges behind a revision.
    ///
    /// # Errors
    ///
    /// The store cannot be read; [`Error::Compacted`] if it does not tell these changes any more.
    pub async fn watch(&self, ranges: Vec<Range>, behind: Revision) -> Result<Watch> {
        self.watch_at(None, ranges, behind).await
    }

    /// The same, of the place with this number if it has to be that one.
    pub(crate) async fn watch_at(
        &self,
        place: Option<u64>,
        ranges: Vec<Range>,
        behind: Revision,
    ) -> Result<Watch> {
        Ok(Watch(match self {
            Self::Embedded(store) => Of::Embedded(store.watch(ranges, behind)?),
            Self::Etcd(store) => Of::Etcd(Box::new(store.watch(place, ranges, behind).await?)),
        }))
    }

    /// Which layout the store has; says that it has ours, if nobody has said anything. For writers, before they
    /// write anything else.
    ///
    /// # Errors
    ///
    /// It has another layout; it cannot be read, or written to.
    pub async fn prepare(&self) -> Result<Layout> {
        let range = [Range::Key(LAYOUT.into())];
        loop {
            let found = self.read(&range, None).await?;
            if let Some(entry) = found.entries.first() {
                return Layout::read(Some(&entry.value));
            }
            let nobody = Condition {
                key: LAYOUT.into(),
                revision: 0,
            };
            let ours = Write::Put {
                key: LAYOUT.into(),
                value: Layout::of_new_store().value(),
            };
            // Who has written it meanwhile is read.
            self.commit(vec![nobody], vec![ours]).await?;
        }
    }
}

/// Changes as they are made.
#[derive(Debug)]
pub struct Watch(Of);

/// Of what a watch is.
#[derive(Debug)]
enum Of {
    Embedded(embedded::Watch),
    Etcd(Box<etcd::Watch>),
}

impl Watch {
    /// The next changes, all of one revision, in the order of revisions. Never ends without an error. May be
    /// dropped at any time.
    ///
    /// # Errors
    ///
    /// Nothing follows any more; whoever wants to go on reads all anew and compares.
    pub async fn next(&mut self) -> Result<Batch> {
        match &mut self.0 {
            Of::Embedded(watch) => watch.next().await,
            Of::Etcd(watch) => watch.next().await,
        }
    }

    /// The next changes that are here already: whoever lags behind can take them together.
    pub(crate) fn ready(&mut self) -> Option<Batch> {
        match &mut self.0 {
            Of::Embedded(_) => None,
            Of::Etcd(watch) => watch.ready(),
        }
    }

    /// Up to here all changes were handed out.
    pub(crate) fn upto(&self) -> Revision {
        match &self.0 {
            Of::Embedded(watch) => watch.upto(),
            Of::Etcd(watch) => watch.upto(),
        }
    }

    /// Whether what is handed out is all that has changed.
    pub(crate) fn tells_whole(&self) -> bool {
        match &self.0 {
            Of::Embedded(_) => true,
            Of::Etcd(watch) => watch.tells_whole(),
        }
    }

    /// Follows more ranges behind a revision up to which all was read.
    ///
    /// # Errors
    ///
    /// Nothing follows any more.
    pub(crate) async fn follow(&mut self, ranges: Vec<Range>, behind: Revision) -> Result<()> {
        match &mut self.0 {
            Of::Embedded(watch) => {
                watch.follow(ranges);
                Ok(())
            }
            Of::Etcd(watch) => watch.follow(ranges, behind).await,
        }
    }

    /// Follows ranges no more.
    ///
    /// # Errors
    ///
    /// Nothing follows any more.
    pub(crate) async fn forget(&mut self, ranges: &[Range]) -> Result<()> {
        match &mut self.0 {
            Of::Embedded(watch) => {
                watch.forget(ranges);
                Ok(())
            }
            Of::Etcd(watch) => watch.forget(ranges).await,
        }
    }
}
