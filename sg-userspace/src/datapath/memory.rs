//! The memory that the maps take.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::Ebpf;
use aya::maps::{Map, MapError};
use sg_common::layout::maps::LAYOUTS;

use super::error::{Error, Result};

/// The maps by their names, to be asked for their memory.
pub struct MapMemory(BTreeMap<&'static str, OwnedFd>);

impl MapMemory {
    /// Of the loaded object.
    pub fn open(object: &Ebpf) -> Result<Self> {
        let fd = |name| {
            let (Map::HashMap(data)
            | Map::LruHashMap(data)
            | Map::LpmTrie(data)
            | Map::Array(data)
            | Map::PerCpuArray(data)
            | Map::Queue(data)) = object.map(name)?
            else {
                return None;
            };
            Some((name, data.fd().as_fd().try_clone_to_owned()))
        };
        let fds = LAYOUTS.iter().filter_map(|layout| fd(layout.name));
        let fds = fds.map(|(name, fd)| {
            let failed = |error| Error::map("open", name)(MapError::IoError(error));
            Ok((name, fd.map_err(failed)?))
        });
        fds.collect::<Result<_>>().map(MapMemory)
    }

    /// Bytes of a map, as the kernel counts them (`map_mem_usage`; before Linux 6.4 an estimate), and of
    /// what goes with it. 0 if the kernel does not say.
    pub fn bytes(&self, name: &str) -> u64 {
        self.0.get(name).and_then(of).unwrap_or_default()
    }
}

fn of(fd: &OwnedFd) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd())).ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
    line?.trim().parse().ok()
}
