//! What is changed, and whether it can take the place of what was in force.

use serde::{Deserialize, Serialize};

use super::Held;
use super::history::{Past, PastCover};
use crate::clinical::Terms;
use crate::date::Date;
use crate::exchange::ExchangeRate;
use crate::ids::TariffId;
use crate::money::Currency;
use crate::plan::{BasePlan, FiledPlan, Plan};
use crate::problem::{Problem, ProblemCode};
use crate::share::{Case, CoverTerms};
use crate::tariff::Tariff;

/// The documents under which a history is judged anew. Each takes the place of all versions with its id; a tariff that
/// has not been before is there for a changed plan to name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Changed plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<Plan>,
    /// Changed plans of base insurers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub base_plans: Vec<BasePlan>,
    /// Changed tariffs and price lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariffs: Vec<Tariff>,
}

impl Change {
    /// The currency of what is changed: messages in others are counted apart.
    pub(super) fn currency(&self) -> Option<Currency> {
        self.currencies().next()
    }

    fn currencies(&self) -> impl Iterator<Item = Currency> {
        let plans = self.plans.iter().map(|own| own.currency);
        let tariffs = self.tariffs.iter().map(|own| own.document().currency);
        let base = self.base_plans.iter().map(|own| own.currency);
        plans.chain(tariffs).chain(base)
    }

    /// Everything that is wrong with the documents themselves, with pointers into the change.
    pub fn problems(&self) -> Vec<Problem> {
        let bad = |pointer: String, detail: &str| {
            Problem::new(ProblemCode::BadValue, pointer, detail.to_owned())
        };
        let mut problems = Vec::new();
        for (at, plan) in self.plans.iter().enumerate() {
            let faults = plan.faults().into_iter();
            problems.extend(faults.map(|(place, fault)| bad(format!("/plans/{at}{place}"), fault)));
            if self.plans.iter().take(at).any(|own| own.id == plan.id) {
                let detail = "an earlier plan has the same id";
                problems.push(bad(format!("/plans/{at}/id"), detail));
            }
        }
        for (at, plan) in self.base_plans.iter().enumerate() {
            if self.base_plans.iter().take(at).any(|own| own.id == plan.id) {
                let detail = "an earlier plan has the same id";
                problems.push(bad(format!("/base_plans/{at}/id"), detail));
            }
        }
        for (at, tariff) in self.tariffs.iter().enumerate() {
            let id = &tariff.document().id;
            if self
                .tariffs
                .iter()
                .take(at)
                .any(|own| own.document().id == *id)
            {
                let detail = "an earlier tariff has the same id";
                problems.push(bad(format!("/tariffs/{at}/id"), detail));
            }
        }
        if let Some(first) = self.currency()
            && self.currencies().any(|own| own != first)
        {
            problems.push(bad(
                String::new(),
                "the changed documents are in different currencies",
            ));
        }
        if self.currency().is_none() {
            let detail = "nothing is changed";
            problems.push(Problem::new(ProblemCode::Missing, "/plans", detail));
        }
        problems
    }

    /// Everything that keeps the documents from taking the place of those of a history.
    pub fn problems_with(&self, held: &Held) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut bad = |pointer: String, detail: String| {
            problems.push(Problem::new(ProblemCode::BadValue, pointer, detail));
        };
        for (at, plan) in self.plans.iter().enumerate() {
            let before = held.plans.iter().find(|own| own.id == plan.id);
            if let Some(before) = before.filter(|own| own.insurer != plan.insurer) {
                let detail = format!("the plan is of {}", before.insurer);
                bad(format!("/plans/{at}/insurer"), detail);
            }
            if let Some(before) = before.filter(|own| own.currency != plan.currency) {
                let detail = format!("the plan was in {}", before.currency);
                bad(format!("/plans/{at}/currency"), detail);
            }
            let named = plan.tariff.as_ref();
            let is_known = |id: &TariffId| {
                let mut known = self.tariffs.iter().chain(&held.tariffs);
                known.any(|own| own.document().id == *id)
            };
            if let Some(id) = named.filter(|id| before.is_some() && !is_known(id)) {
                let detail = format!("neither the change nor the history has tariff {id}");
                bad(format!("/plans/{at}/tariff"), detail);
            }
        }
        problems
    }
}

/// The documents that a history is judged by: its own, or changed ones in their places.
#[derive(Debug)]
pub(super) struct View<'h> {
    plans: Vec<Filed>,
    base_plans: Vec<Standing<'h, BasePlan>>,
    tariffs: Vec<Standing<'h, Tariff>>,
    /// For each plan, where it names another tariff than before: that one's versions.
    named: Vec<Option<Vec<&'h Tariff>>>,
    exchange: &'h [ExchangeRate],
}

/// A plan that stands in a plan's place.
#[derive(Debug)]
struct Filed {
    plan: FiledPlan,
    is_changed: bool,
    /// The clinical terms before, where they are changed.
    terms_before: Option<Terms>,
}

/// What stands in a document's place.
#[derive(Debug, Clone, Copy)]
struct Standing<'h, T> {
    document: &'h T,
    is_changed: bool,
}

