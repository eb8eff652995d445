//! Disputes: one side says that something is not owed as it stands, the other decides.

use serde::{Deserialize, Serialize};

use super::account::{Transfer, TransferKind};
use super::folio::Folio;
use super::state::{DisputeEvent, DisputeState};
use super::{Pair, Refused};
use crate::date::Instant;
use crate::ids::{DisputeId, MessageId};
use crate::money::Amount;

/// One of the two sides of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Who owes.
    Insurer,
    /// Who is owed.
    Provider,
}

/// A dispute about what is owed for a claim, or for one of its lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispute {
    /// Its id.
    pub id: DisputeId,
    /// Between whom.
    pub pair: Pair,
    /// The claim.
    pub message: MessageId,
    /// The line, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// How much is argued about.
    pub amount: Amount,
    /// Who opened it.
    pub opened_by: Side,
    /// How far it has come.
    pub state: DisputeState,
    /// When it was opened.
    pub opened_at: Instant,
    /// When it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Instant>,
}

/// What is to be argued about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Objection {
    /// The claim.
    pub message: MessageId,
    /// The line, where it is about one.
    pub line: Option<u32>,
    /// How much; all that is open where none is named.
    pub amount: Option<Amount>,
    /// Who says so.
    pub by: Side,
}

impl Folio {
    /// Opens a dispute: what it is about is no longer to be paid until it is decided, and goes on ageing.
    ///
    /// # Errors
    /// [`Refused::Unknown`] where there is no such claim or line, [`Refused::Amount`] where it is about nothing,
    /// [`Refused::Over`] where about more than is open.
    pub fn dispute(
        &mut self,
        objection: Objection,
        id: DisputeId,
        at: Instant,
    ) -> Result<(Dispute, Vec<Transfer>), Refused> {
        let place = (objection.message, objection.line);
        let amount = match objection.amount {
            Some(amount) => amount,
            None => self.open_at(place)?.or_zero(),
        };
        let mut book = Vec::new();
        self.move_due(place, TransferKind::Disputed, amount, id.0, at, &mut book)?;
        let dispute = Dispute {
            id,
            pair: self.pair().clone(),
            message: objection.message,
            line: objection.line,
            amount,
            opened_by: objection.by,
            state: DisputeState::Open,
            opened_at: at,
            decided_at: None,
        };
        Ok((dispute, book))
    }

