//! Three-way reconciliation: what the hub, an insurer's core and a provider state of what the insurer owes for the same
//! claim, and what may be behind a difference.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use crate::ids::{LimitCode, MessageId};
use crate::life::State;
use crate::money::Amount;

/// What one side states of what an insurer owes for a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figure {
    /// How much, in smallest units of the claim's currency.
    pub amount: Amount,
    /// How far the claim has come, where the side says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// How much of the member's limits it has used up, limit by limit, in the units of each. A side that names none does
    /// not say; one that names some has counted nothing against the others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<LimitCode, i64>,
}

/// What a side has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It has stated nothing of the claim's day, and is not compared.
    Nothing,
    /// It has stated the claim's day, and the claim is not among what it stated.
    Lacks,
    /// This.
    States(Figure),
}

/// In what sides differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// The insurer lacks the claim.
    MissingAtInsurer,
    /// The provider lacks it.
    MissingAtProvider,
    /// The amounts differ.
    Amount,
    /// The amounts are the same, and the states are not.
    State,
    /// The insurer counts something else against a limit of the member's.
    Limit,
}

/// What may be behind a difference; the likelier first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The insurer was sent the claim, and refused it for good.
    Dead,
    /// Its delivery to the insurer is on its way.
    Undelivered,
    /// The two argue about it.
    Disputed,
    /// It was taken back.
    Reversed,
    /// Nothing that the hub knows.
    Unexplained,
}

/// What the hub knows of a claim that may be behind a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Facts {
    /// The insurer refused a delivery of it for good.
    pub is_dead: bool,
    /// A delivery of it is on its way to the insurer.
    pub is_undelivered: bool,
    /// Something of it is argued about.
    pub is_disputed: bool,
    /// It was taken back.
    pub is_taken_back: bool,
}

/// A claim as its three sides see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// The claim.
    pub message: MessageId,
    /// What the hub's book says.
    pub hub: Figure,
    /// What the insurer's core says.
    pub insurer: Said,
    /// What the provider says.
    pub provider: Said,
}

impl Compared {
    /// In what the sides differ. A side that lacks a claim for which nothing is owed states the same as the hub.
    pub fn differences(&self) -> Vec<DifferenceKind> {
        let sides = [
            (&self.insurer, DifferenceKind::MissingAtInsurer),
            (&self.provider, DifferenceKind::MissingAtProvider),
        ];
        let mut found = Vec::new();
        let (mut amounts, mut states) = (false, false);
        for (said, missing) in sides {
            match said {
                Said::Lacks if !self.hub.amount.is_zero() => found.push(missing),
                Said::States(own) => {
                    amounts |= own.amount != self.hub.amount;
                    states |= own.state.is_some() && own.state != self.hub.state;
                }
                Said::Lacks | Said::Nothing => {}
            }
        }
        match (amounts, states) {
            (true, _) => found.push(DifferenceKind::Amount),
            (false, true) => found.push(DifferenceKind::State),
            (false, false) => {}
        }
        if self.limit().is_some() {
            found.push(DifferenceKind::Limit);
        }
        found
    }

    /// The first limit against which the insurer counts something else than the hub: which, and what each counts.
    pub fn limit(&self) -> Option<(&LimitCode, i64, i64)> {
        let Said::States(insurer) = &self.insurer else {
            return None;
        };
        if insurer.limits.is_empty() {
            return None;
        }
        let (hub, theirs) = (&self.hub.limits, &insurer.limits);
        let of = |side: &BTreeMap<LimitCode, i64>, code| side.get(code).copied().unwrap_or(0);
        let mut codes = hub.keys().chain(theirs.keys());
        let first = codes
            .by_ref()
            .filter(|code| of(hub, code) != of(theirs, code))
            .min()?;
        Some((first, of(hub, first), of(theirs, first)))
    }

    /// Whether all three have spoken, and say the same.
    pub fn is_agreed(&self) -> bool {
        let states = |said: &Said| matches!(said, Said::States(_));
        states(&self.insurer) && states(&self.provider) && self.differences().is_empty()
    }
}

