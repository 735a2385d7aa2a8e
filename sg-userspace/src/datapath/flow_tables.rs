//! The flow tables, which may be read and written by several threads at once: each call is one system
//! call, or a walk of many short ones.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};

use aya::maps::{HashMap, Map, MapData, MapError};
use aya::programs::{ProgramError, SchedClassifier};
use aya::{Ebpf, TestRun, TestRunOptions};
use bytemuck::Pod;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::fragment::{FragmentKey, FragmentValue};
use sg_common::layout::maps::name;
use sg_common::layout::settings::Ticks;
use sg_common::layout::share::Kind;
use sg_common::layout::sweep::{Adoption, Sweep, adopted};
use sg_common::wire::addr::Family;

use super::batch::{Page, Walk};
use super::clock;
use super::error::{Error, Result};
use super::occupancy::Occupancy;
use super::removal;
use super::slotted::Slotted;
use super::stock::Stock;
use super::tables::{Maps, Raw, room};
use crate::agent::{Added, FlowTables, TableFill, Visit};

/// The program that stores a connection.
pub(super) const ADOPT: &str = "adopt";

/// The program that removes one that is not assured.
pub(super) const DISMISS: &str = "dismiss";

/// The flow tables: those of assured connections, and those of each port's others, which only programs
/// write, because they count what they do.
pub struct KernelFlows {
    v4: Table<FlowKey4>,
    v6: Table<FlowKey>,
    others: Arc<[Slotted; 3]>,
    occupancy: Occupancy,
    adopt: SchedClassifier,
    dismiss: SchedClassifier,
    /// Either runs alone: both take what they are given from the same memory.
    alone: Mutex<()>,
}

impl KernelFlows {
    /// Takes the maps out of the loaded object.
    pub fn open(stock: &mut Stock, others: Arc<[Slotted; 3]>) -> Result<Self> {
        let (v4, v6) = (
            Table::open(&mut stock.object, name::FLOWS4)?,
            Table::open(&mut stock.object, name::FLOWS6)?,
        );
        let capacity = [v4.room, v6.room];
        let capacity = capacity.map(|room| u32::try_from(room).unwrap_or(u32::MAX));
        Ok(Self {
            v4,
            v6,
            others,
            occupancy: Occupancy::open(&mut stock.object, capacity)?,
            adopt: stock.tc(ADOPT).map_err(refused(ADOPT))?,
            dismiss: stock.tc(DISMISS).map_err(refused(DISMISS))?,
            alone: Mutex::default(),
        })
    }

    /// What the sweep has done.
    pub fn sweep(&self) -> Result<Sweep> {
        self.occupancy.sweep()
    }

    /// Room for assured connections of IPv4.
    pub fn room(&self) -> u32 {
        u32::try_from(self.v4.room).unwrap_or(u32::MAX)
    }

    /// Removes the assured connections of slots; the sweep gives their room back.
    pub fn forget(&self, slots: &BTreeSet<u32>) -> Result<()> {
        let mut taken = BTreeSet::new();
        for slot in slots {
            if self.occupancy.of_slot(*slot)? != 0 {
                taken.insert(*slot);
            }
        }
        if taken.is_empty() {
            return Ok(());
        }
        self.v4.forget(FlowKey4::widen, &taken)?;
        self.v6.forget(|key| *key, &taken)
    }

    fn others(&self, kind: Kind) -> &Slotted {
        &self.others[kind as usize]
    }

