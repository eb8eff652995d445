//! A past for a database: stays that the hub itself has decided, said again under other ids, numbers and days, and
//! written by the store's own statements, thousands in a transaction. So a copy has every row that the hub writes for
//! a stay, and the ledger is the sum of its entries as it was.

use takmil_domain::audit::{Commitment, Event, Leaf, Pseudonym, Salt};
use takmil_domain::date::Instant;
use takmil_domain::digest::sha256;
use takmil_domain::ids::{DeliveryId, Identifier, MessageId, ParticipantId};
use takmil_domain::participant::Purpose;
use takmil_store::{
    Attempt, Batch, Entry, Leg, MessageEnvelope, NewDelivery, NewEntry, NewLeaf, NewMessage,
    Outcome, OwnerKey, ReservationChange, ReservationState, Scope, Sent, Store,
};
use tokio::sync::mpsc;

use crate::error::Error;

/// How many stays are written in one transaction: far from what its statements can take, and few commits a second.
const STAYS_PER_TURN: u64 = 1_000;

/// How far back the past goes.
const DAYS_BACK: i64 = 365;

/// How long after its admission the claim of a stay comes.
const STAY_DAYS: i64 = 2;

/// How long a delivery took.
const DELIVERED_AFTER_MS: u64 = 50;

/// The steps in which partitions of the past are made: the store makes those of four months at once.
const PARTITION_DAYS: i64 = 90;

const DAY_US: i64 = 86_400_000_000;

/// Stays that were decided, to be said again.
#[derive(Debug)]
pub struct Prototypes {
    stays: Vec<Stay>,
    sender: Pseudonym,
}

/// An admission and its claim.
#[derive(Debug)]
struct Stay {
    admission: Kept,
    claim: Kept,
    /// The number of the admission, with which that of the claim begins.
    number: String,
}

/// A message, as the store keeps it.
#[derive(Debug)]
struct Kept {
    envelope: MessageEnvelope,
    key: OwnerKey,
    original: String,
    canonical: String,
    answer: String,
    answered_at: Instant,
    insurers: Vec<ParticipantId>,
    identifiers: Vec<Identifier>,
    legs: Vec<Leg>,
    entries: Vec<Entry>,
    owed: Vec<(ParticipantId, Purpose)>,
}

/// Stays of the past for one transaction, and what came of their deliveries.
#[derive(Debug, Default)]
struct Stretch {
    batch: Batch,
    attempts: Vec<Attempt>,
}

fn wrong(what: &str) -> Error {
    Error::History(what.to_owned())
}

impl Prototypes {
    /// Reads stays from the store: each an admission and the claim that has used its reservation.
    ///
    /// # Errors
    /// [`Error::Store`], or [`Error::History`] where they are not such stays.
    pub async fn read(
        store: &Store,
        stays: &[(MessageId, MessageId)],
    ) -> Result<Prototypes, Error> {
        let mut read = Vec::with_capacity(stays.len());
        for (admission, claim) in stays {
            let admission = Kept::read(store, *admission).await?;
            let claim = Kept::read(store, *claim).await?;
            let number = admission.identifiers.first();
            let number = number.ok_or_else(|| wrong("an admission has no number"))?;
            read.push(Stay {
                number: number.value.clone(),
                admission,
                claim,
            });
        }
        let first = read.first().ok_or_else(|| wrong("there is no stay"))?;
        let sender = store.pseudonym(&first.admission.envelope.sender).await?;
        Ok(Prototypes {
            stays: read,
            sender,
        })
    }

    /// Adds `stays` stays, numbered from `first` on, spread over the year before `now`, and gives how many messages
    /// that are.
    ///
    /// # Errors
    /// [`Error::Store`] where they cannot be written.
    pub async fn add(
        self,
        store: &Store,
        (first, stays): (u64, u64),
        now: Instant,
    ) -> Result<u64, Error> {
        for days in (0..=DAYS_BACK).step_by(PARTITION_DAYS as usize) {
            store.make_partitions(days_before(now, days)).await?;
        }
        // One thread says stays again while another transaction is written.
        let (ready, mut stretches) = mpsc::channel(2);
        let saying = tokio::task::spawn_blocking(move || {
            let mut from = first;
            let end = first.saturating_add(stays);
            while from < end {
                let to = end.min(from.saturating_add(STAYS_PER_TURN));
                let stretch = self.stretch(from..to, (first, end), now);
                let failed = stretch.is_err();
                if ready.blocking_send(stretch).is_err() || failed {
                    break;
                }
                from = to;
            }
        });
        let mut written = 0;
        while let Some(stretch) = stretches.recv().await {
            let Stretch { batch, attempts } = stretch?;
            let mut turn = store.begin().await?;
            turn.write(&batch).await?;
            turn.commit().await?;
            store.record_attempts(&Scope::Hub, &attempts).await?;
            written += batch.messages.len() as u64;
        }
        saying.await?;
        Ok(written)
    }

