//! From a canonical message, normalised, to what the clinical rules look at.

use super::ICD_10_CM;
use super::case::{Case, Diagnosis, Dose, Ingredient, Line, Order, Procedure};
use super::key::CodeKey;
use super::tables::Tables;
use crate::bill;
use crate::code::{Coded, Equivalence};
use crate::coverage::Person;
use crate::date::{Date, Period, When};
use crate::message::{Body, Message};
use crate::money::Quantity;
use crate::prescription::{Dispense, Dosage, Measure, Prescription, PrescriptionLine, Product};
use crate::share::bill_day;

/// What an order or a handing out is called that does not count.
const VOID: &[&str] = &[
    "cancelled",
    "declined",
    "draft",
    "entered-in-error",
    "stopped",
];

/// The most diagnoses that are looked at, for some rules hold each against each. Published formats of claims hold
/// an eighth of it.
const MOST_DIAGNOSES: usize = 200;

impl<'a> Case<'a> {
    /// What the rules look at in a message of any kind that orders, hands out, plans or bills something; of
    /// others there is nothing to look at. `day` stands in where the message does not say when.
    ///
    /// The member's past and, for what is handed out or billed, the dates of the prescription are known beside the
    /// message: set [`Case::past`] and [`Case::order`].
    pub fn of(message: &'a Message, tables: &Tables, person: Person, day: Date) -> Case<'a> {
        let mut reading = Reading {
            case: Case {
                person,
                ..Case::default()
            },
            tables,
            day: message.head.occurred_on.unwrap_or(day),
        };
        match &message.body {
            Body::Estimate(bill) => reading.bill(message, bill),
            Body::Admission(admission) => reading.bill(message, &admission.bill),
            Body::Preauthorization(request) => reading.bill(message, &request.bill),
            Body::Claim(claim) => reading.bill(message, &claim.bill),
            Body::Dispense(dispense) => reading.dispense(dispense),
            Body::Prescription(prescription) => reading.prescription(prescription),
            Body::Eligibility(_) | Body::Cancel(_) => {}
        }
        reading.case
    }
}

impl Order {
    /// The dates of a prescription.
    pub fn of(prescription: &Prescription) -> Order {
        Order::read(prescription.authored.as_ref(), prescription.valid.as_ref())
    }

    /// As far as they bind the prescriber, who may write it before the first day on which it may be dispensed.
    fn ahead(self) -> Order {
        Order { from: None, ..self }
    }

    fn read(authored: Option<&When>, valid: Option<&Period>) -> Order {
        let day = |end: fn(&Period) -> &Option<When>| {
            valid.and_then(|valid| end(valid).as_ref()?.first_day())
        };
        Order {
            authored: authored.and_then(When::first_day),
            from: day(|valid| &valid.start),
            until: day(|valid| &valid.end),
        }
    }
}

struct Reading<'a, 't> {
    case: Case<'a>,
    tables: &'t Tables,
    day: Date,
}

impl<'a> Reading<'a, '_> {
    fn bill(&mut self, message: &Message, bill: &'a bill::Bill) {
        self.day = bill_day(bill, &message.head).unwrap_or(self.day);
        let class = bill.encounter.as_ref().and_then(|stay| stay.class);
        self.case.stays = matches!(
            class,
            Some(bill::EncounterClass::Inpatient | bill::EncounterClass::Day)
        );
        self.diagnoses(&bill.diagnoses);
        for procedure in &bill.procedures {
            if let Some((system, code)) = procedure.coded.effective() {
                self.case.procedures.push(Procedure {
                    system,
                    code,
                    day: first_day(procedure.when.as_ref()).unwrap_or(self.day),
                });
            }
        }
        for line in &bill.lines {
            self.line(line.seq, line, None);
        }
    }

