//! A rehearsal for people: the sums, who gains and who loses, and the largest differences in words.

use std::io::{self, Write};
use takmil_domain::money::Amount;
use takmil_domain::rehearsal::{BeforeAfter, Gain, Gains, MovedSum, Summary};

use crate::rehearsed::{Largest, Rehearsed};

/// Writes it.
pub(super) fn show(done: &Rehearsed, out: &mut impl Write) -> io::Result<()> {
    let shown = Shown {
        summary: &done.summary,
        exponent: done.summary.currency.exponent(done.summary.to),
    };
    shown.head(out)?;
    shown.sums(out)?;
    shown.members(out)?;
    shown.moved("By benefit", &done.summary.by_benefit, out)?;
    shown.moved("By reason (+ gained, - lost)", &done.summary.by_reason, out)?;
    if !done.largest.is_empty() {
        writeln!(out, "\nLargest differences")?;
    }
    done.largest
        .iter()
        .try_for_each(|own| shown.largest(own, out))
}

struct Shown<'s> {
    summary: &'s Summary,
    /// Digits after the point of the currency.
    exponent: u32,
}

impl Shown<'_> {
    fn money(&self, amount: Amount) -> String {
        amount.to_decimal(self.exponent)
    }

    fn signed(&self, amount: Amount) -> String {
        let plus = if amount > Amount::ZERO { "+" } else { "" };
        format!("{plus}{}", self.money(amount))
    }

    fn head(&self, out: &mut impl Write) -> io::Result<()> {
        let own = self.summary;
        writeln!(
            out,
            "{} to {}: {} messages, {} lines, {} members; {} messages go by what is changed, {} come out otherwise",
            own.from, own.to, own.messages, own.lines, own.members, own.touched, own.moved
        )?;
        let apart = [
            (
                own.not_reproducible,
                "do not come out as recorded even without the change, and are left out of all that follows",
            ),
            (
                own.other_currency,
                "are in another currency, and are left out of all that follows",
            ),
        ];
        let mut apart = apart.into_iter().filter(|(count, _)| *count > 0);
        apart.try_for_each(|(count, what)| writeln!(out, "{count} messages {what}"))
    }

    fn sums(&self, out: &mut impl Write) -> io::Result<()> {
        let own = self.summary;
        let currency = own.currency.as_str();
        let (before, after, change) = ("before", "after", "change");
        writeln!(out, "\n{currency:<32}{before:>20}{after:>20}{change:>20}")?;
        let mut row = |name: &str, sum: BeforeAfter| {
            let percent = match sum.percent() {
                Some(percent) => format!("{percent} %"),
                None => String::new(),
            };
            let (before, after) = (self.money(sum.before), self.money(sum.after));
            let change = self.signed(sum.change());
            writeln!(
                out,
                "{name:<32}{before:>20}{after:>20}{change:>20}{percent:>12}"
            )
        };
        for part in &own.supplementary {
            row(part.insurer.as_str(), part.paid)?;
        }
        row("base insurer", own.base)?;
        row("waived by the provider", own.written_off)?;
        row("member", own.member)?;
        if let (Some(before), Some(after)) = (&own.loss_ratio_before, &own.loss_ratio_after) {
            let (before, after) = (format!("{before} %"), format!("{after} %"));
            writeln!(out, "{:<32}{before:>20}{after:>20}", "loss ratio")?;
        }
        Ok(())
    }

    fn members(&self, out: &mut impl Write) -> io::Result<()> {
        let own = self.summary;
        let side = |gain: Gain| format!("{} ({})", gain.members, self.money(gain.sum));
        writeln!(
            out,
            "\n{:<32}{:>30}{:>30}",
            "Members", "pay less", "pay more"
        )?;
        let (gain, lose) = (side(own.gain), side(own.lose));
        writeln!(out, "{:<32}{gain:>30}{lose:>30}", "all")?;
        let kinds = [&own.by_relation, &own.by_age, &own.by_sex];
        let mut rows = kinds.into_iter().flatten();
        rows.try_for_each(|Gains { of, gain, lose }| {
            let (gain, lose) = (side(*gain), side(*lose));
            writeln!(out, "  {of:<30}{gain:>30}{lose:>30}")
        })
    }

    fn moved(&self, title: &str, rows: &[MovedSum], out: &mut impl Write) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{title:<32}{:>12}{:>20}", "lines", "change")?;
        rows.iter().try_for_each(|row| {
            let change = self.signed(row.change);
            writeln!(out, "  {:<30}{:>12}{change:>20}", row.of, row.lines)
        })
    }

    fn largest(&self, own: &Largest, out: &mut impl Write) -> io::Result<()> {
        let difference = &own.difference;
        writeln!(
            out,
            "\n{} {} of {}, member {}: insurers {}, member {}",
            own.kind.as_str(),
            difference.message,
            difference.day,
            difference.member_number,
            self.signed(difference.paid_change()),
            self.signed(difference.member.change())
        )?;
        for line in &own.told {
            writeln!(out, "  {}. {}", line.seq, line.title)?;
            writeln!(out, "    before: {}", line.before.join(" "))?;
            writeln!(out, "    after:  {}", line.after.join(" "))?;
        }
        Ok(())
    }
}
