//! What is counted beside the counters: which row has permitted what, and packets and bytes by connection; and
//! what passes because its port is in audit.

use std::vec;
use std::vec::Vec;

use crate::hook::Direction;
use crate::layout::account::Account;
use crate::layout::events::{Action, Asked};
use crate::layout::hit::way;
use crate::layout::port::flags;
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{Packet, icmp, tcp, udp};
use crate::testing::world::{Service, World};
use crate::wire::addr::Family;

const SLOT: u32 = 1;
const INGRESS4: u64 = 100;

fn web(service: Service) -> World {
    World::new().permit(Direction::Ingress, Family::V4, service)
}

fn syn(port: u16) -> Packet {
    tcp("192.0.2.1:40000", &std::format!("10.0.0.5:{port}")).flags("S")
}

/// Policy, whether anyone's row, way, ports, and how often.
fn hits(world: &World) -> Vec<(u64, bool, u8, u16, u16, u64)> {
    let hits = world.memory.hits.borrow();
    hits.iter()
        .map(|(key, hits)| {
            assert_eq!(key.slot, SLOT);
            let anyone = key.peer == 0;
            (key.policy, anyone, key.way, key.low, key.high, hits.count)
        })
        .collect()
}

#[test]
fn a_row_is_hit_by_the_first_packet_of_a_connection_and_by_no_other() {
    let mut world = web(Service::Ports(6, 80, 80));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::New));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::Established));
    let answer = tcp("10.0.0.5:80", "192.0.2.1:40000").flags("SA");
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.receive(&syn(81)), Err(DropReason::NoRule));
    assert_eq!(hits(&world), [(INGRESS4, true, way::PORTS, 80, 80, 1)]);
}

#[test]
fn a_hit_says_which_part_of_its_row_it_was() {
    let mut world = web(Service::Ports(6, 8000, 8100));
    assert_eq!(world.receive(&syn(8010)), Ok(Accept::New));
    assert_eq!(hits(&world), [(INGRESS4, true, way::PORTS, 8000, 8100, 1)]);

    let mut world = web(Service::Protocol(17));
    let datagram = udp("192.0.2.1:5", "10.0.0.5:53");
    assert_eq!(world.receive(&datagram), Ok(Accept::New));
    assert_eq!(hits(&world), [(INGRESS4, true, way::PROTOCOL, 0, 0, 1)]);
}

#[test]
fn what_a_built_in_permits_hits_no_row() {
    let mut world = web(Service::Everything);
    let offer = udp("10.0.0.2:67", "10.0.0.5:68");
    assert_eq!(world.receive(&offer), Ok(Accept::Dhcp));
    assert_eq!(hits(&world), []);
}

#[test]
fn of_a_stateless_port_each_packet_that_a_rule_permits_hits_its_row() {
    let mut world = web(Service::Ports(6, 80, 80));
    world.port().flags |= flags::STATELESS;
    for _ in 0..3 {
        assert_eq!(world.receive(&syn(80)), Ok(Accept::Stateless));
    }
    assert_eq!(hits(&world), [(INGRESS4, true, way::PORTS, 80, 80, 3)]);
}

fn accounted(service: Service) -> World {
    let mut world = web(service);
    world.memory.accounted.insert(SLOT);
    world.memory.settings.switch(switch::ACCOUNTS, true);
    world
}

fn accounts(world: &World) -> Vec<Account> {
    world.memory.accounts.borrow().values().copied().collect()
}

#[test]
fn packets_and_bytes_of_a_connection_are_counted_each_way_in_the_short_lane_and_beside_it() {
    let mut world = accounted(Service::Ports(17, 53, 53));
    let (question, answer) = (
        udp("192.0.2.1:5", "10.0.0.5:53").data(10),
        udp("10.0.0.5:53", "192.0.2.1:5").data(100),
    );
    assert_eq!(world.receive(&question), Ok(Accept::New));
    for _ in 0..3 {
        assert_eq!(world.send(&answer), Ok(Accept::Established));
        assert_eq!(world.receive(&question), Ok(Accept::Established));
    }
    let expected = Account {
        packets: [4, 3],
        bytes: [4 * (46 + 10), 3 * (46 + 100)],
        former_packets: [0; 2],
        former_bytes: [0; 2],
    };
    assert_eq!(accounts(&world), [expected]);
}

