//! MedicationDispenses, one or several of one hand-over, into what was handed out; and the Invoice that
//! German pharmacies send with one, whose lines are the lines.

use takmil_domain::bill::Line;
use takmil_domain::message::{Body, Head, Message, Relation, Supporting};
use takmil_domain::money::Amount;
use takmil_domain::prescription::{Dispense, DispenseLine, Product, Substitution};
use takmil_domain::text::digits;

use super::bill::told_beside;
use super::claim::plain;
use super::cursor::Cursor;
use super::dosage::dosages;
use super::eligibility::ordinal;
use super::links::{Distinct, concept_behind, follow, named, names, numbered};
use super::medication::medication;
use super::particulars::sweep;
use super::parties::{cast, member, party_at};
use super::prescription::{notes, numbers};
use super::values::{
    concept, concept_at, concepts, identifiers, moment, money, money_at, quantity, unit_code, when,
};
use crate::fhir::AMOUNTS;

/// The system of the numbers of Germany's orders.
const ORDER_NUMBER: &str = "/GEM_ERP_NS_PrescriptionId";

/// Reads the dispensings, at least one, of one hand-over.
pub(super) fn read(given: &[Cursor]) -> Message {
    let mut head = Head::default();
    let mut whole = Dispense::default();
    let mut filled = Distinct::default();
    for (index, dispensing) in given.iter().enumerate() {
        if index == 0 {
            opening(*dispensing, &mut head, &mut whole);
        }
        let from = whole.lines.len();
        lines(*dispensing, &mut head, &mut whole, &mut filled);
        let mut left = Vec::new();
        sweep(*dispensing, "MedicationDispense", &mut left);
        if let Some(first) = whole.lines.get_mut(from) {
            first.line.particulars.append(&mut left);
        }
    }
    let filled = filled.into_list().into_iter();
    head.correlates = filled
        .map(|number| plain(Relation::Prescription, number))
        .collect();
    if let ([_], Some(first)) = (given, whole.lines.first()) {
        head.identifiers = first.identifiers.clone();
    }
    let mut times = whole.lines.iter();
    let given_on = times.find_map(|line| line.handed_over.as_ref().or(line.prepared.as_ref()));
    head.occurred_on = given_on.and_then(|when| when.first_day());
    Message {
        head,
        body: Body::Dispense(whole),
    }
}

/// What the first dispensing says for all of them.
fn opening(c: Cursor, head: &mut Head, whole: &mut Dispense) {
    c.origin("");
    head.status = c.text("status").map(Into::into);
    head.language = c.text("language").map(Into::into);
    if let Some(subject) = c.get("subject") {
        head.member = member(subject, "/member");
    }
    let performer = c.items("performer").next();
    whole.dispenser = performer.map(|performer| {
        let function = concept_at(performer, "function");
        cast(performer, "actor", function, None)
    });
    head.provider = whole.dispenser.clone();
    head.facility = party_at(c, "location");
    let visit = c.get("context");
    whole.encounter = visit.and_then(|visit| named(visit, &["Encounter", "EpisodeOfCare"]));
    let handed_over = c.get("whenHandedOver").or(c.get("whenPrepared"));
    let day = handed_over.and_then(moment);
    if let Some(day) = day.and_then(|when| when.first_day()) {
        c.reader.day.set(day);
    }
    let total = c.extension(AMOUNTS[5]).and_then(Cursor::value);
    whole.total = total.and_then(money);
}

/// The lines of one dispensing: those of its invoice, else the one that it is itself.
fn lines(c: Cursor, head: &mut Head, whole: &mut Dispense, filled: &mut Distinct) {
    let again = c.get("subject").filter(|_| !whole.lines.is_empty());
    if let Some(subject) = again {
        // Dispensings of one hand-over have one subject; a later one is read for the account alone.
        member(subject, "/member");
    }
    notes(c, head);
    let said = said(c);
    filled.add(said.prescriptions.iter().cloned());
    // Germany's record of a dispensing has no reference to the order: it has the order's number as its own.
    let own = said.identifiers.iter();
    let order = own.filter(|own| own.system.ends_with(ORDER_NUMBER));
    filled.add(order.cloned());
    let mut given = priced(c, &said, head, whole);
    if given.is_empty() {
        given.push(plain_line(c, said));
    }
    for mut line in given {
        c.origin(format!("/dispense/lines/{}", whole.lines.len()));
        line.line.seq = ordinal(whole.lines.len());
        whole.lines.push(line);
    }
}

