//! JSON text ⇄ [`Node`], strict (RFC 8259) and without floating point.
//!
//! FHIR asks for the digits of a decimal as they were sent (`10.00` is not `10.0`), which a reader
//! through `f64` cannot give. What is refused: anything but UTF-8 (a byte order mark is let pass),
//! raw control characters inside strings, a key that stands twice, unpaired surrogates, text after
//! the value, more depth or more values than the limits below. It must stay free of panics on any input.

use super::tree::{Member, Node, push_step};
use crate::MAX_DEPTH;
use std::borrow::Cow;
use std::fmt::Write as _;
use takmil_domain::problem::{Problem, ProblemCode};

/// How many values a body may hold: a claim of 10,000 lines has some 500,000. It bounds memory, as a
/// value of one byte (`0,`) takes some forty in the tree.
pub(crate) const MAX_NODES: usize = 4_000_000;

/// Reads one JSON value from a whole body.
///
/// # Errors
/// One [`Problem`], the first met, with the pointer to the innermost value being read and the line
/// and byte (from 1) in its sentence.
pub(crate) fn parse(body: &[u8]) -> Result<Node<'_>, Problem> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        let detail = format!(
            "JSON must be UTF-8; byte {} is not",
            error.valid_up_to().saturating_add(1)
        );
        Problem::new(ProblemCode::NotText, "", detail)
    })?;
    let mut parser = Parser {
        text,
        at: 0,
        nodes: 0,
    };
    let parsed =
        parser
            .skip_space()
            .value(MAX_DEPTH)
            .and_then(|node| match parser.skip_space().peek() {
                None => Ok(node),
                Some(_) => Err(Fault::malformed("text follows after the end of the value")),
            });
    parsed.map_err(|fault| {
        let before = body.get(..parser.at).unwrap_or(body);
        let line = before
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            .saturating_add(1);
        let detail = format!(
            "{} (line {line}, byte {})",
            fault.what,
            parser.at.saturating_add(1)
        );
        Problem::new(fault.code, fault.pointer, detail)
    })
}

/// How many bytes the answer to a small claim takes.
pub(crate) const USUAL_ANSWER: usize = 8 * 1024;

/// Writes `node` as JSON without spaces.
pub(crate) fn render(node: &Node<'_>) -> String {
    let mut out = String::with_capacity(USUAL_ANSWER);
    write_value(node, &mut out);
    out
}

/// Whether `text` is a number in JSON's grammar, and nothing else.
pub(crate) fn is_number(text: &str) -> bool {
    let mut parser = Parser {
        text,
        at: 0,
        nodes: 0,
    };
    parser.number().is_ok() && parser.peek().is_none()
}

/// What went wrong, while it travels from the innermost value outwards.
struct Fault {
    code: ProblemCode,
    what: &'static str,
    pointer: String,
}

impl Fault {
    fn new(code: ProblemCode, what: &'static str) -> Self {
        Self {
            code,
            what,
            pointer: String::new(),
        }
    }

    fn malformed(what: &'static str) -> Self {
        Self::new(ProblemCode::Malformed, what)
    }

    /// The same fault seen from the container that holds the faulty value under `step`. Built on the
    /// way out, so that a good body pays nothing for pointers.
    fn inside(mut self, step: &str) -> Self {
        let mut pointer = "/".to_owned();
        push_step(step, &mut pointer);
        self.pointer.insert_str(0, &pointer);
        self
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The next byte to read; always on a character's border when a value starts or ends.
    at: usize,
    nodes: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    fn skip_space(&mut self) -> &mut Self {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at = self.at.saturating_add(1);
        }
        self
    }

