//! What is wrong with a plan, and what is odd about it: found where it enters, so that no admission ever meets it.

use std::collections::HashSet;

use super::{
    Benefit, CodeGroup, Group, Limit, LimitKind, LimitOwner, LimitPer, LimitUnit, MOST_DEPTH, Plan,
};
use crate::clinical::RXNORM;
use crate::money::{Amount, Rate};

/// Systems whose codes say nothing by how they begin: a prefix of them means nothing.
const FLAT_SYSTEMS: &[&str] = &[
    RXNORM,
    "http://hl7.org/fhir/sid/ndc",
    "http://snomed.info/sct",
];

/// The coarsest multiple that payments are rounded to, in smallest units.
const COARSEST: i64 = 1_000_000;

/// Something about a plan: a JSON pointer into it, and what it is.
type Remarks = Vec<(String, &'static str)>;

impl Plan {
    /// What makes the document useless, each with a JSON pointer into it.
    pub fn faults(&self) -> Remarks {
        let mut faults = Vec::new();
        if self.version == 0 {
            faults.push(("/version".to_owned(), "versions count from 1"));
        }
        if self.to.is_some_and(|to| to < self.from) {
            faults.push(("/to".to_owned(), "ends before it begins"));
        }
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
        faults.extend(self.code_faults());
        faults
    }

    /// Whether it may come after the versions that there are.
    ///
    /// A later version begins later, and not within a period that an earlier one ends itself.
    pub fn faults_after<'a>(&self, earlier: impl IntoIterator<Item = &'a Plan>) -> Remarks {
        let earlier = earlier.into_iter();
        let last = earlier.filter(|own| own.version != self.version);
        let Some(last) = last.max_by_key(|own| own.version) else {
            return Vec::new();
        };
        let mut faults = Vec::new();
        let mut fault = |pointer: &str, fault| faults.push((pointer.to_owned(), fault));
        if self.version < last.version {
            fault("/version", "a later version is kept");
        }
        if self.from <= last.from {
            fault("/from", "an earlier version begins on this day or later");
        } else if last.to.is_some_and(|to| self.from <= to) {
            fault("/from", "overlaps the period of an earlier version");
        }
        if self.currency != last.currency {
            fault(
                "/currency",
                "limits go on from version to version: the currency cannot change",
            );
        }
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

    /// Every place that names codes, with its pointer.
    fn code_places(&self) -> Vec<(String, &[CodeGroup])> {
        let mut places: Vec<(String, &[CodeGroup])> = Vec::new();
        for (at, group) in self.groups.iter().enumerate() {
            places.push((format!("/groups/{at}/codes"), &group.codes));
            places.push((format!("/groups/{at}/except"), &group.except));
        }
        for (at, benefit) in self.benefits.iter().enumerate() {
            places.push((format!("/benefits/{at}/codes"), &benefit.codes));
            places.push((format!("/benefits/{at}/diagnoses"), &benefit.diagnoses));
        }
        for (at, exclusion) in self.exclusions.iter().enumerate() {
            places.push((format!("/exclusions/{at}/codes"), &exclusion.codes));
            places.push((format!("/exclusions/{at}/diagnoses"), &exclusion.diagnoses));
            for (place, one) in exclusion.unless.iter().enumerate() {
                let pointer = format!("/exclusions/{at}/unless/{place}/diagnoses");
                places.push((pointer, &one.diagnoses));
            }
        }
        for (at, rule) in self.procedures.iter().enumerate() {
            places.push((format!("/procedures/{at}/codes"), &rule.codes));
        }
        places
    }

    fn code_faults(&self) -> Remarks {
        let mut faults = Vec::new();
        let mut known = HashSet::new();
        for (at, group) in self.groups.iter().enumerate() {
            if !known.insert(&group.id) {
                faults.push((format!("/groups/{at}/id"), "another group has this id"));
            }
            if depth(group, &self.groups, MOST_DEPTH).is_none() {
                let detail = "the groups in it hold each other, or go deeper than 8";
                faults.push((format!("/groups/{at}/codes"), detail));
            }
        }
        for (pointer, parts) in self.code_places() {
            for (at, part) in parts.iter().enumerate() {
                let fault = match part {
                    CodeGroup::Named(name) => {
                        (!known.contains(name.id())).then_some("the plan has no such group")
                    }
                    CodeGroup::Listed { codes, .. } => codes.is_empty().then_some("lists no code"),
                    CodeGroup::Range { from, to, .. } => {
                        (to < from).then_some("ends before it begins")
                    }
                    CodeGroup::Prefix { .. } => None,
                };
                faults.extend(fault.map(|fault| (format!("{pointer}/{at}"), fault)));
            }
        }
        faults
    }

    /// What its author should look at, each with a JSON pointer into the document. It can be used all the same.
    pub fn remarks(&self) -> Remarks {
        let mut remarks = Vec::new();
        for (at, benefit) in self.benefits.iter().enumerate() {
            self.benefit_remarks(at, benefit, &mut remarks);
        }
        for (at, limit) in self.limits.iter().enumerate() {
            self.limit_remarks(at, limit, &mut remarks);
        }
        for (pointer, parts) in self.code_places() {
            for (at, part) in parts.iter().enumerate() {
                if let CodeGroup::Prefix {
                    system: Some(system),
                    prefix,
                } = part
                    && !prefix.is_empty()
                    && FLAT_SYSTEMS.contains(&system.as_str())
                {
                    let detail = "codes of this system mean nothing by how they begin: list them";
                    remarks.push((format!("{pointer}/{at}/prefix"), detail));
                }
            }
        }
        remarks
    }

    fn benefit_remarks(&self, at: usize, benefit: &Benefit, remarks: &mut Remarks) {
        let mut remark =
            |place: String, what| remarks.push((format!("/benefits/{at}{place}"), what));
        let mut samples = Vec::new();
        for (place, part) in benefit.codes.iter().enumerate() {
            let of_part = samples_of(part, &self.groups, MOST_DEPTH);
            let shadowed = |(system, code): &(String, String)| {
                self.benefit(system, code).map(|own| &own.id) != Some(&benefit.id)
            };
            if !of_part.is_empty() && of_part.iter().all(shadowed) {
                remark(
                    format!("/codes/{place}"),
                    "these services fall under another benefit",
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

/// How deep a group's groups go; `None` beyond `most`, as where they hold each other.
fn depth(group: &Group, groups: &[Group], most: usize) -> Option<usize> {
    let rest = most.checked_sub(1)?;
    let named = group.codes.iter().chain(&group.except);
    let mut deepest = 1;
    for id in named.filter_map(CodeGroup::named) {
        if let Some(inner) = groups.iter().find(|own| own.id == *id) {
            deepest = deepest.max(1 + depth(inner, groups, rest)?);
        }
    }
    Some(deepest)
}

/// Codes that stand for a part: for each thing that it compares, one that fits nothing longer by chance.
fn samples_of(part: &CodeGroup, groups: &[Group], most: usize) -> Vec<(String, String)> {
    let named = |system: &Option<String>| system.clone().unwrap_or_default();
    match part {
        CodeGroup::Prefix { system, prefix } => vec![(named(system), format!("{prefix}\u{1}"))],
        CodeGroup::Range { system, from, .. } => vec![(named(system), from.clone())],
        CodeGroup::Listed { system, codes } => {
            let system = named(system);
            codes
                .iter()
                .map(|code| (system.clone(), code.clone()))
                .collect()
        }
        CodeGroup::Named(name) => {
            let Some(rest) = most.checked_sub(1) else {
                return Vec::new();
            };
            let parts = name.of(groups).into_iter().flat_map(|group| &group.codes);
            parts
                .flat_map(|part| samples_of(part, groups, rest))
                .collect()
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
