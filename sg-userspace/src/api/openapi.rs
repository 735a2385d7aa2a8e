//! The interface described, as OpenAPI 3.1: what each route takes and answers, from the types themselves.

use axum::routing::MethodFilter;
use schemars::{
    JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, transform::RecursiveTransform,
};
use serde_json::{Map, Value, json};

use crate::view::ErrorView;

/// Version of the interface, with which every path begins: `/v1`. What is there stays as long as the version.
pub const VERSION: u32 = 1;

/// Where schemas of types stand in the document.
const SCHEMAS: &str = "/components/schemas";

/// The schema of a type, which others refer to by its name.
type Describe = fn(&mut SchemaGenerator) -> Schema;

/// One method of one path.
pub struct Operation {
    pub filter: MethodFilter,
    method: &'static str,
    pub path: &'static str,
    sentence: &'static str,
    query: Option<Describe>,
    body: Option<Describe>,
    answer: Describe,
    media_type: &'static str,
    refusals: &'static [u16],
}

/// A `GET` of a path that does what the sentence says.
pub fn get(path: &'static str, sentence: &'static str) -> Operation {
    Operation::new(MethodFilter::GET, "get", path, sentence)
}

/// A `PUT`, like [`get`].
pub fn put(path: &'static str, sentence: &'static str) -> Operation {
    Operation::new(MethodFilter::PUT, "put", path, sentence)
}

/// A `POST`, like [`get`].
pub fn post(path: &'static str, sentence: &'static str) -> Operation {
    Operation::new(MethodFilter::POST, "post", path, sentence)
}

/// A `DELETE`, like [`get`].
pub fn delete(path: &'static str, sentence: &'static str) -> Operation {
    Operation::new(MethodFilter::DELETE, "delete", path, sentence)
}

impl Operation {
    fn new(
        filter: MethodFilter,
        method: &'static str,
        path: &'static str,
        sentence: &'static str,
    ) -> Self {
        Self {
            filter,
            method,
            path,
            sentence,
            query: None,
            body: None,
            answer: SchemaGenerator::subschema_for::<Map<String, Value>>,
            media_type: "application/json",
            refusals: &[],
        }
    }

    /// The fields of this type are parameters.
    pub fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(|generator| T::json_schema(generator));
        self
    }

    /// The body is one of these.
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    /// The answer is one of these.
    pub fn answers<T: JsonSchema>(mut self) -> Self {
        self.answer = SchemaGenerator::subschema_for::<T>;
        self
    }

    /// The answer is any number of these, a line each.
    pub fn answers_lines<T: JsonSchema>(mut self) -> Self {
        self.media_type = "application/x-ndjson";
        self.answers::<T>()
    }

    /// The answer is text of this kind.
    pub fn answers_text(mut self, media_type: &'static str) -> Self {
        self.media_type = media_type;
        self.answers::<String>()
    }

    /// Other statuses than 200; the answer is an [`ErrorView`] then.
    pub fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refusals = statuses;
        self
    }

    fn describe(&self, requests: &mut SchemaGenerator, answers: &mut SchemaGenerator) -> Value {
        let mut responses = Map::new();
        let answer = content(self.media_type, (self.answer)(answers));
        responses.insert(
            "200".into(),
            json!({"description": "It is done.", "content": answer}),
        );
        for status in self.refusals {
            let view = content("application/json", answers.subschema_for::<ErrorView>());
            let response = json!({"description": meaning(*status), "content": view});
            responses.insert(status.to_string(), response);
        }
        let mut operation = json!({"summary": self.sentence, "responses": responses});
        let mut parameters = self.path_parameters();
        if let Some(query) = self.query {
            parameters.extend(query_parameters(&query(requests)));
        }
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            let content = content("application/json", body(requests));
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        operation
    }

    fn path_parameters(&self) -> Vec<Value> {
        let parts = self.path.split('/');
        let names = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let parameter = |name| {
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": "By id, interface (a subport: INTERFACE.VLAN), MAC, IP address or name.",
                "schema": {"type": "string"},
            })
        };
        names.map(parameter).collect()
    }
}

/// The document of these operations.
pub fn document(operations: &[Operation]) -> Value {
    let settings = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = SCHEMAS.into())
        .with_transform(RecursiveTransform(without_links));
    // What may be left out of a request can be in every answer, so each has a generator.
    let mut requests = settings.clone().for_deserialize().into_generator();
    let mut answers = settings.for_serialize().into_generator();
    let mut paths = Map::new();
    for operation in operations {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = operation.describe(&mut requests, &mut answers);
    }
    let mut schemas = requests.take_definitions(true);
    schemas.extend(answers.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sgd",
            "version": VERSION.to_string(),
            "description": "The interface of sgd, which enforces OpenStack security groups on this node: \
                JSON over a unix socket. Fields may be added; a program passes over those that it does not \
                know. A route that there is not is answered with 501.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    })
}

fn content(media_type: &str, schema: Schema) -> Value {
    json!({media_type: {"schema": schema}})
}

/// Each field of an object, as a parameter.
fn query_parameters(object: &Schema) -> Vec<Value> {
    let required = object.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.contains(&Value::from(name)));
    let properties = object.get("properties").and_then(Value::as_object);
    let parameter = |(name, schema): (&String, &Value)| {
        json!({
            "name": name,
            "in": "query",
            "required": is_required(name.as_str()),
            "schema": schema,
        })
    };
    properties.into_iter().flatten().map(parameter).collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request is not understood.",
        404 => "No port is called so, or several are.",
        409 => "It does not fit what is in force.",
        422 => "The document is not understood. Nothing was changed.",
        _ => "The node refuses.",
    }
}

/// Doc comments link to what only readers of the code have.
fn without_links(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace("[`", "`").replace("`]", "`");
    }
}
