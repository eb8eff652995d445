//! Separators, segments and elements of ASC X12: slices of the body, nothing copied.
//!
//! The four separators are what the fixed-length ISA says they are. Line breaks and indentation between segments
//! are allowed and mean nothing.

use std::cell::Cell;

/// How many bytes an ISA has, its terminator counted.
pub(super) const ISA_BYTES: usize = 106;

/// Where the sixteen element separators of an ISA stand.
const ISA_SEPARATORS: [usize; 16] = [
    3, 6, 17, 20, 31, 34, 50, 53, 69, 76, 81, 83, 89, 99, 101, 103,
];

/// The characters that an interchange is cut with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Separators {
    /// Between elements.
    pub element: u8,
    /// Between the components of an element.
    pub component: u8,
    /// Between repetitions of an element; versions before 4020 have none.
    pub repetition: Option<u8>,
    /// At the end of a segment.
    pub terminator: u8,
}

impl Separators {
    /// What the ISA at the start of `bytes` says; `None` where that is no whole ISA of the fixed lengths.
    pub(super) fn of(bytes: &[u8]) -> Option<Separators> {
        let isa = bytes.get(..ISA_BYTES)?;
        let at = |place: usize| isa.get(place).copied();
        let element = at(3)?;
        let found = isa.iter().enumerate().take(ISA_BYTES - 2);
        let places = found.filter_map(|(place, byte)| (*byte == element).then_some(place));
        if !isa.starts_with(b"ISA") || !places.eq(ISA_SEPARATORS) {
            return None;
        }
        let component = at(104)?;
        // Some senders name the component separator twice: then nothing is repeated.
        let repetition = at(82).filter(|byte| is_separator(*byte) && *byte != component);
        let separators = Separators {
            element,
            component,
            repetition,
            terminator: at(105)?,
        };
        separators.are_sound().then_some(separators)
    }

    fn are_sound(self) -> bool {
        let Separators {
            element,
            component,
            repetition,
            terminator,
        } = self;
        let all = [Some(element), Some(component), Some(terminator), repetition];
        let present: Vec<u8> = all.into_iter().flatten().collect();
        let differ = present
            .iter()
            .enumerate()
            .all(|(at, byte)| !present.iter().skip(at + 1).any(|other| other == byte));
        differ && present.into_iter().all(is_separator)
    }
}

/// Whether a byte can separate: ASCII, and neither a letter, a digit nor a space.
fn is_separator(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b' '
}

/// One segment, as it stands in the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    /// Its text without the terminator.
    pub text: &'a str,
    /// Its separators.
    pub separators: Separators,
    /// Its number in its transaction, the ST being 1; 0 outside of one.
    pub number: usize,
}

impl<'a> Segment<'a> {
    /// The segment's name.
    pub(super) fn id(&self) -> &'a str {
        self.raw(0).trim()
    }

    /// An element, 1 being the first behind the name; empty where there is none.
    pub(super) fn element(&self, number: usize) -> &'a str {
        self.raw(number).trim()
    }

    fn raw(&self, number: usize) -> &'a str {
        piece(self.text, self.separators.element, number)
    }

    /// The elements, the name being the first.
    pub(super) fn elements(&self) -> impl Iterator<Item = &'a str> {
        self.text.split(char::from(self.separators.element))
    }
}

/// The part of `text` with a number, counted from 0.
fn piece(text: &str, separator: u8, number: usize) -> &str {
    let mut parts = text.split(char::from(separator));
    parts.nth(number).unwrap_or_default()
}

/// How many elements of a segment are found without another look at it: hardly any segment has more.
const KEPT: usize = 20;

/// A segment of which is kept what was read.
#[derive(Debug, Clone)]
pub(super) struct Seen<'a> {
    /// The segment.
    pub segment: Segment<'a>,
    read: Cell<u32>,
    /// Where its first parts end, the name being the first.
    ends: [u32; KEPT],
    /// How many of them it has.
    count: usize,
}

