//! What a new version of a document changes, place by place, for whoever approves it.

use serde::Serialize;
use serde_json::Value;
use std::collections::HashMap;

/// One place where two versions differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    /// Where, as a JSON pointer; parts of a list that have an id are named by it, prices by their codes.
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
    if let (Some(Value::Object(old)), Some(Value::Object(new))) = (before, after) {
        let gone = old.keys().filter(|key| !new.contains_key(*key));
        for key in new.keys().chain(gone) {
            let pointer = format!("{pointer}/{}", escaped(key));
            compare(pointer, old.get(key), new.get(key), to);
        }
    } else if let (Some(old), Some(new)) = (before.and_then(Parts::of), after.and_then(Parts::of)) {
        let gone = old.names.iter().filter(|name| new.named(name).is_none());
        for name in new.names.iter().chain(gone) {
            let pointer = format!("{pointer}/{}", escaped(name));
            compare(pointer, old.named(name), new.named(name), to);
        }
        moved(&pointer, &old, &new, to);
    } else {
        to.push(Change {
            pointer,
            before: before.cloned(),
            after: after.cloned(),
        });
    }
}

/// Order means something: of benefits that fit a service equally well the earlier counts.
fn moved(pointer: &str, old: &Parts<'_>, new: &Parts<'_>, to: &mut Vec<Change>) {
    let in_both = |own: &Parts<'_>, other: &Parts<'_>| -> Vec<String> {
        let names = own.names.iter().filter(|name| other.named(name).is_some());
        names.cloned().collect()
    };
    let (before, after) = (in_both(old, new), in_both(new, old));
    if before != after {
        to.push(Change {
            pointer: pointer.to_owned(),
            before: Some(before.into()),
            after: Some(after.into()),
        });
    }
}

/// The parts of a list that each have a name of their own.
struct Parts<'a> {
    names: Vec<String>,
    by_name: HashMap<String, &'a Value>,
}

impl<'a> Parts<'a> {
    fn of(list: &'a Value) -> Option<Parts<'a>> {
        let list = list.as_array()?;
        let names: Option<Vec<String>> = list.iter().map(name).collect();
        let names = names?;
        let by_name: HashMap<String, &Value> = names.iter().cloned().zip(list).collect();
        (by_name.len() == names.len()).then_some(Parts { names, by_name })
    }

    fn named(&self, name: &str) -> Option<&'a Value> {
        self.by_name.get(name).copied()
    }
}

/// What a part of a list is called: its id, or for prices the code that they stand at, with the sector.
fn name(part: &Value) -> Option<String> {
    let text = |own: &Value, name: &str| own.get(name).and_then(Value::as_str).map(str::to_owned);
    text(part, "id").or_else(|| {
        let code = part.get("code")?;
        let words = [
            text(code, "system"),
            text(code, "code"),
            text(part, "sector"),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    })
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

    #[test]
    fn a_price_is_told_by_its_code_and_sector() {
        let price = |code: &str, sector: Option<&str>, price: i64| json!({"code": {"system": "urn:s", "code": code}, "sector": sector, "price": price});
        let before = json!({"prices": [price("A", None, 1), price("A", Some("private"), 2), price("B", None, 3)]});
        let after = json!({"prices": [price("A", None, 1), price("A", Some("private"), 5), price("C/D", None, 4)]});
        let told: Vec<String> = changes(&before, &after)
            .into_iter()
            .map(|change| change.pointer)
            .collect();
        let expected = [
            "/prices/urn:s A private/price",
            "/prices/urn:s C~1D",
            "/prices/urn:s B",
        ];
        assert_eq!(told, expected);
    }
}
