//! The flow tables, which may be read and written by several threads at once: each call is one system
//! call, or a walk of many short ones.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use aya::maps::{HashMap, Map, MapData, MapError};
use aya::programs::SchedClassifier;
use aya::{Ebpf, TestRun, TestRunOptions};
use bytemuck::{Pod, Zeroable};
use sg_common::layout::fair::{Embryo4, Embryo6, Fair};
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::maps::name;
use sg_common::layout::settings::Ticks;
use sg_common::layout::sweep::{Adoption, Sweep, adopted};
use sg_common::wire::addr::Family;

use super::batch::Walk;
use super::clock;
use super::error::{Error, Result};
use super::fair_tables::{FairTable, Shares};
use super::occupancy::Occupancy;
use super::removal;
use super::sweep;
use super::tables::{Raw, room, take};
use crate::agent::{Added, FlowTables, TableFill, Visit};

/// The four flow tables.
pub struct KernelFlows {
    assured4: Table<FlowKey4>,
    assured6: Table<FlowKey>,
    embryos4: FairTable<Embryo4>,
    embryos6: FairTable<Embryo6>,
    shares: Shares,
    occupancy: Occupancy,
    /// Stores a connection, as the filter does.
    adopt: Order,
    /// Removes one that is not assured.
    dismiss: Order,
    /// Removes all that are not assured, and fragments, of a slot.
    vacate: Order,
}

impl KernelFlows {
    /// Takes the maps out of the loaded object.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let assured4 = Table::open(object, name::FLOWS4)?;
        let assured6 = Table::open(object, name::FLOWS6)?;
        let capacity = [assured4.room, assured6.room];
        let capacity = capacity.map(|room| u32::try_from(room).unwrap_or(u32::MAX));
        Ok(Self {
            assured4,
            assured6,
            embryos4: FairTable::open(object)?,
            embryos6: FairTable::open(object)?,
            shares: Shares::open(object)?,
            occupancy: Occupancy::open(object, capacity)?,
            adopt: Order::open(object, "adopt")?,
            dismiss: Order::open(object, "dismiss")?,
            vacate: Order::open(object, "vacate")?,
        })
    }

    /// What the sweep has done.
    pub fn sweep(&self) -> Result<Sweep> {
        self.occupancy.sweep()
    }

    /// Forgets everything that was stored under slots which nobody has, before others get them.
    ///
    /// The room of assured connections comes back with their turns of the sweep.
    pub fn vacate(&self, slots: &BTreeSet<u32>) -> Result<()> {
        let shares = self.shares.of_slots()?;
        let mut assured = false;
        for slot in slots {
            self.vacate.run(&of_slot(*slot), &Flow::zeroed())?;
            assured |= shares
                .get(*slot as usize)
                .is_some_and(|share| share.assured > 0);
        }
        if assured {
            self.assured4.forget(|key| slots.contains(&key.slot))?;
            self.assured6.forget(|key| slots.contains(&key.slot))?;
        }
        Ok(())
    }

    /// Room for assured connections of IPv4.
    pub fn room(&self) -> u32 {
        u32::try_from(self.assured4.room).unwrap_or(u32::MAX)
    }
}

impl FlowTables for KernelFlows {
    fn walk(&self, visit: &mut Visit<'_>) -> crate::error::Result<()> {
        let mut page = Vec::new();
        let ended = self
            .assured4
            .walk(FlowKey4::widen, &mut page, visit)?
            .is_break()
            || self.assured6.walk(|key| *key, &mut page, visit)?.is_break()
            || self
                .embryos4
                .walk(&self.shares, &mut |stored| {
                    let widened = stored.iter().map(|(key, flow)| (key.widen(), *flow));
                    visit(&widened.collect::<Vec<_>>())
                })?
                .is_break();
        if !ended {
            let _ = self.embryos6.walk(&self.shares, visit)?;
        }
        Ok(())
    }

    fn find(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let (narrow, shares) = (key.narrow(), &self.shares);
        let assured = match key.family() {
            Family::V4 => self.assured4.find(&narrow)?,
            Family::V6 => self.assured6.find(key)?,
        };
        if assured.is_some() {
            return Ok(assured);
        }
        Ok(match key.family() {
            Family::V4 => self.embryos4.find(&narrow, shares)?,
            Family::V6 => self.embryos6.find(key, shares)?,
        })
    }

    fn add(&self, key: &FlowKey, flow: &Flow) -> crate::error::Result<Added> {
        Ok(match self.adopt.run(key, flow)? {
            adopted::STORED => Added::Stored,
            adopted::EXISTS => Added::Exists,
            _ => Added::NoRoom,
        })
    }

