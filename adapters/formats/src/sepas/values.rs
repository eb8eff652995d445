//! The data types of the layout: coded texts, identifiers, quantities, days and times of the Persian calendar.

use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Calendar, Date, Period, When};
use takmil_domain::ids::{IR_NATIONAL_ID, Identifier};
use takmil_domain::message::Supporting;
use takmil_domain::money::{Amount, AmountError, Quantity};
use takmil_domain::party::Party;
use takmil_domain::problem::ProblemCode;

use crate::cursor::{Part, Reader};

/// Terminologies that the hub knows, by what the layout calls them.
const TERMINOLOGIES: &[(&str, &str)] = &[
    ("ICD10", "http://hl7.org/fhir/sid/icd-10"),
    ("RVU", "ir:rvu"),
    ("IRC", "ir:irc"),
    ("SNOMEDCT", "http://snomed.info/sct"),
];

/// Types of identifier whose issuer is known, with their system.
const ISSUERS: &[(&str, &str)] = &[
    ("National_Code", IR_NATIONAL_ID),
    ("Med_ID", "urn:ir:medical-council"),
];

/// What stands before the name of any other terminology or issuer.
const OWN: &str = "sepas:";

/// The units that say rials. `UNIT` is what some systems write for an amount's unit: it says nothing.
const RIALS: &[&str] = &["Rial", "IRR", "ریال", "UNIT"];

/// The years of the Persian calendar in which a day can lie. Years of the Gregorian one lie after them.
const YEARS: std::ops::RangeInclusive<u32> = 1200..=1599;

/// A fact that the model has no field for, by the member that says it.
pub(super) fn particular(member: &str) -> Supporting {
    Supporting {
        category: Some(Coded::new("sepas:element", member)),
        ..Supporting::default()
    }
}

/// The system of a terminology.
fn system_of(terminology: &str) -> String {
    let known = TERMINOLOGIES
        .iter()
        .find(|(own, _)| own.eq_ignore_ascii_case(terminology));
    known.map_or_else(
        || format!("{OWN}{terminology}"),
        |(_, system)| (*system).to_owned(),
    )
}

/// What the layout calls a system.
pub(super) fn terminology_of(system: &str) -> &str {
    let known = TERMINOLOGIES.iter().find(|(_, own)| *own == system);
    let other = || system.strip_prefix(OWN).unwrap_or(system);
    known.map_or_else(other, |(name, _)| name)
}

/// A day and nothing else.
pub(super) fn from_to(start: Option<When>, end: Option<When>) -> Option<Period> {
    (start.is_some() || end.is_some()).then_some(Period { start, end })
}

impl<'n> Reader<'n> {
    /// A code with its terminology.
    pub(super) fn coded(&self, at: &Part<'n>, key: &str) -> Option<Coded> {
        let own = self.object(at, key)?;
        let code = self.plain(&own, "Coded_string", ProblemCode::BadValue);
        let terminology = self.plain(&own, "Terminology_id", ProblemCode::BadValue);
        let display = self.words(&own, "Value");
        for (said, key) in [
            (code.is_some(), "Coded_string"),
            (terminology.is_some(), "Terminology_id"),
        ] {
            if !said {
                self.missing(&own, key);
            }
        }
        let source = Coding {
            system: system_of(&terminology?),
            code: code?,
            display,
            ..Coding::default()
        };
        Some(Coded {
            source: Some(source),
            ..Coded::default()
        })
    }

    /// An identifier with its issuer.
    pub(super) fn identifier(&self, at: &Part<'n>, key: &str) -> Option<Identifier> {
        self.own_identifier(&self.object(at, key)?)
    }

