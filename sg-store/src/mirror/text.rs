//! Values as a filter is told them: the texts that are in the store, wherever they can stand in a transaction.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Want;
use super::members::net;

/// A rule as it is told, and what it names.
#[derive(Debug)]
pub(super) struct Rule {
    text: Box<RawValue>,
    pub names: Vec<Want>,
}

/// What objects name.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Names {
    id: Option<Value>,
    security_groups: Option<Vec<Value>>,
    remote_group_id: Option<Value>,
    remote_address_group_id: Option<Value>,
}

impl Rule {
    /// Reads a rule. One that is no object, or says that it is another, is told so that whoever reads it finds
    /// what is wrong, and which rule it is.
    pub fn read(id: Uuid, value: &[u8]) -> Self {
        let names: Option<Names> = serde_json::from_slice(value).ok();
        let own = |names: &Names| names.id.as_ref().is_none_or(|own| uuid(own) == Some(id));
        let Some(names) = names.filter(own) else {
            let value = String::from_utf8_lossy(value);
            return Self {
                text: quoted(&json!({"id": id, "value": value})),
                names: Vec::new(),
            };
        };
        let group = names.remote_group_id.as_ref().and_then(uuid);
        let addresses = names.remote_address_group_id.as_ref().and_then(uuid);
        let group = group.map(Want::Members);
        Self {
            text: with_id(raw(value), id, names.id.is_some()),
            names: group
                .into_iter()
                .chain(addresses.map(Want::AddressGroup))
                .collect(),
        }
    }
}

/// A value as it is; one that is no JSON as a string, which no reader takes for an object.
pub(super) fn raw(value: &[u8]) -> Box<RawValue> {
    let text = std::str::from_utf8(value).ok();
    let read = text.and_then(|text| serde_json::from_str::<&RawValue>(text).ok());
    read.map_or_else(
        || quoted(&String::from_utf8_lossy(value).into()),
        RawValue::to_owned,
    )
}

/// The security groups that a port has.
pub(super) fn groups_of(value: &[u8]) -> BTreeSet<Uuid> {
    let names: Names = serde_json::from_slice(value).unwrap_or_default();
    let groups = names.security_groups.iter().flatten();
    groups.filter_map(uuid).collect()
}

/// The addresses of an address group; what is none, with its key.
pub(super) fn addresses_of(key: &str, value: &[u8]) -> Vec<Value> {
    #[derive(Deserialize)]
    struct Group {
        addresses: Vec<Value>,
    }
    let strange = |value: Value| json!({"key": key, "value": value});
    match serde_json::from_slice::<Group>(value) {
        Ok(group) => {
            let entries = group.addresses.into_iter();
            entries
                .map(|entry| match entry.as_str().and_then(net) {
                    Some(net) => json!(net),
                    None => strange(entry),
                })
                .collect()
        }
        Err(_) => vec![strange(String::from_utf8_lossy(value).into())],
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
