//! CoverageEligibilityRequest into a question about cover.

use std::collections::HashMap;

use takmil_domain::bill::{Bill, Diagnosis};
use takmil_domain::message::{Body, Eligibility, Message, Supporting};
use takmil_domain::party::Party;

use super::bill::{numbers, priced, told_beside};
use super::claim::request;
use super::clinical::diagnosis;
use super::cursor::Cursor;
use super::links::pointed;
use super::particulars::sweep;
use super::parties::{party, whereabouts};
use super::values::span;
use crate::fhir::json;

/// Reads a CoverageEligibilityRequest.
pub(super) fn read(c: Cursor) -> Message {
    let mut head = request(c);
    for key in ["servicedDate", "servicedPeriod"] {
        if let Some(inner) = c.get(key) {
            inner.origin("/eligibility/serviced");
        }
    }
    let serviced = span(c, "serviced");
    let day = serviced.as_ref().and_then(|period| period.start.clone());
    head.occurred_on = day
        .or(head.created.clone())
        .and_then(|when| when.first_day());
    if let Some(day) = head.occurred_on {
        c.reader.day.set(day);
    }
    for info in c.items("supportingInfo") {
        let (identifier, text) = info.get("information").map(pointed).unwrap_or_default();
        head.supporting.push(Supporting {
            seq: info.count("sequence"),
            identifier,
            text,
            ..Supporting::default()
        });
    }
    let purposes = c.items("purpose").filter_map(Cursor::as_str);
    let asked = Eligibility {
        purposes: purposes.map(Into::into).collect(),
        serviced,
        bill: c.items("item").next().is_some().then(|| bill(c)),
    };
    sweep(c, "CoverageEligibilityRequest", &mut head.supporting);
    Message {
        head,
        body: Body::Eligibility(asked),
    }
}

/// The services that cover is asked for. Providers and diagnoses stand in the lines; the bill lists each
/// once and the lines name them by number.
fn bill(c: Cursor) -> Bill {
    let mut bill = Bill::default();
    let mut known = HashMap::new();
    for (index, item) in c.items("item").enumerate() {
        let at = format!("/eligibility/bill/lines/{index}");
        item.origin(at.clone());
        let mut line = priced(item, &at);
        line.seq = ordinal(index);
        told_beside(item, &mut line);
        line.supporting = numbers(item, "supportingInfoSequence");
        line.place = item.get("facility").and_then(whereabouts);
        for reference in item.items("provider") {
            let seq = once(reference, &mut known, |seq| {
                let party = party(reference)?;
                bill.care_team.push(Party {
                    seq: Some(seq),
                    ..party
                });
                Some(())
            });
            line.practitioners.extend(seq);
        }
        for reason in item.items("diagnosis") {
            let seq = once(reason, &mut known, |seq| {
                let diagnosis = diagnosis(reason)?;
                bill.diagnoses.push(Diagnosis {
                    seq: Some(seq),
                    ..diagnosis
                });
                Some(())
            });
            line.diagnoses.extend(seq);
        }
        sweep(
            item,
            "CoverageEligibilityRequest.item",
            &mut line.particulars,
        );
        bill.lines.push(line);
    }
    bill
}

/// The number, from 1, of what stands at `index`.
pub(super) fn ordinal(index: usize) -> u32 {
    u32::try_from(index.saturating_add(1)).unwrap_or(u32::MAX)
}

/// The number of what `c` says, which is added under a new one where it was not said before.
fn once(
    c: Cursor,
    known: &mut HashMap<String, u32>,
    add: impl FnOnce(u32) -> Option<()>,
) -> Option<u32> {
    let said = json::render(c.node);
    if let Some(seq) = known.get(&said) {
        c.understood();
        return Some(*seq);
    }
    let seq = ordinal(known.len());
    add(seq)?;
    known.insert(said, seq);
    Some(seq)
}
