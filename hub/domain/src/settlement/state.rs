//! The states of payments, disputes, months and differences, each with the table of what may follow what.

use serde::{Deserialize, Serialize};

use super::Refused;

/// Something that has states: a name for each, and a table of what may happen in which.
macro_rules! states {
    ($(#[$doc:meta])+ $state:ident { $($(#[$state_doc:meta])+ $variant:ident $name:literal)+ }
     $(#[$event_doc:meta])+ $event:ident { $($(#[$one_doc:meta])+ $happening:ident)+ }
     $($from:ident, $by:ident => $to:ident;)+) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $state { $($(#[$state_doc])+ $variant,)+ }

        $(#[$event_doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $event { $($(#[$one_doc])+ $happening,)+ }

        impl $event {
            /// Everything that may happen.
            pub const ALL: &'static [$event] = &[$($event::$happening,)+];
        }

        impl $state {
            /// Every state.
            pub const ALL: &'static [$state] = &[$($state::$variant,)+];

            /// What may happen: from which state, what, to which state. Nothing else may.
            pub const TRANSITIONS: &'static [($state, $event, $state)] =
                &[$(($state::$from, $event::$by, $state::$to),)+];

            /// The name in the book.
            pub fn as_str(self) -> &'static str {
                match self { $($state::$variant => $name,)+ }
            }

            /// Reads the name.
            pub fn parse(text: &str) -> Option<$state> {
                $state::ALL.iter().copied().find(|state| state.as_str() == text)
            }

            /// The state after an event; `None` where it may not happen.
            pub fn after(self, event: $event) -> Option<$state> {
                let row = $state::TRANSITIONS
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (self, event));
                row.map(|(_, _, to)| *to)
            }

            /// Whether nothing may happen any more.
            pub fn is_final(self) -> bool {
                $state::TRANSITIONS.iter().all(|(from, ..)| *from != self)
            }
        }
    };
}

states! {
    /// How far a payment has come.
    PaymentState {
        /// Ordered from a payment service, which has not taken it yet. Nothing is booked.
        Ordered "ordered"
        /// The insurer has paid it, by its own word.
        Noticed "noticed"
        /// The provider has it.
        Confirmed "confirmed"
        /// It did not arrive, or was called back.
        Bounced "bounced"
    }
    /// What happens to a payment.
    PaymentEvent {
        /// The payment service takes the order.
        Accepted
        /// It does not.
        Declined
        /// The provider says that it has it.
        Confirmed
        /// It turns out not to have arrived, or is called back.
        Bounced
    }
    Ordered, Accepted => Noticed;
    Ordered, Declined => Bounced;
    Noticed, Confirmed => Confirmed;
    Noticed, Bounced => Bounced;
    Confirmed, Bounced => Bounced;
}

states! {
    /// How far a dispute has come.
    DisputeState {
        /// The other side has still to say something.
        Open "open"
        /// It is owed as it was.
        Upheld "upheld"
        /// It is not paid.
        Dismissed "dismissed"
        /// Who opened it takes it back: it is owed as it was.
        Withdrawn "withdrawn"
    }
    /// What happens to a dispute.
    DisputeEvent {
        /// The other side says that it is owed.
        Upheld
        /// The other side says that it is not.
        Dismissed
        /// Who opened it takes it back.
        Withdrawn
    }
    Open, Upheld => Upheld;
    Open, Dismissed => Dismissed;
    Open, Withdrawn => Withdrawn;
}

states! {
    /// How far a month has come.
    PeriodState {
        /// Statements are made in it.
        Open "open"
        /// One person has asked for it to be closed; another has to agree.
        Closing "closing"
        /// It is closed for good.
        Closed "closed"
    }
    /// What happens to a month.
    PeriodEvent {
        /// Its closing is asked for.
        Proposed
        /// Something stands in the way, or the second person does not agree.
        Declined
        /// The second person agrees, and nothing stands in the way.
        Closed
    }
    Open, Proposed => Closing;
    Closing, Declined => Open;
    Closing, Closed => Closed;
}

states! {
    /// How far a difference between two parties' figures has come.
    DifferenceState {
        /// Nobody has said anything to it.
        Open "open"
        /// One has said why.
        Explained "explained"
        /// The figures agree.
        Settled "settled"
    }
    /// What happens to a difference.
    DifferenceEvent {
        /// A party says why.
        Explained
        /// Later figures agree.
        Agreed
        /// Later figures differ again.
        Differs
    }
    Open, Explained => Explained;
    Open, Agreed => Settled;
    Explained, Agreed => Settled;
    Settled, Differs => Open;
}

impl PaymentState {
    /// Whether it stands in the accounts.
    pub fn is_live(self) -> bool {
        matches!(self, PaymentState::Noticed | PaymentState::Confirmed)
    }
}

impl PeriodState {
    /// Whether a statement of one of the month's days may still be made.
    ///
    /// # Errors
    /// [`Refused::Closed`] where the month is closed, [`Refused::State`] where it is about to be.
    pub fn admit(self) -> Result<(), Refused> {
        match self {
            PeriodState::Open => Ok(()),
            PeriodState::Closing => Err(Refused::State),
            PeriodState::Closed => Err(Refused::Closed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_made_in_open_months_alone() {
        let admitted: Vec<_> = PeriodState::ALL.iter().map(|state| state.admit()).collect();
        assert_eq!(
            admitted,
            [Ok(()), Err(Refused::State), Err(Refused::Closed)]
        );
    }

    macro_rules! check {
        ($state:ident, $event:ident, first $first:ident, final [$($last:ident)*]) => {
            let finals = [$($state::$last,)*];
            for state in $state::ALL {
                assert_eq!($state::parse(state.as_str()), Some(*state));
                assert_eq!(state.is_final(), finals.contains(state), "{state:?}");
                let reached = $state::TRANSITIONS.iter().any(|(_, _, to)| to == state);
                assert!(reached || *state == $state::$first, "{state:?} is never reached");
                for event in $event::ALL {
                    let rows = $state::TRANSITIONS
                        .iter()
                        .filter(|(from, by, _)| (from, by) == (state, event));
                    let rows: Vec<_> = rows.collect();
                    assert!(rows.len() <= 1, "{state:?} {event:?} is told twice");
                    assert_eq!(state.after(*event), rows.first().map(|row| row.2));
                }
            }
            for event in $event::ALL {
                assert!($state::TRANSITIONS.iter().any(|row| row.1 == *event), "{event:?} never happens");
            }
            assert_eq!($state::parse("?"), None);
        };
    }

    #[test]
    fn states_follow_their_tables_and_nothing_else() {
        check!(PaymentState, PaymentEvent, first Ordered, final [Bounced]);
        check!(DisputeState, DisputeEvent, first Open, final [Upheld Dismissed Withdrawn]);
        check!(PeriodState, PeriodEvent, first Open, final [Closed]);
        check!(DifferenceState, DifferenceEvent, first Open, final []);
    }

    #[test]
    fn only_what_was_paid_and_did_not_bounce_stands_in_the_accounts() {
        let live: Vec<&PaymentState> = PaymentState::ALL
            .iter()
            .filter(|state| state.is_live())
            .collect();
        assert_eq!(live, [&PaymentState::Noticed, &PaymentState::Confirmed]);
    }
}
