//! Compositions in the canonical shape of the reference model: `_type`, `name`, `archetype_node_id`.

use super::tree::{Item, below};
use crate::native::tree::Node;

/// What frames a part and is no content: types, names and node ids are kept with the part, the rest says how the record
/// is kept.
const FRAME: &[&str] = &[
    "_type",
    "name",
    "archetype_node_id",
    "archetype_details",
    "language",
    "encoding",
    "territory",
    "category",
    "action_archetype_id",
];

/// An object of the reference model as a part with this id.
pub(super) fn item<'n>(id: &str, node: &'n Node<'n>, place: &str) -> Item<'n> {
    let mut own = Item::new(id, Some(place.to_owned()));
    match node {
        Node::Object(_) => object(&mut own, node, place),
        _ => leaf(&mut own, "", Some(node), place.to_owned()),
    }
    own
}

fn object<'n>(own: &mut Item<'n>, node: &'n Node<'n>, place: &str) {
    if let Some(name) = node.at(&["name", "value"]).and_then(Node::text) {
        own.name = Some(name.to_owned());
    }
    own.node = node
        .at(&["archetype_node_id"])
        .and_then(Node::text)
        .map(str::to_owned);
    if own.node.is_none() {
        let named = node.at(&["archetype_details", "archetype_id", "value"]);
        own.node = named.and_then(Node::text).map(str::to_owned);
    }
    match node.at(&["_type"]).and_then(Node::text).unwrap_or_default() {
        "ELEMENT" => {
            if let Some(value) = node.at(&["value"]) {
                value_of(own, value, &below(place, "value"));
            }
            rest(own, node, place, &["value"]);
        }
        "PARTICIPATION" => {
            let function = node.at(&["function", "value"]);
            leaf(own, "function", function, format!("{place}/function/value"));
            if let Some(performer) = node.at(&["performer"]) {
                party(own, performer, &below(place, "performer"));
            }
            rest(own, node, place, &["function", "performer"]);
        }
        "INSTRUCTION_DETAILS" => {
            let link = node.at(&["instruction_id", "id", "value"]);
            leaf(
                own,
                "composition_uid",
                link,
                format!("{place}/instruction_id/id/value"),
            );
            rest(own, node, place, &["instruction_id"]);
        }
        "" if node.at(&["value"]).is_none() => rest(own, node, place, &[]),
        kind if is_structure(kind) => rest(own, node, place, &[]),
        _ => value_of(own, node, place),
    }
}

/// Types that hold parts and say nothing themselves.
fn is_structure(kind: &str) -> bool {
    const STRUCTURES: &[&str] = &[
        "COMPOSITION",
        "EVENT_CONTEXT",
        "SECTION",
        "INSTRUCTION",
        "ACTIVITY",
        "ACTION",
        "OBSERVATION",
        "EVALUATION",
        "ADMIN_ENTRY",
        "GENERIC_ENTRY",
        "CLUSTER",
        "HISTORY",
        "POINT_EVENT",
        "INTERVAL_EVENT",
        "ISM_TRANSITION",
        "FEEDER_AUDIT",
        "FEEDER_AUDIT_DETAILS",
        "TERM_MAPPING",
        "EHR_STATUS",
    ];
    STRUCTURES.contains(&kind) || kind.starts_with("ITEM_")
}

/// Every member that frames nothing and is not in `but` as a part.
fn rest<'n>(own: &mut Item<'n>, node: &'n Node<'n>, place: &str, but: &[&str]) {
    let Node::Object(members) = node else { return };
    for (key, inner) in members {
        let key: &str = key;
        if FRAME.contains(&key) || but.contains(&key) {
            continue;
        }
        let at = below(place, key);
        match inner {
            Node::Null => {}
            Node::List(items) => {
                let parts = items.iter().enumerate();
                own.parts
                    .extend(parts.map(|(index, one)| item(key, one, &format!("{at}/{index}"))));
            }
            one => own.parts.push(item(key, one, &at)),
        }
    }
}

/// A data value as the attributes that it has in the FLAT shape.
fn value_of<'n>(own: &mut Item<'n>, node: &'n Node<'n>, place: &str) {
    let kind = node.at(&["_type"]).and_then(Node::text).unwrap_or_default();
    let mut tell = |attribute: &'n str, path: &[&str]| {
        let at = path
            .iter()
            .fold(place.to_owned(), |at, step| below(&at, step));
        leaf(own, attribute, node.at(path), at);
    };
    let read: &[&str] = match kind {
        "DV_CODED_TEXT" => {
            tell("value", &["value"]);
            tell("code", &["defining_code", "code_string"]);
            tell("terminology", &["defining_code", "terminology_id", "value"]);
            &["value", "defining_code"]
        }
        "CODE_PHRASE" => {
            tell("code", &["code_string"]);
            tell("terminology", &["terminology_id", "value"]);
            &["code_string", "terminology_id"]
        }
        "DV_QUANTITY" => {
            tell("magnitude", &["magnitude"]);
            tell("unit", &["units"]);
            &["magnitude", "units", "precision"]
        }
        "DV_COUNT" => {
            tell("", &["magnitude"]);
            &["magnitude"]
        }
        "DV_IDENTIFIER" => {
            tell("id", &["id"]);
            tell("issuer", &["issuer"]);
            tell("assigner", &["assigner"]);
            tell("type", &["type"]);
            &["id", "issuer", "assigner", "type"]
        }
        "OBJECT_REF" | "PARTY_REF" => {
            tell("id", &["id", "value"]);
            tell("id_scheme", &["id", "scheme"]);
            tell("id_namespace", &["namespace"]);
            &["id", "namespace"]
        }
        "PARTY_SELF" | "PARTY_IDENTIFIED" | "PARTY_RELATED" => {
            party(own, node, place);
            return;
        }
        _ => {
            tell("", &["value"]);
            &["value"]
        }
    };
    rest(own, node, place, read);
}

fn party<'n>(own: &mut Item<'n>, node: &'n Node<'n>, place: &str) {
    let paths: [(&str, &[&str]); 4] = [
        ("name", &["name"]),
        ("id", &["external_ref", "id", "value"]),
        ("id_scheme", &["external_ref", "id", "scheme"]),
        ("id_namespace", &["external_ref", "namespace"]),
    ];
    for (attribute, path) in paths {
        leaf(
            own,
            attribute,
            node.at(path),
            format!("{place}/{}", path.join("/")),
        );
    }
    // A performer's own members lie one level further down.
    let Node::Object(members) = node else { return };
    let known = ["external_ref"];
    let mut left = Item::default();
    rest(&mut left, node, place, &known);
    if members.iter().any(|(key, _)| key == "identifiers") {
        left.parts
            .iter_mut()
            .filter(|part| part.id == "identifiers")
            .for_each(|part| part.id = "identifier".to_owned());
    }
    own.parts.append(&mut left.parts);
}

fn leaf<'n>(own: &mut Item<'n>, attribute: &'n str, node: Option<&'n Node<'n>>, place: String) {
    if let Some(value) = node.and_then(Node::scalar) {
        own.say(attribute, value, place);
    }
}
