//! The sums of a rehearsal: they are added up in any order and come to the same.

use std::collections::BTreeMap;

use serde::Serialize;

use super::difference::{BeforeAfter, Difference, InsurerPart, Parts, percent};
use crate::date::Date;
use crate::decision::LineShare;
use crate::ids::{BenefitId, ParticipantId};
use crate::money::{Amount, Currency};
use crate::party::Sex;
use crate::plan::Relationship;
use crate::reason::Reason;

/// What a rehearsal comes to. Amounts are in `currency`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The first day on which messages came.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// The currency of the changed documents.
    pub currency: Currency,
    /// Messages of the history.
    pub messages: u64,
    /// Their lines.
    pub lines: u64,
    /// Their members.
    pub members: u64,
    /// Messages that go by a changed document.
    pub touched: u64,
    /// Messages of which some amount moves.
    pub moved: u64,
    /// Messages in other currencies: they are in none of the sums.
    pub other_currency: u64,
    /// Messages that come out otherwise than recorded even without the change (people's words, limits that others held):
    /// they are in none of the sums below.
    pub not_reproducible: u64,
    /// What was asked for all others.
    pub billed: Amount,
    /// What base insurers pay.
    pub base: BeforeAfter,
    /// What each supplementary insurer pays.
    pub supplementary: Vec<InsurerPart>,
    /// What providers waive.
    pub written_off: BeforeAfter,
    /// What members pay.
    pub member: BeforeAfter,
    /// What was earned in premiums, where it was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premium: Option<Amount>,
    /// What supplementary insurers pay in percent of the premium, before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_ratio_before: Option<String>,
    /// The same, after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_ratio_after: Option<String>,
    /// Members who pay less.
    pub gain: Gain,
    /// Members who pay more.
    pub lose: Gain,
    /// Both by the relation to the principal.
    pub by_relation: Vec<Gains>,
    /// Both by age on the first day of the period.
    pub by_age: Vec<Gains>,
    /// Both by sex.
    pub by_sex: Vec<Gains>,
    /// By what lines move under each benefit, the largest first.
    pub by_benefit: Vec<MovedSum>,
    /// By what lines move that gain or lose a reason, the largest first.
    pub by_reason: Vec<MovedSum>,
}

/// Members whose part moves one way, and by how much in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Gain {
    /// How many members.
    pub members: u64,
    /// By how much, in all.
    pub sum: Amount,
}

/// Members of one kind who gain and who lose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gains {
    /// Which members.
    pub of: String,
    /// Who pay less.
    pub gain: Gain,
    /// Who pay more.
    pub lose: Gain,
}

/// By how much what supplementary insurers pay moves because of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedSum {
    /// What: a benefit, or a reason that lines gain ("+CODE") or lose ("-CODE").
    pub of: String,
    /// How many lines.
    pub lines: u64,
    /// By how much.
    pub change: Amount,
}

/// How many benefits and reasons a summary names.
const MOST_NAMED: usize = 20;

#[derive(Debug, Clone, Default)]
struct Moved {
    lines: u64,
    change: Amount,
}

/// Sums that grow.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) lines: u64,
    pub(super) members: u64,
    pub(super) touched: u64,
    pub(super) moved: u64,
    pub(super) other_currency: u64,
    pub(super) not_reproducible: u64,
    billed: Amount,
    base: BeforeAfter,
    written_off: BeforeAfter,
    member: BeforeAfter,
    paid: BTreeMap<ParticipantId, BeforeAfter>,
    both: Both,
    by_relation: BTreeMap<&'static str, Both>,
    by_age: BTreeMap<&'static str, Both>,
    by_sex: BTreeMap<&'static str, Both>,
    by_benefit: BTreeMap<Option<BenefitId>, Moved>,
    by_reason: BTreeMap<(bool, Reason), Moved>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Both {
    gain: Gain,
    lose: Gain,
}

impl Gain {
    fn add(&mut self, other: Gain) {
        self.members += other.members;
        self.sum += other.sum;
    }
}

