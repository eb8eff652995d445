//! The parts of a bill that claims and requests for review share: health care codes, references, facts of the case.

use takmil_domain::bill::{Bill, Diagnosis, EncounterClass, Procedure};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::message::{Attachment, Head, Supporting};
use takmil_domain::money::Amount;

use super::frame::{Frame, fact, listed, some};
use crate::x12::codes::{self, Health, health};
use crate::x12::token::Seen;

/// Reads an HI: up to twelve codes, each with what it is.
pub(super) fn health_codes(
    frame: &Frame<'_>,
    base: &str,
    hi: &Seen<'_>,
    head: &mut Head,
    bill: &mut Bill,
) {
    for element in 1..=12 {
        let text = hi.at(element);
        if text.is_empty() {
            continue;
        }
        let part = |number| hi.part(element, number);
        let (qualifier, code) = (part(1), part(2));
        if code.is_empty() {
            let detail = "a health care code has a qualifier and a code";
            frame.fault(
                hi,
                element,
                takmil_domain::problem::ProblemCode::Missing,
                detail,
            );
            continue;
        }
        let timing = match part(4) {
            "" => None,
            text => frame.period_of(hi, element, part(3), text),
        };
        match health(qualifier) {
            Health::Diagnosis(system, role, numbered) => {
                frame.origin(format!("{base}/diagnoses/{}", bill.diagnoses.len()), hi);
                let before = bill.diagnoses.iter().filter(|own| own.seq.is_some());
                let next = u32::try_from(before.count() + 1).ok();
                bill.diagnoses.push(Diagnosis {
                    seq: next.filter(|_| numbered),
                    coded: Coded::new(system, code),
                    roles: vec![Coded {
                        text: Some(role.to_owned()),
                        ..codes::own("1270", qualifier)
                    }],
                    present_on_admission: listed("1073", part(9)),
                    when: timing.and_then(|timing| timing.start),
                    recorded: None,
                    group: None,
                });
            }
            Health::Procedure(system, role) => {
                frame.origin(format!("{base}/procedures/{}", bill.procedures.len()), hi);
                bill.procedures.push(Procedure {
                    seq: u32::try_from(bill.procedures.len() + 1).ok(),
                    coded: Coded::new(system, code),
                    when: timing.as_ref().and_then(|timing| timing.start.clone()),
                    until: timing
                        .filter(|timing| timing.start != timing.end)
                        .and_then(|timing| timing.end),
                    roles: vec![Coded {
                        text: Some(role.to_owned()),
                        ..codes::own("1270", qualifier)
                    }],
                    devices: Vec::new(),
                });
            }
            Health::Other => {
                let amount = match part(5) {
                    "" => None,
                    text => frame.amount_of(hi, element, text),
                };
                head.supporting.push(Supporting {
                    coded: Some(codes::own(&format!("1271:{qualifier}"), code)),
                    timing,
                    amount,
                    text: some(part(6)),
                    ..fact("1270", qualifier)
                });
            }
        }
    }
}

/// An amount as a fact. One below zero is told in words: facts are sums that stand for themselves.
pub(super) fn amount_fact(
    frame: &Frame<'_>,
    mut named: Supporting,
    seen: &Seen<'_>,
    at: usize,
) -> Supporting {
    match frame.amount(seen, at) {
        Some(amount) if amount < Amount::ZERO => {
            named.text = some(seen.at(at));
            named.unit = frame.currency.map(|own| own.as_str().to_owned());
        }
        amount => named.amount = amount,
    }
    named
}

