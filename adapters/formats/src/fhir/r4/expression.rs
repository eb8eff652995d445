//! Pointers told as FHIRPath, for `OperationOutcome.issue.expression`. It only renames places; whether
//! anything stands there is of no matter.

use super::{Structure, Type, named, resource, structure};
use crate::fhir::tree::{Node, unescape_step};
use std::fmt::Write as _;

/// The FHIRPath of what `pointer` leads to in `root`: `/entry/0/resource/item/2/net` of a bundle is
/// `Bundle.entry[0].resource.item[2].net`. The last steps need not exist (a missing element has a
/// place too); `valueString` is told as `value` and `_status` as `status`, as FHIRPath names them.
pub(crate) fn expression(root: &Node<'_>, pointer: &str) -> String {
    let mut path = root
        .resource_type()
        .and_then(resource)
        .map_or("", |found| found.name)
        .to_owned();
    let mut node = Some(root);
    let mut within = None;
    for step in pointer.split('/').skip(1) {
        let key = unescape_step(step);
        let is_index = match node {
            Some(Node::Array(_)) => true,
            Some(_) => false,
            None => !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit()),
        };
        if is_index {
            // Writing to a string cannot fail.
            let _ = write!(path, "[{key}]");
            node = node.and_then(|list| list.items().get(key.parse::<usize>().ok()?));
            continue;
        }
        if let Some(found) = node.and_then(Node::resource_type).and_then(resource) {
            within = Some(found);
        }
        let bare = key.strip_prefix('_').unwrap_or(&key);
        let property = within.and_then(|structure: &Structure| structure.property(bare));
        let name = property.map_or(
            bare.strip_suffix("[x]").unwrap_or(bare),
            |(element, _, _)| element.name,
        );
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(name);
        within = match property {
            Some((_, _, Type::Structure(index))) => structure(index),
            Some((_, _, Type::Primitive(_))) => named("Element"),
            _ => None,
        };
        node = node.and_then(|object| object.get(&key));
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::fhir::json;

    #[test]
    fn a_pointer_is_told_as_fhirpath() {
        let body = r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Claim","_status":{"id":"s"},
            "contained":[{"resourceType":"Patient","deceasedBoolean":false,"name":[{"given":[null]}]}],
            "item":[{},{},{"net":{}}],"odd/one":[1]}},{"resource":{"resourceType":"Novel","a":[{"b":1}]}}]}"#;
        let bundle = json::parse(body.as_bytes()).unwrap();
        let table = [
            ("", "Bundle"),
            (
                "/entry/0/resource/item/2/net",
                "Bundle.entry[0].resource.item[2].net",
            ),
            (
                "/entry/0/resource/item/2/sequence",
                "Bundle.entry[0].resource.item[2].sequence",
            ),
            (
                "/entry/0/resource/item/7/detail/3/net",
                "Bundle.entry[0].resource.item[7].detail[3].net",
            ),
            (
                "/entry/0/resource/item/2/servicedDate",
                "Bundle.entry[0].resource.item[2].serviced",
            ),
            (
                "/entry/0/resource/diagnosis/0/diagnosis[x]",
                "Bundle.entry[0].resource.diagnosis[0].diagnosis",
            ),
            (
                "/entry/0/resource/_status/id",
                "Bundle.entry[0].resource.status.id",
            ),
            (
                "/entry/0/resource/contained/0/deceasedBoolean",
                "Bundle.entry[0].resource.contained[0].deceased",
            ),
            (
                "/entry/0/resource/contained/0/name/0/given/0",
                "Bundle.entry[0].resource.contained[0].name[0].given[0]",
            ),
            (
                "/entry/0/resource/odd~1one/0",
                "Bundle.entry[0].resource.odd/one[0]",
            ),
            ("/entry/1/resource/a/0/b", "Bundle.entry[1].resource.a[0].b"),
            ("/entry/9", "Bundle.entry[9]"),
        ];
        for (pointer, path) in table {
            assert_eq!(expression(&bundle, pointer), path);
        }
        assert_eq!(expression(&Node::Null, "/a/0"), "a[0]");
    }
}
