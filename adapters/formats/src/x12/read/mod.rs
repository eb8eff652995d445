//! Interchanges into messages: each claim, question and request of a sound transaction is one.

mod bill;
mod claim;
mod frame;
mod line;
mod parties;
mod questions;

use takmil_domain::bill::BillClass;
use takmil_domain::message::Message;
use takmil_domain::money::Currency;
use takmil_domain::problem::{Problem, ProblemCode};

use self::frame::{Frame, Unit, segment_place};
use super::envelope::{
    Group, Interchange, Transaction, of_group, of_interchange, of_transaction, survey,
};
use super::token::{Seen, Segment};
use super::{group_place, interchange_place, text_of, transaction_place};
use crate::{Context, Read, Reading};

/// Reads what a body tells and asks.
pub(super) fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    walk(body, context, told)
}

/// Reads what a body asks about the state of claims (276).
pub(super) fn inquiries(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    walk(body, context, asked)
}

fn walk(body: &[u8], context: &Context, choose: Choose) -> Result<Reading, Problem> {
    let text = text_of(body)?;
    let Some(survey) = survey(&text) else {
        let detail =
            "the body starts with no ISA of 106 bytes whose separators differ from each other";
        return Err(Problem::new(ProblemCode::Malformed, "", detail));
    };
    let mut reading = Reading::default();
    for (at, interchange) in survey.interchanges.iter().enumerate() {
        read_interchange(interchange, at + 1, context, choose, &mut reading);
    }
    if survey.stray {
        reading.unread.push(String::new());
    }
    if reading.messages.is_empty() {
        let detail = "the interchange holds no transaction";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    Ok(reading)
}

fn read_interchange(
    from: &Interchange<'_>,
    at: usize,
    context: &Context,
    choose: Choose,
    into: &mut Reading,
) {
    let place = interchange_place(at);
    if let Some(broken) = from.broken {
        let told = vec![(ProblemCode::Malformed, of_interchange(broken))];
        into.messages.push(refused(place, told));
        return;
    }
    for (number, group) in from.groups.iter().enumerate() {
        let place = group_place(&place, number + 1);
        if !group.faults.is_empty() {
            let told = group.faults.iter();
            let told = told.map(|fault| (ProblemCode::Malformed, of_group(*fault)));
            into.messages.push(refused(place, told.collect()));
            continue;
        }
        for (number, transaction) in group.transactions.iter().enumerate() {
            let place = transaction_place(&place, number + 1);
            read_transaction(group, transaction, place, context, choose, into);
        }
    }
}

fn read_transaction(
    group: &Group<'_>,
    transaction: &Transaction<'_>,
    place: String,
    context: &Context,
    choose: Choose,
    into: &mut Reading,
) {
    if !transaction.is_sound() {
        into.messages.push(unsound(transaction, place));
        return;
    }
    let read = match choose(transaction) {
        Ok(read) => read,
        Err(detail) => {
            into.messages.push(refused(
                place,
                vec![(ProblemCode::WrongKind, detail.to_owned())],
            ));
            return;
        }
    };
    let mut units = 0_usize;
    split(&transaction.segments, &mut |unit| {
        units += 1;
        let class = class(group, transaction, &unit);
        into.messages.push(one(&unit, &place, class, context, read));
    });
    if units == 0 {
        let detail = "no loop of the transaction asks for anything".to_owned();
        into.messages
            .push(refused(place, vec![(ProblemCode::NoMessage, detail)]));
    }
}

type Reader = fn(&Frame<'_>, &Unit<'_, '_>) -> Message;

/// Chooses what reads a transaction; else says why nothing does.
type Choose = fn(&Transaction<'_>) -> Result<Reader, &'static str>;

/// Reads one unit.
fn one(
    unit: &Unit<'_, '_>,
    place: &str,
    class: Option<BillClass>,
    context: &Context,
    read: Reader,
) -> Read {
    let mut segments = unit.head.iter().chain(unit.loops.iter().flatten());
    let named = segments.find(|seen| seen.id() == "CUR");
    let mut named_currency = None;
    let mut fault = None;
    if let Some(cur) = named {
        cur.at(1);
        named_currency = Currency::parse(cur.at(2));
        fault = named_currency.is_none().then_some(cur);
    }
    let frame = Frame::new(place, named_currency, class, context);
    if let Some(cur) = fault {
        frame.fault(
            cur,
            2,
            ProblemCode::UnknownCurrency,
            "the currency is not known",
        );
    }
    let first = unit.own.first();
    let own_place = first.map_or_else(
        || place.to_owned(),
        |seen| segment_place(place, &seen.segment),
    );
    frame
        .origins
        .borrow_mut()
        .push((String::new(), own_place.clone()));
    let mut message = read(&frame, unit);
    message.head.currency = frame.currency;
    message.head.unread = unit.unread(place);
    let problems = frame.problems.into_inner();
    Read {
        place: own_place,
        outcome: match problems.is_empty() {
            true => Ok(message),
            false => Err(problems),
        },
        origins: frame.origins.into_inner(),
    }
}

fn refused(place: String, told: Vec<(ProblemCode, String)>) -> Read {
    let told = told.into_iter();
    let problems = told.map(|(code, detail)| Problem::new(code, place.clone(), detail));
    Read {
        outcome: Err(problems.collect()),
        place,
        origins: Vec::new(),
    }
}

/// A transaction whose envelope or structure does not hold.
fn unsound(transaction: &Transaction<'_>, place: String) -> Read {
    let whole = transaction.faults.iter().map(|fault| {
        let detail = of_transaction(*fault);
        Problem::new(ProblemCode::Malformed, place.clone(), detail)
    });
    let single = transaction.segment_faults.iter().map(|fault| {
        let code = match fault.code {
            "1" => ProblemCode::Unknown,
            "3" => ProblemCode::Missing,
            "5" => ProblemCode::TooMany,
            _ => ProblemCode::Malformed,
        };
        let detail = format!("{}: {} (IK304 code {})", fault.id, fault.detail, fault.code);
        Problem::new(code, format!("{place}/segment/{}", fault.number), detail)
    });
    let problems = whole.chain(single).take(crate::MAX_PROBLEMS).collect();
    Read {
        outcome: Err(problems),
        place,
        origins: Vec::new(),
    }
}

/// What reads a transaction that tells or asks for something.
fn told(transaction: &Transaction<'_>) -> Result<Reader, &'static str> {
    let bht = transaction.segments.get(1);
    match transaction.st(1) {
        "278" if bht.is_some_and(|bht| bht.element(2) == "11") => {
            Err("a 278 with BHT02 11 is the answer to a request, and no request")
        }
        "837" => Ok(claim::read),
        "270" => Ok(questions::eligibility),
        "278" => Ok(questions::review),
        "271" | "277" | "835" | "820" => Err("this transaction is an answer, and no request"),
        "997" | "999" | "824" => Err("an acknowledgement is no request"),
        "276" => Err("how claims stand is asked at an address of its own: /v1/messages/$inquire"),
        "834" => Err("covers are entered by their insurer, and not by an 834"),
        _ => Err("the hub reads no such transaction"),
    }
}

/// What reads a transaction that asks how claims stand.
fn asked(transaction: &Transaction<'_>) -> Result<Reader, &'static str> {
    match transaction.st(1) {
        "276" => Ok(questions::status),
        _ => Err("a question about how claims stand is a 276"),
    }
}

/// Which kind of bill a unit of an 837 is: as its lines show it, else as its version says.
fn class(
    group: &Group<'_>,
    transaction: &Transaction<'_>,
    unit: &Unit<'_, '_>,
) -> Option<BillClass> {
    let by_line = unit.own.iter().find_map(|seen| match seen.id() {
        "SV1" => Some(BillClass::Professional),
        "SV2" => Some(BillClass::Institutional),
        "SV3" => Some(BillClass::Oral),
        _ => None,
    });
    let by_version = |version: &str| {
        let has = |names: [&str; 2]| names.iter().any(|name| version.contains(name));
        match () {
            () if has(["X222", "X098"]) => Some(BillClass::Professional),
            () if has(["X223", "X096"]) => Some(BillClass::Institutional),
            () if has(["X224", "X097"]) => Some(BillClass::Oral),
            () => None,
        }
    };
    // In 4010 the version stands in a REF.
    let mut head = transaction.segments.iter().take(4);
    let named = head.find(|segment| segment.id() == "REF" && segment.element(1) == "87");
    by_line
        .or_else(|| by_version(transaction.st(3)))
        .or_else(|| by_version(named?.element(2)))
        .or_else(|| by_version(group.gs.element(8)))
}

/// Cuts a transaction into its units and gives each to `sink`.
///
/// A unit of an 837 starts with a CLM and ends before the next CLM or HL. One of a 270 is the loop of a subscriber or
/// dependant in which something is asked. One of a 276 starts with each TRN of such a loop. One of a 278 is the loop of an event, with the services in it.
fn split<'a>(segments: &[Segment<'a>], sink: &mut dyn FnMut(Unit<'_, 'a>)) {
    let kind = segments.first().map_or("", |st| st.element(1));
    let mut around = Around::default();
    let mut own: Vec<Seen<'a>> = Vec::new();
    let mut finish = |around: &Around<'a>, own: &mut Vec<Seen<'a>>| {
        if !own.is_empty() {
            sink(around.unit(own));
            own.clear();
        }
    };
    for segment in segments {
        let seen = Seen::new(*segment);
        match seen.id() {
            "HL" if !own.is_empty() && kind == "278" && seen.peek(3) == "SS" => own.push(seen),
            "HL" => {
                finish(&around, &mut own);
                around.leave(seen.peek(2));
                match kind == "278" && matches!(seen.peek(3), "EV" | "SS") {
                    true => own.push(seen),
                    false => around.levels.push(vec![seen]),
                }
            }
            "SE" => finish(&around, &mut own),
            "CLM" => {
                finish(&around, &mut own);
                own.push(seen);
            }
            "TRN" if kind == "276" => {
                finish(&around, &mut own);
                own.push(seen);
            }
            // What stands between the loop's head and its first question names whom it is about.
            "EQ" if kind == "270" && own.is_empty() => own.push(seen),
            // 4010 asks for a review in the loop of the subscriber or dependant itself.
            "UM" if kind == "278" && own.is_empty() => own.push(seen),
            _ => match (own.is_empty(), around.levels.last_mut()) {
                (false, _) => own.push(seen),
                (true, Some(level)) => level.push(seen),
                (true, None) => around.head.push(seen),
            },
        }
    }
    finish(&around, &mut own);
}

/// What stands around units: each of them reads it anew.
#[derive(Default)]
struct Around<'a> {
    head: Vec<Seen<'a>>,
    levels: Vec<Vec<Seen<'a>>>,
}

impl<'a> Around<'a> {
    fn unit<'u>(&'u self, own: &'u [Seen<'a>]) -> Unit<'u, 'a> {
        let all = self.head.iter().chain(self.levels.iter().flatten());
        all.for_each(Seen::reset);
        Unit {
            head: &self.head,
            loops: &self.levels,
            own,
        }
    }

    /// Leaves every loop that is not `parent` or around it.
    fn leave(&mut self, parent: &str) {
        let is_parent =
            |level: &Vec<Seen<'a>>| level.first().is_some_and(|hl| hl.peek(1) == parent);
        let kept = self.levels.iter().rposition(is_parent);
        self.levels.truncate(kept.map_or(0, |kept| kept + 1));
    }
}