/// What segments tell of a claim or a line beyond the fields of either: dates, references, amounts, notes.
/// `None` where the segment is none of those.
pub(super) fn told(frame: &Frame<'_>, seen: &Seen<'_>) -> Option<Vec<Supporting>> {
    let id = seen.id();
    let one = match id {
        "DTP" => Supporting {
            timing: frame.period(seen, 2, 3),
            ..fact("374", seen.at(1))
        },
        "REF" => Supporting {
            identifier: super::frame::reference(seen),
            text: some(seen.at(3)),
            ..fact("128", seen.at(1))
        },
        "AMT" => amount_fact(frame, fact("522", seen.at(1)), seen, 2),
        "QTY" => Supporting {
            quantity: frame.quantity(seen, 2),
            ..fact("673", seen.at(1))
        },
        "K3" => Supporting {
            text: some(seen.at(1)),
            ..fact("segment", "K3")
        },
        "MEA" => Supporting {
            coded: listed("738", seen.at(2)),
            text: some(seen.at(3)),
            ..fact("737", seen.at(1))
        },
        "CAS" => return Some(adjustments(frame, seen)),
        "HCP" => {
            let method = listed("1473", seen.at(1));
            let parts = [(2, "allowed"), (3, "saved")];
            let amounts = parts.into_iter().filter_map(|(at, what)| {
                seen.text(at)?;
                let named = Supporting {
                    coded: method.clone(),
                    ..fact("HCP", what)
                };
                Some(amount_fact(frame, named, seen, at))
            });
            return Some(amounts.collect());
        }
        "PS1" => {
            let mut bought = amount_fact(frame, fact("segment", "PS1"), seen, 2);
            bought.text = some(seen.at(1));
            bought
        }
        _ => return None,
    };
    Some(vec![one])
}

/// What an earlier payer did not pay, and why: one fact for each reason.
fn adjustments(frame: &Frame<'_>, cas: &Seen<'_>) -> Vec<Supporting> {
    let group = cas.at(1);
    let reasons = (2..=17).step_by(3).filter_map(|at| {
        let reason = cas.text(at)?;
        let mut adjusted = amount_fact(frame, fact("CAS", group), cas, at + 1);
        adjusted.coded = Some(codes::own("1034", reason));
        if let Some(quantity) = cas.text(at + 2) {
            adjusted.unit = Some(quantity.to_owned());
            adjusted.quantity = takmil_domain::money::Quantity::parse(quantity);
            if adjusted.quantity.is_some() {
                adjusted.unit = None;
            }
        }
        Some(adjusted)
    });
    reasons.collect()
}

/// A document that is announced by a PWK.
pub(super) fn attachment(pwk: &Seen<'_>) -> Attachment {
    pwk.at(5);
    Attachment {
        title: some([pwk.at(1), pwk.at(2), pwk.at(7)].join(" ").trim()),
        place: some(pwk.at(6)).map(|number| format!("urn:x12:pwk:{number}")),
        ..Attachment::default()
    }
}

/// A service by a composite of qualifier, code, modifiers and words, the qualifier being the composite's component
/// `first`.
pub(super) fn service(seen: &Seen<'_>, element: usize) -> Option<(Coded, Vec<Coded>)> {
    let (qualifier, code) = (seen.part(element, 1), seen.part(element, 2));
    if code.is_empty() {
        return None;
    }
    let source = Coding {
        system: codes::service_system(qualifier),
        code: code.to_owned(),
        display: some(seen.part(element, 7)),
        ..Coding::default()
    };
    let modifiers = (3..=6).map(|component| seen.part(element, component));
    let modifiers = modifiers.filter(|text| !text.is_empty());
    let modifiers = modifiers.map(|text| codes::own("1339", text)).collect();
    let item = Coded {
        source: Some(source),
        ..Coded::default()
    };
    Some((item, modifiers))
}

/// How a member is treated, by the place of service or the kind of facility, where either says so.
pub(super) fn encounter_class(qualifier: &str, code: &str) -> Option<EncounterClass> {
    match (qualifier, code) {
        ("A", "11" | "12" | "18" | "21" | "22" | "28" | "41" | "65" | "66" | "86")
        | ("B" | "", "21" | "51" | "61") => Some(EncounterClass::Inpatient),
        ("B" | "", "23") => Some(EncounterClass::Emergency),
        ("A" | "B" | "", code) if !code.is_empty() => Some(EncounterClass::Outpatient),
        _ => None,
    }
}
