//! The demonstration's tables: plain text, aligned, amounts with separators in the unit that people say.

use std::fmt::Write;
use takmil_domain::date::Date;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::participant::{AnswerMode, Transport};

use super::figures::Delivered;
use super::play::{Became, Row, Taken};

const HEAD: [&str; 9] = [
    "message",
    "format",
    "billed",
    "base",
    "supplementary",
    "waived",
    "member",
    "decided by",
    "ms",
];

/// The columns that hold numbers.
const NUMBERS: std::ops::RangeInclusive<usize> = 2..=6;
const LAST: usize = 8;

/// A line of the table: the cells of a message, or what stands instead of its numbers.
enum Line {
    Group(String),
    Cells([String; 9]),
    Refused {
        title: String,
        format: &'static str,
        why: String,
    },
}

/// What was sent, and what it came to.
pub(super) fn messages(rows: &[Row], day: Date) -> String {
    let mut lines = Vec::new();
    let mut group = "";
    for row in rows {
        if row.group != group {
            group = row.group;
            lines.push(Line::Group(heading(rows, group)));
        }
        lines.push(line(row, day));
    }
    let mut widths = HEAD.map(str::len);
    for line in &lines {
        let cells: &[String] = match line {
            Line::Cells(cells) => cells,
            Line::Group(_) | Line::Refused { .. } => &[],
        };
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.len());
        }
        if let Line::Refused { title, format, .. } = line {
            let [first, second, ..] = &mut widths;
            *first = (*first).max(title.len());
            *second = (*second).max(format.len());
        }
    }
    let mut text = aligned(&HEAD.map(str::to_owned), &widths);
    for line in lines {
        match line {
            Line::Group(heading) => text.push_str(&format!("\n  {heading}\n")),
            Line::Cells(cells) => text.push_str(&aligned(&cells, &widths)),
            Line::Refused { title, format, why } => {
                let [first, second, ..] = widths;
                // Writing to a String cannot fail.
                let _ = writeln!(text, "  {title:first$}  {format:second$}  {why}");
            }
        }
    }
    text
}

/// The name of a group with the currency of its amounts.
fn heading(rows: &[Row], group: &str) -> String {
    let own = rows.iter().filter(|row| row.group == group);
    let currency = own.filter_map(|row| row.taken()?.shares.as_ref()).next();
    match currency {
        Some((currency, _)) => format!("{group}, {currency}"),
        None => group.to_owned(),
    }
}

fn line(row: &Row, day: Date) -> Line {
    let taken = match &row.became {
        Became::Taken(taken) => taken,
        Became::Refused { code, place } => {
            let place = if place.is_empty() {
                String::new()
            } else {
                format!(" at {place}")
            };
            return Line::Refused {
                title: row.title.clone(),
                format: row.format,
                why: format!("refused: {code}{place}"),
            };
        }
    };
    let mut cells: [String; 9] = Default::default();
    let [
        title,
        format,
        billed,
        base,
        supplementary,
        waived,
        member,
        who,
        ms,
    ] = &mut cells;
    row.title.clone_into(title);
    row.format.clone_into(format);
    *who = decider(taken);
    *ms = milliseconds(row.micros);
    if let Some((currency, totals)) = &taken.shares {
        let shown = |amount| money(amount, *currency, day);
        *billed = shown(totals.billed);
        *base = shown(totals.base);
        *supplementary = shown(totals.supplementary_total());
        *waived = shown(totals.written_off);
        *member = shown(totals.member);
    }
    Line::Cells(cells)
}

fn decider(taken: &Taken) -> String {
    let word = |who: &str| who.replace('_', "-");
    match (taken.repeated, taken.later) {
        (true, _) => "same answer".to_owned(),
        (false, Some(later)) => format!("{}, then {}", word(taken.who), word(later)),
        (false, None) => word(taken.who),
    }
}

/// Cells under each other: numbers to the right, words to the left.
fn aligned(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = match NUMBERS.contains(&at) || at == LAST {
            true => write!(text, "  {cell:>width$}"),
            false => write!(text, "  {cell:width$}"),
        };
    }
    format!("{}\n", text.trim_end())
}

/// What every insurer was asked and given.
pub(super) fn deliveries(insurers: &[Delivered]) -> String {
    let head = [
        "insurer",
        "wire",
        "contract",
        "asked",
        "owed",
        "received",
        "waiting",
        "repeats",
        "out of order",
    ];
    let mut lines = vec![head.map(str::to_owned)];
    lines.extend(insurers.iter().map(|own| {
        let count = |count: u64| count.to_string();
        [
            own.insurer.to_string(),
            wire(own.transport).to_owned(),
            contract(own.mode).to_owned(),
            count(own.asked),
            count(own.owed),
            count(own.received),
            count(own.waiting),
            count(own.repeats),
            count(own.out_of_order),
        ]
    }));
    let mut text = String::new();
    let width = |at: usize| {
        lines
            .iter()
            .filter_map(|cells| cells.get(at))
            .map(String::len)
            .max()
            .unwrap_or(0)
    };
    for cells in &lines {
        let mut row = String::new();
        for (at, cell) in cells.iter().enumerate() {
            let width = width(at);
            let _ = match at > 2 {
                true => write!(row, "  {cell:>width$}"),
                false => write!(row, "  {cell:width$}"),
            };
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// The name of a wire.
pub(super) fn wire(transport: Transport) -> &'static str {
    match transport {
        Transport::Grpc => "gRPC",
        Transport::Rest => "REST",
    }
}

/// The name of a contract's mode.
pub(super) fn contract(mode: AnswerMode) -> &'static str {
    match mode {
        AnswerMode::Delegated => "delegated",
        AnswerMode::Consulted => "consulted",
        AnswerMode::StandIn => "stand-in",
    }
}

/// An amount in the currency's usual unit, with separators.
pub(super) fn money(amount: Amount, currency: Currency, day: Date) -> String {
    let text = amount.to_decimal(currency.exponent(day));
    let (sign, text) = text
        .strip_prefix('-')
        .map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

/// Digits in threes.
fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len().saturating_mul(2));
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len().saturating_sub(at);
        if at > 0 && left.is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Microseconds as milliseconds with one digit after the point.
pub(super) fn milliseconds(micros: u64) -> String {
    let tenths = micros.saturating_add(50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn amounts_are_shown_in_the_unit_that_people_say() {
        let check = |units, currency, expected: &str| {
            let day = Date::parse("2026-11-21").unwrap();
            let amount = Amount::new(units).unwrap();
            assert_eq!(
                money(amount, Currency::parse(currency).unwrap(), day),
                expected
            );
        };
        check(0, "IRR", "0");
        check(115_000, "IRR", "115,000");
        check(175_000_000, "IRR", "175,000,000");
        check(999, "YER", "999");
        check(18_000, "MAD", "180.00");
        check(25_000_000, "MZN", "250,000.00");
        check(5, "USD", "0.05");
        check(-123_456, "USD", "-1,234.56");
    }

    #[test]
    fn times_are_shown_to_a_tenth_of_a_millisecond() {
        assert_eq!(milliseconds(0), "0.0");
        assert_eq!(milliseconds(4_449), "4.4");
        assert_eq!(milliseconds(4_450), "4.5");
        assert_eq!(milliseconds(1_234_567), "1234.6");
    }
}
