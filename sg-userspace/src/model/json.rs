//! JSON that says one thing: one document, every field of an object once.

use serde::de::{Error, IgnoredAny};
use serde_json::Value;
use sg_store::json::Once;

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
