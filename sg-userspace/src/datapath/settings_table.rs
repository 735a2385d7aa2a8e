//! The settings in the kernel: the operator's, and beside them the bits that say whether anybody asks to be told
//! of anything, and whether packets are counted by connection.

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
    /// Which of [`ASKED`] are on.
    asked: u32,
}

/// The bits that are nobody's settings.
const ASKED: u32 = switch::EVENTS | switch::ACCOUNTS;

impl SettingsTable {
    /// Takes the map out of the loaded object.
    pub fn open(object: &mut Ebpf) -> Result<Self> {
        let map = take(object, name::SETTINGS)?;
        Ok(SettingsTable(Mutex::new(Inner { map, asked: 0 })))
    }

    /// The operator's settings.
    pub fn get(&self) -> Result<Settings> {
        let mut settings = self.lock().read()?;
        settings.switch(ASKED, false);
        Ok(settings)
    }

    /// Puts settings of the operator's in force.
    pub fn set(&self, settings: &Settings) -> Result<()> {
        let mut inner = self.lock();
        let asked = inner.asked;
        inner.write(settings, asked)
    }

    /// Says whether anybody asks to be told of anything, and whether packets are counted by connection.
    pub fn set_asked(&self, events: bool, accounts: bool) -> Result<()> {
        let bit = |on, bit| if on { bit } else { 0 };
        let asked = bit(events, switch::EVENTS) | bit(accounts, switch::ACCOUNTS);
        let mut inner = self.lock();
        let settings = inner.read()?;
        inner.asked = asked;
        match settings.switches & ASKED == asked {
            true => Ok(()),
            false => inner.write(&settings, asked),
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

    fn write(&mut self, settings: &Settings, asked: u32) -> Result<()> {
        let mut settings = *settings;
        settings.switches = settings.switches & !ASKED | asked;
        self.map
            .set(0, Raw(settings), 0)
            .map_err(Error::map("write", name::SETTINGS))
    }
}
