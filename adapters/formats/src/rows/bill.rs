//! The rows of one bill into a message.

use std::collections::HashMap;

use takmil_domain::bill::{BasePaid, Bill, BillClass, Encounter, EncounterClass};
use takmil_domain::code::{Coded, Coding};
use takmil_domain::date::{Period, When};
use takmil_domain::ids::Identifier;
use takmil_domain::message::{Body, Claim, Correlate, Head, Message, Preauthorization, Supporting};
use takmil_domain::money::{Amount, AmountError, Currency, Quantity};
use takmil_domain::party::Party;
use takmil_domain::problem::{Problem, ProblemCode};

use super::columns::{NPI, Role};
use super::dialect::{Dialect, day};
use super::lines::Draft;
use super::parts::{Parts, TEAM_ROLE};
use super::table::{About, Column, Row, Table, is_nothing};
use crate::fhir::ELEMENT;
use crate::{Context, MAX_LINES, MAX_PROBLEMS, Read};

/// The system of revenue centres.
const REVENUE: &str = "https://www.nubc.org/CodeSystem/RevenueCodes";
/// The system of places of service.
const PLACE: &str =
    "https://www.cms.gov/Medicare/Coding/place-of-service-codes/Place_of_Service_Code_Set";

/// The currency of the US Medicare centres.
fn currency(context: &Context) -> Option<Currency> {
    context.default_currency.or_else(|| Currency::parse("USD"))
}

/// What stands in a cell, with all that is needed to say where.
#[derive(Clone, Copy)]
struct At<'t> {
    table: &'t Table,
    row: &'t Row,
    column: &'t Column,
    text: &'t str,
}

impl At<'_> {
    fn place(&self) -> String {
        self.table.place(self.row, self.column)
    }

    fn coded(&self) -> Coded {
        Coded::new(self.table.dialect.list(&self.column.name), self.text)
    }

    fn beside(&self, name: &str) -> Option<&str> {
        self.table.named(self.row, name, self.column.number)
    }

    /// The number of a party: of this system, or of the one that a column beside it names.
    fn number(&self, system: &str) -> Identifier {
        let beside = format!("{}_QLFYR_CD", self.column.name);
        let system = match (system, self.beside(&beside)) {
            ("", Some("01")) => NPI,
            _ => system,
        };
        Identifier::new(system, self.text)
    }
}

/// A bill on its way to a message.
pub(super) struct Building {
    exponent: u32,
    currency: Option<Currency>,
    head: Head,
    bill: Bill,
    stay: Encounter,
    parts: Parts,
    lines: Vec<Draft>,
    is_request: bool,
    /// (Pointer into the message's body, place).
    origins: Vec<(String, String)>,
    problems: Vec<Problem>,
}

