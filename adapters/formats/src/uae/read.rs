//! Claims, prior requests and e-prescriptions as messages.

use std::cell::RefCell;
use takmil_domain::bill::{Bill, BillClass, Diagnosis, Encounter, EncounterClass, Line};
use takmil_domain::code::Coded;
use takmil_domain::date::{Date, Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{
    Attachment, Body, Cancel, Claim, Correlate, Eligibility, Head, Message, Preauthorization,
    Relation, Supporting,
};
use takmil_domain::money::{Amount, Currency, Quantity};
use takmil_domain::party::{CoverageClass, CoverageReference, Party};
use takmil_domain::problem::{Problem, ProblemCode};

use super::EMIRATES_ID;
use crate::xml::{self, Element};
use crate::{Context, Read};

/// Numbers of the Emirates' id that say why there is none: they are nobody's.
const NO_CARD: &[&str] = &[
    "000-0000-0000000-0",
    "111-1111-1111111-1",
    "222-2222-2222222-2",
    "999-9999-9999999-9",
];

/// With how many of the last clinicians a new one is compared before it is taken for new.
const COMPARED: usize = 200;

/// Reads one claim, authorisation or prescription.
pub(super) fn one(own: &Element, header: Option<&Element>, context: &Context) -> Read {
    let currency = context.default_currency.or_else(|| Currency::parse("AED"));
    let reader = Reader {
        own,
        header,
        exponent: currency.map_or(2, |own| own.exponent(context.today)),
        problems: RefCell::default(),
        origins: RefCell::default(),
    };
    let message = reader.message(currency);
    let Reader {
        problems, origins, ..
    } = reader;
    let mut problems = problems.into_inner();
    problems.truncate(crate::MAX_PROBLEMS);
    let outcome = match message {
        Some(message) if problems.is_empty() => Ok(message),
        _ => Err(problems),
    };
    Read {
        place: own.place.clone(),
        outcome,
        origins: origins.into_inner(),
    }
}

pub(super) struct Reader<'e> {
    /// The claim, authorisation or prescription.
    pub(super) own: &'e Element,
    header: Option<&'e Element>,
    exponent: u32,
    problems: RefCell<Vec<Problem>>,
    origins: RefCell<Vec<(String, String)>>,
}

/// A fact that the model has no field for, by the element that says it.
pub(super) fn particular(element: &str) -> Supporting {
    Supporting {
        category: Some(Coded::new("uae:element", element)),
        ..Supporting::default()
    }
}

pub(super) fn party(system: &str, id: &str, role: &str) -> Party {
    Party {
        identifiers: vec![Identifier::new(system, id)],
        role: Some(Coded::words(role)),
        ..Party::default()
    }
}

