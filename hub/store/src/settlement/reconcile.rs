//! What insurers and providers state of claims, and what comes of comparing it with the book.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use takmil_domain::date::{Date, Instant};
use takmil_domain::ids::{DifferenceId, LimitCode, MessageId, ParticipantId};
use takmil_domain::life::State;
use takmil_domain::money::{Amount, Currency};
use takmil_domain::settlement::Refused;
use takmil_domain::settlement::reconcile::{Compared, DifferenceKind, Facts, Figure, Said, Why};
use takmil_domain::settlement::state::{DifferenceEvent, DifferenceState};

use super::standing::Standing;
use super::{BookFilter, seen};
use crate::column::Row;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Bytes, Id, over, row};
use crate::scope::Scope;
use crate::store::Store;

/// How many claims are compared in one transaction: lanes wait for them.
const PAGE: i64 = 1_000;

/// What a party states of days that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedFigures {
    /// The party's own name for them; the same again is answered as it was before.
    pub reference: String,
    /// SHA-256 of what was sent.
    pub digest: [u8; 32],
    /// The first of the days. A claim of them that is not stated is one that the party lacks.
    pub from: Date,
    /// The last one.
    pub to: Date,
    /// The claims, each with the insurer that owes.
    pub claims: Vec<(MessageId, ParticipantId, Figure)>,
}

/// What became of figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiguresReceipt {
    /// Under which reference.
    pub reference: String,
    /// How many were taken.
    pub taken: usize,
    /// Those that were not.
    pub refused: Vec<RefusedFigure>,
}

/// A figure that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedFigure {
    /// Its place in what was sent, as a JSON pointer.
    pub pointer: String,
    /// Why not.
    pub refused: Refused,
}

/// A difference between what sides state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceRecord {
    /// The hub's id of it.
    pub id: DifferenceId,
    /// The claim behind it.
    pub message: MessageId,
    /// Who owes.
    pub insurer: ParticipantId,
    /// Who is owed.
    pub provider: ParticipantId,
    /// In what.
    pub kind: DifferenceKind,
    /// Which limit it is about; then the hub and the insurer state what the claim has used of it, in the limit's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<LimitCode>,
    /// The currency of the amounts.
    pub currency: Currency,
    /// What the hub states.
    pub hub: Amount,
    /// What the insurer states; missing where it states nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insurers: Option<Amount>,
    /// What the provider states.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub providers: Option<Amount>,
    /// What is behind it.
    pub why: Why,
    /// How far it has come.
    pub state: DifferenceState,
    /// When it was found.
    pub found_at: Instant,
    /// What was said to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl DifferenceRecord {
    /// How much it is about: the most that a side states otherwise than the hub; 0 where only states differ.
    pub fn amount(&self) -> i64 {
        let beside = |stated: Option<Amount>| {
            let apart = stated.map_or(0, |stated| (self.hub - stated).get());
            i64::try_from(apart.unsigned_abs()).unwrap_or(i64::MAX)
        };
        match self.kind {
            DifferenceKind::MissingAtInsurer | DifferenceKind::MissingAtProvider => self.hub.get(),
            DifferenceKind::Amount => beside(self.insurers).max(beside(self.providers)),
            // No money is owed otherwise.
            DifferenceKind::State | DifferenceKind::Limit => 0,
        }
    }
}

/// What a run of comparing has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// How many dues of claims were compared.
    pub compared: u64,
    /// How many claims became reconciled.
    pub reconciled: u64,
    /// How many differences there are in what was compared.
    pub differences: u64,
    /// How many earlier ones are gone.
    pub settled: u64,
}

row! {
    struct FigureRow<'a> {
        message: Id as id,
        insurer: &'a ParticipantId as text,
        party: &'a ParticipantId as text,
        amount: Amount as integer,
        state: Option<State> as text,
        limits: &'a BTreeMap<LimitCode, i64> as document,
        at: Instant as integer,
    }
    Some(Constraint::Figure);
    "insert into figure (message, insurer, party, amount, state, limits, at)
     select message, insurer, party, amount, state, limits, at from batch where true
     on conflict (message, insurer, party) do update
     set amount = excluded.amount, state = excluded.state, limits = excluded.limits,
         at = excluded.at"
}

row! {
    struct FiguresRow<'a> {
        party: &'a ParticipantId as text,
        reference: &'a str as text,
        digest: Bytes<32> as bytes,
        first_day: Date as text,
        last_day: Date as text,
        at: Instant as integer,
        receipt: &'a FiguresReceipt as document,
    }
    Some(Constraint::Figures);
    "insert into figures (party, reference, digest, first_day, last_day, at, receipt)
     select party, reference, digest, first_day, last_day, at, receipt from batch"
}

