//! One table: the codes of a system, or a map from one system to another, with its provenance.
//!
//! A table is its text. Provenance lines, an empty line, the column names, then one row a line, fields
//! parted by tabs, sorted by code, each code once:
//!
//! ```text
//! id       ndc-rxnorm
//! system   http://hl7.org/fhir/sid/ndc
//! target   http://www.nlm.nih.gov/research/umls/rxnorm
//! …
//!
//! code     target
//! 00002080001   540930
//! ```
//!
//! The first column is `code`. Columns that the hub reads: `title` (English) and `title_<language>`;
//! `target` and `equivalence` in a map; `parts`, codes of the same system parted by spaces, such as the
//! ingredients of a drug; `offers` in a map, see [`OFFERS`]. Others are kept and can be asked for by name. The text is searched as it
//! stands, so that what is shipped, imported, stored and digested is the same bytes.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write;
use takmil_domain::date::Date;
use takmil_domain::digest::sha256;

use crate::Error;

/// Where a table comes from and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// A short name, unique among the tables of a hub: "icd-10-cm".
    pub id: String,
    /// Canonical URI of the system that the codes belong to.
    pub system: String,
    /// Canonical URI of the system that a map leads to; none for a list of codes.
    pub target: Option<String>,
    /// The edition, as its publisher names it.
    pub edition: String,
    /// The day of that edition.
    pub as_of: Date,
    /// Whether every valid code is listed. A code missing from a complete list is wrong; one missing from
    /// a fragment may be right.
    pub complete: bool,
    /// Whether the rows were invented for demonstration.
    pub synthetic: bool,
    /// The terms under which the rows may be used.
    pub licence: String,
    /// Who publishes it, and through what it was obtained.
    pub source: String,
}

/// A table, immutable.
#[derive(Debug)]
pub struct Table {
    head: Head,
    columns: Vec<String>,
    text: String,
    rows: Vec<Place>,
}

/// Where a row is.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// The first bytes of its code. A search goes by them, because they lie side by side in memory and the
    /// rows do not; it reads a row only where they are equal.
    key: u64,
    /// Where it starts in the text.
    start: u32,
}

/// One row of a table.
#[derive(Debug, Clone, Copy)]
pub struct Row<'t> {
    table: &'t Table,
    line: &'t str,
}

/// The name of the first column.
pub const CODE: &str = "code";
/// The column of a map that holds the code it leads to.
pub const TARGET: &str = "target";
/// The column of a map that says how the target stands to the code, in FHIR's words.
pub const EQUIVALENCE: &str = "equivalence";
/// The column that holds codes of the same system, parted by spaces.
pub const PARTS: &str = "parts";

/// The column of a map with what a row without a target offers a person to choose from, parted by spaces: a code, or
/// codes that are needed together, `E08.311/E08.319+E08.65`, each of which may be one of some.
pub const OFFERS: &str = "offers";

const YES: &str = "yes";
const NO: &str = "no";

