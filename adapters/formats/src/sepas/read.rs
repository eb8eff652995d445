//! Admissions and bills as messages.

use takmil_domain::bill::{BasePaid, Bill, BillClass, Diagnosis, Encounter, EncounterClass, Line};
use takmil_domain::code::Coded;
use takmil_domain::date::When;
use takmil_domain::ids::{IR_NATIONAL_ID, Identifier};
use takmil_domain::message::{
    Admission, Body, Claim, Correlate, Head, Message, Relation, Supporting,
};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::party::{CoverageReference, Party, Sex};
use takmil_domain::problem::ProblemCode;
use takmil_domain::text::normalise;

use super::values::{from_to, particular};
use super::{ADMISSION, BILL, DOCUMENTS, PRESCRIPTION};
use crate::cursor::{Part, Reader};
use crate::native::tree::Node;
use crate::{MESSAGE_SYSTEM, Read};

/// The terminology of the parts of a relative value, and the codes that it is known to have: those that public
/// integrations use, for the professional and technical parts, anaesthesia, surgery, internal medicine and the rest.
const K_TYPES: (&str, &[&str]) = (
    "sepas:thritaEHR.kType",
    &["1", "2", "3", "4", "5", "6", "7"],
);

/// With how many of the last practitioners a new one is compared before it is taken for new.
const COMPARED: usize = 200;

/// Reads one document.
pub(super) fn one<'n>(node: &'n Node<'n>, place: String) -> Read {
    let root = Part::new(node, place.clone());
    let reader = Reader::default();
    let message = reader.message(&root);
    reader.finish(place, message)
}

impl<'n> Reader<'n> {
    fn message(&self, root: &Part<'n>) -> Option<Message> {
        let mut named = DOCUMENTS
            .iter()
            .filter_map(|name| Some((*name, root.member(name)?)));
        let Some((name, _)) = named.next() else {
            let what = "expected an object with a document under its name";
            let code = ProblemCode::NoMessage;
            self.problem(code, root.place.as_str(), what);
            return None;
        };
        if let Some((_, second)) = named.next() {
            let what = "one object holds one document";
            self.problem(ProblemCode::TooMany, second.place, what);
            return None;
        }
        let document = self.object(root, name)?;
        self.origin("", document.place.as_str());
        let composition = self.required(&document, "Composition");
        let mut head = self.head(&document, composition.as_ref());
        let composition = composition?;
        let body = match name {
            ADMISSION => self.admission(&composition, &mut head),
            BILL => self.claim(&composition, &mut head),
            PRESCRIPTION => Body::Prescription(self.prescription(&composition, &mut head)),
            _ => return None,
        };
        self.unread(root, &mut head.unread);
        Some(Message { head, body })
    }

    /// What all documents have in common.
    fn head(&self, document: &Part<'n>, composition: Option<&Part<'n>>) -> Head {
        // The record is kept in rials, by law.
        let mut head = Head {
            currency: Currency::parse("IRR"),
            ..Head::default()
        };
        if let Some(frame) = self.object(document, "MsgID") {
            if let Some(uid) = self.plain(&frame, "CompositionUID", ProblemCode::BadIdentifier) {
                head.identifiers
                    .push(Identifier::new("sepas:composition", uid));
                self.origin("/identifiers/0", frame.place_of("CompositionUID"));
            }
            head.submitted_by = self.identifier(&frame, "SystemID").map(|id| Party {
                identifiers: vec![id],
                role: Some(Coded::words("sender")),
                ..Party::default()
            });
            head.actor = self.practitioner(&frame, "Committer", "committer");
            let facility = self.identifier(&frame, "HealthCareFacilityID");
            head.provider = facility.map(|id| Party {
                identifiers: vec![id],
                role: Some(Coded::words("provider")),
                ..Party::default()
            });
        }
        if let Some(person) = self.required(document, "Person") {
            self.person(&person, &mut head);
        }
        if let Some(composition) = composition {
            self.covers(composition, &mut head);
        }
        head
    }

