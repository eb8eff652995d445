//! Flat files of the past: rows with named columns that tell what was billed and what its insurer paid. They are history,
//! never messages to be decided again.
//!
//! Read are the claims files of the US Medicare centres (RIF), their synthetic public use files (DE-SynPUF) as text and in a
//! partner's XML, and the rows of their data warehouse as JSON. What was decided is told as
//! [`fhir::HISTORY`](crate::fhir::HISTORY) tells it: a part for each amount, whose code says which it is.

mod bill;
mod columns;
mod dialect;
mod lines;
mod parts;
mod table;

use serde_json::{Map, Value};
use takmil_domain::problem::{Problem, ProblemCode};

use crate::{Context, Format, Read, Reading, encoding, native};
use bill::Building;
use dialect::Dialect;
use table::Table;

/// Rows with what insurers decided.
pub const HISTORY: Format = Format {
    name: "rows",
    media_types: &[],
    recognise,
    read,
    answer: native::FORMAT.answer,
    write: None,
};

/// How much of a body is looked at for its titles.
const WINDOW: usize = 64 * 1024;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Text with titles.
    Text(Dialect),
    /// An element for each row.
    Xml,
    /// Rows of the warehouse.
    Json,
    /// A table of this field that holds no bills: what it holds instead.
    Other(&'static str),
}

/// What the titles of a table show: all of these in its first line, whose it is.
const TITLES: &[(&[&str], Shape)] = &[
    (&["DESYNPUF_ID", "CLM_ID"], Shape::Text(Dialect::Public)),
    (&["DESYNPUF_ID", "PDE_ID"], Shape::Text(Dialect::Public)),
    (&["DESYNPUF_ID", "BENE_BIRTH_DT"], Shape::Other("members")),
    (
        &["DML_IND", "BENE_ID", "CLM_ID"],
        Shape::Text(Dialect::Files),
    ),
    (
        &["DML_IND", "BENE_ID", "PDE_ID"],
        Shape::Text(Dialect::Files),
    ),
    (
        &["DML_IND", "BENE_ID", "BENE_BIRTH_DT"],
        Shape::Other("members"),
    ),
    (
        &["BENE_ID", "CARRIER_CLAIMS", "PDE_CLAIMS"],
        Shape::Other("counts of members' bills"),
    ),
];

/// What the first element of an XML body shows.
const ROOTS: &[(&str, Shape)] = &[
    ("CarrierClaims", Shape::Xml),
    ("InpatientClaims", Shape::Xml),
    ("OutpatientClaims", Shape::Xml),
    ("BeneficiarySummaries", Shape::Other("members")),
];

/// What `resourceType` says of a row of the warehouse.
const RESOURCES: &[(&str, Shape)] = &[
    ("ExplanationOfBenefitBase", Shape::Json),
    ("ExplanationOfBenefit-Pharmacy", Shape::Json),
    (REQUEST, Shape::Json),
    ("Beneficiary", Shape::Other("members")),
    ("CoverageBase", Shape::Other("covers")),
    ("Operation-C4DIC", Shape::Other("insurance cards")),
];

/// A request for leave with what was decided of it.
const REQUEST: &str = "ExplanationOfBenefit-PriorAuth";

fn recognise(body: &[u8]) -> bool {
    shape(body).is_some()
}

/// Whether a body is JSON whose resources are rows of the warehouse and none of FHIR's.
pub(crate) fn is_warehouse(body: &[u8]) -> bool {
    matches!(body.trim_ascii_start().first(), Some(b'{' | b'[')) && recognise(body)
}

fn shape(body: &[u8]) -> Option<Shape> {
    let window = body.get(..WINDOW).unwrap_or(body);
    let window = window.strip_prefix(b"\xef\xbb\xbf").unwrap_or(window);
    // What is cut within a letter is still read up to there.
    let text = String::from_utf8_lossy(window);
    match text.trim_start().chars().next()? {
        '<' => {
            let mut tags = text.split('<').skip(1);
            let root = tags.find(|tag| !tag.starts_with(['?', '!']))?;
            let (root, _) = root.split_once(|letter: char| !letter.is_ascii_alphabetic())?;
            let mut known = ROOTS.iter();
            known.find(|(own, _)| *own == root).map(|(_, shape)| *shape)
        }
        '{' | '[' => {
            let (_, after) = text.split_once("\"resourceType\"")?;
            let after = after.trim_start().strip_prefix(':')?;
            let (name, _) = after.trim_start().strip_prefix('"')?.split_once('"')?;
            let mut known = RESOURCES.iter();
            known.find(|(own, _)| *own == name).map(|(_, shape)| *shape)
        }
        _ => {
            let (_, titles) = table::titles(text.lines().next()?);
            let has = |wanted: &&str| titles.iter().any(|title| title == wanted);
            let mut known = TITLES.iter();
            let found = known.find(|(wanted, _)| wanted.iter().all(has));
            found.map(|(_, shape)| *shape)
        }
    }
}

