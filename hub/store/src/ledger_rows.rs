//! The rows that movements of limits leave. Standings and reservations move by what the entries say, so that
//! the sums agree whatever the caller believes.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::batch::{NewEntry, NewLimit, ReservationChange};
use crate::error::{Constraint, StoreError};
use crate::put::{Pace, Row, Rows};
use crate::rows::{Hex, Id, over};
use crate::turn::ReservationState;

/// Where a limit is kept: its account, and a digest of its whole key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub(crate) struct Place {
    pub(crate) account: Id,
    pub(crate) standing: Id,
}

impl From<&LimitKey> for Place {
    fn from(key: &LimitKey) -> Place {
        let digest: [u8; 32] = Sha256::digest(key.to_string().as_bytes()).into();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Place {
            account: key.account.into(),
            standing: Hex(id),
        }
    }
}

/// What an entry changes of a standing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) ceiling: i64,
    pub(crate) consumed: i64,
    pub(crate) reserved: i64,
    pub(crate) overdraft: i64,
}

impl Change {
    pub(crate) fn of(kind: EntryKind, amount: i64) -> Change {
        let none = Change::default();
        match kind {
            EntryKind::Reserve => Change {
                reserved: amount,
                ..none
            },
            EntryKind::Release => Change {
                reserved: amount.saturating_neg(),
                ..none
            },
            EntryKind::Consume | EntryKind::Opening | EntryKind::OffHub => Change {
                consumed: amount,
                ..none
            },
            EntryKind::Reverse => Change {
                consumed: amount.saturating_neg(),
                ..none
            },
            EntryKind::Ceiling => Change {
                ceiling: amount,
                ..none
            },
            EntryKind::Override => Change {
                overdraft: amount,
                ..none
            },
        }
    }

    pub(crate) fn and(self, other: Change) -> Change {
        Change {
            ceiling: self.ceiling.saturating_add(other.ceiling),
            consumed: self.consumed.saturating_add(other.consumed),
            reserved: self.reserved.saturating_add(other.reserved),
            overdraft: self.overdraft.saturating_add(other.overdraft),
        }
    }
}

/// A limit that is made.
#[derive(Debug, Serialize)]
pub(crate) struct LimitRow<'a> {
    #[serde(skip)]
    by: Option<MessageId>,
    account: Id,
    standing: Id,
    member: Option<Id>,
    insurer: &'a ParticipantId,
    code: &'a str,
    stretch: &'a str,
    kind: LimitKind,
    unit: LimitUnit,
    per: LimitPer,
    ceiling: i64,
}

impl<'a> LimitRow<'a> {
    pub(crate) fn of(limits: &'a [NewLimit]) -> Rows<Self> {
        let row = |new: &'a NewLimit| LimitRow {
            by: Some(new.message),
            ..LimitRow::new(&new.key, (new.kind, new.unit, new.per), new.ceiling)
        };
        limits.iter().map(row).collect::<Vec<_>>().into()
    }

    /// A limit that is made for no message.
    pub(crate) fn new(
        key: &'a LimitKey,
        (kind, unit, per): (LimitKind, LimitUnit, LimitPer),
        ceiling: i64,
    ) -> Self {
        let Place { account, standing } = Place::from(key);
        LimitRow {
            by: None,
            account,
            standing,
            member: key.member.map(Id::from),
            insurer: &key.insurer,
            code: key.code.as_str(),
            stretch: &key.stretch,
            kind,
            unit,
            per,
            ceiling,
        }
    }
}