#[test]
fn a_connection_in_the_place_of_another_begins_at_zero_and_what_was_counted_never_goes_back() {
    let mut world = accounted(Service::Ports(17, 53, 53));
    let question = udp("192.0.2.1:5", "10.0.0.5:53");
    assert_eq!(world.receive(&question), Ok(Accept::New));
    assert_eq!(world.receive(&question), Ok(Accept::Established));
    let now = world.memory.clock.get();
    world
        .memory
        .clock
        .set(now + crate::layout::settings::ticks(60));
    assert_eq!(world.receive(&question), Ok(Accept::New));
    let [account] = accounts(&world)[..] else {
        panic!("one row")
    };
    assert_eq!(account.packets, [3, 0]);
    assert_eq!(account.present(), ([1, 0], [46, 0]));
}

#[test]
fn what_is_refused_or_of_no_connection_is_not_counted_by_connection() {
    let mut world = accounted(Service::Ports(6, 80, 80));
    assert_eq!(world.receive(&syn(81)), Err(DropReason::NoRule));
    let offer = udp("10.0.0.2:67", "10.0.0.5:68");
    assert_eq!(world.receive(&offer), Ok(Accept::Dhcp));
    assert_eq!(accounts(&world), []);
}

#[test]
fn nothing_is_counted_by_connection_unless_it_was_asked_for() {
    let mut world = accounted(Service::Ports(6, 80, 80));
    world.memory.settings.switch(switch::ACCOUNTS, false);
    assert_eq!(world.receive(&syn(80)), Ok(Accept::New));
    let mut other = accounted(Service::Ports(6, 80, 80));
    other.memory.accounted.clear();
    assert_eq!(other.receive(&syn(80)), Ok(Accept::New));
    assert_eq!((accounts(&world), accounts(&other)), (vec![], vec![]));
}

fn audited() -> World {
    let mut world = web(Service::Ports(6, 80, 80));
    world.port().flags |= flags::AUDIT;
    world
}

#[test]
fn at_a_port_in_audit_what_no_rule_permits_passes_with_its_connection_and_is_counted_once() {
    let mut world = audited();
    let answer = tcp("10.0.0.5:81", "192.0.2.1:40000").flags("SA");
    assert_eq!(world.receive(&syn(81)), Ok(Accept::Audit));
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::New), "as without");
    let audit = world
        .memory
        .counter(SLOT, Direction::Ingress, &Ok(Accept::Audit));
    assert_eq!(audit.packets, 1);
    assert_eq!(hits(&world).len(), 1, "no row has permitted it");
}

#[test]
fn audit_is_told_to_who_asks_for_it() {
    let mut world = audited();
    let mut asked = Asked::NOTHING;
    (
        asked.interval[Action::Audit as usize],
        asked.slack[Action::Audit as usize],
    ) = (1, 1);
    world.memory.asked.insert(SLOT, asked);
    world.memory.settings.switch(switch::EVENTS, true);
    assert_eq!(world.receive(&syn(81)), Ok(Accept::Audit));
    let events = world.memory.events.take();
    let [event] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.action(), Some(Action::Audit));
    assert_eq!(event.hit, crate::layout::hit::HitKey::NONE);
}

#[test]
fn what_other_stages_refuse_falls_at_a_port_in_audit_too() {
    let mut world = audited();
    let spoofed = tcp("10.9.9.9:1", "192.0.2.1:2").flags("S");
    assert_eq!(world.send(&spoofed), Err(DropReason::SpoofedAddress));
    let stray = icmp("192.0.2.1", "10.0.0.5", 0, 0, 7);
    assert_eq!(world.receive(&stray), Err(DropReason::InvalidIcmp));
}

#[test]
fn a_connection_that_rules_no_longer_permit_goes_on_in_audit_and_is_told_once() {
    let mut world = web(Service::Ports(6, 80, 80));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::New));
    world.memory.policies.get_mut(&INGRESS4).unwrap().anyone =
        crate::layout::policy::Permits::NOTHING;
    world.port().generation += 1;
    world.port().flags |= flags::AUDIT;
    assert_eq!(world.receive(&syn(80)), Ok(Accept::Audit));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::Established));

    world.port().generation += 1;
    world.port().flags &= !flags::AUDIT;
    assert_eq!(world.receive(&syn(80)), Err(DropReason::Revoked));
    assert_eq!(world.receive(&syn(81)), Err(DropReason::NoRule));
}

#[test]
fn at_a_stateless_port_in_audit_each_packet_is_counted() {
    let mut world = audited();
    world.port().flags |= flags::STATELESS;
    assert_eq!(world.receive(&syn(81)), Ok(Accept::Audit));
    assert_eq!(world.receive(&syn(81)), Ok(Accept::Audit));
    assert_eq!(world.receive(&syn(80)), Ok(Accept::Stateless));
}
