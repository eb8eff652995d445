//! The loop of a claim of an 837 into a message: a claim, an estimate where benefits are only predetermined, a
//! cancellation where the claim is voided.

use takmil_domain::bill::{Accident, BasePaid, Bill, BillClass, Encounter, Payee};
use takmil_domain::code::Coded;
use takmil_domain::date::Period;
use takmil_domain::ids::{Identifier, MessageId};
use takmil_domain::message::{Body, Cancel, Claim, Correlate, Head, Message, Relation, Supporting};
use takmil_domain::money::Amount;
use takmil_domain::party::{CoverageReference, InsurerRole, Party};
use takmil_domain::problem::ProblemCode;

use super::bill::{attachment, encounter_class, health_codes, told};
use super::frame::{Frame, Unit, day, fact, listed, reference, some};
use super::line::{Shared, line};
use super::parties::{cover, find, member, named, number, party, specialty};
use crate::MESSAGE_SYSTEM;
use crate::x12::codes;
use crate::x12::token::Seen;

/// What CLM05-3 and CLM19 make of a claim.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Claim,
    Estimate,
    Void,
}

/// Reads the loop of a claim.
pub(super) fn read(frame: &Frame<'_>, unit: &Unit<'_, '_>) -> Message {
    let mut head = parties(frame, unit);
    let Some(clm) = unit.own.first() else {
        return message(Use::Claim, false, head, Bill::default(), None);
    };
    let frequency = clm.part(5, 3);
    let used = match (frequency, clm.at(19)) {
        ("8", _) => Use::Void,
        (_, "PB") => Use::Estimate,
        _ => Use::Claim,
    };
    let base = match used {
        Use::Estimate => "/estimate",
        _ => "/claim/bill",
    };
    let starts = |seen: &Seen<'_>| matches!(seen.id(), "SBR" | "LX");
    let end = unit.own.iter().position(starts).unwrap_or(unit.own.len());
    let (own, rest) = unit.own.split_at(end);
    let first_line = rest
        .iter()
        .position(|seen| seen.id() == "LX")
        .unwrap_or(rest.len());
    let (others, lines) = rest.split_at(first_line);

    let mut bill = opened(frame, clm, unit);
    identify(clm, unit, frequency, &mut head);
    agreed(clm, &mut head);
    facts(frame, base, own, &mut head, &mut bill);
    team(own, &mut head, &mut bill);
    let earlier = covers(frame, others, &mut head);
    let mut shared = Shared {
        head: &mut head,
        care_team: &mut bill.care_team,
        base: earlier
            .as_ref()
            .and_then(|earlier| earlier.payer.as_deref()),
    };
    let starts = lines
        .iter()
        .enumerate()
        .filter(|(_, seen)| seen.id() == "LX");
    let mut starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    starts.push(lines.len());
    for (at, bounds) in starts.windows(2).enumerate() {
        let [from, to] = bounds else { continue };
        let segments = lines.get(*from..*to).unwrap_or_default();
        if let Some(lx) = segments.first() {
            frame.origin(format!("{base}/lines/{at}"), lx);
        }
        let number = u32::try_from(at + 1).unwrap_or(u32::MAX);
        bill.lines.push(line(frame, segments, number, &mut shared));
    }
    if bill.lines.is_empty() {
        frame.fault(clm, 0, ProblemCode::Missing, "the claim has no line");
    }
    // What was paid for a claim as a whole belongs to its line where it has but one; to share it out would be a guess.
    if let (Some(earlier), [line]) = (&earlier, bill.lines.as_mut_slice())
        && let (None, Some(paid)) = (&line.base, earlier.paid)
    {
        line.base = Some(BasePaid {
            paid,
            confirmation: earlier.payer.clone(),
        });
    }
    head.occurred_on = first_day(&bill);
    let interim = matches!(frequency, "2" | "3");
    let reason = (used == Use::Void).then(|| codes::own("1325", frequency));
    message(used, interim, head, bill, reason)
}

fn message(used: Use, interim: bool, head: Head, bill: Bill, reason: Option<Coded>) -> Message {
    let body = match used {
        Use::Claim => Body::Claim(Claim { interim, bill }),
        Use::Estimate => Body::Estimate(bill),
        Use::Void => Body::Cancel(Cancel {
            reason,
            prescription: None,
        }),
    };
    Message { head, body }
}