    /// The stays of these numbers, of all that are added between two of them.
    fn stretch(
        &self,
        numbers: std::ops::Range<u64>,
        (first, end): (u64, u64),
        now: Instant,
    ) -> Result<Stretch, Error> {
        let mut stretch = Stretch::default();
        let span = (DAYS_BACK - STAY_DAYS - 1).saturating_mul(DAY_US);
        let count = i64::try_from(end.saturating_sub(first)).unwrap_or(i64::MAX);
        for number in numbers {
            let kinds = self.stays.len() as u64;
            let kind = usize::try_from(number % kinds.max(1)).unwrap_or_default();
            let stay = self.stays.get(kind).ok_or_else(|| wrong("no stay"))?;
            let along = i64::try_from(number.saturating_sub(first)).unwrap_or(i64::MAX);
            let into = (span / count.max(1)).saturating_mul(along);
            let at = Instant(days_before(now, DAYS_BACK).0.saturating_add(into));
            stay.say(&format!("past-{number}"), at, self.sender, &mut stretch)?;
        }
        Ok(stretch)
    }
}

fn days_before(now: Instant, days: i64) -> Instant {
    Instant(now.0.saturating_sub(days.saturating_mul(DAY_US)))
}

impl Kept {
    async fn read(store: &Store, id: MessageId) -> Result<Kept, Error> {
        let way = store.way(&Scope::Hub, id).await?;
        let canonical = text(store.canonical(&Scope::Hub, id).await?)?;
        let original = text(store.original(&Scope::Hub, id).await?)?;
        let mut turn = store.begin().await?;
        let loaded = turn.load(&[id]).await?.into_iter().next().flatten();
        drop(turn);
        let loaded = loaded.ok_or_else(|| wrong("a message cannot be loaded"))?;
        let [only] = <[_; 1]>::try_from(way.turns).map_err(|_| wrong("it took several turns"))?;
        let deliveries = way.deliveries.into_iter();
        let key = match way.envelope.member {
            None => store.own_key().clone(),
            Some(member) => {
                let known = store.known_members(&[member]).await?.pop();
                known.ok_or_else(|| wrong("a member was erased"))?.key
            }
        };
        Ok(Kept {
            key,
            identifiers: identifiers(&canonical)?,
            insurers: insurers(&loaded.answer)?,
            original,
            canonical,
            answer: loaded.answer,
            answered_at: only.at,
            envelope: way.envelope,
            legs: only.legs,
            entries: loaded.entries,
            owed: deliveries.map(|way| (way.insurer, way.purpose)).collect(),
        })
    }
}

fn text(bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| wrong("a body is no text"))
}

fn json(text: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(text).map_err(|_| wrong("a document is no JSON"))
}

fn identifiers(canonical: &str) -> Result<Vec<Identifier>, Error> {
    let own = json(canonical)?.get("identifiers").cloned();
    serde_json::from_value(own.unwrap_or_default()).map_err(|_| wrong("it has no identifiers"))
}

/// The insurers that see a message: those of the supplementary covers that its decision rests on.
fn insurers(record: &str) -> Result<Vec<ParticipantId>, Error> {
    let record = json(record)?;
    let covers = record.pointer("/basis/covers");
    let covers = covers.and_then(serde_json::Value::as_array);
    let insurer = |cover: &serde_json::Value| cover.pointer("/cover/insurer").cloned();
    let named = covers.into_iter().flatten().filter_map(insurer);
    let mut insurers: Vec<ParticipantId> = named
        .map(serde_json::from_value)
        .collect::<Result<_, _>>()
        .map_err(|_| wrong("a cover has no insurer"))?;
    insurers.sort();
    insurers.dedup();
    Ok(insurers)
}

