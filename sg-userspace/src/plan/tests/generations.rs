//! Connections that might not pass any more are judged again, after the last write.

use std::collections::BTreeSet;

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::compile::Table;
use crate::testing::scenes;

/// The generations of ports that are in both states, on whatever interface.
fn generations(old: &State, new: &State) -> Vec<(Port, Port)> {
    let same = |port: &Port| {
        new.ports
            .values()
            .find(|after| after.uuid == port.uuid)
            .copied()
    };
    old.ports
        .values()
        .filter_map(|port| Some((*port, same(port)?)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn what_was_accepted_and_no_longer_is_has_a_new_generation(scene in scenes(40)) {
        let (before, after) = plans(&scene);
        let (old, new) = (before.state.to_memory(), after.state.to_memory());
        for (port, next) in generations(&before.state, &after.state) {
            let (was, is) = ((port.key, port.uuid), (next.key, next.uuid));
            let refused = scene.openings.iter().any(|o| permits(&old, was, o) && !permits(&new, is, o))
                || scene.sources.iter().any(|s| may_send(&old, was, s) && !may_send(&new, is, s));
            prop_assert!(!refused || port.generation != next.generation);
        }
    }

    #[test]
    fn a_crash_in_the_middle_does_not_forget_to_judge_again(scene in scenes(40), at in 0.0..1.0) {
        let (before, cut_off) = plans(&scene);
        let states = states(&before.state, &cut_off);
        let found = &states[(at * states.len() as f64) as usize];
        let after = plan(found, &image(&scene.other), &Limits::default(), cut_off.next_generation);
        let (old, new) = (before.state.to_memory(), after.state.to_memory());
        for (port, next) in generations(&before.state, &after.state) {
            let (was, is) = ((port.key, port.uuid), (next.key, next.uuid));
            let refused = scene.openings.iter().any(|o| permits(&old, was, o) && !permits(&new, is, o));
            prop_assert!(!refused || port.generation != next.generation);
        }
    }

    #[test]
    fn a_new_generation_is_the_last_thing_that_is_written(scene in scenes(0)) {
        let (before, after) = plans(&scene);
        let states = states(&before.state, &after);
        let fresh = |state: &State| {
            let mut ports = state.ports.values();
            ports.any(|port| port.generation >= before.next_generation)
        };
        let first_fresh = states.iter().position(fresh).unwrap_or(states.len());
        for change in after.changes.iter().skip(first_fresh) {
            prop_assert_eq!(change.table(), Table::Ports);
        }
    }

    #[test]
    fn a_generation_is_never_given_out_twice(scene in scenes(0)) {
        let (before, after) = plans(&scene);
        let old: BTreeSet<_> = before.state.ports.values().map(|port| port.generation).collect();
        let new: BTreeSet<_> = after.state.ports.values().map(|port| port.generation).collect();
        prop_assert_eq!(new.len(), after.state.ports.len());
        for generation in new.difference(&old) {
            prop_assert!((before.next_generation..after.next_generation).contains(generation));
        }
    }

    #[test]
    fn a_port_keeps_its_slot_and_a_port_untouched_its_generation(scene in scenes(0)) {
        let (before, after) = plans(&scene);
        for (port, next) in generations(&before.state, &after.state) {
            prop_assert_eq!(port.slot, next.slot);
        }
        let same = next(&after, &image(&scene.other));
        prop_assert_eq!(same.state, after.state);
    }
}