    fn person(&self, person: &Part<'n>, head: &mut Head) {
        let member = &mut head.member;
        self.origin("/member", person.place.as_str());
        if let Some(id) = self.plain(person, "NationalCode", ProblemCode::BadIdentifier) {
            let id = Identifier::new(IR_NATIONAL_ID, id);
            member.identifiers.push(id);
            self.origin("/member/identifiers/0", person.place_of("NationalCode"));
        }
        for other in self.objects(person, "OtherIdentifier") {
            let at = member.identifiers.len();
            self.origin(format!("/member/identifiers/{at}"), other.place_of("ID"));
            member.identifiers.extend(self.own_identifier(&other));
        }
        if member.identifiers.is_empty() {
            self.missing(person, "NationalCode");
        }
        let names = ["FirstName", "LastName"].map(|key| self.words(person, key));
        let names: Vec<String> = names.into_iter().flatten().collect();
        member.name = (!names.is_empty()).then(|| names.join(" "));
        member.birth_date = self.day(person, "BirthDate").map(When::from);
        self.origin("/member/birth_date", person.place_of("BirthDate"));
        // The code alone does not tell: integrations are known that send one code for both.
        if let Some(gender) = person.member("Gender").filter(Part::is_object) {
            let word = gender.member("Value");
            let word = word.and_then(|own| own.text()).map(normalise);
            member.sex = word.and_then(|word| match word.as_ref() {
                "مرد" | "مذکر" => Some(Sex::Male),
                "زن" | "مونث" | "مؤنث" => Some(Sex::Female),
                _ => None,
            });
            if member.sex.is_some() {
                self.coded(person, "Gender");
            }
        }
    }

    fn covers(&self, composition: &Part<'n>, head: &mut Head) {
        for own in self.objects(composition, "Insurance") {
            let at = head.coverages.len();
            let path = format!("/coverages/{at}");
            self.origin(path.as_str(), own.place.as_str());
            self.origin(
                format!("{path}/period/end"),
                own.place_of("InsuranceExpirationDate"),
            );
            let insurer = self.coded(&own, "Insurer").and_then(|coded| coded.source);
            let insurer = insurer.map(|source| Party {
                identifiers: vec![Identifier::new(source.system, source.code)],
                name: source.display,
                role: Some(Coded::words("insurer")),
                ..Party::default()
            });
            let mut identifiers = Vec::new();
            for (key, system) in [
                ("InsuredNumber", "sepas:insured-number"),
                ("InsuranceBookletSerialNumber", "sepas:booklet"),
            ] {
                let number = self.plain(&own, key, ProblemCode::BadIdentifier);
                identifiers.extend(number.map(|number| Identifier::new(system, number)));
            }
            identifiers.extend(self.identifier(&own, "SHEBAD"));
            let end = self.day(&own, "InsuranceExpirationDate").map(When::from);
            let contribution = self.amount(&own, "InsuranceContribution");
            head.coverages.push(CoverageReference {
                order: u32::try_from(at.saturating_add(1)).ok(),
                insurer,
                identifiers,
                kind: self.coded(&own, "InsuranceBox"),
                period: from_to(None, end),
                particulars: contribution
                    .map(|amount| Supporting {
                        amount: Some(amount),
                        ..particular("InsuranceContribution")
                    })
                    .into_iter()
                    .collect(),
                ..CoverageReference::default()
            });
        }
    }

    fn admission(&self, composition: &Part<'n>, head: &mut Head) -> Body {
        let bill = self.bill(composition, "/admission/bill", head);
        let period = bill.encounter.as_ref().and_then(|own| own.period.as_ref());
        head.occurred_on = period.and_then(|own| own.start.as_ref()?.day());
        let stay = self.required(composition, "Admission");
        match &stay {
            Some(stay) if stay.member("AdmissionDate").is_none() => {
                self.missing(stay, "AdmissionDate");
            }
            _ => {}
        }
        if let Some(stay) = &stay {
            self.origin("/occurred_on", stay.place_of("AdmissionDate"));
        }
        let confirmation = self.identifier(composition, "ConfirmationID");
        head.supporting.extend(confirmed(confirmation.as_ref()));
        self.origin(
            "/admission/base_confirmation",
            composition.place_of("ConfirmationID"),
        );
        Body::Admission(Admission {
            reason: stay.and_then(|stay| self.coded(&stay, "ReasonForEncounter")),
            base_confirmation: confirmation.map(|own| own.value),
            expected_days: self.whole(composition, "ExpectedDays", ProblemCode::BadValue),
            bill,
        })
    }

