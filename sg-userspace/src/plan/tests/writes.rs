//! The writes lead where they should, and there are no others.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use super::*;
use crate::compile::Table;
use crate::plan::Way;
use crate::testing::scenes;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_writes_lead_to_the_image(scene in scenes(0)) {
        let (one, other) = (image(&scene.one), image(&scene.other));
        let before = first(&one);
        prop_assert_eq!(image_of(&before.state), one);
        let after = next(&before, &other);
        let states = states(&before.state, &after);
        prop_assert_eq!(states.last(), Some(&after.state));
        prop_assert_eq!(image_of(&after.state), other);
        prop_assert_eq!(after.way, Way::InPlace);
    }

    #[test]
    fn an_image_that_is_there_already_needs_no_writes(scene in scenes(0)) {
        let one = image(&scene.one);
        let before = first(&one);
        let after = next(&before, &one);
        prop_assert_eq!(after.changes, []);
        prop_assert_eq!(after.next_generation, before.next_generation);
    }

    #[test]
    fn an_update_that_was_cut_off_can_be_finished(scene in scenes(0), at in 0.0..1.0) {
        let (one, other) = (image(&scene.one), image(&scene.other));
        let before = first(&one);
        let cut_off = next(&before, &other);
        let states = states(&before.state, &cut_off);
        let found = &states[(at * states.len() as f64) as usize];
        let after = plan(found, &other, &Limits::default(), cut_off.next_generation);
        prop_assert_eq!(image_of(&after.state), other);
    }

    #[test]
    fn no_map_is_asked_to_hold_more_than_it_can(scene in scenes(0), spare in 0u32..4) {
        let (one, other) = (image(&scene.one), image(&scene.other));
        // As little as both images need, and a little more.
        let size = |table| {
            let need = one.count(table).max(other.count(table)) as u32;
            need + spare * need / 4
        };
        let limits = Limits {
            ports: size(Table::Ports),
            addresses: size(Table::Addresses),
            policies: size(Table::Policies),
            members: size(Table::Members),
            prefixes: size(Table::Prefixes),
            grants: size(Table::Grants),
            port_sets: size(Table::PortSets),
            port_pairs: size(Table::PortPairs),
        };
        let before = plan(&State::default(), &one, &limits, 1);
        let after = plan(&before.state, &other, &limits, before.next_generation);
        for state in states(&before.state, &after) {
            for table in Table::ALL {
                prop_assert!(state.count(table) <= limits.of(table), "{:?} on {:?}", table, after.way);
            }
            prop_assert!(state.ports.values().all(|port| (1..=limits.ports).contains(&port.slot)));
        }
        prop_assert_eq!(image_of(&after.state), other);
    }
}

#[test]
fn one_more_member_is_one_more_row() {
    let members = |count: u8| {
        let ports = (1..=count).map(|number| {
            serde_json::json!({
                "id": format!("00000000-0003-4000-8080-{number:012}"),
                "device": format!("tap{number}"), "mac_address": "fa:16:3e:00:00:05",
                "fixed_ips": [format!("10.0.0.{number}")],
                "security_groups": ["5a000000-0000-4000-8000-000000000001"],
            })
        });
        let document = serde_json::json!({"ports": ports.collect::<Vec<_>>(), "security_groups": [{
            "id": "5a000000-0000-4000-8000-000000000001", "security_group_rules": [{
                "id": "12000000-0000-4000-8000-000000000001", "direction": "ingress",
                "remote_group_id": "5a000000-0000-4000-8000-000000000001",
            }],
        }]});
        let parsed = crate::model::parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(parsed.faults, []);
        let here = |port: &crate::model::Port| {
            let key = PortKey::new(1, 0);
            (port.interface.as_str() == "tap1").then_some(key)
        };
        compile(&parsed.inventory, &here, &Limits::default()).image
    };
    let before = first(&members(100));
    let joined = next(&before, &members(101));
    assert_eq!(joined.changes.len(), 1, "{:?}", joined.changes);
    // One that leaves is one row less, and the port is marked and then judged again.
    let left = next(&joined, &members(100));
    assert_eq!(left.changes.len(), 3, "{:?}", left.changes);
}
