//! The rows that movements of limits leave. Standings and reservations move by what the entries say, so that
//! the sums agree whatever the caller believes.

use std::collections::{BTreeMap, HashMap};

use takmil_domain::date::{Date, Instant};
use takmil_domain::digest::sha256;
use takmil_domain::ids::ParticipantId;
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::batch::{NewEntry, NewLimit, ReservationChange, RevisedLimit};
use crate::error::{Constraint, StoreError};
use crate::rows::{Bytes, Id, row};
use crate::turn::ReservationState;

/// Where a limit is kept: its account, and a digest of its whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
        let digest = sha256(key.to_string().as_bytes());
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        Place {
            account: key.account.into(),
            standing: Bytes(id),
        }
    }
}

/// The places of the limits that a turn works on: each key is digested once.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<LimitKey, Place>);

impl Places {
    /// The place of a limit, to be known from now on.
    pub(crate) fn note(&mut self, key: &LimitKey) -> Place {
        let place = self.of(key);
        self.0.insert(key.clone(), place);
        place
    }

    pub(crate) fn of(&self, key: &LimitKey) -> Place {
        self.0.get(key).copied().unwrap_or_else(|| Place::from(key))
    }
}

/// An entry with the place of its limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Move<'a> {
    pub(crate) place: Place,
    pub(crate) entry: &'a NewEntry,
}

