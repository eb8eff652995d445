//! The share computation: a bill split among base insurer, supplementary insurers and member.
//!
//! Pure: the same case and remainders give the same shares, trace and draws for ever. It is done in two
//! strokes. [`Case::needs`] says which remainders a bill may touch, so that a store can lock and load them in
//! one go; [`Case::split`] does the fifteen steps on what is left of them. Steps 2–8 judge one line for one
//! insurer and are the registry [`RULES`], one file each; steps 9–15 work across lines and insurers and are
//! one function.

mod authorisation;
mod benefit;
mod conditions;
mod documents;
mod eligibility;
mod exclusion;
mod frame;
mod lines;
mod package;
mod price;
mod quantity;
mod rank;
mod split;
mod waiting;

pub use documents::{Authorised, Course, CoverFacts, Documents, Left, Standing, Unjudged};
pub(crate) use documents::{Billed, member_of};
use frame::Frame;
pub use lines::{LineTerms, bill_day, bill_diagnoses, bill_lines};
pub use package::Packages;
pub use split::{Draw, Split};

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use crate::bill::EncounterClass;
use crate::coverage::{Cover, Person};
use crate::date::Date;
use crate::decision::{Input, RuleName, TraceEntry};
use crate::exchange::ExchangeRate;
use crate::ids::ParticipantId;
use crate::money::{Amount, Currency, Quantity, Rate};
use crate::party::Sector;
use crate::plan::{BasePlan, Benefit, CodeGroup, FiledPlan, Limit, LimitKind, LimitUnit, Tier};
use crate::reason::Reason;
use crate::tariff::Tariff;

/// Everything that a split rests on, beside the remainders.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The currency of every amount of the bill.
    pub currency: Currency,
    /// The member.
    pub person: Person,
    /// The visit or stay, by a key that all its bills share.
    pub visit: &'a str,
    /// How the member is treated.
    pub class: Option<EncounterClass>,
    /// Who owns the facility.
    pub sector: Option<Sector>,
    /// The base insurer's plan and tariff; `None` where base insurance is not used.
    pub base: Option<(&'a BasePlan, &'a Tariff)>,
    /// Whether the bill is for what an accident did: a circumstance of all its lines.
    pub accident: bool,
    /// The diagnoses of the bill: system and code.
    pub diagnoses: Vec<(&'a str, &'a str)>,
    /// Whether leave is asked for the services: then it is not held against them that they have none yet.
    pub asks_leave: bool,
    /// The supplementary covers, in the order in which they pay.
    pub covers: Vec<CoverTerms<'a>>,
    /// The lines, in any order.
    pub lines: Vec<BillLine<'a>>,
}

/// A supplementary cover with the documents that it goes by.
#[derive(Debug, Clone, Copy)]
pub struct CoverTerms<'a> {
    /// The cover.
    pub cover: &'a Cover,
    /// The plan in force.
    pub plan: &'a FiledPlan,
    /// The tariff that the plan recognises.
    pub tariff: Option<&'a Tariff>,
    /// The price list of the insurer's contract with this provider.
    pub contract: Option<&'a Tariff>,
    /// What the insurer itself has said to the bill.
    pub said: Option<&'a InsurerSays>,
    /// The lines that the plan's clinical terms refuse, by their numbers.
    pub refused: &'a [u32],
}

impl<'a> CoverTerms<'a> {
    /// The tariffs by which the insurer prices what a provider of this standing does, the first first: the contract's
    /// price list counts in the network alone.
    pub(crate) fn agreed(&self, tier: Tier) -> impl Iterator<Item = &'a Tariff> + use<'a> {
        let contract = self.contract.filter(|_| tier.is_inside());
        [contract, self.tariff].into_iter().flatten()
    }
}

/// What an insurer has said to a bill, in place of the computation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsurerSays {
    /// As computed.
    Approved,
    /// These amounts, by line; as computed for the others. Never more than is still open, or than its limits leave.
    Adjusted(Vec<(u32, Amount)>),
    /// Nothing.
    Refused,
}

