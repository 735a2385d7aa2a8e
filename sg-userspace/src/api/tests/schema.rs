//! Whether a value is what a schema says, for the keywords that the description has. Stricter than JSON
//! Schema: a field that is not described is refused.

use serde_json::{Map, Value};

/// The schemas of a document.
pub struct Schemas<'a>(pub &'a Value);

impl Schemas<'_> {
    /// Says where a value is not what its schema says, and what is there.
    pub fn check(&self, schema: &Value, value: &Value) -> Result<(), String> {
        self.at("", schema, value)
    }

    /// What a `$ref` names.
    pub fn named(&self, reference: &str) -> Option<&Value> {
        self.0.pointer(reference.strip_prefix('#')?)
    }

    fn at(&self, place: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let wrong = |what: String| Err(format!("{place}: {what}: {value}"));
        let Some(keywords) = schema.as_object() else {
            assert_eq!(*schema, Value::Bool(true), "{place}");
            return Ok(());
        };
        for (keyword, wanted) in keywords {
            let good = match keyword.as_str() {
                "$ref" => {
                    let named = wanted.as_str().and_then(|name| self.named(name));
                    self.at(place, named.ok_or("no such schema")?, value)?;
                    true
                }
                "type" => match wanted {
                    Value::Array(types) => types.iter().any(|name| is_a(name, value)),
                    name => is_a(name, value),
                },
                "enum" => list(wanted).contains(value),
                "const" => wanted == value,
                "minimum" => value.as_f64().is_none_or(|n| Some(n) >= wanted.as_f64()),
                "maximum" => value.as_f64().is_none_or(|n| Some(n) <= wanted.as_f64()),
                "minItems" => length(value).is_none_or(|n| Some(n) >= wanted.as_u64()),
                "maxItems" => length(value).is_none_or(|n| Some(n) <= wanted.as_u64()),
                "required" => list(wanted)
                    .iter()
                    .all(|name| name.as_str().is_some_and(|n| value.get(n).is_some())),
                "anyOf" => list(wanted)
                    .iter()
                    .any(|choice| self.at(place, choice, value).is_ok()),
                "oneOf" => {
                    let choices = list(wanted).iter();
                    choices.filter(|c| self.at(place, c, value).is_ok()).count() == 1
                }
                "items" => {
                    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.at(&format!("{place}[{number}]"), wanted, item)?;
                    }
                    true
                }
                "properties" | "patternProperties" | "additionalProperties" => {
                    self.fields(place, keywords, value)?;
                    true
                }
                "title" | "description" | "format" | "default" => true,
                other => panic!("{place}: the check does not know {other}"),
            };
            if !good {
                return wrong(format!("{keyword} is {wanted}"));
            }
        }
        Ok(())
    }

    fn fields(
        &self,
        place: &str,
        schema: &Map<String, Value>,
        value: &Value,
    ) -> Result<(), String> {
        let of = |keyword| schema.get(keyword).and_then(Value::as_object);
        // The only pattern is that of numbers.
        let by_pattern = of("patternProperties").and_then(|patterns| patterns.values().next());
        let other = schema.get("additionalProperties");
        let other = by_pattern.or(other.filter(|other| **other != Value::Bool(false)));
        for (name, field) in value.as_object().into_iter().flatten() {
            let described = of("properties").and_then(|fields| fields.get(name));
            let place = format!("{place}.{name}");
            match described.or(other) {
                Some(schema) => self.at(&place, schema, field)?,
                None => return Err(format!("{place} is not described")),
            }
        }
        Ok(())
    }
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("no such type: {other:?}"),
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn length(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}
