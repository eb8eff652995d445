//! Rows and cells, before anything is made of them.

use std::borrow::Cow;
use std::collections::HashMap;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use takmil_domain::date::Calendar;
use takmil_domain::problem::{Problem, ProblemCode};
use takmil_domain::text::{digits, normalise};

use super::columns::{COLUMNS, Cell, Column, KEY, ROW};
use crate::encoding;

/// How much of a body is looked at for its titles.
const WINDOW: usize = 8 * 1024;

/// What may part cells.
const DELIMITERS: [char; 3] = ['\t', ';', ','];

/// The title of a column of a sheet.
#[derive(Debug)]
pub(super) struct Title {
    pub(super) column: &'static Column,
    /// The system of its codes or identifiers, where it names one.
    pub(super) system: Option<String>,
    /// The calendar of its days.
    pub(super) calendar: Calendar,
}

/// A sheet.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) titles: Vec<Title>,
    /// The titles as they were written.
    written: StringRecord,
    /// The rows that hold something, each with its number.
    rows: Vec<(u64, StringRecord)>,
}

/// Whether a body begins with titles, the one of bills among them.
pub(super) fn recognise(body: &[u8]) -> bool {
    let window = body.get(..WINDOW).unwrap_or(body);
    // What is cut within a letter is no sheet of ours: titles are far shorter.
    let end = window
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(window.len(), |end| end + 1);
    let wide = matches!(window, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]);
    let first = if wide {
        window
    } else {
        window.get(..end).unwrap_or(window)
    };
    let Ok(text) = encoding::decode(first, None) else {
        return false;
    };
    let line = text.lines().next().unwrap_or_default();
    let parted = line.split(delimiter(line));
    let known = parted.filter_map(|cell| column(split(cell.trim().trim_matches('"')).0));
    let titles: Vec<&str> = known.map(|column| column.title).collect();
    titles.contains(&KEY) && titles.len() > 1
}

/// The delimiter that stands most often in the line of titles.
fn delimiter(line: &str) -> char {
    let count = |delimiter: &char| line.matches(*delimiter).count();
    // Of those that stand equally often, the one that is seldom part of a text: the last of the greatest is taken.
    DELIMITERS
        .into_iter()
        .rev()
        .max_by_key(count)
        .unwrap_or(',')
}

/// A title and what stands behind it in brackets.
fn split(cell: &str) -> (&str, Option<&str>) {
    let bracket = cell
        .strip_suffix(']')
        .and_then(|cell| cell.rsplit_once('['));
    match bracket {
        Some((title, inner)) => (title.trim(), Some(inner.trim())),
        None => (cell.trim(), None),
    }
}

/// The column of a title, in any language, however it is typed.
fn column(title: &str) -> Option<&'static Column> {
    let plain = |text: &str| normalise(&text.to_lowercase().replace('_', " ")).into_owned();
    let wanted = plain(title);
    let is = |own: &&str| plain(own) == wanted;
    let english = COLUMNS.iter().find(|column| is(&column.title));
    english.or_else(|| COLUMNS.iter().find(|column| column.others.iter().any(is)))
}

fn title(cell: &str, place: usize) -> Result<Title, Problem> {
    let at = || format!("/1/{place}");
    let (name, bracket) = split(cell);
    let unknown = || {
        let titles: Vec<&str> = COLUMNS.iter().map(|column| column.title).collect();
        let detail = format!("no column has this title; there are {}", titles.join(", "));
        Problem::new(ProblemCode::Unknown, at(), detail)
    };
    let column = column(name).ok_or_else(unknown)?;
    let wrong = |detail: &str| Problem::new(ProblemCode::BadValue, at(), detail);
    let (mut system, mut calendar) = (None, Calendar::default());
    match (column.cell, bracket) {
        (_, None) => {}
        (Cell::Code | Cell::Identifier(_), Some(named)) if !named.is_empty() => {
            system = Some(named.to_owned());
        }
        (Cell::Date, Some(named)) => {
            calendar = match named.to_lowercase().as_str() {
                "gregorian" => Calendar::Gregorian,
                "persian" => Calendar::Persian,
                "hijri" => Calendar::Hijri,
                _ => {
                    return Err(wrong(
                        "expected gregorian, persian or hijri in the brackets",
                    ));
                }
            };
        }
        (_, Some(_)) => return Err(wrong("this title has nothing in brackets")),
    }
    Ok(Title {
        column,
        system,
        calendar,
    })
}

