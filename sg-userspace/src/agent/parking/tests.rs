use bytemuck::Zeroable;
use serde_json::json;
use sg_common::layout::port::Port;
use uuid::Uuid;

use super::*;
use crate::model;

fn id(number: u8) -> PortId {
    PortId(Uuid::from_bytes([number; 16]))
}

/// Ports 1 to 9.
fn inventory() -> Inventory {
    let port = |number: u8| {
        json!({"id": id(number).to_string(), "fixed_ips": [], "security_groups": [],
        "mac_address": format!("fa:16:3e:00:00:{number:02}")})
    };
    let ports: Vec<_> = (1..10).map(port).collect();
    let document = json!({"ports": ports, "security_groups": []});
    let parsed = model::parse(&serde_json::to_vec(&document).unwrap()).unwrap();
    assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
    parsed.inventory
}

/// Tables with ports at places.
fn tables(places: impl IntoIterator<Item = (u8, PortKey)>) -> State {
    let entry = |(number, key): (u8, PortKey)| {
        let uuid = id(number).0.into_bytes();
        (
            key,
            Port {
                key,
                uuid,
                ..Port::zeroed()
            },
        )
    };
    State {
        ports: places.into_iter().map(entry).collect(),
        ..State::default()
    }
}

fn tap(ifindex: u32) -> PortKey {
    PortKey::new(ifindex, 0)
}

fn room(parked: u32) -> Limits {
    Limits {
        ports: SHARE * parked,
        ..Limits::default()
    }
}

#[test]
fn a_port_is_parked_when_its_interface_is_gone_and_stays_where_it_is_parked() {
    let tables_before = tables([(1, tap(7)), (2, tap(8))]);
    let here = Places::from([(id(2), 8)]);
    let first = parked(&tables_before, &inventory(), &here, None, &room(2));
    assert_eq!(first.keys().copied().collect::<Vec<_>>(), [id(1)]);
    assert!(first[&id(1)].is_parked());

    let tables_after = tables([(1, first[&id(1)]), (2, tap(8))]);
    let both = parked(&tables_after, &inventory(), &Places::new(), None, &room(2));
    assert_eq!(both[&id(1)], first[&id(1)]);
    assert!(both[&id(2)].is_parked() && both[&id(2)] != both[&id(1)]);
}

#[test]
fn only_ports_of_the_inventory_that_were_here_or_are_expected_are_parked() {
    let gone = tables([(1, tap(7)), (99, tap(8))]);
    let parked = parked(&gone, &inventory(), &Places::new(), Some(id(3)), &room(9));
    assert_eq!(parked.keys().copied().collect::<Vec<_>>(), [id(1), id(3)]);
}

#[test]
fn the_longest_parked_give_way() {
    let mut state = State::default();
    for number in [5, 2, 8, 1] {
        let places = parked(
            &state,
            &inventory(),
            &Places::new(),
            Some(id(number)),
            &room(3),
        );
        let numbers = places
            .into_iter()
            .map(|(id, key)| (id.0.as_bytes()[0], key));
        state = tables(numbers);
    }
    let left: Vec<_> = state.ports.values().map(|port| port.uuid[0]).collect();
    assert_eq!(left, [1, 8, 2], "5 was the first");
}
