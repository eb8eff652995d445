//! Rows as they come out of a spreadsheet, for clinics that have no software of their own: one row for each service, the
//! rows of one bill under one number. Commas, semicolons or tabs part the cells, the first row has the titles.
//!
//! A title that needs one has its system or calendar in brackets, so that the rows need not repeat it: `member
//! [urn:ir:national-id]`, `code [urn:ir:rvu]`, `date [persian]`. Rows become native messages, and are read as such: what the
//! hub takes and refuses is said once. Pointers are `/row/title`, with rows counted as spreadsheets do.

mod columns;
mod table;
mod write;

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use takmil_domain::date::{Calendar, Date};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::text::digits;

use crate::{Context, Format, MAX_LINES, Read, Reading, native};
use columns::{Belongs, Cell, KEY};
use table::{Sheet, Title};

pub(crate) use table::{line, parts};

/// Rows of a spreadsheet.
pub const FORMAT: Format = Format {
    name: "sheet",
    media_types: &["text/csv", "text/tab-separated-values"],
    recognise: table::recognise,
    read,
    answer: native::FORMAT.answer,
    write: Some(write::write),
};

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let sheet = Sheet::parse(body)?;
    let bills = sheet.bills();
    if bills.is_empty() {
        let detail = "the sheet has titles and no rows";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    let is_alone = bills.len() == 1;
    let messages = bills.iter().map(|rows| {
        let place = match (is_alone, rows.first()) {
            (false, Some(first)) => format!("/{}", sheet.number(*first)),
            _ => String::new(),
        };
        bill(&sheet, rows, place, context)
    });
    Ok(Reading {
        messages: messages.collect(),
        unread: Vec::new(),
    })
}

/// The rows of one bill on their way to a message.
struct Building<'s> {
    sheet: &'s Sheet,
    context: &'s Context,
    /// The bill's own currency, where its rows name one.
    currency: Option<Currency>,
    message: Value,
    bill: Value,
    lines: Vec<Value>,
    correlates: Listed,
    diagnoses: Listed,
    practitioners: Listed,
    /// (Pointer into the native bill, cell).
    of_bill: Vec<(String, String)>,
    /// (Pointer into the native message, cell).
    of_message: Vec<(String, String)>,
    problems: Vec<Problem>,
}

/// Things that rows name, each once.
#[derive(Default)]
struct Listed {
    items: Vec<Value>,
    places: HashMap<String, usize>,
}

impl Listed {
    /// The place of an item, which joins the list where it is new.
    fn place(&mut self, item: Value) -> usize {
        let place = *self
            .places
            .entry(item.to_string())
            .or_insert(self.items.len());
        if place == self.items.len() {
            self.items.push(item);
        }
        place
    }

    /// The items, each with its number from 1.
    fn numbered(self) -> Vec<Value> {
        let numbers = 1_u32..;
        let items = numbers.zip(self.items);
        items
            .map(|(seq, mut item)| {
                put(&mut item, &["seq"], seq.into());
                item
            })
            .collect()
    }
}

/// The kind of what names none.
const CLAIM: &str = "claim";

/// The kinds of message that a sheet can hold, and where each has its bill.
const KINDS: &[(&str, &[&str])] = &[
    (CLAIM, &["claim", "bill"]),
    ("estimate", &["estimate"]),
    ("preauthorization", &["preauthorization", "bill"]),
];

fn bill(sheet: &Sheet, rows: &[usize], place: String, context: &Context) -> Read {
    if rows.len() > MAX_LINES {
        let detail = format!("a bill has at most {MAX_LINES} lines");
        let problem = Problem::new(ProblemCode::TooManyLines, place.as_str(), detail);
        return Read {
            place,
            outcome: Err(vec![problem]),
            origins: Vec::new(),
        };
    }
    let mut building = Building {
        sheet,
        context,
        currency: context.default_currency,
        message: json!({}),
        bill: json!({}),
        lines: Vec::new(),
        correlates: Listed::default(),
        diagnoses: Listed::default(),
        practitioners: Listed::default(),
        of_bill: Vec::new(),
        of_message: Vec::new(),
        problems: Vec::new(),
    };
    building.currency(rows);
    for row in rows {
        building.row(*row);
    }
    building.read(place)
}

