//! A generated bill with the plans, covers and remainders that it meets, and what comes of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use takmil_domain::bill::EncounterClass;
use takmil_domain::coverage::{Cover, Person};
use takmil_domain::decision::LineShare;
use takmil_domain::ids::ParticipantId;
use takmil_domain::limit::LimitNeed;
use takmil_domain::money::Currency;
use takmil_domain::party::Sector;
use takmil_domain::plan::{BasePlan, FiledPlan, Plan};
use takmil_domain::share::{BillLine, Case, CoverTerms, Draw, InsurerSays, Split};
use takmil_domain::tariff::Tariff;

use crate::maker::Maker;
use crate::tape::Tape;

/// A bill with all that it is judged by.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) currency: Currency,
    pub(crate) person: Person,
    pub(crate) class: Option<EncounterClass>,
    pub(crate) sector: Option<Sector>,
    pub(crate) diagnoses: Vec<(&'static str, &'static str)>,
    pub(crate) base: Option<Arc<(BasePlan, Tariff)>>,
    pub(crate) asks_leave: bool,
    pub(crate) insurers: Vec<Arc<Insurer>>,
    pub(crate) lines: Vec<BillLine<'static>>,
    /// What is left of each limit is drawn from this and the limit's key; 0 leaves every limit whole.
    pub(crate) salt: u64,
}

/// A supplementary insurer with its documents.
#[derive(Debug, Clone)]
pub(crate) struct Insurer {
    pub(crate) cover: Cover,
    pub(crate) plan: FiledPlan,
    pub(crate) tariff: Option<Tariff>,
    pub(crate) contract: Option<Tariff>,
    pub(crate) said: Option<InsurerSays>,
}

impl Sample {
    /// The sample that a tape tells.
    pub(crate) fn from_tape(tape: &mut Tape) -> Sample {
        Maker::new(tape).sample()
    }

    /// The case before the rules.
    pub(crate) fn case(&self) -> Case<'_> {
        fn terms(own: &Arc<Insurer>) -> CoverTerms<'_> {
            CoverTerms {
                cover: &own.cover,
                plan: &own.plan,
                tariff: own.tariff.as_ref(),
                contract: own.contract.as_ref(),
                said: own.said.as_ref(),
                refused: &[],
            }
        }
        Case {
            currency: self.currency,
            person: self.person,
            visit: "visit",
            class: self.class,
            sector: self.sector,
            base: self.base.as_deref().map(|(plan, tariff)| (plan, tariff)),
            accident: self.salt % 5 == 1,
            diagnoses: self.diagnoses.clone(),
            asks_leave: self.asks_leave,
            covers: self.insurers.iter().map(terms).collect(),
            lines: self.lines.clone(),
        }
    }

    /// What is left of a limit before the bill: nothing, one, all of it, something, or more than the ceiling,
    /// as an insurer's override makes it.
    pub(crate) fn left(&self, need: &LimitNeed) -> i64 {
        if self.salt == 0 {
            return need.ceiling;
        }
        let mut hasher = DefaultHasher::new();
        (self.salt, &need.key).hash(&mut hasher);
        let hash = hasher.finish();
        let part = (hash >> 8) % (need.ceiling as u64 + 1);
        match (hash >> 56) % 16 {
            0 => 0,
            1 => need.ceiling.min(1),
            2..=9 => need.ceiling,
            10 => need.ceiling + 5,
            _ => part as i64,
        }
    }

    /// Splits the bill on what is left.
    pub(crate) fn outcome(&self) -> Split {
        self.outcome_on(|need| self.left(need))
    }

    /// Splits the bill on other remainders.
    pub(crate) fn outcome_on(&self, left: impl Fn(&LimitNeed) -> i64) -> Split {
        self.case().split(left)
    }

    /// The same without one of its parts, for each part that it can do without.
    pub(crate) fn simpler(&self) -> Vec<Sample> {
        let mut all = Vec::new();
        let mut without = |change: &dyn Fn(&mut Sample)| {
            let mut other = self.clone();
            change(&mut other);
            all.push(other);
        };
        for at in 0..self.lines.len() {
            without(&|other| drop(other.lines.remove(at)));
        }
        if self.base.is_some() {
            without(&|other| other.base = None);
        }
        for (at, insurer) in self.insurers.iter().enumerate() {
            without(&|other| {
                other.insurers.remove(at);
                for line in &mut other.lines {
                    line.network.remove(at);
                }
            });
            for part in 0..insurer.plan.benefits.len() {
                without(&|other| {
                    other.change_plan(at, |plan| drop(plan.benefits.remove(part)));
                });
            }
            for part in 0..insurer.plan.limits.len() {
                let remove = |plan: &mut Plan| {
                    let gone = plan.limits.remove(part).id;
                    for limit in &mut plan.limits {
                        limit.within.take_if(|outer| *outer == gone);
                    }
                    for benefit in &mut plan.benefits {
                        benefit.limits.retain(|id| *id != gone);
                    }
                };
                without(&|other| other.change_plan(at, remove));
            }
            if !insurer.plan.procedures.is_empty() {
                without(&|other| other.change_plan(at, |plan| plan.procedures.clear()));
            }
            if insurer.tariff.is_some() {
                without(&|other| Arc::make_mut(&mut other.insurers[at]).tariff = None);
            }
            if insurer.contract.is_some() {
                without(&|other| Arc::make_mut(&mut other.insurers[at]).contract = None);
            }
        }
        all
    }

    /// Changes the plan of an insurer.
    pub(crate) fn change_plan(&mut self, at: usize, change: impl FnOnce(&mut Plan)) {
        let own = Arc::make_mut(&mut self.insurers[at]);
        let mut plan = Plan::from(own.plan.clone());
        change(&mut plan);
        own.plan = plan.into();
    }

    /// Whether two covers are of one insurer and account, and so share the limits of one code.
    pub(crate) fn shares_limits(&self) -> bool {
        let insurer = |own: &Arc<Insurer>| own.cover.insurer.clone();
        let mut insurers: Vec<ParticipantId> = self.insurers.iter().map(insurer).collect();
        insurers.sort();
        insurers.dedup();
        insurers.len() < self.insurers.len()
    }

    /// Whether lines are looked at together: then a line may change what another one is worth.
    pub(crate) fn ranks_procedures(&self) -> bool {
        let mut insurers = self.insurers.iter();
        insurers.any(|own| !own.plan.procedures.is_empty())
    }

    /// The line of a sequence number.
    pub(crate) fn line(&self, seq: u32) -> &BillLine<'static> {
        self.lines.iter().find(|line| line.seq == seq).unwrap()
    }
}

/// What was drawn by a line, with the remainder it was drawn of.
pub(crate) fn draws_of(split: &Split, seq: u32) -> impl Iterator<Item = (&LimitNeed, &Draw)> {
    let own = split.draws.iter().filter(move |draw| draw.seq == seq);
    own.map(|draw| (&split.needs[draw.need], draw))
}

/// The shares of a line.
pub(crate) fn share(split: &Split, seq: u32) -> &LineShare {
    split.lines.iter().find(|line| line.seq == seq).unwrap()
}