impl Reader<'_> {
    pub(super) fn problem(&self, at: &Element, child: &str, code: ProblemCode, what: &str) {
        self.problems
            .borrow_mut()
            .push(xml::problem(at, child, code, what));
    }

    pub(super) fn origin(&self, canonical: impl Into<String>, place: impl Into<String>) {
        self.origins
            .borrow_mut()
            .push((canonical.into(), place.into()));
    }

    fn required<'a>(&self, at: &'a Element, child: &str) -> Option<&'a str> {
        let text = at.text(child);
        if text.is_none() {
            self.problem(
                at,
                child,
                ProblemCode::Missing,
                &format!("{child} is required"),
            );
        }
        text
    }

    /// A day, or a day and a time: `dd/MM/yyyy HH:mm`.
    pub(super) fn when(&self, at: &Element, child: &str) -> Option<When> {
        let text = at.text(child)?;
        let when = moment(text);
        if when.is_none() {
            let what = "expected a real day as dd/MM/yyyy, perhaps with HH:mm";
            self.problem(at, child, ProblemCode::BadDate, what);
        }
        when
    }

    fn amount(&self, at: &Element, child: &str) -> Option<Amount> {
        let text = at.text(child)?;
        let amount = Amount::from_decimal(text, self.exponent)
            .ok()
            .map(|(amount, _)| amount);
        if amount.is_none() {
            self.problem(
                at,
                child,
                ProblemCode::BadValue,
                "expected a decimal amount",
            );
        }
        amount
    }

    pub(super) fn quantity(&self, at: &Element, child: &str) -> Option<Quantity> {
        let text = at.text(child)?;
        let quantity = Quantity::parse(text);
        if quantity.is_none() {
            let what = "expected a decimal number of 0 or more";
            self.problem(at, child, ProblemCode::BadValue, what);
        }
        quantity
    }

    pub(super) fn whole(&self, at: &Element, child: &str) -> Option<u32> {
        let text = at.text(child)?;
        let whole = text.parse().ok();
        if whole.is_none() {
            let what = "expected a whole number of 0 or more";
            self.problem(at, child, ProblemCode::BadValue, what);
        }
        whole
    }

    fn message(&self, currency: Option<Currency>) -> Option<Message> {
        let own = self.own;
        let mut head = self.head(currency);
        let kind = own.text("Type").unwrap_or_default();
        let body = match (own.name.as_str(), kind) {
            ("Claim", _) => self.claim(&mut head),
            ("Authorization", "Authorization" | "Extension") => {
                if let Some(payer) = own.text("IDPayer").filter(|_| kind == "Extension") {
                    head.correlates.push(correlate(
                        Relation::Preauthorization,
                        "uae:payer",
                        payer,
                        None,
                    ));
                }
                let bill = self.bill("/preauthorization/bill", &mut head);
                self.lines_needed(&bill);
                let ordered = self.when(own, "DateOrdered");
                head.supporting.extend(ordered.map(|day| Supporting {
                    timing: Some(day_of(day)),
                    ..particular("DateOrdered")
                }));
                Some(Body::Preauthorization(Preauthorization { bill }))
            }
            ("Authorization", "Eligibility") => {
                let bill = self.bill("/eligibility/bill", &mut head);
                let ordered = self.when(own, "DateOrdered");
                Some(Body::Eligibility(Eligibility {
                    purposes: vec!["validation".to_owned(), "benefits".to_owned()],
                    serviced: ordered.map(day_of),
                    bill: (!bill.lines.is_empty()).then_some(bill),
                }))
            }
            ("Authorization", "Cancellation" | "Cancel") => {
                self.cancel("uae:authorization", &mut head)
            }
            ("Prescription", "eRxRequest" | "") => Some(self.prescription(&mut head)),
            ("Prescription", "eRxCancellation" | "eRxCancel") => {
                self.cancel("uae:prescription", &mut head)
            }
            ("Authorization", "Status") => {
                let what =
                    "how far a request has come is asked at its own address, not by a message";
                self.problem(own, "Type", ProblemCode::NoMessage, what);
                None
            }
            _ => {
                let what = "the type is none that the hub takes";
                let code = if kind.is_empty() {
                    ProblemCode::Missing
                } else {
                    ProblemCode::BadValue
                };
                self.problem(own, "Type", code, what);
                None
            }
        }?;
        own.unread(None, &mut head.unread);
        Some(Message { head, body })
    }

    /// What the three kinds have in common.
    fn head(&self, currency: Option<Currency>) -> Head {
        let own = self.own;
        self.origin("", own.place.as_str());
        let patient = own.child("Patient");
        let of_patient = |name: &str| own.text(name).or_else(|| patient?.text(name));
        let payer = own.text("PayerID");
        let mut head = Head {
            currency,
            ..Head::default()
        };
        self.required(own, "ID");
        if let Some(header) = self.header {
            header.child("RecordCount");
            header.child("ReceiverID");
            head.created = self.when(header, "TransactionDate");
            self.origin("/created", header.place_of("TransactionDate"));
            let sender = header.text("SenderID");
            let provider = own.text("ProviderID").or(sender);
            head.provider = provider.map(|id| party("uae:facility", id, "provider"));
            let other = sender.filter(|sender| Some(*sender) != provider);
            head.submitted_by = other.map(|id| party("uae:facility", id, "sender"));
            // A test is kept and checked, and has no effect.
            let flag = header.text("DispositionFlag");
            let is_test = flag.is_some_and(|flag| flag.eq_ignore_ascii_case("TEST"));
            head.status = is_test.then(|| "draft".to_owned());
        }
        let insurer = payer.map(|id| party("uae:payer", id, "insurer"));
        head.recipient = insurer.clone();
        if let Some(number) = of_patient("MemberID") {
            let system = payer.map_or_else(
                || "uae:member".to_owned(),
                |payer| format!("uae:member:{payer}"),
            );
            let number = Identifier::new(system, number);
            head.member.identifiers.push(number.clone());
            head.coverages.push(CoverageReference {
                order: Some(1),
                focal: Some(true),
                insurer,
                identifiers: vec![number],
                classes: self.package(),
                ..CoverageReference::default()
            });
            self.origin("/member", own.place_of("MemberID"));
        }
        match of_patient("EmiratesIDNumber") {
            Some(number) if NO_CARD.contains(&number) => head.supporting.push(Supporting {
                text: Some(number.to_owned()),
                ..particular("EmiratesIDNumber")
            }),
            Some(number) => head
                .member
                .identifiers
                .push(Identifier::new(EMIRATES_ID, number)),
            None => {}
        }
        if let Some(patient) = patient {
            head.member.birth_date = self.when(patient, "DateOfBirth");
            self.origin("/member/birth_date", patient.place_of("DateOfBirth"));
            if let Some(weight) = self.quantity(patient, "Weight") {
                head.supporting.push(Supporting {
                    quantity: Some(weight),
                    unit: Some("kg".to_owned()),
                    ..particular("Patient/Weight")
                });
            }
        }
        let identifier = |name: &str| own.text(name).map(str::to_owned);
        let payer_number = identifier("IDPayer").map(|value| Identifier::new("uae:payer", value));
        head.supporting
            .extend(payer_number.map(|number| Supporting {
                identifier: Some(number),
                ..particular("IDPayer")
            }));
        self.known_by(&mut head);
        head
    }

    /// The sender's number. A claim that is sent again keeps its number, so that the new one is known by the time too.
    fn known_by(&self, head: &mut Head) {
        let own = self.own;
        let Some(id) = own.text("ID") else { return };
        let system = match own.name.as_str() {
            "Claim" => "uae:claim",
            "Authorization" => "uae:authorization",
            _ => "uae:prescription",
        };
        let Some(again) = own.child("Resubmission") else {
            head.identifiers.push(Identifier::new(system, id));
            return;
        };
        let sent = self
            .header
            .and_then(|header| header.text("TransactionDate"));
        let value = format!("{id}@{}", sent.unwrap_or_default());
        head.identifiers
            .push(Identifier::new("uae:resubmission", value));
        let kind = again.text("Type");
        head.correlates
            .push(correlate(Relation::Replaces, system, id, kind));
        head.texts.extend(again.text("Comment").map(str::to_owned));
        if let Some(document) = again.child("Attachment").filter(|own| own.said().is_some()) {
            head.attachments.push(Attachment {
                title: Some("Resubmission".to_owned()),
                place: Some(document.place.clone()),
                ..Attachment::default()
            });
        }
    }

    fn package(&self) -> Vec<CoverageClass> {
        let contract = self.own.child("Contract");
        let name = contract.and_then(|contract| contract.text("PackageName"));
        name.map(|name| CoverageClass {
            kind: Coded::new(
                "http://terminology.hl7.org/CodeSystem/coverage-class",
                "plan",
            ),
            value: name.to_owned(),
            name: None,
        })
        .into_iter()
        .collect()
    }

    fn claim(&self, head: &mut Head) -> Option<Body> {
        let own = self.own;
        let bill = self.bill("/claim/bill", head);
        self.lines_needed(&bill);
        for name in ["Gross", "PatientShare"] {
            if let Some(amount) = self.amount(own, name) {
                head.supporting.push(Supporting {
                    amount: Some(amount),
                    ..particular(name)
                });
            }
        }
        Some(Body::Claim(Claim {
            interim: false,
            bill,
        }))
    }

    fn lines_needed(&self, bill: &Bill) {
        if bill.lines.is_empty() && self.own.child("Activity").is_none() {
            let what = "an activity is required";
            self.problem(self.own, "Activity", ProblemCode::Missing, what);
        }
    }

    fn cancel(&self, system: &str, head: &mut Head) -> Option<Body> {
        let id = self.own.text("ID")?;
        // What is taken back bears the number; the cancellation has none of its own.
        head.identifiers.clear();
        head.correlates
            .push(correlate(Relation::Cancels, system, id, None));
        let reason = self.own.text("Comments").map(Coded::words);
        Some(Body::Cancel(Cancel {
            reason,
            prescription: None,
        }))
    }

    fn bill(&self, path: &str, head: &mut Head) -> Bill {
        let own = self.own;
        let mut bill = Bill {
            encounter: self.encounter(path, head),
            diagnoses: self.diagnoses(path),
            total: self.amount(own, "Net"),
            ..Bill::default()
        };
        self.origin(format!("{path}/total"), own.place_of("Net"));
        for activity in own.all("Activity") {
            let at = bill.lines.len();
            let line_path = format!("{path}/lines/{at}");
            self.origin(line_path.as_str(), activity.place.as_str());
            for (field, element) in [
                ("serviced", "Start"),
                ("quantity", "Quantity"),
                ("billed", "Net"),
            ] {
                self.origin(format!("{line_path}/{field}"), activity.place_of(element));
            }
            let Some(item) = self.item(activity) else {
                continue;
            };
            let start = self.when(activity, "Start");
            let mut line = Line {
                seq: u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX),
                item,
                serviced: start.map(day_of),
                quantity: self.quantity(activity, "Quantity"),
                billed: self.amount(activity, "Net"),
                authorisation: activity.text("PriorAuthorizationID").map(str::to_owned),
                ..Line::default()
            };
            if let Some(id) = activity.text("ID") {
                line.particulars.push(Supporting {
                    identifier: Some(Identifier::new("uae:activity", id)),
                    ..particular("Activity/ID")
                });
            }
            if let Some(amount) = self.amount(activity, "List") {
                line.particulars.push(Supporting {
                    amount: Some(amount),
                    ..particular("Activity/List")
                });
            }
            for (element, role) in [("Clinician", "performer"), ("OrderingClinician", "orderer")] {
                if let Some(id) = activity.text(element) {
                    line.practitioners
                        .extend(enlist(&mut bill.care_team, id, role));
                }
            }
            line.supporting = self.observations(activity, head);
            bill.lines.push(line);
        }
        let days = bill
            .lines
            .iter()
            .filter_map(|line| line.serviced.as_ref()?.start.as_ref()?.day());
        let stay = bill
            .encounter
            .as_ref()
            .and_then(|stay| stay.period.as_ref()?.start.as_ref()?.day());
        head.occurred_on = days.min().or(stay);
        bill.class = bill
            .encounter
            .as_ref()
            .and_then(|stay| stay.class)
            .map(|class| match class {
                EncounterClass::Outpatient => BillClass::Professional,
                _ => BillClass::Institutional,
            });
        bill
    }

    /// The code of an activity, in the system that its type stands for.
    pub(super) fn item(&self, activity: &Element) -> Option<Coded> {
        let kind = self.required(activity, "Type");
        let code = self.required(activity, "Code");
        Some(Coded::new(format!("uae:{}", kind?), code?))
    }

    /// What was observed with an activity, by numbers into the supporting information.
    pub(super) fn observations(&self, activity: &Element, head: &mut Head) -> Vec<u32> {
        let mut numbers = Vec::new();
        for own in activity.all("Observation") {
            let seq = u32::try_from(head.supporting.len().saturating_add(1)).unwrap_or(u32::MAX);
            let value = own.text("Value").map(str::to_owned);
            let kind = own.text("Type").unwrap_or("Text");
            let is_document = kind.eq_ignore_ascii_case("file");
            if is_document && value.is_some() {
                head.attachments.push(Attachment {
                    title: own.text("Code").map(str::to_owned),
                    place: Some(own.place_of("Value")),
                    ..Attachment::default()
                });
            }
            head.supporting.push(Supporting {
                seq: Some(seq),
                coded: own
                    .text("Code")
                    .map(|code| Coded::new(format!("uae:observation:{kind}"), code)),
                text: value.filter(|_| !is_document),
                unit: own.text("ValueType").map(str::to_owned),
                ..particular("Observation")
            });
            numbers.push(seq);
        }
        numbers
    }

    pub(super) fn encounter(&self, path: &str, head: &mut Head) -> Option<Encounter> {
        let stay = self.own.child("Encounter")?;
        self.origin(format!("{path}/encounter"), stay.place.as_str());
        for (field, element) in [("start", "Start"), ("end", "End")] {
            self.origin(
                format!("{path}/encounter/period/{field}"),
                stay.place_of(element),
            );
        }
        if let Some(facility) = stay.text("FacilityID") {
            head.facility = Some(party("uae:facility", facility, "facility"));
        }
        if let Some(patient) = stay.text("PatientID") {
            let system = head
                .provider
                .as_ref()
                .and_then(|own| own.identifiers.first());
            let system = system.map_or_else(
                || "uae:patient".to_owned(),
                |own| format!("uae:patient:{}", own.value),
            );
            head.member
                .identifiers
                .push(Identifier::new(system, patient));
        }
        let kind = stay.text("Type");
        let (start, end) = (self.when(stay, "Start"), self.when(stay, "End"));
        let period = (start.is_some() || end.is_some()).then_some(Period { start, end });
        Some(Encounter {
            class: kind.and_then(|kind| match kind {
                "1" | "12" => Some(EncounterClass::Outpatient),
                "2" => Some(EncounterClass::Emergency),
                "3" | "4" => Some(EncounterClass::Inpatient),
                "5" | "6" => Some(EncounterClass::Day),
                _ => None,
            }),
            kinds: kind
                .map(|kind| Coded::new("uae:encounter", kind))
                .into_iter()
                .collect(),
            period,
            admission_source: stay
                .text("StartType")
                .map(|own| Coded::new("uae:encounter-start", own)),
            discharge: stay
                .text("EndType")
                .map(|own| Coded::new("uae:encounter-end", own)),
            ..Encounter::default()
        })
    }

    pub(super) fn diagnoses(&self, path: &str) -> Vec<Diagnosis> {
        let mut found = Vec::new();
        for own in self.own.all("Diagnosis") {
            let at = found.len();
            self.origin(format!("{path}/diagnoses/{at}"), own.place.as_str());
            let Some(code) = self.required(own, "Code") else {
                continue;
            };
            let present = own
                .all("DxInfo")
                .find(|info| info.text("Type") == Some("POA"));
            found.push(Diagnosis {
                seq: u32::try_from(at.saturating_add(1)).ok(),
                coded: Coded::new("uae:diagnosis", code),
                roles: own
                    .text("Type")
                    .map(|own| Coded::new("uae:diagnosis-type", own))
                    .into_iter()
                    .collect(),
                present_on_admission: present
                    .and_then(|info| info.text("Code"))
                    .map(|code| Coded::new("uae:present-on-admission", code)),
                when: None,
                recorded: None,
                group: None,
            });
        }
        found
    }
}

