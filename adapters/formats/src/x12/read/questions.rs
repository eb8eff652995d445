//! A question about cover (270) and a request for review (278).

use takmil_domain::bill::{Bill, Encounter, EncounterClass, Line};
use takmil_domain::code::{Code, Coded};
use takmil_domain::date::Period;
use takmil_domain::ids::{Identifier, MessageId};
use takmil_domain::message::{
    Body, Cancel, Claim, Correlate, Eligibility, Head, Message, Preauthorization, Relation,
    Supporting,
};
use takmil_domain::money::Quantity;
use takmil_domain::problem::ProblemCode;

use super::bill::{attachment, encounter_class, health_codes, service, told};
use super::frame::{Frame, Unit, fact, listed, some};
use super::parties::{cover, find, member, named, party};
use crate::MESSAGE_SYSTEM;
use crate::x12::codes;
use crate::x12::token::Seen;

/// What both have in common: who asks whom about whom.
fn opened(frame: &Frame<'_>, unit: &Unit<'_, '_>, payer: &[&str]) -> Head {
    let mut head = Head::default();
    let mut batch = "";
    for bht in unit.head.iter().filter(|seen| seen.id() == "BHT") {
        bht.at(1);
        bht.at(2);
        batch = bht.at(3);
        head.created = frame.when(bht, 0, 4);
        bht.at(5);
    }
    let all = || unit.loops.iter().flatten().chain(unit.own);
    // The trace of the loop is the question's own number; where there is none, the batch's with the loop's.
    let traces = all().filter(|seen| seen.id() == "TRN" && seen.at(1) == "1");
    head.identifiers = traces
        .filter_map(|trn| {
            let issuer = some(trn.at(3)).map(|issuer| format!("urn:x12:trace:{issuer}"));
            Some(Identifier::new(issuer.unwrap_or_default(), trn.text(2)?))
        })
        .collect();
    if head.identifiers.is_empty() && !batch.is_empty() {
        let hl = unit.loops.last().and_then(|level| level.first());
        let number = hl.map_or("", |hl| hl.peek(1));
        head.identifiers
            .push(Identifier::new("", format!("{batch}/{number}")));
    } else if !batch.is_empty() {
        head.supporting.push(Supporting {
            identifier: Some(Identifier::new("urn:x12:BHT03", batch)),
            ..fact("segment", "BHT")
        });
    }
    let source = find(unit.level(&["20"]), payer).and_then(party);
    head.recipient = source.clone();
    head.provider = named(unit.level(&["21"])).next().and_then(party);
    let subscriber = unit.level(&["22"]);
    let insured = member(frame, subscriber, &["IL"]);
    let dependant = member(frame, unit.level(&["23"]), &["03", "QC"]);
    head.member = dependant.or(insured).unwrap_or_default();
    let mut own = cover(None, subscriber);
    own.insurer = source;
    own.focal = Some(true);
    if let Some(ins) = all().find(|seen| seen.id() == "INS" && seen.at(1) == "N") {
        own.relationship = listed("1069", ins.at(2));
    }
    head.coverages.push(own);
    head
}

/// Reads the loop of a 270 in which something is asked.
pub(super) fn eligibility(frame: &Frame<'_>, unit: &Unit<'_, '_>) -> Message {
    let mut head = opened(frame, unit, &["PR", "2B", "36", "GP", "P5"]);
    let mut asked = Eligibility {
        purposes: vec!["benefits".to_owned()],
        ..Eligibility::default()
    };
    // A day of the loop holds for every question in it; one behind a question for that one.
    let loop_days = unit
        .loops
        .iter()
        .flatten()
        .filter(|seen| seen.id() == "DTP");
    for seen in loop_days.chain(unit.own.iter().filter(|seen| seen.id() == "DTP")) {
        seen.at(1);
        asked.serviced = frame.period(seen, 2, 3);
    }
    let mut bill = Bill::default();
    for seen in unit.own {
        match seen.id() {
            "EQ" => questions(frame, seen, &mut head, &mut bill),
            "III" => {
                let category = seen.at(1).to_owned();
                head.supporting.push(Supporting {
                    coded: listed(&format!("1271:{category}"), seen.at(2)),
                    ..fact("1270", &category)
                });
            }
            "HI" => health_codes(frame, "/eligibility/bill", seen, &mut head, &mut bill),
            "AMT" | "REF" => head
                .supporting
                .extend(told(frame, seen).unwrap_or_default()),
            _ => {}
        }
    }
    asked.bill = (!bill.lines.is_empty()).then_some(bill);
    head.occurred_on = asked
        .serviced
        .as_ref()
        .and_then(|period| period.start.as_ref()?.first_day());
    Message {
        head,
        body: Body::Eligibility(asked),
    }
}