    /// Reads a value that may nest `depth` levels further.
    fn value(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > MAX_NODES {
            return Err(Fault::new(
                ProblemCode::TooLarge,
                "the body holds more values than the hub reads",
            ));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Node::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Node::Bool(true)),
            Some(b'f') => self.word("false", Node::Bool(false)),
            Some(b'n') => self.word("null", Node::Null),
            Some(_) => Err(Fault::malformed("a value was expected")),
            None => Err(Fault::malformed("the body ends where a value was expected")),
        }
    }

    fn descend(&mut self, depth: usize) -> Result<usize, Fault> {
        let too_deep = || {
            Fault::new(
                ProblemCode::TooDeep,
                "objects and lists are nested too deeply",
            )
        };
        let below = depth.checked_sub(1).ok_or_else(too_deep)?;
        self.at = self.at.saturating_add(1);
        self.skip_space();
        Ok(below)
    }

    fn object(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        let below = self.descend(depth)?;
        let mut members = Vec::new();
        if self.take(b'}') {
            return Ok(Node::Object(members));
        }
        loop {
            if self.skip_space().peek() != Some(b'"') {
                return Err(Fault::malformed("a key in quotes was expected"));
            }
            let key = self.string()?;
            if !self.skip_space().take(b':') {
                return Err(Fault::malformed("a colon was expected after the key").inside(&key));
            }
            let value = self
                .skip_space()
                .value(below)
                .map_err(|fault| fault.inside(&key))?;
            members.push((key, value));
            if self.skip_space().take(b',') {
                continue;
            }
            if !self.take(b'}') {
                return Err(Fault::malformed("a comma or a closing brace was expected"));
            }
            return match repeated_key(&members) {
                None => Ok(Node::Object(members)),
                Some(key) => {
                    let what = "a key stands twice in the object that ends here";
                    Err(Fault::new(ProblemCode::TooMany, what).inside(key))
                }
            };
        }
    }

    fn array(&mut self, depth: usize) -> Result<Node<'a>, Fault> {
        let below = self.descend(depth)?;
        let mut items = Vec::new();
        if self.take(b']') {
            return Ok(Node::Array(items));
        }
        loop {
            let item = self.skip_space().value(below);
            items.push(item.map_err(|fault| fault.inside(&items.len().to_string()))?);
            if self.skip_space().take(b',') {
                continue;
            }
            if !self.take(b']') {
                return Err(Fault::malformed(
                    "a comma or a closing bracket was expected",
                ));
            }
            return Ok(Node::Array(items));
        }
    }

    fn word(&mut self, word: &str, node: Node<'a>) -> Result<Node<'a>, Fault> {
        if !self
            .text
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word))
        {
            return Err(Fault::malformed("a value was expected"));
        }
        self.at = self.at.saturating_add(word.len());
        Ok(node)
    }

    fn number(&mut self) -> Result<Node<'a>, Fault> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _ = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        match self.peek() {
            Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') => {
                Err(Fault::malformed("a number is not in JSON's form"))
            }
            _ => Ok(Node::number(
                self.text.get(start..self.at).unwrap_or_default(),
            )),
        }
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at = self.at.saturating_add(1);
        }
        if self.at == start {
            Err(Fault::malformed("a number lacks a digit"))
        } else {
            Ok(())
        }
    }

    /// Reads a string from its opening to its closing quote.
    fn string(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at = self.at.saturating_add(1);
        let mut out = Cow::Borrowed(self.plain());
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at = self.at.saturating_add(1);
                    return Ok(out);
                }
                Some(b'\\') => {
                    let escaped = self.escape()?;
                    let out = out.to_mut();
                    out.push(escaped);
                    out.push_str(self.plain());
                }
                Some(_) => {
                    let what = "a raw control character stands in a string; write it as an escape";
                    return Err(Fault::new(ProblemCode::ControlCharacter, what));
                }
                None => return Err(Fault::malformed("the body ends inside a string")),
            }
        }
    }

    /// What stands in a string as it is, up to the next quote, escape or control character.
    fn plain(&mut self) -> &'a str {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let start = self.at;
        self.at = self.at.saturating_add(plain_length(rest));
        self.text.get(start..self.at).unwrap_or_default()
    }

    fn escape(&mut self) -> Result<char, Fault> {
        self.at = self.at.saturating_add(1);
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => {
                return Err(Fault::malformed(
                    "an escape in a string is not one of JSON's",
                ));
            }
        };
        self.at = self.at.saturating_add(1);
        Ok(plain)
    }

    /// Reads `uXXXX`, and the second half of a surrogate pair with it.
    fn unicode(&mut self) -> Result<char, Fault> {
        let first = self.four_digits()?;
        let point = match first {
            0xd800..=0xdbff if self.take(b'\\') && self.peek() == Some(b'u') => {
                let second = self.four_digits()?;
                let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
                low.map(|low| 0x10000 + ((first & 0x3ff) << 10) + low)
            }
            _ => Some(first),
        };
        let unpaired = || Fault::malformed("half of a surrogate pair stands alone");
        point.and_then(char::from_u32).ok_or_else(unpaired)
    }

    fn four_digits(&mut self) -> Result<u32, Fault> {
        let start = self.at.saturating_add(1);
        let end = start.saturating_add(4);
        let digits = self
            .text
            .get(start..end)
            .filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let value =
            value.ok_or_else(|| Fault::malformed("an escape lacks its four hexadecimal digits"))?;
        self.at = end;
        Ok(value)
    }
}