impl Building {
    pub(super) fn new(context: &Context) -> Building {
        let currency = currency(context);
        Building {
            exponent: currency.map_or(2, |own| own.exponent(context.today)),
            head: Head {
                currency,
                ..Head::default()
            },
            currency,
            bill: Bill::default(),
            stay: Encounter::default(),
            parts: Parts::default(),
            lines: Vec::new(),
            is_request: false,
            origins: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Takes the bill for a request for leave.
    pub(super) fn is_request(&mut self) {
        self.is_request = true;
    }

    /// Tells of a place that is not understood.
    pub(super) fn unread(&mut self, place: String) {
        self.head.unread.push(place);
    }

    /// Tells what is wrong.
    pub(super) fn wrong(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Says which kind of provider writes the bills of a table, where its titles show it.
    pub(super) fn kind_of(&mut self, table: &Table) {
        let (class, treated) = if table.has("PROD_SRVC_ID") {
            (BillClass::Pharmacy, None)
        } else if table.dialect != Dialect::Public {
            return;
        } else if table.has("LINE_NCH_PMT_AMT") {
            (BillClass::Professional, None)
        } else if table.has("CLM_ADMSN_DT") {
            (BillClass::Institutional, Some(EncounterClass::Inpatient))
        } else if table.has("NCH_BENE_PTB_DDCTBL_AMT") {
            (BillClass::Institutional, Some(EncounterClass::Outpatient))
        } else {
            return;
        };
        self.bill.class = Some(class);
        self.stay.class = treated;
    }

    /// Takes a row. What the bill's `earlier` row says in the same words is not said again.
    pub(super) fn row(&mut self, table: &Table, row: &Row, earlier: Option<&Row>) {
        if self.lines.len() >= MAX_LINES {
            if self.lines.len() == MAX_LINES && self.problems.is_empty() {
                let detail = format!("a bill has at most {MAX_LINES} lines");
                let problem = Problem::new(ProblemCode::TooManyLines, row.place.as_str(), detail);
                self.problems.push(problem);
            }
            return;
        }
        if let Some(detail) = &row.fault {
            let problem = Problem::new(ProblemCode::Malformed, row.place.as_str(), detail.as_str());
            self.problems.push(problem);
            return;
        }
        let mut of_row: HashMap<About, usize> = HashMap::new();
        for (index, column) in table.columns.iter().enumerate() {
            let Some(text) = table.cell(row, index) else {
                continue;
            };
            let at = At {
                table,
                row,
                column,
                text,
            };
            let Some(role) = column.role else {
                self.head.unread.push(at.place());
                continue;
            };
            if column.about == About::Bill {
                let before = earlier.and_then(|earlier| table.cell(earlier, index));
                if before != Some(text) {
                    self.of_bill(role, at);
                }
                continue;
            }
            let line = *of_row.entry(column.about).or_insert_with(|| {
                self.lines.push(Draft::at(&row.place));
                self.lines.len() - 1
            });
            self.of_line(line, role, at);
        }
        if of_row.is_empty() {
            self.origins.push((String::new(), row.place.clone()));
        }
    }

    fn of_bill(&mut self, role: Role, at: At<'_>) {
        let own = || Identifier::new(at.table.dialect.issuer(&at.column.name), at.text);
        match role {
            Role::Key(None) | Role::Number => self.head.identifiers.push(own()),
            Role::Key(Some(system)) => {
                self.head.identifiers.push(Identifier::new(system, at.text));
            }
            Role::Earlier(relation) => self.head.correlates.push(Correlate {
                relation,
                identifier: own(),
                coded: None,
            }),
            Role::Member => self.head.member.identifiers.push(own()),
            Role::Provider(system) => {
                let provider = self.head.provider.get_or_insert_default();
                let number = at.number(system);
                if !provider.identifiers.contains(&number) {
                    provider.identifiers.push(number);
                }
            }
            Role::ProviderName => {
                let provider = self.head.provider.get_or_insert_default();
                provider.name = Some(at.text.to_owned());
            }
            Role::Team(role, system) => {
                self.parts.practitioner(party(role, at.number(system)));
            }
            Role::Kind => self.kind(at),
            Role::From | Role::Thru | Role::Admitted | Role::Discharged => {
                let Some(when) = self.when(at) else { return };
                let (of, period) = match role {
                    Role::From | Role::Thru => ("bill", &mut self.bill.period),
                    _ => ("bill/encounter", &mut self.stay.period),
                };
                let period = period.get_or_insert_default();
                let (end, slot) = match role {
                    Role::From | Role::Admitted => ("start", &mut period.start),
                    _ => ("end", &mut period.end),
                };
                self.origins
                    .push((format!("/{of}/period/{end}"), at.place()));
                once(slot, when, at, &mut self.head.unread);
            }
            Role::On => {
                if let Some(day) = self.when(at).and_then(|when| when.day()) {
                    once(&mut self.head.occurred_on, day, at, &mut self.head.unread);
                }
            }
            Role::Created => {
                if let Some(when) = self.when(at) {
                    once(&mut self.head.created, when, at, &mut self.head.unread);
                }
            }
            Role::Source => once(
                &mut self.stay.admission_source,
                at.coded(),
                at,
                &mut self.head.unread,
            ),
            Role::Went => once(
                &mut self.stay.discharge,
                at.coded(),
                at,
                &mut self.head.unread,
            ),
            Role::Diagnosis(role) => self
                .parts
                .diagnosis(at.table, at.row, at.column, at.text, role),
            Role::Procedure => {
                if let Err(place) = self.parts.procedure(at.table, at.row, at.column, at.text) {
                    self.no_day(place);
                }
            }
            Role::Beside => {}
            Role::Billed => match self.amount(at) {
                Some(Ok(billed)) if self.bill.total.is_none() => {
                    self.bill.total = Some(billed);
                    self.origins.push(("/bill/total".to_owned(), at.place()));
                }
                Some(_) => self.decided(None, "submitted", at),
                None => {}
            },
            Role::Money(term) => self.decided(None, term, at),
            other => {
                let part = self.information(other, at);
                self.head.supporting.push(part);
            }
        }
    }

    fn of_line(&mut self, index: usize, role: Role, at: At<'_>) {
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        // A line of which nothing is said but that it costs nothing is room left in the row.
        line.is_said |= !matches!(role, Role::Money(_) | Role::Base) || !is_nothing(at.text);
        let unread = &mut self.head.unread;
        match role {
            Role::LineNumber => match at.text.parse() {
                Ok(number) => line.number = Some(number),
                Err(_) => {
                    let detail = "a line's number is a whole number";
                    let problem = Problem::new(ProblemCode::BadValue, at.place(), detail);
                    self.problems.push(problem);
                }
            },
            Role::Item(system) => line.items.push(Coding {
                system: system.to_owned(),
                code: at.text.to_owned(),
                ..Coding::default()
            }),
            Role::Modifier => {
                let system = takmil_domain::clinical::HCPCS;
                line.line.modifiers.push(Coded::new(system, at.text));
            }
            Role::Revenue => once(
                &mut line.line.revenue,
                Coded::new(REVENUE, at.text),
                at,
                unread,
            ),
            Role::Place => once(&mut line.line.place, Coded::new(PLACE, at.text), at, unread),
            Role::Provider(system) => line.whom.identifiers.push(Identifier::new(system, at.text)),
            Role::Team(role, system) => line.team.push(party(role, at.number(system))),
            Role::For => {
                let number = self.parts.known(at.table, at.row, at.column, at.text);
                line.line.diagnoses.push(number);
            }
            Role::ForNumber => match self.parts.numbered(at.text) {
                Some(number) => line.line.diagnoses.push(number),
                None => unread.push(at.place()),
            },
            Role::Quantity | Role::Unit if !counts(at) => self.particular(index, role, at),
            Role::Quantity => match Quantity::parse(at.text) {
                Some(quantity) => once(&mut line.line.quantity, quantity, at, unread),
                None => self.particular(index, Role::Count, at),
            },
            Role::Unit => once(&mut line.line.unit, at.text.to_owned(), at, unread),
            Role::Days => match at.text.parse() {
                Ok(days) => once(&mut line.line.days_supply, days, at, unread),
                Err(_) => self.particular(index, Role::Count, at),
            },
            Role::Done | Role::DoneUntil => self.done(index, role, at),
            Role::Billed => match self.amount(at) {
                Some(Ok(billed)) => self.billed(index, billed, at),
                Some(Err(_)) => self.decided(Some(index), "submitted", at),
                None => {}
            },
            Role::Base => match self.amount(at) {
                // Nothing was paid by another: there need be none.
                Some(Ok(Amount::ZERO) | Err(_)) => self.decided(Some(index), "priorpayerpaid", at),
                Some(Ok(paid)) => {
                    if let Some(line) = self.lines.get_mut(index) {
                        line.line.base = Some(BasePaid {
                            paid,
                            confirmation: None,
                        });
                    }
                }
                None => {}
            },
            Role::Money(term) => self.decided(Some(index), term, at),
            Role::Beside => {}
            other => self.particular(index, other, at),
        }
    }

    fn billed(&mut self, index: usize, billed: Amount, at: At<'_>) {
        match self.lines.get_mut(index) {
            Some(line) if line.line.billed.is_none() => {
                line.line.billed = Some(billed);
                line.origins.push(("/billed", at.place()));
            }
            _ => self.decided(Some(index), "submitted", at),
        }
    }

    fn done(&mut self, index: usize, role: Role, at: At<'_>) {
        let Some(when) = self.when(at) else { return };
        let Some(line) = self.lines.get_mut(index) else {
            return;
        };
        let period = line.line.serviced.get_or_insert_default();
        let (end, name) = match role {
            Role::Done => (&mut period.start, "/serviced/start"),
            _ => (&mut period.end, "/serviced/end"),
        };
        line.origins.push((name, at.place()));
        once(end, when, at, &mut self.head.unread);
    }

    fn particular(&mut self, index: usize, role: Role, at: At<'_>) {
        let part = self.information(role, at);
        if let Some(line) = self.lines.get_mut(index) {
            line.line.particulars.push(part);
        }
    }

    /// The kind of bill in Medicare's numbers, and what it says of who wrote it.
    fn kind(&mut self, at: At<'_>) {
        let (class, treated) = match at.text {
            "10" | "50" => (Some(BillClass::Institutional), None),
            "20" | "30" | "60" | "61" | "62" | "63" | "64" => (
                Some(BillClass::Institutional),
                Some(EncounterClass::Inpatient),
            ),
            "40" => (
                Some(BillClass::Institutional),
                Some(EncounterClass::Outpatient),
            ),
            "71" | "72" | "81" | "82" => (Some(BillClass::Professional), None),
            "1" | "2" | "3" | "4" | "01" | "02" | "03" | "04" => (Some(BillClass::Pharmacy), None),
            _ => (None, None),
        };
        self.bill.class = self.bill.class.or(class);
        self.stay.class = self.stay.class.or(treated);
        self.bill.kinds.push(at.coded());
    }

    /// An amount of the cell; below zero in words. `None` where it is none: that is a problem.
    fn amount(&mut self, at: At<'_>) -> Option<Result<Amount, String>> {
        let wrong = match Amount::from_decimal(at.text, self.exponent) {
            Ok((amount, _)) if amount < Amount::ZERO => return Some(Err(at.text.to_owned())),
            Ok((amount, rounded)) => {
                if rounded {
                    self.head.unread.push(at.place());
                }
                return Some(Ok(amount));
            }
            Err(AmountError::NotDecimal) => {
                (ProblemCode::BadValue, "an amount is a decimal number")
            }
            Err(AmountError::TooLarge) => (
                ProblemCode::OutOfRange,
                "the amount is larger than any real one",
            ),
        };
        self.problems
            .push(Problem::new(wrong.0, at.place(), wrong.1));
        None
    }

    /// An amount that was decided, as its column tells it.
    fn decided(&mut self, line: Option<usize>, term: &str, at: At<'_>) {
        let Some(amount) = self.amount(at) else {
            return;
        };
        let element = match (line, term) {
            (Some(_), _) => "ExplanationOfBenefit.item.adjudication",
            (None, "") => "ExplanationOfBenefit.adjudication",
            (None, _) => "ExplanationOfBenefit.total",
        };
        let mut part = Supporting {
            category: Some(Coded::new(ELEMENT, element)),
            coded: Some(at.table.dialect.amount(&at.column.name, term)),
            ..Supporting::default()
        };
        match amount {
            Ok(amount) => part.amount = Some(amount),
            Err(words) => {
                part.text = Some(words);
                part.unit = self.currency.map(|own| own.as_str().to_owned());
            }
        }
        match line.and_then(|index| self.lines.get_mut(index)) {
            Some(line) => line.line.particulars.push(part),
            None => self.head.supporting.push(part),
        }
    }

    /// What a cell says beyond the fields of a message, under its column's name.
    fn information(&self, role: Role, at: At<'_>) -> Supporting {
        let mut part = Supporting {
            category: Some(Coded {
                source: Some(at.table.dialect.information(&at.column.name)),
                ..Coded::default()
            }),
            ..Supporting::default()
        };
        let words = || Some(at.text.to_owned());
        match role {
            Role::Code | Role::Unit => part.coded = Some(at.coded()),
            Role::Day => match day(at.text) {
                Some(when) => part.timing = Some(on(when)),
                None => part.text = words(),
            },
            Role::Count | Role::Quantity => match Quantity::parse(at.text) {
                Some(count) => part.quantity = Some(count),
                None => part.text = words(),
            },
            _ => part.text = words(),
        }
        part
    }

    fn when(&mut self, at: At<'_>) -> Option<When> {
        let when = day(at.text);
        if when.is_none() {
            self.no_day(at.place());
        }
        when
    }

    fn no_day(&mut self, place: String) {
        let detail = "no day: expected 2015-05-30, 20150530 or 30-May-2015";
        self.problems
            .push(Problem::new(ProblemCode::BadDate, place, detail));
    }

    /// The message.
    pub(super) fn read(mut self, place: String) -> Read {
        let (body, root) = match self.is_request {
            true => ("preauthorization", "/preauthorization"),
            false => ("claim", "/claim"),
        };
        let mut origins: Vec<(String, String)> = self
            .origins
            .iter()
            .map(|(own, from)| (format!("{root}{own}"), from.clone()))
            .collect();
        let mut given: Vec<u32> = self.lines.iter().filter_map(|line| line.number).collect();
        given.sort_unstable();
        let mut free = (1_u32..).filter(|number| given.binary_search(number).is_err());
        for draft in self.lines.into_iter().filter(|draft| draft.is_said) {
            let seq = draft.number.or_else(|| free.next()).unwrap_or(u32::MAX);
            let at = format!("{root}/bill/lines/{}", self.bill.lines.len());
            let inner = draft.origins.iter();
            origins.extend(inner.map(|(own, from)| (format!("{at}{own}"), from.clone())));
            origins.push((at, draft.place.clone()));
            self.bill.lines.push(draft.line(seq, &mut self.parts));
        }
        if self.stay != Encounter::default() {
            self.bill.encounter = Some(self.stay);
        }
        self.parts.give(&mut self.bill);
        let bill = self.bill;
        self.problems.truncate(MAX_PROBLEMS);
        let outcome = match self.problems.is_empty() {
            false => Err(self.problems),
            true => Ok(Message {
                head: self.head,
                body: match body {
                    "claim" => Body::Claim(Claim {
                        interim: false,
                        bill,
                    }),
                    _ => Body::Preauthorization(Preauthorization { bill }),
                },
            }),
        };
        Read {
            place,
            outcome,
            origins,
        }
    }
}

/// Whether a quantity, or its unit, is the one that the line is counted by: where both services and drugs are counted,
/// services.
fn counts(at: At<'_>) -> bool {
    !at.column.name.contains("NDC_QTY") || at.beside("CLM_LINE_SRVC_UNIT_QTY").is_none()
}

/// The period that is one day.
pub(super) fn on(when: When) -> Period {
    Period {
        start: Some(when.clone()),
        end: Some(when),
    }
}

/// Somebody of the care team.
fn party(role: &str, number: Identifier) -> Party {
    Party {
        identifiers: vec![number],
        role: Some(Coded::new(TEAM_ROLE, role)),
        ..Party::default()
    }
}

/// Fills what may be said once. What contradicts it is kept in the original.
fn once<T: PartialEq>(slot: &mut Option<T>, value: T, at: At<'_>, unread: &mut Vec<String>) {
    match slot {
        None => *slot = Some(value),
        Some(earlier) if *earlier == value => {}
        Some(_) => unread.push(at.place()),
    }
}
