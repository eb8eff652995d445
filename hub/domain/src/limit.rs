//! Limits as the ledger keeps them: which remainder a payment uses up, and how much of it is left.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

use crate::coverage::Cover;
use crate::date::Date;
use crate::ids::{AccountId, LimitCode, MemberId, ParticipantId};
use crate::plan::{Limit, LimitKind, LimitOwner, LimitPer, LimitUnit, Plan, YearStart};

/// The fewest days that a year has in any calendar: the moon's.
const SHORTEST_YEAR: u32 = 354;

/// Which remainder: the owner, the limit, and the start of its stretch by service date.
///
/// The account comes first, so that a store can spread accounts over shards; keys sort, and whoever locks
/// several locks them in that order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LimitKey {
    /// The account, or the account within which a member owns it.
    pub account: AccountId,
    /// The member, where it is one member's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberId>,
    /// Whose plan it belongs to.
    pub insurer: ParticipantId,
    /// The limit.
    pub code: LimitCode,
    /// The stretch: "2024-03-20" (start of a year or month), "day:2024-05-17", "visit:…", "life".
    pub stretch: Arc<str>,
}

impl fmt::Display for LimitKey {
    /// One text for the ledger's key column: account/member/insurer/code/stretch.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/", self.account)?;
        if let Some(member) = self.member {
            member.fmt(f)?;
        }
        write!(f, "/{}/{}/{}", self.insurer, self.code, self.stretch)
    }
}

/// A remainder that a bill may touch, with what the plan says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitNeed {
    /// Which remainder.
    pub key: LimitKey,
    /// What it limits.
    pub kind: LimitKind,
    /// Of what.
    pub unit: LimitUnit,
    /// Over which stretch.
    pub per: LimitPer,
    /// The ceiling of the plan in force: what a limit that nobody has touched yet starts with.
    pub ceiling: i64,
    /// The version of the plan in force: a later one than the limit's sets its ceiling anew.
    pub version: u32,
}

impl LimitNeed {
    /// The remainder that says whether a visit still is to be counted in this one: one, or none.
    pub(crate) fn of_visit(&self, visit: &str) -> LimitNeed {
        let mut key = self.key.clone();
        key.stretch = format!("{} visit:{visit}", key.stretch).into();
        LimitNeed {
            key,
            per: LimitPer::Visit,
            ceiling: 1,
            ..self.clone()
        }
    }
}

/// A limit's state in the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// How much there is.
    pub ceiling: i64,
    /// How much is used for good.
    pub consumed: i64,
    /// How much is set aside.
    pub reserved: i64,
    /// How much an insurer has let the hub go beyond the ceiling.
    pub overdraft: i64,
    /// The version of the plan that set the ceiling; 0 where an insurer's posting made the limit.
    #[serde(default)]
    pub version: u32,
}

impl Standing {
    /// What is left to promise.
    pub fn left(&self) -> i64 {
        let room = self.ceiling.saturating_add(self.overdraft);
        room.saturating_sub(self.consumed)
            .saturating_sub(self.reserved)
    }

    /// The standing after an entry; `None` where it would break the ledger's rules.
    pub fn after(self, entry: EntryKind, amount: i64) -> Option<Standing> {
        let mut next = self;
        match entry {
            EntryKind::Reserve => next.reserved = next.reserved.checked_add(amount)?,
            EntryKind::Release => next.reserved = next.reserved.checked_sub(amount)?,
            EntryKind::Consume | EntryKind::Opening | EntryKind::OffHub => {
                next.consumed = next.consumed.checked_add(amount)?;
            }
            EntryKind::Reverse => next.consumed = next.consumed.checked_sub(amount)?,
            EntryKind::Ceiling => next.ceiling = next.ceiling.checked_add(amount)?,
            EntryKind::Override => next.overdraft = next.overdraft.checked_add(amount)?,
        }
        let sound =
            next.ceiling >= 0 && next.consumed >= 0 && next.reserved >= 0 && next.overdraft >= 0;
        // INVARIANT: consumed + reserved ≤ ceiling + overdraft. Whoever posts a fact from elsewhere that lies
        // beyond it, or lowers a ceiling under what is used, posts the override with it.
        (sound && next.left() >= 0).then_some(next)
    }
}

/// The kinds of ledger entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Set aside for an admission.
    Reserve,
    /// Used for good.
    Consume,
    /// No longer set aside.
    Release,
    /// A use taken back.
    Reverse,
    /// Used before the hub began, as the insurer says.
    Opening,
    /// Used beside the hub (paper claims), as the insurer says.
    OffHub,
    /// The ceiling changed with the plan.
    Ceiling,
    /// An insurer lets the hub go beyond the ceiling.
    Override,
}

