//! Transactions as messages.

use takmil_domain::bill::{BasePaid, Bill, BillClass, Diagnosis, Line};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Date, Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{
    Body, Cancel, Claim, Correlate, Eligibility, Head, Message, Preauthorization, Relation,
    Supporting,
};
use takmil_domain::money::{Amount, AmountError, Currency, Quantity};
use takmil_domain::party::{CoverageClass, CoverageReference, Party, Sex};
use takmil_domain::problem::ProblemCode;

use super::fields::{self, Field};
use crate::cursor::{Part, Reader};
use crate::native::tree::Node;
use crate::{Context, Read};

/// The system of the fields' numbers: the category of what has no place of its own.
pub(super) const FIELDS: &str = "urn:ncpdp:d0";
/// The system of D.0's own code lists, before the number of the field.
pub(super) const CODES: &str = "urn:ncpdp:d0:";
/// The system of a claim's number.
pub(super) const CLAIM: &str = "urn:ncpdp:claim";
/// The system of a prescription's number.
pub(super) const PRESCRIPTION: &str = "urn:ncpdp:prescription";
/// The system of a hand-over: prescription, fill and day, which D.0 knows a claim by.
pub(super) const FILL: &str = "urn:ncpdp:fill";
/// The system of the number of a request for leave.
pub(super) const REQUEST: &str = "urn:ncpdp:prior-authorization";
/// The systems of the member's number and the card's.
pub(super) const MEMBER: &str = "urn:ncpdp:member";
/// See [`MEMBER`].
pub(super) const CARDHOLDER: &str = "urn:ncpdp:cardholder";
/// The system of the processors' numbers (ISO/IEC 7812, as NCPDP gives them out).
pub(super) const BIN: &str = "urn:ncpdp:bin";
/// The system of pharmacies' numbers, as HL7 names it.
pub(super) const PHARMACY: &str =
    "http://terminology.hl7.org/NamingSystem/NCPDPProviderIdentificationNumber";
/// The United States' numbers of providers.
pub(super) const NPI: &str = "http://hl7.org/fhir/sid/us-npi";
/// The code system of drug packs.
pub(super) const NDC: &str = "http://hl7.org/fhir/sid/ndc";
/// The code system of diagnoses.
pub(super) const ICD_10: &str = "http://hl7.org/fhir/sid/icd-10-cm";

/// What the role of the one who ordered the drug is called.
pub(super) const PRESCRIBER: &str = "prescriber";

/// Reads one transaction.
pub(super) fn one<'n>(node: &'n Node<'n>, place: String, context: &Context) -> Read {
    let root = Part::new(node, place.clone());
    let reader = Reader::default();
    // A request for leave may stand in a section of its own, beside the answer to it.
    let request = root.member("pa_request").filter(Part::is_object);
    request.iter().for_each(|request| reader.know(request));
    let transaction = Transaction {
        root: request.unwrap_or_else(|| root.clone()),
        whole: root,
        reader,
        currency: context.default_currency.or(Currency::parse("USD")),
        today: context.today,
    };
    let message = transaction.message();
    transaction.reader.finish(place, message)
}

struct Transaction<'n> {
    whole: Part<'n>,
    root: Part<'n>,
    reader: Reader<'n>,
    currency: Option<Currency>,
    today: Date,
}

impl<'n> Transaction<'n> {
    fn message(&self) -> Option<Message> {
        if !self.root.is_object() {
            let what = "expected an object with a transaction";
            self.reader
                .problem(ProblemCode::NoMessage, self.root.place.as_str(), what);
            return None;
        }
        self.reader.origin("", self.root.place.as_str());
        let is_request =
            self.text(fields::REQUEST).is_some() && self.root.member("medication").is_some();
        let is_claim = || self.section("claim").is_some() && self.text(fields::DRUG).is_some();
        let code = self.text(fields::TRANSACTION);
        let code = match code {
            None if is_request => "PA".to_owned(),
            None if is_claim() => "B1".to_owned(),
            Some(code) => code,
            None => {
                self.missing(fields::TRANSACTION);
                return None;
            }
        };
        let mut head = self.head();
        let body = match code.as_str() {
            "B1" => self.claim(&mut head),
            "PA" => self.request(&mut head),
            "B2" => self.reversal(&mut head),
            "E1" => self.question(&mut head),
            _ => {
                let what = "the hub reads the transactions B1, B2 and E1";
                self.reader.problem(
                    ProblemCode::WrongKind,
                    self.place(fields::TRANSACTION),
                    what,
                );
                return None;
            }
        };
        self.reader.unread(&self.whole, &mut head.unread);
        Some(Message { head, body })
    }

