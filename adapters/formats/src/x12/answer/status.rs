//! How claims stand: the 277 that answers a 276. It repeats the loops of the question; in the place of each TRN with what
//! was asked stands the status of every claim that was found, or that none was.

use takmil_domain::reason::Reason;

use super::business::{Money, category, code, moment};
use super::writer::{Writer, components};
use crate::x12::codes::status;
use crate::x12::envelope::Transaction;
use crate::x12::token::Segment;
use crate::{Answered, Outcome};

/// Writes the answer to one transaction.
pub(super) fn write(
    transaction: &Transaction<'_>,
    place: &str,
    outcomes: &[&Outcome<'_>],
    writer: &mut Writer,
) {
    let element = |number| {
        let bht = transaction.segments.get(1);
        bht.map_or("", |bht| bht.element(number))
    };
    let mut given = outcomes.iter().filter_map(|own| own.result.ok());
    let told = given.next().map(|own| moment(own.answer.answered_at));
    let (date, time) = told.unwrap_or_else(|| (element(4).to_owned(), element(5).to_owned()));
    writer.segment(&["BHT", "0010", "08", element(3), &date, &time, "DG"]);
    // What follows a TRN is of the question, until the next loop begins.
    let mut is_asked = false;
    for segment in transaction.segments.iter().skip(2) {
        match segment.id() {
            "SE" => break,
            "TRN" => {
                is_asked = true;
                let own = format!("{place}/segment/{}", segment.number);
                let own = outcomes.iter().filter(|outcome| outcome.place == own);
                question(segment, own.copied(), &date, writer);
            }
            "HL" => {
                is_asked = false;
                writer.raw(segment.text);
            }
            // The answer names a member by NM1 alone.
            "DMG" => {}
            _ if is_asked => {}
            _ => writer.raw(segment.text),
        }
    }
}

/// One question: the claims that were found, or why there are none.
fn question<'o>(
    trn: &Segment<'_>,
    found: impl Iterator<Item = &'o Outcome<'o>>,
    date: &str,
    writer: &mut Writer,
) {
    let mut is_found = false;
    for outcome in found {
        is_found = true;
        writer.segment(&["TRN", "2", trn.element(2)]);
        match outcome.result {
            Ok(answered) => claim(&answered, writer),
            // The question lacks something, or the hub cannot look now.
            Err(faults) => {
                let passing = faults.iter().any(|fault| fault.cause.is_passing());
                let told = if passing { ["E1", "0"] } else { ["E0", "21"] };
                writer.segment(&["STC", &components(&told), date]);
            }
        }
    }
    if !is_found {
        writer.segment(&["TRN", "2", trn.element(2)]);
        writer.segment(&["STC", &components(&["D0", "35"]), date]);
    }
}

/// How one claim stands.
fn claim(answered: &Answered<'_>, writer: &mut Writer) {
    let answer = answered.answer;
    let decision = answer.decision.as_ref();
    let money = Money::of(answered);
    let near = |reasons: &[Reason]| {
        let mut known = reasons.iter().copied();
        known.find(|reason| status(*reason) != "0")
    };
    let reason = near(&answer.reasons).or_else(|| near(&decision?.reasons));
    let paid = decision.map(|one| one.totals.supplementary_total());
    let told = components(&[category(answer.state, paid), code(answer.state, reason)]);
    let (date, _) = moment(answer.answered_at);
    let text = |amount| Some(money.as_ref()?.text(amount));
    let billed = decision.and_then(|one| text(one.totals.billed));
    let paid_text = paid.and_then(text);
    writer.segment(&[
        "STC",
        &told,
        &date,
        "",
        &billed.unwrap_or_default(),
        &paid_text.unwrap_or_default(),
    ]);
    writer.segment(&["REF", "1K", &answer.id.to_string()]);
    let mut numbers = answered.message.head.identifiers.iter();
    if let Some(account) = numbers.find(|own| own.system.is_empty()) {
        writer.segment(&["REF", "EJ", &account.value]);
    }
    let bill = answered.message.bill();
    let period = bill.as_ref().and_then(|bill| bill.period.as_ref());
    let days = period.into_iter().flat_map(|own| [&own.start, &own.end]);
    let days: Vec<String> = days
        .flatten()
        .filter_map(|when| when.first_day())
        .map(|day| day.to_string().replace('-', ""))
        .collect();
    let occurred = answered
        .message
        .head
        .occurred_on
        .map(|day| day.to_string().replace('-', ""));
    match (&days[..], occurred) {
        ([start, end], _) if start != end => {
            writer.segment(&["DTP", "472", "RD8", &format!("{start}-{end}")]);
        }
        ([day, ..], _) => writer.segment(&["DTP", "472", "D8", day]),
        ([], Some(day)) => writer.segment(&["DTP", "472", "D8", &day]),
        ([], None) => {}
    }
    let (Some(decision), Some(money)) = (decision, money) else {
        return;
    };
    for share in &decision.lines {
        let mut lines = bill.iter().flat_map(|bill| &bill.lines);
        let line = lines.find(|line| line.seq == share.seq);
        let item = line.and_then(|line| line.item.source.as_ref());
        let Some(item) = item else { continue };
        let service = components(&[
            crate::x12::codes::service_qualifier(&item.system),
            &item.code,
        ]);
        let paid = share.supplementary_total();
        let (billed, paid_text) = (money.text(share.billed), money.text(paid));
        writer.segment(&["SVC", &service, &billed, &paid_text]);
        let told = [
            category(answer.state, Some(paid)),
            code(answer.state, near(&share.reasons)),
        ];
        writer.segment(&["STC", &components(&told), &date, "", &billed, &paid_text]);
        writer.segment(&["REF", "FJ", &share.seq.to_string()]);
    }
}
