//! Owners' keys: one for each member, made with it, and the hub's own for what is of nobody known.

use std::sync::Arc;

use takmil_domain::ids::{MemberId, MessageId};
use uuid::Uuid;

use crate::blind::Blind;
use crate::column::Row;
use crate::compressed::{compress, decompress};
use crate::db::{Db, Pool};
use crate::error::{Constraint, StoreError};
use crate::put::put;
use crate::rows::{Id, Raw, row};
use crate::seal::{KeyProvider, OwnerKey};

/// Who owns what is of nobody known.
const NOBODY: Uuid = Uuid::nil();

/// Which part of a message is sealed. A part opens in its own place alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    /// The body of a turn.
    Body(u32),
    /// What an insurer said, under its own reference.
    Decision(&'a str),
    /// What it tells later messages of the member's past.
    Past,
}

impl Part<'_> {
    /// A number of its own, or nearly: two references may share one, which the cipher bears.
    fn number(self) -> u32 {
        match self {
            Part::Body(turn) => turn & (u32::MAX >> 1),
            // Turns count from 1.
            Part::Past => 0,
            Part::Decision(reference) => {
                let [a, b, c, d, ..] = takmil_domain::digest::sha256(reference.as_bytes());
                u32::from_be_bytes([a, b, c, d]) | (1 << 31)
            }
        }
    }
}

/// A part as it is kept: sealed.
#[derive(Debug, Clone)]
pub(crate) struct Sealed(Vec<u8>);

impl serde::Serialize for Sealed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl Sealed {
    pub(crate) fn of(
        key: &OwnerKey,
        message: MessageId,
        part: Part<'_>,
        contents: &[u8],
    ) -> Result<Sealed, StoreError> {
        let sealed = key.seal(message.0, part.number(), contents)?;
        Ok(Sealed(sealed))
    }

    #[cfg(test)]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Opens a part.
    pub(crate) fn open(
        key: &OwnerKey,
        message: MessageId,
        part: Part<'_>,
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        Ok(key.open(message.0, part.number(), sealed)?)
    }

    /// Seals a text, compressed.
    pub(crate) fn of_text(
        key: &OwnerKey,
        message: MessageId,
        part: Part<'_>,
        text: &str,
    ) -> Result<Sealed, StoreError> {
        Sealed::of(key, message, part, &compress(text.as_bytes())?)
    }

    /// Opens a part that is a compressed text.
    pub(crate) fn open_text(
        key: &OwnerKey,
        message: MessageId,
        part: Part<'_>,
        sealed: &[u8],
    ) -> Result<String, StoreError> {
        let text = String::from_utf8(decompress(&Sealed::open(key, message, part, sealed)?)?);
        text.map_err(|_| StoreError::Unreadable { what: "a text" })
    }
}

row! {
    /// A member's key, wrapped.
    struct KeyRow<'a> {
        owner: Id as id,
        wrapped: Raw<'a> as bytes,
    }
    Some(Constraint::DataKey);
    "insert into data_key (owner, wrapped) select owner, wrapped from batch"
}

/// The keys of a store.
#[derive(Clone)]
pub(crate) struct Keys {
    provider: Arc<dyn KeyProvider>,
    own: OwnerKey,
    blind: Blind,
}

impl Keys {
    /// Opens the hub's own key, which is made with the database: so a key file that is not this database's is
    /// found at once. A database that has one is only read.
    pub(crate) async fn open(
        provider: Arc<dyn KeyProvider>,
        writers: &Pool,
        fresh: &OwnerKey,
    ) -> Result<Keys, StoreError> {
        const OWN: &str = "select wrapped from data_key where owner = $1";
        let nobody = [NOBODY.into()];
        let row = match writers.fetch_optional(OWN, &nobody).await? {
            Some(row) => row,
            None => {
                let wrapped = provider.wrap(NOBODY, fresh).await?;
                // Another hub, which starts beside this one, may have made it meanwhile.
                writers
                    .execute(
                        "insert into data_key (owner, wrapped) values ($1, $2)
                         on conflict (owner) do nothing",
                        &[NOBODY.into(), wrapped.as_slice().into()],
                    )
                    .await?;
                writers.fetch_one(OWN, &nobody).await?
            }
        };
        let own = provider.unwrap(NOBODY, row.bytes("wrapped")?).await?;
        let blind = Blind::new(&own);
        Ok(Keys {
            provider,
            own,
            blind,
        })
    }

    /// The key of what is of nobody known.
    pub(crate) fn own(&self) -> &OwnerKey {
        &self.own
    }

    /// Under which digests identifiers are kept.
    pub(crate) fn blind(&self) -> &Blind {
        &self.blind
    }

    pub(crate) fn provider(&self) -> &dyn KeyProvider {
        self.provider.as_ref()
    }

    /// The key of a row's "member", wrapped in its "wrapped".
    pub(crate) async fn of(&self, row: &Row) -> Result<OwnerKey, StoreError> {
        match row.uuid_maybe("member")? {
            None => Ok(self.own.clone()),
            Some(member) => self.unwrapped(member, row.bytes_maybe("wrapped")?).await,
        }
    }

    /// The key of a member that is kept, or was.
    pub(crate) async fn unwrapped(
        &self,
        member: Uuid,
        wrapped: Option<&[u8]>,
    ) -> Result<OwnerKey, StoreError> {
        let wrapped = wrapped.ok_or(StoreError::Erased)?;
        Ok(self.provider.unwrap(member, wrapped).await?)
    }

    /// A member's key.
    pub(crate) async fn of_member(
        &self,
        readers: &Pool,
        member: Option<MemberId>,
    ) -> Result<OwnerKey, StoreError> {
        let Some(member) = member else {
            return Ok(self.own.clone());
        };
        let sql = "select wrapped from data_key where owner = $1";
        let row = readers.fetch_optional(sql, &[member.0.into()]).await?;
        let wrapped = row.as_ref().map(|row| row.bytes("wrapped")).transpose()?;
        self.unwrapped(member.0, wrapped).await
    }

    /// Keeps the keys of new members.
    pub(crate) async fn keep(
        &self,
        db: &mut Db<'_>,
        keys: &[(MemberId, OwnerKey)],
    ) -> Result<(), StoreError> {
        let mut wrapped = Vec::with_capacity(keys.len());
        for (member, key) in keys {
            wrapped.push((*member, self.provider.wrap(member.0, key).await?));
        }
        let rows: Vec<_> = wrapped
            .iter()
            .map(|(member, wrapped)| KeyRow {
                owner: (*member).into(),
                wrapped: Raw(wrapped),
            })
            .collect();
        put(db, &rows).await
    }
}
