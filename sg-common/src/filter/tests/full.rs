//! Full tables: what is permitted passes, and the operator is told.

use crate::filter::filter;
use crate::hook::{Direction, Hook};
use crate::layout::counter::counter_index;
use crate::reason::{Accept, Condition, Verdict, condition_counter};
use crate::scratch::Run;
use crate::testing::odd::Odd;
use crate::testing::packet::{Packet, tcp, udp};
use crate::testing::world::{VM_MAC, World};

const OUT: (&str, &str) = ("10.0.0.5:40000", "192.0.2.1:80");

/// The VM sends, while the tables are full.
fn send(world: &World, packet: &Packet) -> Verdict {
    let frame = packet.frame(VM_MAC);
    let tables = Odd::full(&world.memory);
    filter(
        Hook::FromVm,
        7,
        &frame[..],
        &tables,
        &mut Run::EMPTY.clone(),
    )
}

fn told(world: &World, condition: Condition) -> u64 {
    let index = counter_index(1, Direction::Egress, condition_counter(condition));
    let counters = world.memory.counters.borrow();
    counters.get(&index).map_or(0, |counter| counter.packets)
}

#[test]
fn a_connection_that_cannot_be_stored_passes() {
    let world = World::new().permit_egress();
    assert_eq!(send(&world, &udp(OUT.0, OUT.1)), Ok(Accept::New));
    assert_eq!(told(&world, Condition::FlowNotStored), 1);
    assert_eq!(world.stored(), (0, 0, 0));
}

#[test]
fn a_connection_that_cannot_be_assured_goes_on() {
    let mut world = World::new().permit_egress();
    let syn = tcp(OUT.0, OUT.1).flags("S").numbers(100, 0);
    let answer = tcp(OUT.1, OUT.0).flags("SA").numbers(500, 101);
    let ack = tcp(OUT.0, OUT.1).flags("A").numbers(101, 501);
    assert_eq!(world.send(&syn), Ok(Accept::New));
    assert_eq!(world.receive(&answer), Ok(Accept::Established));
    assert_eq!(send(&world, &ack), Ok(Accept::Established));
    assert_eq!(told(&world, Condition::FlowNotPromoted), 1);
    assert_eq!(world.stored(), (0, 1, 0));
    assert!(!world.flow().unwrap().word().assured());
    // As soon as there is room, it is.
    assert_eq!(world.send(&ack), Ok(Accept::Established));
    assert_eq!(world.stored(), (1, 0, 0));
}

#[test]
fn a_first_fragment_that_cannot_be_stored_passes() {
    let world = World::new().permit_egress();
    let first = udp(OUT.0, OUT.1).data(100).fragment(0..16, 1);
    assert_eq!(send(&world, &first), Ok(Accept::New));
    assert_eq!(told(&world, Condition::FragmentNotStored), 1);
}
