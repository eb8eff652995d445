//! The parties that the hub talks to, and the keys and certificates by which they are recognised.

use serde::Serialize;
use takmil_domain::date::Instant;
use takmil_domain::ids::{Identifier, ParticipantId};
use takmil_domain::participant::{Participant, Transport};

use crate::blind::spelled;
use crate::catalogue::{Upserted, next_revision, rendered};
use crate::column::Row;
use crate::db::Db;
use crate::error::{Constraint, StoreError};
use crate::ids::StaffId;
use crate::outbox::revive;
use crate::put::put;
use crate::rows::row;
use crate::scope::Scope;
use crate::staff::{Staff, staff};
use crate::store::Store;

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// An API key.
    Key,
    /// The public key of a client certificate.
    Certificate,
}

impl CredentialKind {
    /// The name in the database and in lists.
    pub fn as_str(self) -> &'static str {
        match self {
            CredentialKind::Key => "key",
            CredentialKind::Certificate => "certificate",
        }
    }

    fn parse(text: &str) -> Option<CredentialKind> {
        let kinds = [CredentialKind::Key, CredentialKind::Certificate];
        kinds.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A credential to be, which opens for a participant, or for a person of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredential {
    /// For whom.
    pub participant: ParticipantId,
    /// For which person of it, where it is a person's.
    pub staff: Option<StaffId>,
    /// What it is.
    pub kind: CredentialKind,
    /// SHA-256 of the key. An API key itself is shown once and kept nowhere.
    pub hash: [u8; 32],
    /// What people call it.
    pub label: String,
}

/// A credential that opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// The SHA-256 that it is known by.
    pub hash: [u8; 32],
    /// Which person of the participant it opens for, where it is a person's.
    pub staff: Option<StaffId>,
    /// What people call it.
    pub label: String,
    /// Since when it opens.
    pub created_at: Instant,
}

/// Whom a credential opens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The participant.
    pub participant: Participant,
    /// The person, where it is a person's key.
    pub staff: Option<Staff>,
}

pub(crate) const DOCUMENT: &str = "select document from participant where id = $1";

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
    /// Makes a participant or brings it up to date. What it says nothing of its secrets stays as it was. Where it listens
    /// elsewhere from now on, its dead letters are tried again.
    ///
    /// # Errors
    /// [`Constraint::ParticipantIdentifier`] if one of its identifiers names another participant.
    pub async fn upsert_participant(
        &self,
        participant: &Participant,
    ) -> Result<Upserted, StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let id = participant.id.as_str();
        let kept = db.fetch_optional(DOCUMENT, &[id.into()]).await?;
        let mut participant = participant.clone();
        if let Some(kept) = &kept {
            let before: Participant = kept.document("document")?;
            participant = participant.keeping_secrets_of(&before);
            if before.listens() != participant.listens() {
                // What was refused there may be taken here.
                revive(&mut db, &participant.id).await?;
            }
        }
        let document = rendered(&participant)?;
        if let Some(kept) = kept
            && kept.text("document")? == document
        {
            return Ok(Upserted::Same);
        }
        let revision = next_revision(&mut db).await?;
        db.execute(
            "insert into participant (id, role, document, revision, pseudonym) values ($1, $2, $3, $4, $5)
             on conflict (id) do update
             set role = excluded.role, document = excluded.document, revision = excluded.revision",
            &[
                id.into(),
                participant.role.as_str().into(),
                (&document).into(),
                revision.0.into(),
                self.random_id().into(),
            ],
        )
        .await?;
        name(&mut db, &participant).await?;
        transaction.commit().await?;
        Ok(Upserted::New(revision))
    }

    /// Puts another secret in force with which webhooks to a participant are signed. The one before it counts beside it
    /// until a moment.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such participant, or it takes no webhooks.
    pub async fn rotate_secret(
        &self,
        id: &ParticipantId,
        secret: &str,
        until: Instant,
    ) -> Result<(), StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        let kept = db.fetch_one(DOCUMENT, &[id.as_str().into()]).await?;
        let mut participant: Participant = kept.document("document")?;
        let endpoint = participant.listens_mut();
        let webhooks = endpoint.filter(|own| own.transport == Transport::Rest);
        let webhooks = webhooks.ok_or(StoreError::NotFound)?;
        webhooks.rotate(secret.to_owned(), until);
        let document = rendered(&participant)?;
        let revision = next_revision(&mut db).await?;
        db.execute(
            "update participant set document = $2, revision = $3 where id = $1",
            &[id.as_str().into(), (&document).into(), revision.0.into()],
        )
        .await?;
        transaction.commit().await
    }

    /// A participant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none.
    pub async fn participant(&self, id: &ParticipantId) -> Result<Participant, StoreError> {
        self.readers
            .fetch_one(DOCUMENT, &[id.as_str().into()])
            .await?
            .document("document")
    }

    /// All participants, in the order of their ids.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn participants(&self) -> Result<Vec<Participant>, StoreError> {
        let rows = self
            .readers
            .fetch_all("select document from participant order by id", &[])
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
        let row = self
            .readers
            .fetch_optional(
                "select p.document
                 from participant_identifier i join participant p on p.id = i.participant
                 where i.system = $1 and i.value = $2",
                &[(&system).into(), (&value).into()],
            )
            .await?;
        row.map(|row| row.document("document")).transpose()
    }

    /// Lets a credential open.
    ///
    /// # Errors
    /// [`Constraint::Credential`] if it opens already, or has opened before; [`StoreError::NotFound`] if the person does not
    /// work for the participant; [`Constraint::Reference`] if there is no such participant.
    pub async fn add_credential(&self, new: &NewCredential, at: Instant) -> Result<(), StoreError> {
        let mut transaction = self.desk().await?;
        add(&mut transaction.db(), new, at).await?;
        transaction.commit().await
    }

    /// Closes a credential for good.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if it does not open.
    pub async fn revoke_credential(&self, hash: &[u8; 32], at: Instant) -> Result<(), StoreError> {
        let mut transaction = self.desk().await?;
        revoke(&mut transaction.db(), hash, at).await?;
        transaction.commit().await
    }

    /// Closes a credential and opens another of its kind in its place, with the same holder.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the old one does not open; [`Constraint::Credential`] if the new one does.
    pub async fn rotate_credential(
        &self,
        old: &[u8; 32],
        new: [u8; 32],
        at: Instant,
    ) -> Result<(), StoreError> {
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        revoke(&mut db, old, at).await?;
        db.execute(
            "insert into credential (hash, participant, staff, kind, label, created_at)
             select $2, participant, staff, kind, label, $3 from credential where hash = $1",
            &[old.into(), (&new).into(), at.into()],
        )
        .await?;
        transaction.commit().await
    }

    /// Whom a credential opens for, by its hash; `None` where it does not, or no longer.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn participant_by_key(&self, hash: &[u8; 32]) -> Result<Option<Caller>, StoreError> {
        let row = self
            .readers
            .fetch_optional(
                "select p.document, s.id, s.participant, s.name, s.roles
                 from credential c
                 join participant p on p.id = c.participant
                 left join staff s on s.id = c.staff
                 where c.hash = $1 and c.revoked_at is null",
                &[hash.into()],
            )
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

    /// A participant's credentials that open, the newest last.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the scope may not see the participant's credentials.
    pub async fn credentials(
        &self,
        scope: &Scope,
        participant: &ParticipantId,
    ) -> Result<Vec<Credential>, StoreError> {
        let own = match scope {
            Scope::Hub => true,
            Scope::Provider(own) | Scope::Insurer(own) => own == participant,
            Scope::Regulator => false,
        };
        if !own {
            return Err(StoreError::NotFound);
        }
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select hash, kind, staff, label, created_at from credential
                 where participant = $1 and revoked_at is null order by created_at, label, hash",
                &[participant.as_str().into()],
            )
            .await?;
        rows.iter().map(credential).collect()
    }
}

