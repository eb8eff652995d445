//! What the page shows of an OpenAPI document: its operations by group, and its schemas. It reads what is
//! there and invents nothing.

use serde_json::Value;

/// The methods that a path may have, in the order in which they are shown.
const METHODS: &[&str] = &["get", "post", "put", "delete"];

/// Where the schemas stand in the document.
const SCHEMAS: &str = "#/components/schemas/";

/// The operations of one tag.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    pub(super) about: &'a str,
    pub(super) operations: Vec<Operation<'a>>,
}

/// One operation.
pub(super) struct Operation<'a> {
    pub(super) anchor: &'a str,
    pub(super) method: String,
    pub(super) path: &'a str,
    pub(super) summary: &'a str,
    pub(super) about: Vec<&'a str>,
    pub(super) parameters: Vec<Parameter<'a>>,
    pub(super) body: Vec<Content<'a>>,
    pub(super) responses: Vec<Response<'a>>,
}

/// A parameter of an operation.
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) place: &'a str,
    pub(super) required: bool,
    pub(super) about: &'a str,
}

/// A body in one media type.
pub(super) struct Content<'a> {
    pub(super) media_type: &'a str,
    /// The name of its schema, where it has one in the document.
    pub(super) schema: Option<&'a str>,
    pub(super) examples: Vec<Example<'a>>,
}

/// An example of a body.
pub(super) struct Example<'a> {
    pub(super) title: &'a str,
    pub(super) text: String,
}

/// A response of an operation.
pub(super) struct Response<'a> {
    pub(super) status: &'a str,
    pub(super) about: &'a str,
    pub(super) content: Vec<Content<'a>>,
}

/// A schema.
pub(super) struct Schema<'a> {
    pub(super) name: &'a str,
    pub(super) about: &'a str,
    pub(super) properties: Vec<Property<'a>>,
    /// The whole schema, for what the table does not say.
    pub(super) text: String,
}

/// A property of a schema.
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) required: bool,
    /// Its type in words.
    pub(super) kind: String,
    /// The schema that it, or what it lists, refers to.
    pub(super) schema: Option<&'a str>,
    pub(super) about: &'a str,
}

/// The operations, in the order of the document's tags.
pub(super) fn groups(openapi: &Value) -> Vec<Group<'_>> {
    let group = |tag| Group {
        name: text(tag, "name"),
        about: text(tag, "description"),
        operations: operations(openapi, text(tag, "name")),
    };
    list(openapi, "tags")
        .map(group)
        .filter(|group| !group.operations.is_empty())
        .collect()
}

fn operations<'a>(openapi: &'a Value, tag: &str) -> Vec<Operation<'a>> {
    let mut found = Vec::new();
    for (path, item) in members(openapi, "paths") {
        for method in METHODS {
            let Some(operation) = item.get(*method) else {
                continue;
            };
            if list(operation, "tags").any(|own| own == tag) {
                found.push(shown(path, method, operation));
            }
        }
    }
    found
}

fn shown<'a>(path: &'a str, method: &str, operation: &'a Value) -> Operation<'a> {
    let parameter = |parameter| Parameter {
        name: text(parameter, "name"),
        place: text(parameter, "in"),
        required: flag(parameter, "required"),
        about: text(parameter, "description"),
    };
    let response = |(status, response): (&'a str, &'a Value)| Response {
        status,
        about: text(response, "description"),
        content: contents(response),
    };
    Operation {
        anchor: text(operation, "operationId"),
        method: method.to_ascii_uppercase(),
        path,
        summary: text(operation, "summary"),
        about: paragraphs(text(operation, "description")),
        parameters: list(operation, "parameters").map(parameter).collect(),
        body: operation
            .get("requestBody")
            .map(contents)
            .unwrap_or_default(),
        responses: members(operation, "responses").map(response).collect(),
    }
}

fn contents(holder: &Value) -> Vec<Content<'_>> {
    let content = |(media_type, content)| Content {
        media_type,
        schema: content_schema(content),
        examples: members(content, "examples").map(example).collect(),
    };
    members(holder, "content").map(content).collect()
}

fn content_schema(content: &Value) -> Option<&str> {
    content.get("schema").and_then(referred)
}

fn example<'a>((name, example): (&'a str, &Value)) -> Example<'a> {
    let value = example.get("value").unwrap_or(&Value::Null);
    let text = match value {
        Value::String(text) => text.clone(),
        other => pretty(other),
    };
    Example { title: name, text }
}

/// The schemas, by name.
pub(super) fn schemas<'a>(openapi: &'a Value) -> Vec<Schema<'a>> {
    let shown = |(name, schema): (&'a str, &'a Value)| Schema {
        name,
        about: first_text(schema, &["description", "title"]),
        properties: properties(schema),
        text: pretty(schema),
    };
    let components = openapi.get("components").into_iter();
    let found = components.flat_map(|components| members(components, "schemas"));
    let mut schemas: Vec<Schema<'a>> = found.map(shown).collect();
    schemas.sort_by_key(|schema| schema.name);
    schemas
}

fn properties(schema: &Value) -> Vec<Property<'_>> {
    let property = |(name, property)| Property {
        name,
        required: list(schema, "required").any(|required| required == name),
        kind: kind(property),
        schema: referred(property),
        about: text(property, "description"),
    };
    members(schema, "properties").map(property).collect()
}

/// The name of the schema that `schema`, or what it lists, refers to.
fn referred(schema: &Value) -> Option<&str> {
    let direct = schema
        .get("$ref")
        .or_else(|| schema.pointer("/items/$ref"))?;
    direct.as_str()?.strip_prefix(SCHEMAS)
}

/// A schema's type in words: "text", "list", "one of a, b".
fn kind(schema: &Value) -> String {
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    if schema.get("enum").is_some() {
        let values: Vec<&str> = list(schema, "enum").filter_map(Value::as_str).collect();
        return format!("one of {}", values.join(", "));
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    types.join(" or ")
}

/// A text of several paragraphs, one each.
pub(super) fn paragraphs(text: &str) -> Vec<&str> {
    text.split("\n\n")
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn first_text<'a>(value: &'a Value, keys: &[&str]) -> &'a str {
    let texts = keys.iter().map(|key| text(value, key));
    texts
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let members = value
        .get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    members.map(|(name, value)| (name.as_str(), value))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}
