//! Typed handles on the maps: the only place that writes them.

use std::collections::{BTreeMap, BTreeSet};

use aya::Ebpf;
use aya::maps::lpm_trie::Key;
use aya::maps::{Array, HashMap, LpmTrie, Map, MapData, MapError, PerCpuArray};
use bytemuck::Pod;
use sg_common::hook::Direction;
use sg_common::layout::counter::{Counter, counter_index};
use sg_common::layout::maps::{Node, name};
use sg_common::layout::policy::{
    Grant, GrantKey, Member, MemberKey, Policy, PortPairs, PortSet, PrefixKey,
};
use sg_common::layout::port::AddressKey;
use sg_common::reason::COUNTERS;

use super::error::{Error, Result};
use super::pins::Pins;
use super::port_table::PortTable;
use crate::compile::Rows;
use crate::plan::{Change, State};

/// A key or value of `sg-common` as aya wants it.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct Raw<T>(pub T);

// SAFETY: `bytemuck::Pod` promises all that aya's does: any bytes are a value, and there is no padding.
unsafe impl<T: Pod> aya::Pod for Raw<T> {}

/// All maps that the daemon reads or writes.
pub struct Tables {
    node: Array<MapData, Raw<Node>>,
    ports: PortTable,
    addresses: Trie<AddressKey, u32>,
    policies: Hash<u64, Policy>,
    members: Hash<MemberKey, Member>,
    prefixes: Trie<PrefixKey, u64>,
    grants: Hash<GrantKey, Grant>,
    port_sets: Hash<u64, PortSet>,
    port_pairs: Hash<u64, PortPairs>,
    counters: PerCpuArray<MapData, Raw<Counter>>,
}

impl Tables {
    /// Opens the maps.
    pub fn open(maps: &mut impl Maps) -> Result<Tables> {
        Ok(Tables {
            node: take(maps, name::NODE)?,
            ports: PortTable::open(maps)?,
            addresses: Trie::open(maps, name::ADDRESSES)?,
            policies: Hash::open(maps, name::POLICIES)?,
            members: Hash::open(maps, name::MEMBERS)?,
            prefixes: Trie::open(maps, name::PREFIXES)?,
            grants: Hash::open(maps, name::GRANTS)?,
            port_sets: Hash::open(maps, name::PORT_SETS)?,
            port_pairs: Hash::open(maps, name::PORT_PAIRS)?,
            counters: take(maps, name::COUNTERS)?,
        })
    }

    /// Who wrote the maps.
    pub fn node(&self) -> Result<Node> {
        self.node
            .get(&0, 0)
            .map(|raw| raw.0)
            .map_err(Error::map("read", name::NODE))
    }

    /// Says who writes the maps.
    pub fn set_node(&mut self, node: Node) -> Result<()> {
        self.node
            .set(0, Raw(node), 0)
            .map_err(Error::map("write", name::NODE))
    }

    /// The slots that ports have, and the UUIDs of these.
    pub fn owners(&self) -> Result<Vec<(u32, [u8; 16])>> {
        let ports = self.ports.all()?;
        Ok(ports.values().map(|port| (port.slot, port.uuid)).collect())
    }

    /// Reads the policy half of the maps.
    pub fn state(&self) -> Result<State> {
        Ok(State {
            ports: self.ports.all()?,
            addresses: self.addresses.all()?,
            rows: Rows {
                policies: self.policies.all()?,
                members: self.members.all()?,
                prefixes: self.prefixes.all()?,
                grants: self.grants.all()?,
                port_sets: boxed(self.port_sets.all()?),
                port_pairs: boxed(self.port_pairs.all()?),
            },
        })
    }

    /// The slots that ports have.
    pub fn slots(&self) -> Result<BTreeSet<u32>> {
        let ports = self.ports.all()?;
        Ok(ports.values().map(|port| port.slot).collect())
    }

    /// Slots that there can be, and the one that no port has.
    pub fn slot_count(&self) -> u32 {
        self.ports.slot_count()
    }

    /// Does one write of a plan.
    pub fn write(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Port(key, value) => self.ports.put(key, value.as_ref()),
            Change::Address((bits, key), value) => self.addresses.put(*bits, key, value.as_ref()),
            Change::Policy(key, value) => self.policies.put(key, value.as_ref()),
            Change::Member(key, value) => self.members.put(key, value.as_ref()),
            Change::Prefix((bits, key), value) => self.prefixes.put(*bits, key, value.as_ref()),
            Change::Grant(key, value) => self.grants.put(key, value.as_ref()),
            Change::PortSet(key, value) => self.port_sets.put(key, value.as_deref()),
            Change::PortPairs(key, value) => self.port_pairs.put(key, value.as_deref()),
        }
    }

    /// Sets the counters of a slot to zero, for its next port.
    pub fn clear_counters(&mut self, slot: u32) -> Result<()> {
        let failed = || Error::map("write", name::COUNTERS);
        let cpus = aya::util::nr_cpus().map_err(|(_, source)| Error::Directory {
            action: "count the CPUs in",
            path: "/sys/devices/system/cpu".into(),
            source,
        })?;
        for direction in Direction::ALL {
            for number in 0..COUNTERS {
                let zero = vec![
                    Raw(Counter {
                        packets: 0,
                        bytes: 0
                    });
                    cpus
                ]
                .try_into();
                let zero = zero.map_err(|source| failed()(MapError::IoError(source)))?;
                let index = counter_index(slot, direction, number);
                self.counters.set(index, zero, 0).map_err(failed())?;
            }
        }
        Ok(())
    }

    /// Room of the policy's tables.
    pub fn rooms(&self) -> [(&'static str, u64); 8] {
        [
            self.ports.room(),
            self.addresses.room(),
            self.policies.room(),
            self.members.room(),
            self.prefixes.room(),
            self.grants.room(),
            self.port_sets.room(),
            self.port_pairs.room(),
        ]
    }
}