    fn remove(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let (narrow, shares) = (key.narrow(), &self.shares);
        let (assured, other) = match key.family() {
            Family::V4 => (
                self.assured4.remove(&narrow)?,
                self.embryos4.find(&narrow, shares)?,
            ),
            Family::V6 => (self.assured6.remove(key)?, self.embryos6.find(key, shares)?),
        };
        let dismissed = self.dismiss.run(key, &Flow::zeroed())? != 0;
        Ok(assured.or(other.filter(|_| dismissed)))
    }

    fn fill(&self) -> crate::error::Result<Vec<TableFill>> {
        let [v4, v6] = [Family::V4, Family::V6].map(|family| self.occupancy.room(family));
        let mut fill = vec![
            self.assured4.fill(v4?.used.into()),
            self.assured6.fill(v6?.used.into()),
        ];
        for table in Fair::ALL {
            fill.push(self.shares.fill(table)?);
        }
        Ok(fill)
    }

    fn now(&self) -> Ticks {
        clock::now()
    }
}

/// The key of no connection: its slot counts.
fn of_slot(slot: u32) -> FlowKey {
    FlowKey {
        slot,
        ..FlowKey::zeroed()
    }
}

/// A program that does something with a connection.
struct Order {
    name: &'static str,
    program: SchedClassifier,
}

impl Order {
    fn open(object: &mut Ebpf, name: &'static str) -> Result<Self> {
        let program = sweep::load(object, name);
        let program = program.map_err(|source| Error::Program { name, source })?;
        Ok(Self { name, program })
    }

    /// Runs it, and returns what it answers.
    fn run(&self, key: &FlowKey, flow: &Flow) -> Result<u32> {
        let adoption = Adoption {
            header: [0; 16],
            key: *key,
            flow: *flow,
        };
        let options = TestRunOptions {
            data_in: Some(bytemuck::bytes_of(&adoption)),
            ..TestRunOptions::default()
        };
        let name = self.name;
        let done = self.program.test_run(options);
        let done = done.map_err(|source| Error::Program { name, source })?;
        Ok(done.return_value)
    }
}

/// One table of assured connections.
struct Table<K> {
    name: &'static str,
    room: u64,
    /// The same map twice: walks need no turn.
    fd: OwnedFd,
    map: Mutex<HashMap<MapData, Raw<K>, Raw<Flow>>>,
}

impl<K: Pod> Table<K> {
    fn open(object: &mut Ebpf, name: &'static str) -> Result<Self> {
        let room = room(object, name)?;
        let fd = match object.map(name) {
            Some(Map::HashMap(data)) => data.fd().as_fd(),
            _ => return Err(Error::NoMap { name }),
        };
        let fd = fd.try_clone_to_owned();
        let fd = fd.map_err(|error| Error::map("open", name)(MapError::IoError(error)))?;
        let map = Mutex::new(take(object, name)?);
        Ok(Self {
            name,
            room,
            fd,
            map,
        })
    }

    fn walk(
        &self,
        widen: impl Fn(&K) -> FlowKey,
        page: &mut Vec<(FlowKey, Flow)>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let mut walk = self.entries();
        while let Some((keys, flows)) = walk.page().map_err(|error| self.unread(error))? {
            page.clear();
            page.extend(keys.iter().map(&widen).zip(flows.iter().copied()));
            if visit(page).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Removes some.
    fn forget(&self, which: impl Fn(&K) -> bool) -> Result<()> {
        let mut gone = Vec::new();
        let mut walk = self.entries();
        while let Some((keys, _)) = walk.page().map_err(|error| self.unread(error))? {
            gone.extend(keys.iter().filter(|key| which(key)).copied());
        }
        for key in gone {
            self.remove(&key)?;
        }
        Ok(())
    }

    fn fill(&self, used: u64) -> TableFill {
        TableFill {
            name: self.name,
            used,
            capacity: self.room,
        }
    }

    fn find(&self, key: &K) -> Result<Option<Flow>> {
        match self.map().get(&Raw(*key), 0) {
            Ok(Raw(flow)) => Ok(Some(flow)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(Error::map("read", self.name)(error)),
        }
    }

    fn remove(&self, key: &K) -> Result<Option<Flow>> {
        let removed = removal::remove(self.fd.as_fd(), key);
        removed.map_err(|error| Error::map("write", self.name)(MapError::IoError(error)))
    }

    fn entries(&self) -> Walk<'_, K, Flow> {
        Walk::new(self.fd.as_fd())
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<MapData, Raw<K>, Raw<Flow>>> {
        // Nothing is left half done by a thread that panics within one system call.
        self.map
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn unread(&self, error: std::io::Error) -> Error {
        Error::map("read", self.name)(MapError::IoError(error))
    }
}
