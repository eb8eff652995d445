//! The hub's interface as one OpenAPI 3.1 document, made from the routes themselves and the published schemas.

use serde_json::{Map, Value, json};
use std::sync::OnceLock;
use utoipa_axum::router::OpenApiRouter;

use super::{App, fhir, rest};
use crate::code::Code;
use crate::documents;

/// Every route over HTTP, with its operation.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .merge(rest::routes())
        .merge(fhir::routes())
}

const ABOUT: &str = "One gateway between those who treat and those who pay: a bill comes in, its shares go out, its insurer has it.

Amounts are whole numbers of the smallest unit of their currency. Days are Gregorian. Moments are microseconds since 1970. What is acknowledged is durable.

A participant's system is known by an API key, or on the partner port by its client certificate; which of them the hub takes where is its own configuration.

Every failure is a problem (RFC 9457) with a stable code, a pointer into the body that was sent, and the request's id; under /fhir it is an OperationOutcome.

The same operations for insurers, with streams, are offered over gRPC on the same port; its services describe themselves by reflection.";

/// The groups of operations, in the order in which they are shown.
const TAGS: &[(&str, &str)] = &[
    ("messages", "What providers send, and where it is."),
    (
        "fhir",
        "The same as FHIR R4, under the standard's own names.",
    ),
    (
        "insurers",
        "What insurers tell the hub, and what it owes them.",
    ),
    (
        "participants",
        "Who talks to the hub, and how it is reached.",
    ),
    (
        "settlement",
        "What insurers owe providers, what they paid, and what the two argue about.",
    ),
    (
        "audit",
        "The tamper-evident log: that what was answered cannot be changed afterwards unseen.",
    ),
    ("published", "What the hub publishes of itself."),
    ("operation", "For those who run the hub."),
];

/// The document.
pub(crate) fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| {
        let mut document = serde_json::to_value(routes().into_openapi()).unwrap_or_default();
        if let Some(document) = document.as_object_mut() {
            complete(document);
        }
        document
    })
}

fn complete(document: &mut Map<String, Value>) {
    let tags: Vec<Value> = TAGS
        .iter()
        .map(|(name, about)| json!({"name": name, "description": about}))
        .collect();
    let info = json!({
        "title": "Takmil",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    });
    let key = json!({"type": "http", "scheme": "bearer", "description": "An API key: tk_…"});
    let certificate = json!({"type": "mutualTLS", "description": "A client certificate that the participant has registered, on the partner port."});
    document.insert("info".to_owned(), info);
    document.insert("tags".to_owned(), Value::Array(tags));
    document.insert(
        "security".to_owned(),
        json!([{"key": []}, {"certificate": []}]),
    );
    document.insert(
        "components".to_owned(),
        json!({"schemas": schemas(), "securitySchemes": {"key": key, "certificate": certificate}}),
    );
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, item) in paths.into_iter().flatten() {
        for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
            answer_failures(path, operation);
        }
    }
}

/// Adds the failures that an operation can end with, by what it takes.
fn answer_failures(path: &str, operation: &mut Value) {
    let is_open = operation.get("security").is_some();
    let takes_body = operation.get("requestBody").is_some();
    let takes_query = operation
        .get("parameters")
        .and_then(Value::as_array)
        .is_some_and(|parameters| {
            parameters
                .iter()
                .any(|parameter| parameter.get("in").is_some_and(|place| place == "query"))
        });
    let mut codes = vec![Code::Timeout, Code::Internal, Code::Busy];
    if !is_open {
        codes.extend([Code::Credentials, Code::Forbidden, Code::Rate]);
    }
    if takes_body {
        codes.extend([Code::Body, Code::Size, Code::Media, Code::Invalid]);
    }
    if takes_query {
        codes.push(Code::Parameter);
    }
    if path.contains('{') || path == "/v1/decisions" {
        codes.push(Code::NotFound);
    }
    let conflicts = ["approv", "plans", "confirm", "bounce", "decide", "close"];
    if conflicts.iter().any(|word| path.contains(word)) {
        codes.push(Code::Conflict);
    }
    let Some(responses) = operation
        .get_mut("responses")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    codes.sort_by_key(|code| code.http());
    for code in codes {
        let failure = match path.starts_with("/fhir") {
            true => {
                json!({"description": code.meaning(), "content": {"application/fhir+json": {}, "application/fhir+xml": {}}})
            }
            false => json!({"description": code.meaning(), "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/problem"}},
            }}),
        };
        responses.entry(code.http().as_str()).or_insert(failure);
    }
}