fn boxed<V>(rows: BTreeMap<u64, V>) -> BTreeMap<u64, Box<V>> {
    rows.into_iter()
        .map(|(id, row)| (id, Box::new(row)))
        .collect()
}

/// A hash map and its name.
pub(super) struct Hash<K, V> {
    name: &'static str,
    room: u64,
    map: HashMap<MapData, Raw<K>, Raw<V>>,
}

impl<K: Pod + Ord, V: Pod> Hash<K, V> {
    pub(super) fn open(maps: &mut impl Maps, name: &'static str) -> Result<Self> {
        let map = maps.open_map(name)?;
        Ok(Hash {
            name,
            room: room(&map, name)?,
            map: map.try_into().map_err(Error::map("open", name))?,
        })
    }

    pub(super) fn put(&mut self, key: &K, value: Option<&V>) -> Result<()> {
        let done = match value {
            Some(value) => self.map.insert(Raw(*key), Raw(*value), 0),
            None => self.map.remove(&Raw(*key)),
        };
        absent_is_removed(done).map_err(Error::map("write", self.name))
    }

    pub(super) fn get(&self, key: &K) -> Result<Option<V>> {
        match self.map.get(&Raw(*key), 0) {
            Ok(Raw(value)) => Ok(Some(value)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(Error::map("read", self.name)(error)),
        }
    }

    pub(super) fn all(&self) -> Result<BTreeMap<K, V>> {
        let entries = self.map.iter().map(|entry| {
            let (Raw(key), Raw(value)) = entry.map_err(Error::map("read", self.name))?;
            Ok((key, value))
        });
        entries.collect()
    }

    pub(super) fn room(&self) -> (&'static str, u64) {
        (self.name, self.room)
    }
}

/// A trie and its name.
struct Trie<K, V> {
    name: &'static str,
    room: u64,
    map: LpmTrie<MapData, Raw<K>, Raw<V>>,
}

impl<K: Pod + Ord, V: Pod> Trie<K, V> {
    fn open(maps: &mut impl Maps, name: &'static str) -> Result<Self> {
        let map = maps.open_map(name)?;
        Ok(Trie {
            name,
            room: room(&map, name)?,
            map: map.try_into().map_err(Error::map("open", name))?,
        })
    }

    fn put(&mut self, bits: u32, key: &K, value: Option<&V>) -> Result<()> {
        let key = Key::new(bits, Raw(*key));
        let done = match value {
            Some(value) => self.map.insert(&key, Raw(*value), 0),
            None => self.map.remove(&key),
        };
        absent_is_removed(done).map_err(Error::map("write", self.name))
    }

    fn all(&self) -> Result<BTreeMap<(u32, K), V>> {
        let mut all = BTreeMap::new();
        for entry in self.map.iter() {
            let (key, Raw(value)) = entry.map_err(Error::map("read", self.name))?;
            all.insert((key.prefix_len(), key.data().0), value);
        }
        Ok(all)
    }

    fn room(&self) -> (&'static str, u64) {
        (self.name, self.room)
    }
}

/// Where maps are opened from.
pub trait Maps {
    /// A handle on the map of this name.
    fn open_map(&mut self, name: &'static str) -> Result<Map>;
}

/// Takes a map out: it can be opened once.
impl Maps for Ebpf {
    fn open_map(&mut self, name: &'static str) -> Result<Map> {
        self.take_map(name).ok_or(Error::NoMap { name })
    }
}

/// A handle of its own each time.
impl Maps for Pins {
    fn open_map(&mut self, name: &'static str) -> Result<Map> {
        let data = MapData::from_pin(self.map(name));
        data.and_then(Map::from_map_data)
            .map_err(Error::map("open", name))
    }
}

pub(super) fn room(map: &Map, name: &'static str) -> Result<u64> {
    let data = match map {
        Map::HashMap(data) | Map::LpmTrie(data) => data,
        _ => return Err(Error::NoMap { name }),
    };
    let info = data.info().map_err(Error::map("describe", name))?;
    Ok(info.max_entries().into())
}

pub(super) fn take<T: TryFrom<Map, Error = MapError>>(
    maps: &mut impl Maps,
    name: &'static str,
) -> Result<T> {
    maps.open_map(name)?
        .try_into()
        .map_err(Error::map("open", name))
}

fn absent_is_removed(done: std::result::Result<(), MapError>) -> std::result::Result<(), MapError> {
    match done {
        Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(call)) if call.io_error.raw_os_error() == Some(libc::ENOENT) => {
            Ok(())
        }
        other => other,
    }
}
