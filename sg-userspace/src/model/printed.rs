//! What the clients print, which is not what the API answers.
//!
//! The `openstack` command and openstacksdk rename fields, and what they print cannot always be turned back:
//! a list of ports has neither pairs nor port security (and openstackclient 6.0.0 prints no groups for a
//! port that has some), a list of rules has no ICMP codes, and a rule for an address group is shown as one
//! for 0.0.0.0/0. Half of an object is worse than none: such a document is refused as a whole.

use serde_json::{Map, Value};

use super::Malformed;

/// The names that openstackclient 6.0.0 and 10.5.0 and openstacksdk 1.0.0 and 4.22.0 give to fields of the
/// API, and the fields that they add. None of them is the API's.
const FIELDS: [&str; 13] = [
    "binding_host_id",
    "binding_profile",
    "binding_vif_details",
    "binding_vif_type",
    "binding_vnic_type",
    "ether_type",
    "if_match",
    "is_admin_state_up",
    "is_port_security_enabled",
    "is_shared",
    "location",
    "rules",
    "security_group_ids",
];

/// Refuses an object that a client has printed, or that has such a one in a list or where an object of the API
/// should be. `place` is where it is in the document, as `ports[0]`.
pub(super) fn refuse(fields: &Map<String, Value>, place: &str) -> Result<(), Malformed> {
    refused(find_in(fields, place.to_owned()))
}

/// As [`refuse`], for a document of whatever shape.
pub(super) fn refuse_any(document: &Value) -> Result<(), Malformed> {
    refused(find(document, String::new()))
}

fn refused(found: Option<(String, String)>) -> Result<(), Malformed> {
    match found {
        Some((place, field)) => Err(Malformed::Printed { place, field }),
        None => Ok(()),
    }
}

/// The lists in which objects are looked for.
const LISTS: [&str; 4] = [
    "ports",
    "security_groups",
    "security_group_rules",
    "address_groups",
];

fn find(value: &Value, place: String) -> Option<(String, String)> {
    match value {
        Value::Array(list) => {
            let mut places = list.iter().enumerate();
            places.find_map(|(number, value)| find(value, format!("{place}[{number}]")))
        }
        Value::Object(fields) => find_in(fields, place),
        _ => None,
    }
}

fn find_in(fields: &Map<String, Value>, place: String) -> Option<(String, String)> {
    if let Some(field) = fields.keys().find(|field| is_printed(field)) {
        return Some((place, field.clone()));
    }
    let lists = LISTS
        .iter()
        .filter_map(|list| Some((list, fields.get(*list)?)));
    let mut inner = lists.map(|(list, value)| (join(&place, list), value));
    inner.find_map(|(place, value)| find(value, place))
}

/// The columns of lists begin with a capital, as in `MAC Address`; no field of the API does.
fn is_printed(field: &str) -> bool {
    FIELDS.contains(&field) || field.starts_with(|c: char| c.is_ascii_uppercase())
}

fn join(place: &str, list: &str) -> String {
    match place {
        "" => list.to_owned(),
        place => format!("{place}.{list}"),
    }
}