row! {
    struct DifferenceRow<'a> {
        id: Id as id,
        message: Id as id,
        insurer: &'a ParticipantId as text,
        provider: &'a ParticipantId as text,
        kind: DifferenceKind as text,
        about: Option<&'a LimitCode> as text,
        currency: Currency as text,
        hub: Amount as integer,
        insurers: Option<Amount> as integer,
        providers: Option<Amount> as integer,
        why: Why as text,
        state: DifferenceState as text,
        found_at: Instant as integer,
        seen_at: Instant as integer,
        note: Option<&'a str> as text,
    }
    Some(Constraint::Difference);
    "insert into difference
         (id, message, insurer, provider, kind, about, currency, hub, insurers, providers, why, state,
          found_at, seen_at, note)
     select id, message, insurer, provider, kind, about, currency, hub, insurers, providers, why, state,
          found_at, seen_at, note
     from batch where true
     on conflict (message, insurer, kind) do update
     set about = excluded.about, hub = excluded.hub, insurers = excluded.insurers, providers = excluded.providers,
         why = excluded.why, state = excluded.state, seen_at = excluded.seen_at,
         note = excluded.note"
}

impl<'a> DifferenceRow<'a> {
    fn of(record: &'a DifferenceRecord, seen_at: Instant) -> Self {
        DifferenceRow {
            id: record.id.0.into(),
            message: record.message.into(),
            insurer: &record.insurer,
            provider: &record.provider,
            kind: record.kind,
            about: record.limit.as_ref(),
            currency: record.currency,
            hub: record.hub,
            insurers: record.insurers,
            providers: record.providers,
            why: record.why,
            state: record.state,
            found_at: record.found_at,
            seen_at,
            note: record.note.as_deref(),
        }
    }
}

/// What is owed beside what its two sides state, of claims of which either has spoken; claims that are reconciled are
/// done. One claim's dues stand together. `|| ''` keeps SQLite from looking through all deliveries of an insurer.
const SIDES: &str = "select d.message, d.insurer, d.provider, d.currency, d.disputed,
         d.incurred - d.written_off as amount, m.state,
         fi.amount as insurers, fi.state as insurers_state, fi.limits as insurers_limits,
         fp.amount as providers, fp.state as providers_state, fp.limits as providers_limits,
         cast(case when exists (select 1 from figures s where s.party = d.insurer
             and s.first_day <= d.on_day and s.last_day >= d.on_day) then 1 else 0 end as bigint) as insurer_spoke,
         cast(case when exists (select 1 from figures s where s.party = d.provider
             and s.first_day <= d.on_day and s.last_day >= d.on_day) then 1 else 0 end as bigint) as provider_spoke,
         cast(case when exists (select 1 from delivery o where o.message = d.message and o.insurer || '' = d.insurer
             and o.dead_at is not null) then 1 else 0 end as bigint) as dead,
         cast(case when exists (select 1 from delivery o where o.message = d.message and o.insurer || '' = d.insurer
             and o.delivered_at is null) then 1 else 0 end as bigint) as undelivered
     from due d
     join message m on m.id = d.message
     left join figure fi on fi.message = d.message and fi.insurer = d.insurer and fi.party = d.insurer
     left join figure fp on fp.message = d.message and fp.insurer = d.insurer and fp.party = d.provider
     where d.message in (select own.message from due own join message o on o.id = own.message
         where own.message > $1 and o.state <> 'reconciled' and own.on_day <= $2
             and exists (select 1 from figures s where s.party in (own.insurer, own.provider)
                 and s.first_day <= own.on_day and s.last_day >= own.on_day)
         group by own.message order by own.message limit $3)
     order by d.message, d.insurer";

/// One insurer's part of a claim, as it is compared.
struct Sides {
    compared: Compared,
    facts: Facts,
    insurer: ParticipantId,
    provider: ParticipantId,
    currency: Currency,
}

