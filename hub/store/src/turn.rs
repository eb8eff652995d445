//! A lane's turn: one transaction that holds the writer, loads what the batch touches, and writes it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{Identifier, MemberId, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::limit::{EntryKind, LimitKey, Standing};
use takmil_domain::message::Kind;

use crate::batch::Batch;
use crate::body::{Opened, sent_and_answered};
use crate::column::Row;
use crate::db::{Db, Transaction};
use crate::error::{Constraint, StoreError};
use crate::keys::{Keys, Part, Sealed};
use crate::ledger::{limit_columns, limit_key, standing};
use crate::ledger_rows::{Held, Place};
use crate::put::{self, Known};
use crate::rows::{Id, over};
use crate::seal::OwnerKey;

mod leave;
mod past;

pub use leave::{Authorised, AuthorisedUse, KeptAuthorisation};
pub use past::KeptPast;

/// A lane's transaction. Dropped without [`Turn::commit`], it leaves nothing behind.
///
/// What it finds stays as it is until the turn ends: authorised lines, messages, reservations, standings and dues are
/// locked, in this order, and each kind in the order of its keys. Everybody asks in this one order, and [`Turn::write`]
/// goes through the tables in one order, so that turns of several hubs do not wait for each other in a circle. Payments
/// are booked beside the turns: whoever does it locks dues alone, in the order of their keys, and never a message.
///
/// Where a key or a limit that was not there when this turn asked was made by another since, or where turns wait
/// for each other after all, the answer is [`StoreError::Contended`], and the turn is to be done again.
pub struct Turn {
    transaction: Transaction<'static>,
    /// Of what the turn has asked whether it is there.
    asked: Asked,
    known: Known,
    keys: Keys,
}

/// Of what a turn has asked whether it is there: made by another since, it is no fault of the turn's.
#[derive(Debug, Default)]
struct Asked {
    keys: bool,
    limits: bool,
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Turn")
    }
}

/// What was answered to a message before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The message.
    pub message: MessageId,
    /// SHA-256 of its body as received.
    pub digest: [u8; 32],
    /// How far it has come.
    pub state: State,
    /// The last answer, as JSON.
    pub answer: String,
}

/// What a message has set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// The message that reserved.
    pub message: MessageId,
    /// The last day on which it counts.
    pub expires_on: Date,
    /// What has become of it.
    pub state: ReservationState,
    /// How much of each limit is still set aside; parts that are used up are left out.
    pub parts: Vec<(LimitKey, i64)>,
}

/// What has become of a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReservationState {
    /// It counts.
    Open,
    /// It was consumed.
    Used,
    /// It was given back.
    Released,
    /// Its time ran out.
    Expired,
}

/// A message found by an identifier of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundMessage {
    /// The message.
    pub id: MessageId,
    /// Its kind.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
}

/// A message as it stands, for another turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedMessage {
    /// The message.
    pub id: MessageId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// Its kind.
    pub kind: Kind,
    /// The wire format it came in.
    pub format: String,
    /// How far it has come.
    pub state: State,
    /// The number of its last turn.
    pub turn: u32,
    /// When the hub took it.
    pub received_at: Instant,
    /// By when somebody must have spoken.
    pub deadline: Option<Instant>,
    /// The member, where known.
    pub member: Option<MemberId>,
    /// The canonical message, as JSON.
    pub canonical: Vec<u8>,
    /// The last answer, as JSON.
    pub answer: String,
    /// What it moved in the ledger, turn by turn and line by line.
    pub entries: Vec<Entry>,
    /// What insurers said to it: who and the document, as JSON, in the order of arrival.
    pub decisions: Vec<(ParticipantId, String)>,
}

/// A movement of a limit, as kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The limit.
    pub key: LimitKey,
    /// In which turn of the message.
    pub turn: u32,
    /// For which of its lines; 0 for the message as a whole.
    pub line: u32,
    /// What happened.
    pub kind: EntryKind,
    /// How much.
    pub amount: i64,
    /// Whose reservation it moved.
    pub reservation: Option<MessageId>,
    /// When.
    pub at: Instant,
}

macro_rules! standings {
    () => {
        "select batch.place, s.ceiling, s.consumed, s.reserved, s.overdraft, s.version
         from batch join standing s on s.account = batch.account and s.id = batch.standing"
    };
}

macro_rules! reservations {
    () => {
        "select r.message, r.expires_on, r.state
         from batch join reservation r on r.message = batch.message order by r.message"
    };
}

