//! What a new version of a document changes, place by place, for whoever approves it.

use serde::Serialize;
use serde_json::Value;

/// One place where two versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Where, as a JSON pointer; parts of a list that have an id are named by it.
    pub(crate) pointer: String,
    /// What stood there; nothing where it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) before: Option<Value>,
    /// What stands there; nothing where it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) after: Option<Value>,
}

/// What a version changes of an earlier one, in the order of the document.
pub(crate) fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn compare(pointer: String, before: Option<&Value>, after: Option<&Value>, to: &mut Vec<Change>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            for key in new.keys().chain(gone) {
                let pointer = format!("{pointer}/{}", escaped(key));
                compare(pointer, old.get(key), new.get(key), to);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) if named(old) && named(new) => {
            let gone = ids(old).filter(|id| part(new, id).is_none());
            for id in ids(new).chain(gone) {
                let pointer = format!("{pointer}/{}", escaped(id));
                compare(pointer, part(old, id), part(new, id), to);
            }
            moved(&pointer, old, new, to);
        }
        _ => to.push(Change {
            pointer,
            before: before.cloned(),
            after: after.cloned(),
        }),
    }
}

/// Order means something: of benefits that fit a service equally well the earlier counts.
fn moved(pointer: &str, old: &[Value], new: &[Value], to: &mut Vec<Change>) {
    let before: Vec<&str> = ids(old).filter(|id| part(new, id).is_some()).collect();
    let after: Vec<&str> = ids(new).filter(|id| part(old, id).is_some()).collect();
    if before != after {
        to.push(Change {
            pointer: pointer.to_owned(),
            before: Some(before.into()),
            after: Some(after.into()),
        });
    }
}

fn id(part: &Value) -> Option<&str> {
    part.get("id").and_then(Value::as_str)
}

fn ids(list: &[Value]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(id)
}

fn part<'a>(list: &'a [Value], wanted: &str) -> Option<&'a Value> {
    list.iter().find(|part| id(part) == Some(wanted))
}

/// Whether every part of a list has an id.
fn named(list: &[Value]) -> bool {
    list.iter().all(|part| id(part).is_some())
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_told_by_its_place_and_a_part_by_its_id() {
        let before = json!({
            "title": "Gold", "mode": "offset", "calendar": "persian",
            "benefits": [{"id": "dental", "rate": "0.2"}, {"id": "drugs", "rate": "0.1"}, {"id": "old"}],
            "age_out": [{"age": 22}],
        });
        let after = json!({
            "title": "Gold", "mode": "waive", "to": "2025-01-01",
            "benefits": [{"id": "new"}, {"id": "drugs", "rate": "0.1"}, {"id": "dental", "rate": "0.15"}],
            "age_out": [{"age": 25}],
        });
        let told: Vec<(String, Option<Value>, Option<Value>)> = changes(&before, &after)
            .into_iter()
            .map(|change| (change.pointer, change.before, change.after))
            .collect();
        let expected = [
            ("/mode", Some(json!("offset")), Some(json!("waive"))),
            ("/to", None, Some(json!("2025-01-01"))),
            ("/benefits/new", None, Some(json!({"id": "new"}))),
            (
                "/benefits/dental/rate",
                Some(json!("0.2")),
                Some(json!("0.15")),
            ),
            ("/benefits/old", Some(json!({"id": "old"})), None),
            (
                "/benefits",
                Some(json!(["dental", "drugs"])),
                Some(json!(["drugs", "dental"])),
            ),
            (
                "/age_out",
                Some(json!([{"age": 22}])),
                Some(json!([{"age": 25}])),
            ),
            ("/calendar", Some(json!("persian")), None),
        ];
        let expected = expected.map(|(pointer, before, after)| (pointer.to_owned(), before, after));
        assert_eq!(told, expected);
        assert_eq!(changes(&before, &before), []);
    }
}