    fn claim(&self, composition: &Part<'n>, head: &mut Head) -> Body {
        let bill = self.bill(composition, "/claim/bill", head);
        if bill.lines.is_empty() {
            self.missing(composition, "BillServices");
        }
        if let Some(stay) = composition.member("Admission") {
            let reason = self.coded(&stay, "ReasonForEncounter");
            head.supporting.extend(reason.map(|coded| Supporting {
                coded: Some(coded),
                ..particular("ReasonForEncounter")
            }));
        }
        if let Some(letter) = self.object(composition, "IntroductionLetter") {
            // The letter's number is the hub's own of the admission.
            let number = self.plain(&letter, "Number", ProblemCode::BadIdentifier);
            if number.is_none() {
                self.missing(&letter, "Number");
            }
            head.correlates.extend(number.map(|number| Correlate {
                relation: Relation::Admission,
                identifier: Identifier::new(MESSAGE_SYSTEM, number),
                coded: None,
            }));
            self.origin("/correlates/0", letter.place_of("Number"));
        }
        Body::Claim(Claim {
            interim: false,
            bill,
        })
    }

    fn bill(&self, composition: &Part<'n>, path: &str, head: &mut Head) -> Bill {
        let mut bill = Bill {
            diagnoses: self.diagnoses(composition, path),
            ..Bill::default()
        };
        bill.encounter = self.encounter(composition, path, &mut bill.care_team, head);
        let class = bill.encounter.as_ref().and_then(|own| own.class);
        bill.class = class.map(|class| match class {
            EncounterClass::Inpatient => BillClass::Institutional,
            _ => BillClass::Professional,
        });
        for own in self.objects(composition, "BillServices") {
            if self.is_full() {
                break;
            }
            let at = bill.lines.len();
            let line = self.line(&own, &format!("{path}/lines/{at}"), &mut bill.care_team);
            bill.lines.extend(line.map(|line| Line {
                seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
                ..line
            }));
        }
        if let Some(summary) = self.object(composition, "BillSummary") {
            let keys = [
                "TotalCharge",
                "TotalBasicInsuranceContribution",
                "TotalPatientContribution",
                "TotalOtherCosts",
            ];
            let mut more = Vec::new();
            bill.total = self.charge(&summary, keys, &mut more).total;
            self.origin(format!("{path}/total"), summary.place_of("TotalCharge"));
            bill.kinds.extend(self.coded(&summary, "MedicalRecordType"));
            head.supporting.extend(more);
        }
        let days = bill.lines.iter();
        let days = days.filter_map(|line| line.serviced.as_ref()?.start.as_ref()?.day());
        let stay = bill.encounter.as_ref().and_then(|own| own.period.as_ref());
        let admitted = stay.and_then(|own| own.start.as_ref()?.day());
        head.occurred_on = days.min().or(admitted);
        bill
    }

