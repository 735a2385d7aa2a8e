//! The tables that evict: one of each kind for every slot that has a port, in maps of maps. They are pinned
//! with those: nobody else holds them.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::of_maps::ArrayOfMaps;
use aya::maps::{Array, Map, MapData, MapError};
use sg_common::layout::maps::{INNER, name};
use sg_common::layout::share::{Kind, Share};

use super::at_once::at_once;
use super::error::{Error, Result};
use super::inner::inner_maps;
use super::object::Sizes;
use super::sys;
use super::tables::{Raw, take};
use super::template::Template;

/// Tables that are made before they are put in place together: each has a descriptor until then.
const BATCH: usize = 128;

/// Threads that remove tables.
const THREADS: usize = 64;

/// The tables of all slots, and what they have by the count of the programs.
pub struct Shares {
    slotted: Arc<[Slotted; 3]>,
    counts: Array<MapData, Raw<Share>>,
}

impl Shares {
    /// Takes the maps out of the loaded object.
    pub fn open(object: &mut Ebpf, sizes: Sizes) -> Result<Self> {
        let [embryos4, embryos6, fragments] = Template::all(sizes)?;
        let slotted = [
            Slotted::open(object, Kind::Embryos4, embryos4)?,
            Slotted::open(object, Kind::Embryos6, embryos6)?,
            Slotted::open(object, Kind::Fragments, fragments)?,
        ];
        Ok(Self {
            slotted: Arc::new(slotted),
            counts: take(object, name::SHARES)?,
        })
    }

    /// The maps of maps, by [`Kind`].
    pub fn slotted(&self) -> Arc<[Slotted; 3]> {
        self.slotted.clone()
    }

    /// Makes the tables of slots that have none.
    pub fn furnish(&mut self, slots: &BTreeSet<u32>) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut bare = Vec::new();
        for slotted in self.slotted.iter() {
            let taken = slotted.looked_at(slots)?;
            let slots: Vec<u32> = slots.difference(&taken).copied().collect();
            for slot in &slots {
                let share = cleared(&self.counts, *slot, slotted.kind)?;
                let written = self.counts.set(*slot, Raw(share), 0);
                written.map_err(Error::map("write", name::SHARES))?;
            }
            bare.push((slotted, slots));
        }
        at_once(&bare, |(slotted, slots)| {
            slots
                .chunks(BATCH)
                .try_for_each(|slots| slotted.furnish(slots))
        })
    }

    /// Removes the tables of slots, with all that is in them.
    pub fn vacate(&self, slots: &BTreeSet<u32>) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let mut doomed = Vec::new();
        for slotted in self.slotted.iter() {
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

    /// The slots that have all their tables.
    pub fn furnished(&self) -> BTreeSet<u32> {
        let [first, others @ ..] = &*self.slotted;
        others
            .iter()
            .fold(first.slots(), |all, slotted| &all & &slotted.slots())
    }

    /// Removes the tables of all slots but these.
    pub fn keep(&self, slots: &BTreeSet<u32>) -> Result<()> {
        let all = self.slotted.iter().flat_map(Slotted::slots);
        self.vacate(&all.filter(|slot| !slots.contains(slot)).collect())
    }
}

/// The counts of a slot with those of one kind at zero.
fn cleared(counts: &Array<MapData, Raw<Share>>, slot: u32, kind: Kind) -> Result<Share> {
    let read = counts.get(&slot, 0);
    let Raw(mut share) = read.map_err(Error::map("read", name::SHARES))?;
    share.stored[kind as usize] = 0;
    share.gone[kind as usize] = 0;
    Ok(share)
}

/// A map of maps: the tables of one kind, by slot.
pub struct Slotted {
    kind: Kind,
    template: Template,
    maps: ArrayOfMaps<MapData, MapData>,
    /// The same map, for what aya does not do.
    fd: OwnedFd,
    /// The slots that have a table, as they were seen last: to look at all of them takes long before Linux 6.8.
    taken: Mutex<BTreeSet<u32>>,
}

impl Slotted {
    fn open(object: &mut Ebpf, kind: Kind, template: Template) -> Result<Self> {
        let name = INNER[kind as usize].name;
        let fd = match object.map(name) {
            Some(Map::ArrayOfMaps(data)) => data.fd().as_fd().try_clone_to_owned(),
            _ => return Err(Error::NoMap { name }),
        };
        let fd = fd.map_err(|error| Error::map("open", name)(MapError::IoError(error)))?;
        let slotted = Self {
            kind,
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
        INNER[self.kind as usize].name
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
    fn looked_at(&self, slots: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
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

    fn furnish(&self, slots: &[u32]) -> Result<()> {
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

fn is_absent(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}
