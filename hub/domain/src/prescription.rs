//! What was ordered, and what was handed out.

use serde::{Deserialize, Serialize};

use crate::bill::{Bill, Diagnosis, Encounter, Line};
use crate::code::Coded;
use crate::date::{Period, When};
use crate::ids::Identifier;
use crate::message::Supporting;
use crate::money::{Amount, Quantity};
use crate::party::Party;

/// A prescription: one prescriber's order for one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prescription {
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored: Option<When>,
    /// From when to when it may be dispensed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Period>,
    /// Who wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prescriber: Option<Party>,
    /// Who is to hand it out, where it is addressed to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispenser: Option<Party>,
    /// The visit or stay in which it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<Encounter>,
    /// What for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// What is ordered.
    pub lines: Vec<PrescriptionLine>,
}

/// One order of a prescription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrescriptionLine {
    /// The number of the line.
    pub seq: u32,
    /// The sender's numbers of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Drug, service or thing.
    pub item: Coded,
    /// Form, strength and parts of a drug or compound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// As the sender sees it: active, cancelled, draft…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why it has that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<Coded>,
    /// When it was written, where that differs from the prescription's date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored: Option<When>,
    /// From when to when it may be dispensed, where that differs from the prescription's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Period>,
    /// Order, proposal, plan…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    /// Whether the order says not to give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_not_perform: Option<bool>,
    /// The sender's categories: outpatient, repeat, discharge…
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Coded>,
    /// Once, for long, by repeated dispensing, in the sender's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Coded>,
    /// How to take it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dosage: Vec<Dosage>,
    /// How much per dispensing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Measure>,
    /// How much the first time, where that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_fill: Option<Measure>,
    /// Days that one dispensing lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_supply: Option<Measure>,
    /// How often it may be repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u32>,
    /// How long between two dispensings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Measure>,
    /// Whether another product may be given, and why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitution: Option<Substitution>,
    /// Why it is ordered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Coded>,
    /// The pre-authorisation it goes by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorisation: Option<String>,
    /// The price of one, where the sender names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Amount>,
    /// What the sender says of the line beyond the fields here, each part named by its category.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub particulars: Vec<Supporting>,
}

impl Prescription {
    /// The bill that the orders would make: for an estimate of the shares before anything is handed out.
    pub fn bill(&self) -> Bill {
        let ordered = self
            .lines
            .iter()
            .filter(|line| line.do_not_perform != Some(true));
        let line = |order: &PrescriptionLine| Line {
            seq: order.seq,
            item: order.item.clone(),
            quantity: order.quantity.as_ref().and_then(|measure| measure.value),
            unit_price: order.unit_price,
            authorisation: order.authorisation.clone(),
            ..Line::default()
        };
        Bill {
            class: Some(crate::bill::BillClass::Pharmacy),
            lines: ordered.map(line).collect(),
            ..Bill::default()
        }
    }
}

/// Whether another product may be given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Substitution {
    /// Whether it may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// The sender's code for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<Coded>,
    /// Why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Coded>,
}

/// Form, strength and parts of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    /// Tablet, syrup…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Coded>,
    /// Size of the pack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<Ratio>,
    /// What it is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingredients: Vec<Ingredient>,
    /// Lot number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// Last day of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<When>,
}

/// One part of a product.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingredient {
    /// What it is.
    pub item: Coded,
    /// How much of it in how much of the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strength: Option<Ratio>,
    /// Whether it works, or only carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
}

/// How to take a drug.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dosage {
    /// In words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Further instructions, coded or in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instructions: Vec<Coded>,
    /// The least and the most per dose; both the same for a fixed dose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doses: Vec<Measure>,
    /// Whether the dose was ordered or calculated, in the sender's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dose_kind: Option<Coded>,
    /// Speed of an infusion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Ratio>,
    /// How often and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Only when needed; the concept says for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_needed: Option<bool>,
    /// When needed for what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_for: Option<Coded>,
    /// By mouth, into a vein…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<Coded>,
    /// Where on the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<Coded>,
    /// How to give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Coded>,
    /// The most in a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Ratio>,
}

/// How often and when something is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Timing {
    /// A named schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<Coded>,
    /// Moments that were named one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<When>,
    /// From when to when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Period>,
    /// For how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Measure>,
    /// How many times in a period; the most, where a range was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency: Option<u32>,
    /// The period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Measure>,
    /// How many times in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Times of the day, days of the week, before meals… as codes of the sender.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<String>,
}

/// A quantity with its unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// How much; `None` where only words were given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Quantity>,
    /// The unit in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The unit's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coded: Option<crate::code::Code>,
}

/// So much of one thing in so much of another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ratio {
    /// So much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numerator: Option<Measure>,
    /// In so much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denominator: Option<Measure>,
}

/// What was handed out; with prices it is a pharmacy's claim.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispense {
    /// Who handed it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dispenser: Option<Party>,
    /// The visit or stay it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encounter: Option<Identifier>,
    /// What was handed out.
    pub lines: Vec<DispenseLine>,
    /// The total that the sender states.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Amount>,
}

/// One thing handed out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DispenseLine {
    /// What was given, how much of it and for what price.
    pub line: Line,
    /// The sender's numbers of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
    /// Form, strength, batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product: Option<Product>,
    /// On which prescriptions, by the sender's identifiers of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prescriptions: Vec<Identifier>,
    /// As the sender sees it: completed, cancelled…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why it was not handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<Coded>,
    /// First fill, refill, emergency…
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Coded>,
    /// When it was made ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<When>,
    /// When it was handed over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_over: Option<When>,
    /// How to take it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dosage: Vec<Dosage>,
    /// Whether another product than the ordered one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substituted: Option<bool>,
    /// What kind of substitution, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub substitution: Option<Substitution>,
}

impl Dispense {
    /// The bill that the priced lines make; `None` where nothing is priced.
    pub fn bill(&self) -> Option<Bill> {
        let lines: Vec<Line> = self.lines.iter().map(|given| given.line.clone()).collect();
        let priced = lines.iter().any(|line| line.asked().is_some());
        priced.then(|| Bill {
            class: Some(crate::bill::BillClass::Pharmacy),
            lines,
            total: self.total,
            ..Bill::default()
        })
    }
}