/// Reads a question of a 276 as an example of the claims that it asks about.
pub(super) fn status(frame: &Frame<'_>, unit: &Unit<'_, '_>) -> Message {
    let mut head = opened(frame, unit, &["PR"]);
    // The numbers that `opened` finds are the question's own, and of no claim.
    head.identifiers.clear();
    head.provider = named(unit.level(&["19"])).next().and_then(party);
    let mut bill = Bill::default();
    for seen in unit.own {
        match (seen.id(), seen.peek(1)) {
            ("REF", "EJ") => {
                seen.at(1);
                let account = seen.text(2).map(|account| Identifier::new("", account));
                head.identifiers.extend(account);
            }
            ("REF", "D9") => head.identifiers.extend(super::frame::reference(seen)),
            ("REF", "1K") => head
                .correlates
                .extend(seen.text(2).map(|_| earlier(seen, ""))),
            ("DTP", "472" | "232") => {
                seen.at(1);
                bill.period = frame.period(seen, 2, 3).or(bill.period.take());
            }
            ("REF" | "AMT", _) => head
                .supporting
                .extend(told(frame, seen).unwrap_or_default()),
            _ => {}
        }
    }
    let persons = &head.member.identifiers;
    if let Some(trn) = unit.own.first()
        && head.identifiers.is_empty()
        && head.correlates.is_empty()
        && persons.is_empty()
    {
        let detail = "neither a claim nor a member is named";
        frame.fault(trn, 0, ProblemCode::Missing, detail);
    }
    Message {
        head,
        body: Body::Claim(Claim {
            interim: false,
            bill,
        }),
    }
}

/// The services of an EQ. 30 asks for the plan as a whole, and so for none.
fn questions(frame: &Frame<'_>, eq: &Seen<'_>, head: &mut Head, bill: &mut Bill) {
    let level = listed("1207", eq.at(3));
    let procedure = service(eq, 2);
    let kinds: Vec<&str> = eq.repeats(1).filter(|code| *code != "30").collect();
    if kinds.is_empty() && procedure.is_none() {
        head.supporting
            .extend(level.clone().map(|coded| Supporting {
                coded: Some(coded),
                ..fact("EQ", "03")
            }));
    }
    let mut push = |item: Coded, modifiers: Vec<Coded>| {
        frame.origin(format!("/eligibility/bill/lines/{}", bill.lines.len()), eq);
        bill.lines.push(Line {
            seq: u32::try_from(bill.lines.len() + 1).unwrap_or(u32::MAX),
            item,
            modifiers,
            programmes: level.iter().cloned().collect(),
            ..Line::default()
        });
    };
    for kind in kinds {
        push(Coded::new(codes::SERVICE_TYPE, kind), Vec::new());
    }
    if let Some((item, modifiers)) = procedure {
        push(item, modifiers);
    }
}

