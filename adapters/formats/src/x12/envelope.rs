//! The three envelopes of an interchange, checked as TA1 and 999 tell it: counts, control numbers, what is missing.
//!
//! What a code stands for: X12 data elements I18 (TA105), 716 (AK905), 718 (IK502) and 620 (IK304), as the public
//! implementation guides of TA1 and 999 list them.

use rustc_hash::FxHashSet;

use super::token::{ISA_BYTES, Segment, Segments, Separators};

/// What is wrong with an envelope: the code, and what it means here.
pub(super) type Broken = (&'static str, &'static str);

// Of an interchange: codes of TA105.
pub(super) const INTERCHANGE_CONTROLS: Broken =
    ("001", "ISA13 and IEA02 are not the same control number");
pub(super) const GROUP_COUNT: Broken = ("021", "IEA01 is not the number of groups");
pub(super) const STRAY_GE: Broken = ("022", "a GE stands without its GS");
pub(super) const NO_IEA: Broken = ("023", "the interchange ends without its IEA");
pub(super) const STRAY_IN_INTERCHANGE: Broken = ("024", "a segment stands outside of every group");
pub(super) const INTERCHANGE_TWICE: Broken = (
    "025",
    "an interchange of this sender with this control number stands before",
);

// Of a group: codes of AK905.
pub(super) const STRAY_IN_GROUP: Broken = ("1", "a segment stands outside of every transaction");
pub(super) const NO_GE: Broken = ("3", "the group ends without its GE");
pub(super) const GROUP_CONTROLS: Broken = ("4", "GS06 and GE02 are not the same control number");
pub(super) const TRANSACTION_COUNT: Broken = ("5", "GE01 is not the number of transactions");
pub(super) const GROUP_TWICE: Broken = (
    "19",
    "a group of the interchange has this control number already",
);

// Of a transaction: codes of IK502.
pub(super) const NO_SE: Broken = ("2", "the transaction ends without its SE");
pub(super) const TRANSACTION_CONTROLS: Broken =
    ("3", "ST02 and SE02 are not the same control number");
pub(super) const SEGMENT_COUNT: Broken = ("4", "SE01 is not the number of segments");
pub(super) const TRANSACTION_TWICE: Broken = (
    "23",
    "a transaction of the group has this control number already",
);

/// What breaks an interchange, in words.
pub(super) fn of_interchange((code, detail): Broken) -> String {
    format!("{detail} (TA1 note {code})")
}

/// What is wrong with a group, in words.
pub(super) fn of_group((code, detail): Broken) -> String {
    format!("{detail} (AK905 code {code})")
}

/// What is wrong with a transaction, in words.
pub(super) fn of_transaction((code, detail): Broken) -> String {
    format!("{detail} (IK502 code {code})")
}

/// An interchange as it was found.
#[derive(Debug)]
pub(super) struct Interchange<'a> {
    /// Its ISA.
    pub isa: Segment<'a>,
    /// Its groups.
    pub groups: Vec<Group<'a>>,
    /// What breaks it: the code of TA105, and what it means here.
    pub broken: Option<Broken>,
    /// How many TA1 it holds.
    pub acknowledgements: usize,
    controls: FxHashSet<[&'a str; 2]>,
}

/// A functional group.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// Its GS.
    pub gs: Segment<'a>,
    /// Its transactions.
    pub transactions: Vec<Transaction<'a>>,
    /// How many transactions its GE says it has, where it has one.
    pub told: Option<&'a str>,
    /// What is wrong with it: codes of AK905, and what they mean here.
    pub faults: Vec<Broken>,
    controls: FxHashSet<&'a str>,
}

impl Group<'_> {
    /// Whether its version is one of those before 5010, which are answered with a 997.
    pub(super) fn is_4010(&self) -> bool {
        self.gs.element(8).starts_with("004010")
    }
}

/// A transaction set.
#[derive(Debug)]
pub(super) struct Transaction<'a> {
    /// Its segments, ST and SE included where they are there.
    pub segments: Vec<Segment<'a>>,
    /// What is wrong with it as a whole: codes of IK502, and what they mean here.
    pub faults: Vec<Broken>,
    /// What is wrong with single segments.
    pub segment_faults: Vec<SegmentFault<'a>>,
}

