//! Rules: who may do what.

use std::boxed::Box;
use std::format;

use crate::hook::Direction;
use crate::layout::policy::{PAIRS, Permits, PortGrant, PortPair, PortPairs, PortSet};
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

/// A policy that permits udp from ports 50 to 59 to ports 80 to 89, and from port 1 to any.
fn paired(direction: Direction) -> World {
    let mut pairs = [PortPair::NOTHING; PAIRS];
    for (pair, (source_low, source_high, low, high)) in pairs
        .iter_mut()
        .zip([(50, 59, 80, 89), (1, 1, 0, u16::MAX)])
    {
        *pair = PortPair {
            protocol: 17,
            source_low,
            source_high,
            low,
            high,
        };
    }
    let row = PortPairs {
        id: 7,
        count: 2,
        pairs,
    };
    let mut world = World::new().permit(direction, Family::V4, Service::Ports(6, 80, 80));
    world.memory.port_pairs.insert(7, Box::new(row));
    for policy in world.memory.policies.values_mut() {
        if policy.anyone != Permits::NOTHING {
            policy.anyone.pairs = 7;
        }
    }
    world
}

/// The pairs of a source and a destination port, and whether [`paired`] permits them.
const PAIRED: [((u16, u16), bool); 9] = [
    ((50, 80), true),
    ((59, 89), true),
    ((49, 80), false),
    ((60, 80), false),
    ((50, 79), false),
    ((50, 90), false),
    ((80, 50), false),
    ((1, 9), true),
    ((0, 0), false),
];

#[test]
fn pairs_of_ports_permit_what_comes_from_these_ports_to_those() {
    let (mut into, mut out) = (paired(INGRESS), paired(Direction::Egress));
    for ((source, destination), expected) in PAIRED {
        let what = format!("{source} to {destination}");
        let packet = udp(
            &format!("192.0.2.1:{source}"),
            &format!("10.0.0.5:{destination}"),
        );
        assert_eq!(into.receive(&packet).is_ok(), expected, "{what} in");
        let packet = udp(
            &format!("10.0.0.5:{source}"),
            &format!("192.0.2.2:{destination}"),
        );
        assert_eq!(out.send(&packet).is_ok(), expected, "{what} out");
    }
    let tcp = tcp("192.0.2.1:50", "10.0.0.5:81").flags("S");
    assert_eq!(into.receive(&tcp), Err(DropReason::NoRule));
    assert_eq!(into.receive(&syn("192.0.2.1", 80)), Ok(Accept::New));
}

#[test]
fn a_connection_is_judged_again_by_the_source_port_of_who_began() {
    for (direction, begins) in [
        (INGRESS, "192.0.2.1:50"),
        (Direction::Egress, "10.0.0.5:50"),
    ] {
        let mut world = paired(direction);
        let ends = match direction {
            Direction::Ingress => (begins, "10.0.0.5:80"),
            Direction::Egress => (begins, "192.0.2.1:80"),
        };
        let (question, answer) = (udp(ends.0, ends.1), udp(ends.1, ends.0));
        let ask = |world: &mut World, first: bool| match (direction == INGRESS, first) {
            (true, true) => world.receive(&question),
            (true, false) => world.send(&answer),
            (false, true) => world.send(&question),
            (false, false) => world.receive(&answer),
        };
        assert_eq!(ask(&mut world, true), Ok(Accept::New));
        world.port().generation += 1;
        assert!(ask(&mut world, false).is_ok(), "an answer judges it too");
        let row = world.memory.port_pairs.get_mut(&7).unwrap();
        row.pairs[0].source_low = 51;
        world.port().generation += 1;
        assert_eq!(ask(&mut world, false), Err(DropReason::Revoked));
    }
}

#[test]
fn pairs_that_are_not_there_and_a_count_beyond_the_row_permit_nothing_more() {
    let mut world = paired(INGRESS);
    world.memory.port_pairs.get_mut(&7).unwrap().count = u64::MAX;
    let packet = udp("192.0.2.1:49", "10.0.0.5:80");
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
    world.memory.port_pairs.clear();
    let packet = udp("192.0.2.1:50", "10.0.0.5:80");
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
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