fn correlate(relation: Relation, system: &str, id: &str, kind: Option<&str>) -> Correlate {
    Correlate {
        relation,
        identifier: Identifier::new(system, id),
        coded: kind.map(|kind| Coded::new("uae:resubmission-type", kind)),
    }
}

fn enlist(team: &mut Vec<Party>, id: &str, role: &str) -> Option<u32> {
    let mut new = party("uae:clinician", id, role);
    let is_same = |own: &&Party| own.identifiers == new.identifiers && own.role == new.role;
    if let Some(own) = team.iter().rev().take(COMPARED).find(is_same) {
        return own.seq;
    }
    new.seq = u32::try_from(team.len().saturating_add(1)).ok();
    let seq = new.seq;
    team.push(new);
    seq
}

fn day_of(when: When) -> Period {
    Period {
        start: Some(when.clone()),
        end: Some(when),
    }
}

/// A day of the layouts, with a time where there is one.
pub(super) fn moment(text: &str) -> Option<When> {
    let (day, time) = match text.split_once(' ') {
        Some((day, time)) => (day, Some(time.trim())),
        None => (text, None),
    };
    let mut parts = day.split('/');
    let mut number = |width: usize| {
        let part = parts
            .next()
            .filter(|part| part.len() <= width && !part.is_empty());
        part.filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (day, month, year) = (number(2)?, number(2)?, number(4)?);
    let date = Date::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?);
    let date = date.filter(|_| year.len() == 4 && parts.next().is_none())?;
    match time {
        Some(time) => When::parse(&format!("{date}T{time}")),
        None => Some(When::from(date)),
    }
}
