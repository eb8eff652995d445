//! The vertical-bar syntax of HL7 v2: separators, segments, fields, repetitions, components, escapes. It knows no
//! segment but the headers, and remembers what was read of each, so that the rest can be told as unread.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use takmil_domain::problem::{Problem, ProblemCode};

/// How many segments one message may have: a bill of the most lines that are taken, each with its details.
const MAX_SEGMENTS: usize = 100_000;

/// The characters that a message's parts are separated by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Separators {
    pub(super) field: char,
    pub(super) component: char,
    pub(super) repetition: char,
    pub(super) escape: Option<char>,
    pub(super) subcomponent: Option<char>,
}

impl Separators {
    /// Those that nearly all senders use.
    pub(super) const USUAL: Separators = Separators {
        field: '|',
        component: '^',
        repetition: '~',
        escape: Some('\\'),
        subcomponent: Some('&'),
    };

    /// Those that a header segment names; the sentence says what is wrong with them.
    pub(super) fn of(header: &str) -> Result<Separators, &'static str> {
        let mut letters = header.chars().skip(3);
        let field = letters.next().ok_or("the field separator is missing")?;
        let mut named: Vec<char> = letters.take_while(|letter| *letter != field).collect();
        // An escape character written twice is a slip of programs that escape it themselves.
        if let [_, _, third, fourth, _, ..] = named[..]
            && third == fourth
        {
            named.remove(3);
        }
        let (component, repetition) = match named[..] {
            [component] => (component, Self::USUAL.repetition),
            [component, repetition, ..] => (component, repetition),
            [] => return Err("the encoding characters are missing"),
        };
        if named.len() > 5 {
            return Err("more than five encoding characters are named");
        }
        let all: Vec<char> = std::iter::once(field)
            .chain(named.iter().copied())
            .collect();
        let is_odd = |letter: &char| letter.is_alphanumeric() || letter.is_whitespace();
        let distinct: BTreeSet<&char> = all.iter().collect();
        if all.iter().any(is_odd) || distinct.len() != all.len() {
            return Err("the separators are not distinct marks");
        }
        Ok(Separators {
            field,
            component,
            repetition,
            escape: named.get(2).copied(),
            subcomponent: named.get(3).copied(),
        })
    }
}

/// One segment.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    /// Its three letters.
    pub(super) name: &'a str,
    /// Which of its name it is in the message, from 1.
    pub(super) index: usize,
    /// Where its message stands in a body of several.
    prefix: &'a str,
    separators: Separators,
    /// What stands between its field separators, the first after its name.
    slots: Vec<Slot<'a>>,
    /// Whether anything of it was read, were it only a field that it does not have.
    is_read: Cell<bool>,
}

/// What stands between two field separators.
#[derive(Debug)]
struct Slot<'a> {
    raw: &'a str,
    /// The components that were read, a bit for each; bit 0 stands for all of them, the last for any beyond.
    read: Cell<u64>,
}

/// Splits one message, from its header on, into its segments.
///
/// # Errors
/// The first thing that is no segment.
pub(super) fn segments<'a>(
    text: &'a str,
    prefix: &'a str,
) -> Result<(Vec<Segment<'a>>, Separators), Problem> {
    let malformed = |place: String, detail: &str| {
        Problem::new(ProblemCode::Malformed, format!("{prefix}{place}"), detail)
    };
    let separators =
        Separators::of(text).map_err(|detail| malformed("/MSH[1]-2".to_owned(), detail))?;
    let mut found: Vec<Segment<'a>> = Vec::new();
    let mut counts: FxHashMap<&str, usize> = FxHashMap::default();
    for (number, line) in lines(text).enumerate() {
        if number >= MAX_SEGMENTS {
            let detail = format!("a message has at most {MAX_SEGMENTS} segments");
            return Err(Problem::new(ProblemCode::TooLarge, prefix, detail));
        }
        let name = line.get(..3).filter(|name| {
            let letters = name.as_bytes();
            letters.first().is_some_and(u8::is_ascii_uppercase)
                && letters
                    .iter()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        });
        let rest = line.get(3..).unwrap_or_default();
        let Some(name) = name.filter(|_| rest.is_empty() || rest.starts_with(separators.field))
        else {
            let after = found
                .last()
                .map_or_else(String::new, Segment::place_in_message);
            let detail = format!(
                "segment {} of the message is none: it lacks a name of three capitals or digits and a separator",
                number.saturating_add(1)
            );
            return Err(malformed(after, &detail));
        };
        let count = counts.entry(name).or_default();
        *count = count.saturating_add(1);
        found.push(Segment {
            name,
            index: *count,
            prefix,
            separators,
            slots: slots(rest, separators.field),
            is_read: Cell::new(false),
        });
    }
    Ok((found, separators))
}

