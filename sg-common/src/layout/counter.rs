//! The counters: by port, by direction, by verdict or condition.

use crate::hook::Direction;
use crate::layout::shared::shared;
use crate::reason::COUNTERS;

shared! {
    /// Value of the `counters` map, on each CPU.
    pub struct Counter: 16 {
        /// Packets (a GSO super-packet counts once).
        pub packets: u64,
        /// Bytes with the Ethernet header.
        pub bytes: u64,
    }
}

/// The index in the `counters` map of a counter of a port.
#[inline(always)]
pub const fn counter_index(slot: u32, direction: Direction, counter: u32) -> u32 {
    (slot * 2 + direction as u32) * COUNTERS + counter
}
