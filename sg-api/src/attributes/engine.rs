//! Bodies of requests, held against the attributes of what they speak of. The order of the checks is Neutron's.

use serde_json::{Map, Value};

use super::{Attribute, Default, convert, validate};
use crate::error::{ApiError, Result};
use crate::python;

/// What a request says of an object: each value converted and valid; what is not said is not there.
#[derive(Clone, Debug, PartialEq)]
pub struct Attrs(pub Map<String, Value>);

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// To make something.
    Post,
    /// To change something.
    Put,
}

impl Attrs {
    /// The value, unless it is not said.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A text, unless it is not said or `null`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The same, as a text of its own; empty if it is not said.
    pub fn string(&self, name: &str) -> String {
        self.text(name).unwrap_or_default().to_owned()
    }

    /// A truth.
    pub fn bool(&self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// A list, unless it is not said or none.
    pub fn list(&self, name: &str) -> Option<&Vec<Value>> {
        self.get(name)?.as_array()
    }

    /// The texts of a list.
    pub fn texts(&self, name: &str) -> Option<Vec<String>> {
        let items = self.list(name)?.iter();
        Some(items.map(python::str).collect())
    }

    /// Whether it is said and not `null`.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.is_null())
    }
}

/// The objects of a body: one, or many under the name of all.
#[derive(Debug)]
pub enum Bodies {
    /// One.
    One(Attrs),
    /// Any number, to be made as a whole.
    Many(Vec<Attrs>),
}

/// Reads the body of a request for a kind of objects. `None` if the body does not speak of any.
///
/// # Errors
///
/// What Neutron says of the first thing that is wrong.
pub fn bodies(
    body: &Map<String, Value>,
    (resource, collection): (&str, &str),
    attributes: &[Attribute],
    (verb, has_bulk): (Verb, bool),
    project: &str,
) -> Result<Option<Bodies>> {
    if !body.contains_key(resource) && !body.contains_key(collection) {
        return Ok(None);
    }
    let Some(many) = body.get(&format!("{resource}s")) else {
        let one = body.get(resource).unwrap_or(&Value::Null);
        let one = single(one, resource, attributes, verb, project)?;
        return Ok(Some(Bodies::One(one)));
    };
    if verb == Verb::Put || !has_bulk {
        return Err(ApiError::request("Bulk operation not supported"));
    }
    if !python::is_true(many) {
        return Err(ApiError::request("Resources required"));
    }
    let invalid = || ApiError::request("Body contains invalid data");
    let items = match many {
        Value::Array(items) => items,
        _ => {
            return Err(ApiError::request(format!(
                "Object '{resource}' contains invalid data"
            )));
        }
    };
    let read = |item: &Value| {
        // Each may be under the name of one again.
        let Value::Object(fields) = item else {
            return Err(invalid());
        };
        let one = fields.get(resource).unwrap_or(item);
        single(one, resource, attributes, verb, project)
    };
    let many = items.iter().map(read).collect::<Result<_>>()?;
    Ok(Some(Bodies::Many(many)))
}

/// Reads one object.
///
/// # Errors
///
/// What Neutron says of the first thing that is wrong.
pub fn single(
    body: &Value,
    resource: &str,
    attributes: &[Attribute],
    verb: Verb,
    project: &str,
) -> Result<Attrs> {
    let mut fields = match body {
        Value::Null => {
            return Err(ApiError::request(format!(
                "Unable to find '{resource}' in request body"
            )));
        }
        Value::Object(fields) => fields.clone(),
        _ => {
            return Err(ApiError::request(format!(
                "Object '{resource}' contains invalid data"
            )));
        }
    };
    name_owner(&mut fields, attributes, verb, project)?;
    only_known(&fields, attributes)?;
    match verb {
        Verb::Post => fill(&mut fields, attributes)?,
        Verb::Put => only_changeable(&fields, attributes)?,
    }
    for attribute in attributes {
        if let Some(value) = fields.get_mut(attribute.name) {
            *value = convert(attribute.convert, value)?;
            if let Some(reason) = validate(attribute.validate, value)? {
                return Err(ApiError::request(format!(
                    "Invalid input for {}. Reason: {reason}.",
                    attribute.name
                )));
            }
        }
    }
    Ok(Attrs(fields))
}

/// A project goes by two names, and is that of the request if nothing is said.
fn name_owner(
    fields: &mut Map<String, Value>,
    attributes: &[Attribute],
    verb: Verb,
    project: &str,
) -> Result<()> {
    match (
        fields.get("project_id").cloned(),
        fields.get("tenant_id").cloned(),
    ) {
        (None, Some(tenant)) => {
            fields.insert("project_id".into(), tenant);
        }
        (Some(project), None) => {
            fields.insert("tenant_id".into(), project);
        }
        (one, other) if one != other => {
            return Err(ApiError::request(
                "'project_id' and 'tenant_id' do not match",
            ));
        }
        _ => {}
    }
    let has_owner = attributes
        .iter()
        .any(|attribute| matches!(attribute.name, "project_id" | "tenant_id"));
    if verb == Verb::Post && has_owner && !fields.contains_key("project_id") {
        fields.insert("project_id".into(), project.into());
        fields.insert("tenant_id".into(), project.into());
    }
    Ok(())
}

