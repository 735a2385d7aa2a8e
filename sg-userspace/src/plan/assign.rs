//! Slots and generations: what a port keeps from its former life in the maps.

use std::collections::{BTreeMap, BTreeSet};

use sg_common::layout::port::{AddressKey, Port, PortKey};

use super::Room;
use super::revoke::{Held, Revoked};
use super::state::State;
use crate::compile::{Image, Limits, PortImage};

/// What the maps are to hold at the end.
pub(super) struct Target {
    pub state: State,
    pub next_generation: u32,
}

/// The ports of `old` by UUID.
type Former = BTreeMap<[u8; 16], Port>;

/// Gives each port its slot and generation; `None` if there are not enough slots.
///
/// A port keeps its slot as long as it is in the maps; at another interface its connections are judged
/// again. A slot that anything in the maps still names is
/// not given to another port: its addresses would be the other's for a moment.
pub(super) fn assign(
    old: &State,
    image: &Image,
    room: &Room<'_>,
    mut next_generation: u32,
) -> Option<Target> {
    let former = former(old, room.slots);
    let mut slots = None;
    let revoked = Revoked::between(&old.rows, &image.rows);
    let held = Held::of(old);
    let mut state = State {
        rows: image.rows.clone(),
        ..State::default()
    };
    for (key, port) in &image.ports {
        let mut fresh = || {
            next_generation += 1;
            next_generation - 1
        };
        let (slot, generation) = match former.get(port.id.0.as_bytes()) {
            Some(former)
                if former.key.ifindex != key.ifindex
                    || revoked.concerns(&held, former.slot, port) =>
            {
                (former.slot, fresh())
            }
            Some(former) => (former.slot, former.generation),
            None => {
                let slots = slots.get_or_insert_with(|| (room.free)());
                (slots.next()?, fresh())
            }
        };
        state
            .ports
            .insert(*key, entry(*key, port, slot, generation));
        state.addresses.extend(addresses(port, slot));
    }
    Some(Target {
        state,
        next_generation,
    })
}

fn former(old: &State, slots: u32) -> Former {
    let mut taken = BTreeSet::new();
    let mut former = Former::new();
    for port in old
        .ports
        .values()
        .filter(|port| (1..=slots).contains(&port.slot))
    {
        match former.get_mut(&port.uuid) {
            // The same port on two interfaces: an update was interrupted.
            Some(former) => former.generation = port.generation.max(former.generation),
            None if taken.insert(port.slot) => {
                former.insert(port.uuid, *port);
            }
            None => {}
        }
    }
    former
}

/// The slots that nothing in the maps names.
pub(super) fn free_slots(old: &State, limits: &Limits) -> impl Iterator<Item = u32> + use<> {
    let ports = old.ports.values().map(|port| port.slot);
    let used: BTreeSet<u32> = ports
        .chain(old.addresses.keys().map(|(_, address)| address.slot))
        .collect();
    (1..=limits.ports).filter(move |slot| !used.contains(slot))
}

fn entry(key: PortKey, port: &PortImage, slot: u32, generation: u32) -> Port {
    Port {
        key,
        slot,
        generation,
        mac: port.mac,
        flags: port.flags,
        policies: port.policies,
        uuid: *port.id.0.as_bytes(),
        own: port.own.addresses,
        own_kinds: port.own.kinds,
        reserved: 0,
    }
}

pub(super) fn addresses(
    port: &PortImage,
    slot: u32,
) -> impl Iterator<Item = ((u32, AddressKey), u32)> + '_ {
    port.addresses
        .iter()
        .map(move |((bits, key), kind)| ((*bits, AddressKey { slot, ..*key }), *kind))
}
