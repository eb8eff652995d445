//! The life of a message: which states there are, what leads from one to the next, and nothing else does. One table for
//! every face, the store and the engine; published as it stands.

use serde::{Deserialize, Serialize};

use crate::message::Kind;

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Taken, with nothing to decide.
    Recorded,
    /// Taken and adjudicated; insurers are being asked.
    Consulting,
    /// Taken; an insurer or a person has still to decide. What it needs stays reserved.
    Pended,
    /// An insurer waits for the sender's reply to its question. What it needs stays reserved.
    Queried,
    /// Decided.
    Decided,
    /// Decided: every insurer refuses all of it.
    Refused,
    /// Decided anew, after late facts, an appeal or a later revision of what an insurer decided.
    Adjusted,
    /// Decided, and the sender has appealed. What was decided stands meanwhile.
    Appealed,
    /// Decided, and every insurer that owes something for it has paid all of it: the provider has confirmed that it has
    /// the money, or the time that it has for that is over and nothing bounced.
    Paid,
    /// Paid, and the hub, the insurers and the provider state the same of it.
    Reconciled,
    /// Taken back before anything was to be paid for it.
    Cancelled,
    /// Taken back after it was decided: what it had used of limits, and what was owed for it, is reversed.
    Reversed,
}

/// What leads a message on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The hub judged it, on its first turn.
    Judged,
    /// Insurers were heard, or were silent for as long as they had.
    Heard,
    /// An insurer spoke that had nothing to say to it any more. It is kept, and changes nothing.
    HeardLate,
    /// Insurers were reminded of it.
    Reminded,
    /// Its sender replied to a question.
    Replied,
    /// What it had reserved was given back, unused.
    Expired,
    /// Late facts were agreed to.
    Corrected,
    /// Its sender appealed.
    Appealed,
    /// An insurer decided anew what it had decided when nobody waited for it any more.
    Revised,
    /// Its sender took it back.
    TakenBack,
    /// The last payment for it has arrived.
    Settled,
    /// Something is open again: a payment bounced, was taken back, or is argued about.
    Reopened,
    /// All sides state the same of it.
    Matched,
}

/// Which messages a row of the table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// All.
    Any,
    /// Those for which money is owed: claims and dispenses.
    Payable,
    /// All but those.
    Other,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transition {
    /// The states it leads from; none: where a message begins.
    pub from: &'static [State],
    /// What happens.
    pub event: Event,
    /// The states it may lead to; none: it stays in its own.
    pub to: &'static [State],
    /// Which messages.
    pub of: Of,
}

use State::{
    Adjusted, Appealed, Cancelled, Consulting, Decided, Paid, Pended, Queried, Reconciled,
    Recorded, Refused, Reversed,
};

/// What leads nowhere.
const STAYS: &[State] = &[];

/// All that can happen to a message.
pub const TRANSITIONS: &[Transition] = &[
    row(
        &[],
        Event::Judged,
        &[Recorded, Consulting, Pended, Decided, Refused],
        Of::Any,
    ),
    row(
        &[Consulting, Pended, Queried],
        Event::Heard,
        &[Pended, Queried, Decided, Refused],
        Of::Any,
    ),
    row(&[Pended], Event::Reminded, STAYS, Of::Any),
    row(&[Queried], Event::Replied, &[Queried, Pended], Of::Any),
    row(
        &[Decided, Refused, Adjusted, Paid, Reconciled],
        Event::Corrected,
        &[Adjusted],
        Of::Payable,
    ),
    row(
        &[Decided, Refused, Adjusted, Paid, Reconciled],
        Event::Appealed,
        &[Appealed],
        Of::Payable,
    ),
    row(
        &[Decided, Refused, Adjusted, Paid, Reconciled],
        Event::Revised,
        &[Adjusted],
        Of::Payable,
    ),
    row(
        &[Appealed],
        Event::Heard,
        &[Appealed, Decided, Refused, Adjusted, Paid],
        Of::Payable,
    ),
    row(&[Appealed], Event::Replied, STAYS, Of::Payable),
    row(&[Appealed], Event::Reminded, STAYS, Of::Payable),
    row(
        &[Recorded, Consulting, Pended, Queried, Refused],
        Event::TakenBack,
        &[Cancelled],
        Of::Any,
    ),
    row(&[Decided], Event::TakenBack, &[Cancelled], Of::Other),
    row(
        &[Decided, Adjusted, Appealed, Paid, Reconciled],
        Event::TakenBack,
        &[Reversed],
        Of::Payable,
    ),
    row(
        &[
            Recorded, Decided, Refused, Adjusted, Appealed, Paid, Reconciled, Cancelled, Reversed,
        ],
        Event::HeardLate,
        STAYS,
        Of::Any,
    ),
    row(&[Pended, Queried, Decided], Event::Expired, STAYS, Of::Any),
    row(&[Decided, Adjusted], Event::Settled, &[Paid], Of::Payable),
    row(
        &[Paid, Reconciled],
        Event::Reopened,
        &[Decided, Adjusted],
        Of::Payable,
    ),
    row(&[Paid], Event::Matched, &[Reconciled], Of::Payable),
];

