//! A table from somebody's file: any separated values with named columns.
//!
//! The one way in which tables are made, those shipped with the hub and those that a licence lets only
//! its holder use. The import names what each column of the file is:
//!
//! ```text
//! code=ndc,target=rxcui,equivalence="wider"
//! code=KOD,title_fa=SHARH,professional=HERFEI,technical=FANI
//! code=conceptId,title=term,active==1,typeId==900000000000003001
//! ```
//!
//! On the left the column of the table (see [`crate::table`]), on the right the name in the file's first
//! line, or, between quotation marks, one value for all rows. `code` is needed, for a map `target` and
//! `equivalence` too. `STATUS==ACTIVE|TRIAL` passes over the rows whose column of the file has no such value. A row whose equivalence leaves the meaning open (`inexact`, `relatedto`, `unmatched`) leads nowhere
//! by itself: what it names is kept among its `offers`, for a person to choose from. The file
//! may part its fields by commas, semicolons or tabs. Codes get their system's one spelling and texts one
//! spelling of their letters. Rows of the same code become one: their `parts` and `offers` are collected, and in
//! every other column they must agree or be empty. A row that does not fit is refused, with its line and
//! the reason, and the others go on.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{BufRead, BufReader, Read};

use csv::ByteRecord;
use takmil_domain::text;

use crate::Error;
use crate::spelling::{self, Spelled, Spelling};
use crate::systems;
use crate::table::{CODE, EQUIVALENCE, Head, OFFERS, PARTS, TARGET, Table};
use crate::tables;

/// The most rows that a source may have: an order above the largest national drug file, and few enough to hold in memory.
pub const MAX_ROWS: usize = 5_000_000;

/// The most bytes that a field may have: the longest descriptions of published lists take a quarter of it.
pub const MAX_FIELD: usize = 8_000;

/// What became of a source.
#[derive(Debug)]
pub struct Imported {
    /// The table of all rows that were taken.
    pub table: Table,
    /// How many rows the source has, without those that were passed over.
    pub read: usize,
    /// The rows that were not taken.
    pub refused: Vec<Refused>,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its line in the source, counted from 1.
    pub line: u64,
    /// Why.
    pub reason: Refusal,
}

/// Why a row was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It has more or fewer fields than the first line.
    Uneven,
    /// It is not UTF-8.
    NotText,
    /// A field is longer than [`MAX_FIELD`].
    TooLong,
    /// Its code is not written as one of the system can be.
    Misspelled,
    /// The code that it leads to, or one of its parts, is not written as it can be.
    MisspelledTarget,
    /// Its equivalence is none of FHIR's words equal, equivalent, wider, subsumes, narrower, specializes, inexact,
    /// relatedto, unmatched.
    UnknownEquivalence,
    /// An earlier row of the same code says something else.
    Contradicts,
    /// A drug has no name.
    NoName,
    /// Its severity is none of the words of [`crate::clinical::severity`].
    UnknownSeverity,
}

/// Reads `source`, whose columns `columns` names, into the table that `head` describes. The head may give
/// systems any name that the hub knows; the table has their canonical URIs.
///
/// # Errors
/// [`Error::Columns`] and [`Error::NoColumn`] for a wrong column list, [`Error::Source`] where the source
/// cannot be read at all, [`Error::TooManyRows`], [`Error::Form`] for a head that no table can have.
pub fn table(source: impl Read, head: &Head, columns: &str) -> Result<Imported, Error> {
    let spell = Spell {
        code: spelling_of(&head.system),
        target: spelling_of(head.target.as_deref().unwrap_or_default()),
    };
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut passed = 0;
    let Taken {
        columns: wanted,
        read,
        refused,
    } = each_row(
        source,
        |names| Wanted::parse(columns, names, head.target.is_some()),
        |wanted, record| {
            if !wanted.asks_for(record) {
                passed += 1;
                return Ok(());
            }
            let (code, fields) = wanted.row(record, &spell)?;
            wanted.add(&mut rows, code, fields)
        },
    )?;
    let head = Head {
        system: canonical(&head.system),
        target: head.target.as_deref().map(canonical),
        ..head.clone()
    };
    let mut names = wanted.names();
    // Most maps offer nothing; the column is the last.
    let is_idle = |fields: &Vec<String>| fields.last().is_some_and(String::is_empty);
    if names.last() == Some(&OFFERS) && rows.values().all(is_idle) {
        names.pop();
        rows.values_mut().for_each(|fields| {
            fields.pop();
        });
    }
    let table = Table::write(&head, &names, &rows)?;
    Ok(Imported {
        table,
        read: read.saturating_sub(passed),
        refused,
    })
}

