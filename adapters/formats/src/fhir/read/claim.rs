//! Claim, in its three uses, into a bill and the message about it.

use takmil_domain::bill::{Bill, Line};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{
    Body, Cancel, Claim, Correlate, Head, Message, Preauthorization, Relation, Supporting,
};
use takmil_domain::party::CoverageReference;
use takmil_domain::problem::ProblemCode;

use super::bill::bill;
use super::certification::{Certified, asked_about, says_taken_back};
use super::cursor::Cursor;
use super::explanation;
use super::links::{correlate, identifier_in, named, names};
use super::particulars::{fill, sweep};
use super::parties::{cover, member, party};
use super::values::{concept_at, identifiers, span, when};
use crate::fhir::r4;

/// Reads a Claim. A fault on the way is on the cursor's account.
pub(super) fn read(c: Cursor) -> Message {
    match c.node.text("use") {
        Some("preauthorization") => request_for_leave(c),
        _ => billed(c),
    }
}

/// What a bill is for: the place in the message where it stands, and the body around it.
pub(super) fn purpose(c: Cursor) -> (&'static str, fn(Bill) -> Body) {
    match c.node.text("use") {
        Some("preauthorization") => (LEAVE, |bill| {
            Body::Preauthorization(Preauthorization { bill })
        }),
        Some("predetermination") => ("/estimate", Body::Estimate),
        _ => ("/claim/bill", |bill| {
            Body::Claim(Claim {
                bill,
                ..Claim::default()
            })
        }),
    }
}

fn billed(c: Cursor) -> Message {
    let (base, wrap) = purpose(c);
    c.text("use");
    let mut head = opened(c);
    correlates(c, Relation::Related, &mut head);
    let bill = stated(c, base, &mut head);
    sweep(c, "Claim", &mut head.supporting);
    Message {
        head,
        body: wrap(bill),
    }
}

/// A request for leave: a new one, one for more than was granted, one that changes an earlier one, or that takes it
/// back.
fn request_for_leave(c: Cursor) -> Message {
    let certified = Certified::of(c);
    let mut head = opened(c);
    correlates(c, certified.prior(), &mut head);
    if certified.takes_back() {
        certified.tell_cancel(&mut head);
        supporting(c, &mut head);
        // That it was a Claim of a type and use is what its answer goes by: they stay for the particulars.
        sweep(c, "Claim", &mut head.supporting);
        return Message {
            head,
            body: Body::Cancel(Cancel::default()),
        };
    }
    c.text("use");
    let mut bill = stated(c, LEAVE, &mut head);
    certified.tell(&mut head, &mut bill.lines);
    sweep(c, "Claim", &mut head.supporting);
    Message {
        head,
        body: Body::Preauthorization(Preauthorization { bill }),
    }
}

/// Where in the message the bill of a request for leave stands.
const LEAVE: &str = "/preauthorization/bill";

/// Reads a Claim that asks about requests for leave, as an example of what is sought.
pub(super) fn inquiry(c: Cursor) -> Message {
    if c.text("use") != Some("preauthorization")
        && let Some(purpose) = c.get("use")
    {
        let detail = "pre-authorisations alone are asked about";
        purpose.fault(ProblemCode::WrongKind, detail);
    }
    let mut head = opened(c);
    head.correlates = asked_about(c);
    let bill = stated(c, LEAVE, &mut head);
    sweep(c, "Claim", &mut head.supporting);
    Message {
        head,
        body: Body::Preauthorization(Preauthorization { bill }),
    }
}

/// The head of a Claim, before what it refers to and what supports it.
pub(super) fn opened(c: Cursor) -> Head {
    let mut head = request(c);
    head.occurred_on = c
        .get("billablePeriod")
        .and_then(|period| when(period, "start"))
        .or(head.created.clone())
        .and_then(|when| when.first_day());
    if let Some(day) = head.occurred_on {
        c.reader.day.set(day);
    }
    head
}

/// What supports a Claim, and its bill.
pub(super) fn stated(c: Cursor, base: &str, head: &mut Head) -> Bill {
    let gone = supporting(c, head);
    let mut bill = bill(c, base);
    if !gone.is_empty() {
        forget(&mut bill.lines, &gone);
    }
    bill
}

/// Takes numbers of information that is not to be used off the lines.
fn forget(lines: &mut [Line], gone: &[u32]) {
    for line in lines {
        line.supporting.retain(|number| !gone.contains(number));
        forget(&mut line.details, gone);
    }
}

/// What Claim, CoverageEligibilityRequest and ExplanationOfBenefit have in common.
pub(super) fn request(c: Cursor) -> Head {
    c.origin("");
    let at = |key: &str, canonical: &str| {
        let inner = c.get(key)?;
        inner.origin(canonical);
        party(inner)
    };
    let agent = || party(c.extension("Extension-Provenance-agent")?.value()?);
    let created = c.get("created");
    created
        .into_iter()
        .for_each(|inner| inner.origin("/created"));
    Head {
        identifiers: names(c),
        status: c.text("status").map(Into::into),
        priority: concept_at(c, "priority"),
        created: when(c, "created"),
        language: c.text("language").map(Into::into),
        member: c
            .get("patient")
            .map(|patient| member(patient, "/member"))
            .unwrap_or_default(),
        provider: at("provider", "/provider"),
        facility: at("facility", "/facility"),
        actor: at("enterer", "/actor").or_else(agent),
        recipient: at("insurer", "/recipient"),
        coverages: insurances(c),
        ..Head::default()
    }
}

