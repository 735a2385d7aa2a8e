//! Why a store could not do what was asked.

use std::path::PathBuf;

use crate::{LAYOUT, Revision};

/// A store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file of an embedded store.
    #[error("the store {path}: {source}")]
    File {
        /// Where it is.
        path: PathBuf,
        /// What its library said.
        source: Box<redb::Error>,
    },
    /// How the store is to be reached makes no sense, or a file that it takes cannot be read.
    #[error("{0}")]
    Options(String),
    /// It does not answer, or cannot at the moment: it may be tried again.
    #[error("the store {urls} does not answer: {what}")]
    Unreachable {
        /// Where it was looked for.
        urls: String,
        /// What happened instead.
        what: String,
    },
    /// It answers, and does not let us in: it takes a person to mend that.
    #[error("the store {urls} refuses: {what}")]
    Refused {
        /// Which store.
        urls: String,
        /// What it said.
        what: String,
    },
    /// It does not understand what was asked.
    #[error("the store {urls} cannot do this: {what}")]
    Impossible {
        /// Which store.
        urls: String,
        /// What it said.
        what: String,
    },
    /// A commit is too large. Nothing was written.
    #[error(
        "a commit of {conditions} conditions and {writes} writes is more than the store takes at once (etcd: \
         --max-txn-ops, 128 unless set): split it"
    )]
    TooMany {
        /// How many conditions it has.
        conditions: usize,
        /// How many writes.
        writes: usize,
    },
    /// A commit is too large, in bytes. Nothing was written.
    #[error(
        "a commit of {bytes} bytes is more than the store takes at once (etcd: --max-request-bytes, 1.5 MiB unless \
         set): split it"
    )]
    TooLarge {
        /// How many bytes its keys and values have.
        bytes: usize,
    },
    /// The store did not say what became of a commit: all of it may be written, or nothing. Who needs to know
    /// reads.
    #[error("it is not known whether the commit was made: {0}")]
    Unknown(String),
    /// What is asked for lies further back than the store, or the follower, remembers: all has to be read anew.
    #[error("the changes behind revision {0} are no longer told")]
    Compacted(Revision),
    /// The store does not tell any more: all has to be read anew.
    #[error("the store has ended the watch: {0}")]
    Ended(String),
    /// The member that tells has no leader.
    #[error("the member of the store that is followed has lost its leader")]
    NoLeader,
    /// Changes came that should have come before others, or once more: all has to be read anew.
    #[error("a change of revision {revision} of {key} came when all up to {told} was told")]
    Disordered {
        /// Its revision.
        revision: Revision,
        /// What it is a change of.
        key: String,
        /// All up to here was handed out.
        told: Revision,
    },
    /// What was followed is not what the store has: all has to be read anew.
    #[error("what was followed is not what the store has at revision {revision}: {key}")]
    Missed {
        /// As of which revision.
        revision: Revision,
        /// The first key that differs.
        key: String,
    },
    /// Nobody has written what this is a store of.
    #[error(
        "the store has no {LAYOUT}: nobody has written to it yet, or it is another store, or was emptied"
    )]
    NoLayout,
    /// The keys are in another order than this program knows.
    #[error("the store's {LAYOUT} is {found}, and this program knows layout {known}: {advice}")]
    Layout {
        /// What is there.
        found: String,
        /// What is known.
        known: u32,
        /// What to do.
        advice: &'static str,
    },
    /// It is not the store, or not of the age, that was followed before.
    #[error(
        "{what} (if it is the one to follow from now on, raise \"generation\" of its {LAYOUT}; what is in force \
         stays until then)"
    )]
    OtherStore {
        /// What tells.
        what: String,
    },
}

impl Error {
    /// Whether it takes a person to mend it.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Options(_)
                | Self::Refused { .. }
                | Self::Impossible { .. }
                | Self::Layout { .. }
                | Self::OtherStore { .. }
        )
    }

    /// Whether a commit was more than the store takes.
    pub fn is_too_much(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::TooLarge { .. })
    }

    /// Whether it may be otherwise in a moment: members that start, or have a new leader.
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Unknown(_) | Self::NoLeader
        )
    }

    /// In one word, for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Options(_) => "options",
            Self::Unreachable { .. } | Self::Unknown(_) => "unreachable",
            Self::Refused { .. }
            | Self::Impossible { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. } => "refused",
            Self::Compacted(_) => "compacted",
            Self::Ended(_) => "ended",
            Self::NoLeader => "no_leader",
            Self::Disordered { .. } => "disordered",
            Self::Missed { .. } => "missed",
            Self::NoLayout | Self::Layout { .. } => "layout",
            Self::OtherStore { .. } => "other_store",
        }
    }
}

/// The result of asking a store.
pub type Result<T> = std::result::Result<T, Error>;