impl Table {
    /// Reads a table from its text.
    ///
    /// # Errors
    /// [`Error::Form`] with the first line that breaks the form: a provenance line that is missing or not
    /// known, a row with too few or too many fields, rows that are unsorted or repeat a code.
    pub fn parse(text: String) -> Result<Table, Error> {
        if u32::try_from(text.len()).is_err() {
            return Err(form(1, "a table of more than 4 GB"));
        }
        let (head, head_lines) = read_head(&text)?;
        let mut place = 0;
        let mut columns = Vec::new();
        let mut rows = Vec::new();
        let mut last = "";
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let row = line
                .strip_suffix('\n')
                .ok_or(form(index + 1, "no end of line"))?;
            if index == head_lines {
                columns = read_columns(row, head.target.is_some())
                    .ok_or(form(index + 1, "column names"))?;
            } else if index > head_lines {
                let code = row.split('\t').next().unwrap_or_default();
                if row.matches('\t').count() + 1 != columns.len() {
                    return Err(form(index + 1, "fields and columns differ in number"));
                }
                if code.bytes().any(|byte| byte < b' ') {
                    return Err(form(index + 1, "a control character in a code"));
                }
                if code <= last {
                    return Err(form(
                        index + 1,
                        "not in the order of the codes, or a code twice",
                    ));
                }
                last = code;
                let start = u32::try_from(place).unwrap_or(u32::MAX);
                rows.push(Place {
                    key: key(code),
                    start,
                });
            }
            place += line.len();
        }
        if columns.is_empty() {
            return Err(form(head_lines + 1, "no column names"));
        }
        Ok(Table {
            head,
            columns,
            text,
            rows,
        })
    }

    /// Writes a table from rows whose fields follow `columns` after the code.
    ///
    /// # Errors
    /// As [`Table::parse`], for a field that holds a tab or an end of line, or for a wrong column.
    pub fn write(
        head: &Head,
        columns: &[&str],
        rows: &BTreeMap<String, Vec<String>>,
    ) -> Result<Table, Error> {
        let mut text = write_head(head);
        text.push_str(CODE);
        for column in columns {
            text.push('\t');
            text.push_str(column);
        }
        text.push('\n');
        for (code, fields) in rows {
            text.push_str(code);
            for field in fields {
                text.push('\t');
                text.push_str(field);
            }
            text.push('\n');
        }
        Self::parse(text)
    }

    /// Its provenance.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The whole text, to be stored or sent and read again by [`Table::parse`].
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The SHA-256 of [`Table::text`], in hexadecimal.
    pub fn digest(&self) -> String {
        sha256(self.text.as_bytes())
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// The row of exactly this code, in the table's own spelling.
    pub fn find(&self, code: &str) -> Option<Row<'_>> {
        let row = self.row(self.first_from(code))?;
        (row.code() == code).then_some(row)
    }

    /// The rows whose code starts with `prefix`, in order.
    pub fn starting_with<'t>(&'t self, prefix: &str) -> impl Iterator<Item = Row<'t>> {
        (self.first_from(prefix)..self.rows.len())
            .map_while(|index| self.row(index))
            .take_while(move |row| row.line.starts_with(prefix))
    }

    /// Every row, in the order of the codes.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.rows.len()).filter_map(|index| self.row(index))
    }

    /// The place of the first row whose code is not before `code`.
    fn first_from(&self, code: &str) -> usize {
        let wanted = key(code);
        self.rows
            .partition_point(|place| match place.key.cmp(&wanted) {
                Ordering::Equal => self.compare(*place, code.as_bytes()).is_lt(),
                other => other.is_lt(),
            })
    }

    fn row(&self, index: usize) -> Option<Row<'_>> {
        let start = usize::try_from(self.rows.get(index)?.start).ok()?;
        let end = match self.rows.get(index + 1) {
            Some(next) => usize::try_from(next.start).ok()?,
            None => self.text.len(),
        };
        let line = self.text.get(start..end)?.strip_suffix('\n')?;
        Some(Row { table: self, line })
    }

    /// How the code of the row at `place` stands to `code`. The tab that ends a shorter code sorts before
    /// every character that a code may hold, so comparing as many bytes as `code` has is enough.
    fn compare(&self, place: Place, code: &[u8]) -> Ordering {
        let row = usize::try_from(place.start)
            .ok()
            .and_then(|start| self.text.as_bytes().get(start..))
            .unwrap_or_default();
        match row.get(..code.len()) {
            Some(head) => head.cmp(code).then_with(|| match row.get(code.len()) {
                Some(b'\t' | b'\n') | None => Ordering::Equal,
                Some(_) => Ordering::Greater,
            }),
            None => row.cmp(code),
        }
    }
}

/// The first eight bytes of a code as a number that sorts as they do.
fn key(code: &str) -> u64 {
    let mut first = [0; 8];
    for (slot, byte) in first.iter_mut().zip(code.bytes()) {
        *slot = byte;
    }
    u64::from_be_bytes(first)
}