/// Every definition of the published schemas under a name of its own, referring to each other within the document.
fn schemas() -> Value {
    let mut schemas = Map::new();
    for schema in documents::schemas() {
        let mut parsed: Value = serde_json::from_str(schema.text).unwrap_or_default();
        let Some(members) = parsed.as_object_mut() else {
            continue;
        };
        match members.remove("$defs") {
            Some(Value::Object(definitions)) => schemas.extend(definitions),
            _ => {
                members.remove("$id");
                members.remove("$schema");
                schemas.insert(format!("{}_message", schema.name), parsed);
            }
        }
    }
    let mut schemas = Value::Object(schemas);
    relink(&mut schemas);
    schemas
}

/// Turns references between published schemas into references within the document.
fn relink(value: &mut Value) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(reference)) = members.get_mut("$ref")
                && let Some((_, name)) = reference.split_once("#/$defs/")
            {
                *reference = format!("#/components/schemas/{name}");
            }
            members.values_mut().for_each(relink);
        }
        Value::Array(items) => items.iter_mut().for_each(relink),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// The methods and addresses that the router holds. Axum lists them in its debug form alone.
    fn routed() -> BTreeSet<(String, String)> {
        let text = format!("{:?}", routes().split_for_parts().0);
        let numbered = |text: &str| -> Vec<(String, String)> {
            let parts = text.split("RouteId(").skip(1);
            let split = |part: &str| {
                part.split_once(')')
                    .map(|(id, rest)| (id.to_owned(), rest.to_owned()))
            };
            parts.filter_map(split).collect()
        };
        let (endpoints, paths) = text.split_once("node: Node { paths: {").unwrap();
        let paths = paths.split_once("} }").unwrap().0;
        let endpoints: BTreeMap<String, String> = numbered(endpoints).into_iter().collect();
        let mut routed = BTreeSet::new();
        for (id, path) in numbered(paths) {
            let path = path.split('"').nth(1).unwrap().to_owned();
            for method in METHODS {
                if !endpoints[&id].contains(&format!("{method}: None")) {
                    routed.insert((method.to_string(), path.clone()));
                }
            }
        }
        routed
    }

    const METHODS: &[&str] = &[
        "get", "head", "delete", "options", "patch", "post", "put", "trace", "connect",
    ];

    #[test]
    fn every_route_is_documented_and_every_documented_route_is_there() {
        let mut documented = BTreeSet::new();
        for (path, item) in document()["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                documented.insert((method.clone(), path.clone()));
                let named =
                    |key: &str| operation[key].as_str().is_some_and(|text| !text.is_empty());
                assert!(named("summary") && named("operationId"), "{method} {path}");
                assert!(operation["responses"]["500"].is_object(), "{method} {path}");
            }
        }
        let routed = routed();
        assert!(routed.len() > 30, "{routed:?}");
        assert_eq!(routed, documented);
    }

    #[test]
    fn no_two_operations_or_schemas_have_one_name() {
        let operations = document()["paths"].as_object().unwrap().values();
        let operations = operations.flat_map(|item| item.as_object().unwrap().values());
        let mut names = BTreeSet::new();
        for operation in operations {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name), "{name}");
        }
        let mut schemas = BTreeSet::new();
        for schema in documents::schemas() {
            let parsed: Value = serde_json::from_str(schema.text).unwrap();
            for name in parsed["$defs"].as_object().into_iter().flat_map(Map::keys) {
                assert!(schemas.insert(name.clone()), "{name}");
            }
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let text = document().to_string();
        let schemas = document().pointer("/components/schemas").unwrap();
        let references = text
            .split("\"$ref\":\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap());
        let mut seen = 0;
        for reference in references {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.get(name).is_some(), "{reference} leads nowhere");
            seen += 1;
        }
        assert!(seen > 200, "{seen} references");
    }
}