impl Stay {
    /// Says the stay again, under another number, at another time.
    fn say(
        &self,
        number: &str,
        at: Instant,
        sender: Pseudonym,
        stretch: &mut Stretch,
    ) -> Result<(), Error> {
        let said = Said {
            stay: self,
            number,
            admission: MessageId::new(at, rand::random()),
            claim: MessageId::new(days_before(at, -STAY_DAYS), rand::random()),
        };
        said.again(&self.admission, (said.admission, at), sender, stretch)?;
        let later = days_before(at, -STAY_DAYS);
        said.again(&self.claim, (said.claim, later), sender, stretch)?;
        // What the admission has reserved, the claim has used.
        let reserved = self.admission.entries.iter();
        if reserved.clone().any(|entry| entry.reservation.is_some()) {
            stretch.batch.reservations.push(ReservationChange {
                message: said.admission,
                expires_on: later.day(),
                state: ReservationState::Used,
            });
        }
        Ok(())
    }
}

/// A stay under its new names.
struct Said<'a> {
    stay: &'a Stay,
    number: &'a str,
    admission: MessageId,
    claim: MessageId,
}

impl Said<'_> {
    fn again(
        &self,
        kept: &Kept,
        (id, at): (MessageId, Instant),
        sender: Pseudonym,
        stretch: &mut Stretch,
    ) -> Result<(), Error> {
        let batch = &mut stretch.batch;
        let [original, canonical, answer] =
            [&kept.original, &kept.canonical, &kept.answer].map(|text| self.renamed(text));
        let digest = sha256(original.as_bytes());
        let took = kept
            .answered_at
            .0
            .saturating_sub(kept.envelope.received_at.0);
        let answered_at = Instant(at.0.saturating_add(took));
        let salt = Salt(rand::random());
        batch.leaves.push(NewLeaf {
            leaf: Leaf {
                event: Event::MessageTaken,
                turn: 1,
                at: answered_at,
                subject: id.0,
                participant: sender,
                commitment: Commitment::new(&salt, &[&digest, answer.as_bytes()]),
            },
            salt,
        });
        for entry in &kept.entries {
            batch.entries.push(NewEntry {
                key: entry.key.clone(),
                message: id,
                turn: entry.turn,
                line: entry.line,
                kind: entry.kind,
                amount: entry.amount,
                reservation: entry.reservation.map(|_| self.admission),
                at: answered_at,
            });
        }
        for (insurer, purpose) in &kept.owed {
            let delivery = DeliveryId::new(answered_at, rand::random());
            batch.outbox.push(NewDelivery {
                id: delivery,
                insurer: insurer.clone(),
                claim: self.admission,
                message: id,
                turn: 1,
                kind: kept.envelope.kind,
                purpose: *purpose,
                created_at: answered_at,
                due_at: answered_at,
            });
            stretch.attempts.push(Attempt {
                delivery,
                at: answered_at.plus_ms(DELIVERED_AFTER_MS),
                outcome: Outcome::Delivered { took_ms: None },
            });
        }
        let identifiers: Vec<Identifier> = kept
            .identifiers
            .iter()
            .map(|own| Identifier {
                value: self.renamed(&own.value),
                ..own.clone()
            })
            .collect();
        batch.messages.push(NewMessage {
            id,
            sender: kept.envelope.sender.clone(),
            kind: kept.envelope.kind,
            format: kept.envelope.format.clone().into(),
            state: kept.envelope.state,
            received_at: at,
            answered_at,
            member: kept.envelope.member,
            key: kept.key.clone(),
            insurers: kept.insurers.clone(),
            deadline: None,
            digest,
            sent: Sent::new(original.as_bytes(), canonical.as_bytes())?,
            prescription: Vec::new(),
            past: None,
            keys: keys(kept.envelope.kind.as_str(), &identifiers),
            identifiers,
            answer,
            legs: kept.legs.clone(),
        });
        Ok(())
    }

    /// A text of the stay with its new number and ids.
    fn renamed(&self, text: &str) -> String {
        let id = |id: MessageId| id.to_string();
        text.replace(&self.stay.number, self.number)
            .replace(&id(self.stay.admission.envelope.id), &id(self.admission))
            .replace(&id(self.stay.claim.envelope.id), &id(self.claim))
    }
}

/// What makes a repeat recognisable, as the hub spells it: the request's own key, which was the number, and the
/// sender's identifiers.
fn keys(kind: &str, identifiers: &[Identifier]) -> Vec<String> {
    let request = identifiers.first().map(|own| format!("key:{}", own.value));
    let own = identifiers
        .iter()
        .map(|own| format!("id:{kind}:{}|{}", own.system, own.value));
    request.into_iter().chain(own).collect()
}