/// The lines of a bill that the clinical terms of an insurer's plan refuse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefusedLines {
    /// The insurer.
    pub insurer: ParticipantId,
    /// The numbers of the lines.
    pub lines: Vec<u32>,
}

impl RefusedLines {
    /// What an insurer refuses.
    pub fn by<'a>(insurer: &ParticipantId, all: &'a [RefusedLines]) -> &'a [u32] {
        let own = all.iter().find(|own| own.insurer == *insurer);
        own.map_or(&[], |own| &own.lines)
    }
}

/// A line as the rules see it.
#[derive(Debug, Clone)]
pub struct BillLine<'a> {
    /// The sender's number.
    pub seq: u32,
    /// The code system of the service. Empty where the line names none.
    pub system: &'a str,
    /// The code of the service. Empty where the line names none.
    pub code: &'a str,
    /// The day of service.
    pub date: Date,
    /// How many.
    pub quantity: Quantity,
    /// What is asked for all of them; `None` where the sender names no price.
    pub billed: Option<Amount>,
    /// What the base insurer really paid, where it is known.
    pub base_paid: Option<Amount>,
    /// The base insurer, where it is not the message that says so, but the insurer itself that was asked.
    pub base_said_by: Option<&'a ParticipantId>,
    /// A government subsidy.
    pub subsidy: Amount,
    /// For each cover, how the provider stands in its network.
    pub network: Vec<Tier>,
    /// Whether it was done on both sides.
    pub bilateral: bool,
    /// The lines that it stands for, where they are priced together, itself among them: what was asked for each.
    pub parts: Vec<(u32, Amount)>,
    /// The reference price of one, where the sender's side knows it; else the tariff's.
    pub reference_price: Option<Amount>,
    /// Whether a substitute was ruled out, and that was approved.
    pub substitution_refused: bool,
    /// For each cover, the insurer's pre-authorisation that the line goes by.
    pub authorised: Vec<Option<AuthorisedLine>>,
    /// A circumstance that lifts exclusions.
    pub circumstance: Option<&'a str>,
}

impl<'a> BillLine<'a> {
    /// A line of which nothing more is said: a service, by its system and code, once.
    pub fn new(seq: u32, service: (&'a str, &'a str), date: Date, billed: Option<Amount>) -> Self {
        let (system, code) = service;
        BillLine {
            seq,
            system,
            code,
            date,
            quantity: Quantity::ONE,
            billed,
            base_paid: None,
            base_said_by: None,
            subsidy: Amount::ZERO,
            network: Vec::new(),
            parts: Vec::new(),
            bilateral: false,
            reference_price: None,
            substitution_refused: false,
            authorised: Vec::new(),
            circumstance: None,
        }
    }

    /// How the provider stands in the network of a cover.
    pub(crate) fn tier(&self, cover: usize) -> Tier {
        self.network.get(cover).copied().unwrap_or(Tier::FIRST)
    }

    /// What the insurer of a cover has authorised.
    pub(crate) fn authorised(&self, cover: usize) -> Option<AuthorisedLine> {
        self.authorised.get(cover).copied().flatten()
    }
}

/// How much of a line was authorised.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuthorisedLine {
    /// The most units.
    pub quantity: Option<Quantity>,
    /// The most money.
    pub amount: Option<Amount>,
}

impl Case<'_> {
    /// Makes the case one in another currency: what the bill says is converted, line by line.
    pub fn exchange(&mut self, rate: &ExchangeRate) {
        self.currency = rate.to;
        for line in &mut self.lines {
            line.billed = line.billed.map(|amount| rate.convert(amount));
            line.base_paid = line.base_paid.map(|amount| rate.convert(amount));
            line.reference_price = line.reference_price.map(|price| rate.convert(price));
            line.subsidy = rate.convert(line.subsidy);
        }
    }
}

/// What a rule says to a line.
pub(crate) enum Verdict {
    /// The next rule may speak.
    Go,
    /// This insurer pays nothing for the line.
    Refuse(Reason),
}

