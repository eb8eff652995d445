//! The bill that a Claim makes: diagnoses, procedures, who treated, and the lines with their details.

use takmil_domain::bill::{Accident, BasePaid, Bill, BillClass, Diagnosis, Encounter, Line, Payee};
use takmil_domain::date::Period;
use takmil_domain::party::Party;

use super::certification::taken_back;
use super::clinical::{devices, diagnosis, encounter, procedure};
use super::cursor::Cursor;
use super::explanation;
use super::particulars::sweep;
use super::parties::{cast, party_at, place};
use super::values::{
    concept_at, concepts, moment, money, money_at, period, quantity, span, unit_code, when,
};
use crate::fhir::{AMOUNTS, BASE_CONFIRMATION};

/// Reads what a Claim bills; `base` is where in the message the bill stands.
pub(super) fn bill(c: Cursor, base: &str) -> Bill {
    let typed = concept_at(c, "type");
    let class = typed.as_ref().and_then(|typed| {
        let mut codings = typed.codings();
        codings.find_map(|coding| class(&coding.code))
    });
    if let Some(period) = c.get("billablePeriod") {
        period.origin(format!("{base}/period"));
    }
    let total = c.get("total").filter(|_| c.kind() != explanation::NAME);
    if let Some(total) = total {
        total.origin(format!("{base}/total"));
    }
    let mut bill = Bill {
        class,
        kinds: typed.into_iter().chain(concept_at(c, "subType")).collect(),
        period: c.get("billablePeriod").and_then(period),
        diagnoses: listed(
            c,
            "diagnosis",
            &format!("{base}/diagnoses"),
            claim_diagnosis,
        ),
        procedures: listed(c, "procedure", &format!("{base}/procedures"), procedure),
        care_team: listed(c, "careTeam", &format!("{base}/care_team"), carer),
        accident: c.get("accident").map(accident),
        total: total.and_then(money),
        payee: c.get("payee").map(payee),
        ..Bill::default()
    };
    let mut stay = Stay::default();
    let named = c.extension("extension-Claim.encounter");
    named
        .and_then(Cursor::value)
        .into_iter()
        .for_each(|reference| visit(reference, &mut stay));
    let structure = match c.kind() {
        explanation::NAME => "ExplanationOfBenefit.item",
        _ => "Claim.item",
    };
    bill.lines = lines(c, "item", structure, &format!("{base}/lines"), &mut stay);
    bill.encounter = stay.encounter;
    bill
}

fn listed<T>(c: Cursor, key: &str, canonical: &str, read: fn(Cursor) -> Option<T>) -> Vec<T> {
    let mut list = Vec::new();
    for item in c.items(key) {
        if let Some(part) = read(item) {
            item.origin([canonical, "/", &list.len().to_string()].concat());
            list.push(part);
        }
    }
    list
}

fn class(code: &str) -> Option<BillClass> {
    Some(match code {
        "professional" => BillClass::Professional,
        "institutional" => BillClass::Institutional,
        "pharmacy" => BillClass::Pharmacy,
        "oral" => BillClass::Oral,
        "vision" => BillClass::Vision,
        _ => return None,
    })
}

fn claim_diagnosis(c: Cursor) -> Option<Diagnosis> {
    let mut found = diagnosis(c)?;
    found.seq = c.count("sequence");
    found.roles = concepts(c, "type");
    found.present_on_admission = concept_at(c, "onAdmission");
    found.group = concept_at(c, "packageCode");
    let told = c.extension("extension-diagnosisRecordedDate");
    let told = told.and_then(Cursor::value).and_then(moment);
    found.recorded = told.or(found.recorded);
    Some(found)
}

fn carer(c: Cursor) -> Option<Party> {
    let (role, qualification) = (concept_at(c, "role"), concept_at(c, "qualification"));
    Some(Party {
        seq: c.count("sequence"),
        responsible: c.flag("responsible"),
        ..cast(c, "provider", role, qualification)
    })
}

fn accident(c: Cursor) -> Accident {
    Accident {
        when: when(c, "date"),
        kind: concept_at(c, "type"),
        place: place(c, "location").and_then(|place| place.label().map(Into::into)),
    }
}

fn payee(c: Cursor) -> Payee {
    Payee {
        kind: concept_at(c, "type"),
        party: party_at(c, "party"),
    }
}

/// The visit that the lines of a bill name, and the reference to it.
#[derive(Default)]
struct Stay<'a> {
    encounter: Option<Encounter>,
    reference: &'a str,
}