impl Sides {
    fn of(row: &Row) -> Result<Sides, StoreError> {
        let state: State = row.named("state")?;
        let said = |amount, named, limits, spoke| -> Result<Said, StoreError> {
            let figure = match row.number_maybe(amount)? {
                Some(amount) => Some(Figure {
                    amount,
                    state: row.named_maybe(named)?,
                    limits: match row.text_maybe(limits)? {
                        Some(_) => row.document(limits)?,
                        None => BTreeMap::new(),
                    },
                }),
                None => None,
            };
            let is_told = row.number::<i64>(spoke)? == 1;
            Ok(match (figure, is_told) {
                (Some(figure), _) => Said::States(figure),
                (None, true) => Said::Lacks,
                (None, false) => Said::Nothing,
            })
        };
        let is_so = |name| -> Result<bool, StoreError> { Ok(row.number::<i64>(name)? == 1) };
        let disputed: Amount = row.number("disputed")?;
        Ok(Sides {
            compared: Compared {
                message: MessageId(row.uuid("message")?),
                hub: Figure {
                    amount: row.number("amount")?,
                    state: Some(state),
                    limits: BTreeMap::new(),
                },
                insurer: said(
                    "insurers",
                    "insurers_state",
                    "insurers_limits",
                    "insurer_spoke",
                )?,
                provider: said(
                    "providers",
                    "providers_state",
                    "providers_limits",
                    "provider_spoke",
                )?,
            },
            facts: Facts {
                is_dead: is_so("dead")?,
                is_undelivered: is_so("undelivered")?,
                is_disputed: !disputed.is_zero(),
                is_taken_back: state.is_taken_back(),
            },
            insurer: row.named("insurer")?,
            provider: row.named("provider")?,
            currency: row.named("currency")?,
        })
    }
}

/// A count of a limit, as a difference tells it: no real one is beyond what an amount may be.
fn counted(used: i64) -> Amount {
    Amount::new(used).unwrap_or(Amount::MAX)
}

/// Adds to what the hub states what claims have used of limits, where their insurer states that.
async fn count_limits(db: &mut Db<'_>, sides: &mut [Sides]) -> Result<(), StoreError> {
    let of_claims = over!(
        message id, insurer text;
        "select e.message, s.insurer, s.code,
             cast(sum(case e.kind when 'reverse' then -e.amount else e.amount end) as bigint) as used
         from batch
         join entry e on e.message = batch.message
         join standing s on s.account = e.account and s.id = e.standing
         where s.insurer = batch.insurer and e.kind in ('consume', 'reverse')
         group by e.message, s.insurer, s.code"
    );
    let counts = |own: &&Sides| match &own.compared.insurer {
        Said::States(figure) => !figure.limits.is_empty(),
        Said::Lacks | Said::Nothing => false,
    };
    let asked = sides.iter().filter(counts);
    let asked: Vec<(Id, &str)> = asked
        .map(|own| (own.compared.message.into(), own.insurer.as_str()))
        .collect();
    if asked.is_empty() {
        return Ok(());
    }
    let mut used: BTreeMap<(MessageId, ParticipantId), BTreeMap<LimitCode, i64>> = BTreeMap::new();
    for row in db.ask(of_claims, &asked).await? {
        let key = (MessageId(row.uuid("message")?), row.named("insurer")?);
        let limits = used.entry(key).or_default();
        limits.insert(row.named("code")?, row.number("used")?);
    }
    for own in sides {
        let key = (own.compared.message, own.insurer.clone());
        own.compared.hub.limits = used.remove(&key).unwrap_or_default();
    }
    Ok(())
}

