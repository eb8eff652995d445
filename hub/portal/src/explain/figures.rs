//! What a sentence about a trace entry can tell: its amounts, what it was computed from, and what the plan says.

use fluent_bundle::{FluentArgs, FluentValue};
use takmil_domain::decision::{LineShare, TraceEntry};
use takmil_domain::ids::{LimitCode, ParticipantId};
use takmil_domain::money::{Amount, Quantity, Rate};
use takmil_domain::plan::{Benefit, Plan};

use super::teller::Teller;
use super::words::count;

/// A figure that a step was computed from.
enum Figure {
    Money(Amount),
    Rate(Rate),
    Rates(Vec<Rate>),
    Quantity(Quantity),
    Word(String),
}

/// Reads an input of a trace entry: its name says what it is.
fn figure(name: &str, text: &str) -> Figure {
    let money = || text.parse().ok().and_then(Amount::new).map(Figure::Money);
    let read = match name {
        "price" | "reference_price" | "authorised" | "of" | "base" | "cost_share" | "left"
        | "paid_before" | "open" | "said" | "least" | "to" => money(),
        "rate" | "penalty_rate" => Rate::parse(text).map(Figure::Rate),
        "ranks" => rates(text).map(Figure::Rates),
        "quantity" | "asked" | "covered" | "package" => Quantity::parse(text).map(Figure::Quantity),
        _ => None,
    };
    read.unwrap_or_else(|| Figure::Word(text.to_owned()))
}

/// Rates with blanks between them.
fn rates(text: &str) -> Option<Vec<Rate>> {
    text.split_whitespace().map(Rate::parse).collect()
}

/// How the insurer's share came about: by the plan's mode, where both the base insurer and the member have a part.
fn how(entry: &TraceEntry) -> String {
    let input = |wanted: &str| {
        let mut named = entry.inputs.iter();
        let found = named.find(|(name, _)| name == wanted);
        found.map_or("", |(_, text)| text.as_str())
    };
    match (input("base"), input("cost_share")) {
        ("0", "0") => "whole",
        ("0", _) => "own",
        (_, "0") => "rest",
        _ => input("mode"),
    }
    .to_owned()
}

impl Teller<'_> {
    /// Everything that can be told of an entry.
    pub(super) fn figures(&self, line: &LineShare, entry: &TraceEntry) -> FluentArgs<'static> {
        let mut args = FluentArgs::new();
        let less = (entry.before - entry.after).max(entry.after - entry.before);
        args.set("insurer", self.insurer(entry.insurer.as_ref()));
        args.set("before", self.money(entry.before));
        args.set("after", self.money(entry.after));
        args.set("change", self.money(less));
        for (name, text) in &entry.inputs {
            let value: FluentValue<'static> = match figure(name, text) {
                Figure::Money(amount) => self.money(amount).into(),
                Figure::Rate(rate) => self.words.rate(rate).into(),
                Figure::Rates(rates) => {
                    let shown = rates.into_iter().map(|rate| self.words.rate(rate));
                    self.words.list(&shown.collect::<Vec<_>>(), "comma").into()
                }
                Figure::Quantity(quantity) => self.words.quantity(quantity),
                Figure::Word(word) => word.into(),
            };
            args.set(name.to_string(), value);
        }
        args.set("how", how(entry));
        if let Some(insurer) = &entry.insurer {
            self.of_plan(&mut args, insurer, line, entry);
        }
        args
    }

    fn of_plan(
        &self,
        args: &mut FluentArgs<'static>,
        insurer: &ParticipantId,
        line: &LineShare,
        entry: &TraceEntry,
    ) {
        let part = entry.rule.as_deref().and_then(|rule| rule.split_once('#'));
        if let Some(code) = part.and_then(|(_, part)| LimitCode::parse(part)) {
            args.set("limit", self.titles.limit(insurer, &code).to_owned());
        }
        let share = line
            .supplementary
            .iter()
            .find(|own| own.insurer == *insurer);
        let Some(id) = share.and_then(|share| share.benefit.as_ref()) else {
            return;
        };
        let plan = self.titles.plan(insurer, entry.rule.as_deref());
        let found = plan.and_then(|plan| {
            let mut benefits = plan.benefits.iter();
            Some((plan, benefits.find(|benefit| benefit.id == *id)?))
        });
        match found {
            Some((plan, benefit)) => self.of_benefit(args, plan, benefit),
            None => args.set("benefit", id.to_string()),
        }
    }

    fn of_benefit(&self, args: &mut FluentArgs<'static>, plan: &Plan, benefit: &Benefit) {
        args.set("benefit", benefit.title.clone());
        args.set("months", count(&benefit.waiting_months.to_string()));
        let ages = match (benefit.age_min, benefit.age_max) {
            (Some(_), Some(_)) => "between",
            (Some(_), None) => "from",
            _ => "to",
        };
        args.set("ages", ages);
        for (name, age) in [("age_min", benefit.age_min), ("age_max", benefit.age_max)] {
            if let Some(age) = age {
                args.set(name, count(&age.to_string()));
            }
        }
        if let Some(start) = self.titles.start(&plan.id) {
            let opens = start.add_months(benefit.waiting_months, plan.calendar);
            args.set("start", self.words.date(start));
            args.set("opens", self.words.date(opens));
        }
    }
}