fn standing<'h, T>(
    held: &'h [T],
    changed: &'h [T],
    same: impl Fn(&T, &T) -> bool,
) -> Vec<Standing<'h, T>> {
    let of = |own: &'h T| match changed.iter().find(|other| same(own, other)) {
        Some(document) => Standing {
            document,
            is_changed: true,
        },
        None => Standing {
            document: own,
            is_changed: false,
        },
    };
    held.iter().map(of).collect()
}

impl<'h> View<'h> {
    pub(super) fn new(held: &'h Held, change: &'h Change) -> View<'h> {
        let plans = standing(&held.plans, &change.plans, |own, other| own.id == other.id);
        let named = plans.iter().zip(&held.plans).map(|(own, before)| {
            (own.is_changed && own.document.tariff != before.tariff).then(|| {
                let all = change.tariffs.iter().chain(&held.tariffs);
                all.filter(|tariff| Some(&tariff.document().id) == own.document.tariff.as_ref())
                    .collect()
            })
        });
        let filed = |(own, before): (&Standing<'_, Plan>, &Plan)| Filed {
            plan: own.document.clone().into(),
            is_changed: own.is_changed,
            terms_before: (own.document.clinical != before.clinical)
                .then(|| before.clinical.clone()),
        };
        View {
            named: named.collect(),
            base_plans: standing(&held.base_plans, &change.base_plans, |own, other| {
                own.id == other.id
            }),
            tariffs: standing(&held.tariffs, &change.tariffs, |own, other| {
                own.document().id == other.document().id
            }),
            plans: plans.iter().zip(&held.plans).map(filed).collect(),
            exchange: &held.exchange,
        }
    }

    /// Whether the change has to do with a message.
    pub(super) fn touches(&self, past: &Past<'_>) -> bool {
        let of_tariff = |at: &usize| self.tariffs.get(*at).is_some_and(|own| own.is_changed);
        let of_cover = |own: &PastCover| {
            self.plans.get(own.plan).is_some_and(|own| own.is_changed)
                || [own.tariff, own.contract].iter().flatten().any(of_tariff)
        };
        let base = past.base.iter();
        let mut base = base.map(|(plan, tariff)| {
            self.base_plans.get(*plan).is_some_and(|own| own.is_changed) || of_tariff(tariff)
        });
        past.covers.iter().any(of_cover) || base.any(|is_changed| is_changed)
    }

    /// The plan that a cover goes by.
    pub(super) fn plan(&self, cover: &PastCover) -> Option<&FiledPlan> {
        self.plans.get(cover.plan).map(|own| &own.plan)
    }

    /// The clinical terms of a cover's plan before and after, where they are changed.
    pub(super) fn changed_terms(&self, cover: &PastCover) -> Option<(&Terms, &Terms)> {
        let own = self.plans.get(cover.plan)?;
        Some((own.terms_before.as_ref()?, &own.plan.clinical))
    }

    /// All clinical terms that are changed, and what they become.
    pub(super) fn all_changed_terms(&self) -> Vec<&Terms> {
        let changed = self.plans.iter().filter_map(|own| {
            let before = own.terms_before.as_ref()?;
            Some([before, &own.plan.clinical])
        });
        changed.flatten().collect()
    }

    /// The currency that a message is decided in.
    pub(super) fn currency(&self, past: &Past<'_>) -> Currency {
        let rate = past.exchange.and_then(|at| self.exchange.get(at));
        rate.map_or(past.currency, |rate| rate.to)
    }

    /// The case of a message, its amounts converted.
    pub(super) fn case<'a>(&'a self, past: &'a Past<'_>) -> Case<'a> {
        let covers = past.covers.iter();
        let base = past.base.and_then(|(plan, tariff)| {
            let plan = self.base_plans.get(plan)?.document;
            Some((plan, self.tariffs.get(tariff)?.document))
        });
        let mut case = Case {
            currency: past.currency,
            person: past.person,
            visit: &past.visit,
            class: past.class,
            sector: past.sector,
            base,
            accident: past.accident,
            diagnoses: past.diagnoses.clone(),
            asks_leave: past.asks_leave,
            covers: covers.filter_map(|own| self.terms(own, past.day)).collect(),
            lines: past.lines.clone(),
        };
        if let Some(rate) = past.exchange.and_then(|at| self.exchange.get(at)) {
            case.exchange(rate);
        }
        case
    }

    fn terms<'a>(&'a self, own: &'a PastCover, day: Date) -> Option<CoverTerms<'a>> {
        let known = |at: Option<usize>| at.and_then(|at| self.tariffs.get(at));
        let tariff = match self.named.get(own.plan) {
            Some(Some(versions)) => in_force(versions, day),
            _ => known(own.tariff).map(|own| own.document),
        };
        Some(CoverTerms {
            cover: &own.cover,
            plan: self.plan(own)?,
            tariff,
            contract: known(own.contract).map(|own| own.document),
            said: own.said.as_ref(),
            refused: match &own.refused_anew {
                Some(refused) if self.plans.get(own.plan)?.is_changed => refused,
                _ => &own.refused,
            },
        })
    }
}

/// The latest version that is in force on a day, else the latest of all: a tariff for next year is tried on last year.
fn in_force<'h>(versions: &[&'h Tariff], day: Date) -> Option<&'h Tariff> {
    let all = versions.iter().copied();
    all.max_by_key(|own| (own.covers_date(day), own.document().version))
}
