//! Requests and answers: which request is for what.

mod discovery;
mod empty;
mod extensions;
mod list;
mod objects;
mod quotas;
mod read;
mod tags;

use serde_json::{Value, json};

use crate::error::{ApiError, Result};
use crate::openapi;
use crate::query::Query;
use crate::resource::{Collection, EMPTY, LOGGABLE};
use crate::world::Draft;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// What stands behind the question mark.
    pub query: Query,
    /// The body.
    pub body: Vec<u8>,
    /// The type that it says it has, if such a one is not read.
    pub strange_type: Option<String>,
    /// Scheme and authority by which the client has come.
    pub base: String,
}

impl Request {
    /// Whether it asks, and wants nothing changed.
    pub fn only_asks(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD" | "OPTIONS")
    }
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, if there is one.
    pub body: Option<Value>,
}

impl Answer {
    /// A body.
    pub fn ok(body: Value) -> Self {
        Self::with(200, body)
    }

    /// A body of something that was made.
    pub fn created(body: Value) -> Self {
        Self::with(201, body)
    }

    /// A body under another status.
    pub fn with(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
        }
    }

    /// Nothing, because what it was about is gone.
    pub fn gone() -> Self {
        Self {
            status: 204,
            body: None,
        }
    }
}

/// Answers a request; what the draft holds then is to be written.
///
/// # Errors
///
/// The request is refused: nothing of the draft counts.
pub fn answer(draft: &mut Draft, request: &Request) -> Result<Answer> {
    let path = request.path.strip_prefix("/v2.0/");
    let Some(path) = path else {
        return discovery::root(request);
    };
    let path = path.strip_suffix(".json").unwrap_or(path);
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let Some((&name, rest)) = parts.split_first() else {
        return discovery::version(request);
    };
    match (name, rest) {
        ("openapi", []) if request.method == "GET" => Ok(Answer::ok(openapi::document())),
        ("extensions", _) => extensions::answer(request, rest),
        ("quotas", _) => quotas::answer(draft, request, rest),
        ("log", ["loggable-resources" | "loggable_resources"]) => loggable(request),
        ("networks", [_, "dhcp-agents"]) if request.method == "GET" => no_agents(),
        ("log", [kind, rest @ ..]) => objects(draft, request, kind, rest),
        _ => match EMPTY
            .iter()
            .find(|(path, _)| *path == name.replace('_', "-"))
        {
            Some((_, plural)) => empty::answer(request, plural, rest),
            None => objects(draft, request, name, rest),
        },
    }
}

fn objects(draft: &mut Draft, request: &Request, name: &str, rest: &[&str]) -> Result<Answer> {
    let kind = Collection::at(name).ok_or_else(nothing_here)?;
    objects::answer(draft, request, kind, rest)
}

fn loggable(request: &Request) -> Result<Answer> {
    match request.method.as_str() {
        "GET" => Ok(Answer::ok(
            json!({"loggable_resources": [{"type": LOGGABLE}]}),
        )),
        _ => Err(not_so()),
    }
}

/// Nobody serves addresses to a network here; clients ask who does when they list agents of it.
fn no_agents() -> Result<Answer> {
    Ok(Answer::ok(json!({"agents": []})))
}

fn unsaid(resource: &str) -> ApiError {
    ApiError::request(format!("Unable to find '{resource}' in request body"))
}

/// There is nothing at this path.
fn nothing_here() -> ApiError {
    ApiError::missing("HTTPNotFound", "The resource could not be found.")
}

/// What is there is not used so.
fn not_so() -> ApiError {
    ApiError::new(
        405,
        "HTTPMethodNotAllowed",
        "The server could not comply with the request since it is either malformed or otherwise incorrect.",
    )
}
