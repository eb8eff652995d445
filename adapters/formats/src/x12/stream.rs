//! X12 of any size, read in parts: each transaction, and of a long one so many claims at a time, becomes a body of its
//! own in the envelopes that stand around it. No more of the whole is held than the largest claim and what stands
//! around it.
//!
//! What holds a part together is checked as in any body. What holds the whole together (counts and control numbers of
//! its groups and interchanges, and of transactions that were cut) is known only at its end: it is told there, after
//! the messages before it.

use std::io::{self, Read as _};

use rustc_hash::FxHashSet;
use takmil_domain::problem::{Problem, ProblemCode};

use super::envelope::{
    GROUP_CONTROLS, GROUP_COUNT, GROUP_TWICE, INTERCHANGE_CONTROLS, INTERCHANGE_TWICE, NO_GE,
    NO_IEA, NO_SE, SEGMENT_COUNT, STRAY_GE, STRAY_IN_GROUP, STRAY_IN_INTERCHANGE,
    TRANSACTION_CONTROLS, TRANSACTION_COUNT, TRANSACTION_TWICE, of_group, of_interchange,
    of_transaction,
};
use super::token::{ISA_BYTES, Separators};
use super::{FORMAT, group_place, interchange_place, transaction_place};
use crate::{Context, MAX_BODY_BYTES, Read, Reading};

/// How long a part may grow before it is cut at the next claim.
const CUT: usize = 128 * 1024;

/// How much is asked of the source at a time.
const BLOCK: usize = 256 * 1024;

/// Reads `source` to its end and gives the messages of each part to `sink`. Places count from the start of the whole.
///
/// # Errors
/// Those of the source and of `sink`.
pub(crate) fn read(
    source: &mut dyn io::Read,
    context: &Context,
    sink: &mut dyn FnMut(Reading) -> io::Result<()>,
) -> io::Result<()> {
    let mut input = Input {
        source,
        held: Vec::new(),
        at: 0,
        has_ended: false,
    };
    let mut known = FxHashSet::default();
    for number in 1.. {
        input.skip_blanks()?;
        if number == 1 && input.wait_for(3)?.starts_with(b"\xef\xbb\xbf") {
            input.at += 3;
            input.skip_blanks()?;
        }
        if input.wait_for(1)?.is_empty() {
            break;
        }
        let start = input.wait_for(ISA_BYTES)?;
        let Some(separators) = Separators::of(start) else {
            let detail = match number {
                1 => {
                    "the body starts with no ISA of 106 bytes whose separators differ from each other"
                }
                _ => "something else than an interchange stands behind the last one",
            };
            sink(refused(String::new(), ProblemCode::Malformed, detail))?;
            break;
        };
        let isa = start.get(..ISA_BYTES).unwrap_or_default().to_vec();
        input.at += ISA_BYTES;
        let place = interchange_place(number);
        let sender = [6, 8, 13].map(|number| element(&isa, separators, number).to_vec());
        let is_twice = !known.insert(sender);
        if is_twice {
            let detail = of_interchange(INTERCHANGE_TWICE);
            sink(refused(place.clone(), ProblemCode::Malformed, detail))?;
        }
        let mut interchange = Interchange {
            place,
            isa,
            separators,
            groups: 0,
            group: None,
            controls: FxHashSet::default(),
            acknowledgements: 0,
            // Its messages were taken from the first of the two.
            is_mute: is_twice,
            context,
            sink,
        };
        interchange.read(&mut input)?;
    }
    Ok(())
}

/// One refused part.
fn refused(place: String, code: ProblemCode, detail: impl Into<String>) -> Reading {
    Reading {
        messages: vec![Read {
            outcome: Err(vec![Problem::new(code, place.clone(), detail)]),
            place,
            origins: Vec::new(),
        }],
        unread: Vec::new(),
    }
}

/// An element of a segment, 0 being its name.
fn element(segment: &[u8], separators: Separators, number: usize) -> &[u8] {
    let end = segment.strip_suffix(&[separators.terminator]);
    let mut elements = end
        .unwrap_or(segment)
        .split(|byte| *byte == separators.element);
    elements.nth(number).unwrap_or_default().trim_ascii()
}

/// What comes, as far as it is needed.
struct Input<'s> {
    source: &'s mut dyn io::Read,
    held: Vec<u8>,
    at: usize,
    has_ended: bool,
}

