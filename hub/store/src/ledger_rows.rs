//! The rows that movements of limits leave. Standings and reservations move by what the entries say, so that
//! the sums agree whatever the caller believes.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use takmil_domain::date::Date;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{MessageId, ParticipantId};
use takmil_domain::limit::{EntryKind, LimitKey};
use takmil_domain::plan::{LimitKind, LimitPer, LimitUnit};

use crate::batch::{NewEntry, NewLimit, ReservationChange, RevisedLimit};
use crate::error::{Constraint, StoreError};
use crate::rows::{Id, row};
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
        Place {
            account: key.account.into(),
            standing: Id::of_digest(sha256(key.to_string().as_bytes())),
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
            let row = LimitRow::new(place, &new.key, (new.kind, new.unit, new.per), new.ceiling);
            LimitRow {
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
        Place { account, standing }: Place,
        key: &'a LimitKey,
        (kind, unit, per): (LimitKind, LimitUnit, LimitPer),
        ceiling: i64,
    ) -> Self {
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

/// The movements of each turn of a message, by limit: what the view "entry" unfolds.
#[derive(Debug, Default)]
pub(crate) struct Moved(HashMap<(MessageId, u32), Vec<OfLimit>>);

/// What a turn moved of one limit: `[account, limit, [[line, kind, amount, reservation], …]]`.
#[derive(Debug, Serialize)]
pub(crate) struct OfLimit(Id, Id, Vec<One>);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct One(u32, EntryKind, i64, Option<Id>);

impl Moved {
    pub(crate) fn of(moves: &[Move<'_>]) -> Result<Moved, StoreError> {
        let mut moved: HashMap<_, BTreeMap<Place, Vec<One>>> = HashMap::new();
        for Move { place, entry: new } in moves {
            let broken = |constraint| Err(StoreError::Broken { constraint });
            let moves_reservation = matches!(new.kind, EntryKind::Reserve | EntryKind::Release);
            if moves_reservation != new.reservation.is_some() {
                return broken(Constraint::EntryReservation);
            }
            if new.amount <= 0 && new.kind != EntryKind::Ceiling {
                return broken(Constraint::EntryAmount);
            }
            let of_turn = moved.entry((new.message, new.turn)).or_default();
            let of_limit = of_turn.entry(*place).or_default();
            if of_limit
                .iter()
                .any(|one| (one.0, one.1) == (new.line, new.kind))
            {
                return broken(Constraint::Entry);
            }
            let reservation = new.reservation.map(Id::from);
            of_limit.push(One(new.line, new.kind, new.amount, reservation));
        }
        let of_limit = |(place, mut all): (Place, Vec<One>)| {
            all.sort();
            OfLimit(place.account, place.standing, all)
        };
        let in_order = |of_turn: BTreeMap<Place, Vec<One>>| of_turn.into_iter().map(of_limit);
        let moved = moved.into_iter();
        Ok(Moved(
            moved
                .map(|(turn, all)| (turn, in_order(all).collect()))
                .collect(),
        ))
    }

    /// What a turn of a message moved, to be written with it.
    pub(crate) fn take(&mut self, message: MessageId, turn: u32) -> Vec<OfLimit> {
        self.0.remove(&(message, turn)).unwrap_or_default()
    }

    /// That each is written with its turn.
    pub(crate) fn is_written(&self) -> bool {
        self.0.is_empty()
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

    /// That there are such limits is found out here.
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
    /// A reservation as a batch leaves it.
    #[derive(Debug)]
    struct ReservationRow {
        message: Id as id,
        expires_on: Date as text,
        state: ReservationState as text,
        parts: Vec<(Id, Id, i64)> as document,
    }
    Some(Constraint::Reservation);
    "insert into reservation (message, expires_on, state, parts)
     select message, expires_on, state, parts from batch where true
     on conflict (message) do update
     set expires_on = excluded.expires_on, state = excluded.state, parts = excluded.parts"
}

/// A reservation as the turn has found it.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) expires_on: Date,
    pub(crate) state: ReservationState,
    pub(crate) parts: BTreeMap<Place, i64>,
}

/// The reservations that a turn knows, also those of which it knows that they are not there.
pub(crate) type Holdings = HashMap<MessageId, Option<Held>>;

impl ReservationRow {
    /// What the changes make of reservations, and what the entries move of their parts.
    pub(crate) fn of(
        changes: &[ReservationChange],
        moves: &[Move<'_>],
        known: &Holdings,
    ) -> Result<Vec<Self>, StoreError> {
        let broken = |constraint| StoreError::Broken { constraint };
        let before = |message: MessageId| known.get(&message).cloned().flatten();
        let mut after: BTreeMap<MessageId, Held> = BTreeMap::new();
        for change in changes {
            let held = after.remove(&change.message);
            let held = held.or_else(|| before(change.message));
            let held = Held {
                expires_on: change.expires_on,
                state: change.state,
                parts: held.map(|held| held.parts).unwrap_or_default(),
            };
            after.insert(change.message, held);
        }
        let moved = sums(moves, |one| {
            Some(((one.entry.reservation?, one.place), one.change()))
        });
        for ((message, place), change) in moved {
            let held = match after.entry(message) {
                Entry::Occupied(held) => held.into_mut(),
                Entry::Vacant(free) => {
                    free.insert(before(message).ok_or(broken(Constraint::Reference))?)
                }
            };
            let part = held.parts.entry(place).or_default();
            *part = part.saturating_add(change.reserved);
            if *part < 0 {
                return Err(broken(Constraint::ReservationOpen));
            }
        }
        let row = |(message, held): (MessageId, Held)| {
            let open = held.parts.into_iter().filter(|(_, open)| *open > 0);
            ReservationRow {
                message: message.into(),
                expires_on: held.expires_on,
                state: held.state,
                parts: open
                    .map(|(place, open)| (place.account, place.standing, open))
                    .collect(),
            }
        };
        Ok(after.into_iter().map(row).collect())
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
