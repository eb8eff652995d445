//! The parties that the hub talks to, and the keys by which they are recognised.

use sqlx::SqliteConnection;
use sqlx::sqlite::SqliteRow;
use takmil_domain::date::Instant;
use takmil_domain::ids::{Identifier, ParticipantId};
use takmil_domain::participant::Participant;

use crate::catalogue::{Upserted, next_revision, rendered};
use crate::column::Columns;
use crate::error::{Constraint, StoreError};
use crate::ids::StaffId;
use crate::message_rows::spelled;
use crate::put::{Pace, put};
use crate::rows::row;
use crate::scope::Scope;
use crate::staff::{Staff, staff};
use crate::store::Store;

/// A key that opens for a participant, or for a person of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// For whom.
    pub participant: ParticipantId,
    /// For which person of it, where it is a person's.
    pub staff: Option<StaffId>,
    /// SHA-256 of the key. The key itself is shown once and kept nowhere.
    pub hash: [u8; 32],
    /// What people call it.
    pub label: String,
}

/// Whom a key opens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The participant.
    pub participant: Participant,
    /// The person, where it is a person's key.
    pub staff: Option<Staff>,
}

row! {
    struct OwnIdentifier<'a> {
        system: String as text,
        value: String as text,
        participant: &'a ParticipantId as text,
    }
    Some(Constraint::ParticipantIdentifier);
    "insert into participant_identifier (system, value, participant)
     select system, value, participant from batch"
}

impl Store {
    /// Makes a participant or brings it up to date.
    ///
    /// # Errors
    /// [`Constraint::ParticipantIdentifier`] if one of its identifiers names another participant.
    pub async fn upsert_participant(
        &self,
        participant: &Participant,
    ) -> Result<Upserted, StoreError> {
        let document = rendered(participant)?;
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        let id = participant.id.as_str();
        let kept: Option<String> =
            sqlx::query_scalar("select document from participant where id = $1")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?;
        if kept.as_ref() == Some(&document) {
            return Ok(Upserted::Same);
        }
        let revision = next_revision(&mut transaction).await?;
        sqlx::query(
            "insert into participant (id, role, document, revision) values ($1, $2, $3, $4)
             on conflict (id) do update
             set role = excluded.role, document = excluded.document, revision = excluded.revision",
        )
        .bind(id)
        .bind(participant.role.as_str())
        .bind(&document)
        .bind(revision.0)
        .execute(&mut *transaction)
        .await?;
        name(&mut transaction, participant).await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// A participant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn participant(&self, id: &ParticipantId) -> Result<Participant, StoreError> {
        sqlx::query("select document from participant where id = $1")
            .bind(id.as_str())
            .fetch_one(&self.readers)
            .await?
            .document("document")
    }

