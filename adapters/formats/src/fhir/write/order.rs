//! Prescriptions, what was handed out, and what is taken back.

use takmil_domain::bill::Diagnosis;
use takmil_domain::code::Coded;
use takmil_domain::date::{Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Cancel, Head, Relation, Supporting};
use takmil_domain::party::Party;
use takmil_domain::prescription::{
    Dispense, DispenseLine, Dosage, Ingredient, Prescription, PrescriptionLine, Product,
    Substitution, Timing,
};

use super::party::As;
use super::{
    Writer, code, concept, concepts, earlier, listed, measure, moment, named, number, period,
    quantity, ratio, reference,
};
use crate::fhir::datatypes::{Object, coded, identifier, primitive, words};
use crate::fhir::r4::Primitive;
use crate::fhir::tree::Node;
use crate::fhir::{AMOUNTS, ELEMENT, PRIORITY};

/// HL7's codes of what a task asks for.
const TASK_CODES: &str = "http://hl7.org/fhir/CodeSystem/task-code";

/// The system of units of time.
const UCUM: &str = "http://unitsofmeasure.org";

impl Writer {
    /// The orders of a prescription; none where several have no number that holds them together.
    pub(super) fn orders(&mut self, head: &Head, ordered: &Prescription) -> Option<Vec<Object>> {
        let alone = ordered.lines.len() == 1;
        let own = ordered.lines.first()?;
        // The number of a single order is the message's too.
        let is_of_line = |number: &&Identifier| alone && own.identifiers.contains(number);
        let numbers = head.identifiers.iter().filter(|own| !is_of_line(own));
        let mut numbers = numbers.filter_map(identifier);
        let mut group = numbers.next();
        if let Some(second) = numbers.next() {
            self.number = group.replace(second);
        }
        if !alone && group.is_none() {
            return None;
        }
        let subject = self.member(&head.member);
        let visit = ordered.encounter.as_ref();
        let visit = visit.and_then(|visit| self.encounter(visit, subject.as_ref()));
        let prescriber = ordered.prescriber.as_ref().or(head.provider.as_ref());
        let mut common = Common {
            group,
            visit,
            prescriber: self.party(prescriber, As::Person),
            dispenser: self.party(ordered.dispenser.as_ref(), As::Body),
            recorder: self.party(head.actor.as_ref(), As::Person),
            covers: Vec::new(),
            subject,
        };
        for cover in &head.coverages {
            let cover = self.coverage(cover, common.subject.as_ref());
            common.covers.extend(cover);
        }
        let mut orders = Vec::new();
        for (index, line) in ordered.lines.iter().enumerate() {
            let mut diagnoses = ordered.diagnoses.iter().collect::<Vec<_>>();
            diagnoses.retain(|found| {
                match ordered
                    .lines
                    .iter()
                    .position(|line| line.reasons.contains(&found.coded))
                {
                    Some(first) => first == index,
                    None => index == 0,
                }
            });
            let order = self.order(head, ordered, line, &diagnoses, &common);
            orders.push(match index {
                0 => order.list("note", head.texts.iter().filter_map(|text| note(text))),
                _ => order,
            });
        }
        Some(orders)
    }