impl Input<'_> {
    /// What is not read yet: at least `count` bytes, or all that there are.
    fn wait_for(&mut self, count: usize) -> io::Result<&[u8]> {
        while !self.has_ended && self.held.len().saturating_sub(self.at) < count {
            self.more()?;
        }
        Ok(self.held.get(self.at..).unwrap_or_default())
    }

    fn more(&mut self) -> io::Result<()> {
        self.held.drain(..self.at);
        self.at = 0;
        let block = u64::try_from(BLOCK).unwrap_or(u64::MAX);
        let got = self.source.take(block).read_to_end(&mut self.held)?;
        self.has_ended = got == 0;
        Ok(())
    }

    fn skip_blanks(&mut self) -> io::Result<()> {
        loop {
            let rest = self.wait_for(1)?;
            let blank = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
            match blank.count() {
                0 => return Ok(()),
                count => self.at += count,
            }
        }
    }

    /// The next segment with its terminator; none at the end, or where an interchange begins.
    fn segment(&mut self, terminator: u8) -> io::Result<Option<Vec<u8>>> {
        self.skip_blanks()?;
        let start = self.wait_for(ISA_BYTES)?;
        if start.starts_with(b"ISA") && Separators::of(start).is_some() {
            return Ok(None);
        }
        let mut looked = 0;
        loop {
            let rest = self.held.get(self.at..).unwrap_or_default();
            let found = rest
                .iter()
                .skip(looked)
                .position(|byte| *byte == terminator);
            if let Some(end) = found {
                let segment = rest.get(..=looked + end).unwrap_or_default().to_vec();
                self.at += segment.len();
                return Ok(Some(segment));
            }
            // No segment is as long as a body may be: what is left has no terminator.
            if self.has_ended || rest.len() > MAX_BODY_BYTES {
                self.at = self.held.len();
                return Ok(None);
            }
            looked = rest.len();
            self.more()?;
        }
    }
}

/// An interchange while it is read.
struct Interchange<'c, 's> {
    place: String,
    isa: Vec<u8>,
    separators: Separators,
    groups: usize,
    group: Option<Group>,
    controls: FxHashSet<[Vec<u8>; 2]>,
    acknowledgements: usize,
    is_mute: bool,
    context: &'c Context,
    sink: &'s mut dyn FnMut(Reading) -> io::Result<()>,
}

/// A group while it is read.
struct Group {
    place: String,
    gs: Vec<u8>,
    transactions: usize,
    open: Option<Transaction>,
    controls: FxHashSet<Vec<u8>>,
    is_mute: bool,
    has_strays: bool,
}

/// A transaction while it is read.
#[derive(Default)]
struct Transaction {
    place: String,
    control: Vec<u8>,
    is_claims: bool,
    /// How many segments it has so far.
    count: usize,
    /// The segments of the part that is being put together, and their numbers.
    text: Vec<u8>,
    numbers: Vec<usize>,
    /// What each further part begins with: the segments before the loops, and those of the open loops.
    head: Vec<Kept>,
    levels: Vec<Vec<Kept>>,
    is_in_claim: bool,
    is_cut: bool,
}

/// A segment and its number.
type Kept = (usize, Vec<u8>);

impl Interchange<'_, '_> {
    fn read(&mut self, input: &mut Input<'_>) -> io::Result<()> {
        while let Some(segment) = input.segment(self.separators.terminator)? {
            match self.element(&segment, 0) {
                b"IEA" => {
                    self.close_group(None)?;
                    return self.end(&segment);
                }
                b"TA1" if self.group.is_none() => self.acknowledgements += 1,
                b"GS" => {
                    self.close_group(None)?;
                    self.open_group(segment)?;
                }
                b"GE" => self.close_group(Some(&segment))?,
                b"ST" => self.open_transaction(segment)?,
                _ => self.place(segment)?,
            }
        }
        self.close_group(None)?;
        self.tell(self.place.clone(), of_interchange(NO_IEA))
    }

