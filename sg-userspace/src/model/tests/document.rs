use serde_json::json;

use super::*;
use crate::model::{Inventory, Malformed};

fn malformed(text: &str) -> String {
    parse(text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_document_that_is_not_json_is_refused_whole() {
    for text in [
        "",
        "{",
        "ports: []",
        r#"{"ports": [], "security_groups": []} trailing"#,
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::Json(_)), "{text}: {error}");
    }
}

#[test]
fn a_document_of_another_shape_is_refused_whole() {
    for (text, says) in [
        ("[]", "not an object"),
        ("3", "not an object"),
        ("{}", "ports is missing"),
        (r#"{"ports": []}"#, "security_groups is missing"),
        (
            r#"{"ports": {}, "security_groups": []}"#,
            "ports is not a list",
        ),
        (
            r#"{"ports": [], "security_groups": null}"#,
            "security_groups is not a list",
        ),
        (
            r#"{"ports": [], "security_groups": [], "address_groups": 1}"#,
            "address_groups is not a list",
        ),
    ] {
        let error = malformed(text);
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn an_empty_inventory_is_an_inventory() {
    let parsed = read(&json!({"ports": [], "security_groups": []}));
    assert_eq!(
        parsed,
        Parsed {
            inventory: Inventory::default(),
            faults: vec![]
        }
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let port = with(
        port(),
        json!({"binding:vif_type": "ovs", "revision_number": 3}),
    );
    let mut document = document(&[port], &[group(&[rule()])], &[]);
    document["networks"] = json!([]);
    assert_eq!(read(&document).faults, []);
}

#[test]
fn an_object_that_is_not_an_object_is_left_out_alone() {
    let parsed = read(&document(&[json!(3), port()], &[group(&[rule()])], &[]));
    assert_fault(&parsed, "ports", "3", Effect::PortClosed);
    assert_eq!(parsed.inventory.ports.len(), 1);

    let parsed = read(&document(&[port()], &[json!("x"), group(&[rule()])], &[]));
    assert_fault(&parsed, "security_groups", "\"x\"", Effect::GroupLeftOut);

    let parsed = read(&document(&[port()], &[group(&[json!([]), rule()])], &[]));
    assert_fault(&parsed, "security_group_rules", "[]", Effect::RuleLeftOut);

    let parsed = read(&document(&[port()], &[group(&[rule()])], &[json!(true)]));
    assert_fault(
        &parsed,
        "address_groups",
        "true",
        Effect::AddressGroupLeftOut,
    );
}

#[test]
fn a_fault_is_one_sentence_that_says_where_what_and_what_to_do() {
    let port = with(port(), json!({"mac_address": "fa:16"}));
    let parsed = read(&document(&[port], &[group(&[])], &[]));
    assert_eq!(
        the_fault(&parsed).to_string(),
        "port WEB1 (11111111-1111-4111-8111-111111111111): mac_address \"fa:16\" is not a MAC \
         address; the port is closed; write the six octets of one station, e.g. fa:16:3e:00:00:05"
    );
}

#[test]
fn a_long_value_is_shown_shortened() {
    let port = with(port(), json!({"mac_address": "x".repeat(1000)}));
    let parsed = read(&document(&[port], &[group(&[])], &[]));
    assert_eq!(the_fault(&parsed).value.chars().count(), 81);
}

#[test]
fn a_fault_survives_its_way_to_the_client() {
    let port = without(port(), "mac_address");
    let parsed = read(&document(&[port], &[group(&[])], &[]));
    let fault = the_fault(&parsed);
    let sent = serde_json::to_string(fault).unwrap();
    assert_eq!(&serde_json::from_str::<Fault>(&sent).unwrap(), fault);
}
