//! The documents of one bill in one piece: for the command line, simulations and tests, where no hub knows the
//! covers, versions and remainders. What they say is judged as any admission is, by [`Case::split`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    AuthorisedLine, Case, CoverTerms, LineTerms, RefusedLines, bill_day, bill_diagnoses, bill_lines,
};
use crate::bill::{Bill, Line};
use crate::coverage::{Cover, Person};
use crate::date::{Date, When};
use crate::decision::{Basis, DecidedBy, Decision, LineShare, Totals};
use crate::digest::sha256;
use crate::exchange::ExchangeRate;
use crate::ids::{AccountId, LimitCode, MemberId, ParticipantId, TariffId};
use crate::limit::{LimitKey, LimitNeed};
use crate::message::{Head, Kind, Message};
use crate::money::{Amount, Currency, Quantity};
use crate::party::InsurerRole;
use crate::plan::{BasePlan, FiledPlan, Plan, Relationship, Tier};
use crate::problem::{Problem, ProblemCode};
use crate::reason::Reason;
use crate::tariff::Tariff;

/// Everything that a bill is judged by, beside the bill itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Documents {
    /// The supplementary insurers' plans, in the order in which they pay: one plan an insurer, in the version
    /// that is in force.
    pub plans: Vec<FiledPlan>,
    /// The base insurer's plan; none where base insurance is not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BasePlan>,
    /// The tariffs that the plans name, and the price lists of the provider's contracts. Of several versions
    /// the latest that is in force on the bill's day counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariffs: Vec<Tariff>,
    /// The member's covers. Without one, a plan covers the member from its first day to its last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<CoverFacts>,
    /// The insurers in whose network the provider is not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub out_of_network: Vec<ParticipantId>,
    /// In which tier of an insurer's network the provider is; in the first, where none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<Standing>,
    /// Rates of exchange, for a bill in another currency than the plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exchange: Vec<ExchangeRate>,
    /// What was authorised, by the number that lines name. A line whose number is not here has no authorisation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorisations: Vec<Authorised>,
    /// The lines that clinical rules refuse.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedLines>,
    /// What is left of limits. The others are whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remainders: Vec<Left>,
}

/// A member's cover with one insurer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CoverFacts {
    /// The insurer.
    pub insurer: ParticipantId,
    /// The first day.
    pub start: Date,
    /// The last day, where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Date>,
    /// Whether payments are suspended.
    #[serde(default)]
    pub suspended: bool,
    /// Whether the member came from another supplementary cover without a gap.
    #[serde(default)]
    pub prior_cover: bool,
    /// The relation to the principal.
    #[serde(default)]
    pub relationship: Relationship,
    /// How many members the policy's group has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_size: Option<u32>,
    /// The certificate: members under one certificate share its limits. It matters to bills that follow each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// How the provider stands in an insurer's network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The insurer.
    pub insurer: ParticipantId,
    /// The tier.
    pub tier: Tier,
}

/// What a pre-authorisation allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorised {
    /// Its number.
    pub number: String,
    /// Whose leave it is; everybody's, where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurer: Option<ParticipantId>,
    /// The most units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<Quantity>,
    /// The most money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Amount>,
}

/// What is left of a limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Left {
    /// Whose plan it belongs to.
    pub insurer: ParticipantId,
    /// The limit.
    pub limit: LimitCode,
    /// The stretch, as a decision's remainders name it. Needed where a bill touches several of one limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stretch: Option<String>,
    /// How much: smallest units of the currency, or a number.
    pub left: i64,
}

impl Left {
    fn is_of(&self, need: &LimitNeed) -> bool {
        let stretch = self.stretch.as_ref();
        need.key.insurer == self.insurer
            && need.key.code == self.limit
            && stretch.is_none_or(|own| *need.key.stretch == **own)
    }
}

/// What bills that follow each other leave of limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course(BTreeMap<LimitKey, i64>);

/// Why a bill could not be judged; each problem with a pointer into the part that it is in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unjudged {
    /// The documents contradict themselves, or lack one that the bill needs.
    #[error("the documents cannot be used")]
    Documents(Vec<Problem>),
    /// The message is none that can be judged.
    #[error("the message cannot be judged")]
    Message(Vec<Problem>),
}

impl<P: Into<FiledPlan>> From<Vec<P>> for Documents {
    /// Plans alone, in the order in which they pay.
    fn from(plans: Vec<P>) -> Documents {
        Documents {
            plans: plans.into_iter().map(P::into).collect(),
            ..Documents::default()
        }
    }
}

impl Documents {
    /// The shares of a message's bill.
    ///
    /// # Errors
    /// [`Unjudged`] with everything that stands in the way.
    pub fn judge(&self, message: &Message) -> Result<Decision, Unjudged> {
        self.judge_on(message, MemberId(Uuid::nil()), &Course::default())
    }

