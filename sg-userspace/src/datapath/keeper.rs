//! Looks after the pins: what somebody has removed is put back from what this process holds.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sg_common::layout::maps::LAYOUTS;

use super::error::{Error, Result};
use super::held::Held;
use super::links::Links;
use super::pins::Pins;
use super::trust;
use crate::host::{self, Lock};

/// The maps of a daemon, its lock, and where both are.
pub struct Keeper {
    root: PathBuf,
    pins: Pins,
    maps: Vec<Held>,
    lock: Option<Lock>,
}

impl Keeper {
    /// Holds the maps that are pinned.
    ///
    /// # Errors
    ///
    /// One of them cannot be opened.
    pub fn open(root: &Path, pins: &Pins) -> Result<Keeper> {
        let maps = LAYOUTS.iter().map(|layout| {
            let pin = pins.map(layout.name);
            Held::open(pin.clone()).map_err(Error::directory("open", &pin))
        });
        Ok(Keeper {
            root: root.into(),
            pins: pins.clone(),
            maps: maps.collect::<Result<_>>()?,
            lock: None,
        })
    }

    /// Keeps the directory locked, also when it has to be made again.
    pub fn keep_locked(&mut self, lock: Lock) {
        self.lock = Some(lock);
    }

    /// Puts back the pins that somebody has removed, with the directories they were in; says how many they
    /// were.
    ///
    /// # Errors
    ///
    /// Those of [`host::provide_bpffs`], [`host::check_bpffs`], [`trust::check`] and [`host::lock`], and of
    /// pinning. All is in force nevertheless, as long as this process runs.
    pub fn pin_again(&mut self, links: &Links) -> crate::error::Result<usize> {
        let maps: Vec<_> = self.maps.iter().filter(|map| !map.is_pinned()).collect();
        let links = links.unpinned();
        let count = maps.len() + links.count();
        if count == 0 && !links.lack_programs() {
            return Ok(0);
        }
        host::provide_bpffs(&self.root)?;
        host::check_bpffs(&self.root)?;
        // Between its removal and now somebody else may have made it.
        trust::check(&self.root)?;
        if let Some(lock) = &self.lock
            && !is_same(lock, &self.root)
        {
            self.lock = Some(host::lock(&self.root)?);
        }
        self.pins.make_directories()?;
        maps.into_iter().try_for_each(Held::pin)?;
        links.pin()?;
        Ok(count)
    }
}

/// Whether the locked directory is the one that is there now.
fn is_same(lock: &Lock, directory: &Path) -> bool {
    let place = |found: std::io::Result<fs::Metadata>| {
        let found = found.ok()?;
        Some((found.dev(), found.ino()))
    };
    let there = place(fs::metadata(directory));
    there.is_some() && there == place(lock.metadata())
}
