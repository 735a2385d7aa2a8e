//! What was counted, for whoever reads it while the programs count on.

use aya::maps::{MapData, PerCpuArray};
use sg_common::hook::Direction;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::layout::maps::name;

use super::error::{Error, Result};
use super::tables::{Maps, Raw, take};
use crate::agent::{Counted, PortCounts};

/// A handle on the counters that only reads.
pub struct KernelCounters(PerCpuArray<MapData, Raw<Counter>>);

impl KernelCounters {
    /// Opens the map.
    pub fn open(maps: &mut impl Maps) -> Result<Self> {
        take(maps, name::COUNTERS).map(Self)
    }
}

impl Counted for KernelCounters {
    /// Summed over all CPUs.
    fn of(&self, slot: u32) -> crate::error::Result<PortCounts> {
        let mut counts = PortCounts::NONE;
        for (direction, counters) in Direction::ALL.into_iter().zip(&mut counts.0) {
            for (number, sum) in (0..).zip(counters) {
                let cpus = self.0.get(&counter_index(slot, direction, number), 0);
                let cpus = cpus.map_err(Error::map("read", name::COUNTERS))?;
                for Raw(counter) in cpus.iter() {
                    sum.packets += counter.packets;
                    sum.bytes += counter.bytes;
                }
            }
        }
        Ok(counts)
    }
}