/// The first day that the bill names.
fn first_day(bill: &Bill) -> Option<takmil_domain::date::Date> {
    let periods = bill
        .period
        .iter()
        .chain(bill.lines.iter().filter_map(|line| line.serviced.as_ref()));
    let starts = periods.filter_map(|period| period.start.as_ref()?.first_day());
    starts.min()
}

/// Who sends, who bills, whom it is about, who is to pay.
fn parties(frame: &Frame<'_>, unit: &Unit<'_, '_>) -> Head {
    let mut head = Head::default();
    let mut batch = None;
    for seen in unit.head {
        if seen.id() == "BHT" {
            seen.at(1);
            seen.at(2);
            batch = some(seen.at(3));
            head.created = frame.when(seen, 0, 4);
            seen.at(5);
            seen.at(6);
        }
    }
    if let Some(batch) = batch {
        head.supporting.push(Supporting {
            identifier: Some(Identifier::new("urn:x12:BHT03", batch)),
            ..fact("segment", "BHT")
        });
    }
    head.submitted_by = find(unit.head, &["41"]).and_then(party);
    if let Some(receiver) = find(unit.head, &["40"]).and_then(party) {
        head.supporting.push(Supporting {
            identifier: receiver.identifiers.first().cloned(),
            text: receiver.name,
            ..fact("98", "40")
        });
    }
    let billing = unit.level(&["20"]);
    head.provider = find(billing, &["85"]).and_then(party);
    let prv = billing.iter().find(|seen| seen.id() == "PRV");
    if let (Some(provider), Some(prv)) = (head.provider.as_mut(), prv) {
        match (&provider.specialty, specialty(prv)) {
            (None, own) => provider.specialty = own,
            // Some senders name two.
            (Some(first), Some(own)) if *first != own => head.supporting.push(Supporting {
                coded: Some(own),
                ..fact("1221", prv.at(1))
            }),
            _ => {}
        }
    }
    let subscriber = unit.level(&["22"]);
    let patient = unit.level(&["23"]);
    let insured = member(frame, subscriber, &["IL"]);
    let dependant = member(frame, patient, &["QC"]);
    head.member = dependant.or(insured).unwrap_or_default();
    let sbr = subscriber.iter().find(|seen| seen.id() == "SBR");
    let mut own = cover(sbr, subscriber);
    own.focal = Some(true);
    if let Some(pat) = patient
        .iter()
        .chain(subscriber)
        .find(|seen| seen.id() == "PAT")
    {
        own.relationship = listed("1069", pat.at(1)).or(own.relationship);
    }
    // The member is the patient; when the policy's holder was born is told of the cover.
    if !patient.is_empty() {
        own.particulars.extend(born(frame, subscriber));
    }
    head.recipient = own.insurer.clone();
    head.coverages.push(own);
    if let Some(hl) = unit.loops.last().and_then(|level| level.first()) {
        frame.origin("/member", hl);
    }
    head
}

/// When the holder of a policy was born.
fn born(frame: &Frame<'_>, segments: &[Seen<'_>]) -> Option<Supporting> {
    let dmg = segments.iter().find(|seen| seen.id() == "DMG")?;
    Some(Supporting {
        timing: Some(day(frame.when(dmg, 1, 2)?)),
        ..fact("segment", "DMG")
    })
}

/// The claim's numbers, and the claim that it replaces or voids.
fn identify(clm: &Seen<'_>, unit: &Unit<'_, '_>, frequency: &str, head: &mut Head) {
    let account = clm.at(1);
    let again = matches!(frequency, "7" | "8");
    // A claim that replaces or voids another one bears that one's number: together with its batch it has one of its own.
    let bht = unit.head.iter().find(|seen| seen.id() == "BHT");
    let system = match bht.filter(|_| again) {
        Some(bht) => format!("urn:x12:batch:{}", bht.at(3)),
        None => String::new(),
    };
    head.identifiers.push(Identifier::new(system, account));
    if !again {
        return;
    }
    let relation = match frequency {
        "7" => Relation::Replaces,
        _ => Relation::Cancels,
    };
    let mut own = unit.own.iter().take_while(|seen| seen.id() != "LX");
    let original = own.find(|seen| seen.id() == "REF" && seen.peek(1) == "F8");
    let identifier = match original.map(|seen| seen.at(2)) {
        Some(number) if MessageId::parse(number).is_some() => {
            Identifier::new(MESSAGE_SYSTEM, number)
        }
        // A number that is not the hub's says less than the claim's own.
        _ => Identifier::new("", account),
    };
    head.correlates.push(Correlate {
        relation,
        identifier,
        coded: listed("1325", frequency),
    });
}

