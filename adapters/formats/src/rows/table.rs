//! Rows with named columns, out of whatever holds them: text with a line of titles, XML with an element for each row, or
//! an object of JSON, whose keys are the titles of its one row.

use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord};
use serde_json::{Map, Value};
use takmil_domain::problem::{Problem, ProblemCode};

use super::columns::{self, LINE_STARTS, OF_LINES, Role};
use super::dialect::Dialect;
use crate::xml;
use crate::{encoding, sheet};

/// How many columns a table may have. The widest of the past have 300.
const MAX_COLUMNS: usize = 2_000;

/// How many cells of a body may say something, room for lines that are none left aside. Each becomes a part of a message
/// that is many times as long.
const MAX_CELLS: usize = 500_000;

/// Which line a column speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum About {
    /// None: the bill.
    Bill,
    /// That of its row.
    Row,
    /// The one of this number.
    Line(usize),
}

/// A column.
#[derive(Debug)]
pub(super) struct Column {
    /// As the body writes it.
    pub(super) written: String,
    /// As the codebook calls it, without the number at its end.
    pub(super) name: String,
    /// The number at its end.
    pub(super) number: Option<usize>,
    /// What its cells are, where that is known.
    pub(super) role: Option<Role>,
    /// Which line it speaks of.
    pub(super) about: About,
}

/// A row, and where it stands.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) place: String,
    /// Why its cells cannot be told apart.
    pub(super) fault: Option<String>,
    cells: StringRecord,
}

/// Rows under one list of titles.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) dialect: Dialect,
    pub(super) columns: Vec<Column>,
    /// The columns by name and number.
    index: HashMap<(String, Option<usize>), usize>,
    pub(super) rows: Vec<Row>,
}

impl Table {
    /// A table of these titles, each as it is written and as the codebook has it.
    fn new(dialect: Dialect, titles: impl Iterator<Item = (String, String)>) -> Table {
        let mut columns: Vec<Column> = Vec::new();
        let mut index = HashMap::new();
        let mut is_line = false;
        for (written, title) in titles {
            let (role, name, number) = match columns::role(&title) {
                Some((role, name, number)) => (Some(role), name.to_owned(), number),
                None => (None, title.clone(), None),
            };
            is_line |= LINE_STARTS.contains(&title.as_str());
            let about = match number {
                Some(number) if OF_LINES.contains(&name.as_str()) => About::Line(number),
                _ if is_line => About::Row,
                _ => About::Bill,
            };
            index.insert((name.clone(), number), columns.len());
            columns.push(Column {
                written,
                name,
                number,
                role,
                about,
            });
        }
        Table {
            dialect,
            columns,
            index,
            rows: Vec::new(),
        }
    }

    /// How many cells say something.
    fn told(&self, cells: &StringRecord) -> usize {
        let cells = cells.iter().zip(&self.columns);
        let told = cells.filter(|(cell, column)| match column.about {
            About::Line(_) => !is_nothing(cell.trim()),
            About::Bill | About::Row => !cell.trim().is_empty(),
        });
        told.count()
    }

    /// The cell of a row, where it says something.
    pub(super) fn cell<'t>(&'t self, row: &'t Row, column: usize) -> Option<&'t str> {
        let text = row.cells.get(column)?.trim();
        (!self.dialect.is_blank(text)).then_some(text)
    }

    /// The cell under a name and number.
    pub(super) fn named<'t>(
        &'t self,
        row: &'t Row,
        name: &str,
        number: Option<usize>,
    ) -> Option<&'t str> {
        let column = self.index.get(&(name.to_owned(), number))?;
        self.cell(row, *column)
    }

    /// Whether there is a column of this name, with any number or none.
    pub(super) fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }

    /// Where a cell stands.
    pub(super) fn place(&self, row: &Row, column: &Column) -> String {
        format!("{}/{}", row.place, column.written)
    }

    /// The rows of each bill, in the order in which bills begin. A row that names none stands alone.
    pub(super) fn bills(&self) -> Vec<Vec<usize>> {
        let is_key = |column: &Column| matches!(column.role, Some(Role::Key(_)));
        let key = self.columns.iter().position(is_key);
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut bills: Vec<Vec<usize>> = Vec::new();
        for (number, row) in self.rows.iter().enumerate() {
            let named = key.and_then(|key| self.cell(row, key));
            let known = named.and_then(|named| places.get(named).copied());
            match known.and_then(|place| bills.get_mut(place)) {
                Some(rows) => rows.push(number),
                None => {
                    if let Some(named) = named {
                        places.insert(named, bills.len());
                    }
                    bills.push(vec![number]);
                }
            }
        }
        bills
    }
}