impl<'t> Row<'t> {
    /// Its code.
    pub fn code(&self) -> &'t str {
        self.line.split('\t').next().unwrap_or_default()
    }

    /// What it holds in the column of this name, unless that is empty.
    pub fn get(&self, column: &str) -> Option<&'t str> {
        let index = self.table.columns.iter().position(|name| name == column)?;
        self.line
            .split('\t')
            .nth(index)
            .filter(|field| !field.is_empty())
    }

    /// Its title in `language` (ISO 639-1), in English where it has none.
    pub fn title(&self, language: &str) -> Option<&'t str> {
        let own = self
            .table
            .columns
            .iter()
            .find(|name| name.strip_prefix("title_") == Some(language));
        own.and_then(|column| self.get(column))
            .or_else(|| self.get("title"))
    }

    /// The table that it is in.
    pub fn table(&self) -> &'t Table {
        self.table
    }

    /// What its columns hold that are not empty, after the code, in their order.
    pub fn fields(&self) -> impl Iterator<Item = (&'t str, &'t str)> + use<'t> {
        let columns = self.table.columns.iter().map(String::as_str);
        columns
            .zip(self.line.split('\t'))
            .skip(1)
            .filter(|(_, field)| !field.is_empty())
    }

    /// Its titles in every language it has them in.
    pub fn titles(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.fields()
            .filter(|(column, _)| column.starts_with("title"))
            .map(|(_, title)| title)
    }

    /// The codes in its `parts`.
    pub fn parts(&self) -> impl Iterator<Item = &'t str> + use<'t> {
        self.get(PARTS)
            .unwrap_or_default()
            .split(' ')
            .filter(|part| !part.is_empty())
    }
}

fn form(line: usize, what: &'static str) -> Error {
    Error::Form { line, what }
}

/// The provenance and the number of lines it takes, the empty one that ends it included.
fn read_head(text: &str) -> Result<(Head, usize), Error> {
    let mut lines: BTreeMap<&str, &str> = BTreeMap::new();
    let mut count = 0;
    for line in text.lines().take_while(|line| !line.is_empty()) {
        count += 1;
        let (key, value) = line
            .split_once('\t')
            .ok_or(form(count, "a provenance line without a tab"))?;
        if lines.insert(key, value).is_some() {
            return Err(form(count, "a provenance line twice"));
        }
    }
    let mut take = |key, what| {
        lines
            .remove(key)
            .filter(|value| !value.is_empty())
            .ok_or(form(count, what))
    };
    let head = Head {
        id: take("id", "no id")?.to_owned(),
        system: take("system", "no system")?.to_owned(),
        target: take("target", "").ok().map(str::to_owned),
        edition: take("edition", "no edition")?.to_owned(),
        as_of: Date::parse(take("as_of", "no as_of")?).ok_or(form(count, "as_of is not a date"))?,
        complete: yes_or_no(take("complete", "no complete")?)
            .ok_or(form(count, "complete: yes or no"))?,
        synthetic: yes_or_no(take("synthetic", "no synthetic")?)
            .ok_or(form(count, "synthetic: yes or no"))?,
        licence: take("licence", "no licence")?.to_owned(),
        source: take("source", "no source")?.to_owned(),
    };
    if !lines.is_empty() {
        return Err(form(count, "a provenance line that is not known"));
    }
    Ok((head, count + 1))
}

fn yes_or_no(value: &str) -> Option<bool> {
    match value {
        YES => Some(true),
        NO => Some(false),
        _ => None,
    }
}

fn write_head(head: &Head) -> String {
    let answer = |yes| if yes { YES } else { NO };
    let as_of = head.as_of.to_string();
    let lines = [
        ("id", head.id.as_str()),
        ("system", &head.system),
        ("target", head.target.as_deref().unwrap_or_default()),
        ("edition", &head.edition),
        ("as_of", &as_of),
        ("complete", answer(head.complete)),
        ("synthetic", answer(head.synthetic)),
        ("licence", &head.licence),
        ("source", &head.source),
    ];
    let mut text = String::new();
    for (key, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "{key}\t{value}");
    }
    text.push('\n');
    text
}

fn read_columns(line: &str, map: bool) -> Option<Vec<String>> {
    let columns: Vec<String> = line.split('\t').map(str::to_owned).collect();
    let first = columns.first().is_some_and(|column| column == CODE);
    let distinct = columns.iter().enumerate().all(|(index, name)| {
        !name.is_empty() && !columns.iter().skip(index + 1).any(|other| other == name)
    });
    let leads = [TARGET, EQUIVALENCE]
        .iter()
        .all(|wanted| columns.iter().any(|column| column == wanted) == map);
    (first && distinct && leads).then_some(columns)
}
