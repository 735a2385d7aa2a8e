//! Rules: who may do what.

use std::boxed::Box;

use crate::hook::Direction;
use crate::layout::policy::{Permits, PortGrant, PortSet};
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{icmp, ip, tcp, udp};
use crate::testing::world::{Service, VM, VM6, World, v4};
use crate::wire::addr::Family;

const INGRESS: Direction = Direction::Ingress;

fn syn(source: &str, port: u16) -> crate::testing::packet::Packet {
    tcp(&format!("{source}:40000"), &format!("10.0.0.5:{port}")).flags("S")
}

#[test]
fn a_range_of_ports_includes_both_ends() {
    let mut world = World::new().permit(INGRESS, Family::V4, Service::Ports(6, 80, 90));
    for (port, expected) in [
        (79, Err(DropReason::NoRule)),
        (80, Ok(Accept::New)),
        (90, Ok(Accept::New)),
        (91, Err(DropReason::NoRule)),
    ] {
        assert_eq!(
            world.receive(&syn("192.0.2.1", port)),
            expected,
            "port {port}"
        );
    }
    let udp = udp("192.0.2.1:40000", "10.0.0.5:80");
    assert_eq!(world.receive(&udp), Err(DropReason::NoRule));
}

#[test]
fn only_the_destination_port_counts() {
    let mut world = World::new().permit(INGRESS, Family::V4, Service::Ports(6, 80, 80));
    let packet = tcp("192.0.2.1:80", "10.0.0.5:81").flags("S");
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
}

#[test]
fn a_rule_is_for_its_family_and_direction() {
    let mut world = World::new().permit(INGRESS, Family::V4, Service::Everything);
    let six = udp("[2001:db8::1]:1", "[2001:db8::5]:2");
    assert_eq!(world.receive(&six), Err(DropReason::NoRule));
    let out = udp("10.0.0.5:1", "192.0.2.1:2");
    assert_eq!(world.send(&out), Err(DropReason::NoRule));
    let into = udp("192.0.2.1:3", "10.0.0.5:4");
    assert_eq!(world.receive(&into), Ok(Accept::New));
}

