//! Updates that must not be written in any other order, each by name.

use serde_json::{Value, json};

use super::between::check;
use super::*;
use crate::model::{Inventory, Port, parse};
use crate::plan::Way;
use crate::testing::Packet;
use sg_common::hook::Hook;

const WEB: &str = "5a000000-0000-4000-8000-000000000001";
const DB: &str = "5a000000-0000-4000-8000-000000000002";
const APP: &str = "5a000000-0000-4000-8000-000000000003";

/// A port of this host in WEB, and two more; and the rules of WEB.
fn inventory(local_groups: &[&str], ports: &[Value], rules: &[Value]) -> Inventory {
    let mut all = vec![json!({"security_groups": local_groups, "fixed_ips": ["10.0.0.1"]})];
    all.extend_from_slice(ports);
    for (number, port) in all.iter_mut().enumerate() {
        port["id"] = json!(format!("11111111-1111-4111-8111-{number:012}"));
        port["device"] = json!(format!("tap{number}"));
        port["mac_address"] = json!("fa:16:3e:00:00:05");
    }
    let mut numbered = rules.to_vec();
    for (number, rule) in numbered.iter_mut().enumerate() {
        rule["id"] = json!(format!("12000000-0000-4000-8000-{number:012}"));
        rule["direction"] = json!("ingress");
        rule["protocol"] = json!("tcp");
    }
    let document = json!({"ports": all, "security_groups": [
        {"id": WEB, "security_group_rules": numbered},
        {"id": DB}, {"id": APP},
    ]});
    let parsed = parse(document.to_string().as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    parsed.inventory
}

fn ports(low: u16, high: u16, remote: Value) -> Value {
    let mut rule = json!({"port_range_min": low, "port_range_max": high});
    rule.as_object_mut()
        .unwrap()
        .extend(remote.as_object().unwrap().clone());
    rule
}

fn from_cidr(net: &str) -> Value {
    json!({"remote_ip_prefix": net})
}

fn from_group(group: &str) -> Value {
    json!({"remote_group_id": group})
}

fn member(ip: &str, pair: Option<&str>, groups: &[&str]) -> Value {
    let pairs: Vec<_> = pair
        .iter()
        .map(|pair| json!({"ip_address": pair}))
        .collect();
    json!({"fixed_ips": [ip], "allowed_address_pairs": pairs, "security_groups": groups})
}

fn here(port: &Port) -> Option<PortKey> {
    let key = PortKey::new(1, 0);
    (port.interface.as_str() == "tap0").then_some(key)
}

/// Asks for every packet of the small world at every state on the way.
fn assert_between(one: &Inventory, other: &Inventory) -> Plan {
    let image = |inventory| compile(inventory, &here, &Limits::default()).image;
    let before = first(&image(one));
    let after = next(&before, &image(other));
    let tables: Vec<_> = states(&before.state, &after)
        .iter()
        .map(State::to_memory)
        .collect();
    let port = super::ports(&before.state).next().unwrap();
    for peer in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.1.1", "10.1.0.1"] {
        for port_number in [22, 80, 81, 443] {
            let packet = Packet {
                peer: peer.parse().unwrap(),
                protocol: 6,
                source: 40_000,
                port: port_number,
                cut_short: false,
            };
            let opening = packet.opening(Hook::ToVm);
            let verdict = |tables: &Memory| permits(tables, port, &opening);
            check(&verdict, &tables, &format!("{peer} {port_number}")).unwrap();
        }
    }
    after
}

#[test]
fn source_ports_that_have_no_room_together_are_old_or_new_on_the_way() {
    let rules = |from: u16| {
        let rules = (from..from + 64).map(|number| {
            ports(
                number,
                number,
                json!({"source_port_range_min": number, "source_port_range_max": number}),
            )
        });
        inventory(&[WEB], &[], &rules.collect::<Vec<_>>())
    };
    let image = |from| compile(&rules(from), &here, &Limits::default()).image;
    let before = first(&image(1));
    let after = next(&before, &image(33));
    assert_eq!(
        (after.way, image_of(&after.state)),
        (Way::InPlace, image(33))
    );
    let states = states(&before.state, &after);
    let tables: Vec<_> = states.iter().map(State::to_memory).collect();
    let port = super::ports(&before.state).next().unwrap();
    for number in 1..=97 {
        let packet = Packet {
            peer: "10.0.0.2".parse().unwrap(),
            protocol: 6,
            source: number,
            port: number,
            cut_short: false,
        };
        let opening = packet.opening(Hook::ToVm);
        let verdict = |tables: &Memory| permits(tables, port, &opening);
        check(&verdict, &tables, &format!("port {number}")).unwrap();
        let permitted = verdict(tables.last().unwrap());
        assert_eq!(permitted, (33..97).contains(&number), "port {number}");
    }
    assert!(after.state.ports.values().next().unwrap().generation > 1);
}

