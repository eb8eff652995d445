//! What is told to the central register, and the unique codes that it gives: each thing once, tried until it has its code,
//! never deleted.

use takmil_domain::date::Instant;
use takmil_domain::ids::{AccountId, MessageId, ParticipantId, RegistrationId};
use takmil_domain::registration::{
    EndorsedCover, RegisteredClaim, Registration, Subject, UniqueCode,
};

use uuid::Uuid;

use crate::column::Row;
use crate::error::StoreError;
use crate::outbox::MOST_WAIT_MS;
use crate::put::put;
use crate::rows::{Id, row};
use crate::scope::Scope;
use crate::store::Store;

/// Something to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRegistration {
    /// Its id: made of the moment, so that the list goes by time.
    pub id: RegistrationId,
    /// By which insurer.
    pub insurer: ParticipantId,
    /// The certificate, or the one that it belongs to.
    pub account: AccountId,
    /// What it is.
    pub what: NewSubject,
    /// When it came to be.
    pub at: Instant,
}

/// What is to be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewSubject {
    /// The certificate itself. It is registered once, however often it is said.
    Policy,
    /// A change of it.
    Endorsement(Vec<EndorsedCover>),
    /// A claim. It is registered once for each insurer.
    Claim(MessageId),
}

/// A registration, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationRecord {
    /// What the register is told.
    pub registration: Registration,
    /// When it came to be.
    pub created_at: Instant,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last attempt failed; `None` before the first, and where it did not.
    pub error: Option<String>,
    /// Its unique code.
    pub code: Option<UniqueCode>,
    /// When it got it.
    pub registered_at: Option<Instant>,
}

/// What came of an attempt to register something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrationAttempt {
    /// Which.
    pub id: RegistrationId,
    /// When.
    pub at: Instant,
    /// Its unique code; or why there is none, and when to try again.
    pub outcome: Result<UniqueCode, (Instant, String)>,
}

/// How much waits for the register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RegistrationBacklog {
    /// How many have no code yet.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Instant>,
}

row! {
    struct RegistrationRow<'a> {
        id: Id as id,
        subject: Subject as text,
        object: String as text,
        insurer: &'a ParticipantId as text,
        account: Id as id,
        message: Option<Id> as id,
        covers: &'a [EndorsedCover] as document,
        at: Instant as integer,
    }
    None;
    "insert into registration
         (id, subject, object, insurer, account, message, covers, created_at, due_at)
     select id, subject, object, insurer, account, message, covers, at, at from batch where true
     on conflict (subject, object) do nothing"
}

impl<'a> RegistrationRow<'a> {
    pub(crate) fn of(registrations: &'a [NewRegistration]) -> Vec<Self> {
        let row = |new: &'a NewRegistration| {
            let (subject, object, message, covers) = match &new.what {
                NewSubject::Policy => (Subject::Policy, new.account.to_string(), None, &[][..]),
                NewSubject::Endorsement(covers) => {
                    (Subject::Endorsement, new.id.to_string(), None, &covers[..])
                }
                NewSubject::Claim(message) => {
                    let object = format!("{message}/{}", new.insurer);
                    (Subject::Claim, object, Some(Id::from(*message)), &[][..])
                }
            };
            RegistrationRow {
                id: new.id.into(),
                subject,
                object,
                insurer: &new.insurer,
                account: new.account.into(),
                message,
                covers,
                at: new.at,
            }
        };
        let mut rows: Vec<_> = registrations.iter().map(row).collect();
        // Turns that register the same certificates meet at them in one order.
        rows.sort_by(|one, other| (one.subject, &one.object).cmp(&(other.subject, &other.object)));
        rows
    }
}

row! {
    struct TriedRow<'a> {
        id: Id as id,
        due_at: Option<Instant> as integer,
        error: Option<&'a str> as text,
        code: Option<&'a UniqueCode> as text,
        at: Option<Instant> as integer,
    }
    None;
    "update registration
     set attempts = attempts + 1, due_at = coalesce(batch.due_at, registration.due_at),
         error = batch.error, code = batch.code, registered_at = batch.at
     from batch where registration.id = batch.id and registration.code is null"
}

impl<'a> TriedRow<'a> {
    fn of(attempt: &'a RegistrationAttempt) -> Self {
        let (due_at, error, code) = match &attempt.outcome {
            Ok(code) => (None, None, Some(code)),
            Err((next, error)) => (Some(*next), Some(error.as_str()), None),
        };
        TriedRow {
            id: attempt.id.into(),
            due_at,
            error,
            code,
            at: code.map(|_| attempt.at),
        }
    }
}

macro_rules! registrations {
    ($condition:literal) => {
        concat!(
            "select r.id, r.subject, r.insurer, r.message, r.covers, r.created_at, r.attempts, r.error,
                 r.code, r.registered_at, a.policy, a.certificate, p.code as policy_code,
                 d.provider, d.currency, d.on_day, d.incurred
             from registration r
             join account a on a.id = r.account
             left join registration p on p.account = r.account and p.subject = 'policy'
             left join due d on d.message = r.message and d.insurer = r.insurer
             where ",
            $condition
        )
    };
}