    fn dispense(&mut self, dispense: &'a Dispense) {
        for given in &dispense.lines {
            if is_void(given.status.as_deref()) {
                continue;
            }
            let first = self.case.lines.len();
            let bill_day = self.day;
            self.day = first_day(given.handed_over.as_ref()).unwrap_or(bill_day);
            self.line(given.line.seq, &given.line, given.product.as_ref());
            self.day = bill_day;
            if let Some(line) = self.case.lines.get_mut(first) {
                let unit = Unit {
                    words: given.line.unit.as_deref(),
                    code: given.line.unit_code.as_ref().map(|unit| unit.code.as_str()),
                };
                line.dose = dose(&given.dosage, unit);
            }
        }
    }

    fn prescription(&mut self, prescription: &'a Prescription) {
        self.case.order = Order::of(prescription).ahead();
        self.diagnoses(&prescription.diagnoses);
        for line in &prescription.lines {
            if line.do_not_perform == Some(true) || is_void(line.status.as_deref()) {
                continue;
            }
            for reason in &line.reasons {
                self.diagnosis(reason, Some(line.seq));
            }
            self.ordered(line);
        }
    }

    fn ordered(&mut self, line: &'a PrescriptionLine) {
        let (system, code) = line.item.effective().unwrap_or_default();
        let quantity = line.quantity.as_ref();
        let unit = quantity.map(Unit::of).unwrap_or_default();
        self.case.lines.push(Line {
            seq: line.seq,
            system,
            code,
            day: self.day,
            days: 1,
            quantity: quantity
                .and_then(|quantity| quantity.value)
                .unwrap_or(Quantity::ONE),
            days_supply: line.days_supply.as_ref().and_then(days_of),
            dose: dose(&line.dosage, unit),
            ingredients: self.ingredients(&line.item, line.product.as_ref()),
            order: Order::read(line.authored.as_ref(), line.valid.as_ref()).ahead(),
        });
    }

    fn diagnoses(&mut self, diagnoses: &'a [bill::Diagnosis]) {
        let mut listed: Vec<&bill::Diagnosis> = diagnoses.iter().collect();
        listed.sort_by_key(|diagnosis| diagnosis.seq.unwrap_or(u32::MAX));
        for diagnosis in listed {
            self.diagnosis(&diagnosis.coded, None);
        }
    }

    fn diagnosis(&mut self, coded: &'a Coded, line: Option<u32>) {
        if let Some((ICD_10_CM, code)) = coded.effective()
            && self.case.diagnoses.len() < MOST_DIAGNOSES
        {
            let equivalence = coded.via.as_ref().map(|via| via.equivalence);
            self.case.diagnoses.push(Diagnosis {
                code,
                key: CodeKey::parse(code),
                own: matches!(equivalence, None | Some(Equivalence::Equal)),
                day: self.day,
                line,
            });
        }
    }

    /// A line and, where they name something else, its parts.
    fn line(&mut self, seq: u32, line: &'a bill::Line, product: Option<&Product>) {
        if line.cancelled == Some(true) {
            return;
        }
        let (system, code) = line.item.effective().unwrap_or_default();
        let start = line.serviced.as_ref().and_then(|on| on.start.as_ref());
        let end = line.serviced.as_ref().and_then(|on| on.end.as_ref());
        let day = first_day(start)
            .or_else(|| first_day(end))
            .unwrap_or(self.day);
        let span = end
            .and_then(When::day)
            .map_or(0, |end| end.days_since(day).max(0));
        self.case.lines.push(Line {
            seq,
            system,
            code,
            day,
            days: u32::try_from(span).unwrap_or(u32::MAX).saturating_add(1),
            quantity: line.quantity.unwrap_or(Quantity::ONE),
            days_supply: line.days_supply,
            dose: None,
            ingredients: self.ingredients(&line.item, product),
            order: Order::default(),
        });
        for part in &line.details {
            if part.item.effective() != Some((system, code)) {
                self.line(seq, part, None);
            }
        }
    }