    /// The shares of a message's bill on what earlier bills have left, and what it leaves itself.
    ///
    /// Members are told apart by their first identifier, and accounts by the certificates of the covers.
    ///
    /// # Errors
    /// As [`Documents::judge`].
    pub fn judge_next(&self, message: &Message, course: &mut Course) -> Result<Decision, Unjudged> {
        let decision = self.judge_on(message, member_of(&message.head), course)?;
        let left = decision.remainders.iter();
        course
            .0
            .extend(left.map(|row| (row.key.clone(), row.after)));
        Ok(decision)
    }

    fn judge_on(
        &self,
        message: &Message,
        member: MemberId,
        course: &Course,
    ) -> Result<Decision, Unjudged> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(Unjudged::Documents(problems));
        }
        let billed = Billed::of(message).map_err(Unjudged::Message)?;
        let (covers, documents) = (self.covers(member), Unjudged::Documents);
        let mut case = self.case(&billed, &covers).map_err(documents)?;
        let exchange = self.exchange_of(&billed);
        if let Some(rate) = exchange {
            case.exchange(rate);
        }
        let unclear = self.unclear(&case.needs());
        if !unclear.is_empty() {
            return Err(Unjudged::Documents(unclear));
        }
        let split = case.split(|need| self.left(need, course));
        Ok(Decision {
            currency: case.currency,
            totals: Totals::of(&split.lines),
            remainders: split.remainders(|need| need.ceiling),
            basis: self.basis(),
            exchange: exchange.cloned(),
            decided_by: DecidedBy::Hub,
            reasons: reasons(&billed.bill, &split.lines, exchange),
            valid_until: None,
            lines: split.lines,
        })
    }

    /// What a bill rests on for a member with these covers, its amounts as they were asked.
    pub(crate) fn case<'a>(
        &'a self,
        billed: &'a Billed<'_>,
        covers: &'a [Cover],
    ) -> Result<Case<'a>, Vec<Problem>> {
        let (head, bill, day) = (billed.head, &*billed.bill, billed.day);
        let encounter = bill.encounter.as_ref();
        let visit = encounter.and_then(|encounter| encounter.identifiers.first());
        let facility = [&head.facility, &head.provider].into_iter().flatten();
        Ok(Case {
            currency: head.currency.unwrap_or(Currency::NONE),
            person: Person {
                birth_date: head.member.birth_date.as_ref().and_then(When::first_day),
                sex: head.member.sex,
            },
            visit: visit.map_or("", |identifier| identifier.value.as_str()),
            class: encounter.and_then(|encounter| encounter.class),
            sector: facility.filter_map(|party| party.sector).next(),
            base: self.base(day)?,
            accident: bill.accident.is_some(),
            diagnoses: bill_diagnoses(bill),
            asks_leave: billed.kind == Kind::Preauthorization,
            covers: self.terms(covers, day)?,
            lines: bill_lines(bill, head, day, |line| self.line_terms(line)),
        })
    }

    /// The rate by which a bill's amounts become those of the first plan.
    pub(crate) fn exchange_of(&self, billed: &Billed<'_>) -> Option<&ExchangeRate> {
        let currency = billed.head.currency.unwrap_or(Currency::NONE);
        let wanted = self.plans.first().map_or(currency, |plan| plan.currency);
        ExchangeRate::of_day(&self.exchange, (currency, wanted), billed.day)
    }

    /// A member's covers, in the order of the plans.
    pub(crate) fn covers(&self, member: MemberId) -> Vec<Cover> {
        let cover = |plan: &FiledPlan| self.cover(plan, member);
        self.plans.iter().map(cover).collect()
    }

    fn cover(&self, plan: &Plan, member: MemberId) -> Cover {
        let facts = self.covers.iter().find(|own| own.insurer == plan.insurer);
        let certificate = facts.and_then(|own| own.certificate.as_deref());
        Cover {
            account: AccountId(certificate.map_or(Uuid::nil(), id_of)),
            member,
            insurer: plan.insurer.clone(),
            role: InsurerRole::Supplementary,
            order: 1,
            relationship: facts.map(|own| own.relationship).unwrap_or_default(),
            plan: plan.id.clone(),
            start: facts.map_or(plan.from, |own| own.start),
            end: facts.map_or(plan.to, |own| own.end),
            suspended: facts.is_some_and(|own| own.suspended),
            prior_cover: facts.is_some_and(|own| own.prior_cover),
            group_size: facts.and_then(|own| own.group_size),
            principal_born: None,
        }
    }

    fn terms<'a>(
        &'a self,
        covers: &'a [Cover],
        day: Date,
    ) -> Result<Vec<CoverTerms<'a>>, Vec<Problem>> {
        let terms = |(at, (plan, cover)): (usize, (&'a FiledPlan, &'a Cover))| {
            let named = plan.tariff.as_ref();
            let tariff = named.map(|id| self.named_tariff(id, day, format!("/plans/{at}/tariff")));
            Ok(CoverTerms {
                cover,
                plan,
                tariff: tariff.transpose()?,
                contract: self.contract(&plan.insurer, day),
                said: None,
                refused: RefusedLines::by(&plan.insurer, &self.refused),
            })
        };
        let rows = self.plans.iter().zip(covers).enumerate();
        rows.map(terms).collect()
    }

    fn base(&self, day: Date) -> Result<Option<(&BasePlan, &Tariff)>, Vec<Problem>> {
        let Some(plan) = &self.base else {
            return Ok(None);
        };
        if day < plan.from || plan.to.is_some_and(|to| to < day) {
            let detail = format!("this version is not in force on {day}");
            return Err(vec![Problem::new(ProblemCode::BadValue, "/base", detail)]);
        }
        let tariff = self.named_tariff(&plan.tariff, day, "/base/tariff".to_owned())?;
        Ok(Some((plan, tariff)))
    }

    fn named_tariff(
        &self,
        id: &TariffId,
        day: Date,
        pointer: String,
    ) -> Result<&Tariff, Vec<Problem>> {
        let named = self.tariffs.iter().filter(|own| own.document().id == *id);
        latest(named, day).ok_or_else(|| {
            let detail = format!("no tariff {id} is in force on {day}");
            vec![Problem::new(
                ProblemCode::DanglingReference,
                pointer,
                detail,
            )]
        })
    }

    fn contract(&self, insurer: &ParticipantId, day: Date) -> Option<&Tariff> {
        let with_insurer = |own: &&Tariff| {
            let contract = own.document().contract.as_ref();
            contract.is_some_and(|contract| contract.insurer == *insurer)
        };
        latest(self.tariffs.iter().filter(with_insurer), day)
    }

    fn line_terms(&self, line: &Line) -> LineTerms {
        let authorised = |plan: &FiledPlan| {
            let of_line = |own: &&Authorised| {
                let by = own.insurer.as_ref();
                line.authorisation.as_ref() == Some(&own.number)
                    && by.is_none_or(|by| *by == plan.insurer)
            };
            let found = self.authorisations.iter().find(of_line);
            found.map(|own| AuthorisedLine {
                quantity: own.quantity,
                amount: own.amount,
            })
        };
        LineTerms {
            network: self.plans.iter().map(|plan| self.tier(plan)).collect(),
            authorised: self.plans.iter().map(authorised).collect(),
        }
    }

    fn tier(&self, plan: &Plan) -> Tier {
        if self.out_of_network.contains(&plan.insurer) {
            return Tier::Outside;
        }
        let mut known = self.tiers.iter();
        let named = known.find(|own| own.insurer == plan.insurer);
        named.map_or(Tier::FIRST, |own| own.tier)
    }

    /// What is left of a limit.
    fn left(&self, need: &LimitNeed, course: &Course) -> i64 {
        let stated = || {
            let row = self.remainders.iter().rev().find(|row| row.is_of(need));
            row.map_or(need.ceiling, |row| row.left)
        };
        course.0.get(&need.key).copied().unwrap_or_else(stated)
    }

    /// What is said to be left of a limit of which a bill touches several stretches.
    fn unclear(&self, needs: &[LimitNeed]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (at, row) in self.remainders.iter().enumerate() {
            let own = needs.iter().filter(|need| row.is_of(need));
            let stretches: Vec<&str> = own.map(|need| &*need.key.stretch).collect();
            if stretches.len() > 1 {
                let detail = format!("which stretch: {}?", stretches.join(", "));
                let pointer = format!("/remainders/{at}/stretch");
                problems.push(Problem::new(ProblemCode::Missing, pointer, detail));
            }
        }
        problems
    }

    fn basis(&self) -> Vec<Basis> {
        let base = self.base.iter().map(|own| Basis {
            insurer: own.insurer.clone(),
            plan: own.id.clone(),
            version: own.version,
        });
        let plans = self.plans.iter().map(|own| Basis {
            insurer: own.insurer.clone(),
            plan: own.id.clone(),
            version: own.version,
        });
        base.chain(plans).collect()
    }

    /// Everything that is wrong with the documents, whatever bill they are for.
    pub fn problems(&self) -> Vec<Problem> {
        let bad =
            |pointer: String, detail: &str| Problem::new(ProblemCode::BadValue, pointer, detail);
        let mut problems = Vec::new();
        for (at, plan) in self.plans.iter().enumerate() {
            let faults = plan.faults().into_iter();
            problems.extend(faults.map(|(place, fault)| bad(format!("/plans/{at}{place}"), fault)));
            let earlier = self.plans.iter().take(at);
            if earlier.into_iter().any(|own| own.insurer == plan.insurer) {
                let detail = "an earlier plan is of the same insurer";
                problems.push(bad(format!("/plans/{at}/insurer"), detail));
            }
        }
        for (at, row) in self.authorisations.iter().enumerate() {
            if row.amount.is_some_and(|amount| amount < Amount::ZERO) {
                problems.push(bad(format!("/authorisations/{at}/amount"), "below zero"));
            }
        }
        for (at, row) in self.remainders.iter().enumerate() {
            if !(0..=Amount::MAX.get()).contains(&row.left) {
                let detail = "outside any real remainder";
                problems.push(bad(format!("/remainders/{at}/left"), detail));
            }
        }
        problems.extend(self.strangers());
        problems
    }

    /// Rows that name an insurer or a limit that no plan has.
    fn strangers(&self) -> Vec<Problem> {
        let plan = |insurer: &ParticipantId| self.plans.iter().find(|own| own.insurer == *insurer);
        let stranger = |pointer: String, detail: &str| {
            Problem::new(ProblemCode::DanglingReference, pointer, detail)
        };
        let nobody = "no plan is of this insurer";
        let mut problems = Vec::new();
        for (at, row) in self.covers.iter().enumerate() {
            if plan(&row.insurer).is_none() {
                problems.push(stranger(format!("/covers/{at}/insurer"), nobody));
            }
        }
        for (at, insurer) in self.out_of_network.iter().enumerate() {
            if plan(insurer).is_none() {
                problems.push(stranger(format!("/out_of_network/{at}"), nobody));
            }
        }
        for (at, row) in self.tiers.iter().enumerate() {
            if plan(&row.insurer).is_none() {
                problems.push(stranger(format!("/tiers/{at}/insurer"), nobody));
            }
        }
        for (at, row) in self.remainders.iter().enumerate() {
            match plan(&row.insurer) {
                None => problems.push(stranger(format!("/remainders/{at}/insurer"), nobody)),
                Some(plan) if plan.limits.iter().all(|own| own.id != row.limit) => {
                    let pointer = format!("/remainders/{at}/limit");
                    problems.push(stranger(pointer, "the insurer's plan has no such limit"));
                }
                Some(_) => {}
            }
        }
        problems
    }
}

