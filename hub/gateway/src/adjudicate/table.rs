//! The shares of a bill for people: an aligned table, then how each line came about, then what is left of limits.

use std::fmt;

use takmil_domain::decision::{Decision, LineShare, Remainder, TraceEntry};
use takmil_domain::ids::ParticipantId;
use takmil_domain::money::Amount;
use takmil_domain::plan::LimitUnit;

use super::Adjudicated;

/// What a step that is no supplementary insurer's is told of.
const NOBODY: &str = "-";

impl fmt::Display for Adjudicated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = &self.decision;
        writeln!(f, "amounts in {}", decision.currency)?;
        rows(f, &self.shares())?;
        for reason in &decision.reasons {
            writeln!(f, "{}: {}", reason.code(), reason.meaning())?;
        }
        for line in &decision.lines {
            writeln!(f, "\nline {}", line.seq)?;
            for reason in line
                .trace
                .is_empty()
                .then_some(&line.reasons)
                .into_iter()
                .flatten()
            {
                writeln!(f, "  {}: {}", reason.code(), reason.meaning())?;
            }
            rows(
                f,
                &line
                    .trace
                    .iter()
                    .map(|entry| self.step(entry))
                    .collect::<Vec<_>>(),
            )?;
        }
        if !decision.remainders.is_empty() {
            writeln!(f, "\nlimits")?;
            let remainders = decision.remainders.iter();
            rows(
                f,
                &remainders
                    .map(|row| self.remainder(row))
                    .collect::<Vec<_>>(),
            )?;
        }
        Ok(())
    }
}

/// A cell of a table.
enum Cell {
    /// Stands at the left of its column.
    Words(String),
    /// Stands at the right.
    Number(String),
}

impl Cell {
    fn width(&self) -> usize {
        let (Cell::Words(text) | Cell::Number(text)) = self;
        text.chars().count()
    }
}

impl Adjudicated {
    fn shares(&self) -> Vec<Vec<Cell>> {
        let Decision { lines, totals, .. } = &self.decision;
        let insurers = || {
            self.decision
                .totals
                .supplementary
                .iter()
                .map(|(insurer, _)| insurer)
        };
        let head = ["line", "billed", "allowed", "base"]
            .into_iter()
            .map(str::to_owned);
        let head = head.chain(insurers().map(ToString::to_string));
        let head = head.chain(["written off", "member"].map(str::to_owned));
        let row = |name: String, front: [Amount; 3], shares: Vec<Amount>, back: [Amount; 2]| {
            let amounts = front.into_iter().chain(shares).chain(back);
            let amounts = amounts.map(|amount| Cell::Number(self.amount(amount)));
            std::iter::once(Cell::Number(name)).chain(amounts).collect()
        };
        let of_line = |line: &LineShare| {
            let paid = |insurer: &ParticipantId| {
                let own = line
                    .supplementary
                    .iter()
                    .filter(|share| share.insurer == *insurer);
                own.map(|share| share.amount).sum()
            };
            let front = [line.billed, line.allowed, line.base];
            row(
                line.seq.to_string(),
                front,
                insurers().map(paid).collect(),
                [line.written_off, line.member],
            )
        };
        let all = row(
            "all".to_owned(),
            [totals.billed, totals.allowed, totals.base],
            totals
                .supplementary
                .iter()
                .map(|(_, amount)| *amount)
                .collect(),
            [totals.written_off, totals.member],
        );
        let head = std::iter::once(head.map(Cell::Number).collect());
        head.chain(lines.iter().map(of_line)).chain([all]).collect()
    }

    fn step(&self, entry: &TraceEntry) -> Vec<Cell> {
        let insurer = entry
            .insurer
            .as_ref()
            .map_or(NOBODY.to_owned(), ToString::to_string);
        let inputs = entry
            .inputs
            .iter()
            .map(|input| format!("{} {}", input.name, input.figure));
        let rule = entry.rule.iter().map(ToString::to_string);
        let because: Vec<String> = rule.chain(inputs).collect();
        let mut words = format!("{}: {}", entry.reason.code(), entry.reason.meaning());
        if !because.is_empty() {
            words.push_str(&format!(" ({})", because.join(", ")));
        }
        vec![
            Cell::Words(format!("  step {}", entry.step)),
            Cell::Words(insurer),
            Cell::Number(self.amount(entry.before)),
            Cell::Words("→".to_owned()),
            Cell::Number(self.amount(entry.after)),
            Cell::Words(words),
        ]
    }

    fn remainder(&self, row: &Remainder) -> Vec<Cell> {
        let shown = |number: i64| match (row.unit, Amount::new(number)) {
            (LimitUnit::Money, Some(amount)) => self.amount(amount),
            _ => number.to_string(),
        };
        let unit = match row.unit {
            LimitUnit::Money => "",
            LimitUnit::Count => "units",
            LimitUnit::Days => "days",
            LimitUnit::Visits => "visits",
        };
        vec![
            Cell::Words(format!("  {}", row.key.insurer)),
            Cell::Words(row.key.code.to_string()),
            Cell::Words(row.key.stretch.to_string()),
            Cell::Number(shown(row.before)),
            Cell::Words("→".to_owned()),
            Cell::Number(shown(row.after)),
            Cell::Words(unit.to_owned()),
        ]
    }

    /// An amount in whole units of the currency, with its thousands apart.
    fn amount(&self, amount: Amount) -> String {
        let decimal = amount.to_decimal(self.exponent);
        let (whole, rest) = decimal
            .find('.')
            .map_or((decimal.as_str(), ""), |point| decimal.split_at(point));
        let mut shown = String::with_capacity(decimal.len() * 4 / 3);
        for (at, digit) in whole.chars().enumerate() {
            let to_come = whole.len() - at;
            if at > 0 && to_come.is_multiple_of(3) && !shown.ends_with('-') {
                shown.push(',');
            }
            shown.push(digit);
        }
        shown + rest
    }
}

/// Writes rows with every column as wide as its widest cell.
fn rows(f: &mut fmt::Formatter<'_>, rows: &[Vec<Cell>]) -> fmt::Result {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(Cell::width)
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            match cell {
                Cell::Words(words) => text.push_str(&format!("{words:<width$}  ")),
                Cell::Number(number) => text.push_str(&format!("{number:>width$}  ")),
            }
        }
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}