impl<'a> Transaction<'a> {
    /// An element of its ST.
    pub(super) fn st(&self, number: usize) -> &'a str {
        self.segments
            .first()
            .map_or("", |segment| segment.element(number))
    }

    /// Whether its envelope and its structure hold.
    pub(super) fn is_sound(&self) -> bool {
        self.faults.is_empty() && self.segment_faults.is_empty()
    }
}

/// What is wrong with one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentFault<'a> {
    /// Its name, or that of the segment that is missing.
    pub id: &'a str,
    /// Its number in the transaction; of a missing one, where it is missed.
    pub number: usize,
    /// The code of IK304.
    pub code: &'static str,
    /// What it means here.
    pub detail: &'static str,
}

/// All interchanges of a body, and whether something else stands between or behind them.
#[derive(Debug)]
pub(super) struct Survey<'a> {
    /// The interchanges.
    pub interchanges: Vec<Interchange<'a>>,
    /// Whether bytes that belong to no interchange were met; reading stops there.
    pub stray: bool,
}

/// Looks through a body. `None` where it starts with no ISA of the fixed lengths.
pub(super) fn survey(text: &str) -> Option<Survey<'_>> {
    let mut rest = text.trim_start();
    let mut interchanges: Vec<Interchange<'_>> = Vec::new();
    let mut known = FxHashSet::default();
    while !rest.is_empty() {
        let Some(separators) = Separators::of(rest.as_bytes()) else {
            let stray = !interchanges.is_empty();
            return stray.then_some(Survey {
                interchanges,
                stray,
            });
        };
        let (interchange, after) = interchange(rest, separators);
        let is_twice = !known.insert([6, 8, 13].map(|number| interchange.isa.element(number)));
        interchanges.push(interchange);
        if let Some(last) = interchanges.last_mut().filter(|_| is_twice) {
            last.broken = last.broken.or(Some(INTERCHANGE_TWICE));
        }
        rest = after.trim_start();
    }
    let stray = false;
    (!interchanges.is_empty()).then_some(Survey {
        interchanges,
        stray,
    })
}

/// Reads one interchange; the second is what follows it.
fn interchange<'a>(text: &'a str, separators: Separators) -> (Interchange<'a>, &'a str) {
    let (head, _) = text.split_at(ISA_BYTES - 1);
    let isa = Segment {
        text: head,
        separators,
        number: 0,
    };
    let mut found = Interchange {
        isa,
        groups: Vec::new(),
        broken: None,
        acknowledgements: 0,
        controls: FxHashSet::default(),
    };
    if !matches!(isa.element(12), "00401" | "00501") {
        found.broken = Some((
            "003",
            "the hub reads versions 00401 and 00501 of the envelope",
        ));
    }
    let mut segments = Segments::new(text, separators);
    segments.next();
    let mut open_group = false;
    let mut open_transaction = false;
    loop {
        // The ISA of the next interchange may come before this one's end: it has separators of its own.
        if segments.rest().starts_with("ISA")
            && Separators::of(segments.rest().as_bytes()).is_some()
        {
            break;
        }
        let Some(mut segment) = segments.next() else {
            break;
        };
        let id = segment.id();
        match id {
            "IEA" => {
                close_group(&mut found, &mut open_group, &mut open_transaction, None);
                end(&mut found, segment);
                return (found, segments.rest());
            }
            "TA1" if !open_group => found.acknowledgements += 1,
            "GS" => {
                close_group(&mut found, &mut open_group, &mut open_transaction, None);
                let control = [segment.element(1), segment.element(6)];
                let is_twice = !found.controls.insert(control);
                found.groups.push(group(segment, is_twice));
                open_group = true;
            }
            "GE" => close_group(
                &mut found,
                &mut open_group,
                &mut open_transaction,
                Some(segment),
            ),
            _ => match found.groups.last_mut().filter(|_| open_group) {
                Some(group) => {
                    place(group, &mut open_transaction, &mut segment);
                }
                None => {
                    let fault = STRAY_IN_INTERCHANGE;
                    found.broken = found.broken.or(Some(fault));
                }
            },
        }
    }
    close_group(&mut found, &mut open_group, &mut open_transaction, None);
    let fault = NO_IEA;
    found.broken = found.broken.or(Some(fault));
    // What is left of a segment without terminator belongs to this interchange too.
    let rest = segments.rest();
    let rest = if rest.starts_with("ISA") { rest } else { "" };
    (found, rest)
}

