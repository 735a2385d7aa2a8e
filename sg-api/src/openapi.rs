//! The API described, as OpenAPI 3.1, from the tables by which requests are read.

use serde_json::{Map, Value, json};

use crate::attributes::{Attribute, Convert, Default, Validate};
use crate::resource::{COLLECTIONS, Collection, EMPTY};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    schemas.insert("Error".into(), error());
    for kind in COLLECTIONS {
        describe(kind, &mut paths, &mut schemas);
    }
    for (path, operation) in others() {
        let at = paths.entry(path).or_insert_with(|| json!({}));
        for (method, sentence) in operation {
            at[method] =
                json!({"summary": sentence, "responses": answers(json!({"type": "object"}), 200)});
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sgapi",
            "version": "2.0",
            "description": "The part of Neutron's API v2.0 that is about security groups and what they hang on.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

/// Where a kind is.
fn path(kind: &Collection) -> String {
    match kind.path {
        "logs" => "/v2.0/log/logs".into(),
        path => format!("/v2.0/{path}"),
    }
}

fn describe(kind: &Collection, paths: &mut Map<String, Value>, schemas: &mut Map<String, Value>) {
    let one = json!({"$ref": format!("#/components/schemas/{}", kind.resource)});
    let wrapped = object([(kind.resource, one.clone())]);
    let many = object([(kind.plural, json!({"type": "array", "items": one}))]);
    schemas.insert(
        kind.resource.into(),
        schema(kind, |attribute| attribute.visible),
    );
    let said = |schemas: &mut Map<String, Value>, name: &str, of: fn(&Attribute) -> bool| {
        let name = format!("{}.{name}", kind.resource);
        schemas.insert(name.clone(), schema(kind, of));
        let one = json!({"$ref": format!("#/components/schemas/{name}")});
        json!({"required": true, "content": content(object([(kind.resource, one)]))})
    };
    let path = path(kind);
    let mut all = json!({
        "get": {
            "summary": format!("The {} that are asked for.", spoken(kind.plural)),
            "parameters": parameters(kind),
            "responses": answers(many.clone(), 200),
        },
    });
    if kind.create.is_some() {
        let summary = match kind.has_bulk {
            true => format!("Make one, or many under `{}`: all or none.", kind.plural),
            false => "Make one.".into(),
        };
        all["post"] = json!({
            "summary": summary,
            "requestBody": said(schemas, "post", |attribute| attribute.post),
            "responses": answers(wrapped.clone(), 201),
        });
    }
    let id = json!([named("id")]);
    let mut each = json!({"get": {
        "summary": format!("One of the {}.", spoken(kind.plural)),
        "parameters": id,
        "responses": answers(wrapped.clone(), 200),
    }});
    if kind.update.is_some() {
        each["put"] = json!({
            "summary": "Change it.",
            "parameters": id,
            "requestBody": said(schemas, "put", |attribute| attribute.put),
            "responses": answers(wrapped.clone(), 200),
        });
    }
    if kind.delete.is_some() {
        each["delete"] = json!({"summary": "Take it away.", "parameters": id, "responses": gone()});
    }
    for (action, _) in kind.actions {
        let put = json!({"summary": spoken(action), "parameters": id, "responses": answers(wrapped.clone(), 200)});
        paths.insert(format!("{path}/{{id}}/{action}"), json!({"put": put}));
    }
    if kind.is_tagged {
        tags(&path, paths);
    }
    paths.insert(format!("{path}/{{id}}"), each);
    paths.insert(path, all);
}

fn tags(path: &str, paths: &mut Map<String, Value>) {
    let id = json!([named("id")]);
    let all = object([(
        "tags",
        json!({"type": "array", "items": {"type": "string"}}),
    )]);
    let body = json!({"required": true, "content": content(all.clone())});
    let both = json!([named("id"), named("tag")]);
    paths.insert(
        format!("{path}/{{id}}/tags"),
        json!({
            "get": {"summary": "Its tags.", "parameters": id, "responses": answers(all.clone(), 200)},
            "put": {"summary": "Give it these tags and no others.", "parameters": id, "requestBody": body, "responses": answers(all.clone(), 200)},
            "post": {"summary": "Give it these tags more.", "parameters": id, "requestBody": body, "responses": answers(all, 200)},
            "delete": {"summary": "Take all tags away.", "parameters": id, "responses": gone()},
        }),
    );
    paths.insert(
        format!("{path}/{{id}}/tags/{{tag}}"),
        json!({
            "get": {"summary": "Whether it has the tag.", "parameters": both, "responses": gone()},
            "put": {"summary": "Give it the tag.", "parameters": both, "responses": {"201": {"description": "It has it."}}},
            "delete": {"summary": "Take the tag away.", "parameters": both, "responses": gone()},
        }),
    );
}

/// What is no object of a kind: paths, methods, and what they are for.
fn others() -> Vec<(String, Vec<(&'static str, &'static str)>)> {
    let mut others: Vec<(String, Vec<(&str, &str)>)> = vec![
        (
            "/".into(),
            vec![(
                "get",
                "Which versions there are; served without a password.",
            )],
        ),
        (
            "/v2.0/".into(),
            vec![("get", "Which kinds of objects there are.")],
        ),
        ("/v2.0/openapi.json".into(), vec![("get", "This document.")]),
        (
            "/v2.0/extensions".into(),
            vec![("get", "What this server can do beyond the core.")],
        ),
        (
            "/v2.0/extensions/{alias}".into(),
            vec![("get", "One of those.")],
        ),
        (
            "/v2.0/quotas".into(),
            vec![("get", "The quotas that are not the usual ones.")],
        ),
        (
            "/v2.0/quotas/{project}".into(),
            vec![
                ("get", "How many objects of each kind a project may have."),
                (
                    "put",
                    "Set that; not below what it has, unless `force` is said.",
                ),
                ("delete", "Set it to the usual."),
            ],
        ),
        (
            "/v2.0/quotas/{project}/default".into(),
            vec![("get", "The usual quotas.")],
        ),
        (
            "/v2.0/quotas/{project}/details".into(),
            vec![("get", "Quotas, and how much is used.")],
        ),
        (
            "/v2.0/log/loggable-resources".into(),
            vec![("get", "What can be logged.")],
        ),
        (
            "/v2.0/networks/{id}/dhcp-agents".into(),
            vec![("get", "None: nobody serves addresses here.")],
        ),
    ];
    for (kind, _) in EMPTY {
        others.push((
            format!("/v2.0/{kind}"),
            vec![("get", "None: others serve these.")],
        ));
    }
    others
}

fn parameters(kind: &Collection) -> Vec<Value> {
    let filters = kind.attributes.iter().filter(|attribute| attribute.filter);
    let filters = filters.map(|attribute| {
        json!({"name": attribute.name, "in": "query", "schema": {"type": "array", "items": {"type": "string"}}})
    });
    let keys = kind.attributes.iter().filter(|attribute| attribute.sort);
    let keys: Vec<&str> = keys.map(|attribute| attribute.name).collect();
    let text = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    filters
        .chain([
            text("fields"),
            json!({"name": "sort_key", "in": "query", "schema": {"enum": keys}}),
            json!({"name": "sort_dir", "in": "query", "schema": {"enum": ["asc", "desc"]}}),
            json!({"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 0}}),
            text("marker"),
            json!({"name": "page_reverse", "in": "query", "schema": {"type": "boolean"}}),
        ])
        .collect()
}

fn schema(kind: &Collection, of: fn(&Attribute) -> bool) -> Value {
    let attributes = || kind.attributes.iter().filter(|attribute| of(attribute));
    let properties: Map<String, Value> = attributes()
        .map(|attribute| (attribute.name.to_owned(), property(attribute)))
        .collect();
    let is_post = |attribute: &&Attribute| attribute.post && attribute.default == Default::Required;
    // The project is that of the request.
    let owner = |attribute: &&Attribute| !matches!(attribute.name, "project_id" | "tenant_id");
    let required: Vec<&str> = attributes()
        .filter(is_post)
        .filter(owner)
        .map(|attribute| attribute.name)
        .collect();
    json!({"type": "object", "properties": properties, "required": required})
}

fn property(attribute: &Attribute) -> Value {
    let mut property = match (attribute.validate, attribute.convert) {
        (Validate::Uuid, _) => json!({"type": "string", "format": "uuid"}),
        (Validate::UuidOrNull, _) => json!({"type": ["string", "null"], "format": "uuid"}),
        (Validate::Uuids, _) => {
            json!({"type": "array", "items": {"type": "string", "format": "uuid"}})
        }
        (Validate::Text(most) | Validate::Name(most) | Validate::NotDefault(most), _) => {
            json!({"type": "string", "maxLength": most})
        }
        (Validate::TextOrNull(most), _) => json!({"type": ["string", "null"], "maxLength": most}),
        (Validate::OneOf(words), _) => json!({"enum": words}),
        (Validate::OneOfOrNull(words), _) => {
            let words = words.iter().map(|word| Value::from(*word));
            json!({"enum": words.chain([Value::Null]).collect::<Vec<_>>()})
        }
        (Validate::IpVersion, _) => json!({"enum": [4, 6]}),
        (Validate::Between(least, most), _) => {
            json!({"type": "integer", "minimum": least, "maximum": most})
        }
        (Validate::NotNegative, _) => json!({"type": "integer", "minimum": 0}),
        (Validate::Mac, _) => json!({"type": "string"}),
        (Validate::CidrOrNull | Validate::AddressOrNull, _) => json!({"type": ["string", "null"]}),
        (Validate::Cidrs | Validate::Nameservers | Validate::Texts(_), _) => {
            json!({"type": "array", "items": {"type": "string"}})
        }
        (Validate::ServiceTypes, _) => json!({"type": "array", "items": {"type": "string"}}),
        (Validate::FixedIps | Validate::Pairs | Validate::Pools | Validate::Routes, _) => {
            json!({"type": "array", "items": {"type": "object"}})
        }
        (Validate::Options, _) => json!({"type": ["array", "null"]}),
        (Validate::ObjectOrNull, _) => json!({"type": ["object", "null"]}),
        (Validate::Anything, Convert::Boolean) => json!({"type": "boolean"}),
        (Validate::Anything, Convert::Integer) => json!({"type": "integer"}),
        (Validate::Anything, Convert::Ethertype) => json!({"enum": ["IPv4", "IPv6"]}),
        (Validate::Anything, Convert::Port) => json!({"type": ["integer", "null"]}),
        (Validate::Anything, Convert::Protocol | Convert::Prefix) => {
            json!({"type": ["string", "null"]})
        }
        (Validate::Anything, _) => json!({}),
    };
    match attribute.default {
        Default::Bool(bool) => property["default"] = bool.into(),
        Default::Text(text) => property["default"] = text.into(),
        _ => {}
    }
    property
}

fn object<const N: usize>(properties: [(&str, Value); N]) -> Value {
    let properties: Map<String, Value> = properties
        .into_iter()
        .map(|(name, schema)| (name.to_owned(), schema))
        .collect();
    json!({"type": "object", "properties": properties})
}

fn named(name: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})
}

fn content(schema: Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn answers(schema: Value, status: u16) -> Value {
    let refused = json!({
        "description": "It is refused, in Neutron's words.",
        "content": content(json!({"$ref": "#/components/schemas/Error"})),
    });
    json!({
        status.to_string(): {"description": "It is done.", "content": content(schema)},
        "default": refused,
    })
}

fn gone() -> Value {
    json!({"204": {"description": "It is so."}})
}

fn error() -> Value {
    let text = || json!({"type": "string"});
    let error = object([("type", text()), ("message", text()), ("detail", text())]);
    object([("NeutronError", error)])
}

fn spoken(name: &str) -> String {
    name.replace('_', " ")
}
