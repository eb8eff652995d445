//! Medication orders and dispensings as messages.

use std::cell::RefCell;

use takmil_domain::bill::Line;
use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Head, Message, Supporting};
use takmil_domain::party::Party;
use takmil_domain::prescription::{
    Dispense, DispenseLine, Measure, Prescription, PrescriptionLine, Product, Substitution,
};
use takmil_domain::problem::{Problem, ProblemCode};

use super::drug::Drug;
use super::tree::{Concept, Item};
use super::values::{
    COMPOSITION, CONCEPT, UID, from_to, identifier, measure, party, reference, when,
};
use crate::{MAX_LINES, MAX_PROBLEMS, Read};

/// The careflow step of a medication action by which something was handed out.
const DISPENSED: &str = "at0003";

/// What the messages of one composition have in common.
pub(super) struct Source<'i, 'n> {
    /// Where the composition stands.
    pub(super) place: &'i str,
    /// The composition; in FLAT and STRUCTURED the part of its template.
    pub(super) composition: &'i Item<'n>,
    /// The defaults that FLAT and STRUCTURED may have beside it.
    pub(super) defaults: Option<&'i Item<'n>>,
    /// The status of the record it is kept in, where that came with it.
    pub(super) status: Option<&'i Item<'n>>,
}

/// The entries of a composition, by what they are to the hub.
#[derive(Default)]
pub(super) struct Entries<'i, 'n> {
    pub(super) orders: Vec<&'i Item<'n>>,
    pub(super) given: Vec<&'i Item<'n>>,
    /// What else there is, by its archetype or its id.
    pub(super) others: Vec<String>,
}

impl<'i, 'n> Entries<'i, 'n> {
    /// Sorts the entries below a part, which is understood where it holds some that the hub takes.
    pub(super) fn sort(&mut self, item: &'i Item<'n>) {
        let before = self.taken();
        self.sort_parts(item);
        if self.taken() > before {
            item.know();
        }
    }

    fn taken(&self) -> usize {
        self.orders.len().saturating_add(self.given.len())
    }

    fn sort_parts(&mut self, item: &'i Item<'n>) {
        for part in &item.parts {
            let is_flat = part.node.is_none();
            let holds = |id: &str| part.parts.iter().any(|inner| inner.id == id);
            let is_order = match is_flat {
                true => holds("narrative") && part.parts.iter().any(names_medication),
                false => part.is_version("INSTRUCTION.medication_order", &["2", "3"]),
            };
            let is_action = match is_flat {
                true => holds("ism_transition") && holds("medication_item"),
                false => part.is_version("ACTION.medication", &["1"]),
            };
            let archetype = part.node.as_deref().unwrap_or_default();
            if is_order {
                self.orders.push(part);
            } else if is_action && step(part).as_deref() == Some(DISPENSED) {
                self.given.push(part);
            } else if is_action {
                let name = if is_flat { &part.id } else { archetype };
                self.others.push(format!("{name} (nothing dispensed)"));
            } else if archetype.starts_with("openEHR-EHR-") && !archetype.contains("-SECTION.") {
                self.others.push(archetype.to_owned());
            } else if is_flat && (holds("language") && holds("encoding")) {
                self.others.push(part.id.clone());
            } else {
                self.sort(part);
            }
        }
    }
}

/// Whether a part has a medication item, by the id in the template.
fn names_medication(item: &Item<'_>) -> bool {
    item.parts.iter().any(|part| part.id == "medication_item")
}

/// Whether a part of an order is one of its activities.
fn is_activity(item: &Item<'_>) -> bool {
    match item.node {
        Some(_) => item.is(Concept("at0001", "")),
        None => {
            let names = |part: &Item<'_>| part.id == "action_archetype_id";
            names_medication(item) || item.parts.iter().any(names)
        }
    }
}

/// The careflow step of an action.
fn step(action: &Item<'_>) -> Option<String> {
    let find = |own: &'_ Item<'_>, id: &str| own.parts.iter().position(|part| part.id == id);
    let transition = action.parts.get(find(action, "ism_transition")?)?;
    let step = transition.parts.get(find(transition, "careflow_step")?)?;
    let code = step.said.iter().find(|said| said.attribute == "code")?;
    Some(code.value.trim().to_owned())
}

/// Reads one message.
#[derive(Default)]
pub(super) struct Reader {
    problems: RefCell<Vec<Problem>>,
    origins: RefCell<Vec<(String, String)>>,
}

