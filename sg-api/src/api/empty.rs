//! Kinds that others serve, and that clients ask for all the same: there are none of them here.

use serde_json::json;

use super::{Answer, Request, not_so, nothing_here};
use crate::error::{ApiError, Result};

/// Answers a request for one of them.
pub fn answer(request: &Request, plural: &str, parts: &[&str]) -> Result<Answer> {
    match (request.method.as_str(), parts) {
        ("GET", []) => Ok(Answer::ok(json!({plural: []}))),
        ("POST", []) => Err(ApiError::new(
            501,
            "HTTPNotImplemented",
            format!("This server has no {plural}."),
        )),
        ("GET" | "PUT" | "DELETE", [_]) => Err(nothing_here()),
        (_, [] | [_]) => Err(not_so()),
        _ => Err(nothing_here()),
    }
}
