//! The kernel object: loading it over the maps that are pinned.

use std::path::Path;

use aya::maps::MapInfo;
use aya::{Ebpf, EbpfLoader};
use sg_common::maps::{LAYOUTS, Layout, capacity, name};

use super::error::{Error, Result};
use super::pins::Pins;
use crate::compile::{Limits, Table};

/// The object of `sg-ebpf`, as it was when this program was built; empty if there was none.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SG_EBPF_OBJECT"));

/// Entries of the maps whose size the operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of the maps of the policy.
    pub limits: Limits,
    /// Assured IPv4 connections; half as many of IPv6.
    pub flows: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes {
            limits: Limits::default(),
            flows: capacity::FLOWS4,
        }
    }
}

impl Sizes {
    fn of(self) -> impl Iterator<Item = (&'static str, u32)> {
        let policy = Table::ALL.into_iter().map(move |table| {
            let entries = u32::try_from(self.limits.of(table)).unwrap_or(u32::MAX);
            (table.name(), entries)
        });
        policy.chain([
            (name::COUNTERS, capacity::counters(self.limits.ports)),
            (name::FLOWS4, self.flows),
            (name::FLOWS6, (self.flows / 2).max(1)),
        ])
    }
}

/// Loads the object. Maps that are pinned are used as they are, once their layout was checked; the others
/// are made and pinned. Nothing is attached.
pub fn load(pins: &Pins, sizes: Sizes) -> Result<Ebpf> {
    if OBJECT.is_empty() {
        return Err(Error::NoObject);
    }
    for layout in &LAYOUTS {
        check(&pins.map(layout.name), layout)?;
    }
    let mut loader = EbpfLoader::new();
    // There are no relocations against the kernel's types, so its own need not be read.
    loader.btf(None);
    for layout in &LAYOUTS {
        loader.map_pin_path(layout.name, pins.map(layout.name));
    }
    for (map, entries) in sizes.of() {
        loader.map_max_entries(map, entries);
    }
    loader.load(OBJECT).map_err(Error::Load)
}

/// aya opens whatever is pinned under a name, so its layout is compared here.
fn check(pin: &Path, layout: &Layout) -> Result<()> {
    if !pin.exists() {
        return Ok(());
    }
    let found = MapInfo::from_pin(pin).map_err(|source| Error::Pin {
        pin: pin.into(),
        source,
    })?;
    if (found.key_size(), found.value_size()) == (layout.key, layout.value) {
        return Ok(());
    }
    Err(Error::OtherLayout {
        pin: pin.into(),
        found: format!(
            "{} bytes of key and {} of value",
            found.key_size(),
            found.value_size()
        ),
        wanted: format!("{} and {}", layout.key, layout.value),
    })
}
