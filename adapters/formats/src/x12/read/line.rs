//! One line of a claim: the LX with its service and all that follows it.

use takmil_domain::bill::{BasePaid, Line};
use takmil_domain::code::{Code, Coded, Coding};
use takmil_domain::message::{Head, Supporting};
use takmil_domain::money::Amount;
use takmil_domain::party::Party;
use takmil_domain::problem::ProblemCode;

use super::bill::{amount_fact, attachment, service, told};
use super::frame::{Frame, fact, listed, some};
use super::parties::{named, party};
use crate::x12::codes;
use crate::x12::token::Seen;

/// What lines have in common with each other and with their claim.
pub(super) struct Shared<'s> {
    /// The head of the message: attachments of lines go there.
    pub head: &'s mut Head,
    /// Who takes part, by number.
    pub care_team: &'s mut Vec<Party>,
    /// The numbers of the payer that paid first, where the claim goes to a later one.
    pub base: Option<&'s str>,
}

/// Reads a line. `number` is its place in the claim, counted from 1.
pub(super) fn line(
    frame: &Frame<'_>,
    segments: &[Seen<'_>],
    number: u32,
    shared: &mut Shared<'_>,
) -> Line {
    let mut line = Line {
        seq: number,
        ..Line::default()
    };
    let Some(lx) = segments.first() else {
        return line;
    };
    match lx.at(1).parse() {
        Ok(seq) => line.seq = seq,
        Err(_) => frame.fault(lx, 1, ProblemCode::WrongType, "the line has no number"),
    }
    let mut is_served = false;
    let mut paid_before: Option<Amount> = None;
    for seen in segments.iter().skip(1) {
        match seen.id() {
            "SV1" => {
                is_served = true;
                item(frame, seen, 1, &mut line);
                line.billed = frame.amount(seen, 2);
                quantity(frame, seen, 3, 4, &mut line);
                line.place = some(seen.at(5)).map(|code| Coded::new(codes::PLACE, code));
                line.diagnoses = pointers(frame, seen, 7);
                line.particulars.extend(flag(seen, 9, "emergency"));
                line.particulars.extend(flag(seen, 11, "EPSDT"));
                line.particulars.extend(flag(seen, 12, "family planning"));
            }
            "SV2" => {
                is_served = true;
                let revenue = some(seen.at(1)).map(|code| Coded::new(codes::REVENUE, code));
                match (seen.text(2), revenue.clone()) {
                    (None, Some(revenue)) => line.item = revenue,
                    _ => item(frame, seen, 2, &mut line),
                }
                line.revenue = revenue;
                line.billed = frame.amount(seen, 3);
                quantity(frame, seen, 4, 5, &mut line);
                line.unit_price = frame.amount(seen, 6);
                if seen.text(7).is_some() {
                    let not_covered = amount_fact(frame, fact("SV2", "07"), seen, 7);
                    line.particulars.push(not_covered);
                }
            }
            "SV3" => {
                is_served = true;
                item(frame, seen, 1, &mut line);
                line.billed = frame.amount(seen, 2);
                line.place = some(seen.at(3)).map(|code| Coded::new(codes::PLACE, code));
                let areas = seen.parts(4).filter_map(|code| listed("1361", code));
                line.sub_sites.extend(areas);
                line.particulars
                    .extend(listed("1358", seen.at(5)).map(|coded| Supporting {
                        coded: Some(coded),
                        ..fact("SV3", "05")
                    }));
                line.quantity = frame.quantity(seen, 6);
                line.diagnoses = pointers(frame, seen, 11);
            }
            "TOO" => tooth(seen, &mut line),
            "DTP" if seen.peek(1) == "472" => {
                seen.at(1);
                line.serviced = frame.period(seen, 2, 3);
            }
            "REF" if seen.peek(1) == "G1" => {
                seen.at(1);
                line.authorisation = some(seen.at(2));
            }
            "LIN" => {
                let system = codes::service_system(seen.at(2));
                line.item.others.extend(seen.text(3).map(|code| Coding {
                    system,
                    code: code.to_owned(),
                    ..Coding::default()
                }));
            }
            "CTP" => {
                let mut given = fact("segment", "CTP");
                given.quantity = frame.quantity(seen, 4);
                given.unit_code = some(seen.part(5, 1)).map(|code| Code::new("urn:x12:355", code));
                if seen.text(3).is_some() {
                    given.amount = frame.amount(seen, 3);
                }
                line.particulars.push(given);
            }
            "SVD" => {
                let amount = frame.amount(seen, 2);
                let by = seen.at(1);
                if shared.base == Some(by) {
                    paid_before = paid_before.into_iter().chain(amount).reduce(|a, b| a + b);
                } else {
                    let mut paid = amount_fact(frame, fact("segment", "SVD"), seen, 2);
                    paid.identifier =
                        some(by).map(|by| takmil_domain::ids::Identifier::new("", by));
                    line.particulars.push(paid);
                }
            }
            "PWK" => shared.head.attachments.push(attachment(seen)),
            "NTE" => {
                let mut note = fact("363", seen.at(1));
                note.text = some(seen.at(2));
                line.particulars.push(note);
            }
            _ => line
                .particulars
                .extend(told(frame, seen).unwrap_or_default()),
        }
    }
    if let Some(paid) = paid_before.filter(|paid| *paid >= Amount::ZERO) {
        line.base = Some(BasePaid {
            paid,
            confirmation: shared.base.map(Into::into),
        });
    }
    for group in named(segments) {
        let Some(mut who) = party(group) else {
            continue;
        };
        let seq = u32::try_from(shared.care_team.len() + 1).unwrap_or(u32::MAX);
        who.seq = Some(seq);
        shared.care_team.push(who);
        line.practitioners.push(seq);
    }
    if !is_served {
        frame.fault(lx, 0, ProblemCode::Missing, "the line has no service");
    } else if line.billed.is_none() && frame.problems.borrow().is_empty() {
        frame.fault(lx, 0, ProblemCode::Missing, "the line has no charge");
    }
    line
}

/// The service of a line with its modifiers.
fn item(frame: &Frame<'_>, seen: &Seen<'_>, element: usize, line: &mut Line) {
    match service(seen, element) {
        Some((item, modifiers)) => {
            line.item = item;
            line.modifiers = modifiers;
        }
        None => frame.fault(
            seen,
            element,
            ProblemCode::Missing,
            "the service has no code",
        ),
    }
}

fn quantity(frame: &Frame<'_>, seen: &Seen<'_>, unit: usize, count: usize, line: &mut Line) {
    line.unit_code = some(seen.at(unit)).map(|code| Code::new("urn:x12:355", code));
    line.quantity = frame.quantity(seen, count);
}

/// A yes of a flag.
fn flag(seen: &Seen<'_>, element: usize, name: &str) -> Option<Supporting> {
    let yes = match seen.at(element) {
        "Y" => true,
        "N" => false,
        _ => return None,
    };
    Some(Supporting {
        yes: Some(yes),
        ..fact("SV1", name)
    })
}

/// The diagnoses that a line names by number.
fn pointers(frame: &Frame<'_>, seen: &Seen<'_>, element: usize) -> Vec<u32> {
    let texts = seen.parts(element).filter(|text| !text.is_empty());
    let mut found = Vec::new();
    for text in texts {
        match text.parse() {
            Ok(number) if !found.contains(&number) => found.push(number),
            Ok(_) => {}
            Err(_) => frame.fault(
                seen,
                element,
                ProblemCode::WrongType,
                "no number of a diagnosis",
            ),
        }
    }
    found
}

/// A tooth and its surfaces. A second tooth of the same line is told beside.
fn tooth(too: &Seen<'_>, line: &mut Line) {
    too.at(1);
    let site = some(too.at(2)).map(|code| Coded::new(codes::TOOTH, code));
    if line.body_site.is_none() {
        line.body_site = site;
    } else if let Some(site) = site {
        line.particulars.push(Supporting {
            coded: Some(site),
            ..fact("segment", "TOO")
        });
    }
    line.sub_sites
        .extend(too.parts(3).filter_map(|code| listed("1369", code)));
}