    pub(super) fn own_identifier(&self, own: &Part<'n>) -> Option<Identifier> {
        let value = self.plain(own, "ID", ProblemCode::BadIdentifier);
        if value.is_none() {
            self.missing(own, "ID");
        }
        let kind = self.plain(own, "Type", ProblemCode::BadIdentifier);
        let kind = kind.unwrap_or_default();
        let issuer = self.plain(own, "Issuer", ProblemCode::BadIdentifier);
        // Who gave it out is who answers for it, unless another is named.
        let assigner = own.member("Assigner");
        if let Some(assigner) = assigner.filter(|part| part.text() == issuer.as_deref()) {
            self.know(&assigner);
        }
        let known = ISSUERS
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(&kind));
        let system = known.map_or_else(
            || format!("{OWN}{}:{kind}", issuer.unwrap_or_default()),
            |(_, system)| (*system).to_owned(),
        );
        Some(Identifier::new(system, value?))
    }

    /// Money, in rials.
    pub(super) fn amount(&self, at: &Part<'n>, key: &str) -> Option<Amount> {
        let own = self.object(at, key)?;
        if let Some(unit) = self.words(&own, "Unit") {
            let is_rial = RIALS.iter().any(|rial| rial.eq_ignore_ascii_case(&unit));
            if !is_rial {
                let what = "amounts are in rials";
                self.problem(ProblemCode::UnknownCurrency, own.place_of("Unit"), what);
                return None;
            }
        }
        let text = self.magnitude(&own)?;
        let (code, what) = match Amount::from_decimal(&text, 0) {
            _ if text.starts_with('-') => (ProblemCode::Negative, "an amount is 0 or more"),
            Ok((amount, false)) => return Some(amount),
            Ok((_, true)) => (ProblemCode::BadValue, "a rial has no parts"),
            Err(AmountError::NotDecimal) => (ProblemCode::BadValue, "expected a decimal number"),
            Err(_) => (ProblemCode::OutOfRange, "no amount is so large"),
        };
        self.problem(code, own.place_of("Magnitude"), what);
        None
    }

    /// So much of something, with its unit.
    pub(super) fn quantity(&self, at: &Part<'n>, key: &str) -> Option<(Quantity, Option<String>)> {
        let own = self.object(at, key)?;
        let text = self.magnitude(&own)?;
        let unit = self.words(&own, "Unit").filter(|unit| unit != "UNIT");
        Some((self.decimal(&text, own.place_of("Magnitude"))?, unit))
    }

    /// A decimal number of 0 or more.
    pub(super) fn decimal(&self, text: &str, place: String) -> Option<Quantity> {
        let quantity = Quantity::parse(text);
        if quantity.is_none() {
            let (code, what) = match text.starts_with('-') {
                true => (ProblemCode::Negative, "a quantity is 0 or more"),
                false => (ProblemCode::BadValue, "expected a decimal number"),
            };
            self.problem(code, place, what);
        }
        quantity
    }

    fn magnitude(&self, own: &Part<'n>) -> Option<String> {
        let text = self.plain(own, "Magnitude", ProblemCode::BadValue);
        if text.is_none() {
            self.missing(own, "Magnitude");
        }
        text.map(|text| text.replace('\u{66b}', "."))
    }

    /// A whole number of 0 or more.
    pub(super) fn whole(&self, at: &Part<'n>, key: &str, code: ProblemCode) -> Option<u32> {
        let part = at.member(key)?;
        let text = self.own_plain(&part, code)?;
        let whole = text.parse().ok();
        if whole.is_none() {
            self.problem(code, part.place, "expected a whole number of 0 or more");
        }
        whole
    }

    /// A day of the Persian calendar.
    pub(super) fn day(&self, at: &Part<'n>, key: &str) -> Option<Date> {
        let part = at.member(key)?;
        let bad = ProblemCode::BadDate;
        let (year, text) = if part.is_object() {
            self.know(&part);
            let mut numbers = [0_u32; 3];
            for (number, key) in numbers.iter_mut().zip(["Year", "Month", "Day"]) {
                match self.whole(&part, key, bad) {
                    Some(own) => *number = own,
                    None => {
                        self.missing(&part, key);
                        return None;
                    }
                }
            }
            let [year, month, day] = numbers;
            (Some(year), format!("{year}/{month}/{day}"))
        } else {
            let text = self.own_plain(&part, bad)?;
            let year = text.split(['/', '-']).next();
            (year.and_then(|year| year.parse().ok()), text)
        };
        let date = year
            .filter(|year| YEARS.contains(year))
            .and_then(|_| Date::parse_in(&text, Calendar::Persian));
        let Some(date) = date else {
            let what = "expected a real day of the Persian calendar";
            self.problem(bad, part.place, what);
            return None;
        };
        // Some systems repeat the day as text. One that says another is left for a person to look at.
        if let Some(again) = part.member("ISOString") {
            let same = again
                .text()
                .and_then(|text| Date::parse_in(text, Calendar::Persian));
            if same == Some(date) {
                self.know(&again);
            }
        }
        Some(date)
    }

    /// A day, with the time of that day where one is told.
    pub(super) fn when(&self, at: &Part<'n>, day: &str, time: &str) -> Option<When> {
        if at.member(day).is_none() && at.member(time).is_some() {
            self.missing(at, day);
        }
        let date = self.day(at, day)?;
        let Some(part) = at.member(time) else {
            return Some(When::from(date));
        };
        let bad = ProblemCode::BadDate;
        let clock = if part.is_object() {
            self.know(&part);
            let mut numbers = [0_u32; 3];
            for (number, key) in numbers.iter_mut().zip(["Hour", "Minute", "Second"]) {
                match self.whole(&part, key, bad) {
                    Some(own) => *number = own,
                    None if key == "Second" => {}
                    None => {
                        self.missing(&part, key);
                        return None;
                    }
                }
            }
            let [hour, minute, second] = numbers;
            format!("{hour:02}:{minute:02}:{second:02}")
        } else {
            self.own_plain(&part, bad)?
        };
        let when = When::parse(&format!("{date}T{clock}"));
        if when.is_none() {
            self.problem(bad, part.place, "expected a real time of the day");
        }
        when
    }

    /// A practitioner.
    pub(super) fn practitioner(&self, at: &Part<'n>, key: &str, role: &str) -> Option<Party> {
        self.own_practitioner(&self.object(at, key)?, role)
    }

    pub(super) fn own_practitioner(&self, own: &Part<'n>, role: &str) -> Option<Party> {
        let first = self.words(own, "FirstName");
        let last = self.words(own, "LastName");
        let names: Vec<String> = [first, last].into_iter().flatten().collect();
        let name = (!names.is_empty()).then(|| names.join(" "));
        let party = Party {
            identifiers: self.identifier(own, "Identifier").into_iter().collect(),
            name: name.or_else(|| self.words(own, "FullName")),
            specialty: self.coded(own, "Specialty"),
            ..Party::default()
        };
        let is_someone = party != Party::default();
        let role = Some(
            self.coded(own, "Role")
                .unwrap_or_else(|| Coded::words(role)),
        );
        is_someone.then_some(Party { role, ..party })
    }

    /// A body, such as a hospital.
    pub(super) fn organisation(&self, at: &Part<'n>, key: &str, role: &str) -> Option<Party> {
        let own = self.object(at, key)?;
        let party = Party {
            identifiers: self.identifier(&own, "ID").into_iter().collect(),
            name: self.words(&own, "Name"),
            ..Party::default()
        };
        let role = Some(Coded::words(role));
        (party != Party::default()).then_some(Party { role, ..party })
    }
}
