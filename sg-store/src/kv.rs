//! What is kept, and how it changes.

/// The number of a state of the whole store: each commit makes the next one. 0 is before the first.
pub type Revision = u64;

/// A key and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: String,
    /// JSON.
    pub value: Vec<u8>,
    /// When it was written last.
    pub revision: Revision,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Range {
    /// One key.
    Key(String),
    /// All keys that begin so.
    Prefix(String),
}

impl Range {
    /// Whether a key lies in it.
    pub fn contains(&self, key: &str) -> bool {
        match self {
            Self::Key(one) => one == key,
            Self::Prefix(prefix) => key.starts_with(prefix.as_str()),
        }
    }
}

/// All that lay in some ranges at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which store it is of, as a number: etcd's of its cluster, or that of a file.
    pub store: u64,
    /// The revision.
    pub revision: Revision,
    /// In the order of keys, each once.
    pub entries: Vec<Entry>,
}

/// What has to hold for a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The key.
    pub key: String,
    /// When it was written last; 0 if it is not there.
    pub revision: Revision,
}

/// What a commit does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Puts a value in the place of what is there.
    Put {
        /// The key.
        key: String,
        /// JSON.
        value: Vec<u8>,
    },
    /// Takes a key away.
    Delete {
        /// The key.
        key: String,
    },
}

impl Write {
    /// How many bytes its key and value have.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
        }
    }
}

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is written, at this revision.
    Written(Revision),
    /// Nothing is, because a condition did not hold.
    Conflict,
}

/// What has happened to one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was written.
    Put(Entry),
    /// It was taken away.
    Delete {
        /// The key.
        key: String,
        /// When.
        revision: Revision,
    },
}

impl Change {
    /// The key that has changed.
    pub fn key(&self) -> &str {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete { key, .. } => key,
        }
    }

    /// When.
    pub fn revision(&self) -> Revision {
        match self {
            Self::Put(entry) => entry.revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}

/// All that one commit has changed in what is followed; or, of a store that cannot say when that has come, only
/// that something has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The revision that it made.
    pub revision: Revision,
    /// In the order of keys.
    pub changes: Vec<Change>,
    /// Whether these are all, as always where one range is followed alone. If not, they are to be read.
    pub is_whole: bool,
}