    fn order(
        &mut self,
        head: &Head,
        ordered: &Prescription,
        line: &PrescriptionLine,
        diagnoses: &[&Diagnosis],
        common: &Common,
    ) -> Object {
        const KIND: &str = "MedicationRequest";
        let status = line.status.as_deref().or(head.status.as_deref());
        let urgent = head.priority.as_ref().and_then(|own| own.source.as_ref());
        let urgent = urgent.filter(|own| own.system == PRIORITY);
        let told: Vec<&Coded> = diagnoses.iter().map(|own| &own.coded).collect();
        let reasons = line.reasons.iter().filter(|own| !told.contains(own));
        let conditions: Vec<Node<'static>> = diagnoses
            .iter()
            .filter_map(|own| self.condition(own, common.subject.as_ref()))
            .collect();
        let authored = line.authored.as_ref().or(ordered.authored.as_ref());
        let valid = line.valid.as_ref().or(ordered.valid.as_ref());
        let first = measure(line.first_fill.as_ref());
        let first = first.map(|own| Object::new().put("quantity", own));
        let supply = Object::new()
            .maybe("initialFill", first)
            .maybe("dispenseInterval", measure(line.interval.as_ref()))
            .maybe("validityPeriod", period(valid))
            .maybe("numberOfRepeatsAllowed", line.repeats.map(whole))
            .maybe("quantity", measure(line.quantity.as_ref()))
            .maybe("expectedSupplyDuration", measure(line.days_supply.as_ref()))
            .maybe("performer", common.dispenser.clone());
        let own = named(KIND, &line.identifiers)
            .maybe("language", code(head.language.as_deref()))
            .put("status", listed(KIND, "status", status, "active"))
            .maybe("statusReason", concept(line.status_reason.as_ref()))
            .put(
                "intent",
                listed(KIND, "intent", line.intent.as_deref(), "order"),
            )
            .list("category", concepts(&line.categories))
            .maybe("priority", urgent.and_then(|own| code(Some(&own.code))))
            .maybe("doNotPerform", line.do_not_perform);
        let own = self
            .medication(own, &line.item, line.product.as_ref())
            .maybe("subject", common.subject.clone())
            .maybe("encounter", common.visit.clone())
            .maybe("authoredOn", moment(authored))
            .maybe("requester", common.prescriber.clone())
            .maybe("recorder", common.recorder.clone())
            .list("reasonCode", reasons.filter_map(coded))
            .list("reasonReference", conditions)
            .maybe("groupIdentifier", common.group.clone())
            .maybe("courseOfTherapyType", concept(line.course.as_ref()))
            .list("insurance", common.covers.clone())
            .list("dosageInstruction", line.dosage.iter().filter_map(dosage))
            .maybe("dispenseRequest", supply.filled())
            .maybe(
                "substitution",
                line.substitution.as_ref().and_then(substitution),
            );
        let references = |name: &'static str| {
            let element = Coded::new(ELEMENT, format!("{KIND}.{name}"));
            let all = head.correlates.iter();
            let all = all.filter(move |own| {
                let plain = own.coded.is_none() && name == "basedOn";
                own.relation == Relation::Related && (plain || own.coded.as_ref() == Some(&element))
            });
            all.filter_map(|own| reference(&own.identifier))
        };
        let own = own
            .list("basedOn", references("basedOn"))
            .maybe("priorPrescription", references("priorPrescription").next());
        self.restore(own, KIND, &line.particulars)
    }

    /// What was handed out; none where several parts of it are on no prescription that holds them together.
    pub(super) fn dispensings(&mut self, head: &Head, given: &Dispense) -> Option<Vec<Object>> {
        const KIND: &str = "MedicationDispense";
        let filled = earlier(head, Relation::Prescription).map(|own| &own.identifier);
        let on = |line: &DispenseLine| -> Vec<Identifier> {
            match line.prescriptions.is_empty() {
                true => filled.cloned().into_iter().collect(),
                false => line.prescriptions.clone(),
            }
        };
        let first = on(given.lines.first()?).into_iter().next();
        let hold = given
            .lines
            .iter()
            .all(|line| first.is_some() && on(line).first() == first.as_ref());
        if given.lines.len() > 1 && !hold {
            return None;
        }
        let subject = self.member(&head.member);
        let dispenser = given.dispenser.as_ref().or(head.provider.as_ref());
        let performer = dispenser.map(|own| {
            // What the party did is told beside the reference.
            let party = Party {
                role: None,
                ..own.clone()
            };
            Object::new()
                .maybe("function", concept(own.role.as_ref()))
                .maybe("actor", self.either(Some(&party)))
                .into()
        });
        let place = self.party(head.facility.as_ref(), As::Place);
        let visit = given.encounter.as_ref();
        let visit = visit.and_then(reference);
        let mut all = Vec::new();
        for (index, part) in given.lines.iter().enumerate() {
            let line = &part.line;
            let status = part.status.as_deref().or(head.status.as_deref());
            let lasts = line.days_supply.map(|days| {
                Object::new()
                    .put("value", whole(days))
                    .put("unit", "day")
                    .put("system", UCUM)
                    .put("code", "d")
            });
            let orders = on(part);
            let orders = orders.iter().filter_map(reference);
            let unit = line.unit.as_deref();
            let changed = part.substitution.clone().unwrap_or_default();
            let changed = Object::new()
                .maybe("wasSubstituted", part.substituted)
                .maybe("type", concept(changed.coded.as_ref()))
                .list("reason", concepts(&changed.reasons));
            let own = named(KIND, &part.identifiers)
                .maybe("language", code(head.language.as_deref()))
                .put("status", listed(KIND, "status", status, "completed"))
                .maybe(
                    "statusReasonCodeableConcept",
                    concept(part.status_reason.as_ref()),
                )
                .maybe("category", concept(line.category.as_ref()));
            let own = self
                .medication(own, &line.item, part.product.as_ref())
                .maybe("subject", subject.clone())
                .maybe("context", visit.clone())
                .list("performer", performer.clone())
                .maybe("location", place.clone())
                .list("authorizingPrescription", orders)
                .maybe("type", concept(part.kind.as_ref()))
                .maybe(
                    "quantity",
                    quantity(line.quantity, unit, line.unit_code.as_ref()),
                )
                .maybe("daysSupply", lasts)
                .maybe("whenPrepared", moment(part.prepared.as_ref()))
                .maybe("whenHandedOver", moment(part.handed_over.as_ref()))
                .list("dosageInstruction", part.dosage.iter().filter_map(dosage))
                .maybe("substitution", changed.filled());
            let own = match index {
                0 => own.list("note", head.texts.iter().filter_map(|text| note(text))),
                _ => own,
            };
            let total = given.total.filter(|_| index == 0);
            let beside = self
                .told_beside(line, line.billed, line.unit_price)
                .into_iter();
            let beside = beside.chain(self.amount_as(AMOUNTS[5], total));
            all.push(self.restore_some(own, KIND, &line.particulars, beside).0);
        }
        Some(all)
    }

    /// A Task that takes back what the message names; none where it names nothing.
    pub(super) fn task(&mut self, head: &Head, cancel: &Cancel) -> Option<Object> {
        let taken_back = &earlier(head, Relation::Cancels)?.identifier;
        let focus = reference(taken_back)?;
        let group = earlier(head, Relation::Group).and_then(|own| identifier(&own.identifier));
        let urgent = head.priority.as_ref().and_then(|own| own.source.as_ref());
        let urgent = urgent.filter(|own| own.system == PRIORITY);
        // A reason that is the task's own code stands there, and not beside it.
        let told = head.supporting.iter().find(|own| is_of_task(own, "code"));
        let is_code = |own: &&Coded| {
            own.codings()
                .any(|one| matches!(&*one.code, "abort" | "cancel"))
        };
        let asks = told.and_then(|own| own.coded.as_ref());
        let asks = asks.or(cancel.reason.as_ref()).filter(is_code);
        let reason = cancel
            .reason
            .as_ref()
            .filter(|own| Some(*own) != asks || told.is_some());
        let abort = Coded::new(TASK_CODES, "abort");
        let intent = head.supporting.iter().find(|own| is_of_task(own, "intent"));
        let intent = intent.and_then(|own| own.coded.as_ref()?.source.as_ref());
        let own = named("Task", &head.identifiers)
            .maybe("language", code(head.language.as_deref()))
            .maybe("groupIdentifier", group)
            .put(
                "status",
                listed("Task", "status", head.status.as_deref(), "requested"),
            )
            .put(
                "intent",
                listed(
                    "Task",
                    "intent",
                    intent.map(|own| own.code.as_str()),
                    "order",
                ),
            )
            .maybe("priority", urgent.and_then(|own| code(Some(&own.code))))
            .maybe("code", coded(asks.unwrap_or(&abort)))
            .put("focus", focus)
            .maybe("for", self.member(&head.member))
            .maybe("authoredOn", moment(head.created.as_ref()))
            .maybe("requester", self.either(head.provider.as_ref()))
            .maybe("owner", self.party(head.recipient.as_ref(), As::Body))
            .maybe("reasonCode", concept(reason));
        Some(self.restore(own, "Task", &head.supporting))
    }

    /// What is ordered or handed out: a concept, or a Medication where more is told of it.
    fn medication(&mut self, into: Object, item: &Coded, product: Option<&Product>) -> Object {
        let Some(product) = product else {
            return into.maybe("medicationCodeableConcept", coded(item));
        };
        let batch = Object::new()
            .maybe("lotNumber", product.batch.as_deref().and_then(words))
            .maybe("expirationDate", moment(product.expires.as_ref()));
        let medication = Object::resource("Medication")
            .maybe("code", coded(item))
            .maybe("form", concept(product.form.as_ref()))
            .maybe("amount", ratio(product.pack.as_ref()))
            .list(
                "ingredient",
                product.ingredients.iter().filter_map(ingredient),
            )
            .maybe("batch", batch.filled());
        into.maybe("medicationReference", self.refer(medication))
    }
}

