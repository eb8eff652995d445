//! What one order or one dispensing says of its medication, element by element.

use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::Supporting;
use takmil_domain::money::Quantity;
use takmil_domain::prescription::{Dosage, Measure, Product, Substitution, Timing};
use takmil_domain::problem::ProblemCode;

use super::read::Reader;
use super::tree::{Concept, Item};
use super::values::{coded, duration, from_to, identifier, particular, when};

/// Elements that a medication order and a medication action have in common, or one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Item,
    Route,
    Site,
    Method,
    Directions,
    Instruction,
    Reason,
    Start,
    Stop,
    Substitution,
    SubstitutionReason,
    ValidFrom,
    ValidTo,
    OrderId,
    Form,
    Batch,
    Expiry,
    DoseAmount,
    DoseUnit,
    Frequency,
    AsRequired,
    Criterion,
    Amount,
    Supply,
    Refills,
    Interval,
}

/// The archetype whose at-codes hold at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Order,
    Action,
    Medication,
    Dosage,
    Daily,
    Amount,
    Authorisation,
    /// One that the hub does not know: what it says is kept as it is named.
    Other,
}

/// The elements of each archetype that are read: at-code, id in the template, field.
fn elements(within: Within) -> &'static [(&'static str, &'static str, Field)] {
    match within {
        Within::Order => &[
            ("at0070", "medication_item", Field::Item),
            ("at0091", "route", Field::Route),
            ("at0092", "body_site", Field::Site),
            ("at0094", "administration_method", Field::Method),
            (
                "at0009",
                "overall_directions_description",
                Field::Directions,
            ),
            (
                "at0173",
                "specific_directions_description",
                Field::Instruction,
            ),
            ("at0044", "additional_instruction", Field::Instruction),
            ("at0018", "clinical_indication", Field::Reason),
            ("at0012", "order_start_date_time", Field::Start),
            ("at0013", "order_stop_date_time", Field::Stop),
            ("at0132", "substitution_direction", Field::Substitution),
            (
                "at0154",
                "non-substitution_reason",
                Field::SubstitutionReason,
            ),
            ("at0155", "dispensing_start_date", Field::ValidFrom),
            ("at0161", "dispensing_expiry_date", Field::ValidTo),
            ("at0004", "order_identifier", Field::OrderId),
        ],
        Within::Action => &[
            ("at0020", "medication_item", Field::Item),
            ("at0147", "route", Field::Route),
            ("at0141", "body_site", Field::Site),
            ("at0143", "administration_method", Field::Method),
            ("at0132", "substitution", Field::Substitution),
            ("at0133", "substitution_reason", Field::SubstitutionReason),
            ("at0103", "order_id", Field::OrderId),
        ],
        Within::Medication => &[
            ("at0071", "form", Field::Form),
            ("at0150", "batch_id", Field::Batch),
            ("at0003", "expiry", Field::Expiry),
        ],
        Within::Dosage => &[
            ("at0144", "dose_amount", Field::DoseAmount),
            ("at0145", "dose_unit", Field::DoseUnit),
        ],
        Within::Daily => &[
            ("at0003", "frequency", Field::Frequency),
            ("at0024", "as_required", Field::AsRequired),
            ("at0025", "as_required_criterion", Field::Criterion),
        ],
        Within::Amount => &[
            ("at0131", "amount", Field::Amount),
            ("at0142", "duration_of_supply", Field::Supply),
        ],
        Within::Authorisation => &[
            ("at0025", "maximum_number_of_refills", Field::Refills),
            (
                "at0046",
                "minimum_interval_between_refills",
                Field::Interval,
            ),
        ],
        Within::Other => &[],
    }
}

/// The archetypes of parts, with the ids that templates give them.
const PARTS: &[(&str, &[&str], Within)] = &[
    (
        "CLUSTER.medication",
        &["medication", "medication_details"],
        Within::Medication,
    ),
    ("CLUSTER.dosage", &["dosage"], Within::Dosage),
    (
        "CLUSTER.timing_daily",
        &["timing_daily", "timing_-_daily", "daily_timing"],
        Within::Daily,
    ),
    (
        "CLUSTER.medication_supply_amount",
        &["dispense_amount", "amount", "medication_supply_amount"],
        Within::Amount,
    ),
    (
        "CLUSTER.medication_authorisation",
        &["authorisation_directions", "medication_authorisation"],
        Within::Authorisation,
    ),
];

