//! What was counted, for whoever reads it while the programs count on.

use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{Map, MapError};
use sg_common::hook::Direction;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::layout::maps::name;
use sg_common::reason::COUNTERS;

use super::batch;
use super::error::{Error, Result};
use super::tables::Maps;
use crate::agent::{Counted, PortCounts};

/// A handle on the counters that only reads: those of a slot in one system call, because a node has hundreds of
/// ports with some hundred counters each.
pub struct KernelCounters {
    map: OwnedFd,
    cpus: usize,
}

impl KernelCounters {
    /// Opens the map.
    pub fn open(maps: &mut impl Maps) -> Result<Self> {
        let Map::PerCpuArray(map) = maps.open_map(name::COUNTERS)? else {
            return Err(Error::NoMap {
                name: name::COUNTERS,
            });
        };
        let map = map.fd().as_fd().try_clone_to_owned();
        let cpus = aya::util::nr_cpus().map_err(|(_, source)| source);
        let unusable = |source| Error::map("open", name::COUNTERS)(MapError::IoError(source));
        Ok(Self {
            map: map.map_err(unusable)?,
            cpus: cpus.map_err(unusable)?,
        })
    }
}

impl Counted for KernelCounters {
    /// Summed over all CPUs.
    fn of(&self, slot: u32) -> crate::error::Result<PortCounts> {
        let first = counter_index(slot, Direction::ALL[0], 0);
        let count = Direction::ALL.len() * COUNTERS as usize;
        let values = batch::of_cpus::<Counter>(self.map.as_fd(), first, count, self.cpus);
        let unread = |source| Error::map("read", name::COUNTERS)(MapError::IoError(source));
        let values = values.map_err(unread)?;
        let mut counts = PortCounts::NONE;
        let sums = counts.0.iter_mut().flatten();
        for (sum, of_cpus) in sums.zip(values.chunks(self.cpus)) {
            for counter in of_cpus {
                sum.packets += counter.packets;
                sum.bytes += counter.bytes;
            }
        }
        Ok(counts)
    }
}