/// The fields of a segment's text behind its name.
fn slots(rest: &str, separator: char) -> Vec<Slot<'_>> {
    let slot = |raw| Slot {
        raw,
        read: Cell::new(0),
    };
    rest.split(separator).skip(1).map(slot).collect()
}

/// The bit of a component.
fn bit(component: usize) -> u64 {
    1 << component.min(63)
}

/// The lines of a text that end with a carriage return, a line feed or both; empty ones are left out.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let framing = |letter: char| matches!(letter, '\u{b}' | '\u{1c}' | '\u{feff}');
    text.split(['\r', '\n'])
        .map(move |line| line.trim_matches(framing))
        .filter(|line| !line.trim().is_empty())
}

impl<'a> Segment<'a> {
    fn place_in_message(&self) -> String {
        format!("/{}[{}]", self.name, self.index)
    }

    /// Where it stands: `/PID[1]`.
    pub(super) fn place(&self) -> String {
        format!("{}{}", self.prefix, self.place_in_message())
    }

    /// Where a field of it stands: `/PID[1]-3`.
    pub(super) fn place_of(&self, field: usize) -> String {
        format!("{}-{field}", self.place())
    }

    /// A field by its number from 1. A header's separators are its first two.
    pub(super) fn field(&self, number: usize) -> Field<'_> {
        Field {
            segment: self,
            number,
            raw: self.raw(number),
        }
    }

    /// A field as it stands. In a header the first separator is the first field itself.
    pub(super) fn raw(&self, number: usize) -> &'a str {
        self.slot(number).map_or("", |slot| slot.raw)
    }

    fn slot(&self, number: usize) -> Option<&Slot<'a>> {
        let before = 1 + usize::from(self.is_header());
        self.slots.get(number.checked_sub(before)?)
    }

    fn is_header(&self) -> bool {
        matches!(self.name, "MSH" | "BHS" | "FHS")
    }

    /// The first component of a field's first repetition.
    pub(super) fn text(&self, field: usize) -> Option<String> {
        self.field(field).first().component(1).text()
    }

    /// Takes a field as read, without looking at it.
    pub(super) fn skip(&self, fields: &[usize]) {
        for field in fields {
            self.mark(*field, 0);
        }
    }

    /// Adds the places in it that hold something and were not read.
    pub(super) fn unread(&self, places: &mut Vec<String>) {
        if !self.is_read.get() && !self.is_header() {
            places.push(self.place());
            return;
        }
        // The separators of a header were read with it.
        let (before, offset) = if self.is_header() { (1, 2) } else { (0, 1) };
        for (at, slot) in self.slots.iter().enumerate().skip(before) {
            let (read, number) = (slot.read.get(), at.saturating_add(offset));
            if read & bit(0) != 0 || is_nothing(slot.raw) {
                continue;
            }
            if read == 0 {
                places.push(self.place_of(number));
                continue;
            }
            for repeat in self.field(number).all() {
                let parts = repeat.raw.split(self.separators.component).enumerate();
                for (index, part) in parts {
                    let component = index.saturating_add(1);
                    if read & bit(component) == 0 && !is_nothing(part) {
                        places.push(format!("{}.{component}", repeat.place()));
                    }
                }
            }
        }
    }

    fn mark(&self, field: usize, component: usize) {
        self.is_read.set(true);
        if let Some(slot) = self.slot(field) {
            slot.read.set(slot.read.get() | bit(component));
        }
    }
}

