//! The short lane says, counts and remembers what the stages behind it would, on the host and in the kernel.
//! `LANE_CASES=1000000 cargo xtask test -- short_lane` plays more.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::env;
use std::rc::Rc;

use sg_common::filter::{filter, filter_by};
use sg_common::guard::guard;
use sg_common::hook::Hook;
use sg_common::memory::Memory;
use sg_common::reason::Accept;
use sg_common::scratch::Run;
use sg_tests::lane::{self, Case, Dice};
use sg_tests::packet::describe;
use sg_tests::verdict::World;
use sg_userspace::agent::Mode;

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
    compare(&mut world, SEED + 1, cases());
}

#[test]
fn the_programs_at_xdp_leave_what_the_long_way_of_the_host_leaves() {
    let mut world = World::new(1024);
    let (inventory, port) = lane::silent_inventory();
    world.apply(inventory, port);
    for (mode, seed) in [(Mode::Xdp, SEED + 2), (Mode::Guard, SEED + 3)] {
        world.move_to(mode);
        for floods in [false, true] {
            world.set_flood(floods);
            compare(&mut world, seed, cases() / 4);
        }
    }
}

/// Plays cases through the kernel's programs, and the long way on the host.
fn compare(world: &mut World, seed: u64, cases: usize) {
    let (slot, generation) = (world.slot(), world.generation());
    let mut dice = Dice::new(seed);
    let (mut played, mut established) = (0, 0);
    while played < cases {
        world.forget();
        world.set_settings(&lane::settings(&mut dice));
        for _ in 0..BATCH {
            let case = Case::throw(&mut dice, slot, generation, 0);
            let what = describe(&case.frame);
            let (verdict, length, passed, counted) =
                world.send_the_long_way(case.hook, &case.frame, |now| (case.key, case.at(now)));
            assert_eq!(passed, verdict.is_ok(), "{what}: {verdict:?}");
            assert_eq!(counted.packets, 1, "{what}: {verdict:?}");
            assert_eq!(counted.bytes, u64::from(length), "{what}: {verdict:?}");
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

#[test]
fn what_the_guard_refuses_the_filter_refuses_for_the_same_reason_and_it_leaves_nothing_else() {
    let mut world = World::new(1024);
    let (inventory, port) = lane::silent_inventory();
    world.apply(inventory, port);
    let (slot, generation) = (world.slot(), world.generation());
    let mut dice = Dice::new(SEED + 4);
    let mut refused = BTreeMap::<_, usize>::new();
    for number in 0..cases() {
        let memory = Memory {
            settings: lane::settings(&mut dice),
            ..world.memory().clone()
        };
        memory.floods.set(number % 2 == 0);
        let case = Case::throw(&mut dice, slot, generation, memory.clock.get());
        if case.hook != Hook::FromVm {
            continue;
        }
        if let Some(flow) = case.flow {
            let flow = Rc::new(Cell::new(flow));
            memory.flows.borrow_mut().insert(case.key, flow);
        }
        let (untouched, ifindex) = (memory.clone(), world.ifindex());
        let frame = case.frame.as_slice();
        let guarded = guard(ifindex, frame, &memory, &mut Run::EMPTY.clone());
        let what = describe(frame);
        let stored = |memory: &Memory| {
            let Memory {
                flows,
                embryos,
                fragments,
                ..
            } = memory;
            format!("{flows:?} {embryos:?} {fragments:?}")
        };
        assert_eq!(stored(&memory), stored(&untouched), "{what}");
        let counters = memory.counters.borrow().clone();
        let Err(reason) = guarded else {
            assert_eq!(counters, *untouched.counters.borrow(), "{what}");
            continue;
        };
        let run = &mut Run::EMPTY.clone();
        let verdict = filter(case.hook, ifindex, frame, &untouched, run);
        assert_eq!(verdict, Err(reason), "{what}");
        assert_eq!(counters, *untouched.counters.borrow(), "{what}");
        *refused.entry(reason.as_str()).or_default() += 1;
    }
    println!("refused: {refused:?}");
    // Else this says nothing.
    assert!(refused.contains_key("no_rule"), "{refused:?}");
}

fn cases() -> usize {
    match env::var("LANE_CASES") {
        Ok(number) => number.parse().expect("LANE_CASES is a number"),
        Err(_) => 100_000,
    }
}
