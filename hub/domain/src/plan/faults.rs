//! What is wrong with a plan, and what is odd about it: found where it enters, so that no admission ever meets it.

use super::sets::{self, Place, of_groups, of_list};
use super::{Benefit, FiledPlan, Limit, LimitKind, LimitOwner, LimitPer, LimitUnit, Plan};
use crate::lint::{Remarks, Versioned as _};
use crate::money::{Amount, Rate};

/// The coarsest multiple that payments are rounded to, in smallest units.
const COARSEST: i64 = 1_000_000;

impl Plan {
    /// What makes the document useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = self.as_version().faults();
        if !(1..=COARSEST).contains(&self.rounding.to.get()) {
            faults.push(("/rounding/to".to_owned(), "1 to 1000000 smallest units"));
        }
        for (at, benefit) in self.benefits.iter().enumerate() {
            self.benefit_faults(at, benefit, &mut faults);
        }
        for (at, limit) in self.limits.iter().enumerate() {
            self.limit_faults(at, limit, &mut faults);
        }
        for (at, rule) in self.procedures.iter().enumerate() {
            if rule.ranks.is_empty() {
                faults.push((format!("/procedures/{at}/ranks"), "names no rank"));
            }
        }
        faults.extend(sets::faults(&self.groups, self.code_places()));
        faults
    }

    fn benefit_faults(&self, at: usize, benefit: &Benefit, faults: &mut Remarks) {
        let mut fault =
            |place: &str, fault| faults.push((format!("/benefits/{at}/{place}"), fault));
        let earlier = || self.benefits.iter().take(at);
        if earlier().any(|earlier| earlier.id == benefit.id) {
            fault("id", "another benefit has this id");
        }
        if benefit.codes.is_empty() {
            fault("codes", "names no service");
        }
        if benefit.copay < Amount::ZERO {
            fault("copay", "below zero");
        }
        if benefit.authorisation_over < Amount::ZERO {
            fault("authorisation_over", "below zero");
        }
        if matches!((benefit.age_min, benefit.age_max), (Some(min), Some(max)) if max < min) {
            fault("age_max", "below the least age");
        }
        for (place, own) in benefit.tiers.iter().enumerate() {
            if own.copay.is_some_and(|copay| copay < Amount::ZERO) {
                fault(&format!("tiers/{place}/copay"), "below zero");
            }
            let mut others = benefit.tiers.iter().take(place);
            if others.any(|other| other.tier == own.tier) {
                fault(&format!("tiers/{place}/tier"), "the tier has terms already");
            }
        }
        for (place, code) in benefit.limits.iter().enumerate() {
            let pointer = format!("limits/{place}");
            match self.limit(code) {
                None => fault(&pointer, "the plan has no such limit"),
                Some(limit) if !limit.kind.is_named() => {
                    let detail = "deductibles and out-of-pocket maxima apply by themselves";
                    fault(&pointer, detail);
                }
                Some(_) => {}
            }
        }
    }

    fn limit_faults(&self, at: usize, limit: &Limit, faults: &mut Remarks) {
        let mut fault = |place: &str, fault| faults.push((format!("/limits/{at}/{place}"), fault));
        let mut earlier = self.limits.iter().take(at);
        if earlier.any(|earlier| earlier.id == limit.id) {
            fault("id", "another limit has this id");
        }
        if !(0..=Amount::MAX.get()).contains(&limit.ceiling) {
            fault("ceiling", "outside any real ceiling");
        }
        if limit.kind != LimitKind::Ceiling && limit.unit != LimitUnit::Money {
            fault("unit", "what the member pays is money");
        }
        if limit.per == LimitPer::Item {
            if limit.owner == LimitOwner::Account {
                fault("owner", "a limit on a line has no owner");
            }
            if matches!(limit.kind, LimitKind::Copay | LimitKind::LeastShare) {
                fault(
                    "per",
                    "what is paid once in a stretch needs one longer than a line",
                );
            }
        }
        if limit.unit == LimitUnit::Visits && matches!(limit.per, LimitPer::Item | LimitPer::Visit)
        {
            fault(
                "per",
                "visits are counted over a stretch that holds several",
            );
        }
        let Some(within) = &limit.within else {
            return;
        };
        match self.limit(within) {
            None => fault("within", "the plan has no such limit"),
            Some(outer) if self.holds(limit, within) && !outer.kind.is_named() => {
                fault("within", "applies by itself");
            }
            Some(_) if self.holds(limit, within) => fault("within", "the limit holds itself"),
            Some(outer) if (outer.kind, limit.kind) != (LimitKind::Ceiling, LimitKind::Ceiling) => {
                fault("within", "ceilings alone hold each other");
            }
            Some(_) => {}
        }
    }

    /// Every part of a set of codes.
    fn code_places(&self) -> Vec<Place<'_>> {
        let mut places: Vec<Place<'_>> = of_groups(&self.groups).collect();
        for (at, benefit) in self.benefits.iter().enumerate() {
            places.extend(of_list(format!("/benefits/{at}/codes"), &benefit.codes));
            let pointer = format!("/benefits/{at}/diagnoses");
            places.extend(of_list(pointer, &benefit.diagnoses));
        }
        for (at, exclusion) in self.exclusions.iter().enumerate() {
            places.extend(of_list(format!("/exclusions/{at}/codes"), &exclusion.codes));
            let pointer = format!("/exclusions/{at}/diagnoses");
            places.extend(of_list(pointer, &exclusion.diagnoses));
            for (place, one) in exclusion.unless.iter().enumerate() {
                let pointer = format!("/exclusions/{at}/unless/{place}/diagnoses");
                places.extend(of_list(pointer, &one.diagnoses));
            }
        }
        for (at, rule) in self.procedures.iter().enumerate() {
            places.extend(of_list(format!("/procedures/{at}/codes"), &rule.codes));
        }
        places
    }

    /// What its author should look at, each with a JSON pointer into the document. It can be used all the same.
    pub fn remarks(&self) -> Remarks {
        let mut remarks = Vec::new();
        let filed = FiledPlan::from(self.clone());
        for (at, benefit) in filed.benefits.iter().enumerate() {
            filed.benefit_remarks(at, benefit, &mut remarks);
        }
        for (at, limit) in self.limits.iter().enumerate() {
            self.limit_remarks(at, limit, &mut remarks);
        }
        remarks.extend(sets::remarks(self.code_places()));
        remarks
    }

    fn limit_remarks(&self, at: usize, limit: &Limit, remarks: &mut Remarks) {
        let mut remark = |place: &str, what| remarks.push((format!("/limits/{at}{place}"), what));
        let users: Vec<&Benefit> = self
            .benefits
            .iter()
            .filter(|benefit| self.is_used(limit, benefit))
            .collect();
        if users.is_empty() {
            return remark("", "no benefit uses it");
        }
        if limit.ceiling == 0 && limit.kind == LimitKind::Ceiling {
            remark("/ceiling", "nothing is ever left of it");
        }
        let is_wider = |other: &&Limit| {
            other.id != limit.id
                && (other.kind, other.unit) == (limit.kind, limit.unit)
                && other.kind == LimitKind::Ceiling
                && reach(other.per) >= reach(limit.per)
                && (other.owner == LimitOwner::Account || limit.owner == LimitOwner::Member)
                && other.ceiling <= limit.ceiling
                // Of two that say the same, the later is the one too many.
                && (other.ceiling < limit.ceiling
                    || reach(other.per) > reach(limit.per)
                    || self.limits.iter().take(at).any(|earlier| earlier.id == other.id))
                && users.iter().all(|benefit| self.is_used(other, benefit))
        };
        if self.limits.iter().any(|other| is_wider(&other)) {
            remark(
                "/ceiling",
                "it never binds: another limit of the same services is used up first",
            );
        }
    }

    /// Whether the services of a benefit use a limit.
    pub fn is_used(&self, limit: &Limit, benefit: &Benefit) -> bool {
        let mut used = self.limits_of(benefit);
        used.any(|at| self.limits.get(at).is_some_and(|own| own.id == limit.id))
    }
}

