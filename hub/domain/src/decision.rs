//! What was decided on a bill, line by line, with the way that led there.

mod trace;

pub use trace::{Figure, Input, RuleName};

use serde::{Deserialize, Serialize};

use crate::date::Date;
use crate::exchange::ExchangeRate;
use crate::ids::{BenefitId, ParticipantId, PlanId};
use crate::limit::{LimitKey, LimitNeed};
use crate::money::{Amount, Currency};
use crate::plan::{LimitKind, LimitPer, LimitUnit};
use crate::reason::Reason;

/// The shares of a bill. For each line and in the totals:
/// billed = base + written off + Σ supplementary + member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The currency of every amount.
    pub currency: Currency,
    /// The lines, in the order in which they were judged.
    pub lines: Vec<LineShare>,
    /// Their sums.
    pub totals: Totals,
    /// The remainders that were touched, before and after.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remainders: Vec<Remainder>,
    /// The versions that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<Basis>,
    /// By which rate the bill's amounts were converted, where it is in another currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange: Option<ExchangeRate>,
    /// Who decided.
    pub decided_by: DecidedBy,
    /// What concerns the whole bill.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// To which day what is reserved stays reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The hub, whose computation is the insurer's answer by contract.
    Hub,
    /// The insurer itself.
    Insurer,
    /// The hub in the place of a silent insurer.
    StandIn,
    /// A person.
    Person,
}

impl DecidedBy {
    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            DecidedBy::Hub => "hub",
            DecidedBy::Insurer => "insurer",
            DecidedBy::StandIn => "stand_in",
            DecidedBy::Person => "person",
        }
    }
}

/// The shares of one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineShare {
    /// The sender's number of the line.
    pub seq: u32,
    /// What was asked.
    pub billed: Amount,
    /// The most that an insurer recognises of it.
    pub allowed: Amount,
    /// What the base insurer pays, subsidy included.
    pub base: Amount,
    /// How much of the base part is a government subsidy.
    #[serde(default, skip_serializing_if = "Amount::is_zero")]
    pub subsidy: Amount,
    /// What each supplementary insurer pays, in their order.
    pub supplementary: Vec<InsurerShare>,
    /// What the provider waives.
    pub written_off: Amount,
    /// What the member pays.
    pub member: Amount,
    /// Why, without repetition.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// Every step that changed something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trace: Vec<TraceEntry>,
}

impl LineShare {
    /// What all supplementary insurers pay together.
    pub fn supplementary_total(&self) -> Amount {
        self.supplementary.iter().map(|share| share.amount).sum()
    }
}

/// What one supplementary insurer pays of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsurerShare {
    /// The insurer.
    pub insurer: ParticipantId,
    /// What it pays.
    pub amount: Amount,
    /// What it recognises.
    pub allowed: Amount,
    /// The benefit that the line fell under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub benefit: Option<BenefitId>,
    /// Why it pays nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Reason>,
    /// Whether the line waits for its word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pended: bool,
}

/// A step that changed something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TraceEntry {
    /// The step of the computation, 1 to 15.
    pub step: u8,
    /// For which insurer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurer: Option<ParticipantId>,
    /// Why.
    pub reason: Reason,
    /// The benefit, exclusion, limit or tariff that said so, with its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleName>,
    /// The amount before.
    pub before: Amount,
    /// The amount after.
    pub after: Amount,
    /// What it was computed from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Input>,
}

/// Sums over the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// What was asked.
    pub billed: Amount,
    /// What is recognised.
    pub allowed: Amount,
    /// What the base insurer pays, subsidy included.
    pub base: Amount,
    /// What each supplementary insurer pays.
    pub supplementary: Vec<(ParticipantId, Amount)>,
    /// What the provider waives.
    pub written_off: Amount,
    /// What the member pays.
    pub member: Amount,
}

impl Totals {
    /// Sums the lines.
    pub fn of(lines: &[LineShare]) -> Totals {
        let mut totals = Totals::default();
        for line in lines {
            totals.billed += line.billed;
            totals.allowed += line.allowed;
            totals.base += line.base;
            totals.written_off += line.written_off;
            totals.member += line.member;
            for share in &line.supplementary {
                match totals
                    .supplementary
                    .iter_mut()
                    .find(|(insurer, _)| *insurer == share.insurer)
                {
                    Some((_, sum)) => *sum += share.amount,
                    None => totals
                        .supplementary
                        .push((share.insurer.clone(), share.amount)),
                }
            }
        }
        totals
    }

    /// What all supplementary insurers pay together.
    pub fn supplementary_total(&self) -> Amount {
        self.supplementary.iter().map(|(_, amount)| *amount).sum()
    }
}

/// A remainder before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remainder {
    /// Which.
    pub key: LimitKey,
    /// What it limits.
    pub kind: LimitKind,
    /// Of what.
    pub unit: LimitUnit,
    /// Over which stretch.
    pub per: LimitPer,
    /// How much there is in all.
    pub ceiling: i64,
    /// What was left before.
    pub before: i64,
    /// What is left after.
    pub after: i64,
}

impl Remainder {
    /// The remainder of a need.
    pub fn of(need: &LimitNeed, ceiling: i64, before: i64, after: i64) -> Remainder {
        Remainder {
            key: need.key.clone(),
            kind: need.kind,
            unit: need.unit,
            per: need.per,
            ceiling,
            before,
            after,
        }
    }
}

/// A version that a decision rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// The insurer.
    pub insurer: ParticipantId,
    /// Its plan.
    pub plan: PlanId,
    /// Which version of it.
    pub version: u32,
}
