//! What the clinical rules look at.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::key::CodeKey;
use super::{Finding, Level, RXNORM, Tables, Terms};
use crate::code::Code;
use crate::coverage::Person;
use crate::date::Date;
use crate::money::Quantity;

/// The days of a long life.
const LIFE: u32 = 150 * 366;

/// A message with what is known of its member.
#[derive(Debug, Clone, Default)]
pub struct Case<'a> {
    /// The member.
    pub person: Person,
    /// Why the member is treated: first the diagnoses in their order, then the reasons of single orders.
    pub diagnoses: Vec<Diagnosis<'a>>,
    /// What is ordered, handed out or billed.
    pub lines: Vec<Line<'a>>,
    /// The procedures of a stay, which stand beside its lines.
    pub procedures: Vec<Procedure<'a>>,
    /// Whether the member lies in a hospital: then nothing is taken home.
    pub stays: bool,
    /// The dates of the prescription that the lines go by, where they do not name their own.
    pub order: Order,
    /// What the member had before.
    pub past: &'a [Past],
}

/// A diagnosis of ICD-10-CM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Diagnosis<'a> {
    /// The code.
    pub code: &'a str,
    /// The code as a key; `None` where no code of ICD-10-CM is written so.
    pub key: Option<CodeKey>,
    /// Whether the sender wrote it so: one that a map led here may be the heading of what was meant.
    pub own: bool,
    /// The day for which it is stated.
    pub day: Date,
    /// The order whose reason it is; `None` for one of the message's list of diagnoses.
    pub line: Option<u32>,
}

/// A line as the rules see it.
#[derive(Debug, Clone)]
pub struct Line<'a> {
    /// The sender's number; parts of a line have that of the line.
    pub seq: u32,
    /// The system of the service or drug. Empty where the line names none.
    pub system: &'a str,
    /// The code. Empty where the line names none.
    pub code: &'a str,
    /// The day, or the first of several.
    pub day: Date,
    /// How many days it spans.
    pub days: u32,
    /// How many.
    pub quantity: Quantity,
    /// How long that lasts.
    pub days_supply: Option<u32>,
    /// How it is to be taken, in the unit of the quantity.
    pub dose: Option<Dose>,
    /// The active ingredients, sorted; none for what is no known drug.
    pub ingredients: Vec<Ingredient>,
    /// The order's own dates.
    pub order: Order,
}

/// So much, so many times, in so many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dose {
    /// How much each time.
    pub amount: Quantity,
    /// How many times.
    pub times: u32,
    /// In how many days.
    pub days: u32,
}

/// A procedure of a stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Procedure<'a> {
    /// Its system.
    pub system: &'a str,
    /// Its code.
    pub code: &'a str,
    /// When it was done.
    pub day: Date,
}

/// The dates of a prescription.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The day on which it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authored: Option<Date>,
    /// The first day on which it may be dispensed, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    /// The last such day, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Date>,
}

/// One thing that the member had before: what [`Case::leaves`] says of an earlier message.
///
/// Of one event there is one message: whoever collects the past leaves out what the message at hand answers,
/// bills or replaces, and what was taken back. Rules hold lines against rows, so it also sees to a bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Past {
    /// The day.
    pub day: Date,
    /// The drug or service.
    pub code: Code,
    /// The active ingredients, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingredients: Vec<Ingredient>,
    /// How many.
    pub quantity: Quantity,
    /// How many days that lasts; nothing is left of what does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_supply: Option<u32>,
}

impl Past {
    /// The last day on which a rule looks at it, by any of these terms; `None` where none ever does.
    pub fn kept_until(&self, tables: &Tables, terms: &[&Terms]) -> Option<Date> {
        if tables.is_for_life(terms, &self.code) {
            return Some(self.day.add_days(LIFE));
        }
        let supply = self.days_supply.filter(|_| !self.ingredients.is_empty())?;
        Some(self.day.add_days(supply.min(LIFE)))
    }

    /// Whether a rule looks for others like it, by any of these terms: among what came before, or in what comes later.
    pub fn matters(&self, tables: &Tables, terms: &[&Terms]) -> bool {
        !self.ingredients.is_empty() || tables.is_for_life(terms, &self.code)
    }