/// A rule judges one line for one insurer and notes what it changes.
pub(crate) type Rule = fn(&mut Judging<'_>) -> Verdict;

/// Steps 2 to 8. Order is meaning: the first refusal counts.
pub(crate) const RULES: &[Rule] = &[
    eligibility::apply,
    benefit::apply,
    exclusion::apply,
    waiting::apply,
    conditions::apply,
    authorisation::apply,
    quantity::apply,
    price::apply,
];

/// One line before one insurer.
pub(crate) struct Judging<'a> {
    pub(crate) case: &'a Case<'a>,
    pub(crate) line: &'a BillLine<'a>,
    pub(crate) billed: Amount,
    pub(crate) terms: &'a CoverTerms<'a>,
    pub(crate) tier: Tier,
    /// What the insurer has authorised of the line.
    pub(crate) authorised: Option<AuthorisedLine>,
    /// The remainders that the line may use, with what is left of each.
    pub(crate) limits: Vec<OpenLimit<'a>>,
    pub(crate) benefit: Option<&'a Benefit>,
    /// What is recognised of the price of each unit, where procedures were done together.
    pub(crate) ranks: &'a [Rate],
    /// The member's rate.
    pub(crate) rate: Rate,
    /// The member's fixed part.
    pub(crate) copay: Amount,
    /// The quantity that is covered.
    pub(crate) quantity: Quantity,
    /// What is billed for the covered quantity.
    pub(crate) asked: Amount,
    /// What the agreed price leaves of it.
    pub(crate) by_price: Amount,
    /// What is recognised.
    pub(crate) allowed: Amount,
    /// Whether the line waits for the insurer's word.
    pub(crate) pended: bool,
    pub(crate) trace: Vec<TraceEntry>,
}

/// A limit that a line may use.
pub(crate) struct OpenLimit<'a> {
    pub(crate) limit: &'a Limit,
    /// The remainder it belongs to; `None` for a limit on the line itself.
    pub(crate) slot: Option<usize>,
    pub(crate) left: i64,
    /// Where visits are counted: the remainder that says whether this one still is to be.
    pub(crate) visit: Option<usize>,
}

impl<'a> Judging<'a> {
    /// Notes a step that changed an amount.
    pub(crate) fn note(
        &mut self,
        step: u8,
        reason: Reason,
        rule: Option<RuleName>,
        before: Amount,
        after: Amount,
        inputs: Vec<Input>,
    ) {
        let insurer = Some(self.terms.plan.insurer.clone());
        self.trace.push(TraceEntry {
            step,
            insurer,
            reason,
            rule,
            before,
            after,
            inputs,
        });
    }

    /// How the trace names a rule of the plan.
    pub(crate) fn rule(&self, part: impl Into<SmolStr>) -> Option<RuleName> {
        let plan = self.terms.plan;
        Some(RuleName::new(&plan.id, plan.version, part.into()))
    }

    /// How the trace names the benefit.
    pub(crate) fn rule_of_benefit(&self) -> Option<RuleName> {
        self.benefit.and_then(|benefit| self.rule(&benefit.id))
    }

    /// Whether the bill names one of these diagnoses.
    pub(crate) fn has_diagnosis(&self, among: &[CodeGroup]) -> bool {
        let mut diagnoses = self.case.diagnoses.iter();
        diagnoses.any(|(system, code)| self.terms.plan.longest(among, system, code).is_some())
    }

    /// The member's age in full years on the service date.
    pub(crate) fn age(&self) -> Option<u32> {
        let birth = self.case.person.birth_date?;
        Some(self.line.date.age_since(birth))
    }

    /// What is left of all money limits of a kind together: the least of them.
    pub(crate) fn left_of(&self, kind: LimitKind) -> Option<Amount> {
        let limits = self
            .limits
            .iter()
            .filter(|open| open.limit.kind == kind && open.limit.unit == LimitUnit::Money);
        limits
            .map(|open| open.left.max(0))
            .min()
            .map(|left| Amount::new(left).unwrap_or(Amount::MAX))
    }
}
