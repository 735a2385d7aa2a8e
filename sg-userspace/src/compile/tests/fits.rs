//! What does not fit is refused, port by port, and says why.

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde_json::json;
use sg_common::layout::port::PortKey;

use crate::compile::{Compilation, Ids, Limits, compile};
use crate::model::{Effect, Inventory, Port, parse};
use crate::testing::{Scene, local, scenes, touched};

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

/// A port in a group of rules of so many source ports, none of which can be joined; rule 0 is for all.
fn source_ports(count: u16) -> Inventory {
    let rules = (1..=count).map(|number| {
        json!({
            "id": format!("12000000-0000-4000-8000-{number:012}"), "direction": "ingress",
            "protocol": "udp", "port_range_min": number, "port_range_max": number,
            "source_port_range_min": number, "source_port_range_max": number,
        })
    });
    let whole = json!({
        "id": "12000000-0000-4000-8000-000000000000", "direction": "ingress", "protocol": "tcp",
    });
    let group = "5a000000-0000-4000-8000-000000000001";
    let document = json!({
        "ports": [{
            "id": "11111111-1111-4111-8111-000000000001", "fixed_ips": ["10.0.0.5"],
            "mac_address": "fa:16:3e:00:00:05", "security_groups": [group],
        }],
        "security_groups": [{"id": group, "name": "DNS",
            "security_group_rules": rules.chain([whole]).collect::<Vec<_>>()}],
    });
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    parsed.inventory
}

#[test]
fn source_ports_without_room_are_left_out_by_rule_and_the_others_stay() {
    let compiled = compile(&source_ports(64), &here, &Limits::default());
    assert_eq!(compiled.left_out(), []);
    let compiled = compile(&source_ports(66), &here, &Limits::default());
    let left_out = compiled.left_out();
    assert_eq!((left_out.len(), compiled.closed.len()), (2, 0));
    assert_eq!(left_out[0].effect, Effect::RuleLeftOut);
    assert_eq!(
        left_out[0].to_string(),
        "security group rule 12000000-0000-4000-8000-000000000065 of security group DNS \
         (5a000000-0000-4000-8000-000000000001): source_port_range_min 65 is of one range of source \
         ports too many: a peer has room for 64 of them with their destination ports, of all the rules \
         of its port's groups; the rule is left out; join ranges of source ports, or name destination \
         ports alone"
    );
    let rows = compiled.image.rows.port_pairs.values();
    let counts: Vec<_> = rows.map(|row| (row.count, row.pairs[63].low)).collect();
    assert_eq!(counts, [(64, 64)]);
}

#[test]
fn source_ports_have_room_again_when_others_go() {
    let (more, fewer) = (source_ports(66), source_ports(64));
    let limits = Limits::default();
    let places = |inventory: &Inventory| {
        let ports = inventory.ports.values();
        ports
            .filter_map(|port| Some((port.id, here(port)?)))
            .collect()
    };
    let mut compilation = Compilation::new(&more, &places(&more), &limits);
    compilation.update(&fewer, &places(&fewer), &touched(&more, &fewer), &limits);
    assert_eq!(compilation.compiled().left_out(), []);
    compilation.update(&more, &places(&more), &touched(&fewer, &more), &limits);
    assert_eq!(compilation.compiled().left_out().len(), 2);
}