/// What became of the rows of a source.
pub(crate) struct Taken<C> {
    /// What was made of the first line.
    pub(crate) columns: C,
    pub(crate) read: usize,
    pub(crate) refused: Vec<Refused>,
}

/// Reads separated values: `columns` is made of the names in the first line, and `take` takes each row that has as many
/// fields.
pub(crate) fn each_row<C>(
    source: impl Read,
    columns: impl FnOnce(&ByteRecord) -> Result<C, Error>,
    mut take: impl FnMut(&C, &ByteRecord) -> Result<(), Refusal>,
) -> Result<Taken<C>, Error> {
    let mut source = BufReader::new(source);
    let delimiter = delimiter(source.fill_buf().map_err(csv::Error::from)?);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(source);
    let names = reader.byte_headers()?.clone();
    let mut taken = Taken {
        columns: columns(&names)?,
        read: 0,
        refused: Vec::new(),
    };
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        taken.read += 1;
        if taken.read > MAX_ROWS {
            return Err(Error::TooManyRows { rows: MAX_ROWS });
        }
        let row = match record.len() == names.len() {
            true => take(&taken.columns, &record),
            false => Err(Refusal::Uneven),
        };
        if let Err(reason) = row {
            let line = record.position().map_or(0, csv::Position::line);
            taken.refused.push(Refused { line, reason });
        }
    }
    Ok(taken)
}

/// The character that parts the fields of the first line most often.
fn delimiter(start: &[u8]) -> u8 {
    let first = start
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let count = |delimiter: u8| first.iter().filter(|byte| **byte == delimiter).count();
    [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|delimiter| count(*delimiter))
        .unwrap_or(b',')
}

fn canonical(system: &str) -> String {
    systems::named(system)
        .map_or(system, |known| known.uri)
        .to_owned()
}

fn spelling_of(system: &str) -> Spelling {
    systems::named(system).map_or(spelling::plain, |known| known.spelling)
}

struct Spell {
    code: Spelling,
    target: Spelling,
}

impl Spell {
    fn exactly(spelling: Spelling, code: &str) -> Option<String> {
        match spelling(code) {
            Spelled::As(code) => Some(code),
            _ => None,
        }
    }

    /// One offer: a code, or several that go together, each of which may be one of some.
    fn offer(&self, offer: &str) -> Result<String, Refusal> {
        let one = |code: &str| Spell::exactly(self.target, code);
        let some = |codes: &str| -> Option<Vec<String>> { codes.split('/').map(one).collect() };
        let all = |offer: &str| -> Option<Vec<String>> {
            let some = |codes: &str| some(codes).map(|codes| codes.join("/"));
            offer.split('+').map(some).collect()
        };
        let offer = all(offer).ok_or(Refusal::MisspelledTarget)?;
        Ok(offer.join("+"))
    }
}

/// FHIR's words that leave the meaning open: no rule may rest on what such a row names.
const OPEN: &[&str] = &["inexact", "relatedto", "unmatched"];

/// Where the value of a column comes from.
enum From {
    Column(usize),
    Value(String),
}

/// The columns that an import wants, those after the code in the order of the table.
struct Wanted {
    code: From,
    rest: Vec<(String, From)>,
    /// Of each of these columns of the file, the values of the rows that are asked for.
    only: Vec<(usize, Vec<String>)>,
}

impl Wanted {
    fn parse(columns: &str, names: &ByteRecord, map: bool) -> Result<Wanted, Error> {
        let wrong = |part: &str| Error::Columns {
            part: part.to_owned(),
        };
        let mut code = None;
        let mut rest: Vec<(String, From)> = Vec::new();
        let mut only = Vec::new();
        for part in columns.split(',') {
            if let Some((name, values)) = part.split_once("==") {
                let values = values.split('|').map(|value| value.trim().to_owned());
                only.push((position(names, name.trim())?, values.collect()));
                continue;
            }
            let (name, from) = part.split_once('=').ok_or_else(|| wrong(part))?;
            let from = match from.trim().strip_prefix('"') {
                Some(value) => From::Value(
                    value
                        .strip_suffix('"')
                        .ok_or_else(|| wrong(part))?
                        .to_owned(),
                ),
                None => From::Column(position(names, from.trim())?),
            };
            match name.trim() {
                CODE if code.is_none() => code = Some(from),
                name if name == CODE
                    || name.is_empty()
                    || rest.iter().any(|(other, _)| other == name) =>
                {
                    return Err(wrong(part));
                }
                name => rest.push((name.to_owned(), from)),
            }
        }
        let has = |wanted: &str| rest.iter().any(|(name, _)| name == wanted);
        match code {
            Some(code) if has(TARGET) == map && has(EQUIVALENCE) == map => {
                if map {
                    let offers = rest.iter().position(|(name, _)| name == OFFERS);
                    let offers = offers.map(|at| rest.remove(at).1);
                    let none = || From::Value(String::new());
                    rest.push((OFFERS.to_owned(), offers.unwrap_or_else(none)));
                }
                Ok(Wanted { code, rest, only })
            }
            _ => Err(wrong(columns)),
        }
    }