    /// What all transactions have in common.
    fn head(&self) -> Head {
        let mut head = Head {
            occurred_on: self.day(fields::DATE).and_then(|when| when.day()),
            ..Head::default()
        };
        self.reader.origin("/occurred_on", self.place(fields::DATE));
        if let Some(number) = self.text(fields::CLAIM) {
            head.identifiers.push(Identifier::new(CLAIM, number));
        }
        let member = &mut head.member;
        for (field, system) in [(fields::MEMBER, MEMBER), (fields::CARDHOLDER, CARDHOLDER)] {
            let number = self
                .text(field)
                .map(|number| Identifier::new(system, number));
            if number.is_some() {
                let at = format!("/member/identifiers/{}", member.identifiers.len());
                self.reader.origin(at, self.place(field));
            }
            member.identifiers.extend(number);
        }
        member.birth_date = self.day(fields::BIRTH);
        member.sex = self.text(fields::GENDER).and_then(|code| self.sex(&code));
        let names = [fields::FIRST_NAME, fields::LAST_NAME].map(|name| self.words(name));
        let names: Vec<String> = names.into_iter().flatten().collect();
        member.name = match names.is_empty() {
            false => Some(names.join(" ")),
            true => self.full_name(),
        };
        head.provider = self.pharmacy();
        head.coverages.extend(self.cover());
        head
    }

