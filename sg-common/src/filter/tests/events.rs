//! What is told, to whom, and how much of it.

use std::vec::Vec;

use crate::hook::{Direction, Hook};
use crate::layout::events::{Action, Asked, Cause, Event};
use crate::layout::port::flags;
use crate::layout::settings::switch;
use crate::reason::{Accept, DropReason};
use crate::testing::packet::{PEER_MAC, Packet, tcp, udp};
use crate::testing::world::{Service, VM_MAC, World};
use crate::wire::addr::Family;

const WEB: Service = Service::Ports(6, 80, 80);
const SLOT: u32 = 1;

/// 100 a second, 25 at once.
const RATE: (u64, u64) = (10_000_000, 240_000_000);

/// A world whose port somebody asked of.
fn asked(world: World, actions: &[Action]) -> World {
    let mut world = world.permit(Direction::Ingress, Family::V4, WEB);
    let mut asked = Asked::NOTHING;
    for action in actions {
        (
            asked.interval[*action as usize],
            asked.slack[*action as usize],
        ) = RATE;
    }
    world.memory.asked.insert(SLOT, asked);
    world.memory.settings.switch(switch::EVENTS, true);
    world.port().uuid = [7; 16];
    world
}

fn told(world: &World) -> Vec<Event> {
    world.memory.events.take()
}

fn lost(world: &World, action: Action) -> u64 {
    let budgets = world.memory.budgets.borrow();
    budgets
        .get(&SLOT)
        .map_or(0, |budget| budget.lost[action as usize])
}

fn refused() -> Packet {
    tcp("192.0.2.1:40000", "10.0.0.5:81").flags("S")
}

fn permitted() -> Packet {
    tcp("192.0.2.1:40000", "10.0.0.5:80").flags("S")
}

#[test]
fn a_refused_packet_of_a_port_that_asked_for_drops_is_told_once_with_its_reason_and_its_bytes() {
    let mut world = asked(World::new(), &[Action::Drop]);
    assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    let events = told(&world);
    let [event] = events[..] else {
        panic!("{events:?}")
    };
    let frame = refused().frame(PEER_MAC);
    assert_eq!(event.verdict(), Some(Err(DropReason::NoRule)));
    assert_eq!(event.frame(), frame);
    assert_eq!(event.length, frame.len() as u32);
    assert_eq!((event.slot, event.ifindex, event.uuid), (SLOT, 7, [7; 16]));
    assert_eq!(event.hook, Hook::ToVm as u8);
    assert_eq!(event.what, Event::VERDICT);
    assert_eq!(event.time, u64::from(world.memory.clock.get()) << 20);
    assert_eq!(lost(&world, Action::Drop), 0);
}

#[test]
fn of_a_long_frame_the_first_bytes_are_told_and_how_long_it_is() {
    let mut world = asked(World::new(), &[Action::Drop]);
    let packet = udp("192.0.2.1:1", "10.0.0.5:2").data(1000);
    assert_eq!(world.receive(&packet), Err(DropReason::NoRule));
    let event = told(&world)[0];
    let frame = packet.frame(PEER_MAC);
    assert_eq!(event.length, frame.len() as u32);
    assert_eq!(event.frame(), &frame[..event.frame().len()]);
    assert_eq!(event.frame().len(), 128);
}

#[test]
fn of_a_connection_that_a_rule_permits_the_first_packet_is_told_and_no_other() {
    let mut world = asked(World::new(), &Action::ALL);
    let answer = tcp("10.0.0.5:80", "192.0.2.1:40000").flags("SA");
    assert_eq!(world.receive(&permitted()), Ok(Accept::New));
    assert_eq!(world.send(&answer), Ok(Accept::Established));
    assert_eq!(world.receive(&permitted()), Ok(Accept::Established));
    let events = told(&world);
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(events[0].verdict(), Some(Ok(Accept::New)));
}

#[test]
fn nothing_is_told_that_nobody_asked_for() {
    for actions in [&[][..], &[Action::Accept], &[Action::Drop]] {
        let mut world = asked(World::new(), actions);
        assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
        assert_eq!(world.receive(&permitted()), Ok(Accept::New));
        let events = told(&world);
        assert_eq!(events.len(), actions.len(), "{events:?}");
        assert!(Action::ALL.iter().all(|action| lost(&world, *action) == 0));
    }
    let mut world = asked(World::new(), &Action::ALL);
    world.memory.asked.clear();
    assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    assert!(told(&world).is_empty(), "of another port");
}

