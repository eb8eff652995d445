//! The smallest setting that a rule can be looked at in: one member, one insurer that pays all, lines of money.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::date::Date;
use takmil_domain::decision::LineShare;
use takmil_domain::ids::{AccountId, MemberId, ParticipantId, PlanId};
use takmil_domain::limit::{LimitKey, LimitNeed};
use takmil_domain::money::{Amount, Currency};
use takmil_domain::party::InsurerRole;
use takmil_domain::plan::{Benefit, FiledPlan, Plan, Relationship};
use takmil_domain::reason::Reason;
use takmil_domain::share::{BillLine, Case, CoverTerms};
use takmil_domain::tariff::Tariff;
use uuid::Uuid;

/// What is left of limits from one bill to the next.
#[derive(Default)]
pub(crate) struct Ledger(pub(crate) BTreeMap<LimitKey, i64>);

impl Ledger {
    /// Splits a bill, and keeps what it leaves.
    pub(crate) fn judge(&mut self, case: &Case<'_>) -> Vec<LineShare> {
        let left = |need: &LimitNeed| self.0.get(&need.key).copied().unwrap_or(need.ceiling);
        let split = case.split(left);
        for (need, after) in split.needs.iter().zip(split.after()) {
            self.0.insert(need.key.clone(), after);
        }
        split.lines
    }
}

/// A plan of one insurer that pays all of everything, with other parts in place of its own.
pub(crate) fn plan(parts: Value) -> FiledPlan {
    let mut plan = json!({
        "id": "plan", "version": 1, "insurer": "ins", "title": "", "currency": "IRR", "from": "2000-01-01",
        "benefits": [{"id": "all", "title": "", "codes": [{"prefix": ""}]}],
    });
    for (name, part) in parts.as_object().unwrap() {
        plan[name] = part.clone();
    }
    let plan: Plan = serde_json::from_value(plan).unwrap();
    assert_eq!(plan.faults(), []);
    plan.into()
}

/// A plan with its first benefit changed.
pub(crate) fn with_benefit(plan: &FiledPlan, change: impl FnOnce(&mut Benefit)) -> FiledPlan {
    let mut plan = Plan::from(plan.clone());
    change(&mut plan.benefits[0]);
    plan.into()
}

/// The same with one limit on the one benefit.
pub(crate) fn plan_with_limit(limit: Value, parts: Value) -> FiledPlan {
    let mut limit = limit;
    limit["id"] = json!("limit");
    limit["title"] = json!("");
    let ceiling = limit["kind"].is_null();
    let benefit = json!({
        "id": "all", "title": "", "codes": [{"prefix": ""}], "deductible": true,
        "limits": if ceiling { json!(["limit"]) } else { json!([]) },
    });
    let mut parts = parts;
    parts["benefits"] = json!([benefit]);
    parts["limits"] = json!([limit]);
    plan(parts)
}

pub(crate) fn cover(start: Date) -> Cover {
    Cover {
        account: AccountId(Uuid::from_u128(1)),
        member: MemberId(Uuid::from_u128(1)),
        insurer: ParticipantId::parse("ins").unwrap(),
        role: InsurerRole::Supplementary,
        order: 1,
        relationship: Relationship::Principal,
        plan: PlanId::parse("plan").unwrap(),
        start,
        end: None,
        suspended: false,
        prior_cover: false,
        group_size: None,
        principal_born: None,
    }
}

pub(crate) fn terms<'a>(plan: &'a FiledPlan, cover: &'a Cover) -> CoverTerms<'a> {
    CoverTerms {
        cover,
        plan,
        tariff: None,
        contract: None,
        said: None,
        refused: &[],
    }
}

pub(crate) fn line(seq: u32, date: Date, billed: i64) -> BillLine<'static> {
    BillLine::new(seq, ("", "a"), date, Amount::new(billed))
}

pub(crate) fn case<'a>(covers: Vec<CoverTerms<'a>>, lines: Vec<BillLine<'a>>) -> Case<'a> {
    Case {
        currency: Currency::parse("IRR").unwrap(),
        person: Person::default(),
        visit: "visit-1",
        class: None,
        sector: None,
        base: None,
        accident: false,
        diagnoses: Vec::new(),
        asks_leave: false,
        covers,
        lines,
    }
}

pub(crate) fn day(text: &str) -> Date {
    Date::parse(text).unwrap()
}

pub(crate) fn paid(lines: &[LineShare]) -> Vec<i64> {
    lines
        .iter()
        .map(|line| line.supplementary_total().get())
        .collect()
}

/// Why the first insurer refuses the first line.
pub(crate) fn refusal(lines: &[LineShare]) -> Option<Reason> {
    lines[0].supplementary[0].refused
}

pub(crate) fn tariff(currency: &str, code: &str, price: i64) -> Tariff {
    serde_json::from_value(json!({
        "id": "tariff", "version": 1, "title": "", "currency": currency, "from": "2000-01-01",
        "prices": [{"code": {"code": code}, "price": price}],
    }))
    .unwrap()
}
