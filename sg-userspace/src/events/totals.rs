//! How much was told in all, and how much was lost.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::view::LostWhy;

/// Counts since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventTotals {
    /// Events that readers were given, each counted for itself.
    pub told: u64,
    /// Events that were more than was asked for.
    pub over_rate: u64,
    /// Events for which a reader had no room.
    pub unread: u64,
    /// Who reads now.
    pub readers: u64,
}

/// The same as they are counted.
#[derive(Debug, Default)]
pub(super) struct Counts {
    told: AtomicU64,
    over_rate: AtomicU64,
    unread: AtomicU64,
}

impl Counts {
    pub fn tell(&self) {
        self.told.fetch_add(1, Relaxed);
    }

    pub fn lose(&self, why: LostWhy, count: u64) {
        let lost = match why {
            LostWhy::Rate => &self.over_rate,
            // The last is said by a reader of what it was given.
            LostWhy::Reader | LostWhy::Log => &self.unread,
        };
        lost.fetch_add(count, Relaxed);
    }

    pub fn totals(&self, readers: usize) -> EventTotals {
        EventTotals {
            told: self.told.load(Relaxed),
            over_rate: self.over_rate.load(Relaxed),
            unread: self.unread.load(Relaxed),
            readers: readers as u64,
        }
    }
}
