//! JSON that says one thing: one document, every field of an object once.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::Malformed;

/// How files begin that some editors and shells write: UTF-8, UTF-16 of either order.
const BYTE_ORDER_MARKS: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"];

/// Reads one document.
pub(super) fn parse(text: &[u8]) -> Result<Value, Malformed> {
    if BYTE_ORDER_MARKS.iter().any(|mark| text.starts_with(mark)) {
        return Err(Malformed::ByteOrderMark);
    }
    let mut documents = serde_json::Deserializer::from_slice(text).into_iter::<Once>();
    let first = documents.next();
    let rest = text.get(documents.byte_offset()..).unwrap_or_default();
    match (first, rest.trim_ascii_start().first()) {
        (Some(Ok(Once(value))), None) => Ok(value),
        (Some(Ok(_)), Some(b'{' | b'[')) => Err(Malformed::Several),
        (Some(Err(error)), _) if error.is_data() => Err(Malformed::Twice(error)),
        _ => match serde_json::from_slice::<IgnoredAny>(text) {
            Err(error) => Err(error.into()),
            Ok(_) => Err(serde_json::Error::custom("it cannot be read").into()),
        },
    }
}

/// A value in whose objects no field is there twice. Of two, readers take the first or the last (RFC 8259,
/// section 4), so what the one permits and the other does not would be decided by chance.
struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue).map(Self)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(value)) = values.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some((field, Once(value))) = entries.next_entry::<String, _>()? {
            if fields.contains_key(&field) {
                return Err(A::Error::custom(format_args!("{field:?}")));
            }
            fields.insert(field, value);
        }
        Ok(fields.into())
    }
}