impl Both {
    fn count(&mut self, change: Amount) {
        let (side, sum) = match change.get() {
            0 => return,
            1.. => (&mut self.lose, change),
            _ => (&mut self.gain, Amount::ZERO - change),
        };
        side.add(Gain { members: 1, sum });
    }

    fn add(&mut self, other: Both) {
        self.gain.add(other.gain);
        self.lose.add(other.lose);
    }
}

/// A member over all messages of the history.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberSum {
    pub(super) relationship: Option<Relationship>,
    pub(super) age: Option<u32>,
    pub(super) sex: Option<Sex>,
    pub(super) change: Amount,
}

impl Tally {
    /// Adds a message's sums.
    pub(super) fn add_parts(&mut self, before: &Parts, after: &Parts, insurers: &[ParticipantId]) {
        self.billed += after.billed;
        let pair = |before, after| BeforeAfter { before, after };
        self.base.add(pair(before.base, after.base));
        self.written_off
            .add(pair(before.written_off, after.written_off));
        self.member.add(pair(before.member, after.member));
        for (at, insurer) in insurers.iter().enumerate() {
            let paid = |parts: &Parts| parts.paid.get(at).copied().unwrap_or_default();
            let paid = pair(paid(before), paid(after));
            match self.paid.get_mut(insurer) {
                Some(sum) => sum.add(paid),
                None => drop(self.paid.insert(insurer.clone(), paid)),
            }
        }
    }

    /// Adds what moves the lines of a message: those of an insurer of whom `counts` says so.
    pub(super) fn add_lines(
        &mut self,
        difference: &Difference,
        before: &[LineShare],
        after: &[LineShare],
        counts: impl Fn(&ParticipantId) -> bool,
    ) {
        for line in after {
            let was = before.iter().find(|own| own.seq == line.seq);
            let mut moved = Amount::ZERO;
            for (at, own) in line.supplementary.iter().enumerate() {
                let was = was.and_then(|line| line.supplementary.get(at));
                let change = own.amount - was.map(|own| own.amount).unwrap_or_default();
                if change.is_zero() || !counts(&own.insurer) {
                    continue;
                }
                moved += change;
                let benefit = own.benefit.clone();
                let benefit = benefit.or_else(|| was.and_then(|own| own.benefit.clone()));
                add(self.by_benefit.entry(benefit).or_default(), change);
            }
            let of_line = |own: &&(u32, Reason)| own.0 == line.seq;
            for (_, reason) in difference.gained.iter().filter(of_line) {
                add(self.by_reason.entry((true, *reason)).or_default(), moved);
            }
            for (_, reason) in difference.lost.iter().filter(of_line) {
                add(self.by_reason.entry((false, *reason)).or_default(), moved);
            }
        }
    }

    /// Adds a member.
    pub(super) fn add_member(&mut self, member: &MemberSum) {
        self.members += 1;
        if member.change.is_zero() {
            return;
        }
        self.both.count(member.change);
        let relation = member.relationship.map_or("none", relation_name);
        self.by_relation
            .entry(relation)
            .or_default()
            .count(member.change);
        let age = member.age.map_or("unknown", age_band);
        self.by_age.entry(age).or_default().count(member.change);
        let sex = member.sex.map_or("unknown", sex_name);
        self.by_sex.entry(sex).or_default().count(member.change);
    }

    /// Adds another's sums.
    pub(super) fn add(&mut self, other: Tally) {
        self.messages += other.messages;
        self.lines += other.lines;
        self.members += other.members;
        self.touched += other.touched;
        self.moved += other.moved;
        self.other_currency += other.other_currency;
        self.not_reproducible += other.not_reproducible;
        self.billed += other.billed;
        self.base.add(other.base);
        self.written_off.add(other.written_off);
        self.member.add(other.member);
        for (insurer, paid) in other.paid {
            self.paid.entry(insurer).or_default().add(paid);
        }
        self.both.add(other.both);
        let maps = [
            (&mut self.by_relation, other.by_relation),
            (&mut self.by_age, other.by_age),
            (&mut self.by_sex, other.by_sex),
        ];
        for (own, other) in maps {
            for (name, both) in other {
                own.entry(name).or_default().add(both);
            }
        }
        for (benefit, moved) in other.by_benefit {
            self.by_benefit.entry(benefit).or_default().add(&moved);
        }
        for (reason, moved) in other.by_reason {
            self.by_reason.entry(reason).or_default().add(&moved);
        }
    }

