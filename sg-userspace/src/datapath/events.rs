//! What the kernel tells one by one: what is asked for of which slot, what was lost, and the ring.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aya::Ebpf;
use aya::maps::{Array, MapData, RingBuf};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use sg_common::layout::events::{ACTIONS, Action, Asked, Budget, Event};
use sg_common::layout::maps::name;
use uuid::Uuid;

use super::accounts::Accounts;
use super::error::{Error, Result};
use super::settings_table::SettingsTable;
use super::tables::{Raw, take};
use crate::events::{Accounted, Lost, Source, Wanted};
use crate::model::PortId;

/// What is asked for, by port: a port that gets another slot, or comes later, is asked for there.
pub struct EventTables(Mutex<Inner>);

struct Inner {
    asked: Array<MapData, Raw<Asked>>,
    budgets: Array<MapData, Raw<Budget>>,
    settings: Arc<SettingsTable>,
    accounts: Accounts,
    owners: BTreeMap<u32, Owner>,
    wanted: Wanted,
    /// What former owners of slots have lost, and nobody was told.
    lost: Vec<Lost>,
}

/// Whose a slot is.
struct Owner {
    port: PortId,
    /// What is asked for there.
    asked: Asked,
    /// What was lost there when this was looked at last.
    lost: [u64; ACTIONS],
}

impl EventTables {
    /// Takes the maps out of the loaded object. What a former process asked for is forgotten.
    pub fn open(
        object: &mut Ebpf,
        settings: Arc<SettingsTable>,
        accounts: Accounts,
    ) -> Result<Self> {
        let mut asked: Array<MapData, Raw<Asked>> = take(object, name::ASKED)?;
        settings.set_asked(false, false)?;
        for slot in 0..asked.len() {
            let Raw(found) = asked
                .get(&slot, 0)
                .map_err(Error::map("read", name::ASKED))?;
            if found != Asked::NOTHING {
                let written = asked.set(slot, Raw(Asked::NOTHING), 0);
                written.map_err(Error::map("write", name::ASKED))?;
            }
        }
        Ok(EventTables(Mutex::new(Inner {
            asked,
            budgets: take(object, name::BUDGETS)?,
            settings,
            accounts,
            owners: BTreeMap::new(),
            wanted: Wanted::default(),
            lost: Vec::new(),
        })))
    }

    /// Says that a port has a slot, before its packets are found there.
    pub fn owned(&self, slot: u32, uuid: [u8; 16]) -> Result<()> {
        let port = PortId(Uuid::from_bytes(uuid));
        let mut inner = self.lock();
        if inner
            .owners
            .get(&slot)
            .is_some_and(|owner| owner.port == port)
        {
            return Ok(());
        }
        inner.collect(slot)?;
        let owner = Owner {
            port,
            asked: Asked::NOTHING,
            lost: inner.lost_of(slot)?,
        };
        // Whatever the former owner had there.
        inner.write(slot, &Asked::NOTHING)?;
        inner.accounts.clear(&[slot].into())?;
        inner.owners.insert(slot, owner);
        inner.ask(slot)?;
        match inner.wanted.counts(port) {
            true => inner.count(),
            false => Ok(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for EventTables {
    fn want(&self, wanted: &Wanted) -> crate::error::Result<()> {
        let mut inner = self.lock();
        inner.wanted = wanted.clone();
        let slots: Vec<u32> = inner.owners.keys().copied().collect();
        slots.into_iter().try_for_each(|slot| inner.ask(slot))?;
        inner.count()?;
        let (tells, counts) = (!wanted.is_nothing(), wanted.counts_anywhere());
        Ok(inner.settings.set_asked(tells, counts)?)
    }

    fn lost(&self) -> crate::error::Result<Vec<Lost>> {
        let mut inner = self.lock();
        let asked = inner.owners.iter();
        let asked = asked.filter(|(_, owner)| owner.asked != Asked::NOTHING);
        let slots: Vec<u32> = asked.map(|(slot, _)| *slot).collect();
        slots.into_iter().try_for_each(|slot| inner.collect(slot))?;
        Ok(std::mem::take(&mut inner.lost))
    }

    fn accounts(&self) -> crate::error::Result<Vec<Accounted>> {
        let mut inner = self.lock();
        let rows = inner.accounts.read()?;
        let owners = &inner.owners;
        let rows = rows.into_iter().filter_map(|(key, account)| {
            let port = owners.get(&key.slot())?.port;
            Some(Accounted { port, key, account })
        });
        Ok(rows.collect())
    }
}

impl Inner {
    /// Asks for what is wanted of the port of a slot.
    fn ask(&mut self, slot: u32) -> Result<()> {
        let Some(owner) = self.owners.get(&slot) else {
            return Ok(());
        };
        let wanted = self.wanted.of(owner.port);
        if owner.asked == wanted {
            return Ok(());
        }
        self.write(slot, &wanted)?;
        if let Some(owner) = self.owners.get_mut(&slot) {
            owner.asked = wanted;
        }
        Ok(())
    }

    /// Has packets and bytes counted where that is wanted, and nowhere else.
    fn count(&mut self) -> Result<()> {
        let owners = self.owners.iter();
        let slots = owners.filter(|(_, owner)| self.wanted.counts(owner.port));
        let slots: BTreeSet<u32> = slots.map(|(slot, _)| *slot).collect();
        self.accounts.only(&slots)
    }

    fn write(&mut self, slot: u32, asked: &Asked) -> Result<()> {
        let written = self.asked.set(slot, Raw(*asked), 0);
        written.map_err(Error::map("write", name::ASKED))
    }

    /// Notes what the port of a slot has lost since this was done last.
    fn collect(&mut self, slot: u32) -> Result<()> {
        if !self.owners.contains_key(&slot) {
            return Ok(());
        }
        let now = self.lost_of(slot)?;
        let Some(owner) = self.owners.get_mut(&slot) else {
            return Ok(());
        };
        for action in Action::ALL {
            let (before, now) = (owner.lost[action as usize], now[action as usize]);
            if now != before {
                self.lost.push(Lost {
                    port: owner.port,
                    action,
                    count: now.wrapping_sub(before),
                });
            }
        }
        owner.lost = now;
        Ok(())
    }

    fn lost_of(&self, slot: u32) -> Result<[u64; ACTIONS]> {
        let budget = self.budgets.get(&slot, 0);
        budget
            .map(|raw| raw.0.lost)
            .map_err(Error::map("read", name::BUDGETS))
    }
}

/// The ring, for the one who reads it.
pub struct EventRing(RingBuf<MapData>);

impl EventRing {
    /// Takes the ring out of the loaded object. What nobody has read of it, of a former process, is dropped.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let mut ring = EventRing(take(object, name::EVENTS)?);
        ring.read(|_| ());
        Ok(ring)
    }

    /// Waits until there is something to read, at most for a while.
    pub fn wait(&self, most: Duration) {
        let timeout = PollTimeout::try_from(most).unwrap_or(PollTimeout::MAX);
        let mut ring = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        if let Err(error) = poll(&mut ring, timeout) {
            tracing::debug!("waiting for events: {error}");
        }
    }

    /// Reads all that is there.
    pub fn read(&mut self, mut see: impl FnMut(&Event)) {
        while let Some(record) = self.0.next() {
            if let Ok(event) = bytemuck::try_pod_read_unaligned(&record) {
                see(&event);
            }
        }
    }
}