impl Reader {
    pub(super) fn problem(&self, code: ProblemCode, place: &str, what: &str) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_PROBLEMS {
            problems.push(Problem::new(code, place, what));
        }
    }

    /// Whether something is told to be wrong with a part.
    pub(super) fn is_told(&self, item: &Item<'_>) -> bool {
        let problems = self.problems.borrow();
        item.said
            .iter()
            .any(|said| problems.iter().any(|own| own.pointer == said.place))
    }

    pub(super) fn origin(&self, canonical: impl Into<String>, place: &str) {
        let pair = (canonical.into(), place.to_owned());
        self.origins.borrow_mut().push(pair);
    }

    /// A quantity; one that is none is told.
    pub(super) fn measure(&self, item: &Item<'_>) -> Option<Measure> {
        let found = measure(item);
        if found.is_none() && item.words("magnitude").is_some() {
            let what = "expected a number of 0 or more";
            self.problem(ProblemCode::BadValue, item.place_of("magnitude"), what);
        }
        found
    }

    fn moment(&self, item: Option<&Item<'_>>) -> Option<When> {
        let item = item?;
        let found = when(item.text()?);
        if found.is_none() {
            let what = "not a date or time";
            self.problem(ProblemCode::BadDate, item.place_of(""), what);
        }
        found
    }

    fn finish(self, place: &str, at: String, head: Head, body: Body) -> Read {
        let problems = self.problems.into_inner();
        let mut origins = self.origins.into_inner();
        origins.push((String::new(), place.to_owned()));
        Read {
            place: at,
            outcome: match problems.is_empty() {
                true => Ok(Message { head, body }),
                false => Err(problems),
            },
            origins,
        }
    }

    /// What every kind has in common; `entries` are the ones it is about.
    fn head(&self, source: &Source<'_, '_>, entries: &[&Item<'_>]) -> Head {
        let composition = source.composition;
        let mut head = Head::default();
        if let Some(uid) = composition.part("uid") {
            self.origin("/identifiers/0", uid.anchor());
            let own = uid.plain("").map(|uid| Identifier::new(COMPOSITION, uid));
            head.identifiers.extend(own);
        }
        if let Some(audit) = composition.part("feeder_audit") {
            for id in ["originating_system_item_ids", "originating_system_item_id"] {
                head.identifiers
                    .extend(audit.all(id).filter_map(identifier));
            }
        }
        let context = composition.part("context");
        let defaults = source.defaults;
        let start = context
            .and_then(|own| own.part("start_time"))
            .or_else(|| defaults.and_then(|own| own.part("time")));
        head.created = self.moment(start);
        if let Some(start) = start {
            self.origin("/created", start.place_of(""));
        }
        let facility = context
            .and_then(|own| own.part("health_care_facility"))
            .or_else(|| defaults.and_then(|own| own.part("health_care_facility")));
        head.provider = facility.and_then(|own| party(own, "provider"));
        if let Some(facility) = facility {
            self.origin("/provider", facility.anchor());
        }
        let subject = source
            .status
            .and_then(|own| own.part("subject"))
            .or_else(|| entries.iter().find_map(|own| own.part("subject")));
        if let Some(subject) = subject {
            head.member.identifiers.extend(reference(subject));
            head.member.name = subject.words("name").map(str::to_owned);
            self.origin("/member", subject.anchor());
        }
        for id in ["subject", "language", "encoding"] {
            let own = entries.iter().filter_map(|entry| entry.part(id));
            own.for_each(Item::know_all);
        }
        let of_context = context
            .into_iter()
            .flat_map(|own| own.all("participations"));
        head.supporting.extend(
            of_context
                .chain(context.into_iter().flat_map(|own| own.all("participation")))
                .filter_map(participation),
        );
        head
    }

    /// Who is answerable for the entries: their provider where one is named, else the composer.
    fn author(
        &self,
        source: &Source<'_, '_>,
        entries: &[&Item<'_>],
        role: &str,
        path: &str,
    ) -> Option<Party> {
        let composer = source.composition.part("composer");
        let own = entries
            .iter()
            .find_map(|own| own.part("provider"))
            .or(composer);
        if let Some(found) = own.and_then(|own| party(own, role)) {
            self.origin(path, own.map(Item::anchor).unwrap_or_default());
            return Some(found);
        }
        let defaults = source.defaults?;
        let name = defaults.part("composer_name").and_then(Item::text);
        let id = defaults.part("composer_id").and_then(|own| own.plain(""));
        let scheme = defaults.part("id_scheme").and_then(|own| own.plain(""));
        let own = Party {
            identifiers: id
                .map(|id| Identifier::new(scheme.unwrap_or_default(), id))
                .into_iter()
                .collect(),
            name: name.map(str::to_owned),
            ..Default::default()
        };
        (own != Default::default()).then(|| Party {
            role: Some(Coded::words(role)),
            ..own
        })
    }

    /// The orders of a composition as one prescription.
    pub(super) fn prescription(
        self,
        source: &Source<'_, '_>,
        entries: &[&Item<'_>],
        at: String,
    ) -> Read {
        let path = "/prescription";
        let mut head = self.head(source, entries);
        let mut order = Prescription {
            authored: head.created.clone(),
            prescriber: self.author(source, entries, "prescriber", "/prescription/prescriber"),
            ..Prescription::default()
        };
        head.occurred_on = order.authored.as_ref().and_then(When::day);
        for entry in entries {
            entry.know();
            let first = order.lines.len();
            let activities = entry.parts.iter().filter(|part| is_activity(part));
            // One more than a message may have is told.
            for (index, activity) in activities.take(MAX_LINES.saturating_add(1)).enumerate() {
                let number = order.lines.len();
                let entry = (index == 0).then_some(*entry);
                let line = self.order(entry, activity, &format!("{path}/lines/{number}"));
                order.lines.extend(line.map(|line| PrescriptionLine {
                    seq: u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX),
                    ..line
                }));
            }
            let lines = order.lines.get_mut(first..).unwrap_or_default();
            self.narrative(entry, lines);
            head.supporting.extend(participations(entry));
            entry.unread(&mut head.unread);
            // Told with the message, and therefore not again.
            entry.know_all();
            if order.lines.len() == first && self.problems.borrow().is_empty() {
                let what = "an order has an activity with a medication item";
                self.problem(ProblemCode::Missing, entry.anchor(), what);
            }
        }
        self.finish(source.place, at, head, Body::Prescription(order))
    }

    /// Reads one activity; the first of an entry with what the entry says of its own number.
    fn order(
        &self,
        entry: Option<&Item<'_>>,
        activity: &Item<'_>,
        path: &str,
    ) -> Option<PrescriptionLine> {
        activity.know();
        self.origin(path, activity.anchor());
        let bookkeeping = ["uid", "timing", "action_archetype_id"];
        let parts = activity
            .parts
            .iter()
            .filter(|part| !bookkeeping.contains(&part.id.as_str()));
        let mut parts: Vec<&Item<'_>> = parts.collect();
        parts.extend(entry.into_iter().flat_map(|own| &own.parts).filter(|part| {
            part.id == "protocol" || (part.node.is_none() && part.id == "order_identifier")
        }));
        if let Some(own) = activity.part("action_archetype_id") {
            own.know_all();
        }
        let drug = Drug::of(self, &parts, true, path);
        let Some(item) = drug.item else {
            let what = "a medication item is required";
            self.problem(ProblemCode::Missing, activity.anchor(), what);
            return None;
        };
        let uids = [Some(activity), entry].into_iter().flatten();
        let uids = uids.filter_map(|own| own.part("uid")?.plain(""));
        let mut identifiers: Vec<Identifier> = uids.map(|uid| Identifier::new(UID, uid)).collect();
        identifiers.extend(drug.identifiers);
        let mut particulars = drug.particulars;
        let timing = activity.part("timing").and_then(|own| own.text());
        particulars.extend(timing.map(|text| words("timing", text)));
        let (from, to) = drug.valid;
        Some(PrescriptionLine {
            identifiers,
            item,
            product: (drug.product != Product::default()).then_some(drug.product),
            valid: from_to(from, to),
            dosage: drug.dosage,
            quantity: drug.amount,
            days_supply: drug.supply,
            repeats: drug.refills,
            interval: drug.interval,
            substitution: (drug.substitution != Substitution::default())
                .then_some(drug.substitution),
            reasons: drug.reasons,
            particulars,
            ..PrescriptionLine::default()
        })
    }

    /// The order in words, where they say more than its lines.
    fn narrative(&self, entry: &Item<'_>, lines: &mut [PrescriptionLine]) {
        let Some(text) = entry.part("narrative").and_then(|own| own.text()) else {
            return;
        };
        let repeats = |line: &PrescriptionLine| {
            let directions = line
                .dosage
                .iter()
                .any(|own| own.text.as_deref() == Some(text));
            directions || line.item.label() == Some(text)
        };
        if let Some(first) = lines.first_mut()
            && !repeats(first)
        {
            first.particulars.push(words("narrative", text));
        }
    }

    /// What was handed out by a composition's actions as one message.
    pub(super) fn dispense(
        self,
        source: &Source<'_, '_>,
        entries: &[&Item<'_>],
        at: String,
    ) -> Read {
        let path = "/dispense";
        let mut head = self.head(source, entries);
        let mut given = Dispense {
            dispenser: self.author(source, entries, "dispenser", "/dispense/dispenser"),
            ..Dispense::default()
        };
        for (number, entry) in entries.iter().enumerate() {
            entry.know();
            let line = self.given(entry, &format!("{path}/lines/{number}"));
            given.lines.extend(line.map(|mut line| {
                line.line.seq = u32::try_from(number.saturating_add(1)).unwrap_or(u32::MAX);
                line
            }));
            head.supporting.extend(participations(entry));
            entry.unread(&mut head.unread);
            entry.know_all();
        }
        let first = given.lines.first().and_then(|own| own.handed_over.as_ref());
        head.occurred_on = first.or(head.created.as_ref()).and_then(When::day);
        self.finish(source.place, at, head, Body::Dispense(given))
    }

    fn given(&self, entry: &Item<'_>, path: &str) -> Option<DispenseLine> {
        self.origin(path, entry.anchor());
        const ATTRIBUTES: &[&str] = &[
            "uid",
            "time",
            "ism_transition",
            "instruction_details",
            "subject",
            "provider",
            "other_participation",
            "other_participations",
            "language",
            "encoding",
            "feeder_audit",
            "work_flow_id",
            "workflow_id",
            "guideline_id",
            "links",
            "link",
        ];
        let parts = entry.parts.iter();
        let parts: Vec<&Item<'_>> = parts
            .filter(|part| !ATTRIBUTES.contains(&part.id.as_str()))
            .collect();
        let drug = Drug::of(self, &parts, false, path);
        let Some(item) = drug.item else {
            let what = "a medication item is required";
            self.problem(ProblemCode::Missing, entry.anchor(), what);
            return None;
        };
        let time = entry.part("time");
        if let Some(time) = time {
            self.origin(format!("{path}/handed_over"), time.place_of(""));
        }
        let state = entry.part("ism_transition").and_then(|own| {
            own.part("careflow_step").map(Item::know_all);
            own.part("current_state")
        });
        let status = state.and_then(|own| {
            own.know_all();
            own.text().map(str::to_owned)
        });
        let link = entry.part("instruction_details");
        let mut prescriptions: Vec<Identifier> = link
            .and_then(|own| own.plain("composition_uid"))
            .map(|uid| Identifier::new(COMPOSITION, uid))
            .into_iter()
            .collect();
        prescriptions.extend(drug.identifiers);
        let uid = entry.part("uid").and_then(|own| own.plain(""));
        let mut substitution = drug.substitution;
        let substituted = substitution.allowed.take();
        let days = drug.supply.as_ref().and_then(days);
        let mut particulars = drug.particulars;
        if let (None, Some(supply)) = (days, drug.supply) {
            particulars.push(Supporting {
                quantity: supply.value,
                unit: supply.unit,
                ..attribute("duration_of_supply")
            });
        }
        Some(DispenseLine {
            line: Line {
                item,
                quantity: drug.amount.as_ref().and_then(|own| own.value),
                unit: drug.amount.and_then(|own| own.unit),
                days_supply: days,
                particulars,
                ..Line::default()
            },
            identifiers: uid
                .map(|uid| Identifier::new(UID, uid))
                .into_iter()
                .collect(),
            product: (drug.product != Product::default()).then_some(drug.product),
            prescriptions,
            status,
            handed_over: self.moment(time),
            dosage: drug.dosage,
            substituted,
            substitution: (substitution != Substitution::default()).then_some(substitution),
            ..DispenseLine::default()
        })
    }
}

/// How many whole days a supply lasts, where it is told in days.
fn days(supply: &Measure) -> Option<u32> {
    let unit = supply.unit.as_deref()?;
    match supply.value {
        Some(value) => value.to_string().parse().ok().filter(|_| unit == "d"),
        // More days than a quantity may be.
        None => unit.strip_prefix('P')?.strip_suffix('D')?.parse().ok(),
    }
}

/// What the model has no field for, by the name of its attribute.
fn attribute(name: &str) -> Supporting {
    Supporting {
        category: Some(Coded::new(CONCEPT, name)),
        ..Supporting::default()
    }
}

/// The same in words.
fn words(name: &str, text: &str) -> Supporting {
    Supporting {
        text: Some(text.to_owned()),
        ..attribute(name)
    }
}

/// Those who took part in an entry with what they did, and the workflow and guideline that it was made by.
fn participations(entry: &Item<'_>) -> Vec<Supporting> {
    let numbers = ["workflow_id", "work_flow_id", "guideline_id"].into_iter();
    let numbers = numbers.filter_map(|id| {
        Some(Supporting {
            identifier: Some(reference(entry.part(id)?)?),
            ..attribute(id)
        })
    });
    let ids = ["other_participations", "other_participation"];
    let all = ids
        .into_iter()
        .flat_map(|id| entry.all(id).collect::<Vec<_>>());
    numbers.chain(all.filter_map(participation)).collect()
}

fn participation(item: &Item<'_>) -> Option<Supporting> {
    let own = party(item, "")?;
    let function = item.words("function").map(Coded::words);
    Some(Supporting {
        category: Some(Coded::new(CONCEPT, "participation")),
        coded: function,
        identifier: own.identifiers.into_iter().next(),
        text: own.name,
        ..Supporting::default()
    })
}
