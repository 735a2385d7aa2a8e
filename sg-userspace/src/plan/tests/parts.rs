//! A plan of the part that an update reaches does what a plan of everything does.

use proptest::prelude::{ProptestConfig, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::between::check_scene;
use super::*;
use crate::compile::{Compilation, Reach};
use crate::plan::plan_part;
use crate::testing::{places, scenes, touched};

/// The image of the other inventory, and how far it reaches from that of the first.
fn followed(scene: &Scene) -> (Image, Reach) {
    let (limits, one, other) = (Limits::default(), &scene.one, &scene.other);
    let mut compilation = Compilation::new(one, &places(one), &limits);
    let reach = compilation.update(other, &places(other), &touched(one, other), &limits);
    (compilation.image().clone(), reach.unwrap())
}

/// Two ports of this host, each in a group of its own, whose rules permit these TCP ports, from anywhere and
/// from as high a source port.
fn two_groups(ports: [&[u16]; 2]) -> Inventory {
    let id = |kind: u32, number: usize| format!("{number:08x}-0000-4000-8000-{kind:012x}");
    let rules = |(number, port): (usize, &u16)| {
        let rule = |of: usize, port: u16, source: Value| {
            json!({"id": id(1, number * 2 + of), "direction": "ingress", "protocol": "tcp",
                   "port_range_min": port, "port_range_max": port,
                   "source_port_range_min": source, "source_port_range_max": source})
        };
        [
            rule(0, *port, Value::Null),
            rule(1, port + 1, json!(port + 1)),
        ]
    };
    let group = |(number, ports): (usize, &&[u16])| -> Value {
        let numbered = ports
            .iter()
            .enumerate()
            .map(|(n, port)| (number * 100 + n, port));
        json!({"id": id(2, number), "security_group_rules": numbered.flat_map(rules).collect::<Vec<_>>()})
    };
    let port = |number: usize| {
        json!({"id": id(3, number), "device": format!("tap{number}"),
               "mac_address": "fa:16:3e:00:00:05", "fixed_ips": [],
               "security_groups": [id(2, number)]})
    };
    let groups: Vec<_> = ports.iter().enumerate().map(group).collect();
    let document = json!({"ports": [port(0), port(1)], "security_groups": groups});
    let parsed = crate::model::parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    parsed.inventory
}

/// The sets of ports are named after what is in them: the union that one group passes through may be what
/// another has.
#[test]
fn a_set_of_ports_that_others_have_outlives_a_policy_that_passes_through_it() {
    let all: &[u16] = &[22, 80, 443, 8080];
    let scene = Scene {
        one: two_groups([&all[..2], all]),
        other: two_groups([&all[2..], all]),
        openings: Vec::new(),
        sources: Vec::new(),
    };
    let before = first(&image(&scene.one));
    let (other, reach) = followed(&scene);
    let limits = Limits::default();
    let after = plan_part(
        &before.state,
        &other,
        &reach,
        &limits,
        before.next_generation,
    );
    let states = states(&before.state, &after.unwrap());
    assert_eq!(image_of(states.last().unwrap()), other);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_verdict_on_the_way_of_a_part_lies_between_the_old_and_the_new(scene in scenes(24)) {
        let before = first(&image(&scene.one));
        let (other, reach) = followed(&scene);
        let limits = Limits::default();
        let after = plan_part(&before.state, &other, &reach, &limits, before.next_generation);
        let after = after.unwrap();
        let states = states(&before.state, &after);
        let tables: Vec<_> = states.iter().map(State::to_memory).collect();
        prop_assert_eq!(image_of(states.last().unwrap()), other);
        let ports = ports(&before.state).chain(ports(states.last().unwrap()));
        check_scene(&scene, ports, &tables)?;
    }

    #[test]
    fn a_part_has_the_writes_and_the_generations_of_the_whole(scene in scenes(0)) {
        let before = first(&image(&scene.one));
        let (other, reach) = followed(&scene);
        let limits = Limits::default();
        let part = plan_part(&before.state, &other, &reach, &limits, before.next_generation);
        let (part, whole) = (part.unwrap(), next(&before, &other));
        prop_assert_eq!(part.next_generation, whole.next_generation);
        prop_assert_eq!(&part.changes, &whole.changes);
        prop_assert_eq!(part.newcomers, whole.newcomers);
    }

    #[test]
    fn a_part_that_has_no_room_for_old_and_new_rows_is_left_to_the_whole(
        scene in scenes(0), spare in 0u32..3
    ) {
        let (one, (other, reach)) = (image(&scene.one), followed(&scene));
        let size = |table| one.count(table).max(other.count(table)) as u32 + spare;
        let limits = Limits {
            ports: size(crate::compile::Table::Ports),
            addresses: size(crate::compile::Table::Addresses),
            policies: size(crate::compile::Table::Policies),
            members: size(crate::compile::Table::Members),
            prefixes: size(crate::compile::Table::Prefixes),
            grants: size(crate::compile::Table::Grants),
            port_sets: size(crate::compile::Table::PortSets),
            port_pairs: size(crate::compile::Table::PortPairs),
        };
        let before = plan(&State::default(), &one, &limits, 1);
        let part = plan_part(&before.state, &other, &reach, &limits, before.next_generation);
        let Some(part) = part else { return Ok(()) };
        for state in states(&before.state, &part) {
            for table in crate::compile::Table::ALL {
                prop_assert_eq!(state.count(table).saturating_sub(limits.of(table)), 0);
            }
        }
    }
}