/// What the member and the provider agreed to: signature, assignment, benefits, release of data.
fn agreed(clm: &Seen<'_>, head: &mut Head) {
    const FLAGS: [(usize, &str); 5] = [
        (6, "1073"),
        (7, "1359"),
        (8, "1073"),
        (9, "1363"),
        (10, "1351"),
    ];
    let flags = FLAGS.into_iter().filter_map(|(element, list)| {
        Some(Supporting {
            coded: Some(listed(list, clm.at(element))?),
            ..fact("CLM", &format!("{element:02}"))
        })
    });
    head.supporting.extend(flags);
}

/// What the CLM itself says.
fn opened(frame: &Frame<'_>, clm: &Seen<'_>, unit: &Unit<'_, '_>) -> Bill {
    let (facility, qualifier) = (clm.part(5, 1), clm.part(5, 2));
    let is_institutional = frame.class == Some(BillClass::Institutional);
    let system = match is_institutional || qualifier == "A" {
        true => codes::BILL_TYPE,
        false => codes::PLACE,
    };
    let qualifier = match qualifier {
        "" if is_institutional => "A",
        other => other,
    };
    let kind = some(facility).map(|code| Coded::new(system, code));
    let causes: Vec<&str> = clm
        .parts(11)
        .take(3)
        .filter(|text| !text.is_empty())
        .collect();
    let accident = causes.first().map(|cause| Accident {
        when: None,
        kind: listed("1362", cause),
        place: some([clm.part(11, 4), clm.part(11, 5)].join(" ").trim()),
    });
    let payee = find(unit.level(&["20"]), &["87"]).and_then(party);
    let mut kinds: Vec<Coded> = kind.into_iter().collect();
    kinds.extend(listed("1325", clm.part(5, 3)));
    kinds.extend(
        causes
            .iter()
            .skip(1)
            .filter_map(|cause| listed("1362", cause)),
    );
    Bill {
        class: frame.class,
        kinds,
        encounter: Some(Encounter {
            class: encounter_class(qualifier, facility),
            ..Encounter::default()
        }),
        accident,
        total: frame.amount(clm, 2),
        payee: payee.map(|party| Payee {
            kind: None,
            party: Some(party),
        }),
        ..Bill::default()
    }
}

/// What follows the CLM before other payers and lines.
fn facts(frame: &Frame<'_>, base: &str, own: &[Seen<'_>], head: &mut Head, bill: &mut Bill) {
    let mut encounter = bill.encounter.take().unwrap_or_default();
    // References behind an NM1 are that party's.
    let mut in_party = false;
    for seen in own.iter().skip(1) {
        match (seen.id(), seen.peek(1)) {
            ("NM1", _) => in_party = true,
            ("HI", _) => health_codes(frame, base, seen, head, bill),
            ("DTP", "434" | "472") => {
                seen.at(1);
                bill.period = frame.period(seen, 2, 3);
            }
            ("DTP", "435") => {
                seen.at(1);
                let period = encounter.period.get_or_insert_with(Period::default);
                period.start = frame.when(seen, 2, 3);
            }
            ("DTP", "439") => {
                seen.at(1);
                let when = frame.when(seen, 2, 3);
                let accident = bill.accident.get_or_insert(Accident {
                    when: None,
                    kind: None,
                    place: None,
                });
                accident.when = when;
            }
            ("DTP", "096") if seen.peek(2) == "TM" => {
                head.supporting.push(Supporting {
                    text: some(seen.at(3)),
                    coded: listed("1250", seen.at(2)),
                    ..fact("374", seen.at(1))
                });
            }
            ("CL1", _) => {
                encounter.kinds.extend(listed("1315", seen.at(1)));
                encounter.admission_source = listed("1314", seen.at(2));
                encounter.discharge = listed("1352", seen.at(3));
            }
            ("REF", _) if in_party => {}
            ("REF", "G1") => {
                seen.at(1);
                if let (Some(own), Some(number)) = (head.coverages.first_mut(), seen.text(2)) {
                    own.authorisations.push(number.to_owned());
                }
            }
            ("REF", "9F") => head
                .correlates
                .extend(reference(seen).map(|identifier| Correlate {
                    relation: Relation::Referral,
                    identifier,
                    coded: None,
                })),
            ("REF", "EA") => encounter.identifiers.extend(reference(seen)),
            ("REF", "D9") => head.identifiers.extend(reference(seen)),
            ("PWK", _) => head.attachments.push(attachment(seen)),
            ("NTE", _) => {
                seen.at(1);
                head.texts.extend(some(seen.at(2)));
            }
            _ => head
                .supporting
                .extend(told(frame, seen).unwrap_or_default()),
        }
    }
    bill.encounter = Some(encounter);
}

