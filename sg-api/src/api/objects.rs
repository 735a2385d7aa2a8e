//! Requests for objects of the kinds that all work alike.

use serde_json::{Value, json};

use super::list::list;
use super::{Answer, Request, not_so, nothing_here, read, tags, unsaid};
use crate::attributes::{Bodies, Verb};
use crate::error::{ApiError, Result};
use crate::objects::Fields;
use crate::resource::{Action, Collection};
use crate::world::Draft;

/// The id of what has none, as Neutron calls it.
const NONE: &str = "None";

/// Answers a request for a path of these parts behind the name of a kind.
pub fn answer(
    draft: &mut Draft,
    request: &Request,
    kind: &Collection,
    parts: &[&str],
) -> Result<Answer> {
    match parts {
        [] => many(draft, request, kind),
        [id] => one(draft, request, kind, id),
        [id, "tags"] => tags::answer(draft, request, kind, id, None),
        [id, "tags", tag] => tags::answer(draft, request, kind, id, Some(tag)),
        [id, action] => {
            let mut known = kind.actions.iter().filter(|(name, _)| name == action);
            let (_, action) = known.next().ok_or_else(nothing_here)?;
            act(draft, request, id, *action)
        }
        _ => Err(nothing_here()),
    }
}

fn many(draft: &mut Draft, request: &Request, kind: &Collection) -> Result<Answer> {
    match request.method.as_str() {
        "GET" | "OPTIONS" => {
            let url = format!("{}{}", request.base, request.path);
            list(kind, draft, &request.query, &url).map(Answer::ok)
        }
        "POST" if kind.create.is_some() => make(draft, request, kind),
        "PUT" | "DELETE" => one(draft, request, kind, NONE),
        _ => Err(not_so()),
    }
}

fn one(draft: &mut Draft, request: &Request, kind: &Collection, id: &str) -> Result<Answer> {
    match request.method.as_str() {
        "GET" | "OPTIONS" => {
            let fields = (kind.show)(&draft.world, id)?;
            Ok(Answer::ok(under(kind, request, fields)))
        }
        "PUT" => {
            let body = read::objects(draft, request, kind, Verb::Put)?;
            (kind.show)(&draft.world, id)?;
            let Some(Bodies::One(attributes)) = body else {
                return Err(unsaid(kind.resource));
            };
            let update = kind.update.ok_or_else(not_so)?;
            let fields = update(draft, id, attributes)?;
            Ok(Answer::ok(under(kind, request, fields)))
        }
        "DELETE" => {
            (kind.show)(&draft.world, id)?;
            let delete = kind.delete.ok_or_else(not_so)?;
            if !request.body.is_empty() {
                return Err(ApiError::request(
                    "Request body is not supported in DELETE.",
                ));
            }
            delete(draft, id)?;
            Ok(Answer::gone())
        }
        _ => Err(not_so()),
    }
}

fn make(draft: &mut Draft, request: &Request, kind: &Collection) -> Result<Answer> {
    let attributes = read::objects(draft, request, kind, Verb::Post)?;
    let (attributes, is_bulk) = match attributes {
        None => return Err(unsaid(kind.resource)),
        Some(Bodies::One(one)) => (vec![one], false),
        Some(Bodies::Many(many)) => (many, true),
    };
    let mut made = kind.create(draft, attributes)?;
    let body = match is_bulk {
        true => {
            let picked = request.query.picked(kind.always);
            let made: Vec<Fields> = made.into_iter().map(|one| picked.of(one)).collect();
            json!({kind.plural: made})
        }
        false => under(kind, request, made.pop().unwrap_or_default()),
    };
    Ok(Answer::created(body))
}

fn act(draft: &mut Draft, request: &Request, id: &str, action: Action) -> Result<Answer> {
    if request.method != "PUT" {
        return Err(not_so());
    }
    let body = read::optional(request)?.unwrap_or_default();
    let answer = action(draft, id, &body)?;
    Ok(Answer::ok(Value::Object(answer)))
}

/// An object under the name of its kind.
fn under(kind: &Collection, request: &Request, fields: Fields) -> Value {
    json!({kind.resource: request.query.picked(kind.always).of(fields)})
}
