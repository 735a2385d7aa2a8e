//! What becomes of single objects.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sg_common::hook::Direction;
use sg_common::layout::policy::ask;
use sg_common::layout::port::{ADDRESS_KEY_BITS, ANY_MAC, PortKey, flags, kind, policy_index};
use sg_common::wire::addr::{Family, to_ip};

use crate::compile::{Compiled, Limits, PortImage, compile};
use crate::model::{Mac, Port, parse};

const WEB: &str = "5a000000-0000-4000-8000-000000000001";
const DB: &str = "5a000000-0000-4000-8000-000000000002";

fn here(port: &Port) -> Option<PortKey> {
    let number = port.interface.as_str().strip_prefix("here")?.parse().ok()?;
    Some(PortKey::new(number, 0))
}

fn port(number: u32, fields: Value) -> Value {
    let mut port = json!({
        "id": format!("11111111-1111-4111-8111-{number:012}"), "device": format!("here{number}"),
        "mac_address": "fa:16:3e:00:00:05", "fixed_ips": ["10.0.0.5"], "security_groups": [WEB],
    });
    port.as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    port
}

fn rules(rules: &[Value]) -> Value {
    let numbered = rules.iter().enumerate().map(|(number, rule)| {
        let mut rule = rule.clone();
        rule["id"] = json!(format!("12000000-0000-4000-8000-{number:012}"));
        rule["direction"] = json!("ingress");
        rule
    });
    numbered.collect()
}

fn compiled(ports: &[Value], web: &[Value]) -> Compiled {
    let document = json!({"ports": ports, "security_groups": [
        {"id": WEB, "security_group_rules": rules(web)},
        {"id": DB, "security_group_rules": [{
            "id": "12000000-0000-4000-8000-ffffffffffff", "direction": "egress",
        }]},
    ]});
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    let compiled = compile(&parsed.inventory, &here, &Limits::default());
    assert_eq!(compiled.faults, []);
    compiled
}

fn the_port(fields: Value) -> PortImage {
    compiled(&[port(1, fields)], &[])
        .image
        .ports
        .into_values()
        .next()
        .unwrap()
}

/// The rows of a port, as people would write them.
fn sources(port: &PortImage) -> BTreeSet<String> {
    let rows = port.addresses.iter().map(|((bits, key), kinds)| {
        assert_eq!(key.slot, 0);
        let family = match key.family & !ANY_MAC {
            4 => Family::V4,
            6 => Family::V6,
            _ => return format!("{} {}", Mac(key.mac.octets()), name(*kinds)),
        };
        let mac = match key.family & ANY_MAC {
            0 => Mac(key.mac.octets()).to_string(),
            _ => "*".into(),
        };
        let length = bits - ADDRESS_KEY_BITS - if family == Family::V4 { 96 } else { 0 };
        format!(
            "{mac} {}/{length} {}",
            to_ip(&key.address, family),
            name(*kinds)
        )
    });
    rows.collect()
}

fn name(kinds: u32) -> String {
    let names = [
        (kind::FIXED, "fixed"),
        (kind::PAIR, "pair"),
        (kind::ANY, "any"),
        (kind::LINK_LOCAL, "link-local"),
        (kind::MAC, "mac"),
    ];
    names
        .iter()
        .filter(|(bit, _)| kinds & bit != 0)
        .map(|(_, name)| *name)
        .collect::<Vec<_>>()
        .join("+")
}

fn set(rows: &[&str]) -> BTreeSet<String> {
    rows.iter().map(ToString::to_string).collect()
}

#[test]
fn a_port_may_send_from_its_fixed_ips_and_its_pairs_with_their_macs() {
    let port = the_port(json!({"allowed_address_pairs": [
        {"ip_address": "10.0.0.5"},
        {"ip_address": "10.1.0.0/16", "mac_address": "fa:16:3e:00:00:06"},
    ]}));
    assert_eq!(
        sources(&port),
        set(&[
            "fa:16:3e:00:00:05 10.0.0.5/32 fixed+pair",
            "fa:16:3e:00:00:06 10.1.0.0/16 pair",
            "* 10.1.0.0/16 pair",
            "fa:16:3e:00:00:05 mac",
            "fa:16:3e:00:00:06 mac",
        ])
    );
}