impl Store {
    /// Takes what an insurer or a provider states. The same reference again is answered as it was before; the last figure
    /// of a claim counts.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope states nothing. What is not taken is no error.
    pub async fn take_figures(
        &self,
        scope: &Scope,
        figures: &StatedFigures,
        at: Instant,
    ) -> Result<Result<FiguresReceipt, Refused>, StoreError> {
        let (Scope::Insurer(party) | Scope::Provider(party)) = scope else {
            return Err(StoreError::NotFound);
        };
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let known = db
            .fetch_optional(
                "select digest, receipt from figures where party = $1 and reference = $2",
                &[party.as_str().into(), figures.reference.as_str().into()],
            )
            .await?;
        if let Some(known) = known {
            let is_same = crate::turn::digest(&known)? == figures.digest;
            return Ok(match is_same {
                true => Ok(known.document("receipt")?),
                false => Err(Refused::Reference),
            });
        }
        let of_dues = over!(
            message id, insurer text;
            "select due.message, due.insurer, due.provider from batch
             join due on due.message = batch.message and due.insurer = batch.insurer"
        );
        let named: BTreeSet<(MessageId, &ParticipantId)> = figures
            .claims
            .iter()
            .map(|(message, insurer, _)| (*message, insurer))
            .collect();
        let rows: Vec<(Id, &str)> = named
            .into_iter()
            .map(|(message, insurer)| (message.into(), insurer.as_str()))
            .collect();
        let mut theirs: BTreeSet<(MessageId, ParticipantId)> = BTreeSet::new();
        for row in db.ask(of_dues, &rows).await? {
            let (insurer, provider): (ParticipantId, ParticipantId) =
                (row.named("insurer")?, row.named("provider")?);
            let is_own = match scope {
                Scope::Insurer(own) => *own == insurer,
                _ => *party == provider,
            };
            if is_own {
                theirs.insert((MessageId(row.uuid("message")?), insurer));
            }
        }
        let (mut taken, mut refused) = (BTreeMap::new(), Vec::new());
        for (place, (message, insurer, figure)) in figures.claims.iter().enumerate() {
            let why = match theirs.contains(&(*message, insurer.clone())) {
                false => Some(Refused::Unknown),
                true if figure.amount < Amount::ZERO => Some(Refused::Amount),
                true => None,
            };
            if let Some(why) = why {
                let pointer = format!("/claims/{place}");
                refused.push(RefusedFigure {
                    pointer,
                    refused: why,
                });
                continue;
            }
            let row = FigureRow {
                message: (*message).into(),
                insurer,
                party,
                amount: figure.amount,
                state: figure.state,
                limits: &figure.limits,
                at,
            };
            taken.insert((*message, insurer), row);
        }
        let receipt = FiguresReceipt {
            reference: figures.reference.clone(),
            taken: taken.len(),
            refused,
        };
        let rows: Vec<FigureRow<'_>> = taken.into_values().collect();
        put(&mut db, &rows).await?;
        let stated = FiguresRow {
            party,
            reference: &figures.reference,
            digest: Bytes(figures.digest),
            first_day: figures.from,
            last_day: figures.to,
            at,
            receipt: &receipt,
        };
        put(&mut db, &[stated]).await?;
        transaction.commit().await?;
        Ok(Ok(receipt))
    }

    /// Compares what parties state of claims that came to be owed until a day with the book: writes the differences, ends
    /// those that are gone, and leads paid claims on of which all sides state the same. Done again, it changes nothing.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read. What was compared until then stays.
    pub async fn reconcile(&self, until: Date, at: Instant) -> Result<Reconciliation, StoreError> {
        let mut sum = Reconciliation::default();
        let mut after = MessageId(uuid::Uuid::nil());
        let until = until.to_string();
        loop {
            let mut transaction = self.desk().await?;
            let mut db = transaction.db();
            let values = [after.0.into(), until.as_str().into(), PAGE.into()];
            let found = db.fetch_all(SIDES, &values).await?;
            let mut sides: Vec<Sides> = found.iter().map(Sides::of).collect::<Result<_, _>>()?;
            count_limits(&mut db, &mut sides).await?;
            let Some(last) = sides.last() else {
                return Ok(sum);
            };
            after = last.compared.message;
            let mut agreed: BTreeMap<MessageId, bool> = BTreeMap::new();
            for own in &sides {
                let is_agreed = agreed.entry(own.compared.message).or_insert(true);
                *is_agreed &= own.compared.is_agreed();
            }
            let of_claims = over!(
                message id;
                "select difference.* from batch join difference on difference.message = batch.message"
            );
            let keys: Vec<(Id,)> = agreed.keys().map(|claim| ((*claim).into(),)).collect();
            let mut before = BTreeMap::new();
            for row in db.ask(of_claims, &keys).await? {
                let record = difference(&row)?;
                let key = (record.message, record.insurer.clone(), record.kind);
                before.insert(key, record);
            }
            let mut changed = Vec::new();
            for own in &sides {
                sum.compared += 1;
                for kind in own.compared.differences() {
                    sum.differences += 1;
                    let key = (own.compared.message, own.insurer.clone(), kind);
                    changed.push(self.found(own, kind, before.remove(&key), at));
                }
            }
            for mut gone in before.into_values() {
                if let Some(settled) = gone.state.after(DifferenceEvent::Agreed) {
                    gone.state = settled;
                    sum.settled += 1;
                    changed.push(gone);
                }
            }
            let rows: Vec<DifferenceRow<'_>> = changed
                .iter()
                .map(|record| DifferenceRow::of(record, at))
                .collect();
            put(&mut db, &rows).await?;
            let agreed = agreed.into_iter().filter(|(_, is_agreed)| *is_agreed);
            let standing = Standing::hold(&mut db, agreed.map(|(claim, _)| claim)).await?;
            sum.reconciled += standing.matched(self, &mut db, at).await?;
            transaction.commit().await?;
        }
    }

