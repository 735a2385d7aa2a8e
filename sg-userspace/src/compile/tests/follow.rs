//! An image that follows a change is that of a fresh start.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use crate::compile::{Compilation, Limits, Reach, Rows};
use crate::model::Touched;
use crate::testing::{places, scenes, touched};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn an_image_that_follows_a_change_is_that_of_a_fresh_start(scene in scenes(0)) {
        let (limits, one, other) = (Limits::default(), &scene.one, &scene.other);
        let mut compilation = Compilation::new(one, &places(one), &limits);
        let before = compilation.image().clone();
        for (from, to) in [(one, other), (other, one)] {
            let reach = compilation.update(to, &places(to), &Touched::between(from, to), &limits);
            let fresh = Compilation::new(to, &places(to), &limits);
            prop_assert!(reach.is_some());
            prop_assert_eq!(compilation.image(), fresh.image());
            prop_assert_eq!(&compilation.compiled().policies, &fresh.compiled().policies);
            prop_assert_eq!(&compilation.compiled().surplus, &fresh.compiled().surplus);
        }
        prop_assert_eq!(compilation.image(), &before);
    }

    #[test]
    fn what_differs_between_two_inventories_is_touched(scene in scenes(0)) {
        let found = Touched::between(&scene.one, &scene.other);
        let differs = touched(&scene.one, &scene.other);
        prop_assert_eq!((&found.ports, &found.groups), (&differs.ports, &differs.groups));
        for (id, nets) in differs.members {
            prop_assert!(found.members.get(&id).is_some_and(|found| found.is_superset(&nets)));
        }
    }

    #[test]
    fn no_row_changes_that_is_not_reached(scene in scenes(0)) {
        let (limits, one, other) = (Limits::default(), &scene.one, &scene.other);
        let mut compilation = Compilation::new(one, &places(one), &limits);
        let mut before = compilation.image().clone();
        let reach = compilation.update(other, &places(other), &touched(one, other), &limits);
        let (reach, mut after) = (reach.unwrap(), compilation.image().clone());
        for image in [&mut before, &mut after] {
            image.ports.retain(|key, _| !reach.ports.contains(key));
            retain(&mut image.rows, &reach);
        }
        prop_assert_eq!(before, after);
    }

    #[test]
    fn where_room_is_short_the_image_is_that_of_a_fresh_start_too(
        scene in scenes(0), size in 0u32..12
    ) {
        let limits = Limits {
            ports: size, addresses: 3 * size, policies: size, members: size, prefixes: size,
            grants: size, port_sets: size, port_pairs: size,
        };
        let (one, other) = (&scene.one, &scene.other);
        let mut compilation = Compilation::new(one, &places(one), &limits);
        for (from, to) in [(one, other), (other, one)] {
            compilation.update(to, &places(to), &touched(from, to), &limits);
            let fresh = Compilation::new(to, &places(to), &limits);
            prop_assert_eq!(compilation.image(), fresh.image());
            prop_assert_eq!(&compilation.compiled().closed, &fresh.compiled().closed);
        }
    }
}

fn retain(rows: &mut Rows, reach: &Reach) {
    rows.policies.retain(|key, _| !reach.policies.contains(key));
    rows.members.retain(|key, _| !reach.members.contains(key));
    rows.prefixes.retain(|key, _| !reach.prefixes.contains(key));
    rows.grants.retain(|key, _| !reach.grants.contains(key));
    rows.port_sets
        .retain(|key, _| !reach.port_sets.contains(key));
    rows.port_pairs
        .retain(|key, _| !reach.port_pairs.contains(key));
}
