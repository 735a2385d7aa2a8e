//! On the way every verdict lies between old-and-new and old-or-new.

use proptest::prelude::{ProptestConfig, TestCaseError, prop_assert, proptest};

use super::*;
use crate::testing::scenes;

/// What both permit is permitted and what neither permits is not, at every state on the way.
pub(super) fn check(
    verdict: &dyn Fn(&Memory) -> bool,
    tables: &[Memory],
    what: &str,
) -> Result<(), TestCaseError> {
    let (old, new) = (verdict(&tables[0]), verdict(&tables[tables.len() - 1]));
    let astray = tables.iter().position(|tables| verdict(tables) != old);
    if let (true, Some(step)) = (old == new, astray) {
        return Err(TestCaseError::fail(format!(
            "{what} not {old} after {step} writes"
        )));
    }
    Ok(())
}

/// What [`check`] says of every packet and every source of a scene, for every port.
pub(super) fn check_scene(
    scene: &Scene,
    ports: impl Iterator<Item = (PortKey, [u8; 16])>,
    tables: &[Memory],
) -> Result<(), TestCaseError> {
    for port in ports {
        for opening in &scene.openings {
            let verdict = |tables: &Memory| permits(tables, port, opening);
            check(&verdict, tables, &format!("{port:?} {opening:?}"))?;
        }
        for source in &scene.sources {
            let verdict = |tables: &Memory| may_send(tables, port, source);
            check(&verdict, tables, &format!("{port:?} {source:?}"))?;
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn every_verdict_on_the_way_lies_between_the_old_and_the_new(scene in scenes(24)) {
        let (before, after) = plans(&scene);
        let tables: Vec<_> =
            states(&before.state, &after).iter().map(State::to_memory).collect();
        let ports = ports(&before.state).chain(ports(&after.state));
        check_scene(&scene, ports, &tables)?;
    }

    #[test]
    fn no_port_is_ever_another_ports_slot(scene in scenes(0)) {
        let (before, after) = plans(&scene);
        for state in states(&before.state, &after) {
            let owners: std::collections::BTreeSet<_> =
                state.ports.values().map(|port| (port.slot, port.uuid)).collect();
            let slots: std::collections::BTreeSet<_> = owners.iter().map(|(slot, _)| slot).collect();
            prop_assert!(slots.len() == owners.len() && !slots.contains(&0));
        }
    }
}
