//! The tables say what the rules say.

use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use sg_common::layout::hit::HitKey;
use sg_common::layout::policy::PREFIX_KEY_BITS;
use sg_common::layout::port::policy_index;
use sg_common::memory::{Memory, mask};
use sg_common::stage::policy;

use crate::compile::{Compilation, Compiled, Limits, Rows, Table, compile};
use crate::evaluate::{evaluate, permits};
use crate::model::Security;
use crate::testing::{local, scenes};

fn memory(rows: &Rows) -> Memory {
    let rows = rows.clone();
    Memory {
        policies: rows.policies,
        members: rows.members,
        prefixes: rows.prefixes,
        grants: rows.grants,
        port_sets: rows.port_sets,
        port_pairs: rows.port_pairs,
        ..Memory::default()
    }
}

fn compiled(inventory: &crate::model::Inventory) -> Compiled {
    let compiled = compile(inventory, &local, &Limits::default());
    assert_eq!(compiled.faults, []);
    compiled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_tables_answer_as_the_rules_do(scene in scenes(60)) {
        let inventory = scene.one;
        let ports = inventory.ports.values();
        let places = ports.filter_map(|port| Some((port.id, local(port)?)));
        let compilation = Compilation::new(&inventory, &places.collect(), &Limits::default());
        let image = compilation.image();
        let tables = memory(&image.rows);
        for port in inventory.ports.values().filter(|port| port.security == Security::Filtered) {
            let Some(key) = local(port) else { continue };
            for opening in &scene.openings {
                let index = policy_index(opening.hook.direction(), opening.family());
                let policy = image.ports[&key].policies[index];
                let rule = evaluate(&inventory, port, opening);
                let mut hit = HitKey { protocol: opening.key.protocol(), ..HitKey::NONE };
                let permitted = policy::permits(&tables, policy, opening, &mut hit);
                prop_assert_eq!(permitted, rule.is_some(), "{:?} {:?}", opening, rule);
                // Behind the row that was hit stands a rule that permits this, and it is not another's.
                let behind = compilation.behind(&inventory, port, &hit);
                let mut permit = behind.iter().filter(|rule| permits(&inventory, rule, opening));
                prop_assert!(!permitted || permit.next().is_some(), "{:?} {:?} {:?}", opening, hit, behind);
            }
        }
    }

    #[test]
    fn an_inventory_compiles_to_the_same_image_every_time(scene in scenes(0)) {
        prop_assert_eq!(compiled(&scene.one).image, compiled(&scene.one).image);
    }

    #[test]
    fn there_is_no_row_that_no_port_needs(scene in scenes(0)) {
        let compiled = compiled(&scene.one);
        let policies = compiled.image.ports.values().flat_map(|port| port.policies);
        prop_assert_eq!(&compiled.image.rows.reached_from(policies), &compiled.image.rows);
        let known: Vec<_> = compiled.policies.keys().collect();
        prop_assert_eq!(known, compiled.image.rows.policies.keys().collect::<Vec<_>>());
    }

    #[test]
    fn every_prefix_is_masked_to_its_bits(scene in scenes(0)) {
        let compiled = compiled(&scene.one);
        for (bits, key) in compiled.image.rows.prefixes.keys() {
            prop_assert_eq!(mask(&key.address, bits - PREFIX_KEY_BITS), key.address);
        }
    }

    #[test]
    fn no_table_ever_holds_more_than_it_can(scene in scenes(0), size in 0u32..12) {
        let inventory = scene.one;
        let limits = Limits {
            ports: size, addresses: size, policies: size, members: size, prefixes: size,
            grants: size, port_sets: size / 4, port_pairs: size / 2,
        };
        let compiled = compile(&inventory, &local, &limits);
        for table in Table::ALL {
            assert!(compiled.image.count(table) <= limits.of(table), "{table:?}");
        }
        let here = inventory.ports.values().filter(|port| local(port).is_some()).count();
        prop_assert_eq!(compiled.image.ports.len() + compiled.closed.len(), here);
        prop_assert_eq!(compiled.faults.len(), compiled.closed.len());
    }
}
