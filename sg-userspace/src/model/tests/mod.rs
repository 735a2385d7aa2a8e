//! Documents as people write them, and what becomes of each.

mod addresses;
mod clients;
mod document;
mod fields;
mod groups;
mod ports;
mod rules;
mod trunks;

use serde_json::{Value, json};

use super::{Effect, Fault, Parsed, parse};

const PORT: &str = "11111111-1111-4111-8111-111111111111";
const OTHER_PORT: &str = "22222222-2222-4222-8222-222222222222";
const GROUP: &str = "5a000000-0000-4000-8000-000000000001";
const OTHER_GROUP: &str = "5a000000-0000-4000-8000-000000000002";
const ADDRESS_GROUP: &str = "ad000000-0000-4000-8000-000000000001";
const RULE: &str = "12000000-0000-4000-8000-000000000001";
const OTHER_RULE: &str = "12000000-0000-4000-8000-000000000002";
const MISSING: &str = "dead0000-0000-4000-8000-000000000000";

fn read(document: &Value) -> Parsed {
    parse(document.to_string().as_bytes()).unwrap()
}

fn document(ports: &[Value], groups: &[Value], address_groups: &[Value]) -> Value {
    json!({"ports": ports, "security_groups": groups, "address_groups": address_groups})
}

/// The object with some fields replaced or added.
fn with(mut object: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("changes are an object")
    };
    object.as_object_mut().unwrap().extend(changes);
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().unwrap().remove(field).unwrap();
    object
}

fn port() -> Value {
    json!({
        "id": PORT, "name": "WEB1", "mac_address": "fa:16:3e:00:00:05", "status": "ACTIVE",
        "fixed_ips": [{"ip_address": "10.0.0.5", "subnet_id": MISSING}],
        "security_groups": [GROUP], "device_owner": "compute:nova",
    })
}

fn group(rules: &[Value]) -> Value {
    json!({"id": GROUP, "name": "WEB_SERVERS", "stateful": true, "security_group_rules": rules})
}

fn rule() -> Value {
    json!({
        "id": RULE, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
        "port_range_min": 80, "port_range_max": 80, "remote_ip_prefix": null,
        "remote_group_id": null, "remote_address_group_id": null,
    })
}

fn the_fault(parsed: &Parsed) -> &Fault {
    match &*parsed.faults {
        [fault] => fault,
        faults => panic!("expected one fault, got {faults:#?}"),
    }
}

/// Asserts what every fault owes its reader: the field, what was left out, and a whole sentence.
fn assert_fault(parsed: &Parsed, field: &str, value: &str, effect: Effect) {
    let fault = the_fault(parsed);
    assert_eq!(
        (&*fault.field, &*fault.value, fault.effect),
        (field, value, effect),
        "{fault}"
    );
    let sentence = fault.to_string();
    for part in [
        &fault.object.id,
        field,
        value,
        &fault.problem,
        &fault.advice,
    ] {
        assert!(
            !fault.advice.is_empty() && sentence.contains(part),
            "{sentence:?} lacks {part:?}"
        );
    }
}
