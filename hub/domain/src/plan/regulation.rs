//! What the regulator asks of every plan, as data: the largest franchise, the smallest cover.

use serde::{Deserialize, Serialize};

use super::{Benefit, FiledPlan, LimitKind, LimitPer, LimitUnit, Plan};
use crate::code::Code;
use crate::date::Date;
use crate::ids::{ParticipantId, PlanId};
use crate::lint::{Remarks, Versioned as _};
use crate::money::{Amount, Currency, Rate};

/// A version of the regulator's rules on plans. They are asked of plans in its currency that begin while it is in
/// force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regulation {
    /// The regulation over all its versions.
    pub id: PlanId,
    /// Counts up from 1.
    pub version: u32,
    /// Who issued it.
    pub issuer: ParticipantId,
    /// The name people know it by.
    pub title: String,
    /// The currency of every amount in it.
    pub currency: Currency,
    /// For plans that begin on this day or later.
    pub from: Date,
    /// To this day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// What is asked.
    pub requirements: Vec<Requirement>,
}

/// What is asked of the benefit that a service falls under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The name people know it by, with the article that says so.
    pub title: String,
    /// The service.
    pub service: Code,
    /// Whether every plan has to pay for it.
    #[serde(default)]
    pub required: bool,
    /// The largest rate that may be left to the member, in the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest_rate: Option<Rate>,
    /// The smallest ceiling for a year, for each money limit of a year or more that the service uses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smallest_cover: Option<Amount>,
    /// The longest wait, in months.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest_waiting_months: Option<u32>,
}

/// Where a plan does not keep to a regulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// A JSON pointer into the plan.
    pub pointer: String,
    /// The requirement's title.
    pub requirement: String,
    /// What is asked, in words.
    pub detail: String,
}

impl Regulation {
    /// Where a plan does not keep to it.
    pub fn breaches(&self, plan: &Plan) -> Vec<Breach> {
        let in_force = self.from <= plan.from && self.to.is_none_or(|to| plan.from <= to);
        if !in_force || plan.currency != self.currency {
            return Vec::new();
        }
        let filed = FiledPlan::from(plan.clone());
        let of = |asked| breaches_of(asked, &filed);
        self.requirements.iter().flat_map(of).collect()
    }

    /// What makes the document useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = self.as_version().faults();
        for (at, asked) in self.requirements.iter().enumerate() {
            if asked
                .smallest_cover
                .is_some_and(|cover| cover < Amount::ZERO)
            {
                faults.push((format!("/requirements/{at}/smallest_cover"), "below zero"));
            }
        }
        faults
    }
}

fn breaches_of(asked: &Requirement, plan: &FiledPlan) -> Vec<Breach> {
    let breach = |pointer: String, detail: String| Breach {
        pointer,
        requirement: asked.title.clone(),
        detail,
    };
    let (system, code) = (asked.service.system.as_str(), asked.service.code.as_str());
    let Some((benefit, _)) = plan.benefit(system, code) else {
        let detail = "every plan has to pay for this service".to_owned();
        let missing = asked
            .required
            .then(|| breach("/benefits".to_owned(), detail));
        return missing.into_iter().collect();
    };
    let at = plan.benefits.iter().position(|own| own.id == benefit.id);
    let of_benefit = |place: &str| format!("/benefits/{}/{place}", at.unwrap_or_default());
    let mut breaches = Vec::new();
    if let Some(most) = asked.largest_rate
        && benefit.rate > most
    {
        let detail = format!("at most {most} may be left to the member");
        breaches.push(breach(of_benefit("rate"), detail));
    }
    if let Some(most) = asked.longest_waiting_months
        && benefit.waiting_months > most
    {
        let detail = format!("the wait may last {most} months at most");
        breaches.push(breach(of_benefit("waiting_months"), detail));
    }
    if let Some(least) = asked.smallest_cover {
        for at in scant(plan, benefit, least) {
            let detail = format!("the cover has to reach {least} at least");
            breaches.push(breach(format!("/limits/{at}/ceiling"), detail));
        }
    }
    breaches
}

/// The yearly and longer money ceilings of a benefit that are below `least`.
fn scant<'a>(
    plan: &'a Plan,
    benefit: &'a Benefit,
    least: Amount,
) -> impl Iterator<Item = usize> + 'a {
    let limits = plan.limits.iter().enumerate();
    limits.filter_map(move |(at, limit)| {
        let is_cover = limit.kind == LimitKind::Ceiling
            && limit.unit == LimitUnit::Money
            && matches!(limit.per, LimitPer::Year | LimitPer::Lifetime);
        let is_scant = is_cover && limit.ceiling < least.get() && plan.is_used(limit, benefit);
        is_scant.then_some(at)
    })
}
