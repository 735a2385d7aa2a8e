//! The kernel object: loading it over the maps that are pinned.

use std::fmt;
use std::os::fd::AsFd;
use std::path::Path;

use aya::maps::{MapError, MapInfo};
use aya::{Ebpf, EbpfLoader};
use aya_obj::Object;
use aya_obj::generated::bpf_map_type;
use sg_common::layout::capacity;
use sg_common::layout::maps::{INNER, LAYOUTS, name};
use sg_common::layout::share::Kind;

use super::error::{Error, Result};
use super::inner::inner_maps;
use super::pins::Pins;
use crate::compile::{Limits, Table};

/// The object of `sg-ebpf`, as it was when this program was built; empty if there was none.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("SG_EBPF_OBJECT"));

/// Entries of the maps whose size the operator sets.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Of the maps of the policy.
    pub limits: Limits,
    /// Assured IPv4 connections; half as many of IPv6.
    pub flows: u32,
    /// IPv4 connections of one port that are not assured; half as many of IPv6. See [`Sizes::of_port`].
    pub unproven: u32,
    /// Datagrams in fragments of one port. See [`Sizes::of_port`].
    pub fragments: u32,
}

/// Entries that an LRU frees at a time. It holds no more than a multiple of them.
const LRU_BATCH: u32 = 128;

impl Default for Sizes {
    fn default() -> Self {
        Sizes {
            limits: Limits::default(),
            flows: capacity::FLOWS4,
            unproven: capacity::EMBRYOS4,
            fragments: capacity::FRAGMENTS,
        }
    }
}

impl Sizes {
    /// Entries of each port's own table of a kind: what the operator wants, and no less than the kernel
    /// makes use of (`bpf_lru_list_pop_free_to_local`, `kernel/bpf/bpf_lru_list.c`).
    pub fn of_port(self, kind: Kind) -> u32 {
        let wanted = match kind {
            Kind::Embryos4 => self.unproven,
            Kind::Embryos6 => self.unproven / 2,
            Kind::Fragments => self.fragments,
        };
        wanted.max(1).next_multiple_of(LRU_BATCH)
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
            size(name::FLOWS4, self.flows, MAX_FLOWS),
            size(name::FLOWS6, self.flows6(), MAX_FLOWS),
            size(name::TURNS4, self.flows, MAX_FLOWS),
            size(name::TURNS6, self.flows6(), MAX_FLOWS),
        ];
        let by_slot = [
            name::SLOT_PORTS,
            name::PORT_FLOWS,
            name::SHARES,
            name::FLOODS,
            name::ASKED,
            name::BUDGETS,
            name::ACCOUNTS,
            name::EMBRYOS4,
            name::EMBRYOS6,
            name::FRAGMENTS,
        ];
        let slots = capacity::slots(self.limits.ports);
        let by_slot = by_slot.map(|map| size(map, slots, Table::Ports.setting()));
        policy.chain(others).chain(by_slot).collect()
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

/// The option for the size of each port's own table of a kind.
fn setting_of_port(kind: Kind) -> &'static str {
    match kind {
        Kind::Embryos4 | Kind::Embryos6 => "--max-unproven",
        Kind::Fragments => "--max-fragments",
    }
}

/// The object, and what it would make of each map. aya opens whatever is pinned under a name, so that is compared
/// before.
pub struct Wanted {
    object: Object,
    sizes: Sizes,
    of_all: Vec<Size>,
}

impl Wanted {
    /// Of maps of these sizes.
    ///
    /// # Errors
    ///
    /// [`Error::NoObject`] and [`Error::Load`].
    pub fn new(sizes: Sizes) -> Result<Self> {
        if OBJECT.is_empty() {
            return Err(Error::NoObject);
        }
        Ok(Self {
            object: Object::parse(OBJECT).map_err(|error| Error::Load(error.into()))?,
            sizes,
            of_all: sizes.all(),
        })
    }

    /// Loads the object. Maps that are pinned here are used as they are, and have to be compared before; the others are
    /// made and pinned. Nothing is attached.
    ///
    /// # Errors
    ///
    /// [`Error::Load`]
    pub fn load(&self, pins: &Pins) -> Result<Ebpf> {
        let mut loader = EbpfLoader::new();
        // There are no relocations against the kernel's types, so its own need not be read.
        loader.btf(None);
        for layout in &LAYOUTS {
            loader.map_pin_path(layout.name, pins.map(layout.name));
        }
        for size in &self.of_all {
            loader.map_max_entries(size.map, size.entries);
        }
        loader.load(OBJECT).map_err(Error::Load)
    }