/// What a dispensing says of each of its lines.
fn said(c: Cursor) -> DispenseLine {
    let mut prescriptions = Vec::new();
    for reference in c.items("authorizingPrescription") {
        prescriptions.extend(numbered(reference, &["MedicationRequest"], numbers));
    }
    let changed = c.get("substitution");
    let substitution = changed.and_then(|changed| {
        let found = Substitution {
            coded: concept_at(changed, "type"),
            reasons: concepts(changed, "reason"),
            ..Substitution::default()
        };
        (found != Substitution::default()).then_some(found)
    });
    DispenseLine {
        identifiers: names(c),
        prescriptions,
        status: c.text("status").map(Into::into),
        status_reason: match c.choice("statusReason") {
            Some(("CodeableConcept", value)) => concept(value),
            Some((_, reference)) => concept_behind(&follow(reference, &["DetectedIssue"])),
            None => None,
        },
        kind: concept_at(c, "type"),
        prepared: when(c, "whenPrepared"),
        handed_over: when(c, "whenHandedOver"),
        dosage: dosages(c, "dosageInstruction"),
        substituted: changed.and_then(|changed| changed.flag("wasSubstituted")),
        substitution,
        ..DispenseLine::default()
    }
}

fn plain_line(c: Cursor, said: DispenseLine) -> DispenseLine {
    let mut line = Line::default();
    let (item, product) = medication(c, &mut line.particulars);
    line.item = item;
    line.category = concept_at(c, "category");
    let amount = c.get("quantity");
    line.quantity = amount.and_then(|c| c.get("value")).and_then(quantity);
    line.unit = amount.and_then(|c| c.text("unit")).map(Into::into);
    line.unit_code = amount.and_then(unit_code);
    line.days_supply = c.get("daysSupply").and_then(days);
    told_beside(c, &mut line);
    DispenseLine {
        line,
        product,
        ..said
    }
}

/// A quantity of whole days.
fn days(c: Cursor) -> Option<u32> {
    let unit = c.node.text("code").or(c.node.text("unit")).unwrap_or("d");
    if !matches!(unit, "d" | "day" | "days" | "Day" | "Days") || c.get("comparator").is_some() {
        return None;
    }
    let text = c.node.get("value")?.as_number()?;
    let whole = text.split_once('.').map_or(text, |(whole, rest)| {
        if rest.bytes().all(|digit| digit == b'0') {
            whole
        } else {
            text
        }
    });
    let count = whole.parse().ok()?;
    c.understood();
    Some(count)
}

/// The lines of the invoice that a German pharmacy sends with a dispensing, and under the first of them
/// what a compound was made of.
fn priced(
    c: Cursor,
    said: &DispenseLine,
    head: &mut Head,
    whole: &mut Dispense,
) -> Vec<DispenseLine> {
    let mut lines = Vec::new();
    for extension in c.extensions("DAV-EX-ERP-Abrechnungszeilen") {
        let Some(invoice) = behind(extension, "Invoice") else {
            continue;
        };
        if whole.total.is_none() {
            if let Some(total) = invoice.get("totalGross") {
                total.origin("/dispense/total");
            }
            whole.total = money_at(invoice, "totalGross");
        }
        for item in invoice.items("lineItem") {
            let at = whole.lines.len().saturating_add(lines.len());
            if !lines.is_empty() && !c.may_be_told_again() {
                return lines;
            }
            item.origin(format!("/dispense/lines/{at}/line"));
            let (line, product) = invoice_line(item, true);
            lines.push(DispenseLine {
                line,
                product,
                ..said.clone()
            });
        }
        sweep(invoice, "Invoice", &mut head.supporting);
    }
    let at = format!("/dispense/lines/{}", whole.lines.len());
    if let Some(first) = lines.first_mut() {
        for extension in c.extensions("DAV-EX-ERP-ZusatzdatenHerstellung") {
            compounded(extension, first, &format!("{at}/line/details"));
        }
    }
    lines
}

