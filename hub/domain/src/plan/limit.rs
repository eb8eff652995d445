//! Ceilings, deductibles, maxima and fixed parts, as a plan states them.

use serde::{Deserialize, Serialize};

use crate::ids::LimitCode;

/// A limit on money, a count or days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// The limit over all versions of the plan.
    pub id: LimitCode,
    /// The name people know it by.
    pub title: String,
    /// What it limits.
    #[serde(default)]
    pub kind: LimitKind,
    /// Of what.
    #[serde(default)]
    pub unit: LimitUnit,
    /// Over which stretch.
    #[serde(default)]
    pub per: LimitPer,
    /// Whose it is.
    #[serde(default)]
    pub owner: LimitOwner,
    /// A wider limit that it is part of: what uses this one uses that one too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<LimitCode>,
    /// How much: smallest units of the currency, or a number.
    pub ceiling: i64,
}

/// What a limit limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// What the insurer pays.
    #[default]
    Ceiling,
    /// What the member pays before the insurer does.
    Deductible,
    /// What the member pays at most.
    OutOfPocket,
    /// The member's fixed part, once in the stretch: on its first line that is paid for.
    Copay,
    /// The member's least part, once in the stretch: on its first line that is paid for.
    LeastShare,
}

impl LimitKind {
    /// Whether benefits name the limits of the kind that their services use. The others apply by themselves.
    pub fn is_named(self) -> bool {
        match self {
            LimitKind::Ceiling | LimitKind::Copay | LimitKind::LeastShare => true,
            LimitKind::Deductible | LimitKind::OutOfPocket => false,
        }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitUnit {
    /// Money.
    #[default]
    Money,
    /// Units of service; a started unit counts.
    Count,
    /// Days of a stay: the quantity of a line that bills days.
    Days,
    /// Visits and stays: each counts once, however many lines and bills it has.
    Visits,
}

/// Over which stretch a limit reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitPer {
    /// One line. Nothing is remembered of it.
    Item,
    /// One visit or stay.
    Visit,
    /// One day of service.
    Day,
    /// One month of the plan's calendar.
    Month,
    /// One year, as the plan counts them.
    #[default]
    Year,
    /// For ever.
    Lifetime,
}

/// Whose a limit is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitOwner {
    /// Each member's own.
    #[default]
    Member,
    /// Shared by all members of the account.
    Account,
}
