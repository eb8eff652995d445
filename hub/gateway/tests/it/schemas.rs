//! What the hub says, held against the schemas that it publishes.

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

const LIBRARIES: &[&str] = &[
    include_str!("../../../../adapters/formats/schemas/common.schema.json"),
    include_str!("../../schemas/documents.schema.json"),
    include_str!("../../schemas/answers.schema.json"),
];

/// Checks that a body is what its published definition says.
pub(crate) fn conforms(definition: &str, body: &Value) {
    let faults: Vec<String> = validator(definition)
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "no {definition}: {faults:#?}\n{body:#}");
}

fn validator(definition: &str) -> Validator {
    let mut registry = Registry::new();
    for text in LIBRARIES {
        let library: Value = serde_json::from_str(text).unwrap();
        let id = library["$id"].as_str().unwrap().to_owned();
        registry = registry.add(id, library).unwrap();
    }
    let registry = registry.prepare().unwrap();
    let entrance = json!({"$ref": format!("urn:takmil:schema:1:answers#/$defs/{definition}")});
    let options = jsonschema::options().with_registry(&registry).offline();
    options.build(&entrance).unwrap()
}
