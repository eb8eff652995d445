//! The rows that movements of limits leave. Standings and reservations move by what the entries say, so that
//! the sums agree whatever the caller believes.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::batch::{NewEntry, NewLimit, ReservationChange, RevisedLimit};
use crate::error::{Constraint, StoreError};
use crate::put::{Pace, Rows};
use crate::rows::{Hex, Id, row};
use crate::turn::ReservationState;

/// Where a limit is kept: its account, and a digest of its whole key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) account: Id,
    pub(crate) standing: Id,
}

impl Place {
    /// As a row of a question.
    pub(crate) fn into_row(self) -> (Id, Id) {
        (self.account, self.standing)
    }
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

macro_rules! new_limits {
    () => {
        "insert into standing
             (account, id, member, insurer, code, stretch, kind, unit, per,
              first_ceiling, ceiling, consumed, reserved, overdraft, version)
         select account, standing, member, insurer, code, stretch, kind, unit, per,
             ceiling, ceiling, 0, 0, 0, version
         from batch"
    };
}

macro_rules! new_entries {
    () => {
        "insert into entry
             (account, standing, message, turn, line, kind, amount, reservation, at)
         select account, standing, message, turn, line, kind, amount, reservation, at from batch"
    };
}

row! {
    /// A limit that is made.
    #[derive(Debug)]
    struct LimitRow<'a> {
        account: Id as id,
        standing: Id as id,
        member: Option<Id> as id,
        insurer: &'a ParticipantId as text,
        code: &'a str as text,
        stretch: &'a str as text,
        kind: LimitKind as text,
        unit: LimitUnit as text,
        per: LimitPer as text,
        ceiling: i64 as integer,
        version: u32 as integer,
    }
    Some(Constraint::Reference);
    sqlite(new_limits!())
    postgres(
        new_limits!(),
        " where exists (select from account where account.id = batch.account)
            and (batch.member is null or batch.member = (
                select m.id from member m where m.id = batch.member))"
    )
}

impl<'a> LimitRow<'a> {
    pub(crate) fn of(limits: &'a [NewLimit], pace: Pace) -> Rows<Self> {
        let row = |new: &'a NewLimit| LimitRow {
            by: Some(new.message),
            version: new.version,
            ..LimitRow::new(&new.key, (new.kind, new.unit, new.per), new.ceiling)
        };
        let mut rows: Vec<_> = limits.iter().map(row).collect();
        if pace == Pace::Together {
            // Another hub may make the same limits, in its own batch's order.
            rows.sort_by(|a, b| (&a.account, &a.standing).cmp(&(&b.account, &b.standing)));
        }
        rows.into()
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
            version: 0,
        }
    }
}

row! {
    /// A later version of the plan has set the ceiling.
    #[derive(Debug)]
    struct RevisedRow {
        account: Id as id,
        standing: Id as id,
        version: u32 as integer,
    }
    Some(Constraint::Reference);
    "update standing set version = batch.version
     from batch
     where standing.account = batch.account and standing.id = batch.standing"
}

impl RevisedRow {
    pub(crate) fn of(revised: &[RevisedLimit]) -> Rows<Self> {
        let row = |one: &RevisedLimit| {
            let Place { account, standing } = Place::from(&one.key);
            RevisedRow {
                by: Some(one.message),
                account,
                standing,
                version: one.version,
            }
        };
        revised.iter().map(row).collect::<Vec<_>>().into()
    }
}

row! {
    #[derive(Debug)]
    struct EntryRow {
        account: Id as id,
        standing: Id as id,
        message: Id as id,
        turn: u32 as integer,
        line: u32 as integer,
        kind: EntryKind as text,
        amount: i64 as integer,
        reservation: Option<Id> as id,
        at: Instant as integer,
    }
    Some(Constraint::Reference);
    sqlite(new_entries!())
    postgres(
        new_entries!(),
        " where reservation is null or reservation = (
             select r.message from reservation r where r.message = batch.reservation)"
    )
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
                by: Some(new.message),
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