    /// Decides a dispute. The other side than opened it upholds or dismisses; who opened it withdraws. Said twice, it
    /// changes nothing.
    ///
    /// # Errors
    /// [`Refused::State`] where it was decided otherwise, or the wrong side speaks; [`Refused::Unknown`] where the page
    /// lacks its claim.
    pub fn rule(
        &mut self,
        dispute: &mut Dispute,
        event: DisputeEvent,
        by: Side,
        at: Instant,
    ) -> Result<Vec<Transfer>, Refused> {
        self.pair().accepts(&dispute.pair)?;
        if (event == DisputeEvent::Withdrawn) != (by == dispute.opened_by) {
            return Err(Refused::State);
        }
        let decided = DisputeState::Open.after(event).ok_or(Refused::State)?;
        if dispute.state == decided {
            return Ok(Vec::new());
        }
        let state = dispute.state.after(event).ok_or(Refused::State)?;
        let kind = match state {
            DisputeState::Dismissed => TransferKind::Dismissed,
            _ => TransferKind::Upheld,
        };
        let mut book = Vec::new();
        let place = (dispute.message, dispute.line);
        self.move_due(place, kind, dispute.amount, dispute.id.0, at, &mut book)?;
        // A decision that fell meanwhile left standing what was argued about: now it can follow.
        if let Some(due) = self.dues.get_mut(&dispute.message)
            && let Some(transfer) = due.missing(at)?
        {
            *due = due.apply(&transfer)?;
            book.push(transfer);
        }
        dispute.state = state;
        dispute.decided_at = Some(at);
        Ok(book)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::super::sample::{amount, at, decided, folio, id, page};
    use super::*;
    use DisputeEvent::{Dismissed, Upheld, Withdrawn};
    use Side::{Insurer, Provider};

    fn objection(amount: Option<i64>, line: Option<u32>) -> Objection {
        Objection {
            message: id(1),
            line,
            amount: amount.and_then(Amount::new),
            by: Provider,
        }
    }

    fn dispute_id() -> DisputeId {
        DisputeId(id(900).0)
    }

    #[test]
    fn no_more_can_be_argued_about_than_is_open() {
        for (asked, line, expected) in [
            (Some(100), None, Ok(100)),
            (Some(101), None, Err(Refused::Over)),
            (None, None, Ok(100)),
            (Some(0), None, Err(Refused::Amount)),
            (Some(-5), None, Err(Refused::Amount)),
            (Some(60), Some(1), Ok(60)),
            (Some(61), Some(1), Err(Refused::Over)),
            (None, Some(2), Ok(40)),
            (None, Some(3), Err(Refused::Unknown)),
        ] {
            let mut folio = folio(&[(1, &[60, 40])]);
            let before = folio.clone();
            let opened = folio.dispute(objection(asked, line), dispute_id(), at(2));
            assert_eq!(
                opened.as_ref().map(|(dispute, _)| dispute.amount.get()),
                expected.as_ref().copied(),
                "{asked:?} of {line:?}"
            );
            match expected {
                Ok(amount) => assert_eq!(page(&folio, 1), [100, 0, 0, amount, 0, 100 - amount]),
                Err(_) => assert_eq!(folio, before),
            }
        }
    }

    #[test]
    fn a_dispute_ends_as_the_other_side_or_its_opener_says() {
        for (event, by, expected) in [
            (Upheld, Insurer, Ok([100, 0, 0, 0, 0, 100])),
            (Dismissed, Insurer, Ok([100, 0, 0, 0, 30, 70])),
            (Withdrawn, Provider, Ok([100, 0, 0, 0, 0, 100])),
            (Upheld, Provider, Err(Refused::State)),
            (Dismissed, Provider, Err(Refused::State)),
            (Withdrawn, Insurer, Err(Refused::State)),
        ] {
            let mut folio = folio(&[(1, &[60, 40])]);
            let opened = folio.dispute(objection(Some(30), None), dispute_id(), at(2));
            let (mut dispute, _) = opened.unwrap();
            let ruled = folio.rule(&mut dispute, event, by, at(3));
            match expected {
                Err(refused) => {
                    assert_eq!(ruled, Err(refused), "{event:?} by {by:?}");
                    assert_eq!(dispute.state, DisputeState::Open);
                }
                Ok(sums) => {
                    assert_eq!(page(&folio, 1), sums, "{event:?} by {by:?}");
                    assert_eq!(folio.rule(&mut dispute, event, by, at(4)), Ok(vec![]));
                    let other = if event == Upheld { Dismissed } else { Upheld };
                    assert_eq!(
                        folio.rule(&mut dispute, other, Insurer, at(4)),
                        Err(Refused::State)
                    );
                }
            }
        }
    }

    #[test]
    fn a_decision_that_falls_under_a_dispute_follows_when_the_dispute_ends() {
        for (event, by, expected) in [
            (Withdrawn, Provider, [10, 0, 0, 0, 0, 10]),
            (Dismissed, Insurer, [30, 0, 0, 0, 30, 0]),
        ] {
            let mut folio = folio(&[(1, &[60, 40])]);
            let opened = folio.dispute(objection(Some(30), None), dispute_id(), at(2));
            let (mut dispute, _) = opened.unwrap();
            decided(&mut folio, 1, &[10, 0], 3);
            assert_eq!(page(&folio, 1), [30, 0, 0, 30, 0, 0]);
            let book = folio.rule(&mut dispute, event, by, at(4)).unwrap();
            assert_eq!(page(&folio, 1), expected, "{event:?}");
            assert_eq!(book.len(), if event == Withdrawn { 2 } else { 1 });
            assert_eq!(
                folio.due(id(1)).unwrap().incurred,
                amount(expected.first().copied().unwrap())
            );
        }
    }
}
