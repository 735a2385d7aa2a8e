//! Bodies of requests. Neutron has two generations of code for them, which say different things of what is wrong.

use serde_json::{Map, Value};

use super::Request;
use crate::attributes::{Bodies, Verb, bodies};
use crate::error::{ApiError, Result};
use crate::python;
use crate::resource::Collection;
use crate::world::Draft;

/// The object of a body; `None` if there is no body.
pub fn optional(request: &Request) -> Result<Option<Map<String, Value>>> {
    if request.body.is_empty() {
        return Ok(None);
    }
    match value(request)? {
        Value::Object(body) => Ok(Some(body)),
        // Neutron does not look into what is empty.
        other if !python::is_true(&other) => Ok(Some(Map::new())),
        _ => Err(invalid()),
    }
}

/// What a body says of objects of a kind; `None` if it does not speak of them.
pub fn objects(
    draft: &Draft,
    request: &Request,
    kind: &Collection,
    verb: Verb,
) -> Result<Option<Bodies>> {
    let body = match kind.is_core {
        true => core(request)?,
        false => extension(request, verb)?,
    };
    let names = (kind.resource, kind.plural);
    let project = &draft.context.project;
    let body = renamed(body, kind);
    let read = bodies(
        &body,
        names,
        kind.attributes,
        (verb, kind.has_bulk),
        project,
    )?;
    match read {
        None if !kind.is_core => Err(super::unsaid(kind.resource)),
        read => Ok(read),
    }
}

fn core(request: &Request) -> Result<Map<String, Value>> {
    if request.body.is_empty() {
        return Ok(Map::new());
    }
    match value(request) {
        Ok(Value::Object(body)) => Ok(body),
        Err(strange) if strange.status == 415 => Err(strange),
        _ => Err(invalid()),
    }
}

fn extension(request: &Request, verb: Verb) -> Result<Map<String, Value>> {
    if request.body.is_empty() && verb == Verb::Put {
        return Err(ApiError::bad_resource("body", "Invalid format: b''"));
    }
    let body = match request.body.is_empty() {
        true => Value::Null,
        false => value(request)?,
    };
    if !python::is_true(&body) {
        return Err(ApiError::request("Resource body required"));
    }
    match body {
        Value::Object(body) => Ok(body),
        _ => Err(invalid()),
    }
}

fn value(request: &Request) -> Result<Value> {
    if let Some(strange) = &request.strange_type {
        return Err(ApiError::new(
            415,
            "HTTPUnsupportedMediaType",
            format!(
                "Content-Type is '{strange}': a body has to be application/json where no passwords are asked for."
            ),
        ));
    }
    serde_json::from_slice(&request.body).map_err(|_| {
        ApiError::bad(
            "MalformedRequestBody",
            "Malformed request body: Cannot understand JSON.",
        )
    })
}

fn invalid() -> ApiError {
    ApiError::request("Body contains invalid data")
}

/// The client calls one setting of statefulness as nobody else does.
fn renamed(mut body: Map<String, Value>, kind: &Collection) -> Map<String, Value> {
    const BY_CLIENT: &str = "security_group_default_statefulness";
    if kind.resource == "security_groups_default_statefulness"
        && let Some(one) = body.remove(BY_CLIENT)
    {
        body.insert(kind.resource.into(), one);
    }
    body
}
