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
    /// JSON pointers to the parts of the canonical message that are not there any more when it is read again, or are there
    /// otherwise: the format has no place for them. A part that lacks whole is named once.
    pub unsaid: Vec<String>,
    /// JSON pointers to the parts of what is read again that the message did not have.
    pub added: Vec<String>,
}

/// Says `message` in `format`, and reads it again to tell what the format could not say.
///
/// # Errors
/// [`ProblemCode::WrongKind`]: the format, or the hub in it, says no such message.
pub fn write(format: &Format, message: &Message, context: &Context) -> Result<Translated, Problem> {
    let kind = message.kind().as_str();
    let written = format.write.and_then(|write| write(message, context));
    let written = written.ok_or_else(|| {
        let detail = format!("{} has no message for a {kind}", format.name);
        Problem::new(ProblemCode::WrongKind, "", detail)
    })?;
    let again = match read(format, &written.bytes, context)?.messages.as_slice() {
        [one] => one.outcome.clone().map_err(first)?,
        _ => return Err(first(Vec::new())),
    };
    if again.kind() != message.kind() {
        let detail = format!(
            "in {} this {kind} would be a {}",
            format.name,
            again.kind().as_str()
        );
        return Err(Problem::new(ProblemCode::WrongKind, "", detail));
    }
    let (before, after) = (json(message), json(&again));
    Ok(Translated {
        written,
        unsaid: beyond(&before, &after, true),
        added: beyond(&after, &before, false),
    })
}

/// The first problem of a message that was written and cannot be read: the writer's own error.
fn first(problems: Vec<Problem>) -> Problem {
    let broken = || {
        let detail = "what was written is not one message when it is read again";
        Problem::new(ProblemCode::NoMessage, "", detail)
    };
    problems.into_iter().next().unwrap_or_else(broken)
}

/// The message without its pointers into the body that it came from.
fn json(message: &Message) -> Value {
    // A message is made of text, numbers and lists: it always becomes JSON.
    let mut json = serde_json::to_value(message).unwrap_or_default();
    if let Value::Object(members) = &mut json {
        members.remove("unread");
    }
    json
}

/// The pointers of what `one` says and `other` does not; with what both say differently, where that is wanted.
fn beyond(one: &Value, other: &Value, differing: bool) -> Vec<String> {
    let mut found = Vec::new();
    differences(one, other, &mut String::new(), &mut |at, is_there| {
        if differing || !is_there {
            found.push(at.to_owned());
        }
    });
    found
}

/// Tells each place of what `one` says and `other` does not, and whether something else is there.
fn differences(one: &Value, other: &Value, at: &mut String, tell: &mut dyn FnMut(&str, bool)) {
    let mut below = |step: &str, inner: &Value, other: Option<&Value>, at: &mut String| {
        let length = at.len();
        at.push('/');
        at.push_str(&step.replace('~', "~0").replace('/', "~1"));
        match other {
            Some(other) => differences(inner, other, at, tell),
            None => tell(at, false),
        }
        at.truncate(length);
    };
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, inner) in one {
                below(key, inner, other.get(key), at);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for (index, inner) in one.iter().enumerate() {
                below(&index.to_string(), inner, other.get(index), at);
            }
        }
        _ if one == other => {}
        _ => tell(at, true),
    }
}
