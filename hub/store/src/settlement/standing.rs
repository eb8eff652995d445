//! A claim's state follows its money: it is paid when the last of what is owed for it has arrived, and open again when
//! something of that is taken back. It is written with what was booked, in the same transaction.
//!
//! Who does so holds the messages before the dues, as lanes do: so neither waits for the other in a circle.

use std::collections::BTreeMap;

use takmil_domain::audit::Event as Happened;
use takmil_domain::date::Instant;
use takmil_domain::ids::MessageId;
use takmil_domain::life::{Event, State, is_payable};
use takmil_domain::message::Kind;
use takmil_domain::settlement::Due;
use takmil_domain::settlement::due::is_paid;

use super::rows;
use crate::batch::{Leg, MessageUpdate};
use crate::column::Row;
use crate::db::{Db, Sql, Value};
use crate::error::StoreError;
use crate::ledger_rows::Moved;
use crate::message_rows::{OwnerKeys, TurnRow, UpdateRow};
use crate::put::put;
use crate::rows::{Id, over};
use crate::store::Store;

/// Claims that stand still, and how far each has come.
#[derive(Debug, Default)]
pub(super) struct Standing(BTreeMap<MessageId, (Kind, State, u32)>);

macro_rules! standing {
    () => {
        "select m.id, m.kind, m.state, m.turn from batch join message m on m.id = batch.message
         order by m.id"
    };
}

impl Standing {
    /// Holds claims until the transaction ends.
    pub(super) async fn hold(
        db: &mut Db<'_>,
        claims: impl IntoIterator<Item = MessageId>,
    ) -> Result<Standing, StoreError> {
        let sql = over!(
            message id;
            sqlite(standing!())
            postgres(standing!(), " for no key update of m")
        );
        let rows: Vec<(Id,)> = claims.into_iter().map(|claim| (claim.into(),)).collect();
        Standing::read(&db.ask(sql, &rows).await?)
    }

    /// Holds the claims that a question names, which is to lock them.
    pub(super) async fn hold_found(
        db: &mut Db<'_>,
        sql: Sql,
        values: &[Value<'_>],
    ) -> Result<Standing, StoreError> {
        Standing::read(&db.fetch_all(sql, values).await?)
    }

    fn read(found: &[Row]) -> Result<Standing, StoreError> {
        let one = |row: &Row| {
            let standing = (row.named("kind")?, row.named("state")?, row.number("turn")?);
            Ok((MessageId(row.uuid("id")?), standing))
        };
        let read: Result<BTreeMap<_, _>, StoreError> = found.iter().map(one).collect();
        Ok(Standing(read?))
    }

    /// Leads claims whose dues have moved to where they stand now. Those that are not held stay where they are.
    pub(super) async fn follow(
        &self,
        store: &Store,
        db: &mut Db<'_>,
        moved: &[MessageId],
        at: Instant,
    ) -> Result<(), StoreError> {
        let held = moved.iter().filter(|claim| self.0.contains_key(claim));
        let rows: Vec<(Id,)> = held.map(|claim| ((*claim).into(),)).collect();
        // Other insurers' dues of a claim cannot move: lanes need its message, and everybody else the desk.
        let of_dues = over!(
            message id;
            "select due.* from batch join due on due.message = batch.message"
        );
        let mut dues: BTreeMap<MessageId, Vec<Due>> = BTreeMap::new();
        for row in db.ask(of_dues, &rows).await? {
            let due = rows::due_sums(&row)?;
            dues.entry(due.message).or_default().push(due);
        }
        let (mut settled, mut reopened) = (Vec::new(), Vec::new());
        for (claim, dues) in &dues {
            match (self.0.get(claim), is_paid(dues)) {
                (Some((_, State::Decided | State::Adjusted, _)), true) => settled.push(*claim),
                (Some((_, state, _)), false) if state.is_paid() => reopened.push(*claim),
                _ => {}
            }
        }
        let mut updates = self.updates(&settled, Event::Settled, |_| State::Paid, at);
        let before = decided_as(db, &reopened).await?;
        let as_before = |claim| before.get(&claim).copied().unwrap_or(State::Decided);
        updates.extend(self.updates(&reopened, Event::Reopened, as_before, at));
        write(store, db, &updates).await
    }

    /// Leads paid claims on that all sides state the same of. Gives how many there were.
    pub(super) async fn matched(
        &self,
        store: &Store,
        db: &mut Db<'_>,
        at: Instant,
    ) -> Result<u64, StoreError> {
        let paid = self.0.iter().filter(|(_, own)| own.1 == State::Paid);
        let paid: Vec<MessageId> = paid.map(|(claim, _)| *claim).collect();
        let updates = self.updates(&paid, Event::Matched, |_| State::Reconciled, at);
        write(store, db, &updates).await?;
        Ok(updates.len().try_into().unwrap_or(u64::MAX))
    }

    fn updates(
        &self,
        claims: &[MessageId],
        event: Event,
        to: impl Fn(MessageId) -> State,
        at: Instant,
    ) -> Vec<MessageUpdate> {
        let held = claims
            .iter()
            .filter_map(|claim| Some((*claim, self.0.get(claim)?)));
        let payable = held.filter(|(_, (kind, ..))| is_payable(*kind));
        let update = |(id, (kind, from, turn)): (MessageId, &(Kind, State, u32))| MessageUpdate {
            id,
            kind: *kind,
            from: *from,
            event,
            to: to(id),
            turn: turn.saturating_add(1),
            at,
            deadline: None,
            answer: None,
            legs: vec![Leg {
                at,
                what: event.as_str().into(),
                who: None,
                detail: None,
            }],
        };
        payable.map(update).collect()
    }
}

/// Writes steps that have no answer of their own, each with its leaf of the log, as every turn of a message has one.
async fn write(
    store: &Store,
    db: &mut Db<'_>,
    updates: &[MessageUpdate],
) -> Result<(), StoreError> {
    put(db, &UpdateRow::of(updates)?).await?;
    let keys = OwnerKeys {
        taken: &[],
        loaded: &std::collections::HashMap::new(),
    };
    let mut nothing = Moved::default();
    put(db, &TurnRow::of(&[], updates, &keys, &mut nothing)?).await?;
    let leaf = |update: &MessageUpdate| {
        let what = (Happened::MessageWentOn, update.id.0, update.turn);
        store.leaf(what, None, update.at, &[b"", b""])
    };
    store
        .put_leaves(db, updates.iter().map(leaf).collect())
        .await
}

/// How claims had been decided before they were paid.
async fn decided_as(
    db: &mut Db<'_>,
    claims: &[MessageId],
) -> Result<BTreeMap<MessageId, State>, StoreError> {
    let sql = over!(
        message id;
        "select t.message, t.state from batch join turn t on t.message = batch.message
             and t.number = (select max(own.number) from turn own
                 where own.message = batch.message and own.state in ('decided', 'adjusted'))"
    );
    let rows: Vec<(Id,)> = claims.iter().map(|claim| ((*claim).into(),)).collect();
    let found = db.ask(sql, &rows).await?;
    let one = |row: &Row| Ok((MessageId(row.uuid("message")?), row.named("state")?));
    found.iter().map(one).collect()
}
