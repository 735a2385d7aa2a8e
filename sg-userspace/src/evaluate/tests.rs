use serde_json::{Value, json};
use sg_common::hook::Hook;

use super::*;
use crate::model::{PortId, parse};
use crate::testing::Packet;

const WEB: &str = "5a000000-0000-4000-8000-000000000001";
const DB: &str = "5a000000-0000-4000-8000-000000000002";
const OFFICE: &str = "ad000000-0000-4000-8000-000000000001";
const WEB1: &str = "11111111-1111-4111-8111-111111111111";
const DB1: &str = "22222222-2222-4222-8222-222222222222";

/// A rule of group WEB; its id ends in `number`.
fn rule(number: u8, fields: Value) -> Value {
    let mut rule = json!({
        "id": format!("12000000-0000-4000-8000-0000000000{number:02}"), "direction": "ingress",
    });
    rule.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    rule
}

fn inventory(rules: &[Value]) -> Inventory {
    let pairs = json!([{"ip_address": "10.9.0.0/16"}]);
    let document = json!({
        "ports": [
            {"id": WEB1, "mac_address": "fa:16:3e:00:00:01", "fixed_ips": ["10.0.0.1"],
             "security_groups": [WEB, DB]},
            {"id": DB1, "mac_address": "fa:16:3e:00:00:02", "fixed_ips": ["10.0.0.2", "2001:db8::2"],
             "security_groups": [DB], "allowed_address_pairs": pairs},
        ],
        "security_groups": [
            {"id": WEB, "security_group_rules": rules},
            {"id": DB, "security_group_rules": [rule(99, json!({"protocol": "udp"}))]},
        ],
        "address_groups": [{"id": OFFICE, "addresses": ["192.0.2.0/24", "2001:db8:1::/64"]}],
    });
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    parsed.inventory
}

/// The number of the rule that permits an ingress packet.
fn permitted_by(inventory: &Inventory, peer: &str, protocol: u8, port: u16) -> Option<String> {
    let packet = Packet {
        peer: peer.parse().unwrap(),
        protocol,
        source: 40_000,
        port,
        cut_short: false,
    };
    let port = &inventory.ports[&WEB1.parse::<PortId>().unwrap()];
    let rule = evaluate(inventory, port, &packet.opening(Hook::ToVm))?;
    Some(rule.id.to_string()[34..].to_owned())
}

fn permits(rules: &[Value], peer: &str, protocol: u8, port: u16) -> bool {
    permitted_by(&inventory(rules), peer, protocol, port).is_some_and(|number| number != "99")
}

fn icmp(kind: u8, code: u8) -> u16 {
    u16::from_be_bytes([kind, code])
}

#[test]
fn the_first_rule_in_the_order_of_groups_and_rules_permits() {
    let inventory = inventory(&[
        rule(
            1,
            json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}),
        ),
        rule(2, json!({"protocol": "tcp"})),
    ]);
    let by = |protocol, port| permitted_by(&inventory, "198.51.100.7", protocol, port);
    assert_eq!(by(6, 80).as_deref(), Some("01"));
    assert_eq!(by(6, 22).as_deref(), Some("02"));
    assert_eq!(by(17, 22).as_deref(), Some("99"));
    assert_eq!(by(1, 0), None);
}

#[test]
fn a_rule_permits_its_ports_and_no_others() {
    let rules = [rule(
        1,
        json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 90}),
    )];
    for (protocol, port, expected) in [
        (6, 79, false),
        (6, 80, true),
        (6, 90, true),
        (6, 91, false),
        (132, 80, false),
    ] {
        assert_eq!(
            permits(&rules, "198.51.100.7", protocol, port),
            expected,
            "{protocol}/{port}"
        );
    }
}

#[test]
fn a_header_too_short_for_its_ports_fits_only_a_whole_protocol() {
    let inventory = inventory(&[rule(
        1,
        json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 80}),
    )]);
    let port = &inventory.ports[&WEB1.parse::<PortId>().unwrap()];
    let ask = |protocol| {
        let peer = "198.51.100.7".parse().unwrap();
        let packet = Packet {
            peer,
            protocol,
            source: 40_000,
            port: 80,
            cut_short: true,
        };
        evaluate(&inventory, port, &packet.opening(Hook::ToVm)).is_some()
    };
    assert!(!ask(6));
    assert!(ask(17));
}

