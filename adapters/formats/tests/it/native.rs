//! Canonical JSON in and out: what is written is read again as the same, and the published schemas say what
//! the types say.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use takmil_domain::message::{Kind, Message};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_formats::native::{self, COMMON, schema};

use crate::draw::messages;

/// Reads one message, before anything is said about how its fields go together.
fn reread(body: &[u8]) -> Result<Message, Vec<Problem>> {
    let reading =
        (native::FORMAT.read)(body, &crate::context()).map_err(|problem| vec![problem])?;
    let [read] = <[_; 1]>::try_from(reading.messages).unwrap();
    assert_eq!(read.place, "");
    read.outcome
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_written_is_read_as_the_same_message(message in messages()) {
        let body = native::write(&message);
        prop_assert_eq!(reread(&body), Ok(message));
    }

    /// Serde refuses ⇒ the schema refuses; and where the schema alone refuses, it is for a limit.
    #[test]
    fn schema_and_types_agree_on_changed_messages(
        message in messages(),
        place in any::<prop::sample::Index>(),
        change in any::<prop::sample::Index>(),
    ) {
        let mut value = serde_json::to_value(&message).unwrap();
        // A list in the whole's place is several messages, which is another matter.
        let pointers: Vec<String> = pointers(&value).into_iter().filter(|place| !place.is_empty()).collect();
        let pointer = place.get(&pointers);
        *value.pointer_mut(pointer).unwrap() = change.get(&changes(value.pointer(pointer).unwrap())).clone();
        let body = serde_json::to_vec(&value).unwrap();
        let typed: Result<Message, _> = serde_json::from_value(value.clone());
        match (typed, reread(&body)) {
            (Ok(typed), Ok(read)) => prop_assert_eq!(spelt(&typed), spelt(&read)),
            (Ok(_), Err(problems)) => {
                use ProblemCode::{BadValue, Negative, TooLarge};
                let limits = problems.iter().all(|problem| matches!(problem.code, Negative | TooLarge | BadValue));
                // Serde takes a list for a record in the order of its fields; that is no form of ours.
                let as_list = value.pointer(pointer).is_some_and(Value::is_array);
                prop_assert!(limits || as_list, "{pointer}: {problems:?}");
            }
            // Respelling makes a message of some that the types alone refuse: no other may pass.
            (Err(_), Ok(read)) => {
                let changed = value.pointer(pointer).unwrap();
                let respelt = changed.is_null() || changed.is_f64() || changed.is_string();
                prop_assert!(respelt, "{pointer} became {changed}");
                prop_assert_eq!(reread(&native::write(&read)), Ok(read));
            }
            (Err(_), Err(problems)) => {
                let by_schema = problems.iter().all(|problem| !problem.detail.contains("does not fit the types"));
                prop_assert!(by_schema, "{pointer}: {problems:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = reread_anything(&body);
    }

    #[test]
    fn no_cut_or_flipped_message_makes_the_reader_panic(
        message in messages(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut body = native::write(&message);
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = byte }
        let _ = reread_anything(&body);
    }
}

fn reread_anything(body: &[u8]) -> Option<usize> {
    let reading = takmil_formats::read(&native::FORMAT, body, &crate::context()).ok()?;
    Some(reading.messages.len())
}

/// The canonical JSON with the reader's spelling of codes.
fn spelt(message: &Message) -> Message {
    reread(&native::write(message)).unwrap()
}

/// The places of everything within a value, the value itself first.
fn pointers(value: &Value) -> Vec<String> {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, member)| (key.clone(), member))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item))
            .collect(),
        _ => Vec::new(),
    };
    let mut all = vec![String::new()];
    for (step, part) in inner {
        all.extend(pointers(part).iter().map(|rest| format!("/{step}{rest}")));
    }
    all
}

/// What a value may be changed into: other types, other values, more or less of itself.
fn changes(value: &Value) -> Vec<Value> {
    let mut changes = vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(2.5),
        json!(1e30),
        json!(3),
        json!("word"),
        json!(""),
        json!("۱۲"),
        json!("2026-02-30"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"nothing": 1}),
        json!(900_000_000_000_001_i64),
        json!("9999999999.5"),
    ];
    match value {
        Value::Object(members) => {
            let mut more = members.clone();
            more.insert("nothing".to_owned(), json!(1));
            changes.push(more.into());
            for key in members.keys() {
                let mut less = members.clone();
                less.shift_remove(key);
                changes.push(less.into());
            }
        }
        Value::Array(items) => {
            let more = items.iter().chain(items).cloned();
            changes.push(more.chain([json!(7)]).collect());
        }
        _ => {}
    }
    changes
}

#[test]
fn every_schema_is_published_under_its_name_with_an_example_that_it_accepts() {
    for &kind in Kind::ALL {
        let schema = schema(kind);
        assert_eq!(schema.name, kind.as_str());
        assert_eq!(schema.id, format!("urn:takmil:schema:1:{}", kind.as_str()));
        let text: Value = serde_json::from_str(schema.text).unwrap();
        assert_eq!(text["$id"], schema.id);
        let examples = text["examples"].as_array().unwrap();
        assert!(!examples.is_empty());
        for example in examples {
            let reading = takmil_formats::read(
                &native::FORMAT,
                example.to_string().as_bytes(),
                &crate::context(),
            );
            let read = reading.unwrap().messages.remove(0);
            assert_eq!(
                serde_json::to_value(read.outcome.unwrap()).unwrap()["kind"],
                kind.as_str()
            );
        }
    }
    let common: Value = serde_json::from_str(COMMON.text).unwrap();
    assert_eq!(common["$id"], COMMON.id);
}

#[test]
fn the_schemas_name_every_element_that_is_written_and_no_other() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut written = BTreeSet::new();
    for _ in 0..2_000 {
        let message = messages().new_tree(&mut runner).unwrap().current();
        keys(&serde_json::to_value(message).unwrap(), &mut written);
    }
    let texts = Kind::ALL.iter().map(|kind| schema(*kind).text);
    let mut named = BTreeSet::new();
    for text in texts.chain([COMMON.text]) {
        properties(&serde_json::from_str(text).unwrap(), &mut named);
    }
    assert_eq!(written, named);
}

/// The names of all members within a value.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                found.insert(key.clone());
                keys(member, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
        _ => {}
    }
}

/// The names under every `properties` of a schema.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    let Value::Object(keywords) = schema else {
        return;
    };
    for (keyword, content) in keywords {
        match (keyword.as_str(), content) {
            ("properties", Value::Object(members)) => {
                found.extend(members.keys().cloned());
                members
                    .values()
                    .for_each(|member| properties(member, found));
            }
            ("$defs", Value::Object(definitions)) => {
                definitions
                    .values()
                    .for_each(|part| properties(part, found));
            }
            _ => {}
        }
    }
}

#[test]
fn a_message_that_names_no_currency_is_in_the_one_agreed_with_its_sender() {
    let body = br#"{"kind":"claim","claim":{"bill":{"lines":[{"seq":1,"item":{},"billed":5}]}}}"#;
    let mut context = crate::context();
    context.default_currency = takmil_domain::money::Currency::parse("MZN");
    let reading = takmil_formats::read(&native::FORMAT, body, &context).unwrap();
    let read = reading.messages.first().unwrap();
    let message = read.outcome.as_ref().unwrap();
    assert_eq!(message.head.currency, context.default_currency);
    assert_eq!(read.locate("/claim/bill"), "/claim/bill");
}