const fn row(from: &'static [State], event: Event, to: &'static [State], of: Of) -> Transition {
    Transition {
        from,
        event,
        to,
        of,
    }
}

impl Of {
    /// Whether messages of a kind are meant.
    pub fn includes(self, kind: Kind) -> bool {
        match self {
            Of::Any => true,
            Of::Payable => is_payable(kind),
            Of::Other => !is_payable(kind),
        }
    }
}

/// Whether insurers owe money for messages of a kind, once they are decided.
pub fn is_payable(kind: Kind) -> bool {
    matches!(kind, Kind::Claim | Kind::Dispense)
}

/// Whether an event may lead a message of a kind from one state, or from its beginning, to another.
pub fn may(from: Option<State>, event: Event, to: State, kind: Kind) -> bool {
    TRANSITIONS.iter().any(|own| {
        let begins = from.map_or(own.from.is_empty(), |from| own.from.contains(&from));
        let ends = match own.to {
            [] => from == Some(to),
            ends => ends.contains(&to),
        };
        begins && own.event == event && ends && own.of.includes(kind)
    })
}

impl State {
    /// Every state, in the order of a life.
    pub const ALL: &'static [State] = &[
        Recorded, Consulting, Pended, Queried, Decided, Refused, Adjusted, Appealed, Paid,
        Reconciled, Cancelled, Reversed,
    ];

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Recorded => "recorded",
            Consulting => "consulting",
            Pended => "pended",
            Queried => "queried",
            Decided => "decided",
            Refused => "refused",
            Adjusted => "adjusted",
            Appealed => "appealed",
            Paid => "paid",
            Reconciled => "reconciled",
            Cancelled => "cancelled",
            Reversed => "reversed",
        }
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        match self {
            Recorded => "taken, with nothing to decide",
            Consulting => "taken and adjudicated: insurers are being asked",
            Pended => "an insurer or a person has still to decide; what it needs stays reserved",
            Queried => {
                "an insurer waits for the sender's reply to its question; what it needs stays reserved"
            }
            Decided => "decided",
            Refused => "decided: every insurer refuses all of it",
            Adjusted => {
                "decided anew, after late facts, an appeal or a later revision of what an insurer decided"
            }
            Appealed => "decided, and the sender has appealed; what was decided stands meanwhile",
            Paid => {
                "decided, and all that insurers owe for it has arrived: the provider has said so, or its time to is over"
            }
            Reconciled => "paid, and the hub, the insurers and the provider state the same of it",
            Cancelled => "taken back before anything was to be paid for it",
            Reversed => {
                "taken back after it was decided: what it had used of limits, and what was owed for it, is reversed"
            }
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<State> {
        State::ALL
            .iter()
            .copied()
            .find(|state| state.as_str() == text)
    }

    /// Whether somebody has still to decide.
    pub fn is_waiting(self) -> bool {
        matches!(self, Consulting | Pended | Queried)
    }

    /// Whether its decision is in force.
    pub fn is_decided(self) -> bool {
        matches!(
            self,
            Decided | Refused | Adjusted | Appealed | Paid | Reconciled
        )
    }

    /// Whether all that is owed for it has arrived.
    pub fn is_paid(self) -> bool {
        matches!(self, Paid | Reconciled)
    }

    /// Whether it was taken back.
    pub fn is_taken_back(self) -> bool {
        matches!(self, Cancelled | Reversed)
    }
}