impl FiledPlan {
    fn benefit_remarks(&self, at: usize, benefit: &Benefit, remarks: &mut Remarks) {
        let mut remark =
            |place: String, what| remarks.push((format!("/benefits/{at}{place}"), what));
        let mut samples = Vec::new();
        let winner = |(system, code): &(String, String)| Some(self.benefit(system, code)?.0);
        let shadowed = |one: &(String, String)| winner(one).is_none_or(|own| own.id != benefit.id);
        for (place, part) in benefit.codes.iter().enumerate() {
            let of_part = sets::samples(part, &self.groups);
            let as_exactly = |one: &(String, String)| {
                let (system, code) = one;
                let exactly = part.matches(system, code, &self.groups);
                winner(one).is_some_and(|own| self.longest(&own.codes, system, code) == exactly)
            };
            if !of_part.is_empty() && of_part.iter().all(shadowed) {
                remark(
                    format!("/codes/{place}"),
                    "these services fall under another benefit",
                );
            } else if of_part.iter().filter(|one| shadowed(one)).any(as_exactly) {
                remark(
                    format!("/codes/{place}"),
                    "an earlier benefit names some of these services as exactly: they fall under that",
                );
            }
            samples.extend(of_part.into_iter().filter(|one| !shadowed(one)));
        }
        let excluded = |(system, code): &(String, String)| {
            self.exclusions.iter().any(|exclusion| {
                exclusion.unless.is_empty()
                    && exclusion.diagnoses.is_empty()
                    && self.longest(&exclusion.codes, system, code).is_some()
            })
        };
        if samples.is_empty() {
            remark(String::new(), "no service falls under it");
        } else if samples.iter().all(excluded) {
            remark(String::new(), "all its services are excluded");
        }
        if benefit.rate == Rate::ONE && benefit.tiers.is_empty() {
            remark(
                "/rate".to_owned(),
                "it pays nothing: the member's rate is all of it",
            );
        }
    }
}

/// How far a stretch reaches, the farther the more.
fn reach(per: LimitPer) -> u8 {
    match per {
        LimitPer::Item => 0,
        LimitPer::Day => 1,
        // A stay is longer than a day, and may be longer than a month.
        LimitPer::Visit => 2,
        LimitPer::Month => 2,
        LimitPer::Year => 3,
        LimitPer::Lifetime => 4,
    }
}