/// Who treated, and where.
fn team(own: &[Seen<'_>], head: &mut Head, bill: &mut Bill) {
    for group in named(own) {
        let Some(mut who) = party(group) else {
            continue;
        };
        let entity = group.first().map_or("", |nm1| nm1.peek(1));
        match entity {
            "77" | "FA" | "LI" | "TL" if head.facility.is_none() => head.facility = Some(who),
            _ => {
                who.seq = u32::try_from(bill.care_team.len() + 1).ok();
                bill.care_team.push(who);
            }
        }
    }
}

/// The payer that paid before the one that is asked.
struct Earlier {
    /// Its number.
    payer: Option<String>,
    /// What it paid for the claim.
    paid: Option<Amount>,
}

/// Other covers, and what their payers did. The result is the one that pays first, where another one is asked.
fn covers(frame: &Frame<'_>, segments: &[Seen<'_>], head: &mut Head) -> Option<Earlier> {
    let starts = segments
        .iter()
        .enumerate()
        .filter(|(_, seen)| seen.id() == "SBR");
    let mut starts: Vec<usize> = starts.map(|(at, _)| at).collect();
    starts.push(segments.len());
    let own_order = head.coverages.first().and_then(|cover| cover.order);
    let mut earlier = None;
    for bounds in starts.windows(2) {
        let [from, to] = bounds else { continue };
        let group = segments.get(*from..*to).unwrap_or_default();
        let mut other: CoverageReference = cover(group.first(), group);
        other.focal = Some(false);
        let mut paid = None;
        for seen in group {
            match (seen.id(), seen.peek(1)) {
                ("AMT", "D" | "C4") => {
                    seen.at(1);
                    paid = frame.amount(seen, 2);
                }
                ("OI", _) => {
                    other
                        .particulars
                        .extend(flagged(seen, 3, "1073", "assigned"));
                    other
                        .particulars
                        .extend(flagged(seen, 6, "1363", "released"));
                }
                ("DMG", _) => {
                    seen.at(3);
                    other
                        .particulars
                        .extend(born(frame, std::slice::from_ref(seen)));
                }
                ("REF", _) => {}
                _ => other
                    .particulars
                    .extend(told(frame, seen).unwrap_or_default()),
            }
        }
        if let Some(amount) = paid {
            other.particulars.push(Supporting {
                amount: (amount >= Amount::ZERO).then_some(amount),
                ..fact("522", "D")
            });
        }
        if other.order == Some(1) && own_order.is_some_and(|order| order > 1) {
            let payer = find(group, &["PR"])
                .and_then(|group| group.first())
                .and_then(number);
            earlier = Some(Earlier {
                payer: payer.map(|own| own.value),
                paid: paid.filter(|paid| *paid >= Amount::ZERO),
            });
        }
        for one in named(group) {
            let entity = one.first().map_or("", |nm1| nm1.peek(1));
            if !matches!(entity, "IL" | "PR" | "IN") {
                let who: Option<Party> = party(one);
                let Some(who) = who else { continue };
                let mut numbers = who.identifiers.into_iter();
                other.particulars.push(Supporting {
                    identifier: numbers.next(),
                    text: who.name,
                    ..fact("98", entity)
                });
                other.particulars.extend(numbers.map(|number| Supporting {
                    identifier: Some(number),
                    ..fact("98", entity)
                }));
            }
        }
        head.coverages.push(other);
    }
    if head.coverages.len() > 1 {
        for one in &mut head.coverages {
            one.role = one.order.map(|order| match order {
                1 => InsurerRole::Base,
                _ => InsurerRole::Supplementary,
            });
        }
    }
    earlier
}

fn flagged(seen: &Seen<'_>, element: usize, list: &str, name: &str) -> Option<Supporting> {
    Some(Supporting {
        coded: Some(codes::own(list, seen.text(element)?)),
        ..fact("OI", name)
    })
}
