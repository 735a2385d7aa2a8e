//! Which counter a packet has moved.

use std::path::Path;

use sg_common::hook::Direction;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::reason::{Accept, DropReason, verdict_counter};

use crate::testrun::PinnedPerCpu;

/// The counters of one port.
pub(super) struct Counters {
    map: PinnedPerCpu<{ size_of::<Counter>() }>,
    slot: u32,
    /// All verdicts, the most recent first: name and number, and packets by direction.
    recent: Vec<(&'static str, u32, [u64; 2])>,
}

impl Counters {
    pub fn open(pin: &Path, slot: u32) -> Self {
        let accepts = Accept::ALL
            .iter()
            .map(|accept| (accept.as_str(), verdict_counter(&Ok(*accept)), [0; 2]));
        let drops = DropReason::ALL
            .iter()
            .map(|reason| (reason.as_str(), verdict_counter(&Err(*reason)), [0; 2]));
        Self {
            map: PinnedPerCpu::open(pin),
            slot,
            recent: accepts.chain(drops).collect(),
        }
    }

    /// The name of the verdict whose counter the last packet of a direction has moved: every packet
    /// moves one.
    pub fn moved(&mut self, direction: Direction) -> &'static str {
        let moved = self.recent.iter().position(|(_, number, packets)| {
            self.packets(direction, *number) != packets[direction as usize]
        });
        let place = moved.unwrap_or_else(|| panic!("a packet was not counted"));
        self.recent[..=place].rotate_right(1);
        let (name, _, packets) = &mut self.recent[0];
        packets[direction as usize] += 1;
        name
    }

    fn packets(&self, direction: Direction, number: u32) -> u64 {
        let index = counter_index(self.slot, direction, number);
        let cpus = self.map.get::<Counter>(index);
        cpus.iter().map(|counter| counter.packets).sum()
    }
}
