//! The hub's own JSON: canonical messages as they stand. A body holds one message or a list of them; each
//! is read for itself, so that a bad one sinks no other. Respelt, then held against the published schema of
//! its kind, then typed: a reader of this format never repairs what the schema refuses.

use serde::Deserialize;
use takmil_domain::message::{Kind, Message};
use takmil_domain::problem::{Problem, ProblemCode};

use crate::{Context, Format, Read, Reading, Written, peek};

mod answer;
mod instance;
pub(crate) mod json;
mod schema;
mod spelling;
pub(crate) mod tree;

use tree::Node;

pub use schema::{COMMON, Schema, schema};

/// Canonical JSON.
pub const FORMAT: Format = Format {
    name: "native",
    media_types: &["application/json", "application/vnd.takmil+json"],
    recognise,
    read,
    answer: answer::write,
    write: Some(written),
};

/// How many messages one body may hold: a pharmacy's whole day, told in one go.
const MAX_MESSAGES: usize = 10_000;

/// A message as canonical JSON, without spaces.
pub fn write(message: &Message) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "a message has no part that JSON cannot say"
    )]
    serde_json::to_vec(message).expect("a message is JSON")
}

fn written(message: &Message, _: &Context) -> Option<Written> {
    let bytes = write(message);
    let media_type = "application/json";
    Some(Written { media_type, bytes })
}

fn recognise(body: &[u8]) -> bool {
    peek::keys(body, ["kind", "resourceType"]) == [true, false]
}

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let one = |place: String, value| Read {
        outcome: message(value, &place, context),
        place,
        origins: Vec::new(),
    };
    let messages = match json::parse(body)? {
        whole @ Node::Object(_) => vec![one(String::new(), whole)],
        Node::List(items) if items.len() > MAX_MESSAGES => {
            let detail = format!("a body holds at most {MAX_MESSAGES} messages");
            return Err(Problem::new(ProblemCode::TooLarge, "", detail));
        }
        Node::List(items) if !items.is_empty() => {
            let places = (0..).map(|index: usize| format!("/{index}"));
            places
                .zip(items)
                .map(|(place, item)| one(place, item))
                .collect()
        }
        _ => {
            let detail = "expected a message, or a list of messages";
            return Err(Problem::new(ProblemCode::NoMessage, "", detail));
        }
    };
    let unread = Vec::new();
    Ok(Reading { messages, unread })
}

fn message(mut node: Node<'_>, place: &str, context: &Context) -> Result<Message, Vec<Problem>> {
    spelling::respell(&mut node);
    let kind = kind(&node, place).map_err(|problem| vec![problem])?;
    let problems = schema::problems(kind, &node, place);
    if !problems.is_empty() {
        return Err(problems);
    }
    // The schemas are stricter than the types, which a test holds them to. Serde's own words are not
    // passed on: they repeat values.
    let mut message = Message::deserialize(node).map_err(|_| {
        let detail = "the message does not fit the types of its kind";
        vec![Problem::new(ProblemCode::BadValue, place, detail)]
    })?;
    message.head.currency = message.head.currency.or(context.default_currency);
    Ok(message)
}

/// The kind that a message names, which chooses its schema.
fn kind(message: &Node<'_>, place: &str) -> Result<Kind, Problem> {
    let Node::Object(members) = message else {
        return Err(Problem::new(
            ProblemCode::WrongType,
            place,
            "expected an object",
        ));
    };
    let at = || format!("{place}/kind");
    let names = || {
        Kind::ALL
            .iter()
            .map(|kind| kind.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    match members.iter().find(|(key, _)| key == "kind") {
        None => Err(Problem::new(
            ProblemCode::Missing,
            at(),
            "\"kind\" is required",
        )),
        Some((_, Node::Text(name))) => Kind::parse(name).ok_or_else(|| {
            Problem::new(
                ProblemCode::BadValue,
                at(),
                format!("expected one of {}", names()),
            )
        }),
        Some(_) => Err(Problem::new(
            ProblemCode::WrongType,
            at(),
            "expected string",
        )),
    }
}
