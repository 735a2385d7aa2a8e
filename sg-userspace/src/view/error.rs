//! What went wrong, in a form for people and for programs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The body of every answer that is not a success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// What is wrong, as a sentence without a full stop.
    pub error: String,
    /// The object it is about, e.g. `port 00546fef-…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// The field of the object, in the words of the Neutron API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The value found there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What is in force, where a transaction builds on something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<InForce>,
}

/// What is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InForce {
    /// The revision.
    pub revision: u64,
    /// The session that wrote it; null if nobody has.
    pub session: Option<Uuid>,
}

impl ErrorView {
    /// An error about nothing in particular.
    pub fn new(error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            object: None,
            field: None,
            value: None,
            hint: None,
            in_force: None,
        }
    }

    /// Names the object.
    pub fn object(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Names the field and the value found in it.
    pub fn field(mut self, field: impl Into<String>, value: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self.value = Some(value.into());
        self
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for ErrorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(object) = &self.object {
            write!(f, "{object}: ")?;
        }
        if let Some(field) = &self.field {
            write!(f, "{field}")?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            write!(f, ": ")?;
        }
        write!(f, "{}", self.error)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_from_the_object_to_the_remedy() {
        let view = ErrorView::new("no such security group")
            .object("port 11111111-0000-0000-0000-000000000000")
            .field("security_groups", "\"web\"")
            .hint("name it by its id");
        assert_eq!(
            view.to_string(),
            "port 11111111-0000-0000-0000-000000000000: security_groups = \"web\": \
             no such security group (name it by its id)"
        );
        assert_eq!(ErrorView::new("out of memory").to_string(), "out of memory");
    }

    #[test]
    fn what_is_not_known_is_not_written() {
        let json = serde_json::to_string(&ErrorView::new("out of memory")).unwrap();
        assert_eq!(json, r#"{"error":"out of memory"}"#);
    }
}