fn lines<'a>(
    c: Cursor<'a>,
    key: &str,
    structure: &'static str,
    canonical: &str,
    stay: &mut Stay<'a>,
) -> Vec<Line> {
    let mut list = Vec::new();
    for item in c.items(key) {
        let at = [canonical, "/", &list.len().to_string()].concat();
        item.origin(at.clone());
        let mut line = priced(item, &at);
        line.seq = item.count("sequence").unwrap_or_default();
        line.revenue = concept_at(item, "revenue");
        line.programmes = concepts(item, "programCode");
        line.serviced = span(item, "serviced").or(asked_for(item));
        line.place = place(item, "location");
        line.factor = item.get("factor").and_then(quantity);
        line.billed = money_at(item, "net").or_else(|| explanation::billed(item, "adjudication"));
        explanation::decided(
            item,
            "adjudication",
            "ExplanationOfBenefit.item.adjudication",
            &mut line.particulars,
        );
        line.body_site = concept_at(item, "bodySite");
        line.sub_sites = concepts(item, "subSite");
        line.practitioners = numbers(item, "careTeamSequence");
        line.diagnoses = numbers(item, "diagnosisSequence");
        line.procedures = numbers(item, "procedureSequence");
        line.supporting = numbers(item, "informationSequence");
        line.devices = devices(item);
        line.authorisation = item
            .extension("extension-authorizationNumber")
            .and_then(Cursor::value)
            .and_then(Cursor::as_str)
            .map(Into::into);
        line.cancelled = taken_back(item);
        told_beside(item, &mut line);
        item.items("encounter")
            .for_each(|reference| visit(reference, stay));
        let inner = match structure {
            "Claim.item" => Some(("detail", "Claim.item.detail")),
            "Claim.item.detail" => Some(("subDetail", "Claim.item.detail.subDetail")),
            "ExplanationOfBenefit.item" => Some(("detail", "ExplanationOfBenefit.item.detail")),
            "ExplanationOfBenefit.item.detail" => {
                Some(("subDetail", "ExplanationOfBenefit.item.detail.subDetail"))
            }
            _ => None,
        };
        if let Some((key, inner)) = inner.filter(|(key, _)| item.get(key).is_some()) {
            line.details = lines(item, key, inner, &format!("{at}/details"), stay);
        }
        sweep(item, structure, &mut line.particulars);
        list.push(line);
    }
    list
}

/// What a line of any bill says: what, how much of it, for what price.
pub(super) fn priced(c: Cursor, canonical: &str) -> Line {
    for (element, field) in [
        ("quantity", "quantity"),
        ("unitPrice", "unit_price"),
        ("net", "billed"),
        ("servicedPeriod", "serviced"),
    ] {
        if let Some(inner) = c.get(element) {
            inner.origin([canonical, "/", field].concat());
        }
    }
    let amount = c.get("quantity");
    Line {
        item: concept_at(c, "productOrService").unwrap_or_default(),
        modifiers: concepts(c, "modifier"),
        category: concept_at(c, "category"),
        quantity: amount.and_then(|c| c.get("value")).and_then(quantity),
        unit: amount.and_then(|c| c.text("unit")).map(Into::into),
        unit_code: amount.and_then(unit_code),
        unit_price: money_at(c, "unitPrice"),
        ..Line::default()
    }
}

/// Money of a line that the hub's own extensions tell.
pub(super) fn told_beside(c: Cursor, line: &mut Line) {
    let [billed, price, base, subsidy, by_member, _] = AMOUNTS;
    let amount = |url: &str| c.extension(url).and_then(Cursor::value).and_then(money);
    line.billed = line.billed.or_else(|| amount(billed));
    line.unit_price = line.unit_price.or_else(|| amount(price));
    let said_by = || c.extension(BASE_CONFIRMATION)?.value()?.as_str();
    line.base = amount(base).map(|paid| BasePaid {
        paid,
        confirmation: said_by().map(Into::into),
    });
    line.subsidy = amount(subsidy);
    line.paid_by_member = line.paid_by_member.or_else(|| amount(by_member));
}

/// The numbers of a list that names parts of the bill.
pub(super) fn numbers(c: Cursor, key: &str) -> Vec<u32> {
    c.items(key).filter_map(Cursor::as_count).collect()
}

/// The day or period for which a US pre-authorisation asks, where R4's own element is not used.
fn asked_for(c: Cursor) -> Option<Period> {
    let extension = c.extension("extension-itemRequestedServiceDate")?;
    let found = span(extension, "value");
    if found.is_some() {
        extension.text("url");
    }
    found
}

/// The visit that a bill or a line refers to. The bill has one; a line of another visit keeps that for itself.
fn visit<'a>(reference: Cursor<'a>, stay: &mut Stay<'a>) {
    let text = reference.node.text("reference").unwrap_or_default();
    if stay.encounter.is_none() {
        stay.encounter = Some(encounter(reference));
        stay.reference = text;
    } else if !text.is_empty() && stay.reference == text {
        reference.understood();
    }
}