/// The resource of that kind behind the reference in an extension.
fn behind<'a>(extension: Cursor<'a>, kind: &str) -> Option<Cursor<'a>> {
    let link = follow(extension.value()?, &[kind]);
    link.target.filter(|target| target.kind() == kind)
}

/// One line of an invoice. Its price is told where it has one component: of several, which add up and
/// which only inform is the sender's custom, so they are told as they stand.
/// A factor counts packs only where the line `counts_packs`.
fn invoice_line(c: Cursor, counts_packs: bool) -> (Line, Option<Product>) {
    let mut line = Line {
        seq: c.count("sequence").unwrap_or_default(),
        item: match c.choice("chargeItem") {
            Some(("Reference", reference)) => {
                concept_behind(&follow(reference, &["ChargeItem"])).unwrap_or_default()
            }
            Some((_, value)) => concept(value).unwrap_or_default(),
            None => Default::default(),
        },
        ..Line::default()
    };
    let components: Vec<Cursor> = c.items("priceComponent").collect();
    if let [only] = components.as_slice() {
        let factor = only.get("factor").filter(|_| counts_packs);
        line.quantity = factor.and_then(quantity);
        line.billed = money_at(*only, "amount");
        line.paid_by_member = borne_by_member(*only);
    }
    let batch = c
        .extension("DAV-EX-ERP-Chargenbezeichnung")
        .and_then(Cursor::value);
    let product = batch.and_then(Cursor::as_str).map(|batch| Product {
        batch: Some(digits(batch).into_owned()),
        ..Product::default()
    });
    sweep(c, "Invoice.lineItem", &mut line.particulars);
    (line, product)
}

/// What the insured person bears of a price: the sum of the parts that are listed beside it. Each part is
/// told among the particulars as well.
fn borne_by_member(c: Cursor) -> Option<Amount> {
    let parts = c.extensions("DAV-EX-ERP-KostenVersicherter");
    let currency = c.reader.currency.get()?;
    let exponent = currency.exponent(c.reader.day.get());
    let amounts: Vec<Amount> = parts
        .filter_map(|part| {
            let amount = part.extension("Kostenbetrag")?.node.get("valueMoney")?;
            let (amount, _) =
                Amount::from_decimal(amount.get("value")?.as_number()?, exponent).ok()?;
            Some(amount)
        })
        .collect();
    (!amounts.is_empty()).then(|| amounts.into_iter().sum())
}

/// How a compound was made: its makers, and units whose lines become details of the line it is billed by.
/// A factor there counts thousandths of a pack or whatever a code beside it says, so it is told as it stands.
fn compounded(extension: Cursor, line: &mut DispenseLine, canonical: &str) {
    let Some(made) = behind(extension, "MedicationDispense") else {
        return;
    };
    made.origin(canonical);
    line.prepared = line.prepared.take().or(when(made, "whenPrepared"));
    for unit in made.extensions("DAV-EX-ERP-ZusatzdatenEinheit") {
        let Some(invoice) = behind(unit, "Invoice") else {
            continue;
        };
        for item in invoice.items("lineItem") {
            let (mut part, product) = invoice_line(item, false);
            part.seq = ordinal(line.line.details.len());
            let batch = product.and_then(|product| product.batch);
            part.particulars.extend(batch.map(|batch| Supporting {
                text: Some(batch),
                ..Supporting::default()
            }));
            line.line.details.push(part);
        }
        sweep(invoice, "Invoice", &mut line.line.particulars);
    }
    let numbers = identifiers(made, "identifier");
    line.identifiers.extend(numbers);
    sweep(made, "MedicationDispense", &mut line.line.particulars);
}