impl Store {
    /// What is to be told to the register now, the longest due first. What belongs to a policy waits until that has its
    /// code.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn due_registrations(
        &self,
        now: Instant,
        most: u32,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        // What lies further ahead than any wait was put off by a clock that has gone back since.
        let farthest = now.plus_ms(MOST_WAIT_MS);
        let rows = self
            .readers
            .fetch_all(
                registrations!(
                    "r.code is null and (r.due_at <= $1 or r.due_at > $2)
                         and (r.subject = 'policy' or p.code is not null)
                     order by r.due_at, r.id limit $3"
                ),
                &[now.into(), farthest.into(), most.into()],
            )
            .await?;
        rows.iter().map(record).collect()
    }

    /// Records what came of attempts. A code that is kept never changes.
    ///
    /// # Errors
    /// [`crate::Constraint::RegistrationCode`] if something else has one of the codes: nothing is recorded then.
    pub async fn record_registrations(
        &self,
        attempts: &[RegistrationAttempt],
    ) -> Result<(), StoreError> {
        let rows: Vec<_> = attempts.iter().map(TriedRow::of).collect();
        let mut transaction = self.rows().await?;
        put(&mut transaction.db(), &rows).await?;
        transaction.commit().await
    }

    /// Makes everything due that waits for the register to be back: it is.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn hasten_registrations(&self, now: Instant) -> Result<u64, StoreError> {
        self.writers
            .execute(
                "update registration set due_at = $1 where code is null and due_at > $1",
                &[now.into()],
            )
            .await
    }

    /// What is registered and what waits for it, the earliest first; of one insurer or message alone where they are
    /// named, and of what waits alone.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn registrations(
        &self,
        scope: &Scope,
        wanted: &RegistrationFilter,
        most: u32,
    ) -> Result<Vec<RegistrationRecord>, StoreError> {
        let named = wanted.insurer.as_ref().map(ParticipantId::as_str);
        let values = [
            scope.insurer().into(),
            scope.sender().into(),
            named.into(),
            wanted.message.map(|message| message.0).into(),
            i64::from(wanted.is_waiting).into(),
            wanted.after.map_or(Uuid::nil(), |after| after.0).into(),
            most.into(),
        ];
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                registrations!(
                    "($1 is null or r.insurer = $1)
                         and ($2 is null or exists (
                             select 1 from message m where m.id = r.message and m.sender = $2))
                         and ($3 is null or r.insurer = $3) and ($4 is null or r.message = $4)
                         and ($5 = 0 or r.code is null) and r.id > $6
                     order by r.id limit $7"
                ),
                &values,
            )
            .await?;
        rows.iter().map(record).collect()
    }

    /// How much waits for the register.
    ///
    /// # Errors
    /// If the database cannot serve.
    pub async fn registration_backlog(&self) -> Result<RegistrationBacklog, StoreError> {
        let row = self
            .readers
            .fetch_one(
                "select count(*) as waiting, min(created_at) as oldest from registration
                 where code is null",
                &[],
            )
            .await?;
        Ok(RegistrationBacklog {
            waiting: row.number("waiting")?,
            oldest: row.moment_maybe("oldest")?,
        })
    }
}

/// Which registrations are asked for, beyond what the scope says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrationFilter {
    /// Of this insurer alone.
    pub insurer: Option<ParticipantId>,
    /// Of this claim alone.
    pub message: Option<MessageId>,
    /// Those without a code alone.
    pub is_waiting: bool,
    /// Those after this one.
    pub after: Option<RegistrationId>,
}

fn record(row: &Row) -> Result<RegistrationRecord, StoreError> {
    let code = |name| row.named_maybe::<UniqueCode>(name);
    let message = row.uuid_maybe("message")?.map(MessageId);
    let claim = match (message, row.text_maybe("provider")?) {
        (Some(message), Some(_)) => Some(RegisteredClaim {
            message,
            provider: row.named("provider")?,
            decided_on: row.named("on_day")?,
            currency: row.named("currency")?,
            owed: row.number("incurred")?,
        }),
        _ => None,
    };
    Ok(RegistrationRecord {
        registration: Registration {
            registration: RegistrationId(row.uuid("id")?),
            subject: row.named("subject")?,
            insurer: row.named("insurer")?,
            policy: row.text("policy")?.to_owned(),
            certificate: row.text("certificate")?.to_owned(),
            policy_code: match row.named("subject")? {
                Subject::Policy => None,
                Subject::Endorsement | Subject::Claim => code("policy_code")?,
            },
            covers: row.document("covers")?,
            claim,
        },
        created_at: row.moment("created_at")?,
        attempts: row.number("attempts")?,
        error: row.text_maybe("error")?.map(str::to_owned),
        code: code("code")?,
        registered_at: row.moment_maybe("registered_at")?,
    })
}
