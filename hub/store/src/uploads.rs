//! Files of many messages, which are kept whole before anything is acknowledged, and taken part by part.

use takmil_domain::date::Instant;
use takmil_domain::ids::{MessageId, ParticipantId, UploadId};

use crate::column::Row;
use crate::compressed::{compress, decompress};
use crate::error::{Constraint, StoreError};
use crate::keys::{Part, Sealed};
use crate::put::put;
use crate::rows::{Bytes, Id, row};
use crate::scope::Scope;
use crate::store::Store;

/// A file to be kept.
#[derive(Debug)]
pub struct NewUpload<'a> {
    /// Who sent it.
    pub sender: &'a ParticipantId,
    /// The sender's key of the request, or what stands for one.
    pub key: &'a str,
    /// SHA-256 of the file.
    pub digest: [u8; 32],
    /// When it came.
    pub received_at: Instant,
    /// Its parts in order: the line on which each begins, and its bytes.
    pub parts: &'a [(u64, &'a [u8])],
}

/// What became of a file that was to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uploaded {
    /// It is kept.
    Kept(UploadId),
    /// It was kept before.
    Repeated(UploadId),
    /// Another file was kept under its key.
    Changed(UploadId),
}

/// A file, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// Its id: made of the moment, so that a list goes by time.
    pub id: UploadId,
    /// Who sent it.
    pub sender: ParticipantId,
    /// When it came.
    pub received_at: Instant,
    /// How many parts it has.
    pub parts: u64,
    /// How many of them are done.
    pub done: u64,
    /// How many messages were taken.
    pub taken: u64,
    /// How many were refused, or could not be read.
    pub refused: u64,
    /// When its last part was done.
    pub finished_at: Option<Instant>,
}

/// A part that is to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPart {
    /// Of which file.
    pub upload: UploadId,
    /// Its number, from 0.
    pub number: u32,
    /// Who sent it.
    pub sender: ParticipantId,
    /// Its bytes.
    pub body: Vec<u8>,
}

/// A part that is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DonePart {
    /// Of which file.
    pub upload: UploadId,
    /// Its number, from 0.
    pub number: u32,
    /// How many of its messages were taken.
    pub taken: u32,
    /// How many were refused, or could not be read.
    pub refused: u32,
    /// What became of each, as JSON.
    pub results: String,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartResults {
    /// Its number, from 0.
    pub number: u32,
    /// The line of the file on which it begins.
    pub line: u64,
    /// What became of each of its messages, as JSON.
    pub results: String,
}

row! {
    struct UploadRow<'a> {
        id: Id as id,
        sender: &'a ParticipantId as text,
        key: &'a str as text,
        digest: Bytes<32> as bytes,
        received_at: Instant as integer,
        parts: u64 as integer,
    }
    Some(Constraint::Upload);
    "insert into upload (id, sender, key, digest, received_at, parts, done, taken, refused)
     select id, sender, key, digest, received_at, parts, 0, 0, 0 from batch"
}

row! {
    struct PartRow {
        upload: Id as id,
        number: u32 as integer,
        line: u64 as integer,
        body: Sealed as bytes,
    }
    Some(Constraint::UploadPart);
    "insert into upload_part (upload, number, line, body, refused)
     select upload, number, line, body, 0 from batch"
}

row! {
    struct DoneRow<'a> {
        upload: Id as id,
        number: u32 as integer,
        results: &'a str as text,
        refused: u32 as integer,
    }
    Some(Constraint::UploadPart);
    "update upload_part set body = null, results = batch.results, refused = batch.refused from batch
     where upload_part.upload = batch.upload and upload_part.number = batch.number
         and upload_part.results is null"
}

impl<'a> DoneRow<'a> {
    fn of(part: &'a DonePart) -> Self {
        DoneRow {
            upload: part.upload.into(),
            number: part.number,
            results: &part.results,
            refused: part.refused,
        }
    }
}

row! {
    struct ProgressRow {
        upload: Id as id,
        done: u64 as integer,
        taken: u64 as integer,
        refused: u64 as integer,
        at: Instant as integer,
    }
    Some(Constraint::Upload);
    "update upload set done = upload.done + batch.done, taken = upload.taken + batch.taken,
         refused = upload.refused + batch.refused,
         finished_at = case when upload.done + batch.done = upload.parts then batch.at end
     from batch where upload.id = batch.upload"
}

/// A part stands in its upload as a body in its message.
fn sealed_as(upload: UploadId, number: u32) -> (MessageId, Part<'static>) {
    (MessageId(upload.0), Part::Body(number))
}

impl Store {
    /// Keeps a file. When this returns, it is durable.
    ///
    /// # Errors
    /// If the database cannot serve; nothing is kept then.
    pub async fn keep_upload(&self, new: &NewUpload<'_>) -> Result<Uploaded, StoreError> {
        const SQL: &str = "select id, digest from upload where sender = $1 and key = $2";
        let named = [new.sender.as_str().into(), new.key.into()];
        if let Some(row) = self.readers.fetch_optional(SQL, &named).await? {
            return known(&row, new);
        }
        let id = UploadId(self.fresh_id(new.received_at));
        let (own, mut rows) = (self.own_key(), Vec::with_capacity(new.parts.len()));
        for (number, (line, body)) in (0..).zip(new.parts) {
            let (as_message, part) = sealed_as(id, number);
            rows.push(PartRow {
                upload: id.into(),
                number,
                line: *line,
                body: Sealed::of(own, as_message, part, &compress(body)?)?,
            });
        }
        let row = UploadRow {
            id: id.into(),
            sender: new.sender,
            key: new.key,
            digest: Bytes(new.digest),
            received_at: new.received_at,
            parts: u64::try_from(rows.len()).unwrap_or(u64::MAX),
        };
        let mut transaction = self.desk().await?;
        let mut db = transaction.db();
        // Two requests may have come at once.
        if let Some(row) = db.fetch_optional(SQL, &named).await? {
            return known(&row, new);
        }
        put(&mut db, &[row]).await?;
        put(&mut db, &rows).await?;
        transaction.commit().await?;
        Ok(Uploaded::Kept(id))
    }

