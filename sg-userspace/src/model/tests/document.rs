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
fn two_documents_one_after_the_other_are_refused_whole() {
    let one = r#"{"ports": [], "security_groups": []}"#;
    for text in [
        format!("{one}{one}"),
        format!("{one}\n{one}\n"),
        format!("{one} []"),
    ] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::Several), "{text}: {error}");
    }
}

#[test]
fn a_byte_order_mark_is_named() {
    for mark in [&b"\xef\xbb\xbf"[..], b"\xff\xfe", b"\xfe\xff"] {
        let text = [mark, br#"{"ports": [], "security_groups": []}"#].concat();
        let error = parse(&text).unwrap_err();
        assert!(matches!(error, Malformed::ByteOrderMark), "{error}");
        assert!(error.to_string().contains("byte order mark"), "{error}");
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused_with_its_line() {
    let error = malformed(
        r#"{"ports": [], "security_groups": [{"security_group_rules": [
            {"direction": "ingress", "remote_ip_prefix": "10.0.0.0/8",
             "remote_ip_prefix": null}]}]}"#,
    );
    for part in ["twice", "\"remote_ip_prefix\"", "line 3"] {
        assert!(error.contains(part), "{error}");
    }
    // In two objects it is there once each.
    let good = document(
        &[port()],
        &[group(&[rule(), with(rule(), json!({"id": null}))])],
        &[],
    );
    assert_eq!(read(&good).faults, []);
}

#[test]
fn a_page_of_a_list_is_not_taken_for_the_whole() {
    for rel in ["next", "previous"] {
        let mut document = document(&[port()], &[group(&[rule()])], &[]);
        document["ports_links"] =
            json!([{"rel": rel, "href": "http://neutron/v2.0/ports?limit=1"}]);
        let error = parse(document.to_string().as_bytes()).unwrap_err();
        assert!(matches!(error, Malformed::Page(_)), "{error}");
        assert!(error.to_string().contains("ports_links"), "{error}");
    }
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
