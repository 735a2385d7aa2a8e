//! Which objects are meant.

use serde_json::Value;
use uuid::Uuid;

use crate::attributes::{Attribute, Convert, convert};
use crate::error::{ApiError, Result};
use crate::objects::Fields;
use crate::python;

/// Names with values: one of the values of each has to be that of an object.
#[derive(Clone, Debug, Default)]
pub struct Filters(Vec<(String, Vec<Value>)>);

impl Filters {
    /// One value more.
    pub(super) fn add(&mut self, attribute: &Attribute, name: &str, value: &str) -> Result<()> {
        let value = Value::from(value);
        let value = match (attribute.name, attribute.convert) {
            // Keys and values of their own.
            ("fixed_ips", _) => pair(&value)?,
            // These are for whole lists.
            (_, Convert::List | Convert::Pools) => value,
            // No rule has an empty prefix, also one that has none.
            (_, Convert::Prefix) if value == "" => value,
            (_, conversion) => convert(conversion, &value)?,
        };
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name.into(), vec![value])),
        }
        Ok(())
    }

    /// The values of a name.
    pub fn get(&self, name: &str) -> Option<&[Value]> {
        let named = self.0.iter().find(|(other, _)| other == name);
        named.map(|(_, values)| values.as_slice())
    }

    /// The first of them, if it is a text.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.get(name)?.first()?.as_str()
    }

    /// The ids among the values of a name.
    pub fn ids(&self, name: &str) -> Option<Vec<Uuid>> {
        let values = self.get(name)?.iter();
        let mut ids: Vec<Uuid> = values
            .filter_map(|value| value.as_str()?.parse().ok())
            .collect();
        ids.sort();
        ids.dedup();
        Some(ids)
    }

    /// Whether something of this id may be meant.
    pub fn may_have_id(&self, id: Uuid) -> bool {
        let id = id.to_string();
        let ids = self.get("id");
        ids.is_none_or(|ids| ids.iter().any(|one| *one == id))
    }

    /// Whether an object is meant.
    pub fn fit(&self, fields: &Fields) -> bool {
        self.0.iter().all(|(name, values)| match name.as_str() {
            "tags" | "tags-any" | "not-tags" | "not-tags-any" => tagged(name, values, fields),
            "fixed_ips" => has_address(values, fields),
            "security_groups" => {
                let groups = fields.get("security_groups").and_then(Value::as_array);
                groups.is_some_and(|groups| values.iter().any(|value| groups.contains(value)))
            }
            _ => match fields.get(name) {
                Some(field) => values.iter().any(|value| equal(field, value)),
                None => true,
            },
        })
    }
}

fn equal(field: &Value, value: &Value) -> bool {
    match (field, value) {
        // The protocol `any` asks for rules that name none.
        (Value::Null, value) => value.is_null(),
        (_, Value::Null) => false,
        (Value::Bool(field), value) => python::bool(value) == Some(*field),
        _ => python::str(field) == python::str(value),
    }
}

/// `key=value`.
fn pair(value: &Value) -> Result<Value> {
    let text = value.as_str().unwrap_or_default();
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => {
            Ok(vec![Value::from(key.trim()), Value::from(value.trim())].into())
        }
        _ => Err(ApiError::input(format!(
            "'{text}' is not of the form <key>=[value]"
        ))),
    }
}

/// Lists with commas in them: all of one, or one of them.
fn tagged(name: &str, values: &[Value], fields: &Fields) -> bool {
    let tags = fields.get("tags").and_then(Value::as_array);
    let has = |tag: &str| tags.is_some_and(|tags| tags.iter().any(|one| one == tag));
    let asked = || {
        let values = values.iter().filter_map(Value::as_str);
        values.flat_map(|value| value.split(','))
    };
    match name {
        "tags" => asked().all(has),
        "tags-any" => asked().any(has),
        "not-tags" => !asked().all(has),
        _ => !asked().any(has),
    }
}

/// Whether one of the addresses of a port is each of what is asked for.
fn has_address(values: &[Value], fields: &Fields) -> bool {
    let fixed = fields.get("fixed_ips").and_then(Value::as_array);
    let asked = |key: &str| -> Vec<&str> {
        let values = values.iter().filter(|pair| pair[0] == key);
        values.filter_map(|pair| pair[1].as_str()).collect()
    };
    let any = |name: &str, fits: &dyn Fn(&str) -> bool| {
        let fixed = fixed.iter().flat_map(|fixed| fixed.iter());
        fixed.filter_map(|fixed| fixed[name].as_str()).any(fits)
    };
    let (subnets, addresses, parts) = (
        asked("subnet_id"),
        asked("ip_address"),
        asked("ip_address_substr"),
    );
    (subnets.is_empty() || any("subnet_id", &|id| subnets.contains(&id)))
        && (addresses.is_empty() || any("ip_address", &|ip| addresses.contains(&ip)))
        && (parts.is_empty()
            || any("ip_address", &|ip| {
                parts.iter().any(|part| ip.contains(part))
            }))
}