    /// By the drug's code, else by the parts that the sender names, else by the drug's own name.
    fn ingredients(&self, item: &Coded, product: Option<&Product>) -> Vec<Ingredient> {
        let mut found = self.by_code(item);
        if found.is_empty() {
            let parts = product.map_or(&[][..], |product| &product.ingredients);
            let active = parts.iter().filter(|part| part.active != Some(false));
            found = active
                .flat_map(|part| self.by_code_or_name(&part.item))
                .collect();
        }
        if found.is_empty() {
            found = self.by_code_or_name(item);
        }
        found.sort();
        found.dedup();
        found
    }

    fn by_code(&self, item: &Coded) -> Vec<Ingredient> {
        let (system, code) = item.effective().unwrap_or_default();
        let parts = self.tables.drugs.ingredients(system, code);
        parts.iter().copied().map(Ingredient::RxNorm).collect()
    }

    fn by_code_or_name(&self, item: &Coded) -> Vec<Ingredient> {
        let found = self.by_code(item);
        if !found.is_empty() {
            return found;
        }
        // A code of RxNorm that its list lacks may be that of a drug which the sender also names.
        let named = item
            .codings()
            .filter_map(|coding| coding.display.as_deref())
            .chain(item.text.as_deref())
            .find_map(|words| self.tables.ingredient_named(words));
        named.into_iter().collect()
    }
}

fn is_void(status: Option<&str>) -> bool {
    status.is_some_and(|status| VOID.contains(&status))
}

fn first_day(when: Option<&When>) -> Option<Date> {
    when.and_then(When::first_day)
}

/// A unit, as a code of UCUM or in words.
#[derive(Default, Clone, Copy)]
struct Unit<'a> {
    words: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'a> Unit<'a> {
    fn of(measure: &'a Measure) -> Unit<'a> {
        Unit {
            words: measure.unit.as_deref(),
            code: measure.coded.as_ref().map(|unit| unit.code.as_str()),
        }
    }

    fn is(self, other: Unit<'_>) -> bool {
        match (self.code, other.code, self.words, other.words) {
            (Some(own), Some(other), _, _) => own == other,
            (_, _, Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => false,
        }
    }

    /// How many of it are a day, or how many days it has: of the units that are either.
    fn time(self) -> Option<(u32, u32)> {
        match self.code.or(self.words)? {
            "min" | "minute" | "minutes" => Some((1_440, 1)),
            "h" | "hour" | "hours" => Some((24, 1)),
            "d" | "day" | "days" => Some((1, 1)),
            "wk" | "week" | "weeks" => Some((1, 7)),
            _ => None,
        }
    }
}

/// The dose, where one instruction says it in the unit of what is handed out, in times of a stretch of days.
fn dose(dosage: &[Dosage], unit: Unit<'_>) -> Option<Dose> {
    // Several instructions may follow each other or hold at once, and the message does not say which.
    let [instruction] = dosage else { return None };
    if instruction.as_needed == Some(true) || instruction.needed_for.is_some() {
        return None;
    }
    let timing = instruction.timing.as_ref()?;
    let period = timing.period.as_ref()?;
    let (a_day, days) = Unit::of(period).time()?;
    let most = instruction
        .doses
        .iter()
        .max_by_key(|measure| measure.value)?;
    Unit::of(most).is(unit).then_some(())?;
    Some(Dose {
        amount: most.value?,
        times: timing.frequency.unwrap_or(1).checked_mul(a_day)?,
        days: whole(period.value?)?.checked_mul(days)?,
    })
}

/// A supply in days.
fn days_of(supply: &Measure) -> Option<u32> {
    let unit = Unit::of(supply);
    let count = whole(supply.value?)?;
    if unit.words.is_none() && unit.code.is_none() {
        return Some(count);
    }
    match unit.time()? {
        (1, days) => count.checked_mul(days),
        _ => None,
    }
}

fn whole(quantity: Quantity) -> Option<u32> {
    let count = u32::try_from(quantity.started_units()).ok()?;
    (Quantity::whole(count) == quantity && count > 0).then_some(count)
}
