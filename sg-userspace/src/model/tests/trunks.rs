use serde_json::json;

use super::*;
use crate::model::{ClosedPort, Inventory, Trunk, Vlan};

const SUBPORT: &str = "33333333-3333-4333-8333-333333333333";
const OTHER_SUBPORT: &str = "44444444-4444-4444-8444-444444444444";
const PARENTS_TAP: &str = "tap11111111-11";

const PORT_FIELD: &str = "trunk_details.sub_ports.port_id";
const VLAN_FIELD: &str = "trunk_details.sub_ports.segmentation_id";

fn entry(id: &str, vlan: u16) -> Value {
    json!({
        "port_id": id, "segmentation_id": vlan, "segmentation_type": "vlan",
        "mac_address": "fa:16:3e:00:01:05",
    })
}

fn parent(subports: &[Value]) -> Value {
    let details = json!({"trunk_id": MISSING, "sub_ports": subports});
    with(port(), json!({"trunk_details": details}))
}

fn subport(id: &str) -> Value {
    with(port(), json!({"id": id, "name": id[..4]}))
}

fn read_ports(ports: &[Value]) -> Parsed {
    read(&document(ports, &[group(&[])], &[]))
}

fn closed(inventory: &Inventory) -> Vec<&str> {
    inventory.closed.iter().map(|port| &*port.id).collect()
}

fn open(inventory: &Inventory) -> Vec<String> {
    inventory.ports.keys().map(ToString::to_string).collect()
}

/// One fault, which closes one subport; the parent and the rest stay.
fn assert_subport_closed(ports: &[Value], field: &str, value: &str) {
    let parsed = read_ports(ports);
    assert_fault(&parsed, field, value, Effect::PortClosed);
    assert_eq!(the_fault(&parsed).object.id, SUBPORT);
    assert_eq!(closed(&parsed.inventory), [SUBPORT]);
    assert_eq!(parsed.inventory.ports.len(), ports.len() - 1);
}

#[test]
fn a_subport_is_on_the_interface_of_its_parent_in_its_vlan() {
    let parsed = read_ports(&[
        subport(SUBPORT),
        parent(&[entry(SUBPORT, 1), entry(OTHER_SUBPORT, 4094)]),
        subport(OTHER_SUBPORT),
    ]);
    assert_eq!(parsed.faults, []);
    let place = |id: &str| {
        let port = &parsed.inventory.ports[&id.parse().unwrap()];
        (port.interface.as_str(), port.vlan().map(Vlan::id))
    };
    assert_eq!(place(PORT), (PARENTS_TAP, None));
    assert_eq!(place(SUBPORT), (PARENTS_TAP, Some(1)));
    assert_eq!(place(OTHER_SUBPORT), (PARENTS_TAP, Some(4094)));
    let parent = &parsed.inventory.ports[&PORT.parse().unwrap()];
    assert_eq!(parent.trunk, Some(Trunk::Parent));
}

#[test]
fn the_parents_device_is_the_subports_too() {
    let parent = with(parent(&[entry(SUBPORT, 7)]), json!({"device": "tap0"}));
    let parsed = read_ports(&[parent, subport(SUBPORT)]);
    assert_eq!(parsed.faults, []);
    let subport = &parsed.inventory.ports[&SUBPORT.parse().unwrap()];
    assert_eq!(subport.interface.as_str(), "tap0");
}

#[test]
fn a_port_without_trunk_details_is_in_no_trunk() {
    for absent in [json!({"trunk_details": null}), json!({})] {
        let parsed = read_ports(&[with(port(), absent)]);
        let port = parsed.inventory.ports.into_values().next().unwrap();
        assert_eq!((port.trunk, parsed.faults), (None, vec![]));
    }
}

#[test]
fn the_addresses_of_a_subport_are_those_of_a_member() {
    let parsed = read_ports(&[parent(&[entry(SUBPORT, 7)]), subport(SUBPORT)]);
    let members = parsed
        .inventory
        .members(GROUP.parse().unwrap(), sg_common::wire::addr::Family::V4);
    assert_eq!(members.count(), 2);
}

