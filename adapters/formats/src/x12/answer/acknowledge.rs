//! 999 and 997: what was wrong with which segment of which transaction, in the sender's own counting.

use super::writer::Writer;
use crate::x12::envelope::{Group, Interchange, Transaction};
use crate::x12::{group_place, transaction_place};
use crate::{Cause, Fault, Reply};
use takmil_domain::problem::ProblemCode;

/// Writes an acknowledgement of every group.
pub(super) fn write(reply: &Reply<'_>, from: &Interchange<'_>, place: &str, writer: &mut Writer) {
    for (at, group) in from.groups.iter().enumerate() {
        let place = group_place(place, at + 1);
        let gs = |number| group.gs.element(number);
        let (kind, version, told) = match group.is_4010() {
            true => ("997", "004010", ""),
            false => ("999", "005010X231A1", "005010X231A1"),
        };
        writer.open_group(&["FA", gs(3), gs(2), gs(4), gs(5), gs(6), "X", version]);
        writer.open(kind, told);
        let named = if group.is_4010() { "" } else { gs(8) };
        writer.segment(&["AK1", gs(1), gs(6), named]);
        let mut taken = 0_usize;
        for (at, transaction) in group.transactions.iter().enumerate() {
            let place = transaction_place(&place, at + 1);
            taken += usize::from(one(reply, group, transaction, &place, writer));
        }
        let received = group.transactions.len();
        if !group.faults.is_empty() {
            taken = 0;
        }
        let state = match taken {
            _ if !group.faults.is_empty() => "R",
            taken if taken == received => "A",
            0 => "R",
            _ => "P",
        };
        let counts = [received, taken].map(|count| count.to_string());
        let [received, taken] = &counts;
        let included = group.told.unwrap_or(received);
        let mut ak9 = vec!["AK9", state, included, received, taken];
        ak9.extend(group.faults.iter().map(|(code, _)| *code).take(5));
        writer.segment(&ak9);
    }
}

/// Acknowledges one transaction; says whether it was taken.
fn one(
    reply: &Reply<'_>,
    group: &Group<'_>,
    transaction: &Transaction<'_>,
    place: &str,
    writer: &mut Writer,
) -> bool {
    let is_4010 = group.is_4010();
    let version = if is_4010 { "" } else { transaction.st(3) };
    writer.segment(&["AK2", transaction.st(1), transaction.st(2), version]);
    let (segment_name, element_name) = if is_4010 {
        ("AK3", "AK4")
    } else {
        ("IK3", "IK4")
    };
    let mut refused = !transaction.is_sound();
    for fault in &transaction.segment_faults {
        let number = fault.number.to_string();
        writer.segment(&[segment_name, fault.id, &number, "", fault.code]);
    }
    let mut unsupported = false;
    if transaction.is_sound() {
        let (faulty, kind) = spoken(
            reply,
            transaction,
            place,
            segment_name,
            element_name,
            writer,
        );
        refused |= faulty;
        unsupported = kind;
    }
    let mut ak5 = vec![if is_4010 { "AK5" } else { "IK5" }];
    let mut codes: Vec<&str> = transaction.faults.iter().map(|(code, _)| *code).collect();
    if unsupported {
        refused = true;
        codes.push("1");
    } else if refused && codes.is_empty() {
        codes.push("5");
    }
    ak5.push(if refused { "R" } else { "A" });
    ak5.extend(codes.into_iter().take(5));
    writer.segment(&ak5);
    !refused
}

/// Tells what was wrong with messages of a transaction that holds. The first says whether none of them was taken, the
/// second whether that is because the hub does not read such transactions.
fn spoken(
    reply: &Reply<'_>,
    transaction: &Transaction<'_>,
    place: &str,
    segment_name: &str,
    element_name: &str,
    writer: &mut Writer,
) -> (bool, bool) {
    let mut taken = 0_usize;
    let mut lost = 0_usize;
    let mut unsupported = false;
    for outcome in reply
        .outcomes
        .iter()
        .filter(|outcome| is_in(outcome.place, place))
    {
        let faults = match outcome.result {
            Ok(_) => {
                taken += 1;
                continue;
            }
            Err(faults) => faults,
        };
        lost += 1;
        for fault in faults {
            unsupported |= fault.cause == Cause::Body(ProblemCode::WrongKind);
            let Some((number, element)) = position(fault.pointer, place) else {
                continue;
            };
            let Some(segment) = transaction.segments.get(number.saturating_sub(1)) else {
                continue;
            };
            let number = number.to_string();
            let code = if element.is_some() {
                "8"
            } else {
                segment_code(fault)
            };
            writer.segment(&[segment_name, segment.id(), &number, "", code]);
            if let Some(element) = element {
                writer.segment(&[element_name, &element.to_string(), "", element_code(fault)]);
            }
        }
    }
    (lost > 0 && taken == 0, unsupported)
}

/// Whether a place lies in another.
pub(super) fn is_in(place: &str, around: &str) -> bool {
    let rest = place.strip_prefix(around);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The numbers of segment and element that a pointer names in a transaction.
fn position(pointer: &str, place: &str) -> Option<(usize, Option<usize>)> {
    let mut parts = pointer.strip_prefix(place)?.split('/').skip(1);
    let number = (parts.next()? == "segment").then(|| parts.next()?.parse().ok())??;
    let element = (parts.next() == Some("element")).then(|| parts.next()?.parse().ok());
    Some((number, element.flatten()))
}

/// The code of IK304 for what is wrong with a segment as a whole.
fn segment_code(fault: &Fault<'_>) -> &'static str {
    match fault.cause {
        Cause::Body(ProblemCode::Missing) => "3",
        Cause::Body(ProblemCode::Unknown) => "1",
        Cause::Body(ProblemCode::TooMany | ProblemCode::TooManyLines) => "5",
        _ => "8",
    }
}

/// The code of IK403 for what is wrong with an element.
fn element_code(fault: &Fault<'_>) -> &'static str {
    match fault.cause {
        Cause::Body(ProblemCode::Missing) => "1",
        Cause::Body(ProblemCode::TooMany) => "3",
        Cause::Body(ProblemCode::TooLarge) => "5",
        Cause::Body(ProblemCode::WrongType | ProblemCode::ControlCharacter) => "6",
        Cause::Body(ProblemCode::BadDate | ProblemCode::DateOrder) => "8",
        _ => "7",
    }
}
