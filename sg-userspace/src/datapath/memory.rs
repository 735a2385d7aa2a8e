//! The memory that the maps take.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use aya::Ebpf;
use aya::maps::{Map, MapData, MapError, MapInfo, MapType};
use aya::programs::loaded_programs;
use sg_common::layout::maps::LAYOUTS;

use super::error::{Error, Result};
use super::inner::inner_maps;

/// The maps of the object and of its programs, to be asked for their memory.
pub struct MapMemory {
    named: BTreeMap<&'static str, Metered>,
    /// Maps that only programs use, such as that of the log.
    others: Vec<Metered>,
}

impl MapMemory {
    /// The pinned maps of the loaded object.
    pub fn open(object: &Ebpf) -> Result<Self> {
        let mut named = BTreeMap::new();
        for layout in &LAYOUTS {
            let name = layout.name;
            if let Some(data) = object.map(name).and_then(data) {
                let metered = data.info().and_then(|info| Metered::new(&info));
                named.insert(name, metered.map_err(Error::map("open", name))?);
            }
        }
        Ok(MapMemory {
            named,
            others: Vec::new(),
        })
    }

    /// Looks for all other maps of the programs that use any of these, when those are loaded.
    pub fn find_others(&mut self) {
        let named: BTreeSet<_> = self.named.values().map(|map| map.id).collect();
        let programs = loaded_programs().flatten();
        let used = programs.filter_map(|program| program.map_ids().ok().flatten());
        let ours = used.filter(|maps| maps.iter().any(|map| named.contains(map)));
        let others: BTreeSet<_> = ours.flatten().filter(|map| !named.contains(map)).collect();
        let others = others
            .into_iter()
            .filter_map(|map| MapInfo::from_id(map).ok());
        self.others = others.filter_map(|info| Metered::new(&info).ok()).collect();
    }

    /// Bytes of a map with those inside it, as the kernel counts them (`map_mem_usage`; before Linux 6.4
    /// an estimate). 0 if the kernel does not say.
    pub fn bytes(&self, name: &str) -> u64 {
        self.named.get(name).map(Metered::bytes).unwrap_or_default()
    }

    /// Bytes of all of them: the sum of what `bpftool map show` has for them as `memlock`.
    pub fn all(&self) -> u64 {
        let maps = self.named.values().chain(&self.others);
        maps.map(Metered::bytes).sum()
    }
}

/// A map that is asked again and again.
struct Metered {
    id: u32,
    fd: OwnedFd,
    /// How many maps it has room for; 0 if it is no array of maps.
    slots: u32,
}

impl Metered {
    fn new(info: &MapInfo) -> std::result::Result<Self, MapError> {
        let is_outer = info
            .map_type()
            .is_ok_and(|kind| kind == MapType::ArrayOfMaps);
        Ok(Metered {
            id: info.id(),
            fd: info.fd()?.as_fd().try_clone_to_owned()?,
            slots: if is_outer { info.max_entries() } else { 0 },
        })
    }

    fn bytes(&self) -> u64 {
        let inner = inner_maps(self.fd.as_fd(), 0..self.slots).unwrap_or_default();
        let inner = inner.into_values().filter_map(|id| {
            let map = MapInfo::from_id(id).and_then(|info| Metered::new(&info));
            map.ok()
        });
        memlock(&self.fd) + inner.map(|map| memlock(&map.fd)).sum::<u64>()
    }
}

fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::HashMap(data)
        | Map::LruHashMap(data)
        | Map::LpmTrie(data)
        | Map::Array(data)
        | Map::PerCpuArray(data)
        | Map::ArrayOfMaps(data)
        | Map::HashOfMaps(data)
        | Map::ProgramArray(data)
        | Map::RingBuf(data)
        | Map::Queue(data) => Some(data),
        _ => None,
    }
}

fn memlock(fd: &OwnedFd) -> u64 {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", fd.as_raw_fd()));
    let info = info.unwrap_or_default();
    let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
    let bytes = line.and_then(|bytes| bytes.trim().parse().ok());
    bytes.unwrap_or_default()
}