row! {
    /// What a batch changes of one standing.
    #[derive(Debug)]
    struct DeltaRow {
        account: Id as id,
        standing: Id as id,
        ceiling: i64 as integer,
        consumed: i64 as integer,
        reserved: i64 as integer,
        overdraft: i64 as integer,
    }
    Some(Constraint::Reference);
    "update standing
     set ceiling = standing.ceiling + batch.ceiling,
         consumed = standing.consumed + batch.consumed,
         reserved = standing.reserved + batch.reserved,
         overdraft = standing.overdraft + batch.overdraft
     from batch
     where standing.account = batch.account and standing.id = batch.standing"
}

impl DeltaRow {
    /// That there is such a limit is found out here, whatever wrote the entries.
    ///
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
                by: Some(by),
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

row! {
    #[derive(Debug)]
    struct ReservationRow {
        message: Id as id,
        expires_on: Date as text,
        state: ReservationState as text,
    }
    Some(Constraint::Reservation);
    "insert into reservation (message, expires_on, state)
     select message, expires_on, state from batch where true
     on conflict (message) do update
     set expires_on = excluded.expires_on, state = excluded.state"
}

impl ReservationRow {
    pub(crate) fn of(changes: &[ReservationChange]) -> Rows<Self> {
        // One that changes twice in a batch is written once, as it is left.
        let row = |change: &ReservationChange| ReservationRow {
            by: Some(change.message),
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

row! {
    /// What a batch adds to one part of a reservation.
    #[derive(Debug)]
    struct ReservedRow {
        reservation: Id as id,
        account: Id as id,
        standing: Id as id,
        amount: i64 as integer,
    }
    Some(Constraint::ReservationPart);
    "insert into reservation_part (reservation, account, standing, open)
     select reservation, account, standing, amount from batch where true
     on conflict (reservation, account, standing) do update
     set open = reservation_part.open + excluded.open"
}

impl ReservedRow {
    pub(crate) fn of(entries: &[NewEntry], pace: Pace) -> Rows<Self> {
        let row = |(by, (reservation, Place { account, standing }), amount)| ReservedRow {
            by,
            reservation,
            account,
            standing,
            amount,
        };
        part_sums(entries, pace, EntryKind::Reserve)
            .map(row)
            .collect::<Vec<_>>()
            .into()
    }
}

row! {
    /// What a batch takes from one part of a reservation.
    #[derive(Debug)]
    struct ReleasedRow {
        reservation: Id as id,
        account: Id as id,
        standing: Id as id,
        amount: i64 as integer,
    }
    Some(Constraint::ReservationOpen);
    "update reservation_part
     set open = reservation_part.open + batch.amount
     from batch
     where reservation_part.reservation = batch.reservation
     and reservation_part.account = batch.account
     and reservation_part.standing = batch.standing"
}

impl ReleasedRow {
    pub(crate) fn of(entries: &[NewEntry], pace: Pace) -> Rows<Self> {
        let row = |(by, (reservation, Place { account, standing }), amount)| ReleasedRow {
            by,
            reservation,
            account,
            standing,
            amount,
        };
        part_sums(entries, pace, EntryKind::Release)
            .map(row)
            .collect::<Vec<_>>()
            .into()
    }
}

/// What entries of a kind change of each part of a reservation.
fn part_sums(
    entries: &[NewEntry],
    pace: Pace,
    kind: EntryKind,
) -> impl Iterator<Item = (Option<MessageId>, (Id, Place), i64)> {
    let sums = sums(entries, pace, |entry| {
        let reservation = entry.reservation.filter(|_| entry.kind == kind)?;
        let change = Change::of(entry.kind, entry.amount);
        Some(((reservation.into(), Place::from(&entry.key)), change))
    });
    sums.into_iter()
        .map(|((_, part), (by, change))| (Some(by), part, change.reserved))
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
            version: 3,
        };
        for kind in EntryKind::ALL {
            let change = Change::of(*kind, 7);
            let after = Standing {
                ceiling: before.ceiling + change.ceiling,
                consumed: before.consumed + change.consumed,
                reserved: before.reserved + change.reserved,
                overdraft: before.overdraft + change.overdraft,
                version: before.version,
            };
            assert_eq!(before.after(*kind, 7).unwrap(), after, "{kind:?}");
        }
    }
}
