use serde_json::json;

use super::*;
use crate::model::Family;

fn stateful(document: &Value) -> bool {
    let inventory = read(document).inventory;
    inventory.is_stateful(inventory.ports.values().next().unwrap())
}

fn other_group(stateful: bool) -> Value {
    let rules = [with(rule(), json!({"id": OTHER_RULE}))];
    with(
        group(&rules),
        json!({"id": OTHER_GROUP, "stateful": stateful}),
    )
}

#[test]
fn the_first_group_alone_decides_whether_a_port_is_stateful() {
    let stateless = with(group(&[rule()]), json!({"stateful": false}));
    let groups = [stateless, other_group(true)];
    for (order, expected) in [
        (json!([GROUP, OTHER_GROUP]), false),
        (json!([OTHER_GROUP, GROUP]), true),
        (json!([]), true),
    ] {
        let port = with(port(), json!({"security_groups": order}));
        assert_eq!(
            stateful(&document(&[port], &groups, &[])),
            expected,
            "{order}"
        );
    }
}

#[test]
fn a_first_group_without_rules_makes_the_port_stateful() {
    let empty = with(group(&[]), json!({"stateful": false}));
    assert!(stateful(&document(&[port()], &[empty], &[])));
}

#[test]
fn a_group_whose_rules_are_all_bad_does_not_become_stateful() {
    let bad = with(rule(), json!({"protocol": "x"}));
    let group = with(group(&[bad]), json!({"stateful": false}));
    assert!(!stateful(&document(&[port()], &[group], &[])));
}

#[test]
fn ports_of_the_network_are_stateful_whatever_their_groups() {
    let stateless = with(group(&[rule()]), json!({"stateful": false}));
    for owner in ["network:dhcp", "neutron:x"] {
        let port = with(port(), json!({"device_owner": owner}));
        assert!(stateful(&document(
            &[port],
            std::slice::from_ref(&stateless),
            &[]
        )));
    }
}

#[test]
fn a_group_with_a_bad_field_keeps_its_members_and_loses_its_rules() {
    for (field, value) in [
        ("stateful", json!("yes")),
        ("security_group_rules", json!({})),
    ] {
        let shown = value.to_string();
        let group = with(group(&[rule()]), json!({field: value}));
        let parsed = read(&document(&[port()], &[group], &[]));
        assert_fault(&parsed, field, &shown, Effect::RulesLeftOut);
        let group = parsed.inventory.groups.values().next().unwrap();
        assert!(group.rules.is_empty() && !group.stateful);
        assert_eq!(parsed.inventory.members(group.id, Family::V4).count(), 1);
    }
}

#[test]
fn a_group_without_a_usable_id_is_left_out() {
    let group = with(group(&[rule()]), json!({"id": "web"}));
    let parsed = read(&document(&[], &[group], &[]));
    assert_fault(&parsed, "id", "\"web\"", Effect::GroupLeftOut);
}

#[test]
fn two_groups_of_one_id_are_left_without_rules() {
    let twin = with(
        group(&[with(rule(), json!({"id": OTHER_RULE}))]),
        json!({"name": "TWIN"}),
    );
    let parsed = read(&document(&[port()], &[group(&[rule()]), twin], &[]));
    assert_fault(&parsed, "id", GROUP, Effect::RulesLeftOut);
    assert!(
        parsed
            .inventory
            .groups
            .values()
            .all(|group| group.rules.is_empty())
    );
}

#[test]
fn two_rules_of_one_id_are_both_left_out() {
    let other = with(group(&[rule()]), json!({"id": OTHER_GROUP}));
    let parsed = read(&document(&[], &[group(&[rule()]), other], &[]));
    assert_eq!(parsed.faults.len(), 2);
    assert!(
        parsed
            .faults
            .iter()
            .all(|f| f.field == "id" && f.effect == Effect::RuleLeftOut)
    );
    assert!(
        parsed
            .inventory
            .groups
            .values()
            .all(|group| group.rules.is_empty())
    );
}