    pub(super) fn encounter(
        &self,
        composition: &Part<'n>,
        path: &str,
        team: &mut Vec<Party>,
        head: &mut Head,
    ) -> Option<Encounter> {
        let path = format!("{path}/encounter");
        let mut stay = Encounter::default();
        if let Some(own) = self.object(composition, "Admission") {
            self.origin(path.as_str(), own.place.as_str());
            self.origin(
                format!("{path}/period/start"),
                own.place_of("AdmissionDate"),
            );
            if let Some(institute) = self.organisation(&own, "Institute", "provider") {
                match &head.provider {
                    Some(known) if known.identifiers != institute.identifiers => {
                        head.facility = Some(institute);
                    }
                    _ => head.provider = Some(institute),
                }
            }
            if let Some(number) =
                self.plain(&own, "MedicalRecordNumber", ProblemCode::BadIdentifier)
            {
                let whose = head
                    .provider
                    .as_ref()
                    .and_then(|own| own.identifiers.first());
                let system = whose.map_or_else(
                    || "sepas:medical-record".to_owned(),
                    |whose| format!("sepas:medical-record:{}", whose.value),
                );
                stay.identifiers.push(Identifier::new(system, number));
            }
            let start = self.when(&own, "AdmissionDate", "AdmissionTime");
            stay.period = from_to(start, None);
            if let Some(kind) = self.coded(&own, "AdmissionType") {
                let word = kind.label().map(normalise);
                stay.class = word.and_then(|word| match word.as_ref() {
                    "سرپایی" => Some(EncounterClass::Outpatient),
                    "بستری" => Some(EncounterClass::Inpatient),
                    "بستری موقت" => Some(EncounterClass::Day),
                    "اورژانس" => Some(EncounterClass::Emergency),
                    _ => None,
                });
                stay.kinds.push(kind);
            }
            for (key, role) in [
                ("AdmittingDoctor", "admitting"),
                ("AttendingDoctor", "attending"),
                ("ReferringDoctor", "referring"),
            ] {
                let doctor = self.practitioner(&own, key, role);
                doctor.map(|doctor| enlist(team, doctor));
            }
            if let Some(ward) = self.object(&own, "AdmissionWard") {
                head.supporting.push(Supporting {
                    coded: self.coded(&ward, "Type"),
                    text: self.words(&ward, "Name"),
                    ..particular("AdmissionWard")
                });
            }
        }
        if let Some(own) = self.object(composition, "Discharge") {
            self.origin(format!("{path}/period/end"), own.place_of("DischargeDate"));
            let end = self.when(&own, "DischargeDate", "DischargeTime");
            let start = stay.period.and_then(|period| period.start);
            stay.period = from_to(start, end);
            stay.discharge = self.coded(&own, "ConditionOnDischarge");
        }
        (stay != Encounter::default()).then_some(stay)
    }

    pub(super) fn diagnoses(&self, composition: &Part<'n>, path: &str) -> Vec<Diagnosis> {
        let mut found = Vec::new();
        for own in self.objects(composition, "Diagnosis") {
            let at = found.len();
            self.origin(format!("{path}/diagnoses/{at}"), own.place.as_str());
            if self.required(&own, "Diagnosis").is_none() {
                continue;
            }
            let Some(coded) = self.coded(&own, "Diagnosis") else {
                continue;
            };
            found.push(Diagnosis {
                seq: u32::try_from(at.saturating_add(1)).ok(),
                coded: Coded {
                    text: self.words(&own, "Comment"),
                    ..coded
                },
                roles: self.coded(&own, "Status").into_iter().collect(),
                present_on_admission: None,
                when: self.when(&own, "DiagnosisDate", "DiagnosisTime"),
                recorded: None,
                group: None,
            });
        }
        found
    }

    fn line(&self, own: &Part<'n>, path: &str, team: &mut Vec<Party>) -> Option<Line> {
        self.origin(path, own.place.as_str());
        for (field, key) in [
            ("serviced/start", "StartDate"),
            ("serviced/end", "EndDate"),
            ("quantity", "ServiceCount"),
            ("billed", "TotalCharge"),
            ("base", "BasicInsuranceContribution"),
        ] {
            self.origin(format!("{path}/{field}"), own.place_of(key));
        }
        self.required(own, "Service")?;
        let item = self.coded(own, "Service")?;
        let mut more = Vec::new();
        let pkid = self.plain(own, "PKID", ProblemCode::BadIdentifier);
        more.extend(pkid.map(|id| Supporting {
            identifier: Some(Identifier::new("sepas:line", id)),
            ..particular("PKID")
        }));
        let keys = [
            "TotalCharge",
            "BasicInsuranceContribution",
            "PatientContribution",
            "OtherCosts",
        ];
        let charge = self.charge(own, keys, &mut more);
        if charge.total.is_none() {
            self.missing(own, "TotalCharge");
        }
        let confirmation = self.identifier(own, "ConfirmationID");
        more.extend(confirmed(confirmation.as_ref()));
        let confirmation = confirmation.map(|id| id.value);
        let base = charge.base.map(|paid| BasePaid {
            paid,
            confirmation: confirmation.clone(),
        });
        more.extend(self.relative_costs(own));
        let (start, end) = (
            self.when(own, "StartDate", "StartTime"),
            self.when(own, "EndDate", "EndTime"),
        );
        let end = end.or_else(|| start.clone());
        let (quantity, unit) = self.quantity(own, "ServiceCount").unzip();
        let mut practitioners = Vec::new();
        for provider in self.objects(own, "ServiceProvider") {
            let doctor = self.own_practitioner(&provider, "performer");
            practitioners.extend(doctor.and_then(|doctor| enlist(team, doctor)));
        }
        practitioners.dedup();
        Some(Line {
            item,
            category: self.coded(own, "ServiceType"),
            serviced: from_to(start, end),
            quantity,
            unit: unit.flatten(),
            billed: charge.total,
            authorisation: confirmation.filter(|_| base.is_none()),
            base,
            practitioners,
            particulars: more,
            ..Line::default()
        })
    }

