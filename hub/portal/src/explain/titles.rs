//! The names that a member knows things by, where the decision has ids alone.

use takmil_domain::bill::Line;
use takmil_domain::clinical::Finding;
use takmil_domain::date::Date;
use takmil_domain::decision::RuleName;
use takmil_domain::ids::{LimitCode, ParticipantId, PlanId};
use takmil_domain::plan::Plan;

/// What is known of a decision beside itself. What is missing here is told by its code.
#[derive(Debug, Clone)]
pub struct Titles<'a> {
    /// A day of the bill: amounts are shown with the digits that their currency had then.
    pub day: Date,
    /// The insurers' names.
    pub insurers: Vec<(&'a ParticipantId, &'a str)>,
    /// The plans that the decision rests on, in their versions.
    pub plans: Vec<&'a Plan>,
    /// Since when each plan covers the member.
    pub starts: Vec<(&'a PlanId, Date)>,
    /// The lines of the bill.
    pub lines: &'a [Line],
    /// What the clinical rules found.
    pub findings: &'a [Finding],
}

impl Titles<'_> {
    /// The name of an insurer.
    pub(super) fn insurer<'t>(&'t self, id: &'t ParticipantId) -> &'t str {
        let named = self.insurers.iter().find(|(own, _)| *own == id);
        named.map_or(id.as_str(), |(_, name)| name)
    }

    /// The plan of an insurer that a trace entry's rule names, else the insurer's first: a member may have two covers
    /// with one insurer.
    pub(super) fn plan(&self, insurer: &ParticipantId, rule: Option<&RuleName>) -> Option<&Plan> {
        let mut of_insurer = self.plans.iter().filter(|plan| plan.insurer == *insurer);
        let first = of_insurer.clone().next();
        let named =
            rule.and_then(|rule| of_insurer.find(|plan| plan.id.as_str() == rule.document()));
        named.or(first).copied()
    }

    /// The name of a limit.
    pub(super) fn limit<'t>(&'t self, insurer: &ParticipantId, code: &'t LimitCode) -> &'t str {
        let of_insurer = self.plans.iter().filter(|plan| plan.insurer == *insurer);
        let mut limits = of_insurer.flat_map(|plan| &plan.limits);
        let named = limits.find(|limit| limit.id == *code);
        named.map_or(code.as_str(), |limit| limit.title.as_str())
    }

    /// Since when a plan covers the member.
    pub(super) fn start(&self, plan: &PlanId) -> Option<Date> {
        let of_plan = self.starts.iter().find(|(own, _)| *own == plan);
        of_plan.map(|(_, start)| *start)
    }

    /// A line of the bill.
    pub(super) fn line(&self, seq: u32) -> Option<&Line> {
        self.lines.iter().find(|line| line.seq == seq)
    }
}
