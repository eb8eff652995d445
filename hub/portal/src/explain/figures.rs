//! What a sentence about a trace entry can tell: its amounts, what it was computed from, and what the plan says.

use fluent_bundle::{FluentArgs, FluentValue};
use takmil_domain::decision::{Figure, LineShare, RuleName, TraceEntry};
use takmil_domain::ids::{LimitCode, ParticipantId};
use takmil_domain::money::Amount;
use takmil_domain::plan::{Benefit, Plan};

use super::teller::Teller;
use super::words::count;

/// How the insurer's share came about: by the plan's mode, where both the base insurer and the member have a part.
fn how(entry: &TraceEntry) -> String {
    let input = |wanted: &str| {
        let mut named = entry.inputs.iter();
        let found = named.find(|input| input.name == wanted);
        found.map(|input| &input.figure)
    };
    let is_nothing = |name: &str| input(name) == Some(&Figure::Amount(Amount::ZERO));
    match (is_nothing("base"), is_nothing("cost_share")) {
        (true, true) => "whole".to_owned(),
        (true, false) => "own".to_owned(),
        (false, true) => "rest".to_owned(),
        (false, false) => input("mode").map(ToString::to_string).unwrap_or_default(),
    }
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
        // Where nobody else is named, it is the bill that says so.
        args.set("said_by", "bill");
        for input in &entry.inputs {
            let value: FluentValue<'static> = match &input.figure {
                Figure::Amount(amount) => self.money(*amount).into(),
                Figure::Rate(rate) => self.words.rate(*rate).into(),
                Figure::Rates(rates) => {
                    let shown = rates.iter().map(|rate| self.words.rate(*rate));
                    self.words.list(&shown.collect::<Vec<_>>(), "comma").into()
                }
                Figure::Quantity(quantity) => self.words.quantity(*quantity),
                Figure::Word(word) => word.to_string().into(),
            };
            args.set(input.name.to_string(), value);
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
        let part = entry.rule.as_ref().and_then(RuleName::part);
        if let Some(code) = part.and_then(LimitCode::parse) {
            args.set("limit", self.titles.limit(insurer, &code).to_owned());
        }
        let share = line
            .supplementary
            .iter()
            .find(|own| own.insurer == *insurer);
        let Some(id) = share.and_then(|share| share.benefit.as_ref()) else {
            return;
        };
        let plan = self.titles.plan(insurer, entry.rule.as_ref());
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
