//! Trunks: one interface, a parent without a tag, and a subport for each of some VLANs.

use crate::hook::Hook;
use crate::layout::port::{Port, PortKey, flags, kind};
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, tcp, udp};
use crate::testing::world::{VM_MAC, World};
use crate::wire::addr::Mac;

const SUBPORT_MAC: Mac = Mac::new([0xfa, 0x16, 0x3e, 0, 1, 5]);
const SUBPORT: &str = "10.1.0.5";

/// A parent with the usual address, and a subport in VLAN 100 with its own MAC, address and policies.
fn trunk() -> World {
    let mut world = World::new().permit_egress();
    world.port().flags |= flags::TRUNK;
    let parent = *world.port();
    let key = PortKey {
        vlan: 100,
        ..parent.key
    };
    let subport = Port {
        key,
        slot: 2,
        mac: SUBPORT_MAC,
        flags: 0,
        ..parent
    };
    world.memory.ports.insert(key, subport);
    world.slot_may_send(2, SUBPORT_MAC, SUBPORT, 128, kind::FIXED);
    world
}

fn in_vlan(packet: &Packet, mac: Mac, vlan: u16) -> Vec<u8> {
    packet.tagged(mac, 0x8100, vlan)
}

#[test]
fn parent_and_subport_send_from_their_own_addresses_only() {
    let mut world = trunk();
    let parents = udp("10.0.0.5:1", "192.0.2.1:2");
    let subports = udp("10.1.0.5:1", "192.0.2.1:2");
    let frames = [
        (parents.frame(VM_MAC), Ok(Accept::New)),
        (subports.frame(VM_MAC), Err(DropReason::SpoofedAddress)),
        (subports.frame(SUBPORT_MAC), Err(DropReason::SpoofedMac)),
        (in_vlan(&subports, SUBPORT_MAC, 100), Ok(Accept::New)),
        (
            in_vlan(&parents, SUBPORT_MAC, 100),
            Err(DropReason::SpoofedAddress),
        ),
        (in_vlan(&parents, VM_MAC, 100), Err(DropReason::SpoofedMac)),
        // A priority tag names no VLAN.
        (in_vlan(&parents, VM_MAC, 0), Ok(Accept::Established)),
    ];
    for (frame, verdict) in frames {
        assert_eq!(world.judge(Hook::FromVm, &frame), verdict, "{frame:02x?}");
    }
}

#[test]
fn connections_of_parent_and_subport_are_different_ones() {
    let mut world = trunk();
    let mac = SUBPORT_MAC;
    let rows = world.memory.ports.values().map(|port| port.slot);
    for slot in rows.collect::<Vec<_>>() {
        // One address on both networks.
        world.slot_may_send(slot, mac, "10.9.0.5", 128, kind::FIXED);
    }
    let query = udp("10.9.0.5:1", "192.0.2.1:53");
    let answer = udp("192.0.2.1:53", "10.9.0.5:1");
    let sent = world.judge(Hook::FromVm, &in_vlan(&query, mac, 100));
    assert_eq!(sent, Ok(Accept::New));
    let untagged = world.judge(Hook::ToVm, &answer.frame(VM_MAC));
    assert_eq!(untagged, Err(DropReason::NoRule));
    let tagged = world.judge(Hook::ToVm, &in_vlan(&answer, VM_MAC, 100));
    assert_eq!(tagged, Ok(Accept::Established));
}

#[test]
fn a_vlan_of_no_subport_is_nobodys_even_if_the_parent_is_not_filtered() {
    let frame = in_vlan(&tcp("10.0.0.5:1", "192.0.2.1:2").flags("S"), VM_MAC, 200);
    for change in [
        |_: &mut World| {},
        |world: &mut World| world.port().flags |= flags::UNFILTERED,
        |world: &mut World| world.memory.settings.switch(switch::TAGGED, true),
    ] {
        let mut world = trunk();
        change(&mut world);
        for hook in Hook::ALL {
            assert_eq!(world.judge(hook, &frame), Err(DropReason::Vlan));
        }
    }
}

#[test]
fn a_subport_is_filtered_though_its_parent_is_not() {
    let mut world = trunk();
    world.port().flags |= flags::UNFILTERED;
    let spoofed = udp("10.0.0.66:1", "192.0.2.1:2");
    let untagged = world.judge(Hook::FromVm, &spoofed.frame(VM_MAC));
    assert_eq!(untagged, Ok(Accept::Unfiltered));
    let tagged = world.judge(Hook::FromVm, &in_vlan(&spoofed, SUBPORT_MAC, 100));
    assert_eq!(tagged, Err(DropReason::SpoofedAddress));
}

#[test]
fn a_second_tag_within_a_subports_is_dropped() {
    let mut world = trunk();
    let mut frame = in_vlan(&udp("10.1.0.5:1", "192.0.2.1:2"), SUBPORT_MAC, 100);
    frame.splice(16..16, [0x81, 0x00, 0x00, 100]);
    assert_eq!(world.judge(Hook::FromVm, &frame), Err(DropReason::Vlan));
}