/// Whether a cell says nothing, or that it costs nothing.
pub(super) fn is_nothing(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

fn malformed(what: &str) -> Problem {
    Problem::new(ProblemCode::Malformed, "", what)
}

fn bounded(count: usize, place: &str) -> Result<(), Problem> {
    if count > MAX_COLUMNS {
        let detail = format!("a table has at most {MAX_COLUMNS} columns");
        return Err(Problem::new(ProblemCode::TooMany, place, detail));
    }
    Ok(())
}

/// The titles of a body that is text with titles: whose rows they are shows by them.
pub(super) fn titles(line: &str) -> (u8, Vec<String>) {
    let delimiter = if line.contains('|') { b'|' } else { b',' };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .from_reader(line.as_bytes());
    let first = reader.records().next().and_then(Result::ok);
    let titles = first.unwrap_or_default();
    (
        delimiter,
        titles.iter().map(|title| title.trim().to_owned()).collect(),
    )
}

/// Reads text with a line of titles. The first line is 1.
///
/// # Errors
/// What is wrong with the whole of it.
pub(super) fn parse(body: &[u8], dialect: Dialect) -> Result<Table, Problem> {
    let text = encoding::decode(body, None)?;
    let first = text.lines().next().unwrap_or_default();
    let (delimiter, titles) = titles(first);
    bounded(titles.len(), "/1")?;
    let mut table = Table::new(
        dialect,
        titles.into_iter().map(|title| (title.clone(), title)),
    );
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(true)
        .flexible(true)
        .quoting(delimiter == b',')
        .from_reader(text.as_bytes());
    let mut count = 0_usize;
    for cells in reader.records() {
        let cells = cells.map_err(|_| malformed("the rows cannot be parted into cells"))?;
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        let line = sheet::line(&text, &cells);
        let place = format!("/{line}");
        count = count.saturating_add(table.told(&cells));
        if count > MAX_CELLS {
            let detail = format!("at most {MAX_CELLS} cells of a body are read: part it");
            return Err(Problem::new(ProblemCode::TooLarge, place, detail));
        }
        // Some writers end each row with a delimiter.
        let beyond = cells.iter().skip(table.columns.len());
        let is_whole = cells.len() >= table.columns.len();
        let fault = match is_whole && beyond.into_iter().all(|cell| cell.trim().is_empty()) {
            true => None,
            false => Some(format!(
                "the row has {} cells under {} titles",
                cells.len(),
                table.columns.len()
            )),
        };
        table.rows.push(Row {
            place,
            fault,
            cells,
        });
    }
    Ok(table)
}

/// Reads XML with an element for each row.
///
/// # Errors
/// What is wrong with the whole of it.
pub(super) fn parse_xml(body: &[u8], dialect: Dialect) -> Result<Table, Problem> {
    let text = encoding::decode(body, encoding::declared_in_xml(body))?;
    let root = xml::parse(&text, |_| false)?;
    let mut titles: Vec<String> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for cell in root.children().flat_map(xml::Element::children) {
        known.entry(cell.name.as_str()).or_insert_with(|| {
            titles.push(cell.name.clone());
            titles.len() - 1
        });
    }
    bounded(titles.len(), "")?;
    let named = titles
        .iter()
        .map(|title| (title.clone(), columns::column(title)));
    let mut table = Table::new(dialect, named);
    for (number, row) in (1_usize..).zip(root.children()) {
        let mut cells = vec![""; titles.len()];
        let place = format!("{}/{}[{number}]", root.place, row.name);
        for cell in row.children() {
            let at = known
                .get(cell.name.as_str())
                .and_then(|at| cells.get_mut(*at));
            let Some(slot) = at else { continue };
            if !slot.is_empty() {
                let detail = "an element stands twice in its row";
                let place = format!("{place}/{}", cell.name);
                return Err(Problem::new(ProblemCode::TooMany, place, detail));
            }
            *slot = cell.said().unwrap_or_default();
        }
        let cells = StringRecord::from(cells);
        table.rows.push(Row {
            place,
            fault: None,
            cells,
        });
    }
    Ok(table)
}

/// The one row that the plain members of an object are, at a place of the body; `is_line` where it tells of a line.
///
/// # Errors
/// More members than any row has.
pub(super) fn of_object(
    object: &Map<String, Value>,
    place: &str,
    is_line: bool,
) -> Result<Table, Problem> {
    bounded(object.len(), place)?;
    let plain = object.iter().filter_map(|(key, value)| match value {
        Value::String(text) => Some((key.clone(), text.clone())),
        Value::Number(number) => Some((key.clone(), number.to_string())),
        Value::Bool(yes) => Some((key.clone(), yes.to_string())),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    });
    let (titles, cells): (Vec<String>, Vec<String>) = plain.unzip();
    let titles = titles.into_iter().map(|title| (title.clone(), title));
    let mut table = Table::new(Dialect::Warehouse, titles);
    for column in &mut table.columns {
        column.about = if is_line { About::Row } else { About::Bill };
    }
    table.rows.push(Row {
        place: place.to_owned(),
        fault: None,
        cells: StringRecord::from(cells),
    });
    Ok(table)
}
