//! The memory of an entry goes to another connection of the port between its being found and its being loaded:
//! a packet may be taken for that one's, but nothing comes of it that lasts.

use crate::filter::filter;
use crate::hook::Hook;
use crate::layout::flow::{Flow, FlowKey};
use crate::reason::{Accept, Verdict};
use crate::scratch::Run;
use crate::testing::odd::Odd;
use crate::testing::packet::{Packet, udp};
use crate::testing::world::{VM_MAC, World};

/// The connection that loses its memory, and the one that gets it.
const ONE: &str = "192.0.2.1:53";
const OTHER: &str = "192.0.2.2:53";

fn out(peer: &str) -> Packet {
    udp("10.0.0.5:5353", peer)
}

/// A world in which both are open, answered, and old enough to be assured by the next packet; and their keys.
fn world() -> (World, [FlowKey; 2]) {
    let mut world = World::new().permit_egress();
    let mut keys = Vec::new();
    for (number, peer) in (1..).zip([ONE, OTHER]) {
        assert_eq!(world.send(&out(peer)), Ok(Accept::New));
        let known = |key: &&FlowKey| !keys.contains(*key);
        let key = *world.memory.embryos.borrow().keys().find(known).unwrap();
        keys.push(key);
        // Each has a nonce of its own.
        let entry = world.memory.embryos.borrow()[&key].clone();
        let mut flow = entry.get();
        flow.change(|word| *word = word.with_nonce(16 * number));
        entry.set(flow);
        let answer = udp(peer, "10.0.0.5:5353");
        assert_eq!(world.receive(&answer), Ok(Accept::Established));
    }
    world.wait(3);
    (world, [keys[0], keys[1]])
}

/// The VM sends on the one; its entry is the other's by then.
fn send(world: &World, other: FlowKey) -> Verdict {
    let tables = Odd::lending(&world.memory, other);
    let frame = out(ONE).frame(VM_MAC);
    filter(
        Hook::FromVm,
        7,
        &frame[..],
        &tables,
        &mut Run::EMPTY.clone(),
    )
}

fn stored(world: &World, key: &FlowKey) -> Flow {
    world.memory.embryos.borrow()[key].get()
}

#[test]
fn a_connection_is_not_assured_by_what_another_has_done() {
    let (world, [one, other]) = world();
    let before = [&one, &other].map(|key| stored(&world, key));

    assert_eq!(send(&world, other), Ok(Accept::Established));

    assert!(world.memory.flows.borrow().is_empty());
    assert_eq!([&one, &other].map(|key| stored(&world, key)), before);
}

#[test]
fn a_connection_that_is_judged_again_is_not_judged_for_another() {
    let (mut world, [one, other]) = world();
    world.port().generation += 1;
    let before = [&one, &other].map(|key| stored(&world, key));

    let _ = send(&world, other);

    let after = [&one, &other].map(|key| stored(&world, key));
    assert_eq!(
        after.map(|flow| flow.generation),
        before.map(|flow| flow.generation)
    );
    assert!(world.memory.flows.borrow().is_empty());
}

#[test]
fn what_has_kept_its_memory_is_judged_again_and_assured() {
    let (mut world, [one, _]) = world();
    world.port().generation += 1;
    assert_eq!(world.send(&out(ONE)), Ok(Accept::Established));
    let assured = world.memory.flows.borrow()[&one].get();
    assert_eq!(assured.generation, world.port().generation);
}