impl Turn {
    pub(crate) fn new(transaction: Transaction<'static>, keys: Keys) -> Turn {
        Turn {
            transaction,
            asked: Asked::default(),
            known: Known::default(),
            keys,
        }
    }

    pub(crate) fn db(&mut self) -> Db<'_> {
        self.transaction.db()
    }

    /// What was answered under each sender's key, in the order asked.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn idempotency(
        &mut self,
        keys: &[(ParticipantId, String)],
    ) -> Result<Vec<Option<StoredAnswer>>, StoreError> {
        // Nearly all keys are new: what was answered is only looked up where there is something.
        let of_keys = over!(
            digest id;
            "select batch.place, i.message from batch join idempotency i on i.digest = batch.digest"
        );
        let of_answers = over!(
            message id;
            "select m.id, m.digest, m.state, m.member, k.wrapped, last.number, last.body
             from batch
             join message m on m.id = batch.message
             left join data_key k on k.owner = m.member
             join turn last on last.message = m.id
                 and last.number = (select max(number) from turn
                     where turn.message = m.id and turn.body is not null)"
        );
        self.asked.keys = true;
        let blind = self.keys.blind();
        let row = |(sender, key): &(ParticipantId, String)| (blind.of_key(sender, key),);
        let rows: Vec<_> = keys.iter().map(row).collect();
        let mut taken: Vec<(usize, MessageId)> = Vec::new();
        for row in self.db().ask(of_keys, &rows).await? {
            taken.push((row.number("place")?, MessageId(row.uuid("message")?)));
        }
        let messages = message_keys(taken.iter().map(|(_, message)| *message));
        let found = self.db().ask(of_answers, &messages).await?;
        let mut answers = HashMap::new();
        for row in &found {
            let (message, key) = (MessageId(row.uuid("id")?), self.keys.of(row).await?);
            let answer = StoredAnswer {
                message,
                digest: digest(row)?,
                state: row.named("state")?,
                answer: Opened::of_row(row, &key, message)?.answer()?,
            };
            answers.insert(message, answer);
        }
        let mut places: Vec<Option<StoredAnswer>> = keys.iter().map(|_| None).collect();
        for (place, message) in taken {
            if let Some(slot) = places.get_mut(place) {
                *slot = answers.get(&message).cloned();
            }
        }
        Ok(places)
    }

    /// The standing of each limit, in the order asked, which is to be the order of the keys; `None` where
    /// nobody has touched it yet. They stay locked until the turn ends.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn standings(
        &mut self,
        keys: &[LimitKey],
    ) -> Result<Vec<Option<Standing>>, StoreError> {
        let sql = over!(
            account id, standing id;
            sqlite(standings!())
            postgres(standings!(), " order by s.account, s.id for no key update of s")
        );
        self.asked.limits = true;
        let places = keys.iter().map(|key| self.known.places.note(key));
        let rows: Vec<_> = places.map(Place::into_row).collect();
        let found = self.db().ask(sql, &rows).await?;
        placed(keys.len(), &found, standing)
    }

    /// The reservations that messages have made, in the order of the messages' ids, those that are no longer
    /// open among them.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn reservations(
        &mut self,
        messages: &[MessageId],
    ) -> Result<Vec<Reservation>, StoreError> {
        let of_heads = over!(
            message id;
            sqlite(reservations!())
            postgres(reservations!(), " for no key update of r")
        );
        let of_parts = over!(
            message id;
            "select p.reservation, p.standing, p.open, ", limit_columns!(), "
             from batch
             join reservation_part p on p.reservation = batch.message
             join standing s on s.account = p.account and s.id = p.standing
             order by p.reservation, p.account, p.standing"
        );
        // Several messages of a batch may use one reservation.
        let messages: BTreeSet<_> = messages.iter().copied().collect();
        let rows = message_keys(messages.iter().copied());
        let asked = messages.into_iter().map(|message| (message, None));
        self.known.held.extend(asked);
        let mut reservations = Vec::new();
        for row in self.db().ask(of_heads, &rows).await? {
            let message = MessageId(row.uuid("message")?);
            let (expires_on, state) = (row.named("expires_on")?, row.named("state")?);
            let held = Held {
                expires_on,
                state,
                parts: BTreeMap::new(),
            };
            self.known.held.insert(message, Some(held));
            reservations.push(Reservation {
                message,
                expires_on,
                state,
                parts: Vec::new(),
            });
        }
        let made: Vec<_> = message_keys(reservations.iter().map(|head: &Reservation| head.message));
        for row in self.db().ask(of_parts, &made).await? {
            let message = MessageId(row.uuid("reservation")?);
            let place = Place {
                account: row.uuid("account")?.into(),
                standing: row.uuid("standing")?.into(),
            };
            if let Some(Some(held)) = self.known.held.get_mut(&message) {
                held.parts.insert(place, row.number("open")?);
            }
            if let Ok(at) = reservations.binary_search_by_key(&message, |head| head.message)
                && let Some(head) = reservations.get_mut(at)
            {
                head.parts.push((limit_key(&row)?, row.number("open")?));
            }
        }
        Ok(reservations)
    }

    /// The messages that bear an identifier of their sender, in the order asked, the latest first.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn find_messages(
        &mut self,
        wanted: &[(ParticipantId, Identifier)],
    ) -> Result<Vec<Vec<FoundMessage>>, StoreError> {
        let sql = over!(
            digest id;
            "select batch.place, message.id, message.kind, message.state
             from batch
             join message_identifier i on i.digest = batch.digest
             join message on message.id = i.message
             order by batch.place, message.id desc"
        );
        let blind = self.keys.blind();
        let row = |(sender, identifier): &(ParticipantId, Identifier)| {
            (blind.of_message(sender, identifier),)
        };
        let rows: Vec<_> = wanted.iter().map(row).collect();
        let mut found: Vec<Vec<FoundMessage>> = wanted.iter().map(|_| Vec::new()).collect();
        for row in self.db().ask(sql, &rows).await? {
            if let Some(place) = found.get_mut(row.number::<usize>("place")?) {
                place.push(FoundMessage {
                    id: MessageId(row.uuid("id")?),
                    kind: row.named("kind")?,
                    state: row.named("state")?,
                });
            }
        }
        Ok(found)
    }

    /// Messages as they stand, in the order asked; `None` where there is none.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn load(
        &mut self,
        messages: &[MessageId],
    ) -> Result<Vec<Option<LoadedMessage>>, StoreError> {
        // Locked before anything of them is read: what is read then is what the last turn has left.
        let of_locks = over!(
            message id;
            "select m.id from batch join message m on m.id = batch.message
             order by m.id for no key update of m"
        );
        let of_heads = over!(
            message id;
            "select batch.place, m.id, m.sender, m.kind, m.format, m.state, m.turn, m.received_at,
                 m.deadline, m.member, k.wrapped, first.body as taken, last.number, last.body
             from batch
             join message m on m.id = batch.message
             left join data_key k on k.owner = m.member
             join turn first on first.message = m.id and first.number = 1
             join turn last on last.message = m.id
                 and last.number = (select max(number) from turn
                     where turn.message = m.id and turn.body is not null)"
        );
        let of_entries = over!(
            message id;
            "select batch.place, e.turn, e.line, e.kind as entry_kind, e.amount, e.reservation, e.at, ",
            limit_columns!(), "
             from batch
             join entry e on e.message = batch.message
             join standing s on s.account = e.account and s.id = e.standing
             order by batch.place, e.turn, e.line, e.account, e.standing, e.kind"
        );
        let of_decisions = over!(
            message id;
            "select batch.place, d.insurer, d.reference, d.document
             from batch join decision d on d.message = batch.message
             order by batch.place, d.at, d.insurer, d.reference"
        );
        let rows = message_keys(messages.iter().copied());
        if self.db().is_shared() {
            self.db().ask(of_locks, &rows).await?;
        }
        let mut loaded: Vec<Option<LoadedMessage>> = messages.iter().map(|_| None).collect();
        for row in self.db().ask(of_heads, &rows).await? {
            let (message, key) = (MessageId(row.uuid("id")?), self.keys.of(&row).await?);
            if let Some(slot) = loaded.get_mut(row.number::<usize>("place")?) {
                *slot = Some(loaded_head(&row, &key, message)?);
            }
            self.known.keys.insert(message, key);
        }
        let mut db = self.transaction.db();
        for row in db.ask(of_entries, &rows).await? {
            if let Some(Some(message)) = loaded.get_mut(row.number::<usize>("place")?) {
                message.entries.push(entry(&row)?);
            }
        }
        for row in db.ask(of_decisions, &rows).await? {
            if let Some(Some(message)) = loaded.get_mut(row.number::<usize>("place")?) {
                let Some(key) = self.known.keys.get(&message.id) else {
                    continue;
                };
                let part = Part::Decision(row.text("reference")?);
                let document = Sealed::open_text(key, message.id, part, row.bytes("document")?)?;
                message.decisions.push((row.named("insurer")?, document));
            }
        }
        Ok(loaded)
    }

    /// Writes all of the batch. After an error the turn is to be dropped.
    ///
    /// # Errors
    /// [`StoreError::Broken`] with the constraint; [`StoreError::Contended`] where the turn has to be done again.
    pub async fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.find_keys(batch).await?;
        self.find_reservations(batch).await?;
        let asked = &self.asked;
        let made_since = |constraint| match constraint {
            Constraint::Idempotency => asked.keys,
            Constraint::Limit => asked.limits,
            _ => false,
        };
        let to = &mut self.transaction.db();
        put::batch(to, batch, &self.known, self.keys.blind(), made_since).await
    }

    /// Finds the keys of messages that go on and were not loaded.
    async fn find_keys(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let of_keys = over!(
            message id;
            "select m.id, m.member, k.wrapped
             from batch join message m on m.id = batch.message
             left join data_key k on k.owner = m.member"
        );
        let sealing = batch
            .updates
            .iter()
            .filter(|update| update.answer.is_some());
        let goes_on = sealing.map(|update| update.id);
        let spoken_of = batch.decisions.iter().map(|new| new.decision.message);
        let unknown = goes_on
            .chain(spoken_of)
            .filter(|message| !self.known.keys.contains_key(message));
        let rows = message_keys(unknown);
        for row in self.transaction.db().ask(of_keys, &rows).await? {
            let key = self.keys.of(&row).await?;
            self.known.keys.insert(MessageId(row.uuid("id")?), key);
        }
        Ok(())
    }

    /// Finds the reservations that the batch moves and that were not asked for. A message that is taken has none yet.
    async fn find_reservations(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let taken: BTreeSet<_> = batch.messages.iter().map(|new| new.id).collect();
        let changed = batch.reservations.iter().map(|change| change.message);
        let moved = batch.entries.iter().filter_map(|entry| entry.reservation);
        let unknown: BTreeSet<_> = changed
            .chain(moved)
            .filter(|message| !taken.contains(message) && !self.known.held.contains_key(message))
            .collect();
        let unknown: Vec<_> = unknown.into_iter().collect();
        self.reservations(&unknown).await.map(drop)
    }

    /// Makes the turn durable: when this returns, it is synced to disk.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it is not: nothing of it may be acknowledged.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await
    }
}

