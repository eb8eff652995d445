//! Strict JSON → [`Node`]: UTF-8 alone, no raw control characters, no key twice, bounded in depth and in
//! number, and of everything else it tells the place. It knows nothing of messages.

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use takmil_domain::problem::{Problem, ProblemCode};

use super::tree::{Member, Node};
use crate::MAX_DEPTH;

/// How many values a body may hold: a claim of ten thousand lines has some half a million. Bounds memory,
/// because a value of two bytes takes more than thirty once read.
const MAX_VALUES: usize = 2_000_000;

/// Up to how many keys of one object are compared with each other one by one: more than any object of a
/// message has. A hostile object of very many keys must not cost their square.
const COMPARED_KEYS: usize = 32;

/// Reads one JSON value from a whole body; a byte order mark before it is let pass.
///
/// # Errors
/// The first thing that is wrong, with the pointer to the innermost value that was being read.
pub(crate) fn parse(body: &[u8]) -> Result<Node<'_>, Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let at = error.valid_up_to().saturating_add(1);
        Problem::new(
            ProblemCode::NotText,
            "",
            format!("JSON is UTF-8; byte {at} is not"),
        )
    })?;
    let mut state = State::default();
    let mut json = serde_json::Deserializer::from_str(text);
    let tree = Tree {
        depth: MAX_DEPTH,
        state: &mut state,
    };
    let value = tree
        .deserialize(&mut json)
        .and_then(|value| json.end().map(|()| value));
    value.map_err(|error| state.problem(&error))
}

/// What the reading has counted, and where it failed.
#[derive(Default)]
struct State {
    values: usize,
    refused: Option<(ProblemCode, &'static str)>,
    /// Steps from the innermost value outwards, gathered as the failure travels out.
    steps: Vec<String>,
}

impl State {
    fn refuse<E: Error>(&mut self, code: ProblemCode, what: &'static str) -> E {
        self.refused = Some((code, what));
        E::custom(what)
    }

    fn problem(&self, error: &serde_json::Error) -> Problem {
        // Serde tells its causes apart in words alone; a test holds it to these.
        let raw_control = || error.to_string().starts_with("control character");
        let (code, what) = match self.refused {
            Some(refused) => refused,
            None if error.is_eof() => (ProblemCode::Malformed, "the text ends too early"),
            None if raw_control() => (
                ProblemCode::ControlCharacter,
                "a control character must be written as an escape",
            ),
            None => (ProblemCode::Malformed, "this is not JSON"),
        };
        let pointer = self
            .steps
            .iter()
            .rev()
            .fold(String::new(), |pointer, step| {
                format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
            });
        let (line, column) = (error.line(), error.column());
        Problem::new(
            code,
            pointer,
            format!("{what} (line {line}, byte {column})"),
        )
    }
}

/// Reads one value, at most `depth` levels deep.
struct Tree<'a> {
    depth: usize,
    state: &'a mut State,
}

impl Tree<'_> {
    fn inner(&mut self) -> Tree<'_> {
        Tree {
            depth: self.depth.saturating_sub(1),
            state: self.state,
        }
    }

    fn enter<E: Error>(&mut self) -> Result<(), E> {
        if self.depth == 0 {
            return Err(self
                .state
                .refuse(ProblemCode::TooDeep, "this is nested too deeply"));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Node<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Node<'de>, D::Error> {
        self.state.values = self.state.values.saturating_add(1);
        if self.state.values > MAX_VALUES {
            return Err(self
                .state
                .refuse(ProblemCode::TooLarge, "the body holds too many values"));
        }
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Number(value.into()))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Node<'de>, A::Error> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            match list.next_element_seed(self.inner()) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => return Ok(Node::List(items)),
                Err(error) => {
                    self.state.steps.push(items.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut list: A) -> Result<Node<'de>, A::Error> {
        self.enter()?;
        let mut members: Vec<Member<'de>> = Vec::new();
        let mut known = HashSet::new();
        while let Some(key) = list.next_key_seed(Key)? {
            if stands_already(&key, &members, &mut known) {
                self.state.steps.push(key.into_owned());
                return Err(self
                    .state
                    .refuse(ProblemCode::TooMany, "the key stands twice"));
            }
            match list.next_value_seed(self.inner()) {
                Ok(value) => members.push((key, value)),
                Err(error) => {
                    self.state.steps.push(key.into_owned());
                    return Err(error);
                }
            }
        }
        Ok(Node::Object(members))
    }
}

/// Whether one of `members` has the key. `known` holds their keys once they are many.
#[expect(
    clippy::ptr_arg,
    reason = "a borrowed key is kept as it is, for as long as the body"
)]
fn stands_already<'de>(
    key: &Cow<'de, str>,
    members: &[Member<'de>],
    known: &mut HashSet<Cow<'de, str>>,
) -> bool {
    if members.len() < COMPARED_KEYS {
        return members.iter().any(|(other, _)| other == key);
    }
    if known.is_empty() {
        known.extend(members.iter().map(|(other, _)| other.clone()));
    }
    !known.insert(key.clone())
}

/// Reads a key.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Cow<'de, str>, D::Error> {
        json.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(key))
    }
    fn visit_str<E>(self, key: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_not_strict_json_is_refused_with_its_place() {
        use ProblemCode::{ControlCharacter, Malformed, NotText, TooDeep, TooMany};
        let deep = format!("{}1{}", "[".repeat(65), "]".repeat(65));
        let check = |body: &[u8], code, pointer: &str| {
            let problem = parse(body).unwrap_err();
            assert_eq!(
                (problem.code, problem.pointer.as_str()),
                (code, pointer),
                "{problem}"
            );
        };
        check(b"", Malformed, "");
        check(b"nul", Malformed, "");
        check(b"{\"a\":[1,", Malformed, "/a/1");
        check(b"{\"a\":[1,}", Malformed, "/a/1");
        check(b"{\"a\":01}", Malformed, "/a");
        check(b"{} {}", Malformed, "");
        check(b"{\"a\":\"\xff\"}", NotText, "");
        check(b"{\"a\":\"x\ny\"}", ControlCharacter, "/a");
        check(b"{\"a\":\"x\ty\"}", ControlCharacter, "/a");
        check(b"{\"a\":\"x\0y\"}", ControlCharacter, "/a");
        check(b"{\"a\":\n\n[\"\x1b\"]}", ControlCharacter, "/a/0");
        check(b"{\"a\":\"\\ud800\"}", Malformed, "/a");
        check(b"{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", TooMany, "/b/c");
        check(b"{\"a/b\":1,\"a/b\":2}", TooMany, "/a~1b");
        check(deep.as_bytes(), TooDeep, &"/0".repeat(64));
        let fits = format!("{}1{}", "[".repeat(64), "]".repeat(64));
        assert!(parse(fits.as_bytes()).is_ok());
        assert!(parse("\u{feff}{\"a\":1.5}".as_bytes()).is_ok());
    }

    #[test]
    fn a_body_of_very_many_small_values_is_refused() {
        let body = format!("[{}0]", "0,".repeat(MAX_VALUES));
        assert_eq!(
            parse(body.as_bytes()).unwrap_err().code,
            ProblemCode::TooLarge
        );
    }
}