    /// Visits the connections of a family that are not assured.
    fn walk_others<K: Pod>(
        &self,
        family: Family,
        widen: impl Fn(&K) -> FlowKey,
        page: &mut Page<K, Flow>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        let slotted = self.others(Kind::of(family));
        for slot in slotted.slots() {
            if let Some(table) = slotted.table(slot)? {
                let done = walk(slotted.name(), table.fd().as_fd(), &widen, page, visit)?;
                if done.is_break() {
                    return Ok(done);
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Fill of the tables of a kind of some slots, together.
    fn fill_of<K: Pod, V: Pod>(
        &self,
        kind: Kind,
        slots: impl IntoIterator<Item = u32>,
    ) -> Result<TableFill> {
        let slotted = self.others(kind);
        let mut fill = TableFill {
            name: slotted.name(),
            used: 0,
            capacity: 0,
        };
        let mut page = Page::<K, V>::new();
        for slot in slots {
            if let Some(table) = slotted.table(slot)? {
                let mut walk = Walk::new(table.fd().as_fd(), &mut page);
                while let Some((keys, _)) = walk.page().map_err(unread(slotted.name()))? {
                    fill.used += keys.len() as u64;
                }
                fill.capacity += u64::from(slotted.room());
            }
        }
        Ok(fill)
    }

    fn fills(&self, slot: Option<u32>) -> Result<[TableFill; 3]> {
        let slots = |kind| match slot {
            Some(slot) => [slot].into(),
            None => self.others(kind).slots(),
        };
        let [embryos4, embryos6, fragments] = Kind::ALL;
        Ok([
            self.fill_of::<FlowKey4, Flow>(embryos4, slots(embryos4))?,
            self.fill_of::<FlowKey, Flow>(embryos6, slots(embryos6))?,
            self.fill_of::<FragmentKey, FragmentValue>(fragments, slots(fragments))?,
        ])
    }

    fn find_other(&self, key: &FlowKey) -> Result<Option<Flow>> {
        let slotted = self.others(Kind::of(key.family()));
        let Some(table) = slotted.table(key.slot())? else {
            return Ok(None);
        };
        match key.family() {
            Family::V4 => find(
                slotted.name(),
                &opened(slotted.name(), table)?,
                &key.narrow(),
            ),
            Family::V6 => find(slotted.name(), &opened(slotted.name(), table)?, key),
        }
    }

    /// Removes a connection that is not assured; says whether it was there.
    fn dismiss(&self, key: &FlowKey) -> Result<bool> {
        let done = self.run(&self.dismiss, key, &bytemuck::Zeroable::zeroed());
        done.map(|answer| answer == 1).map_err(refused(DISMISS))
    }

    /// Runs a program over a connection; returns its answer.
    fn run(
        &self,
        program: &SchedClassifier,
        key: &FlowKey,
        flow: &Flow,
    ) -> std::result::Result<u32, ProgramError> {
        let adoption = Adoption {
            header: [0; 16],
            key: *key,
            flow: *flow,
        };
        let options = TestRunOptions {
            data_in: Some(bytemuck::bytes_of(&adoption)),
            ..TestRunOptions::default()
        };
        let _alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        program.test_run(options).map(|done| done.return_value)
    }
}

impl FlowTables for KernelFlows {
    fn walk(&self, visit: &mut Visit<'_>) -> crate::error::Result<()> {
        let mut page = Page::new();
        let narrow = |key: &FlowKey4| key.widen();
        if self.v4.walk(narrow, &mut page, visit)?.is_break()
            || self
                .walk_others(Family::V4, narrow, &mut page, visit)?
                .is_break()
        {
            return Ok(());
        }
        let mut page = Page::new();
        let wide = |key: &FlowKey| *key;
        if self.v6.walk(wide, &mut page, visit)?.is_continue() {
            let _ = self.walk_others(Family::V6, wide, &mut page, visit)?;
        }
        Ok(())
    }

    fn find(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let assured = match key.family() {
            Family::V4 => find(self.v4.name, &self.v4.map, &key.narrow()),
            Family::V6 => find(self.v6.name, &self.v6.map, key),
        };
        Ok(match assured? {
            None => self.find_other(key)?,
            found => found,
        })
    }

    fn add(&self, key: &FlowKey, flow: &Flow) -> crate::error::Result<Added> {
        let answer = self.run(&self.adopt, key, flow).map_err(refused(ADOPT))?;
        Ok(match answer {
            adopted::STORED => Added::Stored,
            adopted::EXISTS => Added::Exists,
            _ => Added::NoRoom,
        })
    }

    fn remove(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let assured = match key.family() {
            Family::V4 => self.v4.remove(&key.narrow()),
            Family::V6 => self.v6.remove(key),
        };
        let (found, is_assured) = match assured? {
            None => (self.find_other(key)?, false),
            assured => (assured, true),
        };
        // One that is being promoted at this moment is in both.
        let dismissed = found.is_some() && self.dismiss(key)?;
        Ok(found.filter(|_| is_assured || dismissed))
    }

    fn fill(&self) -> crate::error::Result<Vec<TableFill>> {
        let [v4, v6] = [Family::V4, Family::V6].map(|family| self.occupancy.room(family));
        let assured = [self.v4.fill(v4?.used.into()), self.v6.fill(v6?.used.into())];
        Ok(assured.into_iter().chain(self.fills(None)?).collect())
    }

    fn assured_of(&self, slot: u32) -> crate::error::Result<u32> {
        Ok(self.occupancy.of_slot(slot)?)
    }

    fn fill_of_port(&self, slot: u32) -> crate::error::Result<Vec<TableFill>> {
        Ok(self.fills(Some(slot))?.into())
    }

    fn now(&self) -> Ticks {
        clock::now()
    }
}

/// A map of connections.
type Connections<K> = HashMap<MapData, Raw<K>, Raw<Flow>>;

/// A table of assured connections.
struct Table<K> {
    name: &'static str,
    room: u64,
    /// The same map twice: aya does not walk many entries at a time.
    fd: OwnedFd,
    map: Connections<K>,
}

impl<K: Pod> Table<K> {
    fn open(object: &mut Ebpf, name: &'static str) -> Result<Self> {
        let map = object.open_map(name)?;
        let fd = match &map {
            Map::HashMap(data) => data.fd().as_fd(),
            _ => return Err(Error::NoMap { name }),
        };
        let fd = fd.try_clone_to_owned();
        let fd = fd.map_err(|error| Error::map("open", name)(MapError::IoError(error)))?;
        Ok(Self {
            name,
            room: room(&map, name)?,
            fd,
            map: map.try_into().map_err(Error::map("open", name))?,
        })
    }

    fn walk(
        &self,
        widen: impl Fn(&K) -> FlowKey,
        page: &mut Page<K, Flow>,
        visit: &mut Visit<'_>,
    ) -> Result<ControlFlow<()>> {
        walk(self.name, self.fd.as_fd(), widen, page, visit)
    }

    fn forget(&self, widen: impl Fn(&K) -> FlowKey, slots: &BTreeSet<u32>) -> Result<()> {
        let mut page = Page::<K, Flow>::new();
        let mut walk = Walk::new(self.fd.as_fd(), &mut page);
        let mut doomed = Vec::new();
        while let Some((keys, _)) = walk.page().map_err(unread(self.name))? {
            let of_slots = keys.iter().filter(|key| slots.contains(&widen(key).slot()));
            doomed.extend(of_slots.copied());
        }
        doomed
            .iter()
            .try_for_each(|key| self.remove(key).map(|_| ()))
    }

    fn fill(&self, used: u64) -> TableFill {
        TableFill {
            name: self.name,
            used,
            capacity: self.room,
        }
    }

    fn remove(&self, key: &K) -> Result<Option<Flow>> {
        let removed = removal::remove(self.fd.as_fd(), key);
        removed.map_err(|error| Error::map("write", self.name)(MapError::IoError(error)))
    }
}

/// Visits the connections in a map.
pub(super) fn walk<K: Pod>(
    name: &'static str,
    map: BorrowedFd<'_>,
    widen: impl Fn(&K) -> FlowKey,
    page: &mut Page<K, Flow>,
    visit: &mut Visit<'_>,
) -> Result<ControlFlow<()>> {
    let mut walk = Walk::new(map, page);
    let mut widened = Vec::new();
    while let Some((keys, flows)) = walk.page().map_err(unread(name))? {
        widened.clear();
        widened.extend(keys.iter().map(&widen).zip(flows.iter().copied()));
        if visit(&widened).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn find<K: Pod>(name: &'static str, map: &Connections<K>, key: &K) -> Result<Option<Flow>> {
    match map.get(&Raw(*key), 0) {
        Ok(Raw(flow)) => Ok(Some(flow)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(Error::map("read", name)(error)),
    }
}

fn opened<K: Pod>(name: &'static str, table: MapData) -> Result<Connections<K>> {
    let map = Map::from_map_data(table).and_then(HashMap::try_from);
    map.map_err(Error::map("open", name))
}

fn refused(name: &'static str) -> impl Fn(ProgramError) -> Error {
    move |source| Error::Program { name, source }
}

fn unread(name: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::map("read", name)(MapError::IoError(error))
}