impl<'a> Seen<'a> {
    /// A segment of which nothing but the name was read.
    pub(super) fn new(segment: Segment<'a>) -> Self {
        let mut ends = [0; KEPT];
        let mut count = 0;
        let bytes = segment.text.bytes().enumerate();
        let separators = bytes.filter(|(_, byte)| *byte == segment.separators.element);
        let found = separators.map(|(at, _)| at).chain([segment.text.len()]);
        for (end, at) in ends.iter_mut().zip(found) {
            *end = u32::try_from(at).unwrap_or(u32::MAX);
            count += 1;
        }
        Self {
            segment,
            read: Cell::new(1),
            ends,
            count,
        }
    }

    /// The segment's name.
    pub(super) fn id(&self) -> &'a str {
        self.peek(0)
    }

    /// An element, which does not count as read.
    pub(super) fn peek(&self, number: usize) -> &'a str {
        let end = match self.ends.get(number) {
            Some(end) if number < self.count => *end as usize,
            Some(_) => return "",
            None => return self.segment.element(number),
        };
        let before = number
            .checked_sub(1)
            .and_then(|number| self.ends.get(number));
        let start = before.map_or(0, |end| *end as usize + 1);
        self.segment.text.get(start..end).unwrap_or_default().trim()
    }

    /// Forgets what was read of it.
    pub(super) fn reset(&self) {
        self.read.set(1);
    }

    /// An element; it counts as read from now on.
    pub(super) fn at(&self, number: usize) -> &'a str {
        let bit = 1_u32.checked_shl(u32::try_from(number).unwrap_or(31));
        self.read.set(self.read.get() | bit.unwrap_or(0));
        self.peek(number)
    }

    /// An element, where there is one.
    pub(super) fn text(&self, number: usize) -> Option<&'a str> {
        Some(self.at(number)).filter(|text| !text.is_empty())
    }

    /// A component of an element, 1 being the first.
    pub(super) fn part(&self, number: usize, component: usize) -> &'a str {
        self.part_of(self.at(number), component)
    }

    /// A component of one repetition of an element.
    pub(super) fn part_of(&self, text: &'a str, component: usize) -> &'a str {
        piece(
            text,
            self.segment.separators.component,
            component.saturating_sub(1),
        )
        .trim()
    }

    /// The components of an element.
    pub(super) fn parts(&self, number: usize) -> impl Iterator<Item = &'a str> {
        self.at(number)
            .split(char::from(self.segment.separators.component))
            .map(str::trim)
    }

    /// The repetitions of an element.
    pub(super) fn repeats(&self, number: usize) -> impl Iterator<Item = &'a str> {
        let separator = self.segment.separators.repetition.map(char::from);
        self.at(number)
            .split(move |letter| Some(letter) == separator)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// Whether nothing of it was read.
    pub(super) fn is_untouched(&self) -> bool {
        self.read.get() == 1
    }

    /// The numbers of the elements that hold something and were not read.
    pub(super) fn unread(&self) -> impl Iterator<Item = usize> {
        let read = self.read.get();
        let filled = self.segment.elements().enumerate();
        filled.filter_map(move |(number, text)| {
            let bit = 1_u32.checked_shl(u32::try_from(number).unwrap_or(31));
            let is_read = bit.is_some_and(|bit| read & bit != 0);
            (!is_read && !text.trim().is_empty()).then_some(number)
        })
    }
}

/// Cuts a text that starts with an ISA into segments. Ends where the text does; what stands behind the last terminator
/// is told by [`Segments::rest`].
#[derive(Debug, Clone)]
pub(super) struct Segments<'a> {
    rest: &'a str,
    separators: Separators,
}

impl<'a> Segments<'a> {
    /// The segments of `text`.
    pub(super) fn new(text: &'a str, separators: Separators) -> Self {
        Self {
            rest: text,
            separators,
        }
    }

    /// What was not cut yet, blanks left out.
    pub(super) fn rest(&self) -> &'a str {
        self.rest.trim_start()
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let text = self.rest.trim_ascii_start();
        let end = text.find(char::from(self.separators.terminator))?;
        self.rest = text.get(end + 1..)?;
        Some(Segment {
            text: text.get(..end)?,
            separators: self.separators,
            number: 0,
        })
    }
}