/// Whether a value is empty, or the two quotes that stand for "delete what you have".
fn is_nothing(raw: &str) -> bool {
    raw.is_empty() || matches!(raw.trim(), "" | "\"\"")
}

/// One field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'s> {
    segment: &'s Segment<'s>,
    number: usize,
    raw: &'s str,
}

impl<'s> Field<'s> {
    fn all(&self) -> impl Iterator<Item = Repeat<'s>> + use<'s> {
        let (segment, field) = (self.segment, self.number);
        self.raw
            .split(segment.separators.repetition)
            .enumerate()
            .map(move |(at, raw)| Repeat {
                segment,
                field,
                number: at.saturating_add(1),
                raw,
            })
    }

    /// Its repetitions that say something.
    pub(super) fn repeats(&self) -> impl Iterator<Item = Repeat<'s>> + use<'s> {
        self.all().filter(|repeat| !is_nothing(repeat.raw))
    }

    /// Its first repetition that says something, else an empty one.
    pub(super) fn first(&self) -> Repeat<'s> {
        let said = match self.raw {
            "" => None,
            _ => self.repeats().next(),
        };
        said.unwrap_or(Repeat {
            segment: self.segment,
            field: self.number,
            number: 1,
            raw: "",
        })
    }
}

/// One repetition of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Repeat<'s> {
    segment: &'s Segment<'s>,
    field: usize,
    number: usize,
    raw: &'s str,
}

impl<'s> Repeat<'s> {
    /// Whether there is nothing in it; it counts as read.
    pub(super) fn is_empty(&self) -> bool {
        self.segment.is_read.set(true);
        self.raw.is_empty()
    }

    /// A component by its number from 1.
    pub(super) fn component(&self, number: usize) -> Part<'s> {
        self.segment.mark(self.field, number);
        // Most fields of most segments are empty.
        let raw = match self.raw {
            "" => None,
            raw => raw
                .split(self.segment.separators.component)
                .nth(number.saturating_sub(1)),
        };
        Part {
            repeat: *self,
            number,
            raw: raw.unwrap_or_default(),
        }
    }

    /// All of it as words: separators that a sender forgot to escape are part of them.
    pub(super) fn words(&self) -> Option<String> {
        self.segment.mark(self.field, 0);
        told(self.raw, self.segment.separators)
    }

    /// Where it stands: `/PID[1]-3[2]`.
    pub(super) fn place(&self) -> String {
        format!("{}[{}]", self.segment.place_of(self.field), self.number)
    }
}

/// One component.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'s> {
    repeat: Repeat<'s>,
    number: usize,
    raw: &'s str,
}

impl Part<'_> {
    /// A subcomponent by its number from 1.
    pub(super) fn sub(&self, number: usize) -> Option<String> {
        if self.raw.is_empty() {
            return None;
        }
        let separators = self.repeat.segment.separators;
        let raw = match separators.subcomponent {
            Some(separator) => self.raw.split(separator).nth(number.saturating_sub(1)),
            None => (number == 1).then_some(self.raw),
        };
        told(raw?, separators)
    }

    /// Its first subcomponent.
    pub(super) fn text(&self) -> Option<String> {
        self.sub(1)
    }

    /// Where it stands: `/PID[1]-3[2].4`.
    pub(super) fn place(&self) -> String {
        format!("{}.{}", self.repeat.place(), self.number)
    }
}

/// A value without its escapes and without space around it; `None` where it says nothing.
fn told(raw: &str, separators: Separators) -> Option<String> {
    if is_nothing(raw) {
        return None;
    }
    match unescape(raw, separators).trim() {
        "" => None,
        text => Some(text.to_owned()),
    }
}