/// What the orders of a prescription have in common.
struct Common {
    group: Option<Node<'static>>,
    subject: Option<Node<'static>>,
    visit: Option<Node<'static>>,
    prescriber: Option<Node<'static>>,
    dispenser: Option<Node<'static>>,
    recorder: Option<Node<'static>>,
    covers: Vec<Node<'static>>,
}

fn is_of_task(part: &Supporting, element: &str) -> bool {
    let source = part.category.as_ref().and_then(|own| own.source.as_ref());
    source.is_some_and(|own| own.system == ELEMENT && own.code == format!("Task.{element}"))
}

fn whole(count: u32) -> Node<'static> {
    Node::number(count.to_string())
}

fn note(text: &str) -> Option<Node<'static>> {
    Some(Object::new().put("text", words(text)?).into())
}

fn substitution(told: &Substitution) -> Option<Object> {
    let own = Object::new();
    let own = match &told.coded {
        Some(word) => own.maybe("allowedCodeableConcept", coded(word)),
        None => own.maybe("allowedBoolean", told.allowed),
    };
    own.maybe("reason", told.reasons.first().and_then(coded))
        .filled()
}

fn ingredient(told: &Ingredient) -> Option<Node<'static>> {
    let own = Object::new()
        .maybe("itemCodeableConcept", coded(&told.item))
        .maybe("isActive", told.active)
        .maybe("strength", ratio(told.strength.as_ref()));
    Some(own.filled()?.into())
}

