//! Fields that are not the API's, and those that are.

use serde_json::json;

use super::*;
use crate::model::Family;
use crate::model::api;
use crate::model::fields::Fields;

/// What Neutron 29.0.0 with all its extensions of ports has answered to GETs of its lists.
const ANSWERS: &str = include_str!("recorded/neutron-29.0.0/answers.json");

/// The attribute maps of neutron 29.0.0 and neutron-lib, all extensions included.
const ATTRIBUTES: &str = include_str!("recorded/neutron-29.0.0/attributes.json");

#[test]
fn all_that_the_api_answers_is_known() {
    let parsed = parse(ANSWERS.as_bytes()).unwrap();
    assert_eq!(parsed.faults, []);
    let inventory = parsed.inventory;
    assert_eq!((inventory.ports.len(), inventory.groups.len()), (2, 2));
    assert_eq!(
        (inventory.closed.len(), inventory.address_groups.len()),
        (0, 1)
    );
}

#[test]
fn all_attributes_of_neutron_are_known() {
    let attributes: Value = serde_json::from_str(ATTRIBUTES).unwrap();
    for (collection, shape) in [
        ("ports", api::PORT),
        ("security_groups", api::GROUP),
        ("security_group_rules", api::RULE),
        ("address_groups", api::ADDRESS_GROUP),
    ] {
        let names = attributes[collection].as_array().unwrap();
        assert!(names.len() > 10, "{collection}");
        let given = names
            .iter()
            .map(|name| (name.as_str().unwrap().to_owned(), json!("x")));
        let given = given.collect();
        let unknown: Vec<_> = shape.unknown(Fields(&given)).collect();
        assert_eq!(unknown, [], "{collection}");
    }
}

fn narrowed(field: &str, value: impl Into<Value>) -> Parsed {
    let tcp22 = json!({"port_range_min": 22, "port_range_max": 22, field: value.into()});
    read(&document(&[port()], &[group(&[with(rule(), tcp22)])], &[]))
}

#[test]
fn a_rule_with_a_field_that_is_not_the_apis_is_left_out_and_the_nearest_is_named() {
    for (field, value, nearest) in [
        ("remote_ip_prefx", "10.0.0.0/8", "remote_ip_prefix"),
        ("remote_security_group_id", GROUP, "remote_group_id"),
        ("remote_mode", "remote_group_id", "remote_group_id"),
        ("source_ip_prefix", "10.0.0.0/8", "remote_ip_prefix"),
        ("port_rang_min", "22", "port_range_min"),
    ] {
        let parsed = narrowed(field, value);
        assert_fault(&parsed, field, &format!("{value:?}"), Effect::RuleLeftOut);
        let advice = &the_fault(&parsed).advice;
        assert_eq!(*advice, format!("write {nearest}, or remove it"), "{field}");
        assert!(
            parsed
                .inventory
                .groups
                .values()
                .all(|group| group.rules.is_empty())
        );
    }
}

#[test]
fn an_unknown_field_that_says_nothing_is_no_fault() {
    for value in [json!(null), json!("")] {
        assert_eq!(narrowed("timeouts", value).faults, []);
    }
}

#[test]
fn a_group_with_an_unknown_field_keeps_its_members_and_loses_its_rules() {
    let group = with(group(&[rule()]), json!({"statefull": false}));
    let parsed = read(&document(&[port()], &[group], &[]));
    assert_fault(&parsed, "statefull", "false", Effect::RulesLeftOut);
    assert_eq!(the_fault(&parsed).advice, "write stateful, or remove it");
    let group = parsed.inventory.groups.values().next().unwrap();
    assert!(group.rules.is_empty() && !group.stateful);
    assert_eq!(parsed.inventory.members(group.id, Family::V4).count(), 1);
}

#[test]
fn a_port_with_an_unknown_field_is_kept_and_the_field_is_at_fault() {
    let changed = with(
        port(),
        json!({"port_security_enabld": false, "qos": "gold"}),
    );
    let parsed = read(&document(&[changed], &[group(&[rule()])], &[]));
    let faults: Vec<_> = parsed
        .faults
        .iter()
        .map(|fault| (&*fault.field, &*fault.advice, fault.effect))
        .collect();
    assert_eq!(
        faults,
        [
            (
                "port_security_enabld",
                "write port_security_enabled, or remove it",
                Effect::FieldLeftOut
            ),
            (
                "qos",
                "write qos_policy_id, or remove it",
                Effect::FieldLeftOut
            ),
        ]
    );
    assert!(!parsed.faults[0].is_warning());
    let port = parsed.inventory.ports.values().next().unwrap();
    assert_eq!(port.security, crate::model::Security::Filtered);
}