    /// A difference as it is now. What was explained stays so while the figures stay as they were.
    fn found(
        &self,
        own: &Sides,
        kind: DifferenceKind,
        before: Option<DifferenceRecord>,
        at: Instant,
    ) -> DifferenceRecord {
        let amount = |said: &Said| match said {
            Said::States(figure) => Some(figure.amount),
            Said::Lacks | Said::Nothing => None,
        };
        let compared = &own.compared;
        let limit = compared.limit().filter(|_| kind == DifferenceKind::Limit);
        let now = match limit {
            Some((_, hub, theirs)) => (counted(hub), Some(counted(theirs)), None),
            None => (
                compared.hub.amount,
                amount(&compared.insurer),
                amount(&compared.provider),
            ),
        };
        let state = match &before {
            Some(before) if (before.hub, before.insurers, before.providers) == now => {
                let again = before.state.after(DifferenceEvent::Differs);
                again.unwrap_or(before.state)
            }
            _ => DifferenceState::Open,
        };
        DifferenceRecord {
            id: before
                .as_ref()
                .map_or_else(|| DifferenceId(self.fresh_id(at)), |before| before.id),
            message: compared.message,
            insurer: own.insurer.clone(),
            provider: own.provider.clone(),
            kind,
            limit: limit.map(|(code, ..)| code.clone()),
            currency: own.currency,
            hub: now.0,
            insurers: now.1,
            providers: now.2,
            why: own.facts.why(kind),
            state,
            found_at: before.as_ref().map_or(at, |before| before.found_at),
            note: before.and_then(|before| before.note),
        }
    }

    /// Differences, the earliest first.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn differences(
        &self,
        scope: &Scope,
        filter: &BookFilter,
        state: Option<DifferenceState>,
        after: Option<DifferenceId>,
        most: u32,
    ) -> Result<Vec<DifferenceRecord>, StoreError> {
        const SQL: &str = concat!(
            "select * from difference where ",
            seen!(),
            " and ($5 is null or state = $5) and id > $6 order by id limit $7"
        );
        let more = [
            state.map(DifferenceState::as_str).into(),
            after.map_or(uuid::Uuid::nil(), |id| id.0).into(),
            most.into(),
        ];
        let values = [&filter.values(scope)[..], &more].concat();
        let mut reader = self.read(scope).await?;
        let found = reader.db().fetch_all(SQL, &values).await?;
        found.iter().map(difference).collect()
    }

    /// Keeps what a side says to a difference. It stays until the figures agree.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none in the scope. What cannot be said any more is no error.
    pub async fn explain_difference(
        &self,
        scope: &Scope,
        id: DifferenceId,
        note: &str,
        at: Instant,
    ) -> Result<Result<DifferenceRecord, Refused>, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let row = db
            .fetch_one("select * from difference where id = $1", &[id.0.into()])
            .await?;
        let mut record = difference(&row)?;
        let is_own = match scope {
            Scope::Insurer(own) => *own == record.insurer,
            Scope::Provider(own) => *own == record.provider,
            Scope::Hub => true,
            Scope::Regulator => false,
        };
        if !is_own {
            return Err(StoreError::NotFound);
        }
        record.state = match record.state {
            DifferenceState::Settled => return Ok(Err(Refused::State)),
            DifferenceState::Open | DifferenceState::Explained => DifferenceState::Explained,
        };
        record.note = Some(note.to_owned());
        put(&mut db, &[DifferenceRow::of(&record, at)]).await?;
        transaction.commit().await?;
        Ok(Ok(record))
    }
}

pub(super) fn difference(row: &Row) -> Result<DifferenceRecord, StoreError> {
    Ok(DifferenceRecord {
        id: DifferenceId(row.uuid("id")?),
        message: MessageId(row.uuid("message")?),
        insurer: row.named("insurer")?,
        provider: row.named("provider")?,
        kind: row.named("kind")?,
        limit: row.named_maybe("about")?,
        currency: row.named("currency")?,
        hub: row.number("hub")?,
        insurers: row.number_maybe("insurers")?,
        providers: row.number_maybe("providers")?,
        why: row.named("why")?,
        state: row.named("state")?,
        found_at: row.moment("found_at")?,
        note: row.text_maybe("note")?.map(str::to_owned),
    })
}