#[test]
fn each_ipv6_address_brings_the_link_local_address_of_its_mac() {
    let port = the_port(
        json!({"fixed_ips": ["2001:db8::5"], "allowed_address_pairs": [
            {"ip_address": "2001:db8:1::/64", "mac_address": "fa:16:3e:00:00:06"},
            {"ip_address": "10.0.0.9", "mac_address": "fa:16:3e:00:00:07"},
        ]}),
    );
    assert_eq!(
        sources(&port),
        set(&[
            "fa:16:3e:00:00:05 2001:db8::5/128 fixed",
            "fa:16:3e:00:00:05 fe80::f816:3eff:fe00:5/128 link-local",
            "fa:16:3e:00:00:06 2001:db8:1::/64 pair",
            "fa:16:3e:00:00:06 fe80::f816:3eff:fe00:6/128 link-local",
            "fa:16:3e:00:00:07 10.0.0.9/32 pair",
            "* 2001:db8:1::/64 pair",
            "* fe80::f816:3eff:fe00:6/128 link-local",
            "* 10.0.0.9/32 pair",
            "fa:16:3e:00:00:05 mac",
            "fa:16:3e:00:00:06 mac",
            "fa:16:3e:00:00:07 mac",
        ])
    );
    assert_eq!(port.flags, flags::FIXED_V6);
}

#[test]
fn a_port_without_fixed_ips_may_send_from_any_address_with_its_own_mac() {
    let port = the_port(json!({"fixed_ips": []}));
    assert_eq!(
        sources(&port),
        set(&[
            "fa:16:3e:00:00:05 0.0.0.0/0 any",
            "fa:16:3e:00:00:05 ::/0 any",
            "fa:16:3e:00:00:05 mac",
        ])
    );
}

#[test]
fn a_pair_of_all_of_ipv4_leaves_arp_unchecked() {
    let is_unchecked = |pair: &str| {
        let port = the_port(json!({"allowed_address_pairs": [{"ip_address": pair}]}));
        port.flags & flags::ARP_UNCHECKED != 0
    };
    assert!(is_unchecked("0.0.0.0/0"));
    assert!(!is_unchecked("0.0.0.0/1") && !is_unchecked("::/0"));
}

#[test]
fn a_port_without_any_address_of_a_family_is_marked() {
    let marks = |fields: Value| the_port(fields).flags & (flags::WITHOUT_V4 | flags::WITHOUT_V6);
    assert_eq!(marks(json!({})), flags::WITHOUT_V6);
    assert_eq!(
        marks(json!({"fixed_ips": ["2001:db8::5"]})),
        flags::WITHOUT_V4
    );
    let pair = json!([{"ip_address": "2001:db8::/64"}]);
    assert_eq!(marks(json!({"allowed_address_pairs": pair})), 0);
    assert_eq!(marks(json!({"fixed_ips": []})), 0, "it may send from any");
}

#[test]
fn the_parent_of_a_trunk_is_marked_filtered_or_not() {
    let trunk = json!({"sub_ports": []});
    let parent = the_port(json!({"trunk_details": trunk}));
    let marks = parent.flags & !(flags::ONLY_OWN_V4 | flags::ONLY_OWN_V6);
    assert_eq!(marks, flags::TRUNK | flags::WITHOUT_V6);
    let off = json!({"trunk_details": trunk, "port_security_enabled": false});
    assert_eq!(the_port(off).flags, flags::TRUNK | flags::UNFILTERED);
}

#[test]
fn an_unfiltered_port_has_neither_policy_nor_addresses() {
    for fields in [
        json!({"port_security_enabled": false}),
        json!({"device_owner": "network:dhcp"}),
    ] {
        let port = the_port(fields);
        assert_eq!((port.flags, port.policies), (flags::UNFILTERED, [0; 4]));
        assert!(port.addresses.is_empty());
    }
}

#[test]
fn a_direction_and_family_without_rules_has_no_policy() {
    let compiled = compiled(&[port(1, json!({}))], &[json!({"protocol": "tcp"})]);
    let policies = compiled.image.ports.values().next().unwrap().policies;
    let ingress = policies[policy_index(Direction::Ingress, Family::V4)];
    assert_eq!(
        policies
            .iter()
            .filter(|policy| **policy != 0)
            .collect::<Vec<_>>(),
        [&ingress]
    );
    let of = &compiled.policies[&ingress];
    assert_eq!(of.groups, [WEB.parse().unwrap()]);
    assert_eq!((of.direction, of.family), (Direction::Ingress, Family::V4));
}