fn dosage(told: &Dosage) -> Option<Node<'static>> {
    let own = Object::new()
        .maybe("text", told.text.as_deref().and_then(words))
        .list("additionalInstruction", concepts(&told.instructions))
        .maybe("timing", told.timing.as_ref().and_then(timing));
    let own = match concept(told.needed_for.as_ref()) {
        Some(reason) => own.put("asNeededCodeableConcept", reason),
        None => own.maybe("asNeededBoolean", told.as_needed),
    };
    let dose = Object::new().maybe("type", concept(told.dose_kind.as_ref()));
    let dose = match told.doses.as_slice() {
        [] => dose,
        [only] => dose.maybe("doseQuantity", measure(Some(only))),
        [low, high, ..] => {
            let range = Object::new()
                .maybe("low", measure(Some(low)))
                .maybe("high", measure(Some(high)));
            dose.maybe("doseRange", range.filled())
        }
    };
    let dose = match &told.rate {
        Some(rate) if rate.denominator.is_none() => {
            dose.maybe("rateQuantity", measure(rate.numerator.as_ref()))
        }
        rate => dose.maybe("rateRatio", ratio(rate.as_ref())),
    };
    let own = own
        .maybe("site", concept(told.site.as_ref()))
        .maybe("route", concept(told.route.as_ref()))
        .maybe("method", concept(told.method.as_ref()))
        .list("doseAndRate", dose.filled().map(Node::from))
        .maybe("maxDosePerPeriod", ratio(told.maximum.as_ref()));
    Some(own.filled()?.into())
}

fn timing(told: &Timing) -> Option<Object> {
    let bounds: Option<&Period> = told.bounds.as_ref();
    let every = told.period.as_ref();
    let unit = every.and_then(|own| own.coded.as_ref());
    let repeat = match period(bounds) {
        Some(bounds) => Object::new().put("boundsPeriod", bounds),
        None => Object::new().maybe("boundsDuration", measure(told.duration.as_ref())),
    };
    let repeat = repeat
        .maybe("count", told.count.and_then(number))
        .maybe("frequency", told.frequency.and_then(number))
        .maybe(
            "period",
            every
                .and_then(|own| own.value)
                .map(|value| Node::number(value.to_string())),
        )
        .maybe("periodUnit", unit.and_then(|own| code(Some(&own.code))));
    // Days, times and occasions stand in one list: each is known by its form.
    let is_day = |text: &str| matches!(text, "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun");
    let days = told.when.iter().filter(|own| is_day(own));
    let times = told.when.iter().filter(|own| own.contains(':'));
    let others = told
        .when
        .iter()
        .filter(|own| !is_day(own) && !own.contains(':'));
    let codes = |own: &String| code(Some(own));
    let repeat = repeat
        .list("dayOfWeek", days.filter_map(codes))
        .list(
            "timeOfDay",
            times.filter_map(|own| primitive(Primitive::Time, own)),
        )
        .list("when", others.filter_map(codes));
    let events = told
        .events
        .iter()
        .filter_map(|own: &When| moment(Some(own)));
    Object::new()
        .list("event", events)
        .maybe("repeat", repeat.filled())
        .maybe("code", concept(told.coded.as_ref()))
        .filled()
}