/// Reads the loop of an event of a 278, or takes back what an earlier one asked for.
pub(super) fn review(frame: &Frame<'_>, unit: &Unit<'_, '_>) -> Message {
    let mut head = opened(frame, unit, &["X3", "PR"]);
    let base = "/preauthorization/bill";
    let mut bill = Bill::default();
    let mut encounter = Encounter::default();
    let mut action = "";
    let mut kind = None;
    for seen in unit.own {
        match (seen.id(), seen.peek(1)) {
            ("UM", category) => {
                bill.kinds.extend(listed("1525", seen.at(1)));
                action = seen.at(2);
                bill.kinds.extend(listed("1322", action));
                kind = some(seen.at(3)).map(|code| Coded::new(codes::SERVICE_TYPE, code));
                let (place, qualifier) = (seen.part(4, 1), seen.part(4, 2));
                encounter.class = match category {
                    "AR" => Some(EncounterClass::Inpatient),
                    _ => encounter_class(qualifier, place),
                };
                encounter.kinds.extend(listed("1331", place));
                head.priority = listed("1338", seen.at(6));
            }
            ("HI", _) => health_codes(frame, base, seen, &mut head, &mut bill),
            ("DTP", "435" | "AAH" | "472") => {
                seen.at(1);
                let period = frame.period(seen, 2, 3);
                encounter.period = period.clone();
                bill.period = period;
            }
            ("CL1", _) => {
                encounter.kinds.extend(listed("1315", seen.at(1)));
                encounter.admission_source = listed("1314", seen.at(2));
                encounter.discharge = listed("1352", seen.at(3));
            }
            ("SV1" | "SV2" | "SV3", _) => line(frame, base, seen, &mut bill),
            ("HSD", _) => quantity(frame, seen, &kind, &mut bill, base),
            ("REF", "BB" | "NT") => head.correlates.push(earlier(seen, action)),
            ("PWK", _) => head.attachments.push(attachment(seen)),
            ("MSG", _) => head.texts.extend(some(seen.at(1))),
            ("NM1" | "TRN", _) => {}
            _ => head
                .supporting
                .extend(told(frame, seen).unwrap_or_default()),
        }
    }
    for group in named(unit.own) {
        let Some(mut who) = party(group) else {
            continue;
        };
        who.seq = u32::try_from(bill.care_team.len() + 1).ok();
        bill.care_team.push(who);
    }
    if bill.lines.is_empty() {
        bill.lines.extend(kind.map(|item| Line {
            seq: 1,
            item,
            ..Line::default()
        }));
    }
    head.occurred_on = first_day(bill.period.as_ref());
    bill.encounter = Some(encounter);
    let body = match action {
        "3" => Body::Cancel(Cancel::default()),
        _ => Body::Preauthorization(Preauthorization { bill }),
    };
    Message { head, body }
}

fn first_day(period: Option<&Period>) -> Option<takmil_domain::date::Date> {
    period?.start.as_ref()?.first_day()
}

/// The earlier request or leave that a 278 names.
fn earlier(seen: &Seen<'_>, action: &str) -> Correlate {
    let number = seen.at(2);
    let system = match MessageId::parse(number) {
        Some(_) => MESSAGE_SYSTEM.to_owned(),
        None => codes::reference_system(seen.at(1)),
    };
    seen.at(1);
    Correlate {
        relation: match action {
            "3" => Relation::Cancels,
            "S" | "R" | "4" => Relation::Replaces,
            _ => Relation::Related,
        },
        identifier: Identifier::new(system, number),
        coded: listed("1322", action),
    }
}

/// A service that is asked for.
fn line(frame: &Frame<'_>, base: &str, seen: &Seen<'_>, bill: &mut Bill) {
    let (at, amount, count) = match seen.id() {
        "SV2" => (2, 3, 5),
        "SV3" => (1, 2, 6),
        _ => (1, 2, 4),
    };
    let revenue = (at == 2).then(|| some(seen.at(1))).flatten();
    let revenue = revenue.map(|code| Coded::new(codes::REVENUE, code));
    let named = service(seen, at).or_else(|| Some((revenue.clone()?, Vec::new())));
    let Some((item, modifiers)) = named else {
        let code = ProblemCode::Missing;
        frame.fault(seen, at, code, "the service has no code");
        return;
    };
    frame.origin(format!("{base}/lines/{}", bill.lines.len()), seen);
    bill.lines.push(Line {
        seq: u32::try_from(bill.lines.len() + 1).unwrap_or(u32::MAX),
        item,
        modifiers,
        revenue,
        billed: frame.amount(seen, amount),
        quantity: frame.quantity(seen, count),
        unit_code: some(seen.at(count - 1))
            .filter(|_| at == 2 || seen.id() == "SV1")
            .map(|code| Code::new("urn:x12:355", code)),
        ..Line::default()
    });
}

/// How much is asked for: of the service before it, else of the kind of service that the event is about.
fn quantity(frame: &Frame<'_>, hsd: &Seen<'_>, kind: &Option<Coded>, bill: &mut Bill, base: &str) {
    let unit = some(hsd.at(1)).map(|code| Code::new("urn:x12:673", code));
    let count: Option<Quantity> = frame.quantity(hsd, 2);
    if bill.lines.is_empty() {
        frame.origin(format!("{base}/lines/0"), hsd);
        bill.lines.push(Line {
            seq: 1,
            item: kind.clone().unwrap_or_else(|| codes::own("segment", "UM")),
            ..Line::default()
        });
    }
    if let Some(last) = bill.lines.last_mut() {
        last.quantity = last.quantity.or(count);
        last.unit_code = last.unit_code.take().or(unit);
    }
}