#[test]
fn a_slip_in_a_port_that_would_widen_it_closes_it() {
    for (field, slip) in [("fixed_ips", "fixed_ip"), ("mac_address", "mac_adress")] {
        let value = port()[field].clone();
        let changed = with(without(port(), field), json!({slip: value}));
        let parsed = read(&document(&[changed], &[group(&[rule()])], &[]));
        assert!(parsed.inventory.ports.is_empty());
        let effects: Vec<_> = parsed.faults.iter().map(|fault| fault.effect).collect();
        assert_eq!(effects, [Effect::FieldLeftOut, Effect::PortClosed]);
    }
}

#[test]
fn a_pair_or_a_fixed_ip_with_an_unknown_field_is_not_taken() {
    let pairs = json!([{"ip_address": "10.0.0.99", "mac_adress": "fa:16:3e:00:00:99"}]);
    let changed = with(port(), json!({"allowed_address_pairs": pairs}));
    let parsed = read(&document(&[changed], &[group(&[rule()])], &[]));
    let field = "allowed_address_pairs.mac_adress";
    assert_fault(&parsed, field, "\"fa:16:3e:00:00:99\"", Effect::PairLeftOut);
    assert_eq!(the_fault(&parsed).advice, "write mac_address, or remove it");

    let fixed = json!([{"ip_address": "10.0.0.5", "prefix": 32}]);
    let changed = with(port(), json!({"fixed_ips": fixed}));
    let parsed = read(&document(&[changed], &[group(&[rule()])], &[]));
    assert_fault(&parsed, "fixed_ips.prefix", "32", Effect::PortClosed);
}

#[test]
fn an_address_group_with_an_unknown_field_is_left_empty() {
    let office =
        json!({"id": ADDRESS_GROUP, "addresses": ["10.0.0.0/8"], "excluded": ["10.1.0.0/16"]});
    let parsed = read(&document(&[], &[], &[office]));
    assert_fault(
        &parsed,
        "excluded",
        "[\"10.1.0.0/16\"]",
        Effect::AddressesLeftOut,
    );
    let groups = &parsed.inventory.address_groups;
    assert!(groups.values().all(|group| group.addresses.is_empty()));
}

#[test]
fn a_trunk_with_an_unknown_field_has_no_such_subport() {
    let subport =
        json!({"port_id": OTHER_PORT, "segmentation_type": "vlan", "segmentation_id": 100});
    let parent = |details: Value| with(port(), json!({"trunk_details": details}));
    let entry = with(subport.clone(), json!({"vlan": 101}));
    let parsed = read(&document(
        &[parent(json!({"sub_ports": [entry]}))],
        &[group(&[])],
        &[],
    ));
    assert_fault(
        &parsed,
        "trunk_details.sub_ports.vlan",
        "101",
        Effect::SubportLeftOut,
    );

    let details = json!({"sub_ports": [subport], "mode": "native"});
    let parsed = read(&document(&[parent(details)], &[group(&[])], &[]));
    assert_fault(
        &parsed,
        "trunk_details.mode",
        "\"native\"",
        Effect::SubportsLeftOut,
    );
}

#[test]
fn a_list_that_an_inventory_does_not_have_is_named() {
    let mut document = document(&[port()], &[group(&[rule()])], &[]);
    document["networks"] = json!([]);
    assert_eq!(read(&document).faults, []);
    document["adress_groups"] = json!([]);
    let parsed = read(&document);
    assert_fault(&parsed, "adress_groups", "[]", Effect::FieldLeftOut);
    assert_eq!(
        the_fault(&parsed).to_string(),
        "inventory: adress_groups [] is not a field of the inventory; the field is left out; write \
         address_groups, or remove it"
    );
    assert_eq!(parsed.inventory.ports.len(), 1);
}