#[test]
fn a_segmentation_that_is_no_vlan_closes_the_subport() {
    for (id, shown) in [
        (json!(0), "0"),
        (json!(4095), "4095"),
        (json!(-1), "-1"),
        (json!(65636), "65636"),
        (json!("100"), "\"100\""),
        (json!(null), "null"),
    ] {
        let entry = with(entry(SUBPORT, 7), json!({"segmentation_id": id}));
        let ports = [parent(&[entry]), subport(SUBPORT)];
        assert_subport_closed(&ports, VLAN_FIELD, shown);
    }
    for kind in [json!("inherit"), json!("vxlan"), json!(null), json!(7)] {
        let entry = with(entry(SUBPORT, 7), json!({"segmentation_type": kind}));
        let ports = [parent(&[entry]), subport(SUBPORT)];
        let field = "trunk_details.sub_ports.segmentation_type";
        assert_subport_closed(&ports, field, &kind.to_string());
    }
}

#[test]
fn two_subports_in_one_vlan_are_both_closed() {
    let parsed = read_ports(&[
        parent(&[
            entry(SUBPORT, 7),
            entry(OTHER_SUBPORT, 7),
            entry(OTHER_PORT, 8),
        ]),
        subport(SUBPORT),
        subport(OTHER_SUBPORT),
        subport(OTHER_PORT),
    ]);
    let faults: Vec<_> = parsed
        .faults
        .iter()
        .map(|fault| (&*fault.object.id, &*fault.field, &*fault.value))
        .collect();
    assert_eq!(
        faults,
        [(SUBPORT, VLAN_FIELD, "7"), (OTHER_SUBPORT, VLAN_FIELD, "7")]
    );
    assert_eq!(open(&parsed.inventory), [PORT, OTHER_PORT]);
}

#[test]
fn a_vlan_that_a_closed_port_claims_too_is_shared() {
    let parsed = read_ports(&[
        parent(&[entry(SUBPORT, 7), entry(OTHER_SUBPORT, 7)]),
        subport(SUBPORT),
        with(subport(OTHER_SUBPORT), json!({"mac_address": "none"})),
    ]);
    assert_eq!(open(&parsed.inventory), [PORT]);
}

#[test]
fn the_same_vlan_on_two_interfaces_is_two_places() {
    let other = with(
        parent(&[entry(OTHER_SUBPORT, 7)]),
        json!({"id": OTHER_PORT}),
    );
    let ports = [
        parent(&[entry(SUBPORT, 7)]),
        other,
        subport(SUBPORT),
        subport(OTHER_SUBPORT),
    ];
    assert_eq!(read_ports(&ports).faults, []);
}

#[test]
fn a_subport_that_is_named_twice_is_closed() {
    let other = with(parent(&[entry(SUBPORT, 8)]), json!({"id": OTHER_PORT}));
    let ports = [parent(&[entry(SUBPORT, 7)]), other, subport(SUBPORT)];
    assert_subport_closed(&ports, PORT_FIELD, SUBPORT);
    let twice = [entry(SUBPORT, 7), entry(SUBPORT, 8)];
    assert_subport_closed(&[parent(&twice), subport(SUBPORT)], PORT_FIELD, SUBPORT);
}

#[test]
fn a_subport_with_a_device_of_its_own_is_closed() {
    let own = with(subport(SUBPORT), json!({"device": "tap7"}));
    let ports = [parent(&[entry(SUBPORT, 7)]), own];
    assert_subport_closed(&ports, "device", "tap7");
    let interfaces = read_ports(&ports).inventory;
    let names: Vec<_> = interfaces.interfaces().map(|i| i.as_str()).collect();
    assert_eq!(names, [PARENTS_TAP, "tap7"], "its device is closed too");
}