/// Replaces escape sequences by what they stand for. One that is not known stays as it is.
pub(super) fn unescape(raw: &str, separators: Separators) -> Cow<'_, str> {
    let Some(escape) = separators.escape.filter(|escape| raw.contains(*escape)) else {
        return Cow::Borrowed(raw);
    };
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once(escape) {
        out.push_str(before);
        let Some((inside, behind)) = after.split_once(escape) else {
            out.push(escape);
            rest = after;
            continue;
        };
        match stands_for(inside, separators) {
            Some(text) => {
                out.push_str(&text);
                rest = behind;
            }
            // What follows may start a sequence that is known.
            None => {
                out.push(escape);
                rest = after;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn stands_for(inside: &str, separators: Separators) -> Option<String> {
    let letter = |letter: char| Some(letter.to_string());
    match inside {
        "F" => letter(separators.field),
        "S" => letter(separators.component),
        "T" => letter(separators.subcomponent.unwrap_or('&')),
        "R" => letter(separators.repetition),
        "E" => letter(separators.escape.unwrap_or('\\')),
        "P" => letter('#'),
        // Where highlighting begins and ends.
        "H" | "N" => Some(String::new()),
        ".br" | ".sp" | ".ce" => Some("\n".to_owned()),
        ".fi" | ".nf" => Some(String::new()),
        _ => hexadecimal(inside.strip_prefix('X')?),
    }
}

/// Bytes in hexadecimal as text, where they stand for some that a message may hold.
fn hexadecimal(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let bytes: Vec<u8> = pairs.map(byte).collect::<Option<_>>()?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error
            .as_bytes()
            .iter()
            .map(|byte| char::from(*byte))
            .collect(),
    };
    let holds = |letter: char| !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
    (!text.is_empty() && text.chars().all(holds)).then_some(text)
}

/// Writes a value so that no separator in it counts as one.
pub(super) fn escape(text: &str, separators: Separators) -> String {
    let mut out = String::with_capacity(text.len());
    let mark = separators.escape;
    for letter in text.chars() {
        let name = match letter {
            _ if letter == separators.field => "F",
            _ if letter == separators.component => "S",
            _ if letter == separators.repetition => "R",
            _ if Some(letter) == separators.subcomponent => "T",
            _ if Some(letter) == mark => "E",
            '\r' | '\n' => ".br",
            _ if letter.is_control() => continue,
            _ => {
                out.push(letter);
                continue;
            }
        };
        // Without an escape character such a letter cannot be said.
        match mark {
            Some(mark) => out.extend([mark].into_iter().chain(name.chars()).chain([mark])),
            None => out.push(' '),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        reason = "a test fails by panicking"
    )]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_place_leads_to_a_component() {
        let (segments, _) = segments("MSH|^~\\&|A\rPID|1||a^b~c^^^d&e|", "").unwrap();
        let [msh, pid] = &segments[..] else {
            panic!("two segments")
        };
        assert_eq!(msh.text(3).as_deref(), Some("A"));
        assert_eq!(msh.field(2).raw, "^~\\&");
        let second = pid.field(3).repeats().nth(1).unwrap();
        let authority = second.component(4);
        assert_eq!(authority.sub(2).as_deref(), Some("e"));
        assert_eq!(authority.place(), "/PID[1]-3[2].4");
        assert_eq!(
            {
                let mut places = Vec::new();
                pid.unread(&mut places);
                places
            },
            [
                "/PID[1]-1",
                "/PID[1]-3[1].1",
                "/PID[1]-3[1].2",
                "/PID[1]-3[2].1"
            ]
        );
    }

    #[test]
    fn escapes_stand_for_what_they_name() {
        let check = |raw: &str, expected: &str| {
            assert_eq!(unescape(raw, Separators::USUAL), expected, "{raw}");
        };
        check(r"a\F\b\S\c\T\d\R\e\E\f", r"a|b^c&d~e\f");
        check(r"one\.br\two\X0D\\X0A\three", "one\ntwo\r\nthree");
        check(r"\XC3A9\ \XE9\ \X00\", "é é \\X00\\");
        check(r"\H\loud\N\ \Zx\ \", "loud \\Zx\\ \\");
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_as_it_was(text in "[ -~\u{600}-\u{6ff}]{0,40}") {
            let escaped = escape(&text, Separators::USUAL);
            prop_assert_eq!(unescape(&escaped, Separators::USUAL), text);
        }
    }
}