#[test]
fn ports_with_the_same_groups_in_any_order_share_their_policies() {
    let one = port(1, json!({"security_groups": [WEB, DB]}));
    let other = port(2, json!({"security_groups": [DB, WEB]}));
    let compiled = compiled(&[one, other], &[json!({"protocol": "tcp"})]);
    let policies: BTreeSet<_> = compiled
        .image
        .ports
        .values()
        .map(|port| port.policies)
        .collect();
    assert_eq!(policies.len(), 1);
    assert_eq!(compiled.image.rows.policies.len(), 2);
}

#[test]
fn a_port_elsewhere_is_a_member_and_nothing_else() {
    let elsewhere = json!({"device": "tap0", "fixed_ips": ["10.0.0.6"], "security_groups": [DB]});
    let rules = [json!({"remote_group_id": DB})];
    let compiled = compiled(&[port(1, json!({})), port(2, elsewhere)], &rules);
    assert_eq!(compiled.image.ports.len(), 1);
    let rows = &compiled.image.rows;
    let members: Vec<_> = rows
        .members
        .keys()
        .map(|key| to_ip(&key.address, Family::V4).to_string())
        .collect();
    assert_eq!(members, ["10.0.0.6"]);
    assert_eq!(rows.policies.values().next().unwrap().ask, ask::MEMBERS);
}

#[test]
fn what_one_range_can_say_needs_no_port_set() {
    let tcp = |low, high| json!({"protocol": "tcp", "port_range_min": low, "port_range_max": high});
    let sets = |rules: &[Value]| {
        let compiled = compiled(&[port(1, json!({}))], rules);
        compiled.image.rows.port_sets.len()
    };
    assert_eq!(sets(&[tcp(80, 80), tcp(81, 90), tcp(85, 100)]), 0);
    assert_eq!(sets(&[tcp(80, 80), tcp(443, 443)]), 1);
    assert_eq!(
        sets(&[tcp(80, 80), tcp(443, 443), json!({"protocol": "tcp"})]),
        0
    );
    assert_eq!(sets(&[tcp(80, 80), tcp(443, 443), json!({})]), 0);
}

#[test]
fn a_cidr_of_length_zero_is_anyones_row() {
    let compiled = compiled(
        &[port(1, json!({}))],
        &[json!({"remote_ip_prefix": "0.0.0.0/0"})],
    );
    let rows = &compiled.image.rows;
    assert!(rows.prefixes.is_empty() && rows.grants.is_empty());
    assert_eq!(
        rows.policies.values().next().unwrap().anyone.protocols,
        [u64::MAX; 4]
    );
}

#[test]
fn policies_that_name_the_same_groups_share_one_index() {
    let one = port(1, json!({"security_groups": [WEB]}));
    let other = port(2, json!({"security_groups": [WEB, DB]}));
    let compiled = compiled(&[one, other], &[json!({"remote_group_id": WEB})]);
    let indexes: BTreeSet<_> = compiled
        .image
        .rows
        .members
        .keys()
        .map(|key| key.index)
        .collect();
    assert_eq!(indexes.len(), 1);
    assert_eq!(compiled.image.rows.grants.len(), 2);
}

/// The addresses in the port's own row, and whether these are all of IPv4 and all of IPv6.
fn own(port: &PortImage) -> (Vec<String>, bool, bool) {
    let mut own = Vec::new();
    for family in Family::ALL {
        let places = port.own.addresses[family as usize].iter();
        for (address, kinds) in places.zip(port.own.kinds[family as usize]) {
            if kinds != 0 {
                own.push(format!("{} {}", to_ip(address, family), name(kinds.into())));
            }
        }
    }
    let has = |flag| port.flags & flag != 0;
    (own, has(flags::ONLY_OWN_V4), has(flags::ONLY_OWN_V6))
}

#[test]
fn the_row_of_a_port_holds_an_address_and_the_link_local_one() {
    let port = the_port(json!({"fixed_ips": ["10.0.0.5", "2001:db8::5"]}));
    let addresses = [
        "10.0.0.5 fixed",
        "2001:db8::5 fixed",
        "fe80::f816:3eff:fe00:5 link-local",
    ];
    assert_eq!(
        own(&port),
        (addresses.map(String::from).to_vec(), true, true)
    );
}