    /// The name where it is an object of its own.
    fn full_name(&self) -> Option<String> {
        let member = self.root.member("member").filter(Part::is_object)?;
        let name = self.reader.object(&member, "name")?;
        let parts = ["given_name", "family_name"].map(|key| self.reader.words(&name, key));
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    fn sex(&self, code: &str) -> Option<Sex> {
        let sex = match code.to_ascii_uppercase().as_str() {
            "1" | "M" => Sex::Male,
            "2" | "F" => Sex::Female,
            "0" | "U" => Sex::Unknown,
            "X" => Sex::Other,
            _ => {
                let what = "expected 1 or M, 2 or F, 0 or U";
                self.reader
                    .problem(ProblemCode::BadValue, self.place(fields::GENDER), what);
                return None;
            }
        };
        Some(sex)
    }

    fn pharmacy(&self) -> Option<Party> {
        let numbers = [(fields::NPI, NPI), (fields::NCPDP_ID, PHARMACY)];
        let numbers =
            numbers.map(|(field, system)| Some(Identifier::new(system, self.text(field)?)));
        let party = Party {
            identifiers: numbers.into_iter().flatten().collect(),
            name: self.words(fields::PHARMACY),
            ..Party::default()
        };
        (party != Party::default()).then_some(party)
    }

    /// The card: who processes it, the group, and the person on it.
    fn cover(&self) -> Option<CoverageReference> {
        let class = |field: Field| {
            Some(CoverageClass {
                kind: Coded::new(FIELDS, field.id),
                value: self.text(field)?,
                name: None,
            })
        };
        let classes = [fields::PCN, fields::GROUP, fields::PERSON].map(class);
        let processor = self.text(fields::BIN).map(|number| Party {
            identifiers: vec![Identifier::new(BIN, number)],
            ..Party::default()
        });
        let card = self.text(fields::CARDHOLDER);
        let relationship = self.text(fields::RELATIONSHIP);
        let cover = CoverageReference {
            insurer: processor,
            identifiers: card
                .map(|card| Identifier::new(CARDHOLDER, card))
                .into_iter()
                .collect(),
            classes: classes.into_iter().flatten().collect(),
            relationship: relationship.map(|code| self.own(fields::RELATIONSHIP, code)),
            ..CoverageReference::default()
        };
        (cover != CoverageReference::default()).then_some(cover)
    }

    fn claim(&self, head: &mut Head) -> Body {
        let prescription = self.text(fields::PRESCRIPTION);
        head.identifiers.extend(self.fill());
        if let Some(number) = prescription {
            head.correlates.push(Correlate {
                relation: Relation::Prescription,
                identifier: Identifier::new(PRESCRIPTION, number),
                coded: None,
            });
        }
        head.currency = self.currency;
        Body::Claim(Claim {
            bill: self.bill(head.occurred_on, "/claim"),
            ..Claim::default()
        })
    }

    /// A request for leave to hand out a drug.
    fn request(&self, head: &mut Head) -> Body {
        if let Some(number) = self.text(fields::REQUEST) {
            head.identifiers.push(Identifier::new(REQUEST, number));
        }
        let urgency = self.root.member("urgency");
        let urgency = urgency.and_then(|own| self.reader.own_words(&own));
        head.priority = urgency.map(Coded::words);
        Body::Preauthorization(Preauthorization {
            bill: self.bill(head.occurred_on, "/preauthorization"),
        })
    }

    fn bill(&self, day: Option<Date>, base: &str) -> Bill {
        let mut bill = Bill {
            class: Some(BillClass::Pharmacy),
            ..Bill::default()
        };
        let mut line = self.line(day, base);
        let prescriber = self
            .text(fields::PRESCRIBER)
            .or_else(|| self.text(fields::PRESCRIBER_NPI));
        if let Some(number) = prescriber {
            bill.care_team.push(Party {
                seq: Some(1),
                identifiers: vec![Identifier::new(NPI, number)],
                role: Some(Coded::words(PRESCRIBER)),
                ..Party::default()
            });
            line.practitioners.push(1);
        }
        let plain = self.text(fields::DIAGNOSIS).map(|code| (code, None));
        for (seq, (code, display)) in (1..).zip(plain.into_iter().chain(self.diagnoses())) {
            let coding = Coding {
                system: ICD_10.to_owned(),
                code,
                display,
                ..Coding::default()
            };
            bill.diagnoses.push(Diagnosis {
                seq: Some(seq),
                coded: Coded {
                    source: Some(coding),
                    ..Coded::default()
                },
                roles: Vec::new(),
                present_on_admission: None,
                when: None,
                recorded: None,
                group: None,
            });
            line.diagnoses.push(seq);
        }
        bill.lines.push(line);
        bill
    }

    /// Diagnoses that stand in a section of their own, the principal one first.
    fn diagnoses(&self) -> Vec<(String, Option<String>)> {
        let Some(section) = self.root.member("diagnosis").filter(Part::is_object) else {
            return Vec::new();
        };
        self.reader.know(&section);
        let principal = self.reader.object(&section, "primary");
        let others = self.reader.objects(&section, "secondary");
        let told = principal.into_iter().chain(others).filter_map(|own| {
            let code = self.reader.plain(&own, "code", ProblemCode::BadValue)?;
            Some((code, self.reader.words(&own, "description")))
        });
        told.collect()
    }

    fn line(&self, day: Option<Date>, base: &str) -> Line {
        let on = day.unwrap_or(self.today);
        let exponent = self.currency.map_or(2, |own| own.exponent(on));
        let amount = |field: Field| self.amount(field, exponent);
        let drug = self.text(fields::DRUG);
        if drug.is_none() {
            self.missing(fields::DRUG);
        }
        let place = |canonical: &str, field: Field| {
            let at = format!("{base}/bill/lines/0/{canonical}");
            self.reader.origin(at, self.place(field));
        };
        place("item", fields::DRUG);
        place("quantity", fields::QUANTITY);
        place("billed", fields::GROSS);
        place("base", fields::OTHER_PAID);
        let parts = [fields::COST, fields::FEE, fields::INCENTIVE, fields::TAX];
        let parts = parts.map(|field| (field, amount(field)));
        let sum = parts.iter().filter_map(|(_, amount)| *amount);
        let has_parts = parts.iter().any(|(_, amount)| amount.is_some());
        let gross = amount(fields::GROSS);
        let told = |(field, amount): (Field, Option<Amount>)| {
            Some(Supporting {
                amount: Some(amount?),
                ..particular(field)
            })
        };
        let mut particulars: Vec<Supporting> = parts.iter().copied().filter_map(told).collect();
        let usual = amount(fields::USUAL);
        particulars.extend(told((fields::USUAL, usual)));
        let daw = self.text(fields::DAW);
        let substitution_refused = daw.as_deref().map(|code| code == "1");
        let coded = [
            (fields::DAW, daw),
            (fields::COMPOUND, self.text(fields::COMPOUND)),
            (fields::CLARIFICATION, self.text(fields::CLARIFICATION)),
            (fields::OTHER_COVERAGE, self.text(fields::OTHER_COVERAGE)),
        ];
        particulars.extend(coded.into_iter().filter_map(|(field, code)| {
            Some(Supporting {
                coded: Some(self.own(field, code?)),
                ..particular(field)
            })
        }));
        for field in [fields::FILL, fields::REFILLS] {
            let count = self.count(field).map(|count| Supporting {
                quantity: Quantity::parse(&count.to_string()),
                ..particular(field)
            });
            particulars.extend(count);
        }
        if let Some(when) = self.day(fields::WRITTEN) {
            particulars.push(Supporting {
                timing: Some(Period {
                    start: Some(when.clone()),
                    end: Some(when),
                }),
                ..particular(fields::WRITTEN)
            });
        }
        if let Some(text) = self.words(fields::DIRECTIONS) {
            particulars.push(Supporting {
                text: Some(text),
                ..particular(fields::DIRECTIONS)
            });
        }
        let day = day.map(When::from);
        Line {
            seq: 1,
            item: Coded {
                source: drug.map(|code| Coding {
                    system: NDC.to_owned(),
                    code,
                    display: self.words(fields::DRUG_NAME),
                    ..Coding::default()
                }),
                ..Coded::default()
            },
            serviced: day.map(|day| Period {
                start: Some(day.clone()),
                end: Some(day),
            }),
            quantity: self.quantity(fields::QUANTITY),
            unit: self.text(fields::UNIT),
            billed: gross.or_else(|| has_parts.then(|| sum.sum())),
            base: amount(fields::OTHER_PAID).map(|paid| BasePaid {
                paid,
                confirmation: None,
            }),
            paid_by_member: amount(fields::PATIENT_PAID),
            authorisation: self.text(fields::LEAVE),
            substitution_refused,
            days_supply: self.count(fields::DAYS),
            particulars,
            ..Line::default()
        }
    }

    /// What D.0 knows a claim by: prescription, fill and day.
    fn fill(&self) -> Option<Identifier> {
        let (number, day) = (self.text(fields::PRESCRIPTION)?, self.day(fields::DATE)?);
        let fill = self.count(fields::FILL)?;
        Some(Identifier::new(
            FILL,
            format!("{number}/{fill}/{}", day.as_str()),
        ))
    }

    fn reversal(&self, head: &mut Head) -> Body {
        // The number is that of the claim: the reversal has none of its own.
        let own = std::mem::take(&mut head.identifiers);
        let taken_back = own.into_iter().next().or_else(|| self.fill());
        match taken_back {
            Some(identifier) => head.correlates.push(Correlate {
                relation: Relation::Cancels,
                identifier,
                coded: None,
            }),
            None => self.missing(fields::PRESCRIPTION),
        }
        // What was billed is told again, and stands with the claim.
        for field in fields::ALL {
            self.text(*field);
        }
        Body::Cancel(Cancel::default())
    }

    fn question(&self, head: &mut Head) -> Body {
        let day = head.occurred_on.map(When::from);
        let serviced = day.map(|day| Period {
            start: Some(day.clone()),
            end: Some(day),
        });
        self.reader
            .origin("/eligibility/serviced", self.place(fields::DATE));
        Body::Eligibility(Eligibility {
            serviced,
            ..Eligibility::default()
        })
    }

    /// A code of D.0's own list.
    fn own(&self, field: Field, code: String) -> Coded {
        Coded::new(format!("{CODES}{}", field.id), code)
    }

    /// A section of the transaction, by its usual name or another one.
    fn section(&self, name: &str) -> Option<Part<'n>> {
        let other = match name {
            "" => return Some(self.root.clone()),
            "claim" => "primary_claim",
            "pharmacy" => "specialty_pharmacy",
            _ => name,
        };
        let mut found = [name, other].into_iter();
        let found = found.find_map(|name| self.root.member(name).filter(Part::is_object))?;
        self.reader.know(&found);
        Some(found)
    }