    /// The parts of the relative value that a price was made of.
    fn relative_costs(&self, own: &Part<'n>) -> Vec<Supporting> {
        let mut found = Vec::new();
        for part in self.objects(own, "RelativeCost") {
            self.required(&part, "KType");
            let Some(kind) = self.coded(&part, "KType") else {
                continue;
            };
            let (system, codes) = K_TYPES;
            let said = kind.source.as_ref();
            if said.is_none_or(|own| own.system != system || !codes.contains(&own.code.as_str())) {
                let what = "not a known part of a relative value";
                let place = format!("{}/Coded_string", part.place_of("KType"));
                self.problem(ProblemCode::BadValue, place, what);
            }
            let Some(value) = self.plain(&part, "KValue", ProblemCode::BadValue) else {
                self.missing(&part, "KValue");
                continue;
            };
            let value = value.replace('\u{66b}', ".");
            found.push(Supporting {
                coded: Some(kind),
                quantity: self.decimal(&value, part.place_of("KValue")),
                ..particular("RelativeCost")
            });
        }
        found
    }

    /// What is charged, and who bears it. Where both shares are told, they and the other costs must make the total.
    /// What no field takes goes to `more`.
    fn charge(&self, own: &Part<'n>, keys: [&str; 4], more: &mut Vec<Supporting>) -> Charge {
        let [total_key, base_key, member_key, others_key] = keys;
        let total = self.amount(own, total_key);
        let base = self.amount(own, base_key);
        let member = self.amount(own, member_key);
        let mut sum = [base, member]
            .into_iter()
            .flatten()
            .map(Amount::get)
            .sum::<i64>();
        // A total beside its shares is a sum of the lines', and is no line's base share.
        let is_summary = base_key != "BasicInsuranceContribution";
        for (key, amount) in [
            (base_key, base.filter(|_| is_summary)),
            (member_key, member),
        ] {
            more.extend(amount.map(|amount| Supporting {
                amount: Some(amount),
                ..particular(key)
            }));
        }
        for other in self.objects(own, others_key) {
            let amount = self.amount(&other, "Value");
            if amount.is_none() {
                self.missing(&other, "Value");
            }
            sum = sum.saturating_add(amount.map_or(0, Amount::get));
            more.push(Supporting {
                coded: self.coded(&other, "Name"),
                amount,
                ..particular(others_key)
            });
        }
        if let (Some(total), Some(_), Some(_)) = (total, base, member)
            && total.get() != sum
        {
            let what = "the shares and other costs do not make the total";
            let place = format!("{}/Magnitude", own.place_of(total_key));
            self.problem(ProblemCode::BadValue, place, what);
        }
        Charge { total, base }
    }
}

/// What is charged for a line or a bill.
struct Charge {
    total: Option<Amount>,
    /// The base insurer's share.
    base: Option<Amount>,
}

/// A confirmation with its issuer, which the fields of one have no place for.
fn confirmed(id: Option<&Identifier>) -> Option<Supporting> {
    id.map(|id| Supporting {
        identifier: Some(id.clone()),
        ..particular("ConfirmationID")
    })
}

/// Puts a practitioner into a team once, and tells the number.
fn enlist(team: &mut Vec<Party>, mut new: Party) -> Option<u32> {
    let is_same = |own: &&Party| {
        own.identifiers == new.identifiers && own.name == new.name && own.role == new.role
    };
    if let Some(own) = team.iter().rev().take(COMPARED).find(is_same) {
        return own.seq;
    }
    new.seq = u32::try_from(team.len().saturating_add(1)).ok();
    let seq = new.seq;
    team.push(new);
    seq
}
