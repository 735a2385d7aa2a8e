//! What does not fit is refused, port by port, and says why.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;
use sg_common::layout::port::PortKey;

use crate::compile::{Compilation, Ids, Limits, compile};
use crate::model::{Effect, Inventory, Port, parse};
use crate::testing::{Scene, local, scenes};

fn two_ports() -> Inventory {
    let port = |number: u32| {
        json!({
            "id": format!("11111111-1111-4111-8111-{number:012}"), "fixed_ips": ["10.0.0.5"],
            "mac_address": "fa:16:3e:00:00:05", "name": format!("WEB{number}"),
            "device": format!("web{number}"),
        })
    };
    let document = json!({"ports": [port(1), port(2)], "security_groups": []});
    parse(document.to_string().as_bytes()).unwrap().inventory
}

fn here(port: &Port) -> Option<PortKey> {
    let ifindex = u32::from(port.id.0.as_bytes()[15]);
    Some(PortKey::new(ifindex, 0))
}

#[test]
fn a_port_that_does_not_fit_is_closed_and_the_others_stay() {
    let limits = Limits {
        addresses: 3,
        ..Limits::default()
    };
    let compiled = compile(&two_ports(), &here, &limits);
    assert_eq!(compiled.image.ports.len(), 1);
    assert_eq!(compiled.closed.len(), 1);
    let [fault] = &*compiled.faults else {
        panic!("one fault: {:?}", compiled.faults)
    };
    assert_eq!(fault.effect, Effect::PortClosed);
    assert_eq!(
        fault.to_string(),
        "port WEB2 (11111111-1111-4111-8111-000000000002): addresses 3 entries are too few for the \
         port: 4 are needed; the port is closed; start sgd with --max-addresses 4 or more"
    );
}

#[test]
fn every_port_needs_an_entry_of_its_own() {
    let limits = Limits {
        ports: 1,
        ..Limits::default()
    };
    let compiled = compile(&two_ports(), &here, &limits);
    assert_eq!(compiled.image.ports.len(), 1);
    assert!(compiled.faults[0].to_string().contains("--max-ports 2"));
}

#[test]
fn an_id_that_stands_for_two_things_closes_the_port() {
    let mut runner = TestRunner::deterministic();
    let crowded = |scene: &Scene| {
        let compiled = compile(&scene.one, &local, &Limits::default());
        compiled.image.rows.policies.len() > 2
    };
    let strategy = scenes(0).prop_filter("has policies", crowded);
    let inventory = strategy.new_tree(&mut runner).unwrap().current().one;
    let weak = Ids::hashing(|content| content.len() as u64 % 3 + 1);
    let ports = inventory.ports.values();
    let places = ports.filter_map(|port| Some((port.id, local(port)?)));
    let limits = Limits::default();
    let compiled = Compilation::with(weak, &inventory, &places.collect(), &limits).into_compiled();
    assert!(!compiled.closed.is_empty());
    assert!(
        compiled
            .faults
            .iter()
            .all(|fault| fault.effect == Effect::PortClosed)
    );
}