#[test]
fn the_row_of_a_port_with_many_addresses_holds_the_first_and_says_that_there_are_more() {
    let port = the_port(json!({"fixed_ips": ["10.0.0.7", "10.0.0.5", "10.0.0.6"]}));
    let addresses = ["10.0.0.5 fixed", "10.0.0.6 fixed"];
    // Of IPv6 there are none, which is all.
    assert_eq!(
        own(&port),
        (addresses.map(String::from).to_vec(), false, true)
    );
}

#[test]
fn the_row_of_a_port_holds_no_prefix_and_no_address_of_another_mac() {
    let port = the_port(json!({"allowed_address_pairs": [
        {"ip_address": "192.0.2.0/24"},
        {"ip_address": "10.0.0.9", "mac_address": "00:00:5e:00:01:33"},
        {"ip_address": "2001:db8::9", "mac_address": "00:00:5e:00:01:33"},
    ]}));
    assert_eq!(own(&port), (vec!["10.0.0.5 fixed".into()], false, false));
}

#[test]
fn a_port_that_may_send_from_anywhere_has_nothing_in_its_row() {
    let port = the_port(json!({"fixed_ips": []}));
    assert_eq!(own(&port), (vec![], false, false));
}

/// A rule of source ports with destination ports.
fn pair(protocol: &str, source: (u16, u16), destination: (u16, u16)) -> Value {
    json!({"protocol": protocol,
        "source_port_range_min": source.0, "source_port_range_max": source.1,
        "port_range_min": destination.0, "port_range_max": destination.1})
}

/// The rows of pairs of ports, as (protocol, first source port, first destination port).
fn pairs(compiled: &Compiled) -> Vec<Vec<(u16, u16, u16)>> {
    let rows = compiled.image.rows.port_pairs.values();
    let pairs = rows.map(|row| {
        let pairs = row.pairs[..row.count as usize].iter();
        pairs.map(|pair| (pair.protocol, pair.source_low, pair.low))
    });
    pairs.map(Iterator::collect).collect()
}

#[test]
fn source_ports_become_a_row_of_pairs() {
    let rules = [
        pair("udp", (53, 53), (80, 80)),
        pair("tcp", (1, 9), (80, 80)),
        pair("tcp", (10, 20), (80, 80)),
    ];
    let compiled = compiled(&[port(1, json!({}))], &rules);
    assert_eq!(pairs(&compiled), [[(6, 1, 80), (17, 53, 80)]]);
    let (id, row) = compiled.image.rows.port_pairs.iter().next().unwrap();
    assert_eq!((row.id, row.pairs[0].source_high), (*id, 20));
    let policy = compiled.image.rows.policies.values().next().unwrap();
    assert_eq!(policy.anyone.pairs, *id);
}

#[test]
fn rows_that_permit_the_same_pairs_share_them() {
    let one = pair("udp", (53, 53), (80, 80));
    let mut other = one.clone();
    other["remote_ip_prefix"] = json!("192.0.2.0/24");
    let compiled = compiled(&[port(1, json!({}))], &[one, other]);
    assert_eq!(pairs(&compiled), [[(17, 53, 80)]]);
    let rows = &compiled.image.rows;
    let granted = rows.grants.values().next().unwrap().permits.pairs;
    assert_eq!(rows.port_pairs.keys().collect::<Vec<_>>(), [&granted]);
}

#[test]
fn what_is_permitted_from_any_port_needs_no_pairs() {
    let source = pair("tcp", (53, 53), (80, 90));
    let of = |other: Value| {
        let compiled = compiled(&[port(1, json!({}))], &[source.clone(), other]);
        pairs(&compiled).len()
    };
    let ports =
        |low, high| json!({"protocol": "tcp", "port_range_min": low, "port_range_max": high});
    assert_eq!(of(ports(80, 90)), 0);
    assert_eq!(of(ports(80, 89)), 1);
    assert_eq!(of(json!({"protocol": "tcp"})), 0);
    assert_eq!(of(json!({"protocol": "udp"})), 1);
    assert_eq!(of(json!({})), 0);
}
