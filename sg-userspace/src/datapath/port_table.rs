//! The table of ports, which is three maps: a slot is found by the number of the interface in `slots`, or by
//! the key in `ports`; what the port of a slot is, is in `slot_ports`. Whose a slot is stands in `owners` as well, for
//! an sgd of another layout.

use std::collections::BTreeMap;

use aya::maps::{Array, MapData};
use bytemuck::Zeroable;
use sg_common::layout::capacity;
use sg_common::layout::maps::name;
use sg_common::layout::port::{Port, PortKey, SlotPorts};

use super::error::{Error, Result};
use super::tables::{Hash, Maps, Raw, take};

/// The ports that the filter knows.
pub struct PortTable {
    by_interface: Array<MapData, u32>,
    by_key: Hash<PortKey, u32>,
    slots: Array<MapData, Raw<SlotPorts>>,
    owners: Array<MapData, [u8; 16]>,
}

/// Nobody's UUID.
pub const NOBODY: [u8; 16] = [0; 16];

impl PortTable {
    /// Opens the maps.
    pub fn open(maps: &mut impl Maps) -> Result<Self> {
        Ok(Self {
            by_interface: take(maps, name::SLOTS)?,
            by_key: Hash::open(maps, name::PORTS)?,
            slots: take(maps, name::SLOT_PORTS)?,
            owners: take(maps, name::OWNERS)?,
        })
    }

    /// Writes a port, or removes it. A packet finds it as it was or as it is, never a mixture.
    pub fn put(&mut self, key: &PortKey, port: Option<&Port>) -> Result<()> {
        let Some(port) = port else {
            return self.remove(key);
        };
        self.own(port.slot, port.uuid)?;
        for step in steps(self.slot(port.slot)?, *port) {
            self.slots
                .set(port.slot, Raw(step), 0)
                .map_err(Error::map("write", name::SLOT_PORTS))?;
        }
        self.point(key, Some(port.slot))
    }

    fn remove(&mut self, key: &PortKey) -> Result<()> {
        let slot = match is_by_interface(key) {
            true => self.of_interface(key.ifindex)?,
            false => self.by_key.get(key)?.unwrap_or(0),
        };
        self.point(key, None)?;
        // One that has moved has its slot still.
        match slot != 0 && in_force(&self.slot(slot)?).key == *key {
            true => self.own(slot, NOBODY),
            false => Ok(()),
        }
    }

    fn own(&mut self, slot: u32, uuid: [u8; 16]) -> Result<()> {
        let owned = self.owners.set(slot, uuid, 0);
        owned.map_err(Error::map("write", name::OWNERS))
    }

    /// All ports.
    pub fn all(&self) -> Result<BTreeMap<PortKey, Port>> {
        let by_key = self.by_key.all()?;
        let mut all = BTreeMap::new();
        for slot in 1..self.slots.len() {
            let port = in_force(&self.slot(slot)?);
            let found = match is_by_interface(&port.key) {
                true => self.of_interface(port.key.ifindex)?,
                false => by_key.get(&port.key).copied().unwrap_or(0),
            };
            if found == slot {
                all.insert(port.key, port);
            }
        }
        Ok(all)
    }

    /// Elements by slot.
    pub fn slot_count(&self) -> u32 {
        self.slots.len()
    }

    /// The name of the table, and how many ports have room in it.
    pub fn room(&self) -> (&'static str, u64) {
        self.by_key.room()
    }

    fn point(&mut self, key: &PortKey, slot: Option<u32>) -> Result<()> {
        match is_by_interface(key) {
            true => self
                .by_interface
                .set(key.ifindex, slot.unwrap_or(0), 0)
                .map_err(Error::map("write", name::SLOTS)),
            false => self.by_key.put(key, slot.as_ref()),
        }
    }

    fn of_interface(&self, ifindex: u32) -> Result<u32> {
        let slot = self.by_interface.get(&ifindex, 0);
        slot.map_err(Error::map("read", name::SLOTS))
    }

    fn slot(&self, slot: u32) -> Result<SlotPorts> {
        let found = self.slots.get(&slot, 0);
        found
            .map(|raw| raw.0)
            .map_err(Error::map("read", name::SLOT_PORTS))
    }
}

/// Whether a port is found by the number of its interface alone.
fn is_by_interface(key: &PortKey) -> bool {
    key.vlan == 0 && key.ifindex < capacity::SLOTS
}

/// The port of a slot, with the key that it is known by elsewhere.
fn in_force(slot: &SlotPorts) -> Port {
    let port = slot.ports[slot.turn as usize & 1];
    Port {
        key: PortKey::new(port.key.ifindex, port.key.vlan),
        ..port
    }
}

/// The values to be written, one after the other, until a port is in force. The one that was in force stays
/// as it is, for whoever holds it; the one before it first loses its tag, for whoever still holds that.
fn steps(found: SlotPorts, port: Port) -> [SlotPorts; 3] {
    let turn = found.turn.wrapping_add(1);
    let next = turn as usize & 1;
    let mut voided = found;
    voided.ports[next].key = PortKey::zeroed();
    let mut written = voided;
    written.ports[next] = Port {
        key: PortKey {
            turn: turn as u16,
            ..port.key
        },
        ..port
    };
    [voided, written, SlotPorts { turn, ..written }]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(generation: u32) -> Port {
        Port {
            key: PortKey::new(7, 0),
            slot: 3,
            generation,
            ..Port::zeroed()
        }
    }

    #[test]
    fn a_port_that_is_written_is_in_force_after_the_last_step_and_not_before() {
        let mut slot = SlotPorts::zeroed();
        for generation in 1..5 {
            let [voided, written, last] = steps(slot, port(generation));
            for step in [voided, written] {
                assert_eq!(in_force(&step), in_force(&slot), "{generation}");
            }
            assert_eq!(in_force(&last), port(generation));
            slot = last;
        }
    }

    #[test]
    fn whoever_holds_what_is_overwritten_sees_another_tag_from_before_the_first_byte() {
        let [.., first] = steps(SlotPorts::zeroed(), port(1));
        let [.., second] = steps(first, port(2));
        let held = first.ports[first.turn as usize & 1];
        assert!(
            second.ports.contains(&held),
            "one writing later it is whole"
        );
        let [voided, ..] = steps(second, port(3));
        let place = &voided.ports[first.turn as usize & 1];
        assert_ne!(place.key, held.key);
        assert_eq!((place.slot, place.generation), (held.slot, held.generation));
    }

    #[test]
    fn a_subport_a_parked_port_and_one_of_an_interface_with_a_high_number_are_found_by_their_key() {
        assert!(is_by_interface(&PortKey::new(1, 0)));
        assert!(!is_by_interface(&PortKey::new(1, 7)));
        assert!(!is_by_interface(&PortKey::new(capacity::SLOTS, 0)));
        assert!(!is_by_interface(&PortKey::parked(None).unwrap()));
    }
}
