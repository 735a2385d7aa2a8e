//! The kernel object: loading it over the maps that are pinned.

use std::fmt;
use std::path::Path;

use aya::maps::MapInfo;
use aya::{Ebpf, EbpfLoader};
use aya_obj::Object;
use aya_obj::generated::bpf_map_type;
use sg_common::layout::capacity;
use sg_common::layout::maps::{LAYOUTS, Layout, name};

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
    /// Connections that are not proven yet, of IPv4: many enough for a node that is busy, few enough
    /// for the sweep to walk through.
    fn embryos4(self) -> u32 {
        (self.flows / 4).clamp(8_192, capacity::EMBRYOS4)
    }

    /// Assured IPv6 connections.
    fn flows6(self) -> u32 {
        (self.flows / 2).max(1)
    }

    fn all(self) -> Vec<Size> {
        let size = |map, entries, setting| Size {
            map,
            entries,
            setting,
        };
        let policy = Table::ALL.into_iter().map(|table| {
            let entries = u32::try_from(self.limits.of(table)).unwrap_or(u32::MAX);
            size(table.name(), entries, table.setting())
        });
        let ports = capacity::counters(self.limits.ports);
        let others = [
            size(name::COUNTERS, ports, Table::Ports.setting()),
            size(
                name::PORT_FLOWS,
                capacity::slots(self.limits.ports),
                Table::Ports.setting(),
            ),
            size(name::FLOWS4, self.flows, MAX_FLOWS),
            size(name::FLOWS6, self.flows6(), MAX_FLOWS),
            size(name::EMBRYOS4, self.embryos4(), MAX_FLOWS),
            size(name::EMBRYOS6, self.embryos4() / 2, MAX_FLOWS),
            size(name::TURNS4, self.flows, MAX_FLOWS),
            size(name::TURNS6, self.flows6(), MAX_FLOWS),
        ];
        policy.chain(others).collect()
    }
}

/// What the operator wants of a map's size.
struct Size {
    map: &'static str,
    entries: u32,
    /// The option that says so.
    setting: &'static str,
}

const MAX_FLOWS: &str = "--max-flows";

/// Loads the object. Maps that are pinned are used as they are, once their layout was checked; the others
/// are made and pinned. Nothing is attached.
pub fn load(pins: &Pins, sizes: Sizes) -> Result<Ebpf> {
    if OBJECT.is_empty() {
        return Err(Error::NoObject);
    }
    let sizes = sizes.all();
    check(pins, &sizes)?;
    let mut loader = EbpfLoader::new();
    // There are no relocations against the kernel's types, so its own need not be read.
    loader.btf(None);
    for layout in &LAYOUTS {
        loader.map_pin_path(layout.name, pins.map(layout.name));
    }
    for size in sizes {
        loader.map_max_entries(size.map, size.entries);
    }
    loader.load(OBJECT).map_err(Error::Load)
}

/// aya opens whatever is pinned under a name, so every map is compared with what the object would make.
fn check(pins: &Pins, sizes: &[Size]) -> Result<()> {
    let object = Object::parse(OBJECT).map_err(|error| Error::Load(error.into()))?;
    for Layout { name, .. } in LAYOUTS {
        let pin = pins.map(name);
        if !pin.exists() {
            continue;
        }
        let size = sizes.iter().find(|size| size.map == name);
        let map = object.maps.get(name).ok_or(Error::NoMap { name })?;
        let wanted = Shape {
            kind: map.map_type(),
            key: map.key_size(),
            value: map.value_size(),
            flags: map.map_flags(),
            entries: size.map_or(map.max_entries(), |size| size.entries),
        };
        let found = Shape::pinned(&pin)?;
        match size {
            _ if found == wanted => {}
            Some(size) if found.is_but_for_entries(wanted) => {
                return Err(Error::OtherSize {
                    pin,
                    found: found.entries,
                    wanted: wanted.entries,
                    setting: size.setting,
                });
            }
            _ => {
                return Err(Error::OtherLayout {
                    pin,
                    found: found.to_string(),
                    wanted: wanted.to_string(),
                });
            }
        }
    }
    Ok(())
}

/// All that has to be the same for a pinned map to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// `enum bpf_map_type`.
    kind: u32,
    key: u32,
    value: u32,
    flags: u32,
    entries: u32,
}

impl Shape {
    fn pinned(pin: &Path) -> Result<Shape> {
        let failed = |source| Error::Pin {
            pin: pin.into(),
            source,
        };
        let info = MapInfo::from_pin(pin).map_err(failed)?;
        Ok(Shape {
            kind: info.map_type().map_err(failed)? as u32,
            key: info.key_size(),
            value: info.value_size(),
            flags: info.map_flags(),
            entries: info.max_entries(),
        })
    }

    fn is_but_for_entries(self, other: Shape) -> bool {
        let entries = other.entries;
        Shape { entries, ..self } == other
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match bpf_map_type::try_from(self.kind) {
            Ok(kind) => write!(f, "{kind:?}")?,
            Err(_) => write!(f, "map type {}", self.kind)?,
        }
        write!(
            f,
            " of {} entries, {} bytes of key, {} of value, flags {:#x}",
            self.entries, self.key, self.value, self.flags
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_has_every_pinned_map_in_the_layout_that_both_sides_know() {
        assert!(!OBJECT.is_empty(), "build it with `cargo xtask build`");
        let object = Object::parse(OBJECT).unwrap();
        for Layout { name, key, value } in LAYOUTS {
            let map = object.maps.get(name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!((map.key_size(), map.value_size()), (key, value), "{name}");
        }
    }
}