    fn element<'a>(&self, segment: &'a [u8], number: usize) -> &'a [u8] {
        element(segment, self.separators, number)
    }

    fn tell(&mut self, place: String, detail: String) -> io::Result<()> {
        (self.sink)(refused(place, ProblemCode::Malformed, detail))
    }

    fn end(&mut self, iea: &[u8]) -> io::Result<()> {
        if self.element(iea, 2) != self.element(&self.isa, 13) {
            let detail = of_interchange(INTERCHANGE_CONTROLS);
            self.tell(self.place.clone(), detail)?;
        }
        let told = count(self.element(iea, 1));
        let either = [self.groups, self.groups + self.acknowledgements];
        if !told.is_some_and(|told| either.contains(&told)) {
            let detail = of_interchange(GROUP_COUNT);
            self.tell(self.place.clone(), detail)?;
        }
        Ok(())
    }

    fn open_group(&mut self, gs: Vec<u8>) -> io::Result<()> {
        self.groups += 1;
        let place = group_place(&self.place, self.groups);
        let control = [1, 6].map(|number| self.element(&gs, number).to_vec());
        let is_twice = !self.controls.insert(control);
        if is_twice {
            let detail = of_group(GROUP_TWICE);
            self.tell(place.clone(), detail)?;
        }
        self.group = Some(Group {
            place,
            gs,
            transactions: 0,
            open: None,
            controls: FxHashSet::default(),
            is_mute: self.is_mute || is_twice,
            has_strays: false,
        });
        Ok(())
    }

    fn close_group(&mut self, ge: Option<&[u8]>) -> io::Result<()> {
        self.close_transaction(None)?;
        let Some(group) = self.group.take() else {
            return match ge {
                Some(_) => self.tell(self.place.clone(), of_interchange(STRAY_GE)),
                None => Ok(()),
            };
        };
        let Some(ge) = ge else {
            return self.tell(group.place, of_group(NO_GE));
        };
        if self.element(ge, 2) != self.element(&group.gs, 6) {
            let detail = of_group(GROUP_CONTROLS);
            self.tell(group.place.clone(), detail)?;
        }
        if count(self.element(ge, 1)) != Some(group.transactions) {
            let detail = of_group(TRANSACTION_COUNT);
            self.tell(group.place, detail)?;
        }
        Ok(())
    }

    fn open_transaction(&mut self, st: Vec<u8>) -> io::Result<()> {
        self.close_transaction(None)?;
        let (kind, control) = (self.element(&st, 1), self.element(&st, 2).to_vec());
        let is_claims = kind == b"837";
        let Some(group) = &mut self.group else {
            return self.stray();
        };
        group.transactions += 1;
        let place = transaction_place(&group.place, group.transactions);
        if !group.controls.insert(control.clone()) {
            let detail = of_transaction(TRANSACTION_TWICE);
            return self.tell(place, detail);
        }
        let mut open = Transaction {
            place,
            control,
            is_claims,
            ..Transaction::default()
        };
        open.count = 1;
        open.add(1, &st);
        open.head.push((1, st));
        group.open = Some(open);
        Ok(())
    }

    /// A segment that stands in no transaction.
    fn stray(&mut self) -> io::Result<()> {
        let (place, detail) = match &mut self.group {
            None => (self.place.clone(), of_interchange(STRAY_IN_INTERCHANGE)),
            Some(group) if !group.has_strays => {
                group.has_strays = true;
                (group.place.clone(), of_group(STRAY_IN_GROUP))
            }
            Some(_) => return Ok(()),
        };
        self.tell(place, detail)
    }

    /// Puts a segment into its transaction.
    fn place(&mut self, segment: Vec<u8>) -> io::Result<()> {
        let separators = self.separators;
        let name = element(&segment, separators, 0);
        let Some(open) = self.group.as_mut().and_then(|group| group.open.as_mut()) else {
            // What follows a transaction that was sent before belongs to it.
            let follows = self
                .group
                .as_ref()
                .is_some_and(|group| group.transactions > 0);
            return match follows {
                true => Ok(()),
                false => self.stray(),
            };
        };
        open.count += 1;
        if name == b"SE" {
            return self.close_transaction(Some(&segment));
        }
        let begins = open.is_claims && matches!(name, b"HL" | b"CLM");
        if begins && open.is_in_claim && open.text.len() > CUT {
            self.give(None)?;
        }
        let Some(open) = self.group.as_mut().and_then(|group| group.open.as_mut()) else {
            return Ok(());
        };
        open.enter(&segment, separators);
        open.add(open.count, &segment);
        let (number, is_in_claim) = (open.count, open.is_in_claim);
        match open.levels.last_mut() {
            _ if is_in_claim || !open.is_claims => {}
            Some(level) => level.push((number, segment)),
            None => open.head.push((number, segment)),
        }
        Ok(())
    }

    fn close_transaction(&mut self, se: Option<&[u8]>) -> io::Result<()> {
        let Some(open) = self.group.as_ref().and_then(|group| group.open.as_ref()) else {
            return Ok(());
        };
        if open.is_cut {
            let detail = match se {
                None => Some(of_transaction(NO_SE)),
                Some(se) if self.element(se, 2) != open.control => {
                    Some(of_transaction(TRANSACTION_CONTROLS))
                }
                Some(se) if count(self.element(se, 1)) != Some(open.count) => {
                    Some(of_transaction(SEGMENT_COUNT))
                }
                Some(_) => None,
            };
            let place = open.place.clone();
            if let Some(detail) = detail {
                self.tell(place, detail)?;
            }
        }
        self.give(Some(se))?;
        if let Some(group) = &mut self.group {
            group.open = None;
        }
        Ok(())
    }

    /// Reads the part that was put together; `end` is the transaction's own where it ends here.
    fn give(&mut self, end: Option<Option<&[u8]>>) -> io::Result<()> {
        let separators = self.separators;
        let Some(group) = self.group.as_mut() else {
            return Ok(());
        };
        let Some(open) = group.open.as_mut() else {
            return Ok(());
        };
        let mut numbers = std::mem::take(&mut open.numbers);
        let text = std::mem::take(&mut open.text);
        open.is_cut |= end.is_none();
        numbers.push(open.count);
        let place = open.place.clone();
        let trailer = |name: &str, count: usize, control: &[u8]| {
            let mut segment = name.as_bytes().to_vec();
            segment.push(separators.element);
            segment.extend(count.to_string().as_bytes());
            segment.push(separators.element);
            segment.extend(control);
            segment.push(separators.terminator);
            segment
        };
        let se = match end {
            Some(own) if !open.is_cut => own.map(<[u8]>::to_vec).unwrap_or_default(),
            _ => trailer("SE", numbers.len(), &open.control),
        };
        if end.is_none() {
            open.begin_anew();
        }
        let is_mute = group.is_mute;
        let ge = trailer("GE", 1, element(&group.gs, separators, 6));
        let iea = trailer("IEA", 1, element(&self.isa, separators, 13));
        let body = [&*self.isa, &group.gs, &text, &se, &ge, &iea].concat();
        if is_mute {
            return Ok(());
        }
        let mut reading = match crate::read(&FORMAT, &body, self.context) {
            Ok(reading) => reading,
            Err(problem) => refused(String::new(), problem.code, problem.detail),
        };
        reading.relocate(|at| *at = relocated(at, &place, &numbers));
        (self.sink)(reading)
    }
}

