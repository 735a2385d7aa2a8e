//! A document, taken apart: its lists are read one object after the other, so that of a hundred thousand only
//! one is in memory as JSON.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Malformed, json, printed};

/// The lists of objects.
const LISTS: [&str; 3] = ["ports", "security_groups", "address_groups"];

/// A document that says one thing, as far as its top level shows.
pub(super) struct Document<'a> {
    text: &'a [u8],
    lists: Vec<(&'static str, Vec<&'a RawValue>)>,
    /// All other fields, and those whose values are no lists.
    pub fields: Map<String, Value>,
}

impl<'a> Document<'a> {
    /// Takes a document apart.
    pub fn new(text: &'a [u8]) -> Result<Self, Malformed> {
        let Ok(TopLevel(fields)) = serde_json::from_slice(text) else {
            let no_object = Malformed::Shape("the document is not an object".to_owned());
            return Err(worse(text, no_object));
        };
        let mut document = Self {
            text,
            lists: Vec::new(),
            fields: Map::new(),
        };
        for (field, value) in fields {
            let list = LISTS.iter().find(|list| **list == field);
            let list = list.and_then(|list| Some((*list, serde_json::from_str(value.get()).ok()?)));
            match list {
                Some(list) => document.lists.push(list),
                None => {
                    let value = document.read(value)?;
                    document.fields.insert(field, value);
                }
            }
        }
        printed::refuse(&document.fields, "")?;
        Ok(document)
    }

    /// The objects of a list as they are written; `None` if there is no such list.
    pub fn list(&self, field: &str) -> Option<&[&'a RawValue]> {
        let mut lists = self.lists.iter();
        let (_, list) = lists.find(|(list, _)| *list == field)?;
        Some(list)
    }

    /// One object of a list.
    ///
    /// # Errors
    ///
    /// It says two things at once, or is none of the API's: then the whole document is refused.
    pub fn object(&self, list: &str, place: usize, text: &RawValue) -> Result<Value, Malformed> {
        let value = self.read(text)?;
        if let Value::Object(fields) = &value {
            printed::refuse(fields, &format!("{list}[{place}]"))?;
        }
        Ok(value)
    }

    fn read(&self, text: &RawValue) -> Result<Value, Malformed> {
        json::parse(text.get().as_bytes()).map_err(|error| self.refused(error))
    }

    /// What to say of a document with this fault.
    pub fn refused(&self, fault: Malformed) -> Malformed {
        worse(self.text, fault)
    }
}

/// What else is wrong with a text, and comes first, which shows when it is read as a whole; or this fault.
fn worse(text: &[u8], fault: Malformed) -> Malformed {
    let refused = json::parse(text).and_then(|value| printed::refuse_any(&value));
    refused.err().unwrap_or(fault)
}

/// The fields of an object, each once.
struct TopLevel<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for TopLevel<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields).map(Self)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let (mut fields, mut seen) = (Self::Value::new(), HashSet::new());
        while let Some(entry) = entries.next_entry::<String, _>()? {
            if !seen.insert(entry.0.clone()) {
                return Err(A::Error::custom(format_args!("{:?}", entry.0)));
            }
            fields.push(entry);
        }
        Ok(fields)
    }
}