impl<'a> Move<'a> {
    pub(crate) fn of(entry: &'a NewEntry, places: &Places) -> Move<'a> {
        let place = places.of(&entry.key);
        Move { place, entry }
    }

    fn change(&self) -> Change {
        Change::of(self.entry.kind, self.entry.amount)
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

row! {
    /// A limit that is made, with what its first batch changes of it.
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
        first_ceiling: i64 as integer,
        ceiling: i64 as integer,
        consumed: i64 as integer,
        reserved: i64 as integer,
        overdraft: i64 as integer,
        version: u32 as integer,
    }
    Some(Constraint::Reference);
    "insert into standing
         (account, id, member, insurer, code, stretch, kind, unit, per,
          first_ceiling, ceiling, consumed, reserved, overdraft, version)
     select account, standing, member, insurer, code, stretch, kind, unit, per,
         first_ceiling, ceiling, consumed, reserved, overdraft, version
     from batch
     where exists (select 1 from account where account.id = batch.account)
         and (batch.member is null or batch.member = (
             select m.id from member m where m.id = batch.member))"
}

impl<'a> LimitRow<'a> {
    pub(crate) fn of(limits: &'a [NewLimit], places: &Places, deltas: &mut Deltas) -> Vec<Self> {
        let mut row = |new: &'a NewLimit| {
            let place = places.of(&new.key);
            let change = deltas.of_new(place);
            let row = LimitRow::new(&new.key, (new.kind, new.unit, new.per), new.ceiling);
            LimitRow {
                account: place.account,
                standing: place.standing,
                ceiling: new.ceiling.saturating_add(change.ceiling),
                consumed: change.consumed,
                reserved: change.reserved,
                overdraft: change.overdraft,
                version: new.version,
                ..row
            }
        };
        let mut rows: Vec<_> = limits.iter().map(&mut row).collect();
        // Another hub may make the same limits, in its own batch's order.
        rows.sort_by_key(|row| (row.account, row.standing));
        rows
    }

    /// A limit that is made for no message.
    pub(crate) fn new(
        key: &'a LimitKey,
        (kind, unit, per): (LimitKind, LimitUnit, LimitPer),
        ceiling: i64,
    ) -> Self {
        let Place { account, standing } = Place::from(key);
        LimitRow {
            account,
            standing,
            member: key.member.map(Id::from),
            insurer: &key.insurer,
            code: key.code.as_str(),
            stretch: &key.stretch,
            kind,
            unit,
            per,
            first_ceiling: ceiling,
            ceiling,
            consumed: 0,
            reserved: 0,
            overdraft: 0,
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
    pub(crate) fn of(revised: &[RevisedLimit], places: &Places) -> Vec<Self> {
        let row = |one: &RevisedLimit| {
            let Place { account, standing } = places.of(&one.key);
            RevisedRow {
                account,
                standing,
                version: one.version,
            }
        };
        revised.iter().map(row).collect()
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
    "insert into entry
         (account, standing, message, turn, line, kind, amount, reservation, at)
     select account, standing, message, turn, line, kind, amount, reservation, at from batch
     where reservation is null or reservation = (
         select r.message from reservation r where r.message = batch.reservation)"
}

impl EntryRow {
    pub(crate) fn of(moves: &[Move<'_>]) -> Result<Vec<Self>, StoreError> {
        let row = |&Move { place, entry: new }: &Move<'_>| {
            let moves_reservation = matches!(new.kind, EntryKind::Reserve | EntryKind::Release);
            if moves_reservation != new.reservation.is_some() {
                return Err(StoreError::Broken {
                    constraint: Constraint::EntryReservation,
                });
            }
            Ok(EntryRow {
                account: place.account,
                standing: place.standing,
                message: new.message.into(),
                turn: new.turn,
                line: new.line,
                kind: new.kind,
                amount: new.amount,
                reservation: new.reservation.map(Id::from),
                at: new.at,
            })
        };
        moves.iter().map(row).collect()
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

/// What a batch changes of each standing. Only the sum counts: what it releases makes room for what it consumes.
#[derive(Debug)]
pub(crate) struct Deltas(BTreeMap<Place, Change>);

impl Deltas {
    pub(crate) fn of(moves: &[Move<'_>]) -> Deltas {
        Deltas(sums(moves, |one| Some((one.place, one.change()))))
    }

    /// What the batch changes of a limit that it makes: the limit begins with it.
    fn of_new(&mut self, place: Place) -> Change {
        self.0.remove(&place).unwrap_or_default()
    }

    /// That there are such limits is found out here, whatever wrote the entries.
    pub(crate) fn rows(self) -> Vec<DeltaRow> {
        let row = |(Place { account, standing }, change): (Place, Change)| DeltaRow {
            account,
            standing,
            ceiling: change.ceiling,
            consumed: change.consumed,
            reserved: change.reserved,
            overdraft: change.overdraft,
        };
        self.0.into_iter().map(row).collect()
    }
}

/// Sums what entries change, by place.
fn sums<P: Ord>(
    moves: &[Move<'_>],
    change: impl Fn(&Move<'_>) -> Option<(P, Change)>,
) -> BTreeMap<P, Change> {
    let mut sums: BTreeMap<P, Change> = BTreeMap::new();
    for (place, change) in moves.iter().filter_map(change) {
        let sum = sums.entry(place).or_default();
        *sum = sum.and(change);
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
    pub(crate) fn of(changes: &[ReservationChange]) -> Vec<Self> {
        // One that changes twice in a batch is written once, as it is left.
        let row = |change: &ReservationChange| ReservationRow {
            message: change.message.into(),
            expires_on: change.expires_on,
            state: change.state,
        };
        let last: BTreeMap<_, _> = changes
            .iter()
            .map(|change| (change.message, row(change)))
            .collect();
        last.into_values().collect()
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
    pub(crate) fn of(moves: &[Move<'_>]) -> Vec<Self> {
        let row = |((reservation, Place { account, standing }), amount)| ReservedRow {
            reservation,
            account,
            standing,
            amount,
        };
        part_sums(moves, EntryKind::Reserve).map(row).collect()
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
    pub(crate) fn of(moves: &[Move<'_>]) -> Vec<Self> {
        let row = |((reservation, Place { account, standing }), amount)| ReleasedRow {
            reservation,
            account,
            standing,
            amount,
        };
        part_sums(moves, EntryKind::Release).map(row).collect()
    }
}

/// What entries of a kind change of each part of a reservation.
fn part_sums(moves: &[Move<'_>], kind: EntryKind) -> impl Iterator<Item = ((Id, Place), i64)> {
    let sums = sums(moves, |one| {
        let reservation = one.entry.reservation.filter(|_| one.entry.kind == kind)?;
        Some(((reservation.into(), one.place), one.change()))
    });
    sums.into_iter()
        .map(|(part, change)| (part, change.reserved))
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
