//! Claims of one drug, reversals and questions about cover as transactions.

use serde_json::{Map, Number, Value};
use takmil_domain::bill::Line;
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Head, Message, Relation, Supporting};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::party::Sex;

use super::FORMAT;
use super::fields::{self, Field};
use super::read::{
    BIN, CARDHOLDER, CLAIM, FIELDS, FILL, ICD_10, MEMBER, NDC, NPI, PHARMACY, PRESCRIPTION,
};
use crate::{Context, Written};

/// Writes a message; `None` of what D.0 has no transaction for: several drugs, services, bills of others.
pub(super) fn write(message: &Message, context: &Context) -> Option<Written> {
    let head = &message.head;
    let mut transaction = Transaction::default();
    let code = match &message.body {
        Body::Claim(claim) => {
            let [line] = claim.bill.lines.as_slice() else {
                return None;
            };
            let drug = line.item.source.as_ref().filter(|own| own.system == NDC)?;
            // No field names a currency: it is the one that was agreed.
            let agreed = context.default_currency.or(Currency::parse("USD"))?;
            if head.currency.is_some_and(|own| own != agreed) {
                return None;
            }
            let exponent = agreed.exponent(head.occurred_on.unwrap_or(context.today));
            transaction.put(fields::DRUG, Some(drug.code.clone()));
            transaction.put(fields::DRUG_NAME, drug.display.clone());
            transaction.line(line, exponent);
            let named = |list: &[u32], seq: Option<u32>| seq.is_some_and(|seq| list.contains(&seq));
            let mut carers = claim.bill.care_team.iter();
            let carer = carers.find(|own| named(&line.practitioners, own.seq));
            let carer = carer.and_then(|own| of(&own.identifiers, NPI));
            transaction.put(fields::PRESCRIBER, carer);
            let mut diagnoses = claim.bill.diagnoses.iter();
            let diagnosis = diagnoses.find(|own| named(&line.diagnoses, own.seq));
            let diagnosis = diagnosis.and_then(|own| own.coded.source.as_ref());
            let diagnosis = diagnosis.filter(|own| own.system == ICD_10);
            transaction.put(fields::DIAGNOSIS, diagnosis.map(|own| own.code.clone()));
            "B1"
        }
        Body::Cancel(_) => {
            let mut correlates = head.correlates.iter();
            let cancels = correlates.find(|own| own.relation == Relation::Cancels)?;
            let number = &cancels.identifier;
            match number.system.as_str() {
                CLAIM => transaction.put(fields::CLAIM, Some(number.value.clone())),
                FILL => {
                    let (prescription, rest) = number.value.split_once('/')?;
                    let (fill, day) = rest.split_once('/')?;
                    transaction.put(fields::PRESCRIPTION, Some(prescription.to_owned()));
                    transaction.put(fields::FILL, Some(fill.to_owned()));
                    transaction.put(fields::DATE, Some(day.to_owned()));
                }
                _ => return None,
            }
            "B2"
        }
        Body::Eligibility(asked) if asked.bill.is_none() => "E1",
        _ => return None,
    };
    transaction.put(fields::TRANSACTION, Some(code.to_owned()));
    transaction.head(head);
    Some(Written {
        media_type: FORMAT.media_types.first()?,
        bytes: Value::Object(transaction.members).to_string().into_bytes(),
    })
}

#[derive(Default)]
struct Transaction {
    members: Map<String, Value>,
}

impl Transaction {
    /// Adds a field, where there is a value for it and it was not added before.
    fn put(&mut self, field: Field, text: Option<String>) {
        self.put_value(field, text.map(Value::String));
    }

    fn put_value(&mut self, field: Field, value: Option<Value>) {
        let (Some(value), Some(name)) = (value, field.names.first()) else {
            return;
        };
        let section = field.sections.first().copied().unwrap_or_default();
        let section = self
            .members
            .entry(section)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(section) = section {
            section.entry(*name).or_insert(value);
        }
    }