    /// What the member had before, out of messages with their rows and whether one sender sent them and this one: without
    /// what this one tells again. Another message of the same event says the same, as a pharmacy's claim after what it
    /// handed out.
    pub fn beside<'p>(
        told: &[Past],
        kept: impl IntoIterator<Item = (bool, &'p [Past])>,
    ) -> Vec<Past> {
        let is_told_again = |row: &Past| {
            let is_same = |own: &Past| {
                (own.day, &own.code, &own.ingredients) == (row.day, &row.code, &row.ingredients)
            };
            told.iter().any(is_same)
        };
        let rows = kept.into_iter().flat_map(|(is_own, rows)| {
            rows.iter()
                .filter(move |row| !(is_own && is_told_again(row)))
        });
        rows.cloned().collect()
    }

    /// How much of a supply has been used on `day`, in days, and how long it lasts; `None` where nothing of it is left,
    /// or it came later.
    pub(super) fn used(&self, day: Date) -> Option<(u32, u32)> {
        let supply = self.days_supply?;
        let used = u32::try_from(day.days_since(self.day)).ok()?;
        (used < supply).then_some((used, supply))
    }
}

/// An active ingredient, as one text everywhere: its number in RxNorm, or its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ingredient {
    /// As RxNorm knows it.
    RxNorm(u32),
    /// By the name that a table of interactions gives it, where RxNorm's list has none.
    Named(Arc<str>),
}

impl Ingredient {
    /// Reads the text that stands for it.
    pub fn parse(text: &str) -> Option<Ingredient> {
        match text.parse() {
            Ok(rxcui) => Some(Ingredient::RxNorm(rxcui)),
            Err(_) if text.is_empty() => None,
            Err(_) => Some(Ingredient::Named(text.into())),
        }
    }

    /// It as evidence.
    pub(super) fn evidence(&self) -> Code {
        match self {
            Ingredient::RxNorm(rxcui) => Code::new(RXNORM, rxcui.to_string()),
            Ingredient::Named(name) => Code::new("", name.as_ref()),
        }
    }
}

impl fmt::Display for Ingredient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ingredient::RxNorm(rxcui) => rxcui.fmt(f),
            Ingredient::Named(name) => name.fmt(f),
        }
    }
}
impl Serialize for Ingredient {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Ingredient {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        Ingredient::parse(&text).ok_or_else(|| de::Error::custom("an ingredient has a name"))
    }
}

impl Line<'_> {
    pub(super) fn evidence(&self) -> Code {
        Code::new(self.system, self.code)
    }
}

impl Diagnosis<'_> {
    pub(super) fn evidence(&self) -> Code {
        Code::new(super::ICD_10_CM, self.code)
    }

    pub(super) fn lines(&self) -> Vec<u32> {
        self.line.into_iter().collect()
    }
}

impl Case<'_> {
    /// What later messages have to know of this one: one row for each line and procedure that has a code or an
    /// ingredient.
    pub fn leaves(&self) -> Vec<Past> {
        let lines = self.lines.iter().map(|line| Past {
            day: line.day,
            code: line.evidence(),
            ingredients: line.ingredients.clone(),
            quantity: line.quantity,
            days_supply: line.days_supply.filter(|_| !self.stays),
        });
        let procedures = self.procedures.iter().map(|procedure| Past {
            day: procedure.day,
            code: Code::new(procedure.system, procedure.code),
            ingredients: Vec::new(),
            quantity: Quantity::ONE,
            days_supply: None,
        });
        lines
            .chain(procedures)
            .filter(|past| !past.code.code.is_empty() || !past.ingredients.is_empty())
            .collect()
    }

    /// The lines that findings refuse: all of them for a finding that is about the whole message.
    pub fn refused(&self, found: &[Finding]) -> Vec<u32> {
        let refusals = found.iter().filter(|own| own.level == Level::Refusal);
        let lines = refusals.flat_map(|own| match own.lines.is_empty() {
            true => self.lines.iter().map(|line| line.seq).collect(),
            false => own.lines.clone(),
        });
        let lines: BTreeSet<u32> = lines.collect();
        lines.into_iter().collect()
    }

    /// The diagnoses that have a key, with it.
    pub(super) fn keyed(&self) -> impl Iterator<Item = (&Diagnosis<'_>, CodeKey)> {
        self.diagnoses
            .iter()
            .filter_map(|diagnosis| Some((diagnosis, diagnosis.key?)))
    }
}
