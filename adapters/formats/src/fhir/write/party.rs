//! Persons, bodies, covers and visits.

use takmil_domain::bill::{Diagnosis, Encounter, EncounterClass};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::ids::Identifier;
use takmil_domain::message::Head;
use takmil_domain::party::{CoverageReference, Member, Party, Sex};

use super::bill::is_leave;
use super::{Writer, concept, concepts, listed, moment, named, number, numbers, period, pointer};
use crate::fhir::datatypes::{Object, coded, date, words};
use crate::fhir::tree::Node;
use crate::fhir::{REFERENCE, SUBSCRIBER};

/// What a party is written as where more is told of it than a reference holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Organization.
    Body,
    /// Practitioner, or PractitionerRole where a role or employer is told.
    Person,
    /// Location.
    Place,
}

/// The code system of the classes of visits.
const ACT_CODES: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

impl Writer {
    /// The person the message is about.
    pub(super) fn member(&mut self, member: &Member) -> Option<Node<'static>> {
        let is_described = member.birth_date.is_some() || member.sex.is_some();
        if !is_described && let Some(plain) = pointer(&member.identifiers, member.name.as_deref()) {
            return Some(plain);
        }
        if *member == Member::default() {
            return None;
        }
        let name = member.name.as_deref().and_then(words);
        let name = name.map(|name| Object::new().put("text", name).into());
        let patient = described("Patient", &member.identifiers)
            .list("name", name)
            .maybe("gender", member.sex.map(gender))
            .maybe("birthDate", member.birth_date.as_ref().and_then(date));
        self.refer(patient)
    }

    /// A party, which is a person or a body, as it shows.
    pub(super) fn either(&mut self, party: Option<&Party>) -> Option<Node<'static>> {
        let is_person = party.is_some_and(|own| own.role.is_some() || own.organisation.is_some());
        self.party(party, if is_person { As::Person } else { As::Body })
    }

    /// A party.
    pub(super) fn party(&mut self, party: Option<&Party>, kind: As) -> Option<Node<'static>> {
        let party = party?;
        let is_described = party.specialty.is_some()
            || party.organisation.is_some()
            || party.role.is_some() && kind == As::Person;
        if !is_described && let Some(plain) = pointer(&party.identifiers, party.name.as_deref()) {
            return Some(plain);
        }
        let says_something = is_described || party.name.is_some() || !party.identifiers.is_empty();
        if !says_something {
            return None;
        }
        let name = party.name.as_deref().and_then(words);
        let specialty = concept(party.specialty.as_ref());
        let organisation = party.organisation.as_deref();
        let organisation = self.party(organisation, As::Body);
        let resource = match kind {
            As::Body => described("Organization", &party.identifiers)
                .list("type", specialty)
                .maybe("name", name)
                .maybe("partOf", organisation),
            As::Place => described("Location", &party.identifiers)
                .maybe("name", name)
                .list("type", specialty)
                .maybe("managingOrganization", organisation),
            As::Person if party.role.is_none() && organisation.is_none() => {
                let name = name.map(|name| Object::new().put("text", name).into());
                let trained = specialty.map(|own| Object::new().put("code", own).into());
                described("Practitioner", &party.identifiers)
                    .list("name", name)
                    .list("qualification", trained)
            }
            As::Person => described("PractitionerRole", &party.identifiers)
                .maybe(
                    "practitioner",
                    name.map(|name| Object::new().put("display", name)),
                )
                .maybe("organization", organisation)
                .list("code", concept(party.role.as_ref()))
                .list("specialty", specialty),
        };
        self.refer(resource)
    }

    /// The covers, as a request lists them.
    pub(super) fn insurances(
        &mut self,
        head: &Head,
        beneficiary: Option<&Node<'static>>,
        has_sequence: bool,
    ) -> Vec<Node<'static>> {
        let told = head.correlates.iter().filter(|own| is_leave(own));
        let mut told: Vec<&str> = told.map(|own| own.identifier.value.as_str()).collect();
        let insurance = |cover: &CoverageReference| {
            let sequence = cover.order.filter(|_| has_sequence);
            let about = has_sequence.then_some("Claim.insurance");
            let about = about.unwrap_or("CoverageEligibilityRequest.insurance");
            // What the request says of them, it says with its first cover.
            let of_request = std::mem::take(&mut told).into_iter();
            let leave = cover.authorisations.iter().map(String::as_str);
            let leave = leave.chain(of_request).filter_map(words);
            let own = Object::new()
                .maybe("sequence", sequence.and_then(number))
                .maybe("focal", cover.focal)
                .maybe("coverage", self.coverage(cover, beneficiary));
            let own = match has_sequence {
                true => own.list("preAuthRef", leave),
                false => own,
            };
            let parts = cover.particulars.as_slice();
            self.restore(own, about, parts).into()
        };
        head.coverages.iter().map(insurance).collect()
    }

    /// A cover.
    pub(super) fn coverage(
        &mut self,
        cover: &CoverageReference,
        beneficiary: Option<&Node<'static>>,
    ) -> Option<Node<'static>> {
        let plain = CoverageReference {
            order: cover.order,
            focal: cover.focal,
            identifiers: cover.identifiers.clone(),
            kind: cover.kind.clone(),
            authorisations: cover.authorisations.clone(),
            ..CoverageReference::default()
        };
        let text = cover.kind.as_ref().and_then(|kind| kind.text.as_deref());
        let is_words = cover.kind == text.map(Coded::words);
        if plain == *cover
            && is_words
            && let Some(plain) = pointer(&cover.identifiers, text)
        {
            return Some(plain);
        }
        if plain == *cover && is_words && cover.identifiers.is_empty() {
            return None;
        }
        let is_subscriber = |own: &&Identifier| own.system == SUBSCRIBER;
        let subscriber = cover.identifiers.iter().find(is_subscriber);
        let others: Vec<Identifier> = cover
            .identifiers
            .iter()
            .filter(|own| Some(*own) != subscriber)
            .cloned()
            .collect();
        let classes = cover.classes.iter().filter_map(|class| {
            let kind = coded(&class.kind)?;
            let own = Object::new()
                .put("type", kind)
                .put("value", words(&class.value)?);
            Some(
                own.maybe("name", class.name.as_deref().and_then(words))
                    .into(),
            )
        });
        let coverage = described("Coverage", &others)
            .put(
                "status",
                listed("Coverage", "status", cover.status.as_deref(), "active"),
            )
            .maybe("type", concept(cover.kind.as_ref()))
            .maybe("subscriberId", subscriber.and_then(|own| words(&own.value)))
            .maybe("beneficiary", beneficiary.cloned())
            .maybe("relationship", concept(cover.relationship.as_ref()))
            .maybe("period", period(cover.period.as_ref()))
            .list("payor", self.party(cover.insurer.as_ref(), As::Body))
            .list("class", classes)
            .maybe("order", cover.order.and_then(number));
        let coverage = self.restore(coverage, "Coverage", &cover.particulars);
        self.refer(coverage)
    }

    /// A diagnosis: its concept, or the condition where more is told of it.
    pub(super) fn condition(
        &mut self,
        diagnosis: &Diagnosis,
        subject: Option<&Node<'static>>,
    ) -> Option<Node<'static>> {
        let condition = Object::resource("Condition")
            .maybe("code", coded(&diagnosis.coded))
            .maybe("subject", subject.cloned())
            .maybe("onsetDateTime", moment(diagnosis.when.as_ref()))
            .maybe("recordedDate", moment(diagnosis.recorded.as_ref()));
        self.refer(condition)
    }

    /// A visit.
    pub(super) fn encounter(
        &mut self,
        visit: &Encounter,
        subject: Option<&Node<'static>>,
    ) -> Option<Node<'static>> {
        let plain = Encounter {
            identifiers: visit.identifiers.clone(),
            ..Encounter::default()
        };
        if plain == *visit
            && let Some(plain) = pointer(&visit.identifiers, None)
        {
            return Some(plain);
        }
        let codes = visit.class.map(class_codes).unwrap_or_default();
        // The first kind is the class where it is one of its codes.
        let told = visit.kinds.first().filter(|kind| {
            let alone = kind.others.is_empty() && kind.text.is_none();
            let code = kind.source.as_ref().map(|own| own.code.as_str());
            alone && code.is_some_and(|code| codes.contains(&code))
        });
        let kinds = visit.kinds.get(usize::from(told.is_some())..);
        let plain = || {
            Coding {
                system: ACT_CODES.to_owned(),
                code: (*codes.first()?).to_owned(),
                ..Coding::default()
            }
            .into()
        };
        let class = told.and_then(|own| own.source.clone()).or_else(plain);
        let class = class.and_then(|own| crate::fhir::datatypes::coding(&own));
        let stay = Object::new()
            .maybe("admitSource", concept(visit.admission_source.as_ref()))
            .maybe("dischargeDisposition", concept(visit.discharge.as_ref()));
        let encounter = described("Encounter", &visit.identifiers)
            .put("status", "unknown")
            .maybe("class", class)
            .list("type", concepts(kinds.unwrap_or_default()))
            .maybe("subject", subject.cloned())
            .maybe("period", period(visit.period.as_ref()))
            .maybe("hospitalization", stay.filled());
        self.refer(encounter)
    }
}

/// A resource that is described: with its numbers, or with its `id` where it has none.
fn described(kind: &'static str, identifiers: &[Identifier]) -> Object {
    match identifiers {
        [one] if one.system == REFERENCE => named(kind, identifiers),
        _ => Object::resource(kind).list("identifier", numbers(identifiers)),
    }
}

fn gender(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "female",
        Sex::Male => "male",
        Sex::Other => "other",
        Sex::Unknown => "unknown",
    }
}

/// HL7's codes of a class of visits, the plainest first.
fn class_codes(class: EncounterClass) -> &'static [&'static str] {
    match class {
        EncounterClass::Outpatient => &["AMB", "HH", "VR", "FLD"],
        EncounterClass::Emergency => &["EMER"],
        EncounterClass::Inpatient => &["IMP", "ACUTE", "NONAC"],
        EncounterClass::Day => &["SS"],
    }
}