    fn head(&mut self, head: &Head) {
        self.put(fields::CLAIM, of(&head.identifiers, CLAIM));
        let day = head.occurred_on.map(|day| day.to_string());
        self.put(fields::DATE, day);
        let mut correlates = head.correlates.iter();
        let ordered = correlates.find(|own| {
            own.relation == Relation::Prescription && own.identifier.system == PRESCRIPTION
        });
        self.put(
            fields::PRESCRIPTION,
            ordered.map(|own| own.identifier.value.clone()),
        );
        self.put(fields::MEMBER, of(&head.member.identifiers, MEMBER));
        self.put(fields::CARDHOLDER, of(&head.member.identifiers, CARDHOLDER));
        let born = head.member.birth_date.as_ref().and_then(|when| when.day());
        self.put(fields::BIRTH, born.map(|day| day.to_string()));
        let sex = head.member.sex.map(|sex| match sex {
            Sex::Male => "M",
            Sex::Female => "F",
            Sex::Other => "X",
            Sex::Unknown => "U",
        });
        self.put(fields::GENDER, sex.map(str::to_owned));
        self.put(fields::LAST_NAME, head.member.name.clone());
        if let Some(pharmacy) = &head.provider {
            self.put(fields::NPI, of(&pharmacy.identifiers, NPI));
            self.put(fields::NCPDP_ID, of(&pharmacy.identifiers, PHARMACY));
            self.put(fields::PHARMACY, pharmacy.name.clone());
        }
        let Some(cover) = head.coverages.first() else {
            return;
        };
        let processor = cover.insurer.as_ref();
        self.put(
            fields::BIN,
            processor.and_then(|own| of(&own.identifiers, BIN)),
        );
        self.put(fields::CARDHOLDER, of(&cover.identifiers, CARDHOLDER));
        let relationship = cover
            .relationship
            .as_ref()
            .and_then(|own| own.source.as_ref());
        self.put(
            fields::RELATIONSHIP,
            relationship.map(|own| own.code.clone()),
        );
        for class in &cover.classes {
            let source = class
                .kind
                .source
                .as_ref()
                .filter(|own| own.system == FIELDS);
            let known = [fields::PCN, fields::GROUP, fields::PERSON];
            let mut known = known.into_iter();
            let field = known.find(|field| source.is_some_and(|own| own.code == field.id));
            if let Some(field) = field {
                self.put(field, Some(class.value.clone()));
            }
        }
    }

    fn line(&mut self, line: &Line, exponent: u32) {
        let money = |amount: Option<Amount>| {
            // Digits as they are: no amount goes through a float.
            let text = amount?.to_decimal(exponent);
            Some(Value::Number(text.parse::<Number>().ok()?))
        };
        let number = |text: Option<String>| Some(Value::Number(text?.parse::<Number>().ok()?));
        self.put_value(
            fields::QUANTITY,
            number(line.quantity.map(|own| own.to_string())),
        );
        self.put(fields::UNIT, line.unit.clone());
        self.put_value(
            fields::DAYS,
            number(line.days_supply.map(|own| own.to_string())),
        );
        self.put_value(fields::GROSS, money(line.billed));
        self.put_value(
            fields::OTHER_PAID,
            money(line.base.as_ref().map(|own| own.paid)),
        );
        self.put_value(fields::PATIENT_PAID, money(line.paid_by_member));
        self.put(fields::LEAVE, line.authorisation.clone());
        for part in &line.particulars {
            let Some(field) = field_of(part) else {
                continue;
            };
            let coded = part.coded.as_ref().and_then(|own| own.source.as_ref());
            let day = part.timing.as_ref().and_then(|own| own.start.as_ref());
            let value = money(part.amount)
                .or_else(|| Some(Value::String(coded?.code.clone())))
                .or_else(|| number(part.quantity.map(|own| own.to_string())))
                .or_else(|| Some(Value::String(day?.day()?.to_string())))
                .or_else(|| Some(Value::String(part.text.clone()?)));
            self.put_value(field, value);
        }
        if line.substitution_refused == Some(true) {
            self.put(fields::DAW, Some("1".to_owned()));
        }
    }
}

/// The value of the first identifier of a system.
fn of(identifiers: &[Identifier], system: &str) -> Option<String> {
    let mut all = identifiers.iter();
    all.find(|own| own.system == system)
        .map(|own| own.value.clone())
}

/// The field that a particular was.
fn field_of(part: &Supporting) -> Option<Field> {
    let source = part.category.as_ref()?.source.as_ref()?;
    let mut all = fields::ALL.iter();
    let found = all.find(|field| field.id == source.code);
    found.copied().filter(|_| source.system == FIELDS)
}
