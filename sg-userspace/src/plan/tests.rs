mod between;
mod generations;
mod hazards;
mod parts;
mod writes;

use bytemuck::Zeroable;
use sg_common::layout::hit::HitKey;
use sg_common::layout::port::{AddressKey, Port, PortKey, flags, policy_index};
use sg_common::memory::Memory;
use sg_common::packet::Opening;
use sg_common::stage::policy;
use sg_common::tables::Tables;

use super::{Plan, State, plan};
use crate::compile::{Image, Limits, compile};
use crate::model::Inventory;
use crate::testing::{Scene, Source, local};

fn image(inventory: &Inventory) -> Image {
    compile(inventory, &local, &Limits::default()).image
}

fn first(image: &Image) -> Plan {
    plan(&State::default(), image, &Limits::default(), 1)
}

fn next(from: &Plan, image: &Image) -> Plan {
    plan(&from.state, image, &Limits::default(), from.next_generation)
}

/// The plan of the first inventory from nothing, and that of the second from the first.
fn plans(scene: &Scene) -> (Plan, Plan) {
    let before = first(&image(&scene.one));
    let after = next(&before, &image(&scene.other));
    (before, after)
}

/// The states on the way, the first and the last included.
fn states(from: &State, plan: &Plan) -> Vec<State> {
    let mut now = from.clone();
    let mut states = vec![now.clone()];
    for change in &plan.changes {
        assert!(
            now.apply(change),
            "a write that changes nothing: {change:?}"
        );
        states.push(now.clone());
    }
    states
}

/// The image that a state comes from.
pub(crate) fn image_of(state: &State) -> Image {
    let ports = state.ports.iter().map(|(key, port)| {
        assert_eq!((port.key, port.reserved), (*key, 0));
        let own = state
            .addresses
            .iter()
            .filter(|((_, key), _)| key.slot == port.slot);
        let own = own.map(|((bits, key), kind)| ((*bits, AddressKey { slot: 0, ..*key }), *kind));
        let image = crate::compile::PortImage {
            id: crate::model::PortId(uuid::Uuid::from_bytes(port.uuid)),
            mac: port.mac,
            flags: port.flags,
            policies: port.policies,
            own: crate::compile::Own {
                addresses: port.own,
                kinds: port.own_kinds,
            },
            addresses: own.collect(),
        };
        (*key, image)
    });
    Image {
        ports: ports.collect(),
        rows: state.rows.clone(),
    }
}

/// The keys of all ports, with the port.
fn ports(state: &State) -> impl Iterator<Item = (PortKey, [u8; 16])> + '_ {
    state.ports.iter().map(|(key, port)| (*key, port.uuid))
}

fn entry(tables: &Memory, (key, uuid): (PortKey, [u8; 16])) -> Option<&Port> {
    tables.ports.get(&key).filter(|port| port.uuid == uuid)
}

/// Whether the policy of a port permits a packet.
fn permits(tables: &Memory, port: (PortKey, [u8; 16]), opening: &Opening) -> bool {
    entry(tables, port).is_some_and(|port| {
        let index = policy_index(opening.hook.direction(), opening.family());
        port.has(flags::UNFILTERED)
            || policy::permits(tables, port.policies[index], opening, &mut HitKey::zeroed())
    })
}

/// Whether a port may send from a source.
fn may_send(tables: &Memory, port: (PortKey, [u8; 16]), source: &Source) -> bool {
    entry(tables, port).is_some_and(|port| {
        let key = AddressKey {
            slot: port.slot,
            mac: source.mac,
            family: source.family,
            reserved: 0,
            address: source.address,
        };
        port.has(flags::UNFILTERED) || tables.address(&key).is_some()
    })
}
