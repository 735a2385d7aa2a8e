//! What the sweep keeps: how full the tables are, what it has done, and what it takes over.

use crate::layout::flow::{Flow, FlowKey};
use crate::layout::settings::Ticks;
use crate::layout::shared::shared;

shared! {
    /// Value of the `rooms` map, by [`crate::wire::addr::Family`]: the table of assured connections.
    pub struct Room: 8 {
        /// Turns: entries, and those that were removed by hand and not missed yet.
        pub used: u32,
        /// Entries that fit.
        pub capacity: u32,
    }

    /// Value of the `sweep` map: one element, what the sweep has done.
    pub struct Sweep: 40 {
        /// Steps.
        pub steps: u64,
        /// Entries that were removed from all tables.
        pub removed: u64,
        /// When the last step was.
        pub last: Ticks,
        /// When tables that evict were last walked through.
        pub walked: Ticks,
        /// The slot whose tables are next.
        pub slot: u32,
        /// How many times all slots had their turn.
        pub rounds: u32,
        /// 1 if a connection could not be promoted since the last step.
        pub refused: u32,
        /// Zero.
        pub reserved: u32,
    }
}

shared! {
    /// What the programs `adopt` and `dismiss` find in their packet: a connection to store, or to remove.
    pub struct Adoption: 120 {
        /// An Ethernet header and two bytes, which the kernel wants and nobody reads.
        pub header: [u8; 16],
        /// The connection.
        pub key: FlowKey,
        /// Its state.
        pub flow: Flow,
    }
}

/// What the program `adopt` answers.
#[expect(missing_docs, reason = "the names say it")]
pub mod adopted {
    pub const STORED: u32 = 0;
    pub const NO_ROOM: u32 = 1;
    pub const OVER_QUOTA: u32 = 2;
    pub const EXISTS: u32 = 3;
}

impl Room {
    /// Whether more than this many percent of the room are used.
    #[inline(always)]
    pub const fn fuller_than(&self, percent: u64) -> bool {
        self.used as u64 * 100 > self.capacity as u64 * percent
    }
}