impl Event {
    /// Every event.
    pub const ALL: &'static [Event] = &[
        Event::Judged,
        Event::Heard,
        Event::HeardLate,
        Event::Reminded,
        Event::Replied,
        Event::Expired,
        Event::Corrected,
        Event::Appealed,
        Event::Revised,
        Event::TakenBack,
        Event::Settled,
        Event::Reopened,
        Event::Matched,
    ];

    /// The name in messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Event::Judged => "judged",
            Event::Heard => "heard",
            Event::HeardLate => "heard_late",
            Event::Reminded => "reminded",
            Event::Replied => "replied",
            Event::Expired => "expired",
            Event::Corrected => "corrected",
            Event::Appealed => "appealed",
            Event::Revised => "revised",
            Event::TakenBack => "taken_back",
            Event::Settled => "settled",
            Event::Reopened => "reopened",
            Event::Matched => "matched",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that may happen: from, event, to, kind.
    fn all() -> Vec<(Option<State>, Event, State, Kind)> {
        let begins = State::ALL.iter().copied().map(Some).chain([None]);
        let mut all = Vec::new();
        for from in begins {
            for event in Event::ALL {
                for to in State::ALL {
                    let kinds = Kind::ALL
                        .iter()
                        .filter(|kind| may(from, *event, *to, **kind));
                    all.extend(kinds.map(|kind| (from, *event, *to, *kind)));
                }
            }
        }
        all
    }

    #[test]
    fn a_life_begins_with_the_first_judgement_alone() {
        let begun = all().into_iter().filter(|own| own.0.is_none());
        assert!(begun.clone().all(|(_, event, ..)| event == Event::Judged));
        let again = all().into_iter().filter(|own| own.0.is_some());
        assert!(again.clone().all(|(_, event, ..)| event != Event::Judged));
        assert!(begun.count() > 0 && again.count() > 0);
    }

    #[test]
    fn every_state_can_be_reached_and_only_what_is_taken_back_is_left_by_nothing() {
        for kind in Kind::ALL {
            let own = || all().into_iter().filter(|(.., of)| of == kind);
            let mut reached: Vec<State> = Vec::new();
            loop {
                let more = own().find(|(from, _, to, _)| {
                    from.is_none_or(|from| reached.contains(&from)) && !reached.contains(to)
                });
                match more {
                    Some((_, _, to, _)) => reached.push(to),
                    None => break,
                }
            }
            for state in State::ALL {
                let of_claims = matches!(state, Adjusted | Appealed | Paid | Reconciled | Reversed);
                let is_reached = reached.contains(state);
                assert_eq!(
                    is_reached,
                    !of_claims || is_payable(*kind),
                    "{state:?} of {kind:?}"
                );
                let leaves = own().any(|(from, _, to, _)| from == Some(*state) && to != *state);
                assert_eq!(
                    leaves,
                    is_reached && !state.is_taken_back(),
                    "{state:?} of {kind:?}"
                );
            }
        }
    }

    #[test]
    fn what_a_member_left_with_is_never_made_undecided() {
        for (from, event, to, kind) in all() {
            if from.is_some_and(State::is_decided) {
                let fits = to.is_decided() || to.is_taken_back();
                assert!(fits, "{from:?} {event:?} {to:?} {kind:?}");
            }
        }
    }

    #[test]
    fn every_row_says_something_that_no_other_says() {
        let rows = TRANSITIONS.iter().enumerate();
        for (at, own) in rows {
            for other in TRANSITIONS.iter().skip(at + 1) {
                let meet = own.from.iter().any(|from| other.from.contains(from));
                let kinds = Kind::ALL.iter();
                let both = |kind: &Kind| own.of.includes(*kind) && other.of.includes(*kind);
                let same =
                    own.event == other.event && meet && kinds.copied().any(|kind| both(&kind));
                assert!(!same, "{own:?} and {other:?}");
            }
        }
    }

    #[test]
    fn states_are_told_by_their_names() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(*state));
            let written = serde_json::to_value(state).ok();
            assert_eq!(written, Some(state.as_str().into()));
            assert!(state.meaning().len() > 5);
        }
        for event in Event::ALL {
            let written = serde_json::to_value(event).ok();
            assert_eq!(written, Some(event.as_str().into()));
        }
    }
}
