//! What rows of the rules have permitted, taken out of the kernel.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{Map, MapError};
use sg_common::layout::hit::{HitKey, Hits};
use sg_common::layout::maps::name;
use uuid::Uuid;

use super::batch::{Page, Walk};
use super::error::{Error, Result};
use super::tables::Maps;
use crate::agent::{Hit, HitTable};
use crate::model::PortId;

/// The map, and whose its rows are.
pub struct KernelHits(Mutex<Inner>);

struct Inner {
    map: OwnedFd,
    /// Programs that are loaded later name the map by this descriptor.
    _held: Map,
    owners: BTreeMap<u32, PortId>,
    /// What was taken out already: of former owners of slots.
    taken: Vec<Hit>,
}

impl KernelHits {
    /// Takes the map out of the loaded object. What was counted while no daemon ran is in it.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let map = object.open_map(name::HITS)?;
        let fd = match &map {
            Map::HashMap(data) => data.fd().as_fd().try_clone_to_owned(),
            _ => return Err(Error::NoMap { name: name::HITS }),
        };
        let fd = fd.map_err(|error| Error::map("open", name::HITS)(MapError::IoError(error)))?;
        Ok(KernelHits(Mutex::new(Inner {
            map: fd,
            _held: map,
            owners: BTreeMap::new(),
            taken: Vec::new(),
        })))
    }

    /// Says that a port has a slot. What was counted of a former owner has to be settled before.
    pub fn owned(&self, slot: u32, uuid: [u8; 16]) {
        let port = PortId(Uuid::from_bytes(uuid));
        self.lock().owners.insert(slot, port);
    }

    /// Takes out what was counted, before slots get other owners.
    pub fn settle(&self) -> Result<()> {
        self.lock().settle()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HitTable for KernelHits {
    fn take(&self) -> crate::error::Result<Vec<Hit>> {
        let mut inner = self.lock();
        inner.settle()?;
        Ok(std::mem::take(&mut inner.taken))
    }
}

impl Inner {
    fn settle(&mut self) -> Result<()> {
        let mut page = Page::<HitKey, Hits>::new();
        let mut walk = Walk::taking(self.map.as_fd(), &mut page);
        let failed = |error| Error::map("read", name::HITS)(MapError::IoError(error));
        while let Some((keys, values)) = walk.page().map_err(failed)? {
            let rows = keys.iter().zip(values);
            // Of a port that nobody knows there is nothing to say.
            let hits = rows.filter_map(|(key, hits)| {
                let port = *self.owners.get(&key.slot)?;
                Some(Hit {
                    port,
                    row: *key,
                    hits: *hits,
                })
            });
            self.taken.extend(hits);
        }
        Ok(())
    }
}