fn only_known(fields: &Map<String, Value>, attributes: &[Attribute]) -> Result<()> {
    let has_owner = attributes
        .iter()
        .any(|attribute| matches!(attribute.name, "project_id" | "tenant_id"));
    let is_known = |name: &str| {
        attributes.iter().any(|attribute| attribute.name == name)
            || has_owner && matches!(name, "project_id" | "tenant_id")
    };
    let unknown: Vec<&str> = fields
        .keys()
        .map(String::as_str)
        .filter(|name| !is_known(name))
        .collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(ApiError::request(format!(
            "Unrecognized attribute(s) '{}'",
            unknown.join(", ")
        ))),
    }
}

fn fill(fields: &mut Map<String, Value>, attributes: &[Attribute]) -> Result<()> {
    for attribute in attributes {
        let is_said = fields.contains_key(attribute.name);
        if !attribute.post && is_said {
            return Err(ApiError::request(format!(
                "Attribute '{}' not allowed in POST",
                attribute.name
            )));
        }
        if !attribute.post || is_said {
            continue;
        }
        let value = match attribute.default {
            Default::Required => {
                return Err(ApiError::request(format!(
                    "Failed to parse request. Required attribute '{}' not specified",
                    attribute.name
                )));
            }
            Default::Unsaid => continue,
            Default::Null => Value::Null,
            Default::Bool(bool) => bool.into(),
            Default::Text(text) => text.into(),
            Default::List => Value::Array(Vec::new()),
        };
        fields.insert(attribute.name.into(), value);
    }
    Ok(())
}

fn only_changeable(fields: &Map<String, Value>, attributes: &[Attribute]) -> Result<()> {
    let read_only = |attribute: &&Attribute| !attribute.put && fields.contains_key(attribute.name);
    match attributes.iter().find(read_only) {
        None => Ok(()),
        Some(attribute) => Err(ApiError::request(format!(
            "Cannot update read-only attribute {}",
            attribute.name
        ))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::attributes::tables;

    fn group(body: Value, verb: Verb) -> Result<Attrs> {
        single(
            &body,
            "security_group",
            tables::SECURITY_GROUPS,
            verb,
            "mine",
        )
    }

    fn said(body: Value, verb: Verb) -> String {
        group(body, verb).unwrap_err().message
    }

    #[test]
    fn what_is_not_said_is_what_it_is_by_default() {
        let read = group(json!({}), Verb::Post).unwrap();
        assert_eq!(read.text("name"), Some(""));
        assert_eq!(read.text("project_id"), Some("mine"));
        assert_eq!(read.text("tenant_id"), Some("mine"));
        assert_eq!(read.get("stateful"), None);
    }

    #[test]
    fn what_is_unknown_is_told_before_what_is_wrong() {
        assert_eq!(
            said(json!({"foo": 1, "name": 7}), Verb::Post),
            "Unrecognized attribute(s) 'foo'"
        );
        assert_eq!(
            said(json!({"id": "x", "name": 7}), Verb::Post),
            "Attribute 'id' not allowed in POST"
        );
        assert_eq!(
            said(json!({"name": 7}), Verb::Post),
            "Invalid input for name. Reason: '7' is not a valid string."
        );
        assert_eq!(
            said(json!({"project_id": "x"}), Verb::Put),
            "Cannot update read-only attribute tenant_id"
        );
    }

    #[test]
    fn a_project_has_one_name_under_both_its_names() {
        assert_eq!(
            said(json!({"project_id": "a", "tenant_id": "b"}), Verb::Post),
            "'project_id' and 'tenant_id' do not match"
        );
        let read = group(json!({"tenant_id": "theirs"}), Verb::Post).unwrap();
        assert_eq!(read.text("project_id"), Some("theirs"));
    }

    #[test]
    fn many_are_read_as_one_is_or_refused_as_a_whole() {
        let read = |body: Value, verb: Verb, has_bulk: bool| {
            let names = ("security_group", "security_groups");
            let body = body.as_object().unwrap();
            bodies(
                body,
                names,
                tables::SECURITY_GROUPS,
                (verb, has_bulk),
                "mine",
            )
        };
        let both = json!({"security_groups": [{"name": "a"}, {"security_group": {"name": "b"}}]});
        match read(both.clone(), Verb::Post, true) {
            Ok(Some(Bodies::Many(many))) => assert_eq!(many[1].text("name"), Some("b")),
            other => panic!("{other:?}"),
        }
        for (body, verb, has_bulk, message) in [
            (
                both.clone(),
                Verb::Put,
                true,
                "Bulk operation not supported",
            ),
            (both, Verb::Post, false, "Bulk operation not supported"),
            (
                json!({"security_groups": []}),
                Verb::Post,
                true,
                "Resources required",
            ),
            (
                json!({"security_groups": [1]}),
                Verb::Post,
                true,
                "Body contains invalid data",
            ),
        ] {
            assert_eq!(read(body, verb, has_bulk).unwrap_err().message, message);
        }
        assert!(matches!(
            read(json!({"port": {}}), Verb::Post, true),
            Ok(None)
        ));
    }
}