#[test]
fn nothing_is_told_while_the_settings_say_that_nobody_asks() {
    let mut world = asked(World::new(), &Action::ALL);
    world.memory.settings.switch(switch::EVENTS, false);
    assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    assert_eq!(world.receive(&permitted()), Ok(Accept::New));
    assert!(told(&world).is_empty());
}

#[test]
fn what_a_built_in_permits_is_not_told() {
    let mut world = asked(World::new(), &Action::ALL);
    let dhcp = udp("10.0.0.5:68", "192.0.2.1:67");
    assert_eq!(world.send(&dhcp), Ok(Accept::Dhcp));
    assert!(told(&world).is_empty());
}

#[test]
fn what_could_open_a_connection_is_told_of_a_stateless_port_and_nothing_else() {
    let mut world = asked(World::new(), &Action::ALL);
    world.port().flags |= flags::STATELESS;
    let segment = |flags| tcp("192.0.2.1:40000", "10.0.0.5:80").flags(flags);
    for (flags, count) in [("S", 1), ("SA", 0), ("A", 0), ("PA", 0), ("R", 0)] {
        assert_eq!(world.receive(&segment(flags)), Ok(Accept::Stateless));
        assert_eq!(told(&world).len(), count, "{flags}");
    }
    let mut world = asked(World::new().permit_egress(), &Action::ALL);
    world.port().flags |= flags::STATELESS;
    assert_eq!(
        world.send(&udp("10.0.0.5:1", "192.0.2.1:2")),
        Ok(Accept::Stateless)
    );
    assert_eq!(told(&world).len(), 1, "a datagram");
}

#[test]
fn a_flood_spends_its_budget_and_the_rest_is_counted_as_lost() {
    let mut world = asked(World::new(), &Action::ALL);
    for _ in 0..1000 {
        assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    }
    assert_eq!(told(&world).len(), 25);
    assert_eq!(lost(&world, Action::Drop), 975);
    assert_eq!(world.receive(&permitted()), Ok(Accept::New));
    assert_eq!(told(&world).len(), 1, "accepts have a budget of their own");
    assert_eq!(lost(&world, Action::Accept), 0);
    world.wait(1);
    assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    assert_eq!(told(&world).len(), 1, "a second later");
}

#[test]
fn what_finds_no_room_in_the_ring_is_counted_as_lost() {
    let mut world = asked(World::new(), &[Action::Drop]);
    world.memory.events_room.set(1);
    for _ in 0..3 {
        assert_eq!(world.receive(&refused()), Err(DropReason::NoRule));
    }
    assert_eq!(told(&world).len(), 1);
    assert_eq!(lost(&world, Action::Drop), 2);
}

#[test]
fn what_the_vm_forges_is_told_with_the_direction_of_what_it_sends() {
    let mut world = asked(World::new().permit_egress(), &[Action::Drop]);
    let forged = udp("10.0.9.9:1", "192.0.2.1:2");
    assert_eq!(world.send(&forged), Err(DropReason::SpoofedAddress));
    let event = told(&world)[0];
    assert_eq!(event.hook, Hook::FromVm as u8);
    assert_eq!(event.frame()[6..12], VM_MAC.octets());
}

/// The connection that a client opens.
fn open(world: &mut World, packet: &Packet) {
    assert_eq!(world.receive(packet), Ok(Accept::New));
    world.memory.events.take();
}

#[test]
fn a_connection_that_a_packet_ends_is_told_as_it_was_last_to_who_asked_for_ends() {
    let reset = || tcp("192.0.2.1:40000", "10.0.0.5:80").flags("R");
    let mut world = asked(World::new(), &[Action::End]);
    open(&mut world, &permitted());
    assert_eq!(world.receive(&reset()), Ok(Accept::Established));
    let events = told(&world);
    let [event] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(event.action(), Some(Action::End));
    let ended = event.ended().unwrap();
    assert_eq!(
        (ended.slot, ended.uuid, ended.cause),
        (SLOT, [7; 16], Cause::Packet as u8)
    );
    assert_eq!(
        (ended.key().local_port, ended.key().remote_port),
        (80, 40000)
    );
    assert!(!ended.flow.word().from_vm() && ended.flow.word().nonce() != 0);

    for actions in [&[Action::Accept, Action::Drop][..], &[]] {
        let mut world = asked(World::new(), actions);
        open(&mut world, &permitted());
        assert_eq!(world.receive(&reset()), Ok(Accept::Established));
        assert!(told(&world).is_empty(), "nobody asked for ends");
    }
}
