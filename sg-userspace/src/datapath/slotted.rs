//! Maps of maps: a table for each slot that has one. The tables are pinned with the map: nobody else holds them.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::of_maps::ArrayOfMaps;
use aya::maps::{Map, MapData, MapError};

use super::at_once::at_once;
use super::error::{Error, Result};
use super::inner::inner_maps;
use super::sys;
use super::tables::take;
use super::template::Template;

/// Tables that are made before they are put in place together: each has a descriptor until then.
const BATCH: usize = 128;

/// Threads that remove tables.
const THREADS: usize = 64;

/// A map of maps: tables of one kind, by slot.
pub struct Slotted {
    name: &'static str,
    template: Template,
    maps: ArrayOfMaps<MapData, MapData>,
    /// The same map, for what aya does not do.
    fd: OwnedFd,
    /// The slots that have a table, as they were seen last: to look at all of them takes long before Linux 6.8.
    taken: Mutex<BTreeSet<u32>>,
}

impl Slotted {
    /// Takes the map out of the loaded object.
    pub fn open(object: &mut Ebpf, template: Template) -> Result<Self> {
        let name = template.name();
        let fd = match object.map(name) {
            Some(Map::ArrayOfMaps(data)) => data.fd().as_fd().try_clone_to_owned(),
            _ => return Err(Error::NoMap { name }),
        };
        let fd = fd.map_err(|error| Error::map("open", name)(MapError::IoError(error)))?;
        let slotted = Self {
            name,
            template,
            maps: take(object, name)?,
            fd,
            taken: Mutex::default(),
        };
        slotted.looked_at(&(0..slotted.maps.len()).collect())?;
        Ok(slotted)
    }

    /// Name of the map.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The table of a slot; `None` if no port has it.
    pub fn table(&self, slot: u32) -> Result<Option<MapData>> {
        match self.maps.get(&slot, 0) {
            Ok(table) => Ok(Some(table)),
            Err(MapError::KeyNotFound | MapError::OutOfBounds { .. }) => Ok(None),
            // It was removed before it could be opened.
            Err(MapError::SyscallError(call)) if is_absent(&call.io_error) => Ok(None),
            Err(error) => Err(Error::map("read", self.name())(error)),
        }
    }

    /// Room in the table of a slot.
    pub fn room(&self) -> u32 {
        self.template.room()
    }

    /// The slots that have a table, as this process has found or changed them.
    pub fn slots(&self) -> BTreeSet<u32> {
        self.taken().clone()
    }

    /// Which of these have a table.
    pub fn looked_at(&self, slots: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
        let inner = inner_maps(self.fd.as_fd(), slots.iter().copied());
        let inner = inner.map_err(|error| self.failed("read", error))?;
        let found: BTreeSet<u32> = inner.into_keys().collect();
        let mut taken = self.taken();
        taken.retain(|slot| !slots.contains(slot));
        taken.extend(&found);
        Ok(found)
    }

    fn taken(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, what: &'static str, error: io::Error) -> Error {
        Error::map(what, self.name())(MapError::IoError(error))
    }

    /// Makes tables for slots that have none.
    pub fn furnish(&self, slots: &[u32]) -> Result<()> {
        slots
            .chunks(BATCH)
            .try_for_each(|slots| self.furnish_together(slots))
    }

    fn furnish_together(&self, slots: &[u32]) -> Result<()> {
        let tables = slots.iter().map(|_| self.template.make());
        let tables: Vec<_> = tables
            .collect::<std::result::Result<_, _>>()
            .map_err(Error::map("make a table in", self.name()))?;
        let fds: Vec<_> = tables
            .iter()
            .map(|table| table.fd().as_fd().as_raw_fd())
            .collect();
        if let Err(error) = sys::put_in_slots(self.fd.as_fd(), slots, &fds) {
            // Some may be in place.
            self.looked_at(&slots.iter().copied().collect())?;
            return Err(self.failed("make a table in", error));
        }
        self.taken().extend(slots);
        Ok(())
    }

    fn vacate(&self, slot: u32) -> Result<()> {
        match sys::clear_slot(self.fd.as_fd(), slot) {
            Err(error) if !is_absent(&error) => Err(self.failed("remove a table in", error)),
            _ => {
                self.taken().remove(&slot);
                Ok(())
            }
        }
    }
}

/// Removes the tables of slots from maps of maps, with all that is in them. For each the kernel waits until no
/// program uses it: many wait together.
pub fn vacate<'a>(slotted: impl Iterator<Item = &'a Slotted>, slots: &BTreeSet<u32>) -> Result<()> {
    if slots.is_empty() {
        return Ok(());
    }
    let mut doomed = Vec::new();
    for slotted in slotted {
        let taken = slotted.looked_at(slots)?;
        doomed.extend(taken.into_iter().map(|slot| (slotted, slot)));
    }
    let part = doomed.len().div_ceil(THREADS).max(1);
    let parts: Vec<_> = doomed.chunks(part).collect();
    at_once(&parts, |part| {
        part.iter()
            .try_for_each(|(slotted, slot)| slotted.vacate(*slot))
    })
}

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}