impl Transaction {
    /// Adds a segment to the part, unless that is longer than a body may be and will be refused for it.
    fn add(&mut self, number: usize, segment: &[u8]) {
        if self.text.len() <= MAX_BODY_BYTES {
            self.text.extend(segment);
            self.numbers.push(number);
        }
    }

    /// Opens and leaves loops and claims, as the segment says.
    fn enter(&mut self, segment: &[u8], separators: Separators) {
        match element(segment, separators, 0) {
            b"HL" if self.is_claims => {
                let parent = element(segment, separators, 2);
                let is_parent = |level: &Vec<Kept>| {
                    let hl = level.first();
                    hl.is_some_and(|(_, hl)| element(hl, separators, 1) == parent)
                };
                let kept = self.levels.iter().rposition(is_parent);
                self.levels.truncate(kept.map_or(0, |kept| kept + 1));
                self.levels.push(Vec::new());
                self.is_in_claim = false;
            }
            b"CLM" => self.is_in_claim = true,
            _ => {}
        }
    }

    /// Begins a further part with what stands around its claims.
    fn begin_anew(&mut self) {
        let around: Vec<Kept> = self
            .head
            .iter()
            .chain(self.levels.iter().flatten())
            .cloned()
            .collect();
        for (number, segment) in around {
            self.add(number, &segment);
        }
    }
}

/// A whole number, where it is one.
fn count(text: &[u8]) -> Option<usize> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// The place in the whole of a place in a part, in which everything but segments is the first of its kind.
fn relocated(at: &str, transaction: &str, numbers: &[usize]) -> String {
    let own = transaction_place(&group_place(&interchange_place(1), 1), 1);
    let Some(within) = at.strip_prefix(&own) else {
        return transaction.to_owned();
    };
    let segment = within.strip_prefix("/segment/").map(|rest| {
        let (number, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let number = number.parse::<usize>().ok();
        let real = number.and_then(|number| numbers.get(number.checked_sub(1)?));
        (real, rest)
    });
    match segment {
        Some((Some(number), rest)) => format!("{transaction}/segment/{number}{rest}"),
        _ => format!("{transaction}{within}"),
    }
}
