//! Where the desired state of a fleet is kept: objects of Neutron's shape under keys, each change at a revision
//! of the whole.
//!
//! A reader takes all that it wants at one revision, and then follows the changes behind it. A writer says what
//! has to be as it has read it; if it is not, nothing is written. Which store it is, etcd or a file of this
//! node, makes no difference to either.

mod embedded;
mod keys;
mod kv;

use std::path::Path;

pub use embedded::Embedded;
pub use keys::{BadKey, Key, Kind, PREFIX};
pub use kv::{Batch, Change, Condition, Entry, Outcome, Range, Revision, Snapshot, Write};

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of an embedded store.
    #[error("the store {path}: {source}")]
    File {
        /// Where it is.
        path: std::path::PathBuf,
        /// What its library said.
        source: Box<redb::Error>,
    },
    /// What is asked for lies further back than the store, or the follower, remembers: all has to be read anew.
    #[error("the changes behind revision {0} are no longer told")]
    Compacted(Revision),
}

/// The result of asking a store.
pub type Result<T> = std::result::Result<T, Error>;

/// A store of one kind or another.
#[derive(Clone, Debug)]
pub enum Store {
    /// A file of this node's.
    Embedded(Embedded),
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

    /// All that lies in some ranges, as of one revision: `at`, or the newest.
    ///
    /// # Errors
    ///
    /// The store cannot be read; [`Error::Compacted`] if it does not know `at` any more.
    pub async fn read(&self, ranges: &[Range], at: Option<Revision>) -> Result<Snapshot> {
        match self {
            Self::Embedded(store) => store.read(ranges, at).await,
        }
    }

    /// Writes all, if all conditions hold, at one revision; or else nothing.
    ///
    /// # Errors
    ///
    /// The store cannot be written to. It may not be known then whether it was.
    pub async fn commit(&self, conditions: Vec<Condition>, writes: Vec<Write>) -> Result<Outcome> {
        match self {
            Self::Embedded(store) => store.commit(conditions, writes).await,
        }
    }

    /// Follows the changes of some ranges behind a revision.
    ///
    /// # Errors
    ///
    /// The store cannot be read; [`Error::Compacted`] if it does not tell these changes any more.
    pub async fn watch(&self, ranges: Vec<Range>, behind: Revision) -> Result<Watch> {
        match self {
            Self::Embedded(store) => store.watch(ranges, behind).map(Watch::Embedded),
        }
    }
}

/// Changes as they are made.
#[derive(Debug)]
pub enum Watch {
    /// Of a file of this node's.
    Embedded(embedded::Watch),
}

impl Watch {
    /// The next changes, all of one revision, in the order of revisions. Never ends without an error. May be
    /// dropped at any time.
    ///
    /// # Errors
    ///
    /// Nothing follows any more; whoever wants to go on reads all anew and compares.
    pub async fn next(&mut self) -> Result<Batch> {
        match self {
            Self::Embedded(watch) => watch.next().await,
        }
    }
}