/// Checks an IEA against its ISA.
fn end(found: &mut Interchange<'_>, iea: Segment<'_>) {
    if iea.element(2) != found.isa.element(13) {
        let fault = INTERCHANGE_CONTROLS;
        found.broken = found.broken.or(Some(fault));
    }
    // Some senders count acknowledgements as groups.
    let groups = found.groups.len();
    let told = iea.element(1).parse::<usize>().ok();
    if told != Some(groups) && told != Some(groups + found.acknowledgements) {
        let fault = GROUP_COUNT;
        found.broken = found.broken.or(Some(fault));
    }
}

fn group(gs: Segment<'_>, is_twice: bool) -> Group<'_> {
    let mut faults = Vec::new();
    if !gs.element(8).starts_with("004010") && !gs.element(8).starts_with("005010") {
        faults.push(("2", "the hub reads versions 004010 and 005010"));
    }
    if gs.element(6).is_empty() {
        faults.push(("6", "GS06 has no control number"));
    }
    if is_twice {
        faults.push(GROUP_TWICE);
    }
    Group {
        gs,
        transactions: Vec::new(),
        told: None,
        faults,
        controls: FxHashSet::default(),
    }
}

/// Puts a segment into its transaction.
fn place<'a>(group: &mut Group<'a>, open: &mut bool, segment: &mut Segment<'a>) {
    if segment.id() == "ST" {
        close_transaction(group, open, None);
        let control = segment.element(2);
        let is_twice = !group.controls.insert(control);
        segment.number = 1;
        let mut faults = Vec::new();
        if control.is_empty() {
            faults.push(("7", "ST02 has no control number"));
        } else if is_twice {
            faults.push(TRANSACTION_TWICE);
        }
        group.transactions.push(Transaction {
            segments: vec![*segment],
            faults,
            segment_faults: Vec::new(),
        });
        *open = true;
        return;
    }
    let Some(transaction) = group.transactions.last_mut().filter(|_| *open) else {
        let fault = STRAY_IN_GROUP;
        if !group.faults.contains(&fault) {
            group.faults.push(fault);
        }
        return;
    };
    segment.number = transaction.segments.len() + 1;
    transaction.segments.push(*segment);
    if segment.id() == "SE" {
        let se = *segment;
        close_transaction(group, open, Some(se));
    }
}

fn close_transaction<'a>(group: &mut Group<'a>, open: &mut bool, se: Option<Segment<'a>>) {
    let Some(transaction) = group.transactions.last_mut().filter(|_| *open) else {
        return;
    };
    *open = false;
    match se {
        None => transaction.faults.push(NO_SE),
        Some(se) => {
            if se.element(2) != transaction.st(2) {
                let fault = TRANSACTION_CONTROLS;
                transaction.faults.push(fault);
            }
            if se.element(1).parse() != Ok(transaction.segments.len()) {
                let fault = SEGMENT_COUNT;
                transaction.faults.push(fault);
            }
        }
    }
    transaction.segment_faults = super::structure::faults(&transaction.segments);
}

fn close_group<'a>(
    found: &mut Interchange<'a>,
    open: &mut bool,
    open_transaction: &mut bool,
    ge: Option<Segment<'a>>,
) {
    let Some(group) = found.groups.last_mut().filter(|_| *open) else {
        if ge.is_some() {
            let fault = STRAY_GE;
            found.broken = found.broken.or(Some(fault));
        }
        return;
    };
    close_transaction(group, open_transaction, None);
    *open = false;
    let Some(ge) = ge else {
        group.faults.push(NO_GE);
        return;
    };
    group.told = Some(ge.element(1));
    if ge.element(2) != group.gs.element(6) {
        let fault = GROUP_CONTROLS;
        group.faults.push(fault);
    }
    if ge.element(1).parse() != Ok(group.transactions.len()) {
        let fault = TRANSACTION_COUNT;
        group.faults.push(fault);
    }
}
