//! The CapabilityStatement, made from what is routed.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::super::openapi;

/// The day this statement's form was settled; FHIR wants one.
const DATED: &str = "2026-11-21";

/// The statement of a hub at `base`.
pub(super) fn statement(base: &str) -> Value {
    let document = openapi::document();
    let paths = document.get("paths").and_then(Value::as_object);
    let routed: Vec<&str> = paths
        .into_iter()
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect();
    json!({
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": DATED,
        "kind": "instance",
        "software": {"name": "Takmil", "version": env!("CARGO_PKG_VERSION")},
        "implementation": {"description": "Exchange hub of supplementary health insurance", "url": format!("{base}/fhir")},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "rest": [{
            "mode": "server",
            "documentation": "Operations answer at once; a message keeps its answer, and a repeat gets the same one.",
            "security": {"description": "Authorization: Bearer with an API key of the participant."},
            "resource": resources(&routed),
            "operation": operations(&routed),
        }],
    })
}

/// The resources that have operations of their own (`/fhir/{type}/${operation}`), or are taken as they are (`/fhir/{type}`).
fn resources(routed: &[&str]) -> Vec<Value> {
    let mut operations: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    let mut created = Vec::new();
    for step in routed.iter().filter_map(|path| path.strip_prefix("/fhir/")) {
        if let Some((resource, name)) = step.split_once("/$") {
            let one = operation(&format!("{resource}-{name}"), name);
            operations.entry(resource).or_default().push(one);
        } else if step.starts_with(|first: char| first.is_ascii_uppercase()) {
            created.push(json!({"type": step, "interaction": [{"code": "create"}]}));
        }
    }
    let of_type = |(resource, operations)| json!({"type": resource, "operation": operations});
    operations.into_iter().map(of_type).chain(created).collect()
}

/// The operations of the whole server: `/fhir/${operation}`.
fn operations(routed: &[&str]) -> Vec<Value> {
    let names = routed
        .iter()
        .filter_map(|path| path.strip_prefix("/fhir/$"));
    names
        .map(|name| operation(&format!("MessageHeader-{name}"), name))
        .collect()
}

/// Operations that R4 itself does not define, with where they are defined.
const DEFINED_ELSEWHERE: &[(&str, &str)] = &[(
    "Claim-inquire",
    "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-inquiry",
)];

fn operation(own: &str, name: &str) -> Value {
    let mut elsewhere = DEFINED_ELSEWHERE.iter();
    let definition = elsewhere.find(|(known, _)| *known == own).map_or_else(
        || format!("http://hl7.org/fhir/OperationDefinition/{own}"),
        |(_, place)| (*place).to_owned(),
    );
    json!({"name": name, "definition": definition})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_names_what_is_routed() {
        let statement = statement("https://hub.example");
        let at = |pointer: &str| statement.pointer(pointer).cloned();
        assert_eq!(at("/rest/0/resource/0/type"), Some(json!("Claim")));
        let named = |name: &str, definition: &str| json!({"name": name, "definition": definition});
        assert_eq!(
            at("/rest/0/resource/0/operation"),
            Some(json!([
                named(
                    "inquire",
                    "http://hl7.org/fhir/us/davinci-pas/OperationDefinition/Claim-inquiry"
                ),
                named(
                    "submit",
                    "http://hl7.org/fhir/OperationDefinition/Claim-submit"
                ),
            ]))
        );
        assert_eq!(
            at("/rest/0/resource/3/type"),
            Some(json!("CoverageEligibilityRequest"))
        );
        assert_eq!(
            at("/rest/0/operation/0/name"),
            Some(json!("process-message"))
        );
        assert_eq!(
            at("/implementation/url"),
            Some(json!("https://hub.example/fhir"))
        );
    }
}
