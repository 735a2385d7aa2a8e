//! The flow tables, which may be read and written by several threads at once: each call is one system
//! call, or a walk of many short ones.

use std::ops::ControlFlow;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Mutex;

use aya::maps::{HashMap, Map, MapData, MapError};
use aya::programs::SchedClassifier;
use aya::{Ebpf, TestRun, TestRunOptions};
use bytemuck::Pod;
use sg_common::layout::flow::{Flow, FlowKey, FlowKey4};
use sg_common::layout::maps::name;
use sg_common::layout::settings::Ticks;
use sg_common::layout::sweep::{Adoption, Sweep, adopted};
use sg_common::wire::addr::Family;

use super::batch::Walk;
use super::clock;
use super::error::{Error, Result};
use super::occupancy::Occupancy;
use super::removal;
use super::sweep;
use super::tables::{Raw, room, take};
use crate::agent::{Added, FlowTables, TableFill, Visit};

/// The program that stores an assured connection.
const ADOPT: &str = "adopt";

/// The four flow tables.
pub struct KernelFlows {
    /// Assured connections, then the others.
    v4: [Table<FlowKey4>; 2],
    v6: [Table<FlowKey>; 2],
    occupancy: Occupancy,
    /// Stores an assured connection, as the filter does.
    adopt: SchedClassifier,
}

/// Does with the tables of a connection's family, under the key of that family.
macro_rules! by_family {
    ($tables:expr, $key:expr, |$family:ident, $narrow:ident| $body:expr) => {
        match $key.family() {
            Family::V4 => {
                let ($family, $narrow) = (&$tables.v4, &$key.narrow());
                $body
            }
            Family::V6 => {
                let ($family, $narrow) = (&$tables.v6, $key);
                $body
            }
        }
    };
}

impl KernelFlows {
    /// Takes the maps out of the loaded object.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let v4 = [
            Table::open(object, name::FLOWS4)?,
            Table::open(object, name::EMBRYOS4)?,
        ];
        let v6 = [
            Table::open(object, name::FLOWS6)?,
            Table::open(object, name::EMBRYOS6)?,
        ];
        let capacity = [v4[0].room, v6[0].room];
        let capacity = capacity.map(|room| u32::try_from(room).unwrap_or(u32::MAX));
        let failed = |source| Error::Program {
            name: ADOPT,
            source,
        };
        Ok(Self {
            v4,
            v6,
            occupancy: Occupancy::open(object, capacity)?,
            adopt: sweep::load(object, ADOPT).map_err(failed)?,
        })
    }

    /// What the sweep has done.
    pub fn sweep(&self) -> Result<Sweep> {
        self.occupancy.sweep()
    }

    /// Stores an assured connection by the program that gives it its room and its turn of the sweep.
    fn adopt(&self, key: &FlowKey, flow: &Flow) -> Result<Added> {
        let adoption = Adoption {
            header: [0; 16],
            key: *key,
            flow: *flow,
        };
        let options = TestRunOptions {
            data_in: Some(bytemuck::bytes_of(&adoption)),
            ..TestRunOptions::default()
        };
        let failed = |source| Error::Program {
            name: ADOPT,
            source,
        };
        let done = self.adopt.test_run(options).map_err(failed)?;
        Ok(match done.return_value {
            adopted::STORED => Added::Stored,
            adopted::EXISTS => Added::Exists,
            _ => Added::NoRoom,
        })
    }

    /// Room for assured connections of IPv4.
    pub fn room(&self) -> u32 {
        u32::try_from(self.v4[0].room).unwrap_or(u32::MAX)
    }
}

impl FlowTables for KernelFlows {
    fn walk(&self, visit: &mut Visit<'_>) -> crate::error::Result<()> {
        let mut page = Vec::new();
        for table in &self.v4 {
            if table.walk(FlowKey4::widen, &mut page, visit)?.is_break() {
                return Ok(());
            }
        }
        for table in &self.v6 {
            if table.walk(|key| *key, &mut page, visit)?.is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn find(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let found = by_family!(self, key, |tables, key| match tables[0].find(key)? {
            None => tables[1].find(key)?,
            found => found,
        });
        Ok(found)
    }

    fn add(&self, key: &FlowKey, flow: &Flow) -> crate::error::Result<Added> {
        if flow.word().assured() {
            return Ok(self.adopt(key, flow)?);
        }
        Ok(by_family!(self, key, |tables, key| tables[1].add(key, flow)?))
    }

    fn remove(&self, key: &FlowKey) -> crate::error::Result<Option<Flow>> {
        let [assured, embryo] = by_family!(self, key, |tables, key| [
            tables[0].remove(key)?,
            tables[1].remove(key)?
        ]);
        Ok(assured.or(embryo))
    }

    fn fill(&self) -> crate::error::Result<Vec<TableFill>> {
        let [v4, v6] = [Family::V4, Family::V6].map(|family| self.occupancy.room(family));
        Ok(vec![
            self.v4[0].fill(v4?.used.into()),
            self.v6[0].fill(v6?.used.into()),
            self.v4[1].fill(self.v4[1].count()?),
            self.v6[1].fill(self.v6[1].count()?),
        ])
    }

    fn now(&self) -> Ticks {
        clock::now()
    }
}

/// One flow table.
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
            Some(Map::HashMap(data) | Map::LruHashMap(data)) => data.fd().as_fd(),
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

    fn count(&self) -> Result<u64> {
        let mut count = 0;
        let mut walk = self.entries();
        while let Some((keys, _)) = walk.page().map_err(|error| self.unread(error))? {
            count += keys.len() as u64;
        }
        Ok(count)
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

    fn add(&self, key: &K, flow: &Flow) -> Result<Added> {
        const ONLY_IF_ABSENT: u64 = aya_obj::generated::BPF_NOEXIST as u64;
        match self.map().insert(Raw(*key), Raw(*flow), ONLY_IF_ABSENT) {
            Ok(()) => Ok(Added::Stored),
            Err(MapError::SyscallError(call)) => match call.io_error.raw_os_error() {
                Some(libc::EEXIST) => Ok(Added::Exists),
                Some(libc::E2BIG | libc::ENOSPC | libc::ENOMEM) => Ok(Added::NoRoom),
                _ => Err(Error::map("write", self.name)(call.into())),
            },
            Err(error) => Err(Error::map("write", self.name)(error)),
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