impl Row for LimitRow<'_> {
    const SQL: &'static str = over!(
        account bytes, standing bytes, member bytes, insurer text, code text, stretch text,
        kind text, unit text, per text, ceiling integer;
        "insert into standing
             (account, id, member, insurer, code, stretch, kind, unit, per,
              first_ceiling, ceiling, consumed, reserved, overdraft)
         select account, standing, member, insurer, code, stretch, kind, unit, per,
             ceiling, ceiling, 0, 0, 0
         from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Limit);
    fn message(&self) -> Option<MessageId> {
        self.by
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct EntryRow {
    #[serde(skip)]
    by: MessageId,
    account: Id,
    standing: Id,
    message: Id,
    turn: u32,
    line: u32,
    kind: EntryKind,
    amount: i64,
    reservation: Option<Id>,
    at: Instant,
}

impl EntryRow {
    pub(crate) fn of(entries: &[NewEntry]) -> Result<Rows<Self>, StoreError> {
        let row = |new: &NewEntry| {
            let moves_reservation = matches!(new.kind, EntryKind::Reserve | EntryKind::Release);
            if moves_reservation != new.reservation.is_some() {
                return Err(StoreError::Broken {
                    constraint: Constraint::EntryReservation,
                    message: Some(new.message),
                });
            }
            let Place { account, standing } = Place::from(&new.key);
            Ok(EntryRow {
                by: new.message,
                account,
                standing,
                message: new.message.into(),
                turn: new.turn,
                line: new.line,
                kind: new.kind,
                amount: new.amount,
                reservation: new.reservation.map(Id::from),
                at: new.at,
            })
        };
        Ok(entries
            .iter()
            .map(row)
            .collect::<Result<Vec<_>, _>>()?
            .into())
    }
}

impl Row for EntryRow {
    const SQL: &'static str = over!(
        account bytes, standing bytes, message bytes, turn integer, line integer, kind text,
        amount integer, reservation bytes, at integer;
        "insert into entry
             (account, standing, message, turn, line, kind, amount, reservation, at)
         select account, standing, message, turn, line, kind, amount, reservation, at from batch"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Entry);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// What a batch changes of one standing.
#[derive(Debug, Serialize)]
pub(crate) struct DeltaRow {
    #[serde(skip)]
    by: MessageId,
    account: Id,
    standing: Id,
    ceiling: i64,
    consumed: i64,
    reserved: i64,
    overdraft: i64,
}

impl DeltaRow {
    /// One row a limit; one a message and limit where the fault of one message is looked for. Within a
    /// message only the sum counts: what it releases makes room for what it consumes.
    pub(crate) fn of(entries: &[NewEntry], pace: Pace) -> Rows<Self> {
        let sums = sums(entries, pace, |entry| {
            Some((
                Place::from(&entry.key),
                Change::of(entry.kind, entry.amount),
            ))
        });
        let row =
            |((_, Place { account, standing }), (by, change)): (_, (MessageId, Change))| DeltaRow {
                by,
                account,
                standing,
                ceiling: change.ceiling,
                consumed: change.consumed,
                reserved: change.reserved,
                overdraft: change.overdraft,
            };
        sums.into_iter().map(row).collect::<Vec<_>>().into()
    }
}

/// Sums what entries change, by place; and, one by one, by message in the order of their first entries.
fn sums<P: Ord>(
    entries: &[NewEntry],
    pace: Pace,
    change: impl Fn(&NewEntry) -> Option<(P, Change)>,
) -> BTreeMap<(usize, P), (MessageId, Change)> {
    let mut turns: BTreeMap<MessageId, usize> = BTreeMap::new();
    let mut sums: BTreeMap<(usize, P), (MessageId, Change)> = BTreeMap::new();
    for entry in entries {
        let Some((place, change)) = change(entry) else {
            continue;
        };
        let count = turns.len();
        let turn = match pace {
            Pace::Together => 0,
            Pace::OneByOne => *turns.entry(entry.message).or_insert(count),
        };
        let sum = sums
            .entry((turn, place))
            .or_insert((entry.message, Change::default()));
        sum.1 = sum.1.and(change);
    }
    sums
}

impl Row for DeltaRow {
    const SQL: &'static str = over!(
        account bytes, standing bytes, ceiling integer, consumed integer, reserved integer,
        overdraft integer;
        "update standing
         set ceiling = standing.ceiling + batch.ceiling,
             consumed = standing.consumed + batch.consumed,
             reserved = standing.reserved + batch.reserved,
             overdraft = standing.overdraft + batch.overdraft
         from batch
         where standing.account = batch.account and standing.id = batch.standing"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Reference);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[derive(Debug, Serialize)]
pub(crate) struct ReservationRow {
    #[serde(skip)]
    by: MessageId,
    message: Id,
    expires_on: Date,
    state: ReservationState,
}

impl ReservationRow {
    pub(crate) fn of(changes: &[ReservationChange]) -> Rows<Self> {
        // One that changes twice in a batch is written once, as it is left.
        let row = |change: &ReservationChange| ReservationRow {
            by: change.message,
            message: change.message.into(),
            expires_on: change.expires_on,
            state: change.state,
        };
        let last: BTreeMap<_, _> = changes
            .iter()
            .map(|change| (change.message, row(change)))
            .collect();
        last.into_values().collect::<Vec<_>>().into()
    }
}

impl Row for ReservationRow {
    const SQL: &'static str = over!(
        message bytes, expires_on text, state text;
        "insert into reservation (message, expires_on, state)
         select message, expires_on, state from batch where true
         on conflict (message) do update
         set expires_on = excluded.expires_on, state = excluded.state"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::Reservation);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// A part that a reservation may hold from now on; it starts with nothing.
#[derive(Debug, Serialize)]
pub(crate) struct NewPartRow {
    #[serde(skip)]
    by: MessageId,
    reservation: Id,
    account: Id,
    standing: Id,
}

impl NewPartRow {
    pub(crate) fn of(entries: &[NewEntry]) -> Rows<Self> {
        let parts = entries.iter().filter_map(|entry| {
            let reserves = entry.kind == EntryKind::Reserve;
            let reservation = entry.reservation.filter(|_| reserves)?;
            Some((
                (Id::from(reservation), Place::from(&entry.key)),
                entry.message,
            ))
        });
        let row = |((reservation, Place { account, standing }), by)| NewPartRow {
            by,
            reservation,
            account,
            standing,
        };
        let parts: BTreeMap<_, _> = parts.collect();
        parts.into_iter().map(row).collect::<Vec<_>>().into()
    }
}

impl Row for NewPartRow {
    const SQL: &'static str = over!(
        reservation bytes, account bytes, standing bytes;
        "insert into reservation_part (reservation, account, standing, open)
         select reservation, account, standing, 0 from batch where true on conflict do nothing"
    );
    const UNTOUCHED: Option<Constraint> = None;
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

/// What a batch changes of one part of a reservation.
#[derive(Debug, Serialize)]
pub(crate) struct PartRow {
    #[serde(skip)]
    by: MessageId,
    reservation: Id,
    account: Id,
    standing: Id,
    change: i64,
}

impl PartRow {
    pub(crate) fn of(entries: &[NewEntry], pace: Pace) -> Rows<Self> {
        let sums = sums(entries, pace, |entry| {
            let place = (Id::from(entry.reservation?), Place::from(&entry.key));
            Some((place, Change::of(entry.kind, entry.amount)))
        });
        let row =
            |((_, (reservation, place)), (by, change)): ((_, (Id, Place)), (_, Change))| PartRow {
                by,
                reservation,
                account: place.account,
                standing: place.standing,
                change: change.reserved,
            };
        sums.into_iter().map(row).collect::<Vec<_>>().into()
    }
}

impl Row for PartRow {
    const SQL: &'static str = over!(
        reservation bytes, account bytes, standing bytes, change integer;
        "update reservation_part
         set open = reservation_part.open + batch.change
         from batch
         where reservation_part.reservation = batch.reservation
             and reservation_part.account = batch.account
             and reservation_part.standing = batch.standing"
    );
    const UNTOUCHED: Option<Constraint> = Some(Constraint::ReservationOpen);
    fn message(&self) -> Option<MessageId> {
        Some(self.by)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use takmil_domain::limit::Standing;

    #[test]
    fn entries_change_standings_as_the_domain_says() {
        let before = Standing {
            ceiling: 1_000,
            consumed: 200,
            reserved: 100,
            overdraft: 10,
        };
        for kind in EntryKind::ALL {
            let change = Change::of(*kind, 7);
            let after = Standing {
                ceiling: before.ceiling + change.ceiling,
                consumed: before.consumed + change.consumed,
                reserved: before.reserved + change.reserved,
                overdraft: before.overdraft + change.overdraft,
            };
            assert_eq!(before.after(*kind, 7).unwrap(), after, "{kind:?}");
        }
    }
}