/// What is said of a medication.
#[derive(Debug, Default)]
pub(super) struct Drug {
    pub(super) item: Option<Coded>,
    pub(super) product: Product,
    pub(super) dosage: Vec<Dosage>,
    pub(super) reasons: Vec<Coded>,
    pub(super) valid: (Option<When>, Option<When>),
    pub(super) substitution: Substitution,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) amount: Option<Measure>,
    pub(super) supply: Option<Measure>,
    pub(super) refills: Option<u32>,
    pub(super) interval: Option<Measure>,
    pub(super) particulars: Vec<Supporting>,
    course: (Option<When>, Option<When>),
    /// What is said once for all doses.
    whole: Dosage,
}

impl Drug {
    /// Reads the parts of an order's activity, or of an action.
    pub(super) fn of(reader: &Reader, parts: &[&Item<'_>], is_order: bool, path: &str) -> Drug {
        let mut own = Drug::default();
        let within = match is_order {
            true => Within::Order,
            false => Within::Action,
        };
        for part in parts {
            own.walk(reader, part, within, path);
        }
        own.settle();
        own
    }

    fn walk(&mut self, reader: &Reader, item: &Item<'_>, within: Within, path: &str) {
        if !item.said.is_empty() {
            self.element(reader, item, within, path);
            return;
        }
        let inner = inner(item, within);
        if inner == Within::Dosage && within != Within::Dosage {
            self.dosage.push(Dosage::default());
        }
        item.know();
        for part in &item.parts {
            self.walk(reader, part, inner, path);
        }
    }

    fn element(&mut self, reader: &Reader, item: &Item<'_>, within: Within, path: &str) {
        let known = elements(within)
            .iter()
            .find(|(node, id, _)| item.is(Concept(node, id)));
        let is_taken = known.is_some_and(|(_, _, field)| self.take(reader, item, *field, path));
        if !is_taken && !reader.is_told(item) {
            self.particulars.extend(particular(item));
        }
    }

    /// Takes an element; `false` where its field is taken already, or cannot hold what it says.
    fn take(&mut self, reader: &Reader, item: &Item<'_>, field: Field, path: &str) -> bool {
        let moment = |slot: &mut Option<When>| {
            let Some(text) = item.text().filter(|_| slot.is_none()) else {
                return false;
            };
            *slot = when(text);
            if slot.is_none() {
                reader.problem(
                    ProblemCode::BadDate,
                    item.place_of(""),
                    "not a date or time",
                );
            }
            true
        };
        fn once<T>(slot: &mut Option<T>, value: Option<T>) -> bool {
            let is_free = slot.is_none() && value.is_some();
            if is_free {
                *slot = value;
            }
            is_free
        }
        let latest = self.dosage.last_mut();
        match field {
            Field::Item => {
                reader.origin(format!("{path}/item"), item.anchor());
                once(&mut self.item, coded(item))
            }
            Field::Route => once(&mut self.whole.route, coded(item)),
            Field::Site => once(&mut self.whole.site, coded(item)),
            Field::Method => once(&mut self.whole.method, coded(item)),
            Field::Directions => {
                let text = item.text().map(str::to_owned);
                item.words("code").is_none() && once(&mut self.whole.text, text)
            }
            Field::Instruction => {
                let found = coded(item);
                let is_said = found.is_some();
                self.whole.instructions.extend(found);
                is_said
            }
            Field::Reason => {
                let found = coded(item);
                let is_said = found.is_some();
                self.reasons.extend(found);
                is_said
            }
            Field::Start => moment(&mut self.course.0),
            Field::Stop => moment(&mut self.course.1),
            Field::ValidFrom => moment(&mut self.valid.0),
            Field::ValidTo => moment(&mut self.valid.1),
            Field::Expiry => moment(&mut self.product.expires),
            Field::Substitution => {
                let found = coded(item);
                let code = item.words("code");
                self.substitution.allowed = match code {
                    Some("at0168" | "at0138") => Some(true),
                    Some("at0169" | "at0139") => Some(false),
                    _ => None,
                };
                once(&mut self.substitution.coded, found)
            }
            Field::SubstitutionReason => {
                let found = coded(item);
                let is_said = found.is_some();
                self.substitution.reasons.extend(found);
                is_said
            }
            Field::OrderId => {
                let found = identifier(item);
                let is_said = found.is_some();
                self.identifiers.extend(found);
                is_said
            }
            Field::Form => once(&mut self.product.form, coded(item)),
            Field::Batch => once(&mut self.product.batch, item.text().map(str::to_owned)),
            Field::DoseAmount => match (latest, reader.measure(item)) {
                (Some(dosage), Some(dose)) if dosage.doses.is_empty() => {
                    dosage.doses.push(dose);
                    true
                }
                _ => false,
            },
            Field::DoseUnit => {
                let dose = latest.and_then(|dosage| dosage.doses.first_mut());
                let unit = item.text().map(str::to_owned);
                dose.is_some_and(|dose| once(&mut dose.unit, unit))
            }
            Field::Frequency => {
                let (Some(dosage), Some(often)) = (latest, reader.measure(item)) else {
                    return false;
                };
                let times = often.value.and_then(|value| value.to_string().parse().ok());
                let is_daily = matches!(often.unit.as_deref(), Some("1/d"));
                let Some(times) = times.filter(|_| is_daily && dosage.timing.is_none()) else {
                    return false;
                };
                dosage.timing = Some(Timing {
                    frequency: Some(times),
                    period: Some(Measure {
                        value: Some(Quantity::ONE),
                        unit: Some("d".to_owned()),
                        coded: None,
                    }),
                    ..Timing::default()
                });
                true
            }
            Field::AsRequired => {
                let yes = item.text().and_then(|text| text.parse().ok());
                latest.is_some_and(|dosage| once(&mut dosage.as_needed, yes))
            }
            Field::Criterion => {
                let found = coded(item);
                latest.is_some_and(|dosage| once(&mut dosage.needed_for, found))
            }
            Field::Amount => once(&mut self.amount, reader.measure(item)),
            Field::Supply => once(&mut self.supply, item.text().and_then(duration)),
            Field::Interval => once(&mut self.interval, item.text().and_then(duration)),
            Field::Refills => {
                let count = item.text().and_then(|text| text.parse().ok());
                once(&mut self.refills, count)
            }
        }
    }

    /// What is said once goes to the first dosage.
    fn settle(&mut self) {
        let (start, end) = std::mem::take(&mut self.course);
        let mut whole = std::mem::take(&mut self.whole);
        if let Some(bounds) = from_to(start, end) {
            whole.timing = Some(Timing {
                bounds: Some(bounds),
                ..Timing::default()
            });
        }
        self.dosage.retain(|dosage| *dosage != Dosage::default());
        if whole == Dosage::default() {
            return;
        }
        match self.dosage.first_mut() {
            None => self.dosage.push(whole),
            Some(first) => {
                let bounds = whole.timing.and_then(|timing| timing.bounds);
                if bounds.is_some() {
                    first.timing.get_or_insert_with(Timing::default).bounds = bounds;
                }
                first.text = whole.text;
                first.instructions = whole.instructions;
                first.route = whole.route;
                first.site = whole.site;
                first.method = whole.method;
            }
        }
    }
}

/// Which archetype's at-codes hold inside of a part.
fn inner(item: &Item<'_>, within: Within) -> Within {
    match &item.node {
        Some(node) if node.starts_with("openEHR-EHR-") => PARTS
            .iter()
            .find(|(name, _, _)| item.is_archetype(name))
            .map_or(Within::Other, |(_, _, own)| *own),
        Some(_) => within,
        None => PARTS
            .iter()
            .find(|(_, ids, _)| ids.contains(&item.id.as_str()))
            .map_or(within, |(_, _, own)| *own),
    }
}
