//! Reading the fields of one JSON object; `null` means absent, as in the API's answers, and so does `""`,
//! which is what Terraform's state has for it.

use serde_json::{Map, Value};

use super::fault::Problem;

#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(pub &'a Map<String, Value>);

impl<'a> Fields<'a> {
    pub fn get(self, field: &str) -> Option<&'a Value> {
        self.0
            .get(field)
            .filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    pub fn text(self, field: &str) -> Result<Option<&'a str>, Problem> {
        self.typed(field, "a string", Value::as_str)
    }

    pub fn integer(self, field: &str) -> Result<Option<i64>, Problem> {
        self.typed(field, "a whole number", Value::as_i64)
    }

    pub fn flag(self, field: &str) -> Result<Option<bool>, Problem> {
        self.typed(field, "true or false", Value::as_bool)
    }

    /// The field's elements; none when the field is absent.
    pub fn list(self, field: &str) -> Result<&'a [Value], Problem> {
        let list = self.typed(field, "a list", Value::as_array)?;
        Ok(list.map_or(&[], Vec::as_slice))
    }

    pub fn required<T>(field: &str, value: Option<T>, advice: &str) -> Result<T, Problem> {
        value.ok_or_else(|| Problem::new(field, "", "is missing", advice))
    }

    fn typed<T>(
        self,
        field: &str,
        kind: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or_else(|| {
            Problem::new(
                field,
                value,
                format!("is not {kind}"),
                format!("write {kind}"),
            )
        })
    }
}