impl EntryKind {
    /// Every kind.
    pub const ALL: &'static [EntryKind] = &[
        EntryKind::Reserve,
        EntryKind::Consume,
        EntryKind::Release,
        EntryKind::Reverse,
        EntryKind::Opening,
        EntryKind::OffHub,
        EntryKind::Ceiling,
        EntryKind::Override,
    ];

    /// The name in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryKind::Reserve => "reserve",
            EntryKind::Consume => "consume",
            EntryKind::Release => "release",
            EntryKind::Reverse => "reverse",
            EntryKind::Opening => "opening",
            EntryKind::OffHub => "off_hub",
            EntryKind::Ceiling => "ceiling",
            EntryKind::Override => "override",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<EntryKind> {
        EntryKind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
    }
}

/// The stretch of a kind that a service on `date` in `visit` falls into; `None` for a single line, of which nothing is
/// remembered.
pub fn stretch(
    plan: &Plan,
    per: LimitPer,
    cover: &Cover,
    date: Date,
    visit: &str,
) -> Option<Arc<str>> {
    let stretch = match per {
        LimitPer::Item => return None,
        LimitPer::Visit => format!("visit:{visit}"),
        LimitPer::Day => format!("day:{date}"),
        LimitPer::Month => month_start(plan, date).to_string(),
        LimitPer::Year => year_start(plan, cover, date).to_string(),
        LimitPer::Lifetime => "life".to_owned(),
    };
    Some(stretch.into())
}

/// The remainder of `limit` in a stretch.
pub fn need(plan: &Plan, limit: &Limit, cover: &Cover, stretch: Arc<str>) -> LimitNeed {
    LimitNeed {
        key: LimitKey {
            account: cover.account,
            member: (limit.owner == LimitOwner::Member).then_some(cover.member),
            insurer: plan.insurer.clone(),
            code: limit.id.clone(),
            stretch,
        },
        kind: limit.kind,
        unit: limit.unit,
        per: limit.per,
        ceiling: limit.ceiling,
        version: plan.version,
    }
}

fn month_start(plan: &Plan, date: Date) -> Date {
    let (year, month, _) = date.ymd_in(plan.calendar);
    Date::parse_in(&format!("{year}-{month}-1"), plan.calendar).unwrap_or(date)
}

/// Whether a day is surely of a cover's first year, in whatever calendar. Most are, and to reckon in calendars is dear.
fn is_first_year(cover: &Cover, date: Date) -> bool {
    cover.start <= date && date < cover.start.add_days(SHORTEST_YEAR)
}

/// The first day of the plan's year that holds `date`.
fn year_start(plan: &Plan, cover: &Cover, date: Date) -> Date {
    match plan.year {
        YearStart::Calendar => date.year_start(plan.calendar),
        YearStart::Cover if is_first_year(cover, date) => cover.start,
        YearStart::Cover => {
            let (year, ..) = date.ymd_in(plan.calendar);
            let (first_year, ..) = cover.start.ymd_in(plan.calendar);
            let years = u32::try_from(year - first_year).unwrap_or(0);
            let anniversary = cover
                .start
                .add_months(years.saturating_mul(12), plan.calendar);
            let earlier = || {
                cover
                    .start
                    .add_months(years.saturating_sub(1).saturating_mul(12), plan.calendar)
            };
            if anniversary <= date {
                anniversary
            } else {
                earlier()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_promised_beyond_a_limit() {
        let standing = Standing {
            ceiling: 100,
            consumed: 60,
            reserved: 30,
            overdraft: 0,
            version: 1,
        };
        assert_eq!(standing.left(), 10);
        assert_eq!(standing.after(EntryKind::Reserve, 11), None);
        assert_eq!(
            standing
                .after(EntryKind::Reserve, 10)
                .map(|next| next.left()),
            Some(0)
        );
        assert_eq!(
            standing.after(EntryKind::Release, 31),
            None,
            "more than was set aside"
        );
        assert_eq!(
            standing.after(EntryKind::OffHub, 50),
            None,
            "a fact from elsewhere needs its override"
        );
        let lifted = standing.after(EntryKind::Override, 40);
        assert_eq!(
            lifted
                .and_then(|next| next.after(EntryKind::OffHub, 50))
                .map(|next| next.left()),
            Some(0)
        );
        assert_eq!(standing.after(EntryKind::Ceiling, -11), None);
    }
}
