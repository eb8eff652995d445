//! Small pages of the book for tests: claims by number, lines by their amounts.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use uuid::Uuid;

use super::account::Transfer;
use super::due::{Change, Due, Says, Word, changes};
use super::{Folio, Pair, PayeeKind};
use crate::date::{Date, Instant};
use crate::decision::{DecidedBy, Decision, InsurerShare, LineShare, Totals};
use crate::ids::{MessageId, ParticipantId};
use crate::money::{Amount, Currency};

pub(super) fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

pub(super) fn party(name: &str) -> ParticipantId {
    ParticipantId::parse(name).unwrap()
}

pub(super) fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

pub(super) fn amount(value: i64) -> Amount {
    Amount::new(value).unwrap()
}

pub(super) fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// A moment of the n-th day of 2026.
pub(super) fn at(number: i64) -> Instant {
    Instant((20_453 + number) * 86_400_000_000)
}

pub(super) fn pair() -> Pair {
    Pair {
        insurer: party("omid"),
        provider: party("hafez"),
        payee: PayeeKind::Provider,
        currency: currency("IRR"),
    }
}

/// A decision by which insurers pay so much of each line, and the base insurer one of each.
pub(super) fn decision(shares: &[(&str, &[i64])]) -> Decision {
    let many = shares.iter().map(|(_, lines)| lines.len()).max();
    let line = |at: usize| LineShare {
        seq: u32::try_from(at).unwrap() + 1,
        billed: amount(1_000),
        allowed: amount(900),
        base: amount(1),
        subsidy: Amount::ZERO,
        supplementary: shares
            .iter()
            .filter_map(|(insurer, lines)| Some((insurer, *lines.get(at)?)))
            .map(|(insurer, value)| InsurerShare {
                insurer: party(insurer),
                amount: amount(value),
                allowed: amount(900),
                benefit: None,
                refused: None,
                pended: false,
            })
            .collect(),
        written_off: Amount::ZERO,
        member: Amount::ZERO,
        reasons: Vec::new(),
        trace: Vec::new(),
    };
    let lines: Vec<LineShare> = (0..many.unwrap_or(0)).map(line).collect();
    Decision {
        currency: currency("IRR"),
        totals: Totals::of(&lines),
        lines,
        remainders: Vec::new(),
        basis: Vec::new(),
        exchange: None,
        decided_by: DecidedBy::Hub,
        reasons: Vec::new(),
        valid_until: None,
    }
}

/// What a claim's word changes; the turn is the day, too.
pub(super) fn word(number: u128, says: Says<'_>, turn: u32, booked: &[Due]) -> Vec<Change> {
    let provider = party("hafez");
    let word = Word {
        message: id(number),
        provider: &provider,
        payee: PayeeKind::Provider,
        says,
        is_reviewed: false,
        turn,
        day: day("2026-01-01").add_days(turn),
        at: at(turn.into()),
    };
    changes(&word, booked, |_| 30).unwrap()
}

/// Books a decision of the one insurer.
pub(super) fn decided(
    folio: &mut Folio,
    number: u128,
    lines: &[i64],
    turn: u32,
) -> Option<Transfer> {
    let decision = decision(&[("omid", lines)]);
    let booked: Vec<Due> = folio.due(id(number)).cloned().into_iter().collect();
    let change = word(number, Says::Owes(&decision), turn, &booked)
        .into_iter()
        .next()?;
    folio.put(change.due).unwrap();
    change.transfer
}

/// A page with claims that were decided one after the other.
pub(super) fn folio(claims: &[(u128, &[i64])]) -> Folio {
    let mut folio = Folio::open(pair(), [], []).unwrap();
    for (turn, (number, lines)) in (1..).zip(claims) {
        decided(&mut folio, *number, lines, turn);
    }
    folio
}

/// Incurred, on its way, arrived, argued about, written off, open.
pub(super) fn page(folio: &Folio, number: u128) -> [i64; 6] {
    let due = folio.due(id(number)).unwrap();
    [
        due.incurred,
        due.noticed,
        due.confirmed,
        due.disputed,
        due.written_off,
        due.open(),
    ]
    .map(Amount::get)
}