    /// Whether any of these pins differs from what is wanted in its entries, and in nothing else.
    ///
    /// # Errors
    ///
    /// As of [`Wanted::check`], but for [`Error::OtherSize`].
    pub fn differs_in_size(&self, pins: &Pins) -> Result<bool> {
        let mut differs = false;
        for layout in &LAYOUTS {
            match self.check(pins, layout.name) {
                Err(Error::OtherSize {
                    pin,
                    found,
                    wanted,
                    setting,
                }) => {
                    let pin = pin.display();
                    tracing::info!(
                        "{pin} has room for {found} entries, and {setting} asks for {wanted}: it is made anew"
                    );
                    differs = true;
                }
                other => other?,
            }
        }
        Ok(differs)
    }

    /// Compares what is pinned under this name, if anything is.
    ///
    /// # Errors
    ///
    /// [`Error::OtherSize`], [`Error::OtherLayout`], and [`Error::Pin`] for what cannot be read.
    pub fn check(&self, pins: &Pins, name: &'static str) -> Result<()> {
        let pin = pins.map(name);
        if !pin.exists() {
            return Ok(());
        }
        let size = self.of_all.iter().find(|size| size.map == name);
        let map = self.object.maps.get(name).ok_or(Error::NoMap { name })?;
        let entries = size.map_or(map.max_entries(), |size| size.entries);
        let setting = size.map(|size| size.setting);
        let found = Shape::pinned(&pin)?;
        compare(&pin, found, Shape::of(map, entries), setting)?;
        let of_ports = Kind::ALL.into_iter();
        for kind in of_ports.filter(|kind| INNER[*kind as usize].name == name) {
            let inner = map.inner().ok_or(Error::NoMap { name })?;
            let wanted = Shape::of(&inner, self.sizes.of_port(kind));
            for found in Shape::within(&pin)? {
                compare(&pin, found, wanted, Some(setting_of_port(kind)))?;
            }
        }
        Ok(())
    }
}

/// `setting`: the option by which the operator says how many entries are wanted, if one does.
fn compare(pin: &Path, found: Shape, wanted: Shape, setting: Option<&'static str>) -> Result<()> {
    match setting {
        _ if found == wanted => Ok(()),
        Some(setting) if found.is_but_for_entries(wanted) => Err(Error::OtherSize {
            pin: pin.into(),
            found: found.entries,
            wanted: wanted.entries,
            setting,
        }),
        _ => Err(Error::OtherLayout {
            pin: pin.into(),
            found: found.to_string(),
            wanted: wanted.to_string(),
        }),
    }
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
    /// As the object would make it, but for its entries.
    fn of(map: &aya_obj::Map, entries: u32) -> Shape {
        Shape {
            kind: map.map_type(),
            key: map.key_size(),
            value: map.value_size(),
            flags: map.map_flags(),
            entries,
        }
    }

    fn pinned(pin: &Path) -> Result<Shape> {
        let info = MapInfo::from_pin(pin).and_then(|info| Shape::described(&info));
        info.map_err(unusable(pin))
    }

    /// Of the maps in a map of maps.
    fn within(pin: &Path) -> Result<Vec<Shape>> {
        let info = MapInfo::from_pin(pin).map_err(unusable(pin))?;
        let outer = info.fd().map_err(unusable(pin))?;
        let inner = inner_maps(outer.as_fd(), 0..info.max_entries());
        let inner = inner.map_err(|error| unusable(pin)(MapError::IoError(error)))?;
        let shapes = inner.into_values().map(|id| {
            let shape = MapInfo::from_id(id).and_then(|info| Shape::described(&info));
            shape.map_err(unusable(pin))
        });
        shapes.collect()
    }

    fn described(info: &MapInfo) -> std::result::Result<Shape, MapError> {
        Ok(Shape {
            kind: info.map_type()? as u32,
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

fn unusable(pin: &Path) -> impl Fn(MapError) -> Error {
    move |source| Error::Pin {
        pin: pin.into(),
        source,
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
    use sg_common::layout::maps::{ACCOUNT, Layout};

    use super::*;

    #[test]
    fn the_object_has_every_pinned_map_in_the_layout_that_both_sides_know() {
        assert!(!OBJECT.is_empty(), "build it with `cargo xtask build`");
        let object = Object::parse(OBJECT).unwrap();
        for Layout { name, key, value } in LAYOUTS {
            let map = object.maps.get(name).unwrap_or_else(|| panic!("no {name}"));
            assert_eq!((map.key_size(), map.value_size()), (key, value), "{name}");
        }
        for Layout { name, key, value } in INNER.into_iter().chain([ACCOUNT]) {
            let map = object.maps[name]
                .inner()
                .unwrap_or_else(|| panic!("none in {name}"));
            assert_eq!((map.key_size(), map.value_size()), (key, value), "{name}");
        }
    }

    #[test]
    fn a_port_has_room_for_what_was_asked_for_and_no_less_than_an_lru_makes_use_of() {
        let sizes = Sizes {
            unproven: 1000,
            fragments: 0,
            ..Sizes::default()
        };
        let rooms = Kind::ALL.map(|kind| sizes.of_port(kind));
        assert_eq!(rooms, [1024, 512, 128]);
    }
}
