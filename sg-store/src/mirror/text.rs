//! Values as a filter is told them: the texts that are in the store, wherever they can stand in a transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Want;
use super::members::net;
use crate::json::{self, Once};

/// A rule as it is told, and what it names.
#[derive(Debug)]
pub(super) struct Rule {
    text: Box<RawValue>,
    pub names: Vec<Want>,
}

impl Rule {
    /// Reads a rule. One that is no object, says something twice, or that it is another, is told so that whoever reads
    /// it finds what is wrong, and which rule it is: it stands among others, which are to be read all the same.
    pub fn read(id: Uuid, value: &[u8]) -> Self {
        let fields: Option<Map<String, Value>> = json::object(value).filter(|_| is_shallow(value));
        let own = |fields: &Map<_, _>| fields.get("id").is_none_or(|own| uuid(own) == Some(id));
        let Some(fields) = fields.filter(own) else {
            let value = String::from_utf8_lossy(value);
            return Self {
                text: quoted(&json!({"id": id, "value": value})),
                names: Vec::new(),
            };
        };
        let group = fields.get("remote_group_id").and_then(uuid);
        let addresses = fields.get("remote_address_group_id").and_then(uuid);
        let group = group.map(Want::Members);
        Self {
            text: with_id(raw(value), id, fields.contains_key("id")),
            names: group
                .into_iter()
                .chain(addresses.map(Want::AddressGroup))
                .collect(),
        }
    }
}

/// Whether a value can be read in the place that it has in a transaction: serde_json goes 128 levels deep.
fn is_shallow(value: &[u8]) -> bool {
    let deeper = [b"[[[[", value, b"]]]]"].concat();
    serde_json::from_slice::<Once>(&deeper).is_ok()
}

/// A value as it is; one that is no JSON, or nothing, as a string, which no reader takes for an object: in a
/// transaction nothing means that it is gone.
pub(super) fn raw(value: &[u8]) -> Box<RawValue> {
    let text = std::str::from_utf8(value).ok();
    let text = text.filter(|text| text.trim() != "null");
    let read = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    read.map_or_else(
        || quoted(&String::from_utf8_lossy(value).into()),
        RawValue::to_owned,
    )
}

/// The security groups that a port has.
pub(super) fn groups_of(value: &[u8]) -> BTreeSet<Uuid> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Port {
        security_groups: Vec<Value>,
    }
    let port: Port = json::object(value).unwrap_or_default();
    port.security_groups.iter().filter_map(uuid).collect()
}

/// The addresses of an address group; what is none, with its key.
pub(super) fn addresses_of(key: &str, value: &[u8]) -> Vec<Value> {
    #[derive(Deserialize)]
    struct Group {
        addresses: Vec<Value>,
    }
    let strange = |value: Value| json!({"key": key, "value": value});
    match json::object::<Group>(value) {
        Some(group) => {
            let entries = group.addresses.into_iter();
            entries
                .map(|entry| match entry.as_str().and_then(net) {
                    Some(net) => json!(net),
                    None => strange(entry),
                })
                .collect()
        }
        None => vec![strange(String::from_utf8_lossy(value).into())],
    }
}

/// A group with its rules. A group that has rules of its own has the field twice then, which no reader takes.
pub(super) fn with_rules(group: &RawValue, rules: Option<&BTreeMap<Uuid, Rule>>) -> Box<RawValue> {
    let rules: Vec<&str> = rules
        .into_iter()
        .flat_map(BTreeMap::values)
        .map(|rule| rule.text.get())
        .collect();
    with_field(
        group,
        &format!("\"security_group_rules\": [{}]", rules.join(", ")),
    )
}

fn with_id(rule: Box<RawValue>, id: Uuid, has_id: bool) -> Box<RawValue> {
    match has_id {
        true => rule,
        false => with_field(&rule, &format!("\"id\": \"{id}\"")),
    }
}

/// An object with one more field; anything else as it is.
fn with_field(object: &RawValue, field: &str) -> Box<RawValue> {
    let text = object.get();
    let inner = text
        .strip_prefix('{')
        .and_then(|text| text.strip_suffix('}'));
    let Some(inner) = inner else {
        return object.to_owned();
    };
    let comma = if inner.trim().is_empty() { "" } else { ", " };
    let whole = format!("{{{}{comma}{field}}}", inner.trim_end());
    RawValue::from_string(whole).unwrap_or_else(|_| object.to_owned())
}

fn quoted(value: &Value) -> Box<RawValue> {
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn uuid(value: &Value) -> Option<Uuid> {
    value.as_str()?.parse().ok()
}
