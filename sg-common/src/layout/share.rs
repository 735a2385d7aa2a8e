//! The tables that evict: one of each kind for every port, so that a flood displaces only the flood.
//!
//! A map of maps has the table of each slot: an LRU, which is there as long as a port has the slot. What a
//! port's programs store in it and remove from it is counted, because the kernel tells nobody what an LRU
//! evicts: it is what was stored, is not gone, and is not there.

use crate::layout::shared::shared;
use crate::reason::Condition;
use crate::wire::addr::Family;

shared! {
    /// Value of the `shares` map, by slot; arrays are by [`Kind`]. A cache line, so that CPUs that serve
    /// different ports do not wait for each other.
    pub struct Share: 64 {
        /// Entries that were stored. Wraps, as does `gone`.
        pub stored: [u32; 3],
        /// Entries that were removed, and those of which the sweep has found that they were evicted.
        pub gone: [u32; 3],
        /// Zero.
        pub reserved: [u32; 10],
    }
}

/// The kinds of tables that evict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// IPv4 connections that are not proven yet.
    Embryos4 = 0,
    /// IPv6 connections that are not proven yet.
    Embryos6 = 1,
    /// Datagrams in fragments.
    Fragments = 2,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Embryos4, Kind::Embryos6, Kind::Fragments];

    /// The table of the connections of a family.
    #[inline(always)]
    pub const fn of(family: Family) -> Kind {
        match family {
            Family::V4 => Kind::Embryos4,
            Family::V6 => Kind::Embryos6,
        }
    }

    /// What an eviction is counted as.
    #[inline(always)]
    pub const fn displaced(self) -> Condition {
        match self {
            Kind::Embryos4 | Kind::Embryos6 => Condition::FlowDisplaced,
            Kind::Fragments => Condition::FragmentDisplaced,
        }
    }
}

/// How many entries a table has evicted that are not counted as gone: `stored` was read before its entries
/// were looked at, `gone` afterwards, and so many were seen. Of what came or went meanwhile nothing is taken
/// for evicted; what is missed for it is found the next time.
#[inline(always)]
pub const fn evicted(stored: u32, gone: u32, seen: u32) -> u32 {
    let evicted = stored.wrapping_sub(gone).wrapping_sub(seen);
    match (evicted as i32) < 0 {
        true => 0,
        false => evicted,
    }
}

#[cfg(test)]
mod tests {
    use super::evicted;

    #[test]
    fn what_was_stored_and_is_neither_gone_nor_there_was_evicted() {
        assert_eq!(evicted(1000, 100, 900), 0);
        assert_eq!(evicted(1000, 100, 700), 200);
        assert_eq!(evicted(5, u32::MAX, 2), 4);
    }

    #[test]
    fn what_comes_or_goes_while_entries_are_looked_at_is_not_taken_for_evicted() {
        let (came_and_seen, seen_and_went) = ((1000, 0, 1010), (1000, 10, 1000));
        let came_and_went_unseen = (1000, 10, 1000);
        for (stored, gone, seen) in [came_and_seen, seen_and_went, came_and_went_unseen] {
            assert_eq!(evicted(stored, gone, seen), 0);
        }
    }
}