    /// The summary of a period. The premium is `viewer`'s, where there is one.
    pub(super) fn summary(
        self,
        (from, to): (Date, Date),
        currency: Currency,
        premium: Option<Amount>,
        viewer: Option<&ParticipantId>,
    ) -> Summary {
        let mut paid = BeforeAfter::default();
        let earns = |insurer: &ParticipantId| viewer.is_none_or(|viewer| viewer == insurer);
        let earning = self.paid.iter().filter(|(insurer, _)| earns(insurer));
        earning.for_each(|(_, own)| paid.add(*own));
        let ratio = |paid| premium.and_then(|premium| percent(paid, premium));
        let supplementary = self.paid.into_iter();
        let benefit = |benefit: &Option<BenefitId>| match benefit {
            Some(benefit) => benefit.to_string(),
            None => "none".to_owned(),
        };
        let reason = |(gained, reason): &(bool, Reason)| {
            format!("{}{}", if *gained { '+' } else { '-' }, reason.code())
        };
        Summary {
            from,
            to,
            currency,
            messages: self.messages,
            lines: self.lines,
            members: self.members,
            touched: self.touched,
            moved: self.moved,
            other_currency: self.other_currency,
            not_reproducible: self.not_reproducible,
            billed: self.billed,
            base: self.base,
            supplementary: supplementary
                .map(|(insurer, paid)| InsurerPart { insurer, paid })
                .collect(),
            written_off: self.written_off,
            member: self.member,
            premium,
            loss_ratio_before: ratio(paid.before),
            loss_ratio_after: ratio(paid.after),
            gain: self.both.gain,
            lose: self.both.lose,
            by_relation: gains(self.by_relation),
            by_age: gains(self.by_age),
            by_sex: gains(self.by_sex),
            by_benefit: largest(self.by_benefit, benefit),
            by_reason: largest(self.by_reason, reason),
        }
    }
}

impl Moved {
    fn add(&mut self, other: &Moved) {
        self.lines += other.lines;
        self.change += other.change;
    }
}

fn add(moved: &mut Moved, change: Amount) {
    moved.add(&Moved { lines: 1, change });
}

fn gains(all: BTreeMap<&'static str, Both>) -> Vec<Gains> {
    let row = |(of, both): (&str, Both)| Gains {
        of: of.to_owned(),
        gain: both.gain,
        lose: both.lose,
    };
    all.into_iter().map(row).collect()
}

fn largest<K>(all: BTreeMap<K, Moved>, name: impl Fn(&K) -> String) -> Vec<MovedSum> {
    let row = |(of, moved): (K, Moved)| MovedSum {
        of: name(&of),
        lines: moved.lines,
        change: moved.change,
    };
    let mut rows: Vec<MovedSum> = all.into_iter().map(row).collect();
    // The order of the keys stays where sums are equal.
    rows.sort_by_key(|row| std::cmp::Reverse((row.change.get().unsigned_abs(), row.lines)));
    rows.truncate(MOST_NAMED);
    rows
}

fn age_band(age: u32) -> &'static str {
    match age {
        0..=17 => "0-17",
        18..=39 => "18-39",
        40..=59 => "40-59",
        _ => "60+",
    }
}

fn relation_name(relation: Relationship) -> &'static str {
    match relation {
        Relationship::Principal => "principal",
        Relationship::Spouse => "spouse",
        Relationship::Son => "son",
        Relationship::Daughter => "daughter",
        Relationship::Student => "student",
        Relationship::Parent => "parent",
        Relationship::Other => "other",
    }
}

fn sex_name(sex: Sex) -> &'static str {
    match sex {
        Sex::Female => "female",
        Sex::Male => "male",
        Sex::Other => "other",
        Sex::Unknown => "unknown",
    }
}