/// A key that stands twice. Objects of FHIR are small, so pairs are compared; a hostile one is sorted.
fn repeated_key<'m>(members: &'m [Member<'_>]) -> Option<&'m str> {
    if members.len() <= 24 {
        let mut rest = members;
        while let [(key, _), tail @ ..] = rest {
            if tail.iter().any(|(other, _)| other == key) {
                return Some(key);
            }
            rest = tail;
        }
        return None;
    }
    let mut keys: Vec<&str> = members.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.array_windows()
        .find(|[one, next]| one == next)
        .map(|[key, _]| *key)
}

fn write_value(node: &Node<'_>, out: &mut String) {
    match node {
        Node::Null => out.push_str("null"),
        Node::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Node::Number(text) => out.push_str(text),
        Node::String(text) => write_string(text, out),
        Node::Array(items) => {
            let mut before = '[';
            for item in items {
                out.push(before);
                write_value(item, out);
                before = ',';
            }
            out.push_str(if items.is_empty() { "[]" } else { "]" });
        }
        Node::Object(members) => {
            let mut before = '{';
            for (key, value) in members {
                out.push(before);
                write_string(key, out);
                out.push(':');
                write_value(value, out);
                before = ',';
            }
            out.push_str(if members.is_empty() { "{}" } else { "}" });
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        let (before, after) = rest
            .split_at_checked(plain_length(rest.as_bytes()))
            .unwrap_or((rest, ""));
        out.push_str(before);
        let mut letters = after.chars();
        match letters.next() {
            Some('"') => out.push_str("\\\""),
            Some('\\') => out.push_str("\\\\"),
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(control) => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            None => break,
        }
        rest = letters.as_str();
    }
    out.push('"');
}

/// How many bytes of a string stand in JSON as they are, before the first quote, backslash or control
/// character. Eight are looked at at once, as most of a body is inside of strings.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const TOPS: u64 = ONES << 7;
    // The top bit of the first byte that is below `bound` is set; above it, others may be by mistake.
    let below = |word: u64, bound: u8| word.wrapping_sub(ONES * u64::from(bound)) & !word & TOPS;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut length = 0_usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
        let ends = is(b'"') | is(b'\\') | below(word, b' ');
        if ends != 0 {
            return length.saturating_add(ends.trailing_zeros() as usize / 8);
        }
        length = length.saturating_add(8);
    }
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    length.saturating_add(rest.iter().position(ends).unwrap_or(rest.len()))
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]

    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_their_digits_and_text_its_characters() {
        let text = r#"{"a":[1,-0,10.00,1e400,0.1234567890123456789012,true,false,null],"b":"\u062a\ud83d\ude00\n/","c":{},"d":[]}"#;
        let tree = parse(text.as_bytes()).unwrap();
        assert_eq!(tree.list("a")[2].as_number(), Some("10.00"));
        assert_eq!(
            tree.list("a")[4].as_number(),
            Some("0.1234567890123456789012")
        );
        assert_eq!(tree.text("b"), Some("ت😀\n/"));
        let again = render(&tree);
        assert_eq!(
            again,
            text.replace(r"\u062a", "ت").replace(r"\ud83d\ude00", "😀")
        );
        assert_eq!(parse(again.as_bytes()).unwrap(), tree);
        assert_eq!(
            parse(b"\xef\xbb\xbf {} \r\n").unwrap(),
            Node::Object(Vec::new())
        );
    }

    #[test]
    fn the_plain_part_of_a_string_ends_at_the_first_byte_that_is_not() {
        let neighbours = [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff];
        for length in 0..40 {
            let plain: Vec<u8> = neighbours.into_iter().cycle().take(length).collect();
            assert_eq!(plain_length(&plain), length);
            for end in [b'"', b'\\', 0, 1, 0x1f] {
                let ended = [&plain[..], &[end], &[end; 9]].concat();
                assert_eq!(plain_length(&ended), length, "{end}");
            }
        }
    }

    #[test]
    fn a_broken_body_is_refused_with_the_place_where_it_broke() {
        let table: &[(&[u8], ProblemCode, &str, &str)] = &[
            (b"", ProblemCode::Malformed, "", "byte 1)"),
            (
                b"{\"a\":[1,\n{\"b\":}]}",
                ProblemCode::Malformed,
                "/a/1/b",
                "line 2, byte 15",
            ),
            (b"{} x", ProblemCode::Malformed, "", "byte 4"),
            (b"{\"a\":1,}", ProblemCode::Malformed, "", "key"),
            (b"{\"a\" 1}", ProblemCode::Malformed, "/a", "colon"),
            (b"[1 2]", ProblemCode::Malformed, "", "comma"),
            (b"[01]", ProblemCode::Malformed, "/0", "number"),
            (b"[1.]", ProblemCode::Malformed, "/0", "digit"),
            (b"[-]", ProblemCode::Malformed, "/0", "digit"),
            (b"[.5]", ProblemCode::Malformed, "/0", "value"),
            (b"[1e]", ProblemCode::Malformed, "/0", "digit"),
            (b"[NaN]", ProblemCode::Malformed, "/0", "value"),
            (b"[truth]", ProblemCode::Malformed, "/0", "value"),
            (b"[\"\\x\"]", ProblemCode::Malformed, "/0", "escape"),
            (b"[\"\\u12\"]", ProblemCode::Malformed, "/0", "four"),
            (b"[\"\\ud800\"]", ProblemCode::Malformed, "/0", "surrogate"),
            (
                b"[\"\\ud800\\u0041\"]",
                ProblemCode::Malformed,
                "/0",
                "surrogate",
            ),
            (b"[\"\\udc00\"]", ProblemCode::Malformed, "/0", "surrogate"),
            (b"[\"abc", ProblemCode::Malformed, "/0", "inside a string"),
            (
                b"{\"item\":[{\"x~y\":\"a\tb\"}]}",
                ProblemCode::ControlCharacter,
                "/item/0/x~0y",
                "byte 19",
            ),
            (
                b"{\"a\":1,\"b\":2,\"a\":3}",
                ProblemCode::TooMany,
                "/a",
                "twice",
            ),
            (b"\xff\xfe{\0}\0", ProblemCode::NotText, "", "byte 1 "),
            (b"{\"a\":\"\xc0\xaf\"}", ProblemCode::NotText, "", "byte 7 "),
        ];
        for (body, code, pointer, detail) in table {
            let problem = parse(body).expect_err(&String::from_utf8_lossy(body));
            let body = String::from_utf8_lossy(body);
            assert_eq!(
                (problem.code, problem.pointer.as_str()),
                (*code, *pointer),
                "{body}: {problem}"
            );
            assert!(problem.detail.contains(detail), "{body}: {problem}");
        }
    }

    #[test]
    fn depth_and_the_number_of_values_have_limits() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        for body in [
            nested(MAX_DEPTH + 1),
            "[".repeat(5_000_000),
            "{\"a\":".repeat(1_000_000),
        ] {
            assert_eq!(
                parse(body.as_bytes()).unwrap_err().code,
                ProblemCode::TooDeep
            );
        }
        let many = format!("[{}0]", "0,".repeat(MAX_NODES));
        assert_eq!(
            parse(many.as_bytes()).unwrap_err().code,
            ProblemCode::TooLarge
        );
    }

    #[test]
    fn a_key_that_stands_twice_among_many_is_found() {
        let keys: Vec<String> = (0..100_000)
            .map(|n| format!("\"k{}\":0", n % 99_999))
            .collect();
        let problem = parse(format!("{{{}}}", keys.join(",")).as_bytes()).unwrap_err();
        assert_eq!(
            (problem.code, problem.pointer.as_str()),
            (ProblemCode::TooMany, "/k0")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }

        #[test]
        fn it_agrees_with_serde_json_on_what_json_is(body in "[\\[\\]{}:,\"\\\\u0-9a-eE.+ tn-]{0,24}") {
            let other: Result<serde_json::Value, _> = serde_json::from_str(&body);
            match parse(body.as_bytes()) {
                Ok(tree) => prop_assert!(other.is_ok() || render(&tree).contains(['e', 'E']), "{body}"),
                // Keys that stand twice are this reader's own refusal.
                Err(problem) => prop_assert!(other.is_err() || problem.code == ProblemCode::TooMany, "{body}"),
            }
        }
    }
}