    /// All participants, in the order of their ids.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn participants(&self) -> Result<Vec<Participant>, StoreError> {
        let rows = sqlx::query("select document from participant order by id")
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(|row| row.document("document")).collect()
    }

    /// The participant that an identifier names.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn participant_named(
        &self,
        identifier: &Identifier,
    ) -> Result<Option<Participant>, StoreError> {
        let (system, value) = spelled(identifier);
        let row = sqlx::query(
            "select p.document
             from participant_identifier i join participant p on p.id = i.participant
             where i.system = $1 and i.value = $2",
        )
        .bind(system)
        .bind(value)
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| row.document("document")).transpose()
    }

    /// Lets a key open.
    ///
    /// # Errors
    /// [`Constraint::Credential`] if the key opens already; [`StoreError::NotFound`] if the person does not
    /// work for the participant; [`Constraint::Reference`] if there is no such participant.
    pub async fn add_credential(&self, new: &NewCredential, at: Instant) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        add(&mut transaction, new, at).await?;
        Ok(transaction.commit().await?)
    }

    /// Closes a key for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it does not open.
    pub async fn revoke_credential(&self, hash: &[u8; 32], at: Instant) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        revoke(&mut transaction, hash, at).await?;
        Ok(transaction.commit().await?)
    }

    /// Closes a key and opens another in its place, with the same holder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the old one does not open; [`Constraint::Credential`] if the new one does.
    pub async fn rotate_credential(
        &self,
        old: &[u8; 32],
        new: [u8; 32],
        at: Instant,
    ) -> Result<(), StoreError> {
        let mut transaction = self.writer.begin_with("begin immediate").await?;
        revoke(&mut transaction, old, at).await?;
        sqlx::query(
            "insert into credential (hash, participant, staff, label, created_at)
             select $2, participant, staff, label, $3 from credential where hash = $1",
        )
        .bind(old.as_slice())
        .bind(new.as_slice())
        .bind(at.0)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// Whom a key opens for, by its hash; `None` where it does not, or no longer.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn participant_by_key(&self, hash: &[u8; 32]) -> Result<Option<Caller>, StoreError> {
        let row = sqlx::query(
            "select p.document, s.id, s.participant, s.name, s.roles
             from credential c
             join participant p on p.id = c.participant
             left join staff s on s.id = c.staff
             where c.hash = $1 and c.revoked_at is null",
        )
        .bind(hash.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let person = row.uuid_maybe("id")?.map(|_| staff(&row)).transpose()?;
        Ok(Some(Caller {
            participant: row.document("document")?,
            staff: person,
        }))
    }

    /// The labels of a participant's open keys with their making, the newest last.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope may not see the participant's keys.
    pub async fn credentials(
        &self,
        scope: &Scope,
        participant: &ParticipantId,
    ) -> Result<Vec<(String, Instant)>, StoreError> {
        let own = match scope {
            Scope::Hub => true,
            Scope::Provider(own) | Scope::Insurer(own) => own == participant,
            Scope::Regulator => false,
        };
        if !own {
            return Err(StoreError::NotFound);
        }
        let rows = sqlx::query(
            "select label, created_at from credential
             where participant = $1 and revoked_at is null order by created_at, label",
        )
        .bind(participant.as_str())
        .fetch_all(&self.readers)
        .await?;
        let read = |row: &SqliteRow| Ok((row.text("label")?.to_owned(), row.moment("created_at")?));
        rows.iter().map(read).collect()
    }
}

/// Makes the participant's identifiers name it, and no others.
async fn name(
    connection: &mut SqliteConnection,
    participant: &Participant,
) -> Result<(), StoreError> {
    sqlx::query("delete from participant_identifier where participant = $1")
        .bind(participant.id.as_str())
        .execute(&mut *connection)
        .await?;
    let spelled: std::collections::BTreeSet<_> =
        participant.identifiers.iter().map(spelled).collect();
    let rows: Vec<_> = spelled
        .into_iter()
        .map(|(system, value)| OwnIdentifier {
            by: None,
            system,
            value,
            participant: &participant.id,
        })
        .collect();
    put(connection, &rows.into(), Pace::Together).await
}

async fn add(
    connection: &mut SqliteConnection,
    new: &NewCredential,
    at: Instant,
) -> Result<(), StoreError> {
    // A person's key opens for the participant that the person works for, and no other.
    let added = sqlx::query(
        "insert into credential (hash, participant, staff, label, created_at)
         select $1, $2, $3, $4, $5
         where $3 is null or exists (select 1 from staff where id = $3 and participant = $2)",
    )
    .bind(new.hash.as_slice())
    .bind(new.participant.as_str())
    .bind(new.staff.map(|staff| staff.0))
    .bind(&new.label)
    .bind(at.0)
    .execute(connection)
    .await?;
    found(added.rows_affected())
}

async fn revoke(
    connection: &mut SqliteConnection,
    hash: &[u8; 32],
    at: Instant,
) -> Result<(), StoreError> {
    let revoked =
        sqlx::query("update credential set revoked_at = $2 where hash = $1 and revoked_at is null")
            .bind(hash.as_slice())
            .bind(at.0)
            .execute(connection)
            .await?;
    found(revoked.rows_affected())
}

/// Whether a statement found what it was to change.
pub(crate) fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}