impl Sheet {
    /// Reads a body's rows and titles.
    pub(super) fn parse(body: &[u8]) -> Result<Sheet, Problem> {
        let text = encoding::decode(body, None)?;
        let first = text.lines().next().unwrap_or_default();
        let delimiter = u8::try_from(delimiter(first)).unwrap_or(b',');
        let mut reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(text.as_bytes());
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(|_| {
                let detail = "the rows cannot be parted into cells";
                Problem::new(ProblemCode::Malformed, "", detail)
            })?;
            let line = line(&text, &record);
            if rows.is_empty() || record.iter().any(|cell| !cell.trim().is_empty()) {
                rows.push((line, record));
            }
        }
        let mut rows = rows.into_iter();
        let written = rows.next().map(|(_, record)| record).unwrap_or_default();
        let cells = written.iter().zip(1..);
        let titles = cells
            .map(|(cell, place)| title(cell, place))
            .collect::<Result<Vec<_>, _>>()?;
        let sheet = Sheet {
            titles,
            written,
            rows: rows.collect(),
        };
        sheet.check()?;
        Ok(sheet)
    }

    fn check(&self) -> Result<(), Problem> {
        if !self.titles.iter().any(|title| title.column.title == KEY) {
            let detail = format!("a column with the title \"{KEY}\" is required");
            return Err(Problem::new(ProblemCode::Missing, "/1", detail));
        }
        for (place, title) in (1_usize..).zip(&self.titles) {
            let same = |own: &&Title| own.column.title == title.column.title;
            if self.titles.iter().filter(same).count() > 1 && title.column.title != "diagnosis" {
                let detail = "the title stands twice; diagnoses alone may have several columns";
                return Err(Problem::new(
                    ProblemCode::TooMany,
                    format!("/1/{place}"),
                    detail,
                ));
            }
        }
        let wide = self.rows.iter().find(|(_, record)| {
            let mut beyond = record.iter().skip(self.titles.len());
            beyond.any(|cell| !cell.trim().is_empty())
        });
        match wide {
            None => Ok(()),
            Some((line, _)) => {
                let detail = "the row has more cells than there are titles";
                Err(Problem::new(
                    ProblemCode::TooMany,
                    format!("/{line}"),
                    detail,
                ))
            }
        }
    }

    /// The rows of each bill, in the order in which bills begin. A row that names none stands alone.
    pub(super) fn bills(&self) -> Vec<Vec<usize>> {
        let column = self
            .titles
            .iter()
            .position(|title| title.column.title == KEY);
        let mut places: HashMap<Cow<'_, str>, usize> = HashMap::new();
        let mut bills: Vec<Vec<usize>> = Vec::new();
        for row in 0..self.rows.len() {
            let named = normalise(self.cell(row, column.unwrap_or_default()));
            let known = if named.is_empty() {
                None
            } else {
                places.get(&named).copied()
            };
            match known.and_then(|place| bills.get_mut(place)) {
                Some(rows) => rows.push(row),
                None => {
                    places.insert(named, bills.len());
                    bills.push(vec![row]);
                }
            }
        }
        bills
    }

    /// A cell as it was written; empty where the row is shorter.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        let row = self.rows.get(row).map(|(_, record)| record);
        row.and_then(|record| record.get(column))
            .unwrap_or_default()
    }

    /// The number of a row: the one that it names, else its line's.
    pub(super) fn number(&self, row: usize) -> u64 {
        let column = self
            .titles
            .iter()
            .position(|title| title.column.title == ROW);
        let named = column.and_then(|column| digits(self.cell(row, column)).trim().parse().ok());
        let line = || self.rows.get(row).map_or(0, |(line, _)| *line);
        named.unwrap_or_else(line)
    }

    /// Where a cell stands.
    pub(super) fn place(&self, row: usize, title: &Title) -> String {
        format!("/{}/{}", self.number(row), title.column.title)
    }
}

/// The line on which a row begins, from 1. Empty lines before a row are no rows, and count as lines.
pub(crate) fn line(text: &str, row: &StringRecord) -> u64 {
    row.position().map_or(0, |position| {
        let at = usize::try_from(position.byte()).unwrap_or(usize::MAX);
        let before = text.get(at..).unwrap_or_default().chars();
        let before = before.take_while(|letter| matches!(letter, '\r' | '\n'));
        let empty = before.filter(|letter| *letter == '\n').count();
        position
            .line()
            .saturating_add(u64::try_from(empty).unwrap_or(0))
    })
}

/// Each bill of a sheet as a sheet of its own, whose rows keep their numbers, with the number of its first row.
///
/// # Errors
/// A problem of the sheet as a whole.
pub(crate) fn parts(body: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, Problem> {
    let sheet = Sheet::parse(body)?;
    let numbered = sheet.titles.iter().any(|title| title.column.title == ROW);
    let written = |rows: &Vec<usize>| {
        let mut writer = WriterBuilder::new().flexible(true).from_writer(Vec::new());
        // Writing to memory does not fail.
        let mut write = |number: &str, record: &StringRecord| {
            let number = (!numbered).then_some(number);
            drop(writer.write_record(number.into_iter().chain(record)));
        };
        write(ROW, &sheet.written);
        for row in rows {
            if let Some((line, record)) = sheet.rows.get(*row) {
                write(&line.to_string(), record);
            }
        }
        let first = rows.first().map_or(0, |row| sheet.number(*row));
        (first, writer.into_inner().unwrap_or_default())
    };
    Ok(sheet.bills().iter().map(written).collect())
}
