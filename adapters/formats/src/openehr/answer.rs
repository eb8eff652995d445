//! Answers in JSON, near to what a server of openEHR says: for what was taken the uid under which the hub has it (a
//! server's `ETag`), how far it has come, and the hub's own answer; for what was not, `message` and `validationErrors`.
//! A composition that is the whole body gets one such object, every other body a list of them with their places.

use serde_json::{Value, json};

use crate::{Answered, Fault, Reply, Written};

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    reply.json(|outcome| {
        let mut value = match outcome.result {
            Ok(answered) => taken(&answered),
            Err(faults) => refused(faults),
        };
        let members = value.as_object_mut().filter(|_| !outcome.place.is_empty());
        if let Some(members) = members {
            members.insert("place".to_owned(), json!(outcome.place));
        }
        value
    })
}

fn taken(answered: &Answered<'_>) -> Value {
    let answer = answered.answer;
    json!({
        "uid": { "_type": "HIER_OBJECT_ID", "value": answer.id.to_string() },
        "state": answer.state,
        "answer": answer,
    })
}

fn refused(faults: &[Fault<'_>]) -> Value {
    let message = faults.first().map_or("", |fault| fault.meaning);
    json!({ "message": message, "validationErrors": faults })
}