fn read(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let nothing = |what: &str| Problem::new(ProblemCode::NoMessage, "", what);
    match shape(body) {
        None => Err(nothing(
            "no titles, elements or resources of rows that hold bills",
        )),
        Some(Shape::Other(what)) => Err(nothing(&format!("the rows are {what}, not bills"))),
        Some(Shape::Text(dialect)) => bills(&table::parse(body, dialect)?, context),
        Some(Shape::Xml) => bills(&table::parse_xml(body, Dialect::Public)?, context),
        Some(Shape::Json) if crate::lines::are(body) => {
            Ok(crate::lines::read(body, |line| documents(line, context)))
        }
        Some(Shape::Json) => documents(body, context),
    }
}

/// The bills of a table.
fn bills(table: &Table, context: &Context) -> Result<Reading, Problem> {
    let bills = table.bills();
    if bills.is_empty() {
        let detail = "there are titles and no rows";
        return Err(Problem::new(ProblemCode::NoMessage, "", detail));
    }
    let message = |rows: &Vec<usize>| {
        let mut building = Building::new(context);
        building.kind_of(table);
        let mut rows = rows.iter().filter_map(|row| table.rows.get(*row));
        let first = rows.next();
        let place = first.map_or_else(String::new, |row| row.place.clone());
        if let Some(first) = first {
            building.row(table, first, None);
        }
        for row in rows {
            building.row(table, row, first);
        }
        building.read(place)
    };
    Ok(Reading {
        messages: bills.iter().map(message).collect(),
        unread: Vec::new(),
    })
}

/// One row of the warehouse, or a list of them.
fn documents(body: &[u8], context: &Context) -> Result<Reading, Problem> {
    let text = encoding::decode(body, None)?;
    let malformed = |error: serde_json::Error| {
        let detail = format!("no JSON: line {}, column {}", error.line(), error.column());
        Problem::new(ProblemCode::Malformed, "", detail)
    };
    let whole: Value = serde_json::from_str(text.trim()).map_err(malformed)?;
    let messages = match whole {
        Value::Array(rows) => {
            let rows = rows.iter().enumerate();
            rows.map(|(place, row)| document(row, format!("/{place}"), context))
                .collect()
        }
        row => vec![document(&row, String::new(), context)],
    };
    Ok(Reading {
        messages,
        unread: Vec::new(),
    })
}

/// The lists of a row of the warehouse, in the order in which they are read, and whether each item is a line.
const LISTS: &[(&str, bool)] = &[
    ("diagnoses", false),
    ("procedures", false),
    ("supportingInfoComponents", false),
    ("lineItemComponents", true),
    ("priorAuthItem", true),
];

fn document(row: &Value, place: String, context: &Context) -> Read {
    let name = row.get("resourceType").and_then(Value::as_str);
    let known = RESOURCES.iter().find(|(own, _)| Some(*own) == name);
    let Some((object, (name, Shape::Json))) = row.as_object().zip(known) else {
        let detail = "no row that holds a bill";
        let problem = Problem::new(ProblemCode::NoMessage, place.as_str(), detail);
        return Read {
            place,
            outcome: Err(vec![problem]),
            origins: Vec::new(),
        };
    };
    let mut building = Building::new(context);
    if *name == REQUEST {
        building.is_request();
    }
    take(&mut building, object, &place, false);
    for (key, inner) in object {
        let at = format!("{place}/{key}");
        let list = LISTS.iter().any(|(list, _)| list == key);
        match inner {
            Value::Object(inner) => {
                take(&mut building, inner, &at, false);
                nested(&mut building, inner, &at);
            }
            Value::Array(items) if !list && !items.is_empty() => building.unread(at),
            _ => {}
        }
    }
    for (key, is_line) in LISTS {
        let items = object.get(*key).and_then(Value::as_array);
        for (number, item) in items.into_iter().flatten().enumerate() {
            let at = format!("{place}/{key}/{number}");
            match item {
                Value::Object(item) => {
                    take(&mut building, item, &at, *is_line);
                    nested(&mut building, item, &at);
                }
                _ => building.unread(at),
            }
        }
    }
    building.read(place)
}

/// Takes the plain members of an object.
fn take(building: &mut Building, object: &Map<String, Value>, at: &str, is_line: bool) {
    match table::of_object(object, at, is_line) {
        Ok(table) => {
            building.kind_of(&table);
            for row in &table.rows {
                building.row(&table, row, None);
            }
        }
        Err(problem) => building.wrong(problem),
    }
}

/// Tells of what an object holds beyond plain members.
fn nested(building: &mut Building, object: &Map<String, Value>, at: &str) {
    for (key, inner) in object {
        if inner.is_object() || inner.as_array().is_some_and(|list| !list.is_empty()) {
            building.unread(format!("{at}/{key}"));
        }
    }
}
