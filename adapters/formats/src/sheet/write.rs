//! A bill as rows, for those who look at it in a spreadsheet. What the columns have no place for is left out, and told
//! where the rows are read again.

use csv::WriterBuilder;
use serde_json::Value;
use takmil_domain::date::Date;
use takmil_domain::message::Message;
use takmil_domain::money::{Amount, Currency};

use super::columns::{Belongs, COLUMNS, Cell, Column, KEY};
use super::{FORMAT, KINDS, pointer};
use crate::{Context, Written};

/// The rows of a message; `None` of a kind that is no bill, of one without lines or without a number of its own.
pub(super) fn write(message: &Message, context: &Context) -> Option<Written> {
    let (_, root) = KINDS
        .iter()
        .find(|(kind, _)| *kind == message.kind().as_str())?;
    let whole = serde_json::to_value(message).ok()?;
    let bill = whole.pointer(&pointer("", root))?;
    let lines = bill.get("lines")?.as_array()?;
    let named = |line: &Value| list(line, "diagnoses").len();
    let most = lines.iter().map(named).max()?;
    // A column of diagnoses for each that one line has.
    let columns = COLUMNS.iter().flat_map(|column| {
        let times = match column.of {
            Belongs::Diagnosis => most,
            _ => 1,
        };
        (0..times).map(move |place| (column, place))
    });
    let columns: Vec<(&Column, usize)> = columns.collect();
    let rows = lines.iter().enumerate().map(|(row, line)| {
        let of = |(column, place): &(&Column, usize)| {
            let value = value(column, *place, (&whole, bill, line), row == 0)?;
            cell(column.cell, value, message.head.currency, context.today)
        };
        let cells = columns.iter().map(of);
        cells.map(Option::unwrap_or_default).collect::<Vec<_>>()
    });
    let rows: Vec<Vec<String>> = rows.collect();
    // Every row names its bill, and nothing has a column that no row fills.
    let key = columns.iter().position(|(column, _)| column.title == KEY)?;
    let number = rows.first()?.get(key).filter(|number| !number.is_empty())?;
    let filled = |index: usize| {
        rows.iter()
            .any(|row| row.get(index).is_some_and(|cell| !cell.is_empty()))
    };
    let kept: Vec<usize> = (0..columns.len()).filter(|index| filled(*index)).collect();
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let titles = kept.iter().filter_map(|index| columns.get(*index));
    writer
        .write_record(titles.map(|(column, _)| column.title))
        .ok()?;
    for row in &rows {
        let cells = kept.iter().map(|index| match *index == key {
            true => number.as_str(),
            false => row.get(*index).map_or("", String::as_str),
        });
        writer.write_record(cells).ok()?;
    }
    Some(Written {
        media_type: FORMAT.media_types.first()?,
        bytes: writer.into_inner().ok()?,
    })
}

/// What a cell of a row says, as native JSON has it.
fn value<'v>(
    column: &Column,
    place: usize,
    (whole, bill, line): (&'v Value, &'v Value, &'v Value),
    is_first: bool,
) -> Option<&'v Value> {
    let at = pointer("", column.path);
    match column.of {
        Belongs::Head => whole.pointer(&at).filter(|_| is_first),
        Belongs::Bill => bill.pointer(&at).filter(|_| is_first),
        Belongs::Line => line.pointer(&at),
        Belongs::Earlier(relation) => {
            let mut all = list(whole, "correlates").iter();
            let own = all.find(|own| own.get("relation").and_then(Value::as_str) == Some(relation));
            own?.get("identifier").filter(|_| is_first)
        }
        Belongs::Diagnosis => {
            numbered(bill, "diagnoses", list(line, "diagnoses").get(place)?)?.pointer(&at)
        }
        Belongs::Practitioner => {
            numbered(bill, "care_team", list(line, "practitioners").first()?)?.pointer(&at)
        }
        Belongs::Nothing => None,
    }
}

fn list<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of.get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// What lines name by a number.
fn numbered<'v>(bill: &'v Value, name: &str, seq: &Value) -> Option<&'v Value> {
    list(bill, name)
        .iter()
        .find(|own| own.get("seq") == Some(seq))
}

/// A value as its cell has it.
fn cell(cell: Cell, value: &Value, currency: Option<Currency>, today: Date) -> Option<String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    match cell {
        Cell::Kind | Cell::Text | Cell::Count | Cell::Date => Some(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }),
        Cell::Amount => {
            let amount = Amount::new(value.as_i64()?)?;
            // As the currency is now.
            let exponent = currency?.exponent(today);
            Some(amount.to_decimal(exponent))
        }
        Cell::Code => Some(format!("{}|{}", text("system")?, text("code")?)),
        Cell::Identifier(_) => Some(format!("{}|{}", text("system")?, text("value")?)),
    }
}
