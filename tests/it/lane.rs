//! The short lane says, counts and remembers what the stages behind it would, on the host and in the kernel.
//! `LANE_CASES=1000000 cargo xtask test -- short_lane` plays more.

use std::cell::Cell;
use std::env;
use std::rc::Rc;

use sg_common::filter::{filter, filter_by};
use sg_common::memory::Memory;
use sg_common::reason::Accept;
use sg_common::scratch::Run;
use sg_tests::lane::{self, Case, Dice};
use sg_tests::packet::describe;
use sg_tests::verdict::World;

/// Fixed, so that a failure is there again at the next run.
const SEED: u64 = 20_261_128;

/// Cases that share settings, and in the kernel what packets without a connection leave behind.
const BATCH: usize = 100;

#[test]
fn the_short_lane_and_the_long_way_leave_the_same_on_the_host() {
    let mut world = World::new(1024);
    let (inventory, port) = lane::inventory();
    world.apply(inventory, port);
    let (slot, generation) = (world.slot(), world.generation());
    let mut dice = Dice::new(SEED);
    let (mut played, mut taken) = (0, 0);
    while played < cases() {
        let memory = Memory {
            settings: lane::settings(&mut dice),
            ..world.memory().clone()
        };
        memory.clock.set(dice.edge(0));
        for _ in 0..BATCH {
            let case = Case::throw(&mut dice, slot, generation, memory.clock.get());
            let [short, long] = [true, false].map(|short| {
                // A clone shares nothing with it.
                let memory = memory.clone();
                if let Some(flow) = case.flow {
                    let flow = Rc::new(Cell::new(flow));
                    memory.flows.borrow_mut().insert(case.key, flow);
                }
                let (ifindex, mut run) = (world.ifindex(), Run::EMPTY);
                let frame = case.frame.as_slice();
                let verdict = match short {
                    true => filter(case.hook, ifindex, frame, &memory, &mut run),
                    false => filter_by::<_, _, false>(case.hook, ifindex, frame, &memory, &mut run),
                };
                (verdict, memory)
            });
            let leaves = |(verdict, memory): &(_, Memory)| {
                let Memory {
                    counters,
                    flows,
                    embryos,
                    notes,
                    ..
                } = memory;
                format!("{verdict:?} {counters:?} {flows:?} {embryos:?} {notes:?}")
            };
            assert_eq!(leaves(&short), leaves(&long), "{}", describe(&case.frame));
            // One look-up of the port and one of the connection: so short is no other way.
            let short_way = short.1.looked_up.borrow().len() == 2;
            taken += usize::from(short_way && short.0 == Ok(Accept::Established));
        }
        played += BATCH;
    }
    println!("{played} cases, {taken} taken by the lane");
    // Else this says nothing.
    assert!(taken > played / 20, "the lane took {taken} of {played}");
}

#[test]
fn the_short_lane_of_the_kernel_leaves_what_the_long_way_of_the_host_leaves() {
    let mut world = World::new(1024);
    let (inventory, port) = lane::inventory();
    world.apply(inventory, port);
    let (slot, generation) = (world.slot(), world.generation());
    let mut dice = Dice::new(SEED + 1);
    let (mut played, mut established) = (0, 0);
    while played < cases() {
        world.forget();
        world.set_settings(&lane::settings(&mut dice));
        for _ in 0..BATCH {
            let case = Case::throw(&mut dice, slot, generation, 0);
            let what = describe(&case.frame);
            let (verdict, passed, counted) =
                world.send_the_long_way(case.hook, &case.frame, |now| (case.key, case.at(now)));
            assert_eq!(passed, verdict.is_ok(), "{what}: {verdict:?}");
            assert_eq!(counted.packets, 1, "{what}: {verdict:?}");
            assert_eq!(
                counted.bytes,
                case.frame.len() as u64,
                "{what}: {verdict:?}"
            );
            let [host, kernel] = world.assured(&case.key);
            match case.flow {
                Some(_) => assert_eq!(host, kernel, "{what}: {verdict:?}, {:?}", case.flow),
                None => assert_eq!(host.is_some(), kernel.is_some(), "{what}: {verdict:?}"),
            }
            established += usize::from(verdict == Ok(Accept::Established));
        }
        played += BATCH;
    }
    println!("{played} cases, {established} of an established connection");
    // Else this says nothing.
    assert!(established > played / 20, "{established} of {played}");
}

fn cases() -> usize {
    match env::var("LANE_CASES") {
        Ok(number) => number.parse().expect("LANE_CASES is a number"),
        Err(_) => 100_000,
    }
}
