//! The settings in the kernel: the operator's, and one bit beside them that says whether anybody asks to be
//! told of anything.

use std::sync::{Mutex, MutexGuard, PoisonError};

use aya::Ebpf;
use aya::maps::{Array, MapData};
use sg_common::layout::maps::name;
use sg_common::layout::settings::{Settings, switch};

use super::error::{Error, Result};
use super::tables::{Raw, take};

/// The map, for the two that write it.
pub struct SettingsTable(Mutex<Inner>);

struct Inner {
    map: Array<MapData, Raw<Settings>>,
    /// Whether anybody asks.
    events: bool,
}

impl SettingsTable {
    /// Takes the map out of the loaded object.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let map = take(object, name::SETTINGS)?;
        Ok(SettingsTable(Mutex::new(Inner { map, events: false })))
    }

    /// The operator's settings.
    pub fn get(&self) -> Result<Settings> {
        let mut settings = self.lock().read()?;
        settings.switch(switch::EVENTS, false);
        Ok(settings)
    }

    /// Puts settings of the operator's in force.
    pub fn set(&self, settings: &Settings) -> Result<()> {
        let mut inner = self.lock();
        let events = inner.events;
        inner.write(settings, events)
    }

    /// Says whether anybody asks.
    pub fn set_events(&self, events: bool) -> Result<()> {
        let mut inner = self.lock();
        let settings = inner.read()?;
        inner.events = events;
        match settings.has(switch::EVENTS) == events {
            true => Ok(()),
            false => inner.write(&settings, events),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn read(&self) -> Result<Settings> {
        let settings = self.map.get(&0, 0);
        settings
            .map(|raw| raw.0)
            .map_err(Error::map("read", name::SETTINGS))
    }

    fn write(&mut self, settings: &Settings, events: bool) -> Result<()> {
        let mut settings = *settings;
        settings.switch(switch::EVENTS, events);
        self.map
            .set(0, Raw(settings), 0)
            .map_err(Error::map("write", name::SETTINGS))
    }
}