#[test]
fn a_group_gives_way_to_a_cidr_under_a_longer_one_that_goes() {
    let members = [member("10.0.0.2", Some("10.0.0.0/16"), &[DB])];
    let one = inventory(
        &[WEB],
        &members,
        &[
            ports(80, 80, from_group(DB)),
            ports(81, 81, from_cidr("10.0.0.0/24")),
        ],
    );
    let other = inventory(&[WEB], &members, &[ports(80, 80, from_cidr("10.0.0.0/8"))]);
    assert_between(&one, &other);
}

#[test]
fn a_cidr_gives_way_to_a_group_over_a_longer_cidr_that_comes() {
    let members = [member("10.0.0.2", Some("10.0.0.0/16"), &[DB])];
    let one = inventory(&[WEB], &members, &[ports(80, 81, from_cidr("10.0.0.0/8"))]);
    let other = inventory(
        &[WEB],
        &members,
        &[
            ports(80, 80, from_group(DB)),
            ports(81, 81, from_cidr("10.0.0.0/24")),
        ],
    );
    assert_between(&one, &other);
}

#[test]
fn a_member_that_joins_while_its_grant_changes_never_meets_the_old_grant() {
    let rules = |port| [ports(port, port, from_group(DB))];
    let old_members = [member("10.0.0.2", None, &[DB])];
    let new_members = [
        member("10.0.0.2", None, &[DB]),
        member("10.0.0.3", None, &[DB]),
    ];
    let one = inventory(&[WEB], &old_members, &rules(22));
    let other = inventory(&[WEB], &new_members, &rules(443));
    assert_between(&one, &other);
}

#[test]
fn a_member_that_leaves_while_its_grant_changes_never_meets_the_new_grant() {
    let rules = |port| [ports(port, port, from_group(DB))];
    let old_members = [
        member("10.0.0.2", None, &[DB]),
        member("10.0.0.3", None, &[DB]),
    ];
    let new_members = [
        member("10.0.0.2", None, &[DB]),
        member("10.0.0.3", None, &[APP]),
    ];
    let one = inventory(&[WEB], &old_members, &rules(22));
    let other = inventory(&[WEB], &new_members, &rules(443));
    assert_between(&one, &other);
}

#[test]
fn a_port_that_leaves_a_group_never_meets_the_groups_new_members() {
    let rules = [ports(22, 22, from_group(DB))];
    let one = inventory(&[WEB], &[member("10.0.0.2", None, &[DB])], &rules);
    let members = [
        member("10.0.0.2", None, &[DB]),
        member("10.0.0.3", None, &[DB]),
    ];
    let other = inventory(&[DB], &members, &rules);
    assert_between(&one, &other);
}

#[test]
fn an_address_may_move_between_groups_as_a_host_and_as_part_of_a_cidr() {
    let rules = [
        ports(22, 22, from_group(DB)),
        ports(80, 80, from_group(APP)),
    ];
    let one = inventory(&[WEB], &[member("10.0.0.2", None, &[DB, APP])], &rules);
    let members = [
        member("10.0.0.2", None, &[APP]),
        member("10.1.0.1", Some("10.0.0.0/24"), &[DB]),
    ];
    let other = inventory(&[WEB], &members, &rules);
    assert_between(&one, &other);
    assert_between(&other, &one);
}

#[test]
fn a_rule_may_move_from_a_group_to_anyone_and_back() {
    let members = [member("10.0.0.2", None, &[DB])];
    let one = inventory(&[WEB], &members, &[ports(22, 22, from_group(DB))]);
    let other = inventory(&[WEB], &members, &[ports(22, 22, json!({}))]);
    assert_between(&one, &other);
    assert_between(&other, &one);
}

#[test]
fn a_policy_that_passes_by_way_of_another_leaves_nothing_behind() {
    let one = inventory(
        &[WEB],
        &[member("10.0.0.2", None, &[DB])],
        &[ports(22, 22, from_group(DB))],
    );
    let other = inventory(
        &[WEB],
        &[member("10.0.0.3", None, &[DB])],
        &[ports(80, 80, from_group(DB))],
    );
    let plan = assert_between(&one, &other);
    let policies: Vec<_> = plan.state.rows.policies.keys().copied().collect();
    assert_eq!(policies.len(), 1);
    assert!(
        plan.state
            .ports
            .values()
            .all(|port| port.policies.contains(&policies[0]))
    );
}
