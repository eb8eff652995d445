//! Canonical messages in a provider's own format.

use serde_json::Value;
use takmil_domain::message::Message;
use takmil_domain::problem::{Problem, ProblemCode};

use crate::{Context, Format, Written, read};

/// A message in another format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The message, as that format says it.
    pub written: Written,
    /// JSON pointers to the parts of the canonical message that are not there any more when it is read again: the format
    /// has no place for them, or says them otherwise. A part that lacks whole is named once.
    pub unsaid: Vec<String>,
}

/// Says `message` in `format`, and reads it again to tell what the format could not say.
///
/// # Errors
/// [`ProblemCode::WrongKind`]: the format, or the hub in it, says no such message.
pub fn write(format: &Format, message: &Message, context: &Context) -> Result<Translated, Problem> {
    let kind = message.kind().as_str();
    let written = format.write.and_then(|write| write(message));
    let written = written.ok_or_else(|| {
        let detail = format!("{} has no message for a {kind}", format.name);
        Problem::new(ProblemCode::WrongKind, "", detail)
    })?;
    let again = match read(format, &written.bytes, context)?.messages.as_slice() {
        [one] => one.outcome.clone().map_err(first)?,
        _ => return Err(first(Vec::new())),
    };
    let (before, after) = (json(message), json(&again));
    let mut unsaid = Vec::new();
    differences(&before, &after, &mut String::new(), &mut unsaid);
    Ok(Translated { written, unsaid })
}

/// The first problem of a message that was written and cannot be read: the writer's own error.
fn first(problems: Vec<Problem>) -> Problem {
    let broken = || {
        let detail = "what was written is not one message when it is read again";
        Problem::new(ProblemCode::NoMessage, "", detail)
    };
    problems.into_iter().next().unwrap_or_else(broken)
}

fn json(message: &Message) -> Value {
    // A message is made of text, numbers and lists: it always becomes JSON.
    serde_json::to_value(message).unwrap_or_default()
}

/// Lists the pointers of what `before` says and `after` does not.
fn differences(before: &Value, after: &Value, pointer: &mut String, found: &mut Vec<String>) {
    let mut below = |step: &str, inner: &Value, other: Option<&Value>, found: &mut Vec<String>| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
        match other {
            Some(other) => differences(inner, other, pointer, found),
            None => found.push(pointer.clone()),
        }
        pointer.truncate(length);
    };
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            for (key, inner) in before {
                below(key, inner, after.get(key), found);
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            for (index, inner) in before.iter().enumerate() {
                below(&index.to_string(), inner, after.get(index), found);
            }
        }
        _ if before == after => {}
        _ => found.push(pointer.clone()),
    }
}