impl Building<'_> {
    /// Amounts are read in the bill's currency, so that is looked for first.
    fn currency(&mut self, rows: &[usize]) {
        let columns = self.sheet.titles.iter().enumerate();
        let column = columns.filter(|(_, title)| title.column.path == ["currency"]);
        let cells = column.flat_map(|(index, _)| rows.iter().map(move |row| (*row, index)));
        let named = cells.map(|(row, index)| self.sheet.cell(row, index).trim());
        let named: Vec<_> = named.filter(|text| !text.is_empty()).collect();
        if let Some(currency) = named.first().and_then(|text| Currency::parse(text)) {
            self.currency = Some(currency);
        }
    }

    fn row(&mut self, row: usize) {
        let line_at = format!("/lines/{}", self.lines.len());
        let mut line = json!({"seq": self.lines.len() + 1});
        let (mut practitioner, mut told_by) = (json!({}), None);
        let mut diagnoses: Vec<usize> = Vec::new();
        for (index, title) in self.sheet.titles.iter().enumerate() {
            let text = self.sheet.cell(row, index).trim();
            let cell = self.sheet.place(row, title);
            if text.is_empty() {
                if title.column.title == KEY {
                    let detail = "the row names no bill";
                    self.problems
                        .push(Problem::new(ProblemCode::Missing, cell, detail));
                }
                continue;
            }
            let value = match self.value(title, text) {
                Ok(value) => value,
                Err((code, detail)) => {
                    self.problems.push(Problem::new(code, cell, detail));
                    continue;
                }
            };
            match title.column.of {
                Belongs::Line => {
                    self.of_bill
                        .push((pointer(&line_at, title.column.path), cell));
                    put(&mut line, title.column.path, value);
                }
                Belongs::Diagnosis => {
                    let own = json!({"coded": {"source": value}});
                    let place = self.diagnoses.place(own);
                    self.of_bill.push((format!("/diagnoses/{place}"), cell));
                    diagnoses.push(place + 1);
                }
                Belongs::Practitioner => {
                    put(&mut practitioner, title.column.path, value);
                    told_by = Some(cell);
                }
                Belongs::Earlier(relation) => {
                    let own = json!({"relation": relation, "identifier": value});
                    let place = self.correlates.place(own);
                    self.of_message.push((format!("/correlates/{place}"), cell));
                }
                Belongs::Head | Belongs::Bill => self.once(title, value, cell),
                Belongs::Nothing => {}
            }
        }
        if let Some(cell) = told_by {
            let place = self.practitioners.place(practitioner);
            self.of_bill.push((format!("/care_team/{place}"), cell));
            put(&mut line, &["practitioners"], json!([place + 1]));
        }
        if !diagnoses.is_empty() {
            diagnoses.sort_unstable();
            diagnoses.dedup();
            put(&mut line, &["diagnoses"], json!(diagnoses));
        }
        let row = format!("/{}", self.sheet.number(row));
        self.of_bill.push((line_at, row));
        self.lines.push(line);
    }

    /// What the rows of a bill say once: each says the same, or nothing.
    fn once(&mut self, title: &Title, value: Value, cell: String) {
        let path = title.column.path;
        let (whole, origins) = match title.column.of {
            Belongs::Bill => (&mut self.bill, &mut self.of_bill),
            _ => (&mut self.message, &mut self.of_message),
        };
        let at = pointer("", path);
        match whole.pointer(&at) {
            None => {
                put(whole, path, value);
                origins.push((at, cell));
            }
            Some(earlier) if *earlier == value => {}
            Some(_) => {
                let detail = "another row of the same bill says otherwise";
                self.problems
                    .push(Problem::new(ProblemCode::BadValue, cell, detail));
            }
        }
    }

    /// A cell as native JSON has it.
    fn value(&self, title: &Title, text: &str) -> Result<Value, (ProblemCode, String)> {
        let wrong = |detail: &str| (ProblemCode::BadValue, detail.to_owned());
        let system = |own: Option<&'static str>| {
            let (named, rest) = match text.rsplit_once('|') {
                Some((system, rest)) => (Some(system.trim().to_owned()), rest.trim()),
                None => (title.system.clone().or(own.map(str::to_owned)), text),
            };
            let missing = || {
                let detail = format!(
                    "the system is missing: put it into the title, as in \"{} [urn:…]\"",
                    title.column.title
                );
                (ProblemCode::Missing, detail)
            };
            Ok((named.ok_or_else(missing)?, rest.to_owned()))
        };
        Ok(match title.column.cell {
            Cell::Text => Value::from(text),
            Cell::Count => match digits(text).parse::<u32>() {
                Ok(count) => Value::from(count),
                Err(_) => return Err(wrong("expected a whole number")),
            },
            Cell::Kind => {
                let names: Vec<&str> = KINDS.iter().map(|own| own.0).collect();
                let lower = text.to_lowercase();
                let known = names.iter().find(|own| **own == lower);
                let expected = || wrong(&format!("expected one of {}", names.join(", ")));
                Value::from(*known.ok_or_else(expected)?)
            }
            Cell::Date => {
                let plain = digits(text).replace('/', "-");
                match title.calendar {
                    // A month or a year is left to the reader of native messages, which knows what may be one.
                    Calendar::Gregorian => Value::from(plain),
                    calendar => {
                        let day = Date::parse_in(&plain, calendar);
                        let wrong = || {
                            let detail =
                                "expected a day of the calendar that the title names: YYYY-MM-DD";
                            (ProblemCode::BadDate, detail.to_owned())
                        };
                        Value::from(day.ok_or_else(wrong)?.to_string())
                    }
                }
            }
            Cell::Amount => {
                let plain = digits(text)
                    .replace('٫', ".")
                    .replace(['٬', ' ', '\u{a0}'], "");
                let missing = || {
                    let detail = "an amount needs a currency: a column for it, or one agreed with the sender";
                    (ProblemCode::UnknownCurrency, detail.to_owned())
                };
                let currency = self.currency.ok_or_else(missing)?;
                let exponent = currency.exponent(self.context.today);
                let read = Amount::from_decimal(&plain, exponent);
                match read {
                    Ok((amount, false)) => Value::from(amount.get()),
                    Ok((_, true)) => return Err(wrong("finer than the currency's smallest unit")),
                    Err(error) => return Err(wrong(&error.to_string())),
                }
            }
            Cell::Code => {
                let (system, code) = system(None)?;
                json!({"system": system, "code": code})
            }
            Cell::Identifier(own) => {
                let (system, value) = system(own)?;
                json!({"system": system, "value": value})
            }
        })
    }

    /// The message, read as a native one.
    fn read(mut self, place: String) -> Read {
        let kind = self.message.get("kind").and_then(Value::as_str);
        let kind = kind.unwrap_or(CLAIM).to_owned();
        let root = KINDS.iter().find(|(own, _)| *own == kind);
        let root = root.map_or(&[][..], |(_, root)| root);
        for (name, items) in [
            ("lines", self.lines),
            ("diagnoses", self.diagnoses.numbered()),
            ("care_team", self.practitioners.numbered()),
        ] {
            if !items.is_empty() {
                put(&mut self.bill, &[name], items.into());
            }
        }
        if !self.correlates.items.is_empty() {
            put(
                &mut self.message,
                &["correlates"],
                self.correlates.items.into(),
            );
        }
        put(&mut self.message, &["kind"], kind.into());
        put(&mut self.message, root, self.bill);
        let at = pointer("", root);
        let of_bill = self.of_bill.into_iter();
        let of_bill = of_bill.map(|(inner, cell)| (format!("{at}{inner}"), cell));
        // What stands nowhere in the rows is told of the bill as a whole.
        let whole = [(String::new(), place.clone())];
        let mut read = Read {
            place,
            outcome: Err(self.problems),
            origins: self
                .of_message
                .into_iter()
                .chain(of_bill)
                .chain(whole)
                .collect(),
        };
        if matches!(&read.outcome, Err(problems) if !problems.is_empty()) {
            return read;
        }
        let text = self.message.to_string();
        let native = (native::FORMAT.read)(text.as_bytes(), self.context);
        read.outcome = match native.map(|reading| reading.messages.into_iter().next()) {
            Ok(Some(native)) => native.outcome.map_err(|mut problems| {
                for problem in &mut problems {
                    problem.pointer = read.locate(&problem.pointer);
                }
                problems
            }),
            Ok(None) => Err(Vec::new()),
            Err(problem) => Err(vec![problem]),
        };
        read
    }
}

fn pointer(root: &str, path: &[&str]) -> String {
    path.iter()
        .fold(root.to_owned(), |at, step| format!("{at}/{step}"))
}

/// Puts a value where the steps lead, making what is missing on the way: a step that is 0 leads into a list of one.
fn put(whole: &mut Value, steps: &[&str], value: Value) {
    let Some((step, rest)) = steps.split_first() else {
        *whole = value;
        return;
    };
    if *step == "0" {
        let mut inner = match whole {
            Value::Array(items) => items.pop().unwrap_or_default(),
            _ => Value::Null,
        };
        put(&mut inner, rest, value);
        *whole = Value::Array(vec![inner]);
        return;
    }
    if !whole.is_object() {
        *whole = Value::Object(Map::new());
    }
    if let Value::Object(members) = whole {
        put(members.entry(*step).or_insert(Value::Null), rest, value);
    }
}