/// An id for a name, the same for the same name.
fn id_of(name: &str) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = sha256(name.as_bytes());
    Uuid::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
}

/// Members are told apart by their first identifier.
pub(crate) fn member_of(head: &Head) -> MemberId {
    let named = head.member.identifiers.first();
    MemberId(id_of(named.map_or("", |identifier| &identifier.value)))
}

/// A message with a bill, and the day that it is about.
pub(crate) struct Billed<'a> {
    kind: Kind,
    head: &'a Head,
    bill: Cow<'a, Bill>,
    pub(crate) day: Date,
}

impl<'a> Billed<'a> {
    /// The bill of a message; the day is that which it names, else the first day of any of its lines.
    pub(crate) fn of(message: &'a Message) -> Result<Billed<'a>, Vec<Problem>> {
        let missing =
            |pointer: &str, detail: &str| vec![Problem::new(ProblemCode::Missing, pointer, detail)];
        let head = &message.head;
        let bill = message.bill();
        let bill = bill.ok_or_else(|| missing("", "the message has no bill"))?;
        let lines = bill.lines.iter().filter_map(|line| line.serviced.as_ref());
        let days = lines.flat_map(|period| [&period.start, &period.end]);
        let earliest = || days.flatten().filter_map(When::first_day).min();
        let day = bill_day(&bill, head).or_else(earliest);
        let day =
            day.ok_or_else(|| missing("/occurred_on", "nothing in the message names a day"))?;
        Ok(Billed {
            kind: message.kind(),
            head,
            bill,
            day,
        })
    }
}

fn latest<'a>(tariffs: impl Iterator<Item = &'a Tariff>, day: Date) -> Option<&'a Tariff> {
    tariffs
        .filter(|tariff| tariff.covers_date(day))
        .max_by_key(|tariff| tariff.document().version)
}

fn reasons(bill: &Bill, lines: &[LineShare], exchange: Option<&ExchangeRate>) -> Vec<Reason> {
    let unpriced = |line: &LineShare| line.reasons.contains(&Reason::NoPrice);
    let billed: Amount = lines.iter().map(|line| line.billed).sum();
    let mut reasons = Vec::new();
    if !lines.is_empty() && lines.iter().all(unpriced) {
        reasons.push(Reason::NotPriced);
    }
    match exchange {
        // What the bill states is in its own currency.
        Some(_) => reasons.push(Reason::Exchanged),
        None if bill.total.is_some_and(|total| total != billed) => {
            reasons.push(Reason::TotalDiffers);
        }
        None => {}
    }
    reasons
}