#[test]
fn an_icmp_rule_permits_its_type_and_code_in_its_family() {
    let rules = [
        rule(1, json!({"protocol": "icmp", "port_range_min": 8})),
        rule(
            2,
            json!({"protocol": "icmp", "port_range_min": 3, "port_range_max": 4}),
        ),
        rule(
            3,
            json!({"protocol": "icmp", "port_range_min": 128, "ethertype": "IPv6"}),
        ),
    ];
    for (peer, protocol, port, expected) in [
        ("198.51.100.7", 1, icmp(8, 0), true),
        ("198.51.100.7", 1, icmp(8, 9), true),
        ("198.51.100.7", 1, icmp(3, 4), true),
        ("198.51.100.7", 1, icmp(3, 1), false),
        ("198.51.100.7", 58, icmp(8, 0), false),
        ("2001:db8::7", 58, icmp(128, 0), true),
        ("2001:db8::7", 1, icmp(128, 0), false),
        ("2001:db8::7", 58, icmp(8, 0), false),
    ] {
        assert_eq!(
            permits(&rules, peer, protocol, port),
            expected,
            "{peer} {protocol} {port:x}"
        );
    }
}

#[test]
fn a_rule_is_for_its_family_and_direction() {
    let rules = [
        rule(1, json!({"ethertype": "IPv6"})),
        rule(2, json!({"direction": "egress"})),
    ];
    assert!(permits(&rules, "2001:db8::7", 6, 80));
    assert!(!permits(&rules, "198.51.100.7", 6, 80));
}

#[test]
fn a_cidr_holds_its_first_and_last_address() {
    let rules = [rule(1, json!({"remote_ip_prefix": "192.0.2.64/26"}))];
    for (peer, expected) in [
        ("192.0.2.63", false),
        ("192.0.2.64", true),
        ("192.0.2.127", true),
        ("192.0.2.128", false),
    ] {
        assert_eq!(permits(&rules, peer, 6, 80), expected, "{peer}");
    }
}

#[test]
fn a_cidr_of_length_zero_is_anyone_of_its_family() {
    let rules = [rule(1, json!({"remote_ip_prefix": "0.0.0.0/0"}))];
    assert!(permits(&rules, "198.51.100.7", 6, 80));
    assert!(!permits(&rules, "2001:db8::7", 6, 80));
}

#[test]
fn a_remote_group_is_the_addresses_and_pairs_of_all_its_ports() {
    let rules = [rule(1, json!({"remote_group_id": DB}))];
    for (peer, expected) in [
        ("10.0.0.2", true),
        ("10.9.255.255", true),
        ("10.0.0.1", true),
        ("10.0.0.3", false),
        ("2001:db8::2", false),
    ] {
        assert_eq!(permits(&rules, peer, 6, 80), expected, "{peer}");
    }
}

#[test]
fn a_remote_address_group_is_its_addresses_of_the_rules_family() {
    let rules = [rule(1, json!({"remote_address_group_id": OFFICE}))];
    assert!(permits(&rules, "192.0.2.9", 6, 80));
    assert!(!permits(&rules, "192.0.3.9", 6, 80));
    assert!(!permits(&rules, "2001:db8:1::9", 6, 80));
}

#[test]
fn a_rule_with_source_ports_asks_for_the_port_of_the_sender() {
    let inventory = inventory(&[rule(
        1,
        json!({"protocol": "tcp", "port_range_min": 80, "port_range_max": 90,
            "source_port_range_min": 53, "source_port_range_max": 54}),
    )]);
    let web = &inventory.ports[&WEB1.parse::<PortId>().unwrap()];
    let ask = |protocol, source, port, cut_short| {
        let peer = "198.51.100.7".parse().unwrap();
        let packet = Packet {
            peer,
            protocol,
            source,
            port,
            cut_short,
        };
        evaluate(&inventory, web, &packet.opening(Hook::ToVm)).is_some()
    };
    assert!(ask(6, 53, 80, false) && ask(6, 54, 90, false));
    assert!(!ask(6, 52, 80, false) && !ask(6, 55, 80, false));
    assert!(!ask(6, 53, 79, false) && !ask(6, 53, 91, false));
    assert!(!ask(6, 80, 53, false), "not the other way round");
    assert!(!ask(132, 53, 80, false) && !ask(6, 53, 80, true));
}