#[test]
fn a_subport_that_is_a_parent_is_closed_with_its_subports() {
    let middle = with(parent(&[entry(OTHER_SUBPORT, 8)]), json!({"id": SUBPORT}));
    let parsed = read_ports(&[
        parent(&[entry(SUBPORT, 7), entry(OTHER_PORT, 8)]),
        middle,
        subport(OTHER_SUBPORT),
        subport(OTHER_PORT),
    ]);
    let faults: Vec<_> = parsed
        .faults
        .iter()
        .map(|fault| (&*fault.object.id, &*fault.field, &*fault.value))
        .collect();
    assert_eq!(
        faults,
        [
            (SUBPORT, "trunk_details", ""),
            (OTHER_SUBPORT, "trunk_details", SUBPORT)
        ]
    );
    assert_eq!(open(&parsed.inventory), [PORT, OTHER_PORT]);
}

#[test]
fn a_subport_that_is_not_there_is_left_out() {
    let parsed = read_ports(&[
        parent(&[entry(MISSING, 7), entry(SUBPORT, 8)]),
        subport(SUBPORT),
    ]);
    assert_fault(&parsed, PORT_FIELD, MISSING, Effect::SubportLeftOut);
    assert_eq!(the_fault(&parsed).object.id, PORT);
    assert_eq!(open(&parsed.inventory), [PORT, SUBPORT]);
}

#[test]
fn an_entry_that_names_no_port_is_left_out() {
    let unnamed = with(entry(SUBPORT, 7), json!({"port_id": 7}));
    let parsed = read_ports(&[parent(&[unnamed])]);
    assert_fault(&parsed, PORT_FIELD, "7", Effect::SubportLeftOut);
    let parsed = read_ports(&[parent(&[json!([])])]);
    let list = "trunk_details.sub_ports";
    assert_fault(&parsed, list, "[]", Effect::SubportLeftOut);
}

#[test]
fn trunk_details_that_cannot_be_read_leave_a_parent_without_subports() {
    let list = "trunk_details.sub_ports";
    for (details, field, shown) in [
        (json!("x"), "trunk_details", "\"x\""),
        (json!({"sub_ports": {}}), list, "{}"),
    ] {
        let parsed = read_ports(&[with(port(), json!({"trunk_details": details}))]);
        assert_fault(&parsed, field, shown, Effect::SubportsLeftOut);
        let port = parsed.inventory.ports.into_values().next().unwrap();
        assert_eq!(port.trunk, Some(Trunk::Parent));
    }
}

#[test]
fn the_subports_of_a_closed_parent_are_closed_where_they_would_be() {
    let bad_mac = with(parent(&[entry(SUBPORT, 7)]), json!({"mac_address": "none"}));
    let bad_id = with(parent(&[entry(SUBPORT, 7)]), json!({"id": "none"}));
    let shares = with(port(), json!({"id": OTHER_PORT, "device": PARENTS_TAP}));
    for ports in [
        vec![bad_mac, subport(SUBPORT)],
        vec![bad_id, subport(SUBPORT)],
        vec![parent(&[entry(SUBPORT, 7)]), shares, subport(SUBPORT)],
    ] {
        let parsed = read_ports(&ports);
        assert!(parsed.inventory.ports.is_empty());
        let subport = parsed.faults.iter().find(|f| f.object.id == SUBPORT);
        let fault = subport.expect("the subport is at fault too");
        assert_eq!(
            (&*fault.field, fault.effect),
            ("trunk_details", Effect::PortClosed)
        );
    }
}

#[test]
fn a_subport_that_is_closed_for_itself_is_shown_where_it_would_be() {
    let bad = with(subport(SUBPORT), json!({"mac_address": 5}));
    let parsed = read_ports(&[parent(&[entry(SUBPORT, 7)]), bad]);
    assert_fault(&parsed, "mac_address", "5", Effect::PortClosed);
    let [
        ClosedPort {
            interface, vlan, ..
        },
    ] = &*parsed.inventory.closed
    else {
        panic!("one port is closed")
    };
    let interface = interface.as_ref().map(|interface| interface.as_str());
    assert_eq!((interface, *vlan), (Some(PARENTS_TAP), Vlan::new(7)));
    assert_eq!(open(&parsed.inventory), [PORT], "its parent is not");
}