#[test]
fn a_member_of_a_remote_group_is_permitted_what_its_rule_says() {
    let ssh = Service::Ports(6, 22, 22);
    let mut world = World::new().permit_member(INGRESS, "192.0.2.1", ssh);
    assert_eq!(world.receive(&syn("192.0.2.1", 22)), Ok(Accept::New));
    assert_eq!(
        world.receive(&syn("192.0.2.1", 23)),
        Err(DropReason::NoRule)
    );
    assert_eq!(
        world.receive(&syn("192.0.2.2", 22)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn a_cidr_is_permitted_what_its_rule_says() {
    let ssh = Service::Ports(6, 22, 22);
    let mut world = World::new().permit_cidr(INGRESS, ("192.0.2.0", v4(25)), ssh);
    assert_eq!(world.receive(&syn("192.0.2.127", 22)), Ok(Accept::New));
    assert_eq!(
        world.receive(&syn("192.0.2.128", 22)),
        Err(DropReason::NoRule)
    );
}

#[test]
fn the_rows_of_an_address_are_added_up() {
    let mut world = World::new()
        .permit(INGRESS, Family::V4, Service::Ports(6, 1, 1))
        .permit_member(INGRESS, "192.0.2.1", Service::Ports(6, 2, 2))
        .permit_cidr(INGRESS, ("192.0.2.0", v4(24)), Service::Ports(6, 3, 3));
    for port in 1..=3 {
        assert_eq!(
            world.receive(&syn("192.0.2.1", port)),
            Ok(Accept::New),
            "port {port}"
        );
    }
    assert_eq!(world.receive(&syn("192.0.2.1", 4)), Err(DropReason::NoRule));
}

#[test]
fn a_set_of_ports_permits_its_ports() {
    let mut world = World::new().permit(INGRESS, Family::V4, Service::Ports(6, 0, 65_535));
    let mut set = Box::new(PortSet {
        id: 5,
        words: [0; 1024],
    });
    for port in [0u16, 22, 63, 64, 65_535] {
        set.words[port as usize / 64] |= 1 << (port % 64);
    }
    world.memory.port_sets.insert(5, set);
    let policy = world.memory.policies.get_mut(&100).unwrap();
    policy.anyone.ports[0].set = 5;
    for (port, expected) in [
        (22, true),
        (23, false),
        (63, true),
        (64, true),
        (65_535, true),
    ] {
        let verdict = world.receive(&syn("192.0.2.1", port));
        assert_eq!(verdict.is_ok(), expected, "port {port}");
    }
}

#[test]
fn icmp_types_and_codes_are_ports() {
    let echo = Service::Ports(1, 8 << 8, 8 << 8 | 255);
    let mut world = World::new().permit(INGRESS, Family::V4, echo);
    assert_eq!(
        world.receive(&icmp("192.0.2.1", VM, 8, 0, 1)),
        Ok(Accept::New)
    );
    assert_eq!(
        world.receive(&icmp("192.0.2.1", VM, 8, 9, 1)),
        Ok(Accept::New)
    );
    assert_eq!(
        world.receive(&icmp("192.0.2.1", VM, 13, 0, 1)),
        Err(DropReason::NoRule)
    );
    let exact = Service::Ports(58, 128 << 8, 128 << 8);
    let mut world = World::new().permit(INGRESS, Family::V6, exact);
    assert_eq!(
        world.receive(&icmp("2001:db8::1", VM6, 128, 0, 1)),
        Ok(Accept::New)
    );
    let other_code = icmp("2001:db8::1", VM6, 128, 1, 1);
    assert_eq!(world.receive(&other_code), Err(DropReason::NoRule));
}

#[test]
fn icmp_of_the_other_family_is_no_icmp() {
    let every_type = Service::Ports(1, 0, 65_535);
    let mut world = World::new().permit(INGRESS, Family::V4, every_type).permit(
        INGRESS,
        Family::V6,
        every_type,
    );
    let message = [8, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0];
    let six_in_four = ip("192.0.2.1", VM, 58, &message);
    assert_eq!(world.receive(&six_in_four), Err(DropReason::InvalidIcmp));
    let four_in_six = ip("2001:db8::1", VM6, 1, &message);
    assert_eq!(world.receive(&four_in_six), Err(DropReason::InvalidIcmp));
}

#[test]
fn a_row_that_belongs_to_another_key_permits_nothing() {
    let mut world = World::new()
        .permit(INGRESS, Family::V4, Service::Ports(6, 1, 1))
        .permit_member(INGRESS, "192.0.2.1", Service::Ports(6, 2, 2))
        .permit_cidr(INGRESS, ("192.0.2.0", v4(24)), Service::Ports(6, 3, 3));
    for member in world.memory.members.values_mut() {
        member.key.index += 1;
    }
    assert_eq!(world.receive(&syn("192.0.2.1", 2)), Err(DropReason::NoRule));
    for grant in world.memory.grants.values_mut() {
        grant.key.peer += 1;
    }
    assert_eq!(world.receive(&syn("192.0.2.1", 3)), Err(DropReason::NoRule));
    for policy in world.memory.policies.values_mut() {
        policy.id += 1;
    }
    assert_eq!(world.receive(&syn("192.0.2.1", 1)), Err(DropReason::NoRule));
}

#[test]
fn nothing_permits_nothing() {
    let mut world = World::new();
    for policy in world.memory.policies.values_mut() {
        policy.anyone = Permits::NOTHING;
        policy.anyone.ports = [PortGrant::NOTHING; 6];
    }
    for port in [0, 1, 65_535] {
        assert_eq!(
            world.receive(&syn("192.0.2.1", port)),
            Err(DropReason::NoRule)
        );
    }
}