/// Puts what was found where it was asked for.
pub(crate) fn placed<T>(
    asked: usize,
    rows: &[Row],
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<Option<T>>, StoreError> {
    let mut places: Vec<Option<T>> = (0..asked).map(|_| None).collect();
    for row in rows {
        if let Some(place) = places.get_mut(row.number::<usize>("place")?) {
            *place = Some(read(row)?);
        }
    }
    Ok(places)
}

/// Rows of one message each.
fn message_keys(messages: impl IntoIterator<Item = MessageId>) -> Vec<(Id,)> {
    messages.into_iter().map(|id| (id.into(),)).collect()
}

pub(crate) fn digest(row: &Row) -> Result<[u8; 32], StoreError> {
    row.bytes("digest")?
        .try_into()
        .map_err(|_| StoreError::Unreadable { what: "digest" })
}

fn loaded_head(row: &Row, key: &OwnerKey, id: MessageId) -> Result<LoadedMessage, StoreError> {
    let (canonical, answer) = sent_and_answered(row, key, id)?;
    Ok(LoadedMessage {
        id,
        sender: row.named("sender")?,
        kind: row.named("kind")?,
        format: row.text("format")?.to_owned(),
        state: row.named("state")?,
        turn: row.number("turn")?,
        received_at: row.moment("received_at")?,
        deadline: row.moment_maybe("deadline")?,
        member: row.uuid_maybe("member")?.map(MemberId),
        canonical,
        answer,
        entries: Vec::new(),
        decisions: Vec::new(),
    })
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        key: limit_key(row)?,
        turn: row.number("turn")?,
        line: row.number("line")?,
        kind: row.named("entry_kind")?,
        amount: row.number("amount")?,
        reservation: row.uuid_maybe("reservation")?.map(MessageId),
        at: row.moment("at")?,
    })
}