fn insurances(c: Cursor) -> Vec<CoverageReference> {
    let structure = match c.kind() {
        "Claim" => "Claim.insurance",
        explanation::NAME => "ExplanationOfBenefit.insurance",
        _ => "CoverageEligibilityRequest.insurance",
    };
    let insurance = |(index, insurance): (usize, Cursor)| {
        let canonical = format!("/coverages/{index}");
        insurance.origin(canonical.clone());
        let coverage = insurance.get("coverage");
        let mut cover = coverage.map(|c| cover(c, &canonical)).unwrap_or_default();
        cover.order = insurance.count("sequence").or(cover.order);
        cover.focal = insurance.flag("focal");
        let numbers = insurance.items("preAuthRef").filter_map(Cursor::as_str);
        cover.authorisations = numbers.map(Into::into).collect();
        sweep(insurance, structure, &mut cover.particulars);
        cover
    };
    c.items("insurance").enumerate().map(insurance).collect()
}

/// Earlier messages that a claim names; `prior` is how one for the same services is related to it.
pub(super) fn correlates(c: Cursor, prior: Relation, head: &mut Head) {
    let mut found = Vec::new();
    let orders = &["MedicationRequest", "DeviceRequest", "VisionPrescription"];
    if let Some(prescription) = c.get("prescription") {
        found.extend(correlate(
            prescription,
            orders,
            Relation::Prescription,
            None,
        ));
        // England's prescriptions have a long and a short number, and neither is a reference.
        let numbers = prescription.extension("Extension-DM-GroupIdentifier");
        let numbers = numbers.into_iter().flat_map(|group| {
            group.text("url");
            group.items("extension").filter_map(identifier_in)
        });
        found.extend(numbers.map(|identifier| plain(Relation::Prescription, identifier)));
    }
    if let Some(original) = c.get("originalPrescription") {
        let element = Some("Claim.originalPrescription");
        found.extend(correlate(original, orders, Relation::Related, element));
    }
    if let Some(referral) = c.get("referral") {
        found.extend(correlate(
            referral,
            &["ServiceRequest"],
            Relation::Referral,
            None,
        ));
    }
    for related in c.items("related") {
        found.extend(related_claim(related, prior));
    }
    if let Some(replaced) = c
        .extension("Extension-replacementOf")
        .and_then(identifier_in)
    {
        found.push(plain(Relation::Replaces, replaced));
    }
    head.correlates = found;
}

/// A relation that says all there is to say.
pub(super) fn plain(relation: Relation, identifier: Identifier) -> Correlate {
    Correlate {
        relation,
        identifier,
        coded: None,
    }
}

fn related_claim(c: Cursor, prior: Relation) -> Vec<Correlate> {
    let claim = c.get("claim").and_then(|claim| named(claim, &["Claim"]));
    let mut numbers: Vec<Identifier> = identifiers(c, "reference");
    numbers.extend(claim);
    if numbers.is_empty() {
        // A relation to nothing that is named: left for the particulars.
        return Vec::new();
    }
    let coded = concept_at(c, "relationship");
    let says = coded.as_ref().and_then(|coded| coded.source.as_ref());
    let relation = match says.map(|coding| coding.code.as_str()) {
        Some("replaces") if prior != Relation::Cancels => Relation::Replaces,
        None | Some("replaces" | "prior") => prior,
        _ => Relation::Related,
    };
    let correlate = |identifier| Correlate {
        relation,
        identifier,
        coded: coded.clone(),
    };
    numbers.into_iter().map(correlate).collect()
}

/// The information that supports a claim. What the sender takes back is left in the original; its numbers are returned.
fn supporting(c: Cursor, head: &mut Head) -> Vec<u32> {
    let mut gone = Vec::new();
    for info in c.items("supportingInfo") {
        if says_taken_back(info) == Some(true) {
            info.inexact();
            let number = info.node.get("sequence").and_then(|seq| seq.as_number());
            gone.extend(number.and_then(|text| text.parse::<u32>().ok()));
            continue;
        }
        info.origin(format!("/supporting/{}", head.supporting.len()));
        let mut part = Supporting {
            seq: info.count("sequence"),
            category: concept_at(info, "category"),
            coded: concept_at(info, "code"),
            timing: span(info, "timing"),
            reason: concept_at(info, "reason"),
            ..Supporting::default()
        };
        if let Some((suffix, value)) = info.choice("value") {
            let structure = r4::named("Claim.supportingInfo");
            let known = structure.and_then(|known| known.property(&format!("value{suffix}")));
            if let Some((_, _, kind)) = known {
                // A date or concept among the values would stand in the part already.
                let mut value_part = Supporting::default();
                fill(kind, value, &mut value_part);
                part.quantity = value_part.quantity;
                part.unit = value_part.unit;
                part.unit_code = value_part.unit_code;
                part.identifier = value_part.identifier;
                part.text = value_part.text;
                part.yes = value_part.yes;
            }
        }
        head.supporting.push(part);
    }
    gone
}