#[test]
fn the_members_of_a_group_are_the_addresses_of_every_port_that_has_it() {
    let pairs = json!([{"ip_address": "10.1.0.0/16"}, {"ip_address": "2001:db8::/64"}]);
    let one = with(port(), json!({"allowed_address_pairs": pairs}));
    let elsewhere = with(
        port(),
        json!({"id": OTHER_PORT, "fixed_ips": ["10.0.0.6"], "status": "DOWN", "port_security_enabled": false}),
    );
    let closed = with(
        port(),
        json!({"id": MISSING, "fixed_ips": ["10.0.0.7", "?"]}),
    );
    let inventory = read(&document(&[one, elsewhere, closed], &[group(&[])], &[])).inventory;
    let members = |family| {
        let nets = inventory.members(GROUP.parse().unwrap(), family);
        nets.map(|net| net.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(
        members(Family::V4),
        ["10.0.0.5/32", "10.1.0.0/16", "10.0.0.6/32"]
    );
    assert_eq!(members(Family::V6), ["2001:db8::/64"]);
}

fn address_group(addresses: Value) -> Value {
    json!({"id": ADDRESS_GROUP, "name": "OFFICE", "addresses": addresses})
}

#[test]
fn an_address_group_holds_cidrs_and_single_addresses_of_both_families() {
    let group = address_group(json!(["10.1.2.3/16", "10.0.0.9", "2001:db8::1/64"]));
    let parsed = read(&document(&[], &[], &[group]));
    assert_eq!(parsed.faults, []);
    let group = parsed
        .inventory
        .address_groups
        .into_values()
        .next()
        .unwrap();
    let text: Vec<_> = group.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["10.1.0.0/16", "10.0.0.9/32", "2001:db8::/64"]);
}

#[test]
fn a_bad_address_is_left_out_and_the_good_ones_stay() {
    for (address, shown) in [(json!("10.0.0.0/40"), "\"10.0.0.0/40\""), (json!(5), "5")] {
        let group = address_group(json!([address, "10.0.0.9"]));
        let parsed = read(&document(&[], &[], &[group]));
        assert_fault(&parsed, "addresses", shown, Effect::AddressLeftOut);
        assert_eq!(
            parsed
                .inventory
                .address_groups
                .values()
                .next()
                .unwrap()
                .addresses
                .len(),
            1
        );
    }
}

#[test]
fn an_address_group_that_cannot_be_read_is_empty_or_left_out() {
    let parsed = read(&document(&[], &[], &[address_group(json!("10.0.0.9"))]));
    assert_fault(
        &parsed,
        "addresses",
        "\"10.0.0.9\"",
        Effect::AddressesLeftOut,
    );

    let group = with(address_group(json!([])), json!({"id": 1}));
    let parsed = read(&document(&[], &[], &[group]));
    assert_fault(&parsed, "id", "1", Effect::AddressGroupLeftOut);

    let twin = address_group(json!(["10.0.0.9"]));
    let parsed = read(&document(&[], &[], &[twin.clone(), twin]));
    assert_fault(&parsed, "id", ADDRESS_GROUP, Effect::AddressesLeftOut);
    assert!(
        parsed
            .inventory
            .address_groups
            .values()
            .all(|group| group.addresses.is_empty())
    );
}

#[test]
fn a_rule_without_an_id_has_the_same_one_wherever_it_stands_and_of_two_that_say_the_same_each_has_one()
 {
    let unnamed = |port: u16| json!({"direction": "ingress", "protocol": "tcp", "port_range_min": port, "port_range_max": port});
    let ids = |rules: &[Value]| -> Vec<_> {
        let inventory = read(&document(&[port()], &[group(rules)], &[])).inventory;
        let group = inventory.groups.values().next().unwrap();
        group.rules.iter().map(|rule| rule.id).collect()
    };
    let both = ids(&[unnamed(80), unnamed(443)]);
    assert_ne!(both[0], both[1]);
    assert_eq!(
        ids(&[unnamed(443)]),
        [both[1]],
        "another one before it has gone"
    );
    let twice = ids(&[unnamed(80), unnamed(80)]);
    assert_ne!(twice[0], twice[1]);
}
