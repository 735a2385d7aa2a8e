//! What clients ask before anything else.

use serde_json::json;

use super::{Answer, Request, not_so, nothing_here};
use crate::error::Result;

/// The kinds that Neutron calls its core.
const CORE: [(&str, &str); 4] = [
    ("network", "networks"),
    ("subnet", "subnets"),
    ("subnetpool", "subnetpools"),
    ("port", "ports"),
];

/// `/`: which versions there are. The link is what clients go on with.
pub fn root(request: &Request) -> Result<Answer> {
    if request.path == "/v2.0" {
        return Err(nothing_here());
    }
    if !matches!(request.path.as_str(), "" | "/") {
        let body = json!({"code": 404, "title": "Not Found", "description": null});
        return Ok(Answer::with(404, body));
    }
    if !matches!(request.method.as_str(), "GET" | "OPTIONS") {
        let body = json!({"code": 405, "title": "Method Not Allowed", "description": ""});
        return Ok(Answer::with(405, body));
    }
    let link = json!({"rel": "self", "href": format!("{}/v2.0/", request.base)});
    Ok(Answer::ok(json!({
        "versions": [{"id": "v2.0", "status": "CURRENT", "links": [link]}],
    })))
}

/// `/v2.0/`: which kinds there are.
pub fn version(request: &Request) -> Result<Answer> {
    if request.method != "GET" {
        return Err(not_so());
    }
    let resources = CORE.map(|(name, collection)| {
        let href = format!("{}/v2.0/{collection}", request.base);
        json!({"name": name, "collection": collection, "links": [{"rel": "self", "href": href}]})
    });
    Ok(Answer::ok(json!({"resources": resources})))
}