    /// Parts that are to be taken: of each file that is not finished, the first ones, at most `most`.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn open_parts(&self, most: u32) -> Result<Vec<UploadPart>, StoreError> {
        let rows = self
            .readers
            .fetch_all(
                "select p.upload, p.number, p.body, u.sender
                 from (select id, sender from upload where finished_at is null order by id limit 64) u
                 join upload_part p on p.upload = u.id and p.number in (
                     select number from upload_part where upload = u.id and results is null
                     order by number limit $1)
                 order by p.upload, p.number",
                &[most.into()],
            )
            .await?;
        let part = |row: &Row| {
            let (upload, number) = (UploadId(row.uuid("upload")?), row.number("number")?);
            let (as_message, part) = sealed_as(upload, number);
            let opened = Sealed::open(self.own_key(), as_message, part, row.bytes("body")?)?;
            Ok(UploadPart {
                upload,
                number,
                sender: row.named("sender")?,
                body: decompress(&opened)?,
            })
        };
        rows.iter().map(part).collect()
    }

    /// Records parts as done; their bodies go.
    ///
    /// # Errors
    /// [`Constraint::UploadPart`] if one is done already: another hub has done it, and nothing is recorded.
    pub async fn record_parts(&self, parts: &[DonePart], at: Instant) -> Result<(), StoreError> {
        let rows: Vec<_> = parts.iter().map(DoneRow::of).collect();
        let mut progress: Vec<ProgressRow> = Vec::new();
        for part in parts {
            let upload = part.upload.into();
            let known = progress.iter().position(|own| own.upload == upload);
            let place = known.unwrap_or_else(|| {
                progress.push(ProgressRow {
                    upload,
                    done: 0,
                    taken: 0,
                    refused: 0,
                    at,
                });
                progress.len() - 1
            });
            if let Some(own) = progress.get_mut(place) {
                own.done += 1;
                own.taken += u64::from(part.taken);
                own.refused += u64::from(part.refused);
            }
        }
        let mut transaction = self.rows().await?;
        let mut db = transaction.db();
        put(&mut db, &rows).await?;
        put(&mut db, &progress).await?;
        transaction.commit().await
    }

    /// The files of a scope, the latest first, or those that came before one.
    ///
    /// # Errors
    /// If the database cannot serve, or holds what cannot be read.
    pub async fn uploads(
        &self,
        scope: &Scope,
        before: Option<UploadId>,
        most: u32,
    ) -> Result<Vec<UploadRecord>, StoreError> {
        if matches!(scope, Scope::Insurer(_)) {
            return Ok(Vec::new());
        }
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select id, sender, received_at, parts, done, taken, refused, finished_at from upload
                 where ($1 is null or sender = $1) and id < $2
                 order by id desc limit $3",
                &[
                    scope.sender().into(),
                    before.map_or(uuid::Uuid::max(), |before| before.0).into(),
                    most.into(),
                ],
            )
            .await?;
        rows.iter().map(record).collect()
    }

    /// A file of a scope.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none such in the scope.
    pub async fn upload(&self, scope: &Scope, id: UploadId) -> Result<UploadRecord, StoreError> {
        if matches!(scope, Scope::Insurer(_)) {
            return Err(StoreError::NotFound);
        }
        let mut reader = self.read(scope).await?;
        let row = reader
            .db()
            .fetch_one(
                "select id, sender, received_at, parts, done, taken, refused, finished_at from upload
                 where ($1 is null or sender = $1) and id = $2",
                &[scope.sender().into(), id.0.into()],
            )
            .await?;
        record(&row)
    }

    /// What became of the parts of a file that are done, in order, after one; of those alone of which something was
    /// refused, where that is asked.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is no such file in the scope.
    pub async fn part_results(
        &self,
        scope: &Scope,
        id: UploadId,
        (after, refused): (Option<u32>, bool),
        most: u32,
    ) -> Result<Vec<PartResults>, StoreError> {
        self.upload(scope, id).await?;
        let mut reader = self.read(scope).await?;
        let rows = reader
            .db()
            .fetch_all(
                "select number, line, results from upload_part
                 where upload = $1 and results is not null and number > $2
                     and ($3 = 0 or refused > 0)
                 order by number limit $4",
                &[
                    id.0.into(),
                    after.map_or(-1, i64::from).into(),
                    i64::from(refused).into(),
                    most.into(),
                ],
            )
            .await?;
        let part = |row: &Row| {
            Ok(PartResults {
                number: row.number("number")?,
                line: row.number("line")?,
                results: row.text("results")?.to_owned(),
            })
        };
        rows.iter().map(part).collect()
    }
}

fn known(row: &Row, new: &NewUpload<'_>) -> Result<Uploaded, StoreError> {
    let id = UploadId(row.uuid("id")?);
    Ok(match row.bytes("digest")? == new.digest {
        true => Uploaded::Repeated(id),
        false => Uploaded::Changed(id),
    })
}

fn record(row: &Row) -> Result<UploadRecord, StoreError> {
    Ok(UploadRecord {
        id: UploadId(row.uuid("id")?),
        sender: row.named("sender")?,
        received_at: row.moment("received_at")?,
        parts: row.number("parts")?,
        done: row.number("done")?,
        taken: row.number("taken")?,
        refused: row.number("refused")?,
        finished_at: row.moment_maybe("finished_at")?,
    })
}
