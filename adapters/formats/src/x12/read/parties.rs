//! Persons and bodies: NM1 with what follows it, the member, the covers.

use takmil_domain::code::Coded;
use takmil_domain::ids::Identifier;
use takmil_domain::party::{CoverageClass, CoverageReference, Member, Party, Sex};
use takmil_domain::problem::ProblemCode;

use super::frame::{Frame, fact, listed, reference, some};
use crate::x12::codes::{self, identifier_system};
use crate::x12::token::Seen;

/// Segments that belong to the NM1 before them.
const OF_PARTY: &[&str] = &["N2", "N3", "N4", "PER", "PRV", "REF", "DMG"];

/// The NM1 of a loop with one of the entity codes, with the segments that belong to it.
pub(super) fn find<'s, 'a>(segments: &'s [Seen<'a>], wanted: &[&str]) -> Option<&'s [Seen<'a>]> {
    named(segments).find(|group| {
        let nm1 = group.first();
        nm1.is_some_and(|nm1| wanted.contains(&nm1.peek(1)))
    })
}

/// Every NM1 of a stretch of segments, each with the segments that belong to it.
pub(super) fn named<'s, 'a>(segments: &'s [Seen<'a>]) -> impl Iterator<Item = &'s [Seen<'a>]> {
    let starts = segments.iter().enumerate();
    let starts = starts.filter(|(_, seen)| seen.id() == "NM1");
    starts.filter_map(move |(start, _)| {
        let rest = segments.get(start..)?;
        let length = rest
            .iter()
            .skip(1)
            .take_while(|seen| OF_PARTY.contains(&seen.id()))
            .count();
        rest.get(..length + 1)
    })
}

/// The name of an NM1: of a body as it is, of a person given name first.
pub(super) fn name(nm1: &Seen<'_>) -> Option<String> {
    nm1.at(2);
    let parts: Vec<&str> = [6, 4, 5, 3, 7]
        .into_iter()
        .filter_map(|n| nm1.text(n))
        .collect();
    some(&parts.join(" "))
}

/// The identifier of an NM1.
pub(super) fn number(nm1: &Seen<'_>) -> Option<Identifier> {
    let value = nm1.text(9)?;
    Some(Identifier::new(identifier_system(nm1.at(8)), value))
}

/// Reads an NM1 and the PRV and REF behind it.
pub(super) fn party(group: &[Seen<'_>]) -> Option<Party> {
    let nm1 = group.first()?;
    let mut party = Party {
        role: listed("98", nm1.at(1)),
        name: name(nm1),
        identifiers: number(nm1).into_iter().collect(),
        ..Party::default()
    };
    for seen in group.iter().skip(1) {
        match seen.id() {
            "PRV" => party.specialty = specialty(seen),
            "REF" => party.identifiers.extend(reference(seen)),
            _ => {}
        }
    }
    Some(party)
}

/// The specialty of a PRV.
pub(super) fn specialty(prv: &Seen<'_>) -> Option<Coded> {
    prv.at(1);
    prv.at(2);
    Some(Coded::new(codes::TAXONOMY, prv.text(3)?))
}

/// The member of a loop: its NM1, DMG and REF. `group` starts with the NM1; a DMG of 276 stands before it.
pub(super) fn member(frame: &Frame<'_>, segments: &[Seen<'_>], entity: &[&str]) -> Option<Member> {
    let group = find(segments, entity)?;
    let nm1 = group.first()?;
    frame.origin("/member", nm1);
    let mut member = Member {
        identifiers: number(nm1).into_iter().collect(),
        name: {
            nm1.at(1);
            name(nm1)
        },
        ..Member::default()
    };
    // The demographics may stand behind segments of the loop that are no part of the name.
    for seen in segments.iter().filter(|seen| seen.id() == "DMG").take(1) {
        member.birth_date = frame.when(seen, 1, 2);
        member.sex = match seen.at(3) {
            "" => None,
            "F" => Some(Sex::Female),
            "M" => Some(Sex::Male),
            "U" => Some(Sex::Unknown),
            _ => {
                frame.fault(seen, 3, ProblemCode::BadValue, "no sex of the list");
                None
            }
        };
    }
    let own = group.iter().filter(|seen| seen.id() == "REF");
    member.identifiers.extend(own.filter_map(reference));
    Some(member)
}

/// The order of a payer (data element 1138).
pub(super) fn order(code: &str) -> Option<u32> {
    match code {
        "P" => Some(1),
        "S" => Some(2),
        "T" => Some(3),
        letter if letter.len() == 1 && ("A"..="H").contains(&letter) => {
            letter.bytes().next().map(|byte| u32::from(byte - b'A') + 4)
        }
        _ => None,
    }
}

/// A cover: an SBR, and the subscriber and payer that are named with it.
pub(super) fn cover(sbr: Option<&Seen<'_>>, segments: &[Seen<'_>]) -> CoverageReference {
    let mut cover = CoverageReference::default();
    if let Some(sbr) = sbr {
        cover.order = order(sbr.at(1));
        cover.relationship = listed("1069", sbr.at(2));
        if let Some(group) = sbr.text(3) {
            cover.classes.push(CoverageClass {
                kind: codes::own("SBR", "03"),
                value: group.to_owned(),
                name: some(sbr.at(4)),
            });
        } else if let Some(name) = sbr.text(4) {
            let mut named = fact("SBR", "04");
            named.text = Some(name.to_owned());
            cover.particulars.push(named);
        }
        cover.kind = listed("1032", sbr.at(9));
        if let Some(kind) = sbr.text(5) {
            let mut told = fact("SBR", "05");
            told.text = Some(kind.to_owned());
            cover.particulars.push(told);
        }
    }
    if let Some(group) = find(segments, &["IL"]) {
        let nm1 = group.first();
        cover.identifiers.extend(nm1.and_then(number));
        let own = group.iter().filter(|seen| seen.id() == "REF");
        cover.identifiers.extend(own.filter_map(reference));
        if let Some(nm1) = nm1 {
            nm1.at(1);
            let mut holder = fact("98", "IL");
            holder.text = name(nm1);
            cover
                .particulars
                .extend(holder.text.is_some().then_some(holder));
        }
    }
    cover.insurer = find(segments, &["PR", "IN"]).and_then(party);
    cover
}