    /// Every member that a field stands in.
    fn found(&self, field: Field) -> Vec<(Part<'n>, &'static str)> {
        let sections = field.sections.iter().filter_map(|name| self.section(name));
        let members = sections.flat_map(|section| {
            let names = field.names.iter();
            names.map(move |name| (section.clone(), *name))
        });
        members
            .filter(|(section, name)| section.member(name).is_some())
            .collect()
    }

    /// Where a field stands, or would.
    fn place(&self, field: Field) -> String {
        let name = field.names.first().copied().unwrap_or_default();
        match self.found(field).first() {
            Some((section, name)) => section.place_of(name),
            None => self.root.place_of(name),
        }
    }

    fn missing(&self, field: Field) {
        let name = field.names.first().copied().unwrap_or_default();
        let what = format!("{name} (D.0 field {}) is required", field.id);
        let place = self.root.place_of(name);
        self.reader.problem(ProblemCode::Missing, place, &what);
    }

    /// What a field says, by `read`. What another place of it says must be the same.
    fn value(
        &self,
        field: Field,
        read: impl Fn(&Part<'n>, &str) -> Option<String>,
    ) -> Option<String> {
        let mut said: Option<String> = None;
        for (section, name) in self.found(field) {
            // An object is a section of that name, and no value.
            if section.member(name).is_some_and(|own| own.is_object()) {
                continue;
            }
            let Some(text) = read(&section, name) else {
                continue;
            };
            if said.as_ref().is_some_and(|said| *said != text) {
                let what = format!("{name} says something else elsewhere in the transaction");
                let place = section.place_of(name);
                self.reader.problem(ProblemCode::BadValue, place, &what);
            }
            said = said.or(Some(text));
        }
        said
    }

    fn text(&self, field: Field) -> Option<String> {
        self.value(field, |section, name| {
            self.reader.plain(section, name, ProblemCode::BadValue)
        })
    }

    fn words(&self, field: Field) -> Option<String> {
        self.value(field, |section, name| self.reader.words(section, name))
    }

    fn bad(&self, field: Field, code: ProblemCode, what: &str) {
        self.reader.problem(code, self.place(field), what);
    }

    fn day(&self, field: Field) -> Option<When> {
        let text = self.text(field)?;
        // D.0 itself writes CCYYMMDD.
        let dashed = match (text.len(), text.get(..4), text.get(4..6), text.get(6..8)) {
            (8, Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
            _ => text,
        };
        let day = Date::parse(&dashed).map(When::from);
        if day.is_none() {
            self.bad(
                field,
                ProblemCode::BadDate,
                "expected a day, 2026-05-30 or 20260530",
            );
        }
        day
    }

    fn count(&self, field: Field) -> Option<u32> {
        let text = self.text(field)?;
        let count = text.strip_suffix(".0").unwrap_or(&text).parse().ok();
        if count.is_none() {
            self.bad(
                field,
                ProblemCode::WrongType,
                "expected a whole number of 0 or more",
            );
        }
        count
    }

    fn quantity(&self, field: Field) -> Option<Quantity> {
        let text = self.text(field)?;
        let quantity = Quantity::parse(&text);
        if quantity.is_none() {
            self.bad(
                field,
                ProblemCode::WrongType,
                "expected a quantity of 0 or more",
            );
        }
        quantity
    }

    fn amount(&self, field: Field, exponent: u32) -> Option<Amount> {
        let text = self.text(field)?;
        match Amount::from_decimal(&text, exponent) {
            Ok((amount, false)) => return Some(amount),
            Ok((_, true)) => self.bad(
                field,
                ProblemCode::BadValue,
                "the amount is finer than the currency's smallest unit",
            ),
            Err(AmountError::NotDecimal) if text.starts_with('-') => {
                self.bad(field, ProblemCode::Negative, "an amount is 0 or more");
            }
            Err(AmountError::NotDecimal) => {
                self.bad(field, ProblemCode::WrongType, "expected an amount");
            }
            Err(AmountError::TooLarge) => {
                self.bad(
                    field,
                    ProblemCode::OutOfRange,
                    "larger than any real amount",
                );
            }
        }
        None
    }
}

/// A fact that the model has no field for, by its number in D.0.
pub(super) fn particular(field: Field) -> Supporting {
    Supporting {
        category: Some(Coded::new(FIELDS, field.id)),
        ..Supporting::default()
    }
}