    fn names(&self) -> Vec<&str> {
        self.rest.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a row has the values that are asked for.
    fn asks_for(&self, record: &ByteRecord) -> bool {
        let has = |(at, values): &(usize, Vec<String>)| {
            let field = record.get(*at).unwrap_or_default().trim_ascii();
            values.iter().any(|value| value.as_bytes() == field)
        };
        self.only.iter().all(has)
    }

    fn row(&self, record: &ByteRecord, spell: &Spell) -> Result<(String, Vec<String>), Refusal> {
        let code =
            Spell::exactly(spell.code, &self.code.value(record)?).ok_or(Refusal::Misspelled)?;
        let mut fields = Vec::with_capacity(self.rest.len());
        // Where the meaning is left open, what the row leads to is only offered.
        let mut offered = None;
        let is_open = self.is_open(record)?;
        for (name, from) in &self.rest {
            let value = from.value(record)?;
            fields.push(match name.as_str() {
                TARGET if is_open => {
                    if !value.is_empty() {
                        offered = Some(spell.offer(&value)?);
                    }
                    String::new()
                }
                TARGET => Spell::exactly(spell.target, &value).ok_or(Refusal::MisspelledTarget)?,
                OFFERS => match (value.is_empty(), offered.take()) {
                    (true, offered) => offered.unwrap_or_default(),
                    (false, _) => spell.offer(&value)?,
                },
                PARTS if !value.is_empty() => {
                    Spell::exactly(spell.code, &value).ok_or(Refusal::MisspelledTarget)?
                }
                EQUIVALENCE if tables::equivalence(&value).is_none() && !is_open => {
                    return Err(Refusal::UnknownEquivalence);
                }
                _ => value,
            });
        }
        Ok((code, fields))
    }

    /// Whether a row of a map leaves the meaning open.
    fn is_open(&self, record: &ByteRecord) -> Result<bool, Refusal> {
        let named = self.rest.iter().find(|(name, _)| name == EQUIVALENCE);
        match named {
            Some((_, from)) => Ok(OPEN.contains(&from.value(record)?.as_str())),
            None => Ok(false),
        }
    }

    fn add(
        &self,
        rows: &mut BTreeMap<String, Vec<String>>,
        code: String,
        fields: Vec<String>,
    ) -> Result<(), Refusal> {
        let mut known = match rows.entry(code) {
            Entry::Vacant(place) => {
                place.insert(fields);
                return Ok(());
            }
            Entry::Occupied(known) => known,
        };
        let parts = |name: &str| name == PARTS || name == OFFERS;
        let agree = |one: &str, other: &str| one.is_empty() || other.is_empty() || one == other;
        if !self
            .rest
            .iter()
            .zip(known.get().iter().zip(&fields))
            .all(|((name, _), (one, other))| parts(name) || agree(one, other))
        {
            return Err(Refusal::Contradicts);
        }
        for ((name, _), (field, more)) in
            self.rest.iter().zip(known.get_mut().iter_mut().zip(fields))
        {
            if parts(name) {
                add_part(field, &more);
            } else if field.is_empty() {
                *field = more;
            }
        }
        Ok(())
    }
}

impl From {
    fn value(&self, record: &ByteRecord) -> Result<String, Refusal> {
        match self {
            From::Value(value) => Ok(value.clone()),
            From::Column(index) => {
                let value = std::str::from_utf8(record.get(*index).unwrap_or_default())
                    .map_err(|_| Refusal::NotText)?;
                if value.len() > MAX_FIELD {
                    return Err(Refusal::TooLong);
                }
                Ok(text::normalise(value)
                    .chars()
                    .filter(|letter| !letter.is_control())
                    .collect())
            }
        }
    }
}

/// The place of a column by its name in the first line, which may start with a byte order mark.
pub(crate) fn position(names: &ByteRecord, wanted: &str) -> Result<usize, Error> {
    let plain = |name: &[u8]| text::normalise(&String::from_utf8_lossy(name)).into_owned();
    let wanted_plain = plain(wanted.as_bytes());
    names
        .iter()
        .position(|name| plain(name) == wanted_plain)
        .ok_or_else(|| Error::NoColumn {
            column: wanted.to_owned(),
        })
}

fn add_part(parts: &mut String, more: &str) {
    let mut all: Vec<&str> = parts
        .split(' ')
        .chain([more])
        .filter(|part| !part.is_empty())
        .collect();
    all.sort_unstable();
    all.dedup();
    *parts = all.join(" ");
}
