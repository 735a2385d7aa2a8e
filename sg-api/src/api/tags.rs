//! Requests for the tags of an object.

use serde_json::{Value, json};

use super::{Answer, Request, not_so, nothing_here, read};
use crate::error::Result;
use crate::resource::{Collection, tag};
use crate::world::Draft;

/// Answers a request for the tags of an object, or for one of them.
pub fn answer(
    draft: &mut Draft,
    request: &Request,
    kind: &Collection,
    id: &str,
    name: Option<&str>,
) -> Result<Answer> {
    if !kind.is_tagged {
        return Err(nothing_here());
    }
    match (request.method.as_str(), name) {
        ("GET", None) => {
            let tags = tag::of(&draft.world, kind, id)?;
            Ok(Answer::ok(json!({"tags": tags})))
        }
        ("PUT" | "POST", None) => {
            let body = Value::Object(read::optional(request)?.unwrap_or_default());
            let tags = tag::read(&body)?;
            match request.method.as_str() {
                "PUT" => tag::replace(draft, kind, id, tags)?,
                _ => tag::add(draft, kind, id, tags)?,
            }
            Ok(Answer::ok(body))
        }
        ("DELETE", None) => {
            tag::replace(draft, kind, id, Vec::new())?;
            Ok(Answer::gone())
        }
        ("GET" | "HEAD", Some(name)) => {
            tag::check(name)?;
            let tags = tag::of(&draft.world, kind, id)?;
            match tags.iter().any(|tag| tag == name) {
                true => Ok(Answer::gone()),
                false => Err(tag::unknown(name)),
            }
        }
        ("PUT", Some(name)) => {
            tag::check(name)?;
            tag::add_one(draft, kind, id, name)?;
            Ok(Answer {
                status: 201,
                body: None,
            })
        }
        ("DELETE", Some(name)) => {
            tag::check(name)?;
            tag::remove(draft, kind, id, name)?;
            Ok(Answer::gone())
        }
        _ => Err(not_so()),
    }
}