impl Facts {
    /// What is behind a difference of a kind.
    pub fn why(&self, kind: DifferenceKind) -> Why {
        let of_provider = kind == DifferenceKind::MissingAtProvider;
        let known = [
            (self.is_dead && !of_provider, Why::Dead),
            (self.is_undelivered && !of_provider, Why::Undelivered),
            (self.is_disputed, Why::Disputed),
            (self.is_taken_back, Why::Reversed),
        ];
        let mut known = known.into_iter().filter(|(is_so, _)| *is_so);
        known.next().map_or(Why::Unexplained, |(_, why)| why)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::id;
    use super::*;
    use DifferenceKind::{MissingAtInsurer, MissingAtProvider};

    fn says(amount: i64, state: Option<State>) -> Said {
        let amount = Amount::new(amount).unwrap();
        Said::States(Figure {
            amount,
            state,
            limits: BTreeMap::new(),
        })
    }

    #[test]
    fn sides_differ_where_they_say_something_else_and_not_where_they_have_not_spoken() {
        let paid = Some(State::Paid);
        for (hub, insurer, provider, expected, is_agreed) in [
            (100, Said::Nothing, Said::Nothing, vec![], false),
            (100, says(100, None), Said::Nothing, vec![], false),
            (100, says(100, None), says(100, paid), vec![], true),
            (
                100,
                Said::Lacks,
                says(100, None),
                vec![MissingAtInsurer],
                false,
            ),
            (0, Said::Lacks, says(0, None), vec![], false),
            (
                100,
                Said::Lacks,
                Said::Lacks,
                vec![MissingAtInsurer, MissingAtProvider],
                false,
            ),
            (
                100,
                says(99, None),
                Said::Lacks,
                vec![MissingAtProvider, DifferenceKind::Amount],
                false,
            ),
            (
                100,
                says(100, Some(State::Decided)),
                says(100, paid),
                vec![DifferenceKind::State],
                false,
            ),
            (
                100,
                says(99, Some(State::Decided)),
                says(100, paid),
                vec![DifferenceKind::Amount],
                false,
            ),
        ] {
            let Said::States(hub) = says(hub, paid) else {
                continue;
            };
            let compared = Compared {
                message: id(1),
                hub,
                insurer,
                provider,
            };
            assert_eq!(compared.differences(), expected, "{compared:?}");
            assert_eq!(compared.is_agreed(), is_agreed, "{compared:?}");
        }
    }

    #[test]
    fn limits_are_compared_where_the_insurer_counts_any() {
        let counts = |limits: &[(&str, i64)]| {
            let limit = |(code, used): &(&str, i64)| (LimitCode::parse(code).unwrap(), *used);
            Figure {
                amount: Amount::new(100).unwrap(),
                state: None,
                limits: limits.iter().map(limit).collect(),
            }
        };
        let hub = counts(&[("family", 100), ("yearly", 90)]);
        for (insurer, expected) in [
            (counts(&[]), None),
            (counts(&[("family", 100), ("yearly", 90)]), None),
            (
                counts(&[("family", 100), ("lifelong", 0), ("yearly", 90)]),
                None,
            ),
            (
                counts(&[("family", 100), ("yearly", 80)]),
                Some(("yearly", 90, 80)),
            ),
            (counts(&[("yearly", 80)]), Some(("family", 100, 0))),
            (
                counts(&[("daily", 5), ("family", 1)]),
                Some(("daily", 0, 5)),
            ),
        ] {
            let compared = Compared {
                message: id(1),
                hub: hub.clone(),
                insurer: Said::States(insurer),
                provider: Said::States(counts(&[("yearly", 1)])),
            };
            let found = compared.limit();
            let found = found.map(|(code, hub, theirs)| (code.as_str(), hub, theirs));
            assert_eq!(found, expected);
            assert_eq!(compared.is_agreed(), expected.is_none());
        }
    }

    #[test]
    fn what_is_behind_it_is_what_is_likeliest_on_that_side() {
        let facts = Facts {
            is_dead: true,
            is_disputed: true,
            ..Facts::default()
        };
        assert_eq!(facts.why(MissingAtInsurer), Why::Dead);
        assert_eq!(facts.why(MissingAtProvider), Why::Disputed);
        assert_eq!(Facts::default().why(MissingAtProvider), Why::Unexplained);
    }
}