/// Makes the participant's identifiers name it, and no others.
async fn name(db: &mut Db<'_>, participant: &Participant) -> Result<(), StoreError> {
    db.execute(
        "delete from participant_identifier where participant = $1",
        &[participant.id.as_str().into()],
    )
    .await?;
    let spelled: std::collections::BTreeSet<_> =
        participant.identifiers.iter().map(spelled).collect();
    let rows: Vec<_> = spelled
        .into_iter()
        .map(|(system, value)| OwnIdentifier {
            system,
            value,
            participant: &participant.id,
        })
        .collect();
    put(db, &rows).await
}

fn credential(row: &Row) -> Result<Credential, StoreError> {
    let unreadable = || StoreError::Unreadable {
        what: "a credential",
    };
    let hash = row.bytes("hash")?.try_into();
    Ok(Credential {
        kind: CredentialKind::parse(row.text("kind")?).ok_or_else(unreadable)?,
        hash: hash.map_err(|_| unreadable())?,
        staff: row.uuid_maybe("staff")?.map(StaffId),
        label: row.text("label")?.to_owned(),
        created_at: row.moment("created_at")?,
    })
}

async fn add(db: &mut Db<'_>, new: &NewCredential, at: Instant) -> Result<(), StoreError> {
    // A person's key opens for the participant that the person works for, and no other.
    let added = db
        .execute(
            "insert into credential (hash, participant, staff, kind, label, created_at)
             select $1, $2, $3, $6, $4, $5
             where $3 is null or exists (select 1 from staff where id = $3 and participant = $2)",
            &[
                (&new.hash).into(),
                new.participant.as_str().into(),
                new.staff.map(|staff| staff.0).into(),
                (&new.label).into(),
                at.into(),
                new.kind.as_str().into(),
            ],
        )
        .await?;
    found(added)
}

async fn revoke(db: &mut Db<'_>, hash: &[u8; 32], at: Instant) -> Result<(), StoreError> {
    let revoked = db
        .execute(
            "update credential set revoked_at = $2 where hash = $1 and revoked_at is null",
            &[hash.into(), at.into()],
        )
        .await?;
    found(revoked)
}

/// Whether a statement found what it was to change.
pub(crate) fn found(rows: u64) -> Result<(), StoreError> {
    if rows == 0 {
        return Err(StoreError::NotFound);
    }
    Ok(())
}
